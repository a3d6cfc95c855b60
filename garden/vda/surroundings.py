"""What is around a tower, from the whole image: light, floor and, where it isn't given, the camera.

Neither can be told from one block, so this is a small net of its own on the whole image, with
eight numbers, each brought to about +-1:

    light    slopes to the camera's right and away, ambient share, logarithm of a tile's side
    camera   elevation, distance, field of view, height of the target

The camera's azimuth and where it looks on the floor can't be seen in an image, and nothing that
is asked depends on them: the world turns with the camera.
"""

import tensorflow as tf

from garden.core import layers

#: Middle and half the range of the protocol's scenes.
_LIGHT = ((0.0, 0.0, 0.44, 0.07), (0.6, 0.6, 0.1, 0.4))
_CAMERA = ((0.275, 9.5, 38.0, 1.45), (0.175, 1.0, 4.0, 0.6))
_PLACES = (1, 2, 3, 6)  # of these numbers among the camera's seven


def camera_targets(camera):
  """What the net is to say of cameras: `[N, 7]` -> `[N, 4]`, about +-1."""
  return (tf.gather(camera, _PLACES, axis=1) - _CAMERA[0]) / tf.constant(_CAMERA[1])


def light_targets(light):
  """What the net is to say of lights: `[N, 4]` of `arrays.light_numbers` -> about +-1."""
  return (light - _LIGHT[0]) / tf.constant(_LIGHT[1])


@tf.keras.utils.register_keras_serializable(package="garden")
class Surroundings(tf.keras.layers.Layer):
  """Images to lights and cameras: `[N, s, s, 3]` in [0, 1] -> dict of what there is around.

  `light` is `[N, 4]` (see `graphics.light_fields`), `camera` `[N, 7]` with an azimuth of 0 and
  the target over the middle of the floor, `numbers` `[N, 8]` the net's own.

  Args:
    filters: of the trunk.
    units: of the vector that knows where things are.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> images = tf.keras.Input([84, 84, 3])
    >>> found = Surroundings()(images)
    >>> tf.keras.Model(images, [found["light"], found["camera"]]).output_shape
    [(None, 4), (None, 7)]
  """

  def __init__(self, filters=(8, 24, 32), units=96, **kwargs):
    super().__init__(**kwargs)
    self.filters, self.units = tuple(filters), int(units)
    policy = dict(dtype=self.dtype_policy)
    self.trunk = layers.Trunk(self.filters, blocks=1, **policy)
    self.layout = layers.LayoutHead(16, self.units, **policy)
    self.numbers = tf.keras.layers.Dense(8, dtype="float32")

  def call(self, images, training=None):
    """Images -> the dict."""
    seen = self.layout(self.trunk(images, training=training)[-1], training=training)
    numbers = self.numbers(seen)
    light = numbers[:, :4] * tf.constant(_LIGHT[1]) + _LIGHT[0]
    # Cameras further away from those of training than this don't occur, and would break geometry.
    bounded = tf.clip_by_value(numbers[:, 4:], -2.0, 2.0) * tf.constant(_CAMERA[1]) + _CAMERA[0]
    elevation, distance, fovy, height = tf.unstack(bounded, axis=1)
    zero = tf.zeros_like(height)
    camera = tf.stack([zero, elevation, distance, fovy, zero, zero, height], axis=1)
    return {"light": light, "camera": camera, "numbers": numbers}

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "filters": self.filters, "units": self.units}
