"""The ten digits as strokes of a pen: polylines in a unit box.

x runs to the right and y down, both in [0, 1]; the box holds the path of the pen's middle, so that
the ink goes over it by half the pen's width. Three numbers bend all digits of a typeface alike:

* power: the bowls are superellipses |x/a|^power + |y/b|^power = 1; 2 is round, 5 almost square;
* waist: y at which the upper and the lower half of 2, 3, 5, 6, 8 and 9 meet;
* tail: 0 lets the open ends of 2, 3, 5, 6 and 9 stop early, 1 lets them curl in.

Angles are in degrees, 0 to the right and 90 down, since y points down.
"""

import math

import numpy as np

_STEP = 15.0  # degrees between the points of an arc; finer is not seen at 64 pixels
_POWERS = (1.5, 8.0)
_WAISTS = (0.3, 0.7)


def _arc(center, radii, start, stop, power):
  """Points `[k, 2]` of a superellipse from the angle `start` to `stop`."""
  count = max(3, math.ceil(abs(stop - start) / _STEP)) + 1
  angle = np.radians(np.linspace(start, stop, count))
  unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
  return np.array(center) + np.array(radii) * np.sign(unit) * np.abs(unit) ** (2.0 / power)


def _bend(start, pull, stop):
  """Points `[9, 2]` of the quadratic Bezier curve that `pull` attracts."""
  t = np.linspace(0.0, 1.0, 9)[:, None]
  start, pull, stop = np.array(start), np.array(pull), np.array(stop)
  return (1 - t) ** 2 * start + 2 * t * (1 - t) * pull + t**2 * stop


def _line(*points):
  """Points `[k, 2]` of a polyline."""
  return np.array(points, dtype=np.float64)


def _path(*parts):
  """One stroke of several parts, without the points that two parts share."""
  points = np.concatenate(parts)
  new = np.abs(np.diff(points, axis=0)).max(axis=1) > 1e-6
  return points[np.concatenate([[True], new])]


def _turn(strokes):
  """The strokes after half a turn of the box: a 6 becomes a 9."""
  return [1.0 - points for points in strokes]


def _zero(power, waist, tail):
  del waist, tail
  return [_arc((0.5, 0.5), (0.5, 0.5), -90, 285, power)]  # overlaps, so that no seam is seen


def _one_stem(power, waist, tail):
  del power, waist, tail
  return [_line((0.5, 0.0), (0.5, 1.0))]


def _one_flag(power, waist, tail):
  del power, waist
  return [_line((0.2, 0.16 + 0.14 * tail), (0.6, 0.0), (0.6, 1.0))]


def _one_foot(power, waist, tail):
  flag = _one_flag(power, waist, tail)[0] - np.array([0.1, 0.0])
  return [flag, _line((0.18, 1.0), (0.82, 1.0))]


def _two_top(power, waist, tail, stop):
  return _arc((0.5, 0.6 * waist), (0.48, 0.6 * waist), 205 - 45 * tail, stop, power)


def _two_straight(power, waist, tail):
  top = _two_top(power, waist, tail, 385)
  return [_path(top, _line((0.02, 1.0), (1.0, 1.0)))]


def _two_neck(power, waist, tail):
  top = _two_top(power, waist, tail, 375)
  neck = _bend(top[-1], (0.9, 0.62), (0.35, 0.8))
  return [_path(top, neck, _bend((0.35, 0.8), (0.05, 0.9), (0.0, 1.0)), _line((1.0, 1.0)))]


def _two_foot(power, waist, tail):
  return [_path(_two_neck(power, waist, tail)[0], _line((1.0, 0.88)))]


def _lower_bowl(power, waist, tail, start, left=0.0):
  """The open lower half of 3 and 5, from `start` over the right to the lower left."""
  center, radii = (0.5 * (1 + left), 0.5 * (1 + waist)), (0.5 * (1 - left), 0.5 * (1 - waist))
  return _arc(center, radii, start, 145 + 40 * tail, power)


def _three_round(power, waist, tail):
  center, radii = (0.48, 0.5 * waist), (0.44, 0.5 * waist)
  top = _arc(center, radii, 215 - 40 * tail, 450, power)
  return [_path(top, _line((0.3, waist))), _lower_bowl(power, waist, tail, -90)]


def _three_waist(power, waist, tail):
  """A 3 whose halves meet in a point, without the bar."""
  top = _arc((0.46, 0.5 * waist), (0.45, 0.5 * waist), 215 - 40 * tail, 440, power)
  return [_path(top, _lower_bowl(power, waist, tail, -75))]


def _three_flat(power, waist, tail):
  waist = min(waist, 0.45)
  top = _line((0.06, 0.0), (0.94, 0.0), (0.42, waist))
  return [_path(top, _lower_bowl(power, waist, tail, -85))]


def _four_closed(power, waist, tail):
  del power
  y, x = waist + 0.26, 0.72 + 0.1 * tail
  return [_line((1.0, y), (0.0, y), (x, 0.0), (x, 1.0))]


def _four_foot(power, waist, tail):
  x = 0.72 + 0.1 * tail
  return [*_four_closed(power, waist, tail), _line((x - 0.24, 1.0), (min(x + 0.24, 1.0), 1.0))]


def _four_open(power, waist, tail):
  del power
  y = waist + 0.18
  return [_line((0.24, 0.0), (0.02, y), (1.0, y)), _line((0.76, 0.3 - 0.3 * tail), (0.74, 1.0))]


def _four_upright(power, waist, tail):
  del power, tail
  y = waist + 0.12
  return [_line((0.04, 0.0), (0.04, y), (1.0, y)), _line((0.82, 0.0), (0.82, 1.0))]


def _five_round(power, waist, tail):
  waist = waist - 0.08
  bowl = _lower_bowl(power, waist, tail, -140)
  return [_path(_line((0.92, 0.0), (0.16, 0.0)), bowl)]


def _five_square(power, waist, tail):
  waist = waist - 0.04
  bowl = _lower_bowl(power, waist, tail, -90)
  return [_path(_line((0.92, 0.0), (0.08, 0.0), (0.08, waist)), bowl)]


def _bowl_of_six(power, waist):
  center, radii = (0.5, 0.5 * (1 + waist)), (0.5, 0.5 * (1 - waist))
  return _arc(center, radii, 180, 555, power)


def _six_round(power, waist, tail):
  waist = waist - 0.07
  height = 0.5 * (1 + waist)
  back = _arc((0.5, 0.45), (0.5, 0.45), 180, 290 + 45 * tail, power)
  return [_bowl_of_six(power, waist), _path(_line((0.0, height)), back)]


def _six_bent(power, waist, tail):
  waist = waist - 0.07
  height = 0.5 * (1 + waist)
  back = _bend((0.6 + 0.25 * tail, 0.0), (0.0, 0.2), (0.0, height))
  return [_bowl_of_six(power, waist), back]


def _nine_round(power, waist, tail):
  return _turn(_six_round(power, waist, tail))


def _nine_bent(power, waist, tail):
  return _turn(_six_bent(power, waist, tail))


def _nine_stem(power, waist, tail):
  waist = waist - 0.07
  bowl = _turn([_bowl_of_six(power, waist)])[0]
  return [bowl, _line((1.0, 0.5 * (1 - waist)), (1.0 - 0.25 * tail, 1.0))]


def _seven_plain(power, waist, tail):
  del power, waist
  return [_line((0.0, 0.0), (1.0, 0.0), (0.2 + 0.25 * tail, 1.0))]


def _seven_bent(power, waist, tail):
  del power
  leg = _bend((1.0, 0.0), (0.42, waist), (0.25 + 0.15 * tail, 1.0))
  return [_path(_line((0.0, 0.0)), leg)]


def _seven_serif(power, waist, tail):
  return [_path(_line((0.0, 0.16)), _seven_bent(power, waist, tail)[0])]


def _seven_barred(power, waist, tail):
  return [*_seven_plain(power, waist, tail), _line((0.28, 0.52), (0.88, 0.52))]


def _eight_rings(power, waist, tail):
  rx = 0.4 + 0.08 * tail
  upper = _arc((0.5, 0.5 * waist), (rx, 0.5 * waist), 90, 465, power)
  lower = _arc((0.5, 0.5 * (1 + waist)), (0.5, 0.5 * (1 - waist)), -90, 285, power)
  return [upper, lower]


def _eight_crossed(power, waist, tail):
  """An 8 of one stroke that crosses itself at the waist."""
  del power, tail
  t = np.linspace(0.0, 2 * np.pi, 41)
  y = 0.5 - 0.5 * np.cos(t)
  y = np.where(y < 0.5, 2 * waist * y, 1 - 2 * (1 - waist) * (1 - y))
  return [np.stack([0.5 + np.where(y < waist, 0.42, 0.5) * np.sin(2 * t), y], axis=1)]


_SHAPES = (
  (_zero,),
  (_one_stem, _one_flag, _one_foot),
  (_two_straight, _two_neck, _two_foot),
  (_three_round, _three_waist, _three_flat),
  (_four_closed, _four_foot, _four_open, _four_upright),
  (_five_round, _five_square),
  (_six_round, _six_bent),
  (_seven_plain, _seven_bent, _seven_serif, _seven_barred),
  (_eight_rings, _eight_crossed),
  (_nine_round, _nine_bent, _nine_stem),
)

VARIANTS = tuple(len(shapes) for shapes in _SHAPES)  # how many shapes each digit has


def strokes(digit, variant=0, power=2.0, waist=0.46, tail=0.5):
  """The path of the pen for a digit.

  Args:
    digit: int in 0..9.
    variant: which of its shapes, int in 0..`VARIANTS[digit]` - 1.
    power: exponent of the bowls, in [1.5, 8]; 2 is round, 5 almost square.
    waist: y where the halves meet, in [0.3, 0.7] of the height.
    tail: how far open ends curl in, in [0, 1].

  Returns:
    List of `[k, 2]` float64 arrays of (x, y) in [0, 1], one for each stroke, k >= 2.

  Raises:
    ValueError: an argument is outside its range.

  Example:
    >>> strokes(1)[0].tolist()
    [[0.5, 0.0], [0.5, 1.0]]
  """
  if digit not in range(10):
    raise ValueError(f"digit is {digit!r}; it must be an integer in 0..9")
  if variant not in range(VARIANTS[digit]):
    raise ValueError(
      f"variant is {variant!r}; the digit {digit} has the shapes 0..{VARIANTS[digit] - 1}"
    )
  for name, value, (low, high) in (
    ("power", power, _POWERS), ("waist", waist, _WAISTS), ("tail", tail, (0.0, 1.0)),
  ):
    if not low <= value <= high:
      raise ValueError(f"{name} is {value!r}; it must lie in [{low:g}, {high:g}]")
  return _SHAPES[digit][variant](power, waist, tail)
