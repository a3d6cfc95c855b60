"""Batches of the stages: simulated scenes with their state, images of the target without.

    {"source": simulated scenes, every target of `towers.Stream` and `light`}           init
    {"source": …, "target": {"image", "camera"}}                                      joint
    {"source": …, "target": {"image", "camera", "fall"}}                              full

The target's states, boxes and masks aren't in the batches, so that no stage can see them.
"""

import tensorflow as tf

from garden.datasets.block_towers import stream as stream_lib

_TARGET = {"joint": ("image", "camera"), "full": ("image", "camera", "fall")}


def batches(source, light, batch_size, seed, stage="init", target=None, target_batch_size=16):
  """Endless batches of a stage.

  Args:
    source: `arrays.TowerSet` of simulated scenes.
    light: `[N, 4]` of them, see `arrays.light_numbers`.
    batch_size: simulated scenes of a batch.
    seed: seed of the order.
    stage: "init", "joint" or "full".
    target: `arrays.TowerSet` of the images to adapt to; not used in "init".
    target_batch_size: images of the target of a batch.

  Returns:
    A function: first step -> data set of the dicts above.

  Example:
    data = batches(towers, light, 32, seed=0)(0)
  """
  source = stream_lib.batches(source, batch_size, seed, light=light)
  if stage == "init":
    return lambda first: source(first).map(lambda batch: {"source": batch})
  fields = _TARGET[stage]
  target = stream_lib.batches(target, target_batch_size, seed + 1)

  def from_step(first):
    images = target(first).map(lambda batch: {name: batch[name] for name in fields})
    return tf.data.Dataset.zip({"source": source(first), "target": images})
  return from_step
