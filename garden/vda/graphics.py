"""The graphics engine: a state, a camera and a light -> the picture, with paint in closed form.

`TowerRenderer` is linear in the paint of what it draws, so with one channel for each painted
thing (B blocks, two kinds of floor tiles, the sky) it tells what each gives to each pixel,
w_k(p), light and shadows included. The paint is then that which fits the image best,

    a = argmin sum_p f(p) |I(p) - sum_k w_k(p) a_k|^2 + ridge |a - .5|^2

a linear system of B + 3 unknowns an image, and the reconstruction is sum_k w_k a_k. Only poses,
light and the tiles' size are left to be found, and gradients reach them through the solution.
How bright light and paint are can't be told apart: ambient and diffuse light add up to 1.

Deviation: the paper renders towers in Blender, without a gradient, and predicts colours.
"""

import tensorflow as tf

from garden.vda import state as state_lib
from garden.worlds.towers import camera as camera_lib
from garden.worlds.towers import renderer

_RIDGE = 1e-4  # of the mean over pixels; decides the paint of what isn't seen
_FLOOR_AND_SKY = 3  # painted things beside the blocks


def light_fields(light, azimuth):
  """The renderer's fields of a light.

  Args:
    light: `[N, 4]`: slopes to the camera's right and away from it, the ambient share, the
      logarithm of a tile's side (see `arrays.light_numbers`).
    azimuth: `[N]` of the camera, radians.

  Returns:
    Dict of `light_direction`, `light_ambient`, `light_diffuse`, `floor_scale`.
  """
  slope = state_lib.from_seen(light[:, tf.newaxis, :2], azimuth)[:, 0]
  direction = tf.concat([slope, -tf.ones_like(slope[:, :1])], axis=-1)
  ambient = tf.clip_by_value(light[:, 2], 0.05, 0.95)
  return {"light_direction": tf.linalg.l2_normalize(direction, axis=-1),
          "light_ambient": ambient, "light_diffuse": 1.0 - ambient,
          "floor_scale": tf.exp(tf.clip_by_value(light[:, 3], -2.0, 2.0))}


def shares(state, camera, light, image_size, softness=0.0, shadows=True, window=None):
  """What each painted thing gives to each pixel.

  Args:
    state: see `state`; its colours aren't used.
    camera: `[N, 7]`.
    light: `[N, 4]`.
    image_size: pixels, an int or (h, w).
    softness: of its edges, in pixels.
    shadows: whether blocks cast shadows.
    window: optional `[N, 4]`, the part of the picture to draw, see `renderer.render`.

  Returns:
    `(shares [N, h, w, B + 3], ids [N, h, w])`: blocks, even and odd tiles, sky.
  """
  n, places = tf.shape(state["position"])[0], state["position"].shape[1]
  paint = tf.tile(tf.eye(places + _FLOOR_AND_SKY)[tf.newaxis], [n, 1, 1])
  drawn = renderer.render({
      **{name: state[name] for name in ("present", "position", "rotation", "size")},
      **camera_lib.unpack(camera), **light_fields(light, camera[:, 0]),
      "color": paint[:, :places], "floor_color": paint[:, places:-1], "sky_color": paint[:, -1]},
      image_size, softness, shadows=shadows, window=window)
  return drawn["image"], drawn["ids"]


def fit_paint(share, images, focus):
  """The paint that fits images best.

  Args:
    share: `[N, s, s, K]` of `shares`.
    images: `[N, s, s, 3]` in [0, 1].
    focus: `[N, s, s]`, how much a pixel counts.

  Returns:
    `[N, K, 3]`, differentiable in all of them.
  """
  total = tf.reduce_sum(focus, axis=[1, 2])[:, tf.newaxis, tf.newaxis]
  weighted = share * focus[..., tf.newaxis]
  normal = tf.einsum("nhwk,nhwl->nkl", weighted, share) / total
  pull = tf.einsum("nhwk,nhwc->nkc", weighted, images - 0.5 * tf.reduce_sum(
      share, axis=-1, keepdims=True)) / total
  unit = tf.eye(share.shape[-1])
  return 0.5 + tf.linalg.solve(normal + _RIDGE * unit, pull)


def focus_of(boxes, present, size, background=0.15):
  """Weights of pixels: 1 around the tower, less elsewhere.

  Args:
    boxes: `[N, B, 4]` of the blocks in shares of the image.
    present: `[N, B]` bool.
    size: side of the picture in pixels.
    background: weight of what is further away from the tower than half a block.

  Returns:
    `[N, s, s]` float32.
  """
  there = present[..., tf.newaxis]
  low = tf.reduce_min(tf.where(there, boxes[..., :2], 1.0), axis=1)
  high = tf.reduce_max(tf.where(there, boxes[..., 2:], 0.0), axis=1)
  count = tf.maximum(tf.reduce_sum(tf.cast(present, tf.float32), axis=1), 1.0)
  room = 0.5 * tf.maximum(high[:, 0] - low[:, 0], 0.0) / count
  middle = (tf.range(size, dtype=tf.float32) + 0.5) / size
  inside = [(middle > low[:, k, None] - room[:, None]) & (middle < high[:, k, None]
                                                         + room[:, None]) for k in (0, 1)]
  near = inside[0][:, :, tf.newaxis] & inside[1][:, tf.newaxis]
  return tf.where(near, 1.0, background)


@tf.keras.utils.register_keras_serializable(package="garden")
class Graphics(tf.keras.layers.Layer):
  """State, camera, light and the image it is to explain -> the reconstruction and the paint.

  Called on `{"state", "camera", "light", "image", "focus"}` (`image` `[N, s, s, 3]` in [0, 1],
  `focus` `[N, s, s]`) it returns a dict of `image` `[N, s, s, 3]`, `color` `[N, B, 3]` of the
  blocks, `floor_color` `[N, 2, 3]`, `sky_color` `[N, 3]`, `shares` and `ids`.

  Args:
    image_size: s, side of the picture in pixels.
    softness: of its edges in pixels; 0 draws hard ones.
    shadows: whether blocks cast shadows.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> blocks = {"present": tf.keras.Input([4], dtype="bool"), "position": tf.keras.Input([4, 3]),
    ...           "rotation": tf.keras.Input([4, 4]), "size": tf.keras.Input([4, 3])}
    >>> inputs = {"state": blocks, "camera": tf.keras.Input([7]), "light": tf.keras.Input([4]),
    ...           "image": tf.keras.Input([84, 84, 3]), "focus": tf.keras.Input([84, 84])}
    >>> tf.keras.Model(inputs, Graphics(84)(inputs)["image"]).output_shape
    (None, 84, 84, 3)
  """

  def __init__(self, image_size=84, softness=1.0, shadows=True, **kwargs):
    super().__init__(**kwargs)
    camera_lib.checked_size(image_size)
    self.image_size, self.softness, self.shadows = int(image_size), softness, bool(shadows)

  def call(self, inputs):
    """The dict of what there is to draw -> the dict of what was drawn."""
    share, ids = shares(inputs["state"], inputs["camera"], inputs["light"], self.image_size,
                        self.softness, self.shadows)
    paint = fit_paint(share, inputs["image"], inputs["focus"])
    image = tf.clip_by_value(tf.einsum("nhwk,nkc->nhwc", share, paint), 0.0, 1.0)
    places = share.shape[-1] - _FLOOR_AND_SKY
    return {"image": image, "color": tf.clip_by_value(paint[:, :places], 0.0, 1.0),
            "floor_color": paint[:, places:-1], "sky_color": paint[:, -1],
            "shares": share, "ids": ids}

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "image_size": self.image_size, "softness": self.softness,
            "shadows": self.shadows}
