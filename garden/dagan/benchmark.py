"""The benchmarks of this room: a step of DA-GAN, and photographs turned to the side."""

import gin
import numpy as np

from garden.core import benchmark as benchmark_lib
from garden.dagan import plain_step
from garden.worlds.faces import heads
from garden.worlds.faces import points
from garden.worlds.faces import portrait
from garden.worlds.faces import renderer
from garden.worlds.faces import templates


@gin.register(module="dagan")
def step_benchmark(experiment, steps=50, steps_per_execution=5):
  """A step of D and G by the stable preset.

  Args:
    experiment: the `experiment.Profiles`.
    steps: steps of a call.
    steps_per_execution: steps inside one graph call of our `fit`.

  Returns:
    A `Pair`: `DAGAN` through `fit`, and the bare `tf.function`.
  """
  batches = experiment.datasets().stages[-1].batches
  model, other = experiment.build_model(), experiment.build_model()
  model.steps_per_execution = steps_per_execution
  model.stage_name = "refine"
  step = plain_step.step(other.refiner, other.autoencoder, other.agent, experiment.recipe)

  def ours(number):
    del number
    model.fit(batches(0), steps_per_epoch=steps, epochs=1, verbose=0)

  def theirs(number):
    del number
    for _, batch in zip(range(steps), batches(0)):
      loss = step(batch)
    loss.numpy()  # Waits for the last step.

  return benchmark_lib.Pair(
      ours, theirs, f"`DAGAN.train_step` in `fit`, {steps_per_execution} steps a graph call",
      "a bare loop over a `tf.function` step with the same networks, losses and batches",
      count=steps, unit="step")


@gin.register(module="dagan")
def turn_benchmark(size=224, faces=10):
  """A photograph and its points to a picture of the face from the side.

  Args:
    size: side of the pictures in pixels.
    faces: photographs of a call.

  Returns:
    A `Pair`; seconds are per face, theirs are the same without the photograph's background.
  """
  people = heads.sample(faces, seed=0)
  images, _ = renderer.render(people, renderer.views(np.zeros(faces), 0, np.zeros(faces)), size)
  marked = []
  for person in range(faces):
    spots = points.on_head(people, person)
    flat = renderer.project(np.stack(list(spots.values())), 0.0, 0.0, size)[:, :2]
    marked.append(dict(zip(spots, flat)))
  templates.built_in().folding  # noqa: B018  made once a process

  def turn(number, background):
    del number
    for image, spots in zip(images, marked):
      portrait.fit(image, spots).render(60.0, size=size, background=background)

  return benchmark_lib.Pair(
      lambda number: turn(number, None), lambda number: turn(number, (128, 128, 128)),
      "placed by 28 points, warped, turned by 60 degrees, with its background",
      "the same in front of grey", count=faces, unit="face")


@gin.register(module="dagan")
def landmark_benchmark(size=224, faces=10):
  """A photograph `[size, size, 3]` to its 468 points, on both sides the same.

  Args:
    size: side of the photographs in pixels.
    faces: photographs of a call.

  Returns:
    A `Pair`; seconds are per face, of both sides the same.
  """
  from garden.worlds.faces import landmarks
  detector = landmarks.Detector()
  people = heads.sample(4 * faces, seed=0)
  images, _ = renderer.render(people, renderer.views(np.zeros(4 * faces), 0,
                                                     np.zeros(4 * faces)), size)
  found = []
  for image in images:
    try:
      detector(image)
    except ValueError:
      continue  # not each drawn head is taken for a face
    found.append(image)
  found = found[:faces]

  def run(number):
    del number
    for image in found:
      detector(image)

  return benchmark_lib.Pair(run, run, "face and 468 points found", "the same", count=len(found),
                            unit="face")


