"""The benchmarks of this room: towers made a CPU-second, and a training step with its data.

The world is measured against the same towers with MuJoCo's own renderer for the picture, which
needs EGL; a step with its batch from the input pipeline against one on batches in memory.
"""

import dataclasses

import gin
import tensorflow as tf

from garden.core import benchmark as benchmark_lib
from garden.datasets.block_towers import configs
from garden.datasets.block_towers import examples


@gin.register(module="physnet")
def world_benchmark(config="towers_64", towers=192):
  """Towers of a config made in one process: drawn, simulated for 4 s, rendered.

  Args:
    config: name of a config of `block_towers`.
    towers: how many a call makes.

  Returns:
    A `Pair`; seconds are per tower.
  """
  made = configs.CONFIGS[config]
  by_mujoco = dataclasses.replace(made, renderer="mujoco", supersampling=1)

  def make(what, number):
    for _ in examples.make(what, seed=number, n=towers):
      continue

  return benchmark_lib.Pair(
      lambda number: make(made, number), lambda number: make(by_mujoco, number),
      "4 s of physics, an image and four masks by the ray-caster",
      "the same with the image by MuJoCo's renderer (EGL)", count=towers, unit="tower")


@gin.register(module="physnet")
def step_benchmark(experiment, steps=20):
  """A training step with its input pipeline, against the same step on batches in memory.

  Args:
    experiment: the `experiment.BlockTowers`.
    steps: steps of a call.

  Returns:
    A `Pair`: ours takes each batch from the pipeline, theirs from a list.
  """
  model = experiment.build_model()
  batches = experiment.datasets().stages[0].batches
  ready = list(batches(0).take(8))
  running = iter(batches(0))
  step = tf.function(model.train_step)

  def ours(number):
    del number
    for _ in range(steps):
      found = step(next(running))
    found["loss"].numpy()  # waits for the last step

  def theirs(number):
    del number
    for i in range(steps):
      found = step(ready[i % len(ready)])
    found["loss"].numpy()

  return benchmark_lib.Pair(
      ours, theirs, "a training step with its batch from the input pipeline",
      "the same step on batches in memory: the rest is what reading, decoding and waiting cost",
      count=steps, unit="step")
