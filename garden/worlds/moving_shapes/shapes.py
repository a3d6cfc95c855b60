"""The shapes as polygons about the origin, within the unit disc.

x runs to the right and y down. What lies inside an odd number of a shape's polygons belongs to it,
so that a second polygon inside the first is a hole. One number in [0, 1] bends each shape: the
arms of a cross get wider, a ring gets thinner.
"""

import numpy as np

SOURCE_CLASSES = (
  "circle", "cross", "drop", "ell", "frame", "half", "square", "star", "tee", "triangle",
)
TARGET_CLASSES = ("arrow", "crescent", "heart", "hexagon", "ring")

_ROUND = 48  # corners of a circle; more are not seen at 100 pixels


def _turn(count, start=-90.0, span=360.0):
  """Unit vectors `[count, 2]` at even angles from `start`, in degrees; the end is left out."""
  angle = np.radians(start + span * np.arange(count) / count)
  return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _circle(bend):
  return [_turn(_ROUND) * np.array([1.0, 0.8 + 0.2 * bend])]


def _square(bend):
  return [_turn(4, 45.0) * np.array([1.0, 0.8 + 0.2 * bend])]


def _triangle(bend):
  return [_turn(3) * np.array([0.8 + 0.2 * bend, 1.0])]


def _star(bend):
  points = _turn(10)
  points[1::2] *= 0.36 + 0.16 * bend
  return [points]


def _cross(bend):
  w = 0.2 + 0.16 * bend
  corner = np.array([(w, -0.93), (w, -w), (0.93, -w), (0.93, w), (w, w), (w, 0.93)])
  return [np.concatenate([corner, -corner])]


def _drop(bend):
  """A disc with a tip, to which the tangents from it run."""
  radius = 0.55 + 0.1 * bend
  center = 1.0 - radius
  side = np.degrees(np.arccos(radius / (1.0 + center)))
  disc = radius * _turn(_ROUND, -90.0 + side, 360.0 - 2 * side) + np.array([0.0, center])
  return [np.concatenate([[(0.0, -1.0)], disc])]


def _ell(bend):
  w = 0.36 + 0.24 * bend
  return [np.array([(-0.6, -0.8), (-0.6 + w, -0.8), (-0.6 + w, 0.8 - w), (0.6, 0.8 - w),
                    (0.6, 0.8), (-0.6, 0.8)])]


def _frame(bend):
  outer = _square(bend)[0]
  return [outer, outer * (0.5 + 0.2 * bend)]


def _half(bend):
  half = _turn(_ROUND, 180.0, 180.0 * _ROUND / (_ROUND - 1))
  return [half * np.array([1.0, 0.8 + 0.4 * bend]) + np.array([0.0, 0.3])]


def _tee(bend):
  w = 0.18 + 0.14 * bend
  right = np.array([(0.7, -0.7), (0.7, 2 * w - 0.7), (w, 2 * w - 0.7), (w, 0.95)])
  return [np.concatenate([right, (right * np.array([-1.0, 1.0]))[::-1]])]


def _ring(bend):
  outer = _turn(_ROUND)
  return [outer, outer * (0.5 + 0.25 * bend)]


def _hexagon(bend):
  return [_turn(6) * np.array([0.82 + 0.18 * bend, 1.0])]


def _heart(bend):
  t = np.linspace(0.0, 2 * np.pi, _ROUND, endpoint=False)
  x = 16 * np.sin(t) ** 3
  y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
  return [np.stack([(0.85 + 0.2 * bend) * x, y - 2.5], axis=1) / 17.0]


def _arrow(bend):
  half, neck = 0.14 + 0.14 * bend, -0.1 + 0.25 * bend
  right = np.array([(0.75, neck), (half, neck), (half, 0.97)])
  return [np.concatenate([[(0.0, -1.0)], right, (right * np.array([-1.0, 1.0]))[::-1]])]


def _crescent(bend):
  """The unit circle without another, which meets it at the angles -/+ `tip` from the right."""
  tip = np.radians(40.0 + 15.0 * bend)
  meet = np.array([np.cos(tip), np.sin(tip)])
  center = 0.45 + 0.1 * bend
  radius = np.hypot(meet[0] - center, meet[1])
  inner = np.degrees(np.arctan2(meet[1], meet[0] - center))
  outer = _turn(_ROUND, np.degrees(tip), 360.0 - 2 * np.degrees(tip))
  back = radius * _turn(_ROUND, -inner, 2 * inner - 360.0) + np.array([center, 0.0])
  return [np.concatenate([outer, back]) + np.array([0.1, 0.0])]


_OUTLINES = {
  "arrow": _arrow, "circle": _circle, "crescent": _crescent, "cross": _cross, "drop": _drop,
  "ell": _ell, "frame": _frame, "half": _half, "heart": _heart, "hexagon": _hexagon,
  "ring": _ring, "square": _square, "star": _star, "tee": _tee, "triangle": _triangle,
}


def outline(name, bend=0.5):
  """The polygons of a shape.

  Args:
    name: one of `SOURCE_CLASSES` or `TARGET_CLASSES`.
    bend: which of its forms, in [0, 1].

  Returns:
    List of `[k, 2]` float64 arrays of (x, y), each a closed polygon without its first corner again.

  Raises:
    ValueError: an unknown shape, or `bend` outside its range.

  Example:
    >>> [len(polygon) for polygon in outline("hexagon")]
    [6]
  """
  if name not in _OUTLINES:
    raise ValueError(f"shape is {name!r}; it must be one of {', '.join(_OUTLINES)}")
  if not 0.0 <= bend <= 1.0:
    raise ValueError(f"bend is {bend!r}; it must lie in [0, 1]")
  return _OUTLINES[name](bend)
