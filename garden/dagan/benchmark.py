"""The benchmarks of this room: a step of DA-GAN, and photographs turned to the side."""

import os

import gin
import numpy as np

from garden.core import benchmark as benchmark_lib
from garden.dagan import plain_step
from garden.datasets.cfp import cfp_dataset_builder as builders
from garden.worlds.faces import heads
from garden.worlds.faces import landmarks
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
def landmark_benchmark(faces, people=50, each=2):
  """Points found in CFP's photographs from the front, against those that come with them.

  Args:
    faces: the `cfp.source.CFP`.
    people: the first of its people.
    each: photographs of each.

  Returns:
    A `Pair`; errors are `landmarks.error` in percent, of the faces that are found.
  """
  folder = os.path.join(faces.source, "Data")
  paths = [path for person in range(1, people + 1) for path in
           builders.photographs(folder, f"{person:03}", "frontal")[:each]]
  detector = landmarks.Detector()

  def ours(number):
    del number
    errors, missed = [], 0
    for path in paths:
      image, given = builders.marked(path)
      try:
        found = detector(image)
      except landmarks.NoFaceError:
        missed += 1
        continue
      errors.append(landmarks.error(points.named(found.points), given))
    print(f"no face was found in {missed} of {len(paths)} photographs", flush=True)
    return 100.0 * float(np.mean(errors))

  def theirs(number):
    del number
    for path in paths:
      builders.marked(path)
    return 0.0

  return benchmark_lib.Pair(ours, theirs, "photograph read, face and 468 points found",
                            "photograph read, its fiducials read", count=len(paths), unit="face")
