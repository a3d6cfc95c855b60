"""Tables seen from above, in TensorFlow: discs with soft edges, differentiable in place and size.

    cover_b = clip(1/2 + (r_b - |x - p_b|) / edge, 0, 1)
    image   = cloth prod_b (1 - cover_b) + sum_b color_b cover_b prod_{later k} (1 - cover_k)

With an edge of one pixel these are the pictures of an antialiased circle; a wider one reaches
further with its gradients.
"""

import tensorflow as tf

from garden.worlds.billiards import scene as scene_lib

_FIELDS = ("present", "position", "radius", "color", "cloth_color")
_SMALL = 1e-12  # m^2, keeps the square root's gradient finite at a ball's middle


def render(scene, image_size, softness=1.0):
  """Pictures of tables.

  Args:
    scene: mapping as `Tables.arrays()` gives it, of arrays or tensors; N may be unknown.
    image_size: side of the square picture in pixels.
    softness: width of the edges in pixels, above 0; 1 is antialiased, 2 to 6 for fitting.

  Returns:
    dict of
      image: `[N, s, s, 3]` float32 in [0, 1], row 0 at the top (y = +1 m).
      ids: `[N, s, s]` int32 at the pixels' middles, b + 1 for the ball in place b, 0 for cloth.

  Raises:
    ValueError: the scene lacks a field, or an argument is outside its range.

  Example:
    >>> render(scene.sample(8, seed=0).arrays(), 64)["image"].shape
    TensorShape([8, 64, 64, 3])
  """
  _check(image_size, softness)
  missing = [name for name in _FIELDS if name not in scene]
  if missing:
    raise ValueError(f"the scene has no {missing[0]}; it needs {', '.join(_FIELDS)}")
  present = tf.cast(scene["present"], tf.float32)
  position, radius, color, cloth = (tf.cast(scene[name], tf.float32) for name in _FIELDS[1:])
  pixel = 2.0 * scene_lib.HALF_TABLE / image_size
  middle = pixel * (tf.range(image_size, dtype=tf.float32) + 0.5) - scene_lib.HALF_TABLE
  across = middle[tf.newaxis, tf.newaxis, tf.newaxis, :] - position[..., 0, None, None]
  up = -middle[tf.newaxis, tf.newaxis, :, tf.newaxis] - position[..., 1, None, None]
  inside = radius[..., None, None] - tf.sqrt(across ** 2 + up ** 2 + _SMALL)  # [N, B, s, s]
  cover = tf.clip_by_value(0.5 + inside / (softness * pixel), 0.0, 1.0)
  cover *= present[..., None, None]
  image = tf.broadcast_to(cloth[:, None, None], [tf.shape(cover)[0], image_size, image_size, 3])
  ids = tf.zeros_like(inside[:, 0], tf.int32)
  for b in range(cover.shape[1]):
    share = cover[:, b, ..., tf.newaxis]
    image = image * (1.0 - share) + color[:, b, None, None] * share
    hit = (inside[:, b] >= 0.0) & (present[:, b, None, None] > 0.0)
    ids = tf.where(hit, b + 1, ids)
  return {"image": image, "ids": ids}


def _check(image_size, softness):
  """Raises a ValueError for what can't be drawn."""
  if not isinstance(image_size, int) or image_size < 1:
    raise ValueError(f"image_size is {image_size!r}; it must be a whole number of pixels, at "
                     "least 1")
  if not tf.is_tensor(softness) and not softness > 0:
    raise ValueError(f"softness is {softness}; it must be above 0 pixels: 1 is antialiased")


@tf.keras.utils.register_keras_serializable(package="garden")
class TableRenderer(tf.keras.layers.Layer):
  """`render` as a layer: a dict of tables in, a dict of pictures out.

  Args:
    image_size: side of the picture in pixels.
    softness: width of the edges in pixels, above 0.
    **kwargs: of `tf.keras.layers.Layer`.

  Raises:
    ValueError: an argument is outside its range.

  Example:
    >>> shapes = {"present": [4], "position": [4, 2], "radius": [4], "color": [4, 3],
    ...           "cloth_color": [3]}
    >>> tables = {name: tf.keras.Input(shape) for name, shape in shapes.items()}
    >>> tf.keras.Model(tables, TableRenderer(64)(tables)["image"]).output_shape
    (None, 64, 64, 3)
  """

  def __init__(self, image_size, softness=1.0, **kwargs):
    super().__init__(**kwargs)
    _check(image_size, softness)
    self.image_size, self.softness = image_size, softness

  def call(self, scene):
    """`render` of the tables."""
    return render(scene, self.image_size, self.softness)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "image_size": self.image_size, "softness": self.softness}
