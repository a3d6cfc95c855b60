"""A split of the block towers in memory: pictures stay encoded, the rest is arrays."""

import dataclasses
import functools
import os

import numpy as np
import tensorflow as tf

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
    position: `[N, T, B, 3]` float32, metres, centres at 0, 1, 2, 4 s.
    rotation: `[N, T, B, 4]` float32, quaternions (w, x, y, z).
    camera: `[N, 7]` float32: azimuth and elevation in radians, distance in metres, vertical field
      of view in degrees, target x, y, z in metres.
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
  position: np.ndarray
  rotation: np.ndarray
  camera: np.ndarray

  def __len__(self):
    return len(self.fall)

  def take(self, index):
    """The towers at an index array, in its order."""
    return TowerSet(**{field.name: getattr(self, field.name)[index]
                       for field in dataclasses.fields(self)})


def config_of(name):
  """The `TowersConfig` of a name.

  Raises:
    ValueError: there is none.
  """
  from garden.datasets.block_towers import configs
  if name not in configs.CONFIGS:
    raise ValueError(f"there is no config {name!r} of block_towers; there are "
                     f"{', '.join(configs.CONFIGS)}")
  return configs.CONFIGS[name]


@functools.lru_cache(maxsize=4)
def load_split(config, split, data_dir=None):
  """All towers of a split of `block_towers`, read once a process and made on first use.

  Args:
    config: name of the set's config, `garden-generate --list` prints them.
    split: "train", "validation" or "test".
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.

  Returns:
    `TowerSet`, in the order of the towers' numbers.

  Raises:
    ValueError: there is no such config or split, or the folder can't be written.

  Example:
    towers = load_split("towers_64", "test")
  """
  # Imported here: they bring MuJoCo, which a model that was trained elsewhere does without.
  import tensorflow_datasets as tfds

  from garden.datasets.block_towers import block_towers_dataset_builder as builders
  known = config_of(config)
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


def scenes_of(config, split, n=None):
  """The scenes that a split was drawn from, drawn again: what the set doesn't keep.

  Args:
    config: name of the set's config.
    split: "train", "validation" or "test".
    n: how many, the first ones; None for all.

  Returns:
    `scene.Towers` in the order of `load_split`, with light, floor, sky and paint.

  Example:
    scenes = scenes_of("towers_64", "test", 100)
  """
  known = config_of(config)
  return scene.sample(n or known.towers[split], known.seeds[split],
                      distribution=known.distribution, max_blocks=known.places)


def light_numbers(scenes):
  """Light and floor as the camera sees them, in numbers of about one size.

  Args:
    scenes: `scene.Towers`.

  Returns:
    `[N, 4]` float32: how far the light goes to the camera's right and away from it while it
    falls by 1 m; the share of the light that has no direction, ambient / (ambient + diffuse);
    the logarithm of a floor tile's side in metres.
  """
  slope = scenes.light_direction[:, :2] / -scenes.light_direction[:, 2:]
  total = scenes.light_ambient + scenes.light_diffuse
  return np.concatenate([
      scene.as_seen(slope, scenes.camera_azimuth), (scenes.light_ambient / total)[:, None],
      np.log(scenes.floor_scale)[:, None]], axis=1).astype(np.float32)


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
      boxes=rows["boxes"], present=present, color_class=rows["color_class"],
      position=rows["position"], rotation=rows["rotation"], camera=rows["camera"])


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
  step = position[:, 1:, :2] - position[:, :-1, :2]
  yaw = 4.0 * (scene.yaw_of(rotation) - azimuth[:, None])
  turn = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
  offset = scene.as_seen(step, azimuth[:, None])
  return np.concatenate([offset, turn[:, :-1], turn[:, 1:]], axis=-1).astype(np.float32)


def images_of(towers, index):
  """Pictures of some towers: `[n, s, s, 3]` float32 in [0, 1]."""
  return np.stack([tf.io.decode_png(towers.images[i], channels=3).numpy() / np.float32(255)
                   for i in index])

