"""Refinement at test time: the state that explains its image best, near where it was found.

Unknowns are the offsets of neighbours, each block's yaw, where the base stands, and the light;
paint follows in closed form (`graphics`). Levenberg-Marquardt on

    sum_p huber(I'(p; x) - I(p)) / noise^2 + sum_i ((x_i - x0_i) / sigma_i)^2

in a window around the tower at the image's own resolution, whose derivatives are finite
differences, all rendered at once. sigma is how far off the start is thought to be: from a good
start, pictures of few pixels would make depth worse without it. noise stands for pixels that are
wrong together (texture, edges), and so is far above a lone pixel's.

A start is kept where its picture doesn't get better. The error that is left tells how far a state
is to be trusted.
"""

import dataclasses
from collections.abc import Sequence

import gin
import tensorflow as tf

from garden.core import checks
from garden.vda import graphics
from garden.vda import state as state_lib
from garden.worlds.towers import camera as camera_lib

#: Finite differences of across, depth, yaw, base, the light's slopes, its ambient share, tiles.
_PROBE = (0.01, 0.01, 0.01, 0.01, 0.03, 0.02, 0.02)
_HUBER = 0.1  # of a pixel's error
_MARGIN = 0.35  # of a block, around the tower
_DAMPING = 0.02
_AROUND_SIGMA = (0.1, 0.3, 0.1, 0.15)  # how far off base and light are thought to be


@gin.register(module="vda")
@dataclasses.dataclass(frozen=True)
class Refinement:
  """How states are refined.

  Attributes:
    size: (height, width) of the window that is drawn, in pixels.
    softness: of the edges in pixels, one for each step.
    sigma: how far off the start is: across and in depth in block widths, yaw in radians.
    noise: of a pixel.
    longest: step, in block widths and radians.
  """

  size: Sequence[int] = (112, 84)
  softness: Sequence[float] = (1.0, 0.6, 0.6)
  sigma: Sequence[float] = (0.02, 0.05, 0.04)
  noise: float = 0.3
  longest: float = 0.15

  def __post_init__(self):
    if len(self.size) != 2 or len(self.sigma) != 3 or not self.softness:
      raise ValueError(f"size is {self.size!r}, sigma {self.sigma!r} and softness "
                       f"{self.softness!r}; give (height, width), three sigmas and one softness or "
                       "more")
    for side in self.size:
      checks.check_count("size", side, 16)
    for name in ("softness", "sigma"):
      for value in getattr(self, name):
        checks.check_positive(name, value)
    for name in ("noise", "longest"):
      checks.check_positive(name, getattr(self, name))


class Refiner:
  """Refines states by `Refinement`.

  Args:
    refinement: the `Refinement`.

  Example:
    better = Refiner(Refinement())(state, camera, light, images)
    print(better["reconstruction_error"])
  """

  def __init__(self, refinement):
    self.refinement = refinement
    self._step = tf.function(self._one_step, reduce_retracing=True)
    self._error = tf.function(self._cost, reduce_retracing=True)

  def __call__(self, state, camera, light, images):
    """Refines N states.

    Args:
      state: see `state`; with `boxes` `[N, B, 4]`.
      camera: `[N, 7]`.
      light: `[N, 4]`.
      images: `[N, s, s, 3]` in [0, 1].

    Returns:
      The state, refined, with `light` `[N, 4]`, `error_before` and `reconstruction_error` `[N]`:
      mean Huber error of the window's pixels.
    """
    state = {name: tf.convert_to_tensor(value) for name, value in state.items()}
    camera, light, images = (tf.cast(x, tf.float32) for x in (camera, light, images))
    window = window_of(state["boxes"], state["present"], camera, self.refinement.size)
    n = tf.shape(images)[0]
    seen = tf.image.crop_and_resize(images, window, tf.range(n), self.refinement.size,
                                    extrapolation_value=0.5)
    fixed = {"present": state["present"], "size": state["size"], "camera": camera,
             "window": window, "seen": seen, "base": state["position"][:, 0],
             "height": state["position"][..., 2]}
    start = pack(state, camera, light)
    x = start
    for softness in self.refinement.softness:
      x = self._step(x, start, fixed, tf.constant(softness, tf.float32))
    last = tf.constant(self.refinement.softness[-1], tf.float32)
    before, after = self._error(start, fixed, last), self._error(x, fixed, last)
    better = after < before
    x = tf.where(better[:, tf.newaxis], x, start)
    moved, light = unpack(x, fixed)
    return {**state, **moved, "light": light, "error_before": before,
            "reconstruction_error": tf.minimum(before, after)}

  def _residuals(self, x, fixed, softness):
    """`[M, h w, 3]` of M = N k vectors, the k of a scene next to each other."""
    k = tf.shape(x)[0] // tf.shape(fixed["seen"])[0]
    many = {name: tf.repeat(value, k, axis=0) for name, value in fixed.items() if name != "seen"}
    state, light = unpack(x, many)
    share, _ = graphics.shares(state, many["camera"], light, tuple(self.refinement.size), softness,
                               window=many["window"])
    seen = tf.repeat(fixed["seen"], k, axis=0)
    paint = graphics.fit_paint(share, seen, tf.ones_like(share[..., 0]))
    error = tf.einsum("nhwk,nkc->nhwc", share, paint) - seen
    return tf.reshape(error, [tf.shape(x)[0], -1])

  def _cost(self, x, fixed, softness):
    """Mean Huber error of each scene's pixels, `[N]`."""
    size = tf.abs(self._residuals(x, fixed, softness))
    return tf.reduce_mean(tf.where(size < _HUBER, size ** 2 / (2 * _HUBER), size - _HUBER / 2),
                          axis=1)

  def _one_step(self, x, start, fixed, softness):
    """One step of Levenberg-Marquardt."""
    n, d = tf.shape(x)[0], x.shape[1]
    blocks = fixed["present"].shape[1]
    probe = numbers(_PROBE, blocks)
    moved = x[:, tf.newaxis] + tf.concat([tf.zeros([1, d]), tf.linalg.diag(probe)], axis=0)
    found = self._residuals(tf.reshape(moved, [-1, d]), fixed, softness)
    found = tf.reshape(found, [n, d + 1, -1])
    error = found[:, 0]
    slopes = (found[:, 1:] - error[:, tf.newaxis]) / probe[:, tf.newaxis]
    # Huber's function as weights: 1 for small errors, falling for large ones.
    weight = 1.0 / tf.maximum(1.0, tf.abs(error) / _HUBER)
    weighted = slopes * weight[:, tf.newaxis] / self.refinement.noise ** 2
    inverse = 1.0 / numbers((*self.refinement.sigma, *_AROUND_SIGMA), blocks) ** 2
    normal = tf.einsum("nip,njp->nij", weighted, slopes) + tf.linalg.diag(inverse)
    normal += _DAMPING * tf.linalg.diag(tf.linalg.diag_part(normal))
    pull = tf.einsum("nip,np->ni", weighted, error) + inverse * (x - start)
    step = tf.linalg.solve(normal, pull[..., tf.newaxis])[..., 0]
    return x - tf.clip_by_value(step, -self.refinement.longest, self.refinement.longest)


def numbers(seven, blocks):
  """A number for each kind of unknown, as in `_PROBE` -> `[D]`, as `pack` orders them."""
  counts = (blocks - 1, blocks - 1, blocks, 2, 2, 1, 1)
  return tf.constant([value for value, count in zip(seven, counts) for _ in range(count)])


def pack(state, camera, light):
  """The unknowns of a state: `[N, D]`, D = 3 B + 4: across, depth, yaw, base, light.

  Offsets are of neighbours as the camera sees them; the base's place is relative to where it is.
  """
  position, azimuth = state["position"][..., :2], camera[:, 0]
  count = position.shape[1]
  steps = tf.concat([state_lib.as_seen(position[:, b + 1] - position[:, b], azimuth)[:, tf.newaxis]
                     for b in range(count - 1)], axis=1)
  there = tf.cast(state["present"][:, 1:], tf.float32)
  yaw = state_lib.yaw_of(state["rotation"])
  return tf.concat([steps[..., 0] * there, steps[..., 1] * there, yaw,
                    tf.zeros_like(position[:, 0]), light], axis=1)


def unpack(x, fixed):
  """`(state, light)` of `pack`'s numbers and what is fixed (`present`, `size`, `base`, …)."""
  count, azimuth = fixed["present"].shape[1], fixed["camera"][:, 0]
  across, depth, yaw, base, light = tf.split(x, [count - 1, count - 1, count, 2, 4], axis=1)
  steps = tf.concat([base[:, tf.newaxis], tf.stack([across, depth], axis=-1)], axis=1)
  place = fixed["base"][:, tf.newaxis, :2] + state_lib.from_seen(tf.cumsum(steps, axis=1), azimuth)
  position = tf.concat([place, fixed["height"][..., tf.newaxis]], axis=-1)
  return {"present": fixed["present"], "position": position, "size": fixed["size"],
          "rotation": state_lib.rotation_of(yaw)}, light


def window_of(boxes, present, camera, size):
  """The window of `size`'s shape around each tower, `[N, 4]` in shares of the image."""
  there = present[..., tf.newaxis]
  low = tf.reduce_min(tf.where(there, boxes[..., :2], 1.0), axis=1)
  high = tf.reduce_max(tf.where(there, boxes[..., 2:], 0.0), axis=1)
  low, high = tf.minimum(low, high), tf.maximum(low, high)
  half = 0.5 * (high - low) + _MARGIN * camera_lib.block_height(camera)[:, tf.newaxis]
  shape = tf.constant([size[0] / size[1], 1.0])
  half = tf.reduce_max(half / shape, axis=1, keepdims=True) * shape
  middle = 0.5 * (low + high)
  return tf.concat([middle - half, middle + half], axis=1)
