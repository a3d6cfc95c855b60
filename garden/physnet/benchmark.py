"""The benchmarks of this room: towers made a CPU-second, a training step, waiting for data.

A step is measured against the same network in a bare `tf.function` loop on the same batches; the
world against a made-up pace, the bar that it must pass, so that the ratio reads as a share of it.
"""

import time

import gin
import tensorflow as tf

from garden.core import benchmark as benchmark_lib
from garden.datasets.block_towers import configs
from garden.datasets.block_towers import examples


@gin.register(module="physnet")
def world_benchmark(config="towers_64", towers=192, per_second=100):
  """Towers of a config made in one process: drawn, simulated for 4 s, rendered.

  Args:
    config: name of a config of `block_towers`.
    towers: how many a call makes.
    per_second: the pace of the other side, which does nothing but wait.

  Returns:
    A `Pair`; seconds are per tower.
  """
  made = configs.CONFIGS[config]

  def ours(number):
    for _ in examples.make(made, seed=number, n=towers):
      continue

  def theirs(number):
    del number
    time.sleep(towers / per_second)

  return benchmark_lib.Pair(
      ours, theirs, "physics of 4 s, one image, four masks, on one process",
      f"a clock at {per_second} towers a second", count=towers, unit="tower")


@gin.register(module="physnet")
def step_benchmark(experiment, steps=20):
  """A training step through `fit`, against a bare loop over the same network.

  Args:
    experiment: the `experiment.BlockTowers`.
    steps: steps of a call.

  Returns:
    A `Pair`: ours with the input pipeline, theirs on batches that are there already.
  """
  model = experiment.build_model()
  other = experiment.build_model()
  batches = experiment.datasets().stages[0].batches
  ready = list(batches(0).take(8))
  bare = tf.function(other.train_step)

  def ours(number):
    del number
    model.fit(batches(0), steps_per_epoch=steps, epochs=1, verbose=0)

  def theirs(number):
    del number
    for step in range(steps):
      found = bare(ready[step % len(ready)])
    found["loss"].numpy()  # waits for the last step

  return benchmark_lib.Pair(
      ours, theirs, "`fit` with the input pipeline",
      "a bare loop over the same step, on batches in memory: what `fit` and waiting for data cost",
      count=steps, unit="step")
