"""Which moves and which forces balance a stack: the support test as linear inequalities.

Above interface i are the blocks b >= i of weights w_b at x_b, with horizontal forces F_b and forces
D_b downwards at their centres, a height z_b - h_i above it. They press on the centre of pressure

    c_i = sum_b [(w_b + D_b) x_b + (z_b - h_i) F_b] / V_i,     V_i = sum_b (w_b + D_b)

so that one force F at a height h shifts it by F h / W. The stack stands if c_i lies over both faces
that meet there (over the lowest block's at the floor, i = 0), by a margin m of their width,

    n . (c_i - x_f) <= half - m width      for each face f and each normal n of its sides

and does not slide: |sum_b F_b| <= mu V_i, here by a polygon inside that circle. Times V_i all this
is linear in F and D, and without forces in the x_b as well: the least move and the least force are
those of a least distance problem (Lawson, Hanson, *Solving Least Squares Problems*, 1974, ch. 23)

    min |v|  with  G v >= h

whose answer is unique, or proven not to exist. Left out is how forces twist blocks about the
vertical: that it does no harm is for MuJoCo to say.
"""

import dataclasses
import math

import numpy as np
from scipy import optimize

from garden.worlds.towers import scene

WEIGHT = 9.81 * 1000.0  # N a cubic metre: the density of `worlds.towers.physics`
_POLYGON = 16  # sides of the friction cone; it loses 2 %
_FEASIBLE = 1e-6  # of the residual, above which G v >= h has an answer
_SLACK = 1e-6  # by which an answer may miss a row


@dataclasses.dataclass(frozen=True)
class Stack:
  """One stack of B upright blocks, one a level, the lowest first.

  Attributes:
    position: `[B, 3]` float64, metres.
    yaw: `[B]` float64, radians.
    size: `[B, 3]` float64, half the extents.
  """

  position: np.ndarray
  yaw: np.ndarray
  size: np.ndarray

  @classmethod
  def of(cls, blocks):
    """Of a dict of the blocks' `position` `[B, 3]`, `rotation` `[B, 4]` and `size` `[B, 3]`."""
    position, rotation, size = (np.asarray(blocks[name], np.float64)
                                for name in ("position", "rotation", "size"))
    return cls(position, scene.yaw_of(rotation), size)

  @property
  def weight(self):
    """`[B]`, newton."""
    return 8.0 * WEIGHT * self.size.prod(axis=1)

  def sides(self, margin, floor):
    """What each interface asks for.

    Args:
      margin: in widths of the narrower face.
      floor: whether the floor under the lowest block is an interface too.

    Yields:
      `(i, f, n [2], limit)`: the centre of pressure under block i must be at most `limit` metres
      along n from the centre of block f.
    """
    for upper in range(0 if floor else 1, len(self.position)):
      faces = (upper - 1, upper) if upper else (0,)
      width = 2.0 * min(self.size[face, :2].min() for face in faces)
      for face in faces:
        for axis in range(2):
          angle = self.yaw[face] + axis * math.pi / 2
          normal = np.array([math.cos(angle), math.sin(angle)])
          for sign in (1.0, -1.0):
            yield upper, face, sign * normal, self.size[face, axis] - margin * width


def least(rows, limits):
  """The shortest v with `rows @ v >= limits`.

  Args:
    rows: `[m, n]`.
    limits: `[m]`.

  Returns:
    `[n]`, or None if there is none.

  Example:
    >>> least(np.array([[1.0, 1.0]]), np.array([1.0]))
    array([0.5, 0.5])
  """
  n = rows.shape[1]
  if (limits <= 0.0).all():
    return np.zeros(n)
  # Rows of one length: how far from zero an answer's residual is doesn't hang on their units.
  length = np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
  rows, limits = rows / length[:, None], limits / length
  system = np.concatenate([rows.T, limits[None]])
  dual, distance = optimize.nnls(system, np.append(np.zeros(n), 1.0))
  if distance < _FEASIBLE:
    return None
  residual = system @ dual
  residual[-1] -= 1.0
  found = -residual[:-1] / residual[-1]
  return found if (rows @ found >= limits - _SLACK).all() else None


def least_move(stack, margin, movable):
  """The least horizontal move after which the stack's margin is as wished.

  Args:
    stack: `Stack`.
    margin: in block widths, in [0, .5).
    movable: `[B]` bool, which blocks may move.

  Returns:
    `[B, 2]` metres, the one of the least sum of squares; None if these blocks can't do it.
  """
  weight, place = stack.weight, stack.position[:, :2]
  count = len(weight)
  rows, limits = [], []
  for upper, face, normal, limit in stack.sides(margin, floor=False):
    share = np.where(np.arange(count) >= upper, weight, 0.0)
    share = share / share.sum()
    limits.append(normal @ (share @ place - place[face]) - limit)
    share[face] -= 1.0
    rows.append(-np.outer(share, normal).ravel())
  free = np.repeat(movable, 2)
  move = np.zeros(2 * count)
  found = least(np.array(rows).reshape(-1, 2 * count)[:, free], np.array(limits))
  if found is None:
    return None
  move[free] = found
  return move.reshape(count, 2)


def least_force(stack, margin, friction, pushed, downward):
  """The least forces that balance the stack.

  Args:
    stack: `Stack`.
    margin: in block widths, in [0, .5).
    friction: share of the load that horizontal forces may reach, above 0.
    pushed: `[B]` bool, which blocks forces may act on.
    downward: whether forces may press as well as push.

  Returns:
    `[B, 3]` newton, z at most 0, those of the least sum of squares; None if there are none.
  """
  weight, place, count = stack.weight, stack.position[:, :2], len(stack.position)
  unit = weight.sum()
  bottom = stack.position[:, 2] - stack.size[:, 2]
  rows, limits = [], []

  def ask(push, press, limit):
    rows.append(np.concatenate([push, press[:, None]], axis=1).ravel())
    limits.append(limit / unit)

  for upper, face, normal, limit in stack.sides(margin, floor=True):
    above = np.arange(count) >= upper
    out = (place - place[face]) @ normal - limit
    lever = stack.position[:, 2] - bottom[upper]
    ask(-np.where(above, lever, 0.0)[:, None] * normal, -np.where(above, out, 0.0),
        (weight * out)[above].sum())
  for upper in range(count):
    above = (np.arange(count) >= upper).astype(float)
    hold = friction * math.cos(math.pi / _POLYGON)
    for k in range(_POLYGON):
      angle = 2.0 * math.pi * k / _POLYGON
      ask(-np.outer(above, (math.cos(angle), math.sin(angle))), hold * above,
          -hold * weight @ above)
  for block in np.eye(count):
    ask(np.zeros((count, 2)), block, 0.0)
  free = np.repeat(pushed, 3).reshape(count, 3)
  free[:, 2] &= downward
  free = free.ravel()
  found = least(np.array(rows)[:, free], np.array(limits))
  if found is None:
    return None
  force = np.zeros(3 * count)
  force[free] = found * unit
  force = force.reshape(count, 3)
  return np.concatenate([force[:, :2], 0.0 - np.maximum(force[:, 2:], 0.0)], axis=1)
