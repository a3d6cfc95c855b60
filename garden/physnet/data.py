"""Towers as batches: pictures stay encoded in memory, targets are arrays.

A stream is a split of the TFDS set `block_towers`; a config that isn't prepared is made on first
use (`garden-generate` does it beforehand). Batch i is a function of (seed, i) alone.
"""

import dataclasses
import functools
import os

import gin
import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.datasets import order
from garden.worlds.towers import scene

TIMES = (0.0, 1.0, 2.0, 4.0)  # s, of the masks
_FAR = 10.0  # margin of an interface that isn't there


@dataclasses.dataclass(frozen=True)
class TowerSet:
  """N towers with B places for blocks and W = B - 1 for interfaces, the lowest first.

  Attributes:
    images: `[N]` bytes, PNG `[s, s, 3]`.
    ids: `[N]` bytes, PNG `[s, s, 1]`: 0 background, b + 1 where block b is seen at 0 s.
    masks: `[N]` bytes, PNG `[m, m, 4]`: colour classes at 0, 1, 2, 4 s, 0 background.
    count: `[N]` int64, blocks.
    fall: `[N]` int64, 1 where the tower falls.
    margin: `[N]` float32, of the tower, in block widths.
    margins: `[N, W]` float32, of its interfaces; 10 where there is none.
    valid: `[N, W]` bool, which interfaces there are.
    poses: `[N, W, 6]` float32, see `interface_poses`.
    boxes: `[N, B, 4]` float32, (y0, x0, y1, x1) in [0, 1] of what is seen of the blocks.
    present: `[N, B]` bool.
    color_class: `[N, B]` int64, 1 .. n_colors; 0 where there is no block.
  """

  images: np.ndarray
  ids: np.ndarray
  masks: np.ndarray
  count: np.ndarray
  fall: np.ndarray
  margin: np.ndarray
  margins: np.ndarray
  valid: np.ndarray
  poses: np.ndarray
  boxes: np.ndarray
  present: np.ndarray
  color_class: np.ndarray

  def __len__(self):
    return len(self.fall)

  def take(self, index):
    """The towers at an index array, in its order."""
    return TowerSet(**{field.name: getattr(self, field.name)[index]
                       for field in dataclasses.fields(self)})


@gin.register(module="physnet")
@dataclasses.dataclass(frozen=True)
class Stream:
  """A part of the set `block_towers`.

  Attributes:
    config: name of its config, `garden-generate --list` prints them.
    split: "train", "validation" or "test".
    n: how many of its towers, the first ones; None for all.
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.
  """

  config: str = "towers_168"
  split: str = "train"
  n: int | None = None
  data_dir: str | None = None

  def __post_init__(self):
    if self.n is not None:
      checks.check_count("n", self.n, 1)

  def load(self):
    """Reads the towers, after making those that aren't there.

    Returns:
      A `TowerSet`, in the order of the towers' numbers.

    Raises:
      ValueError: there is no such config or split, it has fewer towers, or the folder can't
        be written.
    """
    towers = load_split(self.config, self.split, self.data_dir)
    if self.n is None:
      return towers
    if self.n > len(towers):
      raise ValueError(f"n is {self.n}, but the split {self.split} of {self.config} has "
                       f"{len(towers)} towers")
    return towers.take(np.arange(self.n))


@functools.lru_cache(maxsize=4)
def load_split(config, split, data_dir=None):
  """All towers of a split, read once a process; see `Stream.load`."""
  import tensorflow_datasets as tfds

  from garden.datasets.block_towers import block_towers_dataset_builder as builders
  from garden.datasets.block_towers import configs
  if config not in configs.CONFIGS:
    raise ValueError(f"there is no config {config!r} of block_towers; there are "
                     f"{', '.join(configs.CONFIGS)}")
  known = configs.CONFIGS[config]
  if split not in known.splits:
    raise ValueError(f"{config} has no split {split!r}; it has {', '.join(known.splits)}")
  builder = builders.Builder(config=config, data_dir=data_dir)
  builder.download_and_prepare(processes=os.cpu_count() or 1)
  data = builder.as_dataset(
      split=split, shuffle_files=False, read_config=tfds.ReadConfig(interleave_cycle_length=1),
      decoders={name: tfds.decode.SkipDecoding() for name in ("image", "ids", "masks")})
  rows = list(tfds.as_numpy(data))
  return tower_set({name: np.stack([row[name] for row in rows])
                     if name not in ("image", "ids", "masks")
                     else np.array([row[name] for row in rows], object) for name in rows[0]})


def tower_set(rows):
  """A `TowerSet` of the columns of the TFDS set."""
  present = rows["color_class"] > 0
  valid = present[:, :-1] & present[:, 1:]
  return TowerSet(
      images=rows["image"], ids=rows["ids"], masks=rows["masks"],
      count=rows["count"].astype(np.int64), fall=rows["fall"].astype(np.int64),
      margin=rows["margin"].astype(np.float32),
      margins=np.where(valid, rows["margins"], _FAR).astype(np.float32), valid=valid,
      poses=interface_poses(rows["position"][:, 0], rows["rotation"][:, 0],
                            rows["camera"][:, 0]),
      boxes=rows["boxes"], present=present, color_class=rows["color_class"])


def interface_poses(position, rotation, azimuth):
  """What is to be told of each pair of neighbours, as the camera sees them.

  Args:
    position: `[N, B, 3]`, centres in block widths (blocks are 1 m wide).
    rotation: `[N, B, 4]` quaternions, turns about the vertical.
    azimuth: `[N]` of the camera, radians.

  Returns:
    `[N, B - 1, 6]` float32: offset of the upper block to the camera's right and away from it;
    cos and sin of 4 yaw of the lower block, then of the upper, yaw from the camera's azimuth: a
    square looks the same after a quarter turn.
  """
  right = np.stack([-np.sin(azimuth), np.cos(azimuth)], axis=-1)
  away = np.stack([-np.cos(azimuth), -np.sin(azimuth)], axis=-1)
  step = position[:, 1:, :2] - position[:, :-1, :2]
  yaw = 4.0 * (scene.yaw_of(rotation) - azimuth[:, None])
  turn = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
  offset = np.stack([np.einsum("nwi,ni->nw", step, axis) for axis in (right, away)], axis=-1)
  return np.concatenate([offset, turn[:, :-1], turn[:, 1:]], axis=-1).astype(np.float32)


_TARGETS = ("count", "fall", "margin", "margins", "valid", "poses", "boxes", "present",
            "color_class")


def decode(images, ids, masks, color_class):
  """One tower's pictures: bytes -> float32 image in [0, 1], int ids, int masks, int classes."""
  image = tf.cast(tf.io.decode_png(images, channels=3), tf.float32) / 255.0
  places = tf.cast(tf.io.decode_png(ids, channels=1)[..., 0], tf.int32)
  classes = tf.concat([[0], tf.cast(color_class, tf.int32)], axis=0)
  return {"image": image, "ids": places, "segments": tf.gather(classes, places),
          "masks": tf.cast(tf.io.decode_png(masks, channels=4), tf.int32)}


def batches(towers, batch_size, seed):
  """Endless shuffled batches of towers.

  Args:
    towers: `TowerSet`.
    batch_size: towers of a batch.
    seed: seed of the order.

  Returns:
    A function: first step -> data set of dicts: `image` `[b, s, s, 3]` float32 in [0, 1],
    `ids` and `segments` (colour classes) `[b, s, s]` int32, `masks` `[b, m, m, 4]` int32, and the
    targets of `TowerSet` by name.
  """
  checks.check_count("batch_size", batch_size, 1)
  if batch_size > len(towers):
    raise ValueError(f"batch_size is {batch_size}, but there are {len(towers)} towers")
  pictures, targets, shapes = _tensors(towers)

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


def images_of(towers, index):
  """Pictures of some towers: `[n, s, s, 3]` float32 in [0, 1]."""
  return np.stack([tf.io.decode_png(towers.images[i], channels=3).numpy() / np.float32(255)
                   for i in index])

