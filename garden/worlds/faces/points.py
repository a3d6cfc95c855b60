"""Named points of a face: where they lie on a head, and which of a landmark file's they are.

`left` and `right` are the person's own: the right eye is at the left of a frontal photograph.
"""

import os

import numpy as np

from garden.worlds.faces import heads as heads_lib

_MIDDLE = ("nose_bridge", "nose_tip", "subnasale", "upper_lip", "lower_lip", "chin")
_SIDES = ("eye_outer", "eye_inner", "eye_upper", "eye_lower", "brow_outer", "brow_middle",
          "brow_inner", "nostril", "mouth_corner", "temple", "jaw")
#: All names, those of the middle first.
NAMES = (*_MIDDLE, *(f"{side}_{name}" for side in ("right", "left") for name in _SIDES))

_MESH = {
    "nose_bridge": 168, "nose_tip": 1, "subnasale": 2, "upper_lip": 0, "lower_lip": 17,
    "chin": 152,
    "right_eye_outer": 33, "right_eye_inner": 133, "right_eye_upper": 159, "right_eye_lower": 145,
    "right_brow_outer": 70, "right_brow_middle": 105, "right_brow_inner": 107,
    "right_nostril": 98, "right_mouth_corner": 61, "right_temple": 127, "right_jaw": 172,
    "left_eye_outer": 263, "left_eye_inner": 362, "left_eye_upper": 386, "left_eye_lower": 374,
    "left_brow_outer": 300, "left_brow_middle": 334, "left_brow_inner": 336,
    "left_nostril": 327, "left_mouth_corner": 291, "left_temple": 356, "left_jaw": 397}
_IBUG = {
    "nose_bridge": 27, "nose_tip": 30, "subnasale": 33, "upper_lip": 51, "lower_lip": 57, "chin": 8,
    "right_eye_outer": 36, "right_eye_inner": 39, "right_brow_outer": 17, "right_brow_middle": 19,
    "right_brow_inner": 21, "right_nostril": 31, "right_mouth_corner": 48, "right_temple": 0,
    "right_jaw": 4, "left_eye_outer": 45, "left_eye_inner": 42, "left_brow_outer": 26,
    "left_brow_middle": 24, "left_brow_inner": 22, "left_nostril": 35, "left_mouth_corner": 54,
    "left_temple": 16, "left_jaw": 12}
_CFP = {  # of the person's right half alone
    "nose_bridge": 18, "nose_tip": 21, "subnasale": 22, "upper_lip": 26, "lower_lip": 28, "chin": 8,
    "right_eye_outer": 12, "right_eye_inner": 15, "right_brow_outer": 9, "right_brow_middle": 10,
    "right_brow_inner": 11, "right_nostril": 24, "right_mouth_corner": 25, "right_temple": 0,
    "right_jaw": 4}
#: Number of points of a landmark file -> name -> number of the point.
SETS = {30: _CFP, 68: _IBUG, 468: _MESH, 478: _MESH}


def on_head(heads, index=0):
  """Where the named points lie on a person.

  Args:
    heads: `heads.Heads`.
    index: which of them.

  Returns:
    Dict of name -> `[3]` float64.

  Example:
    >>> on_head(average())["nose_tip"][2] > 1.0
    True
  """
  m = heads.measures(index)
  middle = {"nose_bridge": m["eye_y"], "nose_tip": m["nose_y"], "subnasale": m["nose_y"] - 0.1,
            "upper_lip": m["mouth_y"] + 0.07, "lower_lip": m["mouth_y"] - 0.08,
            "chin": -0.96 * m["height"]}
  eye = np.array([m["eye_x"], m["eye_y"]])
  half = {"eye_outer": eye + [0.125, 0], "eye_inner": eye - [0.125, 0],
          "eye_upper": eye + [0, 0.055], "eye_lower": eye - [0, 0.04],
          "brow_outer": eye + [0.15, 0.14], "brow_middle": eye + [0, 0.205],
          "brow_inner": eye + [-0.15, 0.15],
          "nostril": np.array([m["nose_width"], m["nose_y"] - 0.05]),
          "mouth_corner": np.array([1.1 * m["mouth_width"], m["mouth_y"]])}
  spots = {**{name: (0.0, y) for name, y in middle.items()},
           **{f"left_{name}": spot for name, spot in half.items()},
           **{f"right_{name}": spot * [-1, 1] for name, spot in half.items()}}
  found = {name: _in_front(m, *spot) for name, spot in spots.items()}
  # Of an outline only its height can be told.
  for name, turn, y in (("temple", 1.45, m["eye_y"]), ("jaw", 1.2, m["mouth_y"])):
    for side, sign in (("left", 1.0), ("right", -1.0)):
      found[f"{side}_{name}"] = _at(m, sign * turn, np.arcsin(y / m["height"]))
  return {name: found[name] for name in NAMES}


def _in_front(m, x, y):
  """The point of the front of a head at (x, y)."""
  elevation = np.arcsin(y / m["height"])
  wide = heads_lib.place(m, np.pi / 2, elevation)[0]
  return _at(m, np.arcsin(x / wide), elevation)


def _at(m, azimuth, elevation):
  """The point of a head at an azimuth and an elevation."""
  base = heads_lib.place(m, np.array([azimuth]), np.array([elevation]))
  return (base + heads_lib.bumps(m, np.array([azimuth]), base))[0]


def named(points):
  """Names for the points of a landmark model or file.

  Args:
    points: `[P, 2 or 3]` of CFP (P = 30), of iBUG's 68 or of MediaPipe's 468 or 478; x to the
      right and y down, in pixels.

  Returns:
    Dict of name -> `[2 or 3]` float64.

  Raises:
    ValueError: there are another number of points, or one isn't finite.
  """
  points = np.asarray(points, np.float64)
  if points.ndim != 2 or len(points) not in SETS or points.shape[1] not in (2, 3):
    raise ValueError(f"landmarks are {points.shape}; give 30 (CFP), 68 (iBUG) or 468 (MediaPipe) "
                     "points of two or three numbers")
  if not np.isfinite(points).all():
    raise ValueError("a landmark isn't finite; leave the image out or mark it again")
  return {name: points[number] for name, number in SETS[len(points)].items()}


def read(path):
  """Points of a text file: a line `x,y` or `x y` for each, or the .pts format of iBUG.

  Args:
    path: the file.

  Returns:
    `[P, 2]` float64.

  Raises:
    ValueError: a line isn't two numbers, or there is none.
  """
  with open(path, encoding="utf-8", errors="replace") as file:
    lines = [line.strip() for line in file]
  if path.endswith(".pts"):
    lines = [line for line in lines if line not in ("{", "}") and ":" not in line]
  rows = []
  for line in filter(None, lines):
    try:
      row = [float(number) for number in line.replace(",", " ").split()]
    except ValueError:
      row = []
    if len(row) != 2:
      raise ValueError(f"{path}: the line {line!r} isn't two numbers; give x and y of a point")
    rows.append(row)
  if not rows:
    raise ValueError(f"{os.fspath(path)} has no point")
  return np.array(rows)
