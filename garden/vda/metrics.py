"""How far a recovered state is from the true one: pure functions of arrays.

Errors are those of blocks relative to the base block, as the camera sees them: whether a tower
stands depends on nothing else, and depth is the hard direction. Blocks are matched by their level,
so the order in which they were found doesn't matter. All in block widths and degrees.
"""

import numpy as np

from garden.vda import state as state_lib
from garden.worlds.towers import scene


def counted(found, true):
  """Whether as many blocks were found as there are: `[N]` bool of two states."""
  return np.asarray(found["present"]).sum(axis=1) == np.asarray(true["present"]).sum(axis=1)


def told_right(found, fall):
  """Whether it was told right that a tower falls: `[N]` bool.

  Args:
    found: a state with `margin` `[N]`; below 0 it falls.
    fall: `[N]`, 1 where it does.

  Example:
    accuracy = told_right(found, towers.fall).mean()
  """
  return (np.asarray(found["margin"]) <= 0.0) == (np.asarray(fall) == 1)


def pose_errors(found, true, azimuth):
  """Errors of each block's pose, relative to the base.

  Args:
    found: a state of arrays, the lowest block first.
    true: a state of arrays, as wide.
    azimuth: `[N]` of the camera, radians.

  Returns:
    Dict of `position_error`, across the image plane, and `depth_error`, both `[N, B]` in block
    widths, and `yaw_error` `[N, B]` in degrees modulo 90. The base has no error of position, and
    NaN stands for it, as for empty places and towers with another count of blocks.

  Raises:
    ValueError: the states have other shapes.

  Example:
    errors = pose_errors(found, true, towers.camera[:, 0])
    print(np.nanmedian(errors["depth_error"]))
  """
  shapes = [np.shape(state["position"]) for state in (found, true)]
  if shapes[0] != shapes[1]:
    raise ValueError(f"positions are {shapes[0]} and {shapes[1]}; states of the same towers have "
                     "the same shape")
  relative = [np.asarray(state["position"], np.float64) for state in (found, true)]
  relative = [position - position[:, :1] for position in relative]
  width = 2.0 * np.asarray(true["size"], np.float64)[..., 0]
  error = (relative[0] - relative[1])[..., :2]
  seen = np.abs(scene.as_seen(error, np.asarray(azimuth, np.float64)[:, None]))
  yaw = state_lib.quarter(scene.yaw_of(found["rotation"]) - scene.yaw_of(true["rotation"]))
  kept = np.asarray(true["present"]) & counted(found, true)[:, None]
  above = kept & (np.arange(kept.shape[1]) > 0)
  return {"position_error": np.where(above, seen[..., 0] / width, np.nan),
          "depth_error": np.where(above, seen[..., 1] / width, np.nan),
          "yaw_error": np.where(kept, np.degrees(np.abs(yaw)), np.nan)}


def paired_test(right, other):
  """McNemar's exact test of two methods on the same towers.

  Args:
    right: `[N]` bool, which towers the first method tells right.
    other: `[N]` bool, which the second.

  Returns:
    `(difference, p)`: of the accuracies, first minus second, and the two-sided probability of a
    difference as large if both were as good.

  Example:
    >>> paired_test([True] * 10, [False] * 10)[1] < 0.01
    True
  """
  from scipy import stats
  right, other = np.asarray(right, bool), np.asarray(other, bool)
  won, lost = int((right & ~other).sum()), int((~right & other).sum())
  p = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
  return float(right.mean() - other.mean()), float(p)
