"""The benchmarks of the towers' de-animation: images, and stability checks by MuJoCo.

Images are taken to state, stability and reconstruction, with and without refinement: the ratio is
what refinement costs. A stability check builds the model of a tower, as for one never seen, and
simulates until it is known whether it falls, against simulating all of the four seconds.
"""

import gin
import numpy as np

from garden.core import benchmark as benchmark_lib
from garden.datasets.block_towers import arrays
from garden.vda import trials
from garden.worlds.towers import physics
from garden.worlds.towers import scene


@gin.register(module="vda")
def de_animation_benchmark(experiment, refined=False, images=50):
  """De-animation of images by an untrained model: what it finds doesn't change what it costs.

  Args:
    experiment: `vda.Towers`; its boxes are the true ones, so that each image has all its blocks.
    refined: whether ours refines its states; theirs never does.
    images: of a call, at least 10.

  Returns:
    A `Pair`; seconds are per image.
  """
  model = experiment.build_model()
  towers = experiment.test_towers[0].take(np.arange(images))
  pictures = arrays.images_of(towers, np.arange(images))

  def plain(number):
    del number
    found = experiment.de_animate(model, pictures, towers.camera)
    boxed = experiment.de_animate(model, pictures, towers.camera, towers.boxes, towers.present)
    return {**found, **boxed, "boxes": towers.boxes}

  def ours(number):
    found = plain(number)
    if refined:
      trials.refined(experiment.refinement, found, pictures, towers.camera)

  def theirs(number):
    plain(number)

  return benchmark_lib.Pair(
      ours, theirs, "image to state, stability, reconstruction" + (", refined" * refined),
      "the same without refinement", count=images, unit="image")


@gin.register(module="vda")
def stability_benchmark(blocks=3, towers=400):
  """MuJoCo's stability checks, the building of each tower's model included.

  Args:
    blocks: of a tower.
    towers: of a call, more than the 64 whose models are kept.

  Returns:
    A `Pair`; seconds are per tower.
  """
  made = scene.sample(towers, seed=0, distribution=scene.Distribution(counts=(blocks,)))
  # No two of the same size, by micrometres, and more than are kept: each needs a model of its own.
  scale = (1 - 1e-6 * np.arange(towers))[:, None, None]
  made = made.replace(position=made.position * scale, size=made.size * scale)

  def ours(number):
    del number
    physics.falls(made)

  def theirs(number):
    del number
    physics.simulate(made, (4.0,))

  return benchmark_lib.Pair(
      ours, theirs, "model compiled, simulated until it is known whether it falls",
      "the same through all of 4 s", count=towers, unit="tower")
