"""Tables with balls as plain arrays, and how they are drawn at random.

A square table of 2 x 2 m with cushions all around, and balls of one radius that roll without
friction: they keep their speed between collisions. Table i of a seed is a function of
(seed, i) alone.
"""

import dataclasses
import math

import numpy as np

from garden.worlds import scenes

MAX_BALLS = 6
HALF_TABLE = 1.0  # m, from the middle to a cushion
RADIUS = 0.1  # m
#: RGB of the colour classes 1 to 6, which name the balls.
BASE_COLORS = np.array([
    [0.85, 0.15, 0.12], [0.95, 0.85, 0.15], [0.15, 0.25, 0.80], [0.93, 0.93, 0.90],
    [0.55, 0.15, 0.60], [0.90, 0.50, 0.12]])
COLOR_NAMES = ("red", "yellow", "blue", "white", "purple", "orange")
_TRIES = 1_000  # places for a ball before the whole table is drawn again


@dataclasses.dataclass(frozen=True)
class Tables(scenes.Scenes):
  """A batch of N tables with B places for balls; x to the right, y up, as seen from above.

  Attributes:
    present: `[N, B]` bool, which places hold a ball.
    position: `[N, B, 2]` float32, metres, 0 is the middle of the table.
    velocity: `[N, B, 2]` float32, metres a second.
    radius: `[N, B]` float32, metres.
    color: `[N, B, 3]` float32, RGB in [0, 1].
    color_class: `[N, B]` int32, 1 to 6; 0 where there is no ball.
    cloth_color: `[N, 3]` float32.
  """

  present: np.ndarray
  position: np.ndarray
  velocity: np.ndarray
  radius: np.ndarray
  color: np.ndarray
  color_class: np.ndarray
  cloth_color: np.ndarray


@dataclasses.dataclass(frozen=True)
class Distribution:
  """What tables are drawn from; ranges are (least, greatest) of uniform draws.

  Attributes:
    counts: counts of balls, each in 1..6; table i has `counts[i % len(counts)]`.
    speed: of each ball, metres a second; its direction is any.
    color_spread: half the range around each base colour.
    cloth: of the channels of the cloth: ranges of red, green and blue.
  """

  counts: tuple = (3,)
  speed: tuple = (0.5, 2.0)
  color_spread: float = 0.05
  cloth: tuple = ((0.0, 0.2), (0.35, 0.55), (0.1, 0.35))

  def __post_init__(self):
    wrong = [count for count in self.counts
             if not isinstance(count, int | np.integer) or not 1 <= count <= MAX_BALLS]
    if wrong or not self.counts:
      raise ValueError(f"counts are {tuple(self.counts)}; name one or more counts of balls in "
                       f"1..{MAX_BALLS}")
    for name, value in (("speed", self.speed), *((f"cloth of {c}", r) for c, r in zip(
        ("red", "green", "blue"), self.cloth))):
      if len(value) != 2 or not 0 <= value[0] <= value[1]:
        raise ValueError(f"{name} is {value}; give (least, greatest), neither below 0")


def sample(n, seed, first=0, distribution=None, max_balls=None):
  """Draws tables `first` .. `first + n - 1` of a seed; no two balls overlap.

  Args:
    n: number of tables, at least 1.
    seed: int, at least 0.
    first: number of the first table, at least 0.
    distribution: the `Distribution`; its defaults when None.
    max_balls: places for balls, at least the greatest count; the greatest count when None.

  Returns:
    `Tables`.

  Raises:
    ValueError: a number is outside its range.

  Example:
    >>> sample(4, seed=0, distribution=Distribution(counts=(2, 3))).count.tolist()
    [2, 3, 2, 3]
  """
  distribution = distribution or Distribution()
  scenes.check_draw(n, seed, first)
  most = max(distribution.counts)
  places = most if max_balls is None else max_balls
  if places < most:
    raise ValueError(f"max_balls is {places}, but tables have up to {most} balls")
  drawn = [_draw(np.random.default_rng([seed, index]), index, distribution, places)
           for index in range(first, first + n)]
  return Tables(**{name: np.stack([table[name] for table in drawn]) for name in drawn[0]})


def _draw(rng, index, d, places):
  """One table as a dict of arrays."""
  count = d.counts[index % len(d.counts)]
  position, velocity, color = (np.zeros((places, k), np.float32) for k in (2, 2, 3))
  position[:count] = _apart(rng, count)
  angle = rng.uniform(-math.pi, math.pi, count)
  speed = rng.uniform(*d.speed, count)
  velocity[:count] = speed[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
  classes = rng.permutation(max(4, count))[:count]
  color[:count] = np.clip(BASE_COLORS[classes] + rng.uniform(
      -d.color_spread, d.color_spread, (count, 3)), 0.0, 1.0)
  color_class = np.zeros(places, np.int32)
  color_class[:count] = classes + 1
  cloth = np.array([rng.uniform(*channel) for channel in d.cloth], np.float32)
  return {"present": np.arange(places) < count, "position": position, "velocity": velocity,
          "radius": np.full(places, RADIUS, np.float32), "color": color,
          "color_class": color_class, "cloth_color": cloth}


def _apart(rng, count):
  """Places of balls that touch neither each other nor a cushion."""
  room = HALF_TABLE - 1.1 * RADIUS
  while True:
    found = []
    for _ in range(_TRIES):
      spot = rng.uniform(-room, room, 2)
      if all(np.hypot(*(spot - other)) > 2.2 * RADIUS for other in found):
        found.append(spot)
      if len(found) == count:
        return np.array(found)


def check(tables):
  """Raises a ValueError unless each table can be simulated and seen.

  Args:
    tables: `Tables`.

  Raises:
    ValueError: a table has no ball or more than 6, a number isn't finite, a radius isn't
      positive, a ball is off the table, or two overlap; it names the table and the balls.
  """
  for index, count in enumerate(tables.count):
    if not 1 <= count <= MAX_BALLS:
      raise ValueError(f"table {index} has {count} balls; it must have 1 to {MAX_BALLS}")
  for name in ("position", "velocity", "radius"):
    value = getattr(tables, name)
    bad = tables.present & ~np.isfinite(value).reshape(*tables.present.shape, -1).all(axis=-1)
    if bad.any():
      table, ball = np.argwhere(bad)[0]
      raise ValueError(f"{name} of ball {ball} of table {table} is "
                       f"{value[table, ball].tolist()}; it must be finite")
  for bad, what in (
      (tables.present & (tables.radius <= 0), "has no radius above 0; give it one"),
      (tables.present & (np.abs(tables.position).max(axis=-1) + tables.radius
                         > HALF_TABLE + 1e-3),
       f"sticks in a cushion; keep it within {HALF_TABLE:g} m of the middle")):
    if bad.any():
      table, ball = np.argwhere(bad)[0]
      raise ValueError(f"ball {ball} of table {table} {what}")
  apart = np.linalg.norm(tables.position[:, :, None] - tables.position[:, None], axis=-1)
  near = apart < tables.radius[:, :, None] + tables.radius[:, None] - 1e-3
  pairs = tables.present[:, :, None] & tables.present[:, None]
  bad = np.argwhere(np.triu(near & pairs, 1))
  if len(bad):
    table, ball, other = bad[0]
    raise ValueError(f"balls {ball} and {other} of table {table} overlap: their middles are "
                     f"{apart[table, ball, other]:.3g} m apart; move them apart")
