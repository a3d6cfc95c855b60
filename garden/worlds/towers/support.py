"""Does a tower stand? The analytic answer, by the centre of mass over each support.

For single-block levels with rotation about the vertical only, a tower stands if for every
interface the centre of mass of all blocks above lies over the overlap of the two faces. The
overlap of two rectangles is the intersection of eight half-planes n_k . x <= c_k, so

    margin = min over interfaces, k of  c_k - n_k . com

is the distance of the centre of mass from the overlap's border where it lies inside, exactly
(a half-plane that doesn't touch the overlap is never the nearest), and is negative exactly
where it lies outside or the overlap is empty. Beyond a corner of the overlap it is the distance
to the further of the two border lines: a little less than the distance to the corner.

Against MuJoCo at the settings of `physics` the two agree on about 99 % of towers of 2 to 4
blocks, and on all with |margin| > 2 % of a block.
"""

import numpy as np

from garden.worlds.towers import scene

_TOUCH = 1e-3  # m; a wider gap between neighbours is air


def margins(towers):
  """The margin of each interface.

  Args:
    towers: `Towers`, with rotation about the vertical only.

  Returns:
    `[N, B - 1]` float64, in widths of the smaller face's shorter side; interface i is
    between the i-th block that is there and the next one; +inf where there is none.

  Raises:
    ValueError: a block is tilted: the test holds for upright blocks.
  """
  tilted = towers.present & (np.abs(towers.rotation[..., 1:3]) > 1e-3).any(axis=-1)
  if tilted.any():
    tower, block = np.argwhere(tilted)[0]
    raise ValueError(f"block {block} of tower {tower} is tilted; the support test holds for "
                     "blocks turned about the vertical only: simulate instead")
  if towers.present.all(axis=1).all() or _no_holes(towers.present):
    return _margins(towers)
  packed = towers.replace(**{
      name: np.take_along_axis(
          getattr(towers, name), _order(towers.present).reshape(
              *towers.present.shape, *[1] * (getattr(towers, name).ndim - 2)), axis=1)
      for name in ("present", "position", "rotation", "size")})
  return _margins(packed)


def margin(towers):
  """The least margin of each tower.

  Args:
    towers: `Towers`, with rotation about the vertical only.

  Returns:
    `[N]` float64 in block widths; above 0 it stands. A single block has half a width.

  Example:
    >>> margin(scene.sample(1, seed=0, distribution=scene.Distribution(counts=(1,))))
    array([0.5])
  """
  base = np.where(towers.present, towers.size[..., :2].min(axis=-1), np.inf).min(axis=1)
  bottom = towers.position[..., 2] - towers.size[..., 2]
  bottom = np.where(towers.present, bottom, np.inf).min(axis=1)
  # The floor under the lowest block holds whatever the interfaces above it hold, if it's there.
  floor = np.where(bottom > _TOUCH, -bottom / (2 * base), 0.5)
  return np.minimum(margins(towers).min(axis=1, initial=np.inf), floor)


def falls(towers):
  """`[N]` int64: 1 where the tower falls by the support test, 0 where it stands."""
  return (margin(towers) <= 0).astype(np.int64)


def _no_holes(present):
  return not (present[:, 1:] & ~present[:, :-1]).any()


def _order(present):
  """`[N, B]`, the places of blocks first, each kind in its order."""
  return np.argsort(~present, axis=1, kind="stable")


def _margins(towers):
  """`margins` of towers whose blocks fill the first places."""
  position = towers.position.astype(np.float64)
  size = towers.size.astype(np.float64)
  yaw = scene.yaw_of(towers.rotation.astype(np.float64))
  mass = np.where(towers.present, size.prod(axis=-1), 0.0)
  axes = np.stack([np.stack([np.cos(yaw), np.sin(yaw)], -1),
                   np.stack([-np.sin(yaw), np.cos(yaw)], -1)], axis=-2)  # [N, B, 2, 2]
  above = np.cumsum(mass[:, ::-1], axis=1)[:, ::-1]
  moment = np.cumsum((mass[..., None] * position[..., :2])[:, ::-1], axis=1)[:, ::-1]
  com = moment[:, 1:] / np.maximum(above[:, 1:], 1e-12)[..., None]  # of all above interface i

  def inside(block):
    """Distance of com from the nearest side of the faces of `block`, `[N, B - 1]`."""
    local = np.einsum("nbij,nbj->nbi", axes[:, block], com - position[:, block, :2])
    return (size[:, block, :2] - np.abs(local)).min(axis=-1)

  lower, upper = slice(None, -1), slice(1, None)
  least = np.minimum(inside(lower), inside(upper))
  gap = (position[:, 1:, 2] - size[:, 1:, 2]) - (position[:, :-1, 2] + size[:, :-1, 2])
  least = np.where(gap > _TOUCH, np.minimum(least, -gap), least)
  width = 2 * np.minimum(size[:, :-1, :2].min(axis=-1), size[:, 1:, :2].min(axis=-1))
  return np.where(towers.present[:, 1:], least / width, np.inf)
