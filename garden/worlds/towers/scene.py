"""Towers of blocks as plain arrays, and how they are drawn at random.

A world of unit blocks (1 m: contacts of small blocks are too soft for their labels, see
`physics`) that stand on a checkered floor, one block a level, turned about the vertical
only. The distribution is that of PhysNet's towers (Lerer, Gross, Fergus, ICML 2016) as far as
it is known, with neighbours' offsets wide enough that half of the towers fall:

    xy_0 = 0,  xy_i = xy_{i-1} + U(-j, j) half-sizes an axis,  yaw_i ~ U(-pi, pi)

Nothing near the balance point is left out. Tower i of a seed is a function of (seed, i)
alone: the same one whatever the batch, the order or the number of processes.
"""

import dataclasses
import math

import numpy as np

from garden.worlds import scenes

MAX_BLOCKS = 6
HALF_SIZE = 0.5  # m, of the sampled blocks
#: Widest offset of neighbours in half-sizes, by count of blocks: at these about half the
#: towers stand. One block always stands.
JITTER = {1: 0.0, 2: 1.43, 3: 1.13, 4: 0.98, 5: 0.88, 6: 0.80}
#: RGB of the colour classes 1 to 6; the first four are PhysNet's.
BASE_COLORS = np.array([
    [0.80, 0.12, 0.10], [0.12, 0.55, 0.18], [0.12, 0.22, 0.75], [0.85, 0.72, 0.10],
    [0.55, 0.15, 0.60], [0.15, 0.62, 0.65]])
COLOR_NAMES = ("red", "green", "blue", "yellow", "purple", "cyan")


@dataclasses.dataclass(frozen=True)
class Towers(scenes.Scenes):
  """A batch of N scenes with B places for blocks, block 0 at the bottom.

  All fields are arrays; lengths in metres, z up, the floor at z = 0, colours RGB in [0, 1].

  Attributes:
    present: `[N, B]` bool, which places hold a block.
    position: `[N, B, 3]` float32, centres.
    rotation: `[N, B, 4]` float32, unit quaternions (w, x, y, z).
    size: `[N, B, 3]` float32, half the extents.
    color: `[N, B, 3]` float32.
    color_class: `[N, B]` int32, 1 to 6; 0 where there is no block.
    camera_azimuth: `[N]` float32, radians; 0 looks from +x.
    camera_elevation: `[N]` float32, radians above the horizon.
    camera_distance: `[N]` float32, from the target.
    camera_fovy: `[N]` float32, vertical field of view in degrees.
    camera_target: `[N, 3]` float32, the point in the middle of the picture.
    light_direction: `[N, 3]` float32, unit vector in which the light travels.
    light_diffuse: `[N]` float32.
    light_ambient: `[N]` float32.
    floor_color: `[N, 2, 3]` float32, of the two kinds of tiles.
    floor_scale: `[N]` float32, side of a tile.
    sky_color: `[N, 3]` float32.
  """

  present: np.ndarray
  position: np.ndarray
  rotation: np.ndarray
  size: np.ndarray
  color: np.ndarray
  color_class: np.ndarray
  camera_azimuth: np.ndarray
  camera_elevation: np.ndarray
  camera_distance: np.ndarray
  camera_fovy: np.ndarray
  camera_target: np.ndarray
  light_direction: np.ndarray
  light_diffuse: np.ndarray
  light_ambient: np.ndarray
  floor_color: np.ndarray
  floor_scale: np.ndarray
  sky_color: np.ndarray


@dataclasses.dataclass(frozen=True)
class Distribution:
  """What towers are drawn from; ranges are (least, greatest) of uniform draws.

  Attributes:
    counts: counts of blocks, each in 1..6; tower i has `counts[i % len(counts)]`, so that
      any stretch of towers holds them in equal numbers.
    elevation: of the camera, radians.
    distance: of the camera from its target, metres.
    fovy: vertical field of view, degrees.
    target_shift: half the range of the target's x and y, metres; its z is the tower's middle
      plus U(-.2, .1).
    color_spread: half the range around each base colour.
    hue_shift: moves the base colours around the hue circle by U(-h, h) turns, alike for all
      blocks of a tower; 0 leaves them.
    floor_tint: of the floor's channels.
    floor_scale: side of a tile, metres.
    sky: of the sky's channels.
    light_slope: half the range of x and y of the light's direction; its z is -1.
    light_diffuse: range.
    light_ambient: range.
  """

  counts: tuple = (2, 3, 4)
  elevation: tuple = (0.10, 0.45)
  distance: tuple = (8.5, 10.5)
  fovy: tuple = (34.0, 42.0)
  target_shift: float = 0.2
  color_spread: float = 0.08
  hue_shift: float = 0.0
  floor_tint: tuple = (0.5, 1.0)
  floor_scale: tuple = (0.7, 1.5)
  sky: tuple = (0.45, 0.85)
  light_slope: float = 0.6
  light_diffuse: tuple = (0.45, 0.75)
  light_ambient: tuple = (0.35, 0.60)

  def __post_init__(self):
    wrong = [count for count in self.counts
             if not isinstance(count, int | np.integer) or not 1 <= count <= MAX_BLOCKS]
    if wrong or not self.counts:
      raise ValueError(f"counts are {tuple(self.counts)}; name one or more counts of blocks in "
                       f"1..{MAX_BLOCKS}")
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if field.name != "counts" and isinstance(value, tuple | list) and not (
          len(value) == 2 and value[0] <= value[1]):
        raise ValueError(f"{field.name} is {value}; give (least, greatest)")


def sample(n, seed, first=0, distribution=None, max_blocks=None):
  """Draws towers `first` .. `first + n - 1` of a seed.

  Args:
    n: number of towers, at least 1.
    seed: int, at least 0.
    first: number of the first tower, at least 0.
    distribution: the `Distribution`; its defaults when None.
    max_blocks: places for blocks, at least the greatest count; the greatest count when None.

  Returns:
    `Towers` of n scenes.

  Raises:
    ValueError: a number is outside its range.

  Example:
    >>> sample(4, seed=0, first=10).count.tolist()
    [3, 4, 2, 3]
  """
  distribution = distribution or Distribution()
  scenes.check_draw(n, seed, first)
  most = max(distribution.counts)
  places = most if max_blocks is None else max_blocks
  if places < most:
    raise ValueError(f"max_blocks is {places}, but towers have up to {most} blocks")
  drawn = [_draw(np.random.default_rng([seed, index]), index, distribution, places)
           for index in range(first, first + n)]
  return Towers(**{name: np.stack([scene[name] for scene in drawn]) for name in drawn[0]})


def _draw(rng, index, d, places):
  """One scene as a dict of arrays."""
  count = d.counts[index % len(d.counts)]
  blocks = _blocks(rng, count, d, places)
  top = 2 * HALF_SIZE * count
  slope = rng.uniform(-d.light_slope, d.light_slope, 2)
  direction = np.array([*slope, -1.0])
  tint = rng.uniform(*d.floor_tint, 3)
  scene = {
      **blocks,
      "camera_azimuth": rng.uniform(-math.pi, math.pi),
      "camera_elevation": rng.uniform(*d.elevation),
      "camera_distance": rng.uniform(*d.distance),
      "camera_fovy": rng.uniform(*d.fovy),
      "camera_target": np.array([*rng.uniform(-d.target_shift, d.target_shift, 2),
                                 top / 2 + rng.uniform(-0.2, 0.1)]),
      "light_direction": direction / np.linalg.norm(direction),
      "light_diffuse": rng.uniform(*d.light_diffuse),
      "light_ambient": rng.uniform(*d.light_ambient),
      "floor_color": np.stack([tint, tint * rng.uniform(0.6, 0.9)]),
      "floor_scale": rng.uniform(*d.floor_scale),
      "sky_color": rng.uniform(*d.sky, 3)}
  return {name: value if np.asarray(value).dtype in (np.bool_, np.int32)
          else np.asarray(value, np.float32) for name, value in scene.items()}


def _blocks(rng, count, d, places):
  """Poses and colours of `count` blocks; the other places are empty."""
  jitter = JITTER[count] * HALF_SIZE
  yaw = rng.uniform(-math.pi, math.pi, count)
  steps = rng.uniform(-jitter, jitter, (count, 2))
  steps[0] = 0.0
  position = np.zeros((places, 3))
  position[:count, :2] = np.cumsum(steps, axis=0)
  # The camera looks at the tower's middle, not at its lowest block.
  position[:count, :2] -= position[:count, :2].mean(axis=0)
  position[:count, 2] = HALF_SIZE * (2 * np.arange(count) + 1)
  rotation = np.zeros((places, 4))
  rotation[:, 0] = 1.0
  rotation[:count] = yaw_quaternion(yaw)
  classes = rng.permutation(max(4, count))[:count]
  color = np.zeros((places, 3))
  base = _turn_hue(BASE_COLORS[classes], rng.uniform(-d.hue_shift, d.hue_shift))
  color[:count] = np.clip(base + rng.uniform(-d.color_spread, d.color_spread, (count, 3)), 0, 1)
  color_class = np.zeros(places, np.int32)
  color_class[:count] = classes + 1
  return {"present": np.arange(places) < count, "position": position, "rotation": rotation,
          "size": np.full((places, 3), HALF_SIZE), "color": color, "color_class": color_class}


def _turn_hue(colors, turns):
  """Colours `[n, 3]` with their hue moved by `turns` of the circle."""
  if turns == 0.0:
    return colors
  # Rotation about the grey axis (Rodrigues).
  angle = 2 * math.pi * turns
  cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
  turn = (math.cos(angle) * np.eye(3) + math.sin(angle) * cross
          + (1 - math.cos(angle)) * np.full((3, 3), 1 / 3))
  return np.clip(colors @ turn.T, 0.0, 1.0)


def yaw_quaternion(yaw):
  """Quaternions `[..., 4]` of turns about the vertical, radians `[...]`."""
  half = np.asarray(yaw) / 2
  zero = np.zeros_like(half)
  return np.stack([np.cos(half), zero, zero, np.sin(half)], axis=-1)


def yaw_of(rotation):
  """Yaw `[...]` in radians, in (-pi, pi], of quaternions `[..., 4]`."""
  w, x, y, z = np.moveaxis(np.asarray(rotation), -1, 0)
  return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def as_seen(steps, azimuth):
  """Horizontal steps as a camera sees them.

  Args:
    steps: `[..., 2]` along x and y.
    azimuth: `[...]` of the camera, radians.

  Returns:
    `[..., 2]`, to the camera's right and away from it.

  Example:
    >>> as_seen(np.array([0.0, 1.0]), 0.0).tolist()
    [1.0, -0.0]
  """
  x, y = np.moveaxis(np.asarray(steps), -1, 0)
  sin, cos = np.sin(azimuth), np.cos(azimuth)
  return np.stack([cos * y - sin * x, -cos * x - sin * y], axis=-1)


def remove(towers, block):
  """Takes a block away; what stood on it hangs in the air until physics starts.

  Args:
    towers: `Towers`.
    block: place of the block, the same in each tower, or `[N]` places.

  Returns:
    `Towers` without it.

  Raises:
    ValueError: a tower has no block there.
  """
  block = np.broadcast_to(np.asarray(block), (len(towers),))
  rows = np.arange(len(towers))
  there = (block >= 0) & (block < towers.present.shape[1])
  if not there.all() or not towers.present[rows, block].all():
    bad = int(np.argmin(there)) if not there.all() else int(
        np.argmin(towers.present[rows, block]))
    raise ValueError(f"tower {bad} has no block {block[bad]}; it has "
                     f"{np.flatnonzero(towers.present[bad]).tolist()}")
  present, color_class = towers.present.copy(), towers.color_class.copy()
  present[rows, block] = False
  color_class[rows, block] = 0
  return towers.replace(present=present, color_class=color_class)


def check(towers):
  """Raises a ValueError unless each tower can be simulated and seen.

  Args:
    towers: `Towers`.

  Raises:
    ValueError: a tower has no block or more than 6, a number that isn't finite, a size
      that isn't positive, or its camera inside a block; it names the tower and the block.
  """
  for index, count in enumerate(towers.count):
    if not 1 <= count <= MAX_BLOCKS:
      raise ValueError(f"tower {index} has {count} blocks; it must have 1 to {MAX_BLOCKS}")
  for name in ("position", "rotation", "size"):
    value = getattr(towers, name)
    bad = towers.present & ~np.isfinite(value).all(axis=-1)
    if bad.any():
      tower, block = np.argwhere(bad)[0]
      raise ValueError(f"{name} of block {block} of tower {tower} is "
                       f"{value[tower, block].tolist()}; it must be finite")
  bad = towers.present & (towers.size <= 0).any(axis=-1)
  if bad.any():
    tower, block = np.argwhere(bad)[0]
    raise ValueError(f"size of block {block} of tower {tower} is "
                     f"{towers.size[tower, block].tolist()}; half the extents must be above 0")
  for name, value in towers.arrays().items():
    if name.startswith(("camera", "light")) and not np.isfinite(value).all():
      tower = np.argwhere(~np.isfinite(value))[0, 0]
      raise ValueError(f"{name} of tower {tower} is {value[tower].tolist()}; it must be finite")
  inside = towers.present & _inside(camera_position(towers)[:, None], towers)
  if inside.any():
    tower, block = np.argwhere(inside)[0]
    raise ValueError(f"the camera of tower {tower} is inside its block {block}; move it away: "
                     f"camera_distance is {towers.camera_distance[tower]:g} m")


def camera_position(towers):
  """`[N, 3]`, where the cameras are."""
  azimuth, elevation = towers.camera_azimuth, towers.camera_elevation
  away = np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth),
                   np.sin(elevation)], axis=-1)
  return towers.camera_target + towers.camera_distance[:, None] * away


def rotation_matrix(rotation):
  """Matrices `[..., 3, 3]`, block to world, of unit quaternions `[..., 4]`."""
  w, x, y, z = np.moveaxis(np.asarray(rotation), -1, 0)
  return np.stack([
      np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
      np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
      np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1)], -2)


def _inside(points, towers):
  """`[N, B]` bool: the points `[N, 1, 3]` lie in the blocks."""
  local = np.einsum("nbij,nbi->nbj", rotation_matrix(towers.rotation), points - towers.position)
  return (np.abs(local) < towers.size).all(axis=-1)
