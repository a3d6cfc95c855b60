"""The physical state of a tower: what perception finds, physics moves and graphics draws.

A state is a dict of arrays or tensors, N scenes with B places for blocks, the lowest block first:

    present   [N, B] bool
    position  [N, B, 3] float32, metres, centres, z up
    rotation  [N, B, 4] float32, unit quaternions (w, x, y, z)
    size      [N, B, 3] float32, metres, half the extents
    color     [N, B, 3] float32, RGB in [0, 1]

and, where something moves, `velocity` `[N, B, 6]` (see `physics.Motion`). Blocks are told apart by
their level, so two states of the same tower have the same order whatever they were found in.
A cube looks the same after a quarter turn: yaw is known modulo 90 degrees.
"""

import math

import numpy as np
import tensorflow as tf

from garden.worlds.towers import camera as camera_lib
from garden.worlds.towers import scene

FIELDS = ("present", "position", "rotation", "size", "color")
QUARTER = math.pi / 2
_GAP = 0.05  # m; what floats higher, or sticks deeper in another block, is a mistake
_LOOK = {"light_direction": (0.0, 0.0, -1.0), "light_diffuse": 0.5, "light_ambient": 0.5,
         "floor_color": ((0.8, 0.8, 0.8), (0.6, 0.6, 0.6)), "floor_scale": 1.0,
         "sky_color": (0.7, 0.75, 0.8)}


def of_towers(towers):
  """The state of a batch of `scene.Towers`, as arrays."""
  return {name: getattr(towers, name) for name in FIELDS}


def towers_of(state, camera=None):
  """A batch of `scene.Towers`, for MuJoCo and its pictures.

  Args:
    state: of arrays or tensors.
    camera: optional `[N, 7]`, see `camera.unpack`; far in front of the tower without.

  Returns:
    `Towers`, with a plain light and floor. Colour classes count up from the lowest block.

  Raises:
    ValueError: a number isn't finite; it names the scene and the block.

  Example:
    >>> towers_of(of_towers(scene.sample(2, seed=0))).count.tolist()
    [2, 3]
  """
  state = {name: np.asarray(state[name]) for name in FIELDS}
  check_finite(state)
  n, places = state["present"].shape
  if camera is None:
    camera = np.tile(np.array([0.0, 0.3, 9.5, 38.0, 0.0, 0.0, 0.0], np.float32), (n, 1))
    camera[:, 6] = np.where(state["present"], state["position"][..., 2], 0.0).max(axis=1) / 2
  look = {name: np.broadcast_to(np.float32(value), (n, *np.shape(value)))
          for name, value in _LOOK.items()}
  return scene.Towers(
      **{name: value if value.dtype == np.bool_ else value.astype(np.float32)
         for name, value in state.items()},
      color_class=np.where(state["present"], np.arange(1, places + 1), 0).astype(np.int32),
      **camera_lib.unpack(np.asarray(camera, np.float32)), **look)


def yaw_of(rotation):
  """Yaw `[...]` in radians, in (-pi, pi], of quaternions `[..., 4]`, as tensors."""
  w, x, y, z = tf.unstack(rotation, axis=-1)
  return tf.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def rotation_of(yaw):
  """Quaternions `[..., 4]` of turns about the vertical, as tensors; radians `[...]`."""
  half, zero = 0.5 * yaw, tf.zeros_like(yaw)
  return tf.stack([tf.cos(half), zero, zero, tf.sin(half)], axis=-1)


def from_seen(steps, azimuth):
  """Steps to a camera's right and away from it -> along x and y, as tensors.

  Args:
    steps: `[N, P, 2]`.
    azimuth: `[N]` of the camera, radians.

  Returns:
    `[N, P, 2]`.
  """
  sin, cos = tf.sin(azimuth)[:, tf.newaxis], tf.cos(azimuth)[:, tf.newaxis]
  right, away = tf.unstack(steps, axis=-1)
  return tf.stack([-sin * right - cos * away, cos * right - sin * away], axis=-1)


def as_seen(steps, azimuth):
  """The inverse: `[N, 2]` along x and y -> to the camera's right and away, as tensors."""
  sin, cos = tf.sin(azimuth), tf.cos(azimuth)
  x, y = tf.unstack(steps, axis=-1)
  return tf.stack([cos * y - sin * x, -cos * x - sin * y], axis=-1)


def quarter(yaw):
  """Yaw modulo 90 degrees, in [-pi/4, pi/4): what is left of an error of yaw."""
  return np.mod(np.asarray(yaw) + QUARTER / 2, QUARTER) - QUARTER / 2


def check_finite(state):
  """Raises a ValueError that names the field, the scene and the block of a NaN or infinity."""
  for name, value in state.items():
    value = np.asarray(value)
    if name == "present":
      continue
    bad = np.asarray(state["present"]) & ~np.isfinite(value).all(axis=-1)
    if bad.any():
      row, block = np.argwhere(bad)[0]
      raise ValueError(f"{name} of block {block} of scene {row} is {value[row, block].tolist()}; "
                       "it must be finite")


def settled(state):
  """Lets each block straight down, or lifts it, onto the highest block below it, or the floor.

  Args:
    state: of arrays, blocks upright (turned about the vertical only).

  Returns:
    A state of arrays with other heights; nothing moves sideways.

  Example:
    fine = settled(state)
    check(fine)
  """
  state = {name: np.array(value) for name, value in state.items()}
  position, size = state["position"], state["size"]
  yaw = scene.yaw_of(state["rotation"])
  for row, present in enumerate(state["present"]):
    places = [b for b in np.flatnonzero(present)[np.argsort(
        position[row, present, 2], kind="stable")]]
    for number, block in enumerate(places):
      tops = [position[row, b, 2] + size[row, b, 2] for b in places[:number]
              if _overlap(position[row], size[row], yaw[row], b, block)]
      position[row, block, 2] = max(tops, default=0.0) + size[row, block, 2]
  return state


def check(state):
  """Raises a ValueError unless every block rests on the floor or on a block.

  Args:
    state: of arrays, blocks upright.

  Raises:
    ValueError: a number isn't finite, or a block floats or sticks in the one below by more than
      5 cm; it names the blocks and gives the height at which `settled` would put it.
  """
  state = {name: np.asarray(value) for name, value in state.items()}
  check_finite(state)
  fine = settled(state)["position"][..., 2]
  off = np.where(state["present"], state["position"][..., 2] - fine, 0.0)
  bad = np.abs(off) > _GAP
  if not bad.any():
    return
  row, block = np.argwhere(bad)[0]
  below = [b for b in range(off.shape[1]) if state["present"][row, b]
           and abs(fine[row, b] + state["size"][row, b, 2] + state["size"][row, block, 2]
                   - fine[row, block]) < 1e-4]
  under = f"block {below[0]}" if below else "the floor"
  what = (f"floats {off[row, block]:.3g} m above" if off[row, block] > 0
          else f"sticks {-off[row, block]:.3g} m deep in")
  raise ValueError(f"block {block} of scene {row} {what} {under}; settled it would be at a height "
                   f"of {fine[row, block]:.3g} m: use state.settled, or move it")


def _overlap(position, size, yaw, one, other):
  """Whether the footprints of two blocks overlap (separating axes)."""
  between = position[other, :2] - position[one, :2]
  for turned in (yaw[one], yaw[other]):
    for angle in (turned, turned + QUARTER):
      axis = np.array([math.cos(angle), math.sin(angle)])
      reach = sum(abs(axis @ _side(yaw[b], k)) * size[b, k] for b in (one, other) for k in (0, 1))
      if abs(axis @ between) >= reach - 1e-6:
        return False
  return True


def _side(yaw, k):
  """Unit vector along side k of a block's footprint."""
  return np.array([math.cos(yaw + k * QUARTER), math.sin(yaw + k * QUARTER)])
