"""Towers as batches: pictures stay encoded in memory, targets are arrays.

A stream is a split of the TFDS set `block_towers`; a config that isn't prepared is made on first
use (`garden-generate` does it beforehand). Batch i is a function of (seed, i) alone.
"""

import dataclasses

import gin
import tensorflow as tf

from garden.datasets import order
from garden.datasets import splits
from garden.datasets.block_towers import arrays


@gin.register(module="towers")
@dataclasses.dataclass(frozen=True)
class Stream(splits.Split):
  """A part of the set `block_towers`.

  Attributes:
    config: name of its config, `garden-generate --list` prints them.
    split: "train", "validation" or "test".
    n: how many of its towers, the first ones; None for all.
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.
  """

  config: str = "towers_168"

  def load(self):
    """Reads the towers, after making those that aren't there.

    Returns:
      An `arrays.TowerSet`, in the order of the towers' numbers.

    Raises:
      ValueError: there is no such config or split, it has fewer towers, or the folder can't
        be written.
    """
    return self.first(arrays.load_split(self.config, self.split, self.data_dir), "towers")

  @property
  def image_size(self):
    """(height, width) of its pictures, without reading them.

    Raises:
      ValueError: there is no such config.
    """
    return (arrays.config_of(self.config).image_size,) * 2

  def light(self):
    """Light and floor of the same towers, `[N, 4]`: `arrays.light_numbers`."""
    scenes = arrays.scenes_of(self.config, self.split, self.n)
    return arrays.light_numbers(scenes)


_TARGETS = ("count", "fall", "margin", "margins", "valid", "poses", "boxes", "present",
            "color_class", "camera")


def decode(images, ids, masks, color_class):
  """One tower's pictures: bytes -> float32 image in [0, 1], int ids, int masks, int classes."""
  image = tf.cast(tf.io.decode_png(images, channels=3), tf.float32) / 255.0
  places = tf.cast(tf.io.decode_png(ids, channels=1)[..., 0], tf.int32)
  classes = tf.concat([[0], tf.cast(color_class, tf.int32)], axis=0)
  return {"image": image, "ids": places, "segments": tf.gather(classes, places),
          "masks": tf.cast(tf.io.decode_png(masks, channels=4), tf.int32)}


def batches(towers, batch_size, seed, **more):
  """Endless shuffled batches of towers.

  Args:
    towers: `arrays.TowerSet`.
    batch_size: towers of a batch.
    seed: seed of the order.
    **more: further targets by name, arrays `[N, ...]` in the order of the towers.

  Returns:
    A function: first step -> data set of dicts: `image` `[b, s, s, 3]` float32 in [0, 1],
    `ids` and `segments` (colour classes) `[b, s, s]` int32, `masks` `[b, m, m, 4]` int32, and the
    targets of `arrays.TowerSet` by name.
  """
  if not 1 <= batch_size <= len(towers):
    raise ValueError(f"batch_size is {batch_size}, but there are {len(towers)} towers; it must be "
                     "in 1 .. that")
  pictures, targets, shapes = _tensors(towers)
  targets |= {name: tf.constant(value) for name, value in more.items()}

  def example(number):
    place = order.shuffled_positions(number, 1, len(towers), seed)[0]
    return _example(place, pictures, targets, shapes)

  def from_step(first):
    data = tf.data.Dataset.range(first * batch_size, 2**62)
    data = data.map(example, num_parallel_calls=2, deterministic=True)
    return data.batch(batch_size, drop_remainder=True).prefetch(4)
  return from_step


def in_order(towers, batch_size):
  """All towers once, in their order, as `batches` gives them; the last batch may be short."""
  pictures, targets, shapes = _tensors(towers)
  data = tf.data.Dataset.range(len(towers)).map(
      lambda place: _example(place, pictures, targets, shapes), num_parallel_calls=2,
      deterministic=True)
  return data.batch(batch_size).prefetch(2)


def _tensors(towers):
  """Pictures and targets as tensors that data sets capture, and the pictures' shapes."""
  pictures = [tf.constant(getattr(towers, name)) for name in ("images", "ids", "masks")]
  targets = {name: tf.constant(getattr(towers, name)) for name in _TARGETS}
  first = decode(*(p[0] for p in pictures), targets["color_class"][0])
  return pictures, targets, {name: value.shape for name, value in first.items()}


def _example(place, pictures, targets, shapes):
  found = {name: tf.gather(value, place) for name, value in targets.items()}
  seen = decode(*(tf.gather(p, place) for p in pictures), found["color_class"])
  return {**found, **{name: tf.ensure_shape(value, shapes[name]) for name, value in seen.items()}}
