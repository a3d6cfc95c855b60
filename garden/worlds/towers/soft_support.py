"""The support test of `support` in TensorFlow, differentiable: physics with a gradient.

    side_ik  = distance of the centre of mass above interface i from side k of the faces there
    margin   = -tau log sum_ik exp(-side_ik / tau)           (tau -> 0: the least of them)
    p(falls) = sigmoid(-margin / scale)

in block widths. At an interface there are eight sides, four of the lower block's top face and
four of the upper block's bottom face; opposite sides share one distance, `half - |local|`.
"""

import tensorflow as tf

_FAR = 10.0  # block widths, of an interface that isn't there
_LONE = 0.5  # margin of a block that carries nothing, as in `support.margin`
_SMALL = 1e-6  # keeps |x| differentiable at 0


def margins(present, position, yaw, size):
  """Distances of the centres of mass from the sides of what carries them.

  Args:
    present: `[N, B]` bool, blocks first, from the bottom up: no empty place below a block.
    position: `[N, B, 3]` float32, metres.
    yaw: `[N, B]` float32, radians about the vertical.
    size: `[N, B, 3]` float32, half the extents.

  Returns:
    `[N, B - 1, 4]` float32 in widths of the smaller face's shorter side: along both axes of the
    lower block and of the upper one; 10 where there is no interface. Their least is what
    `support.margins` gives.

  Example:
    sides = margins(towers.present, towers.position, scene.yaw_of(towers.rotation), towers.size)
  """
  present = tf.cast(present, tf.bool)
  position, yaw, size = (tf.cast(x, tf.float32) for x in (position, yaw, size))
  mass = tf.where(present, tf.reduce_prod(size, axis=-1), 0.0)
  above = tf.cumsum(mass, axis=1, reverse=True)
  moment = tf.cumsum(mass[..., tf.newaxis] * position[..., :2], axis=1, reverse=True)
  com = moment[:, 1:] / tf.maximum(above[:, 1:], 1e-9)[..., tf.newaxis]
  cos, sin = tf.cos(yaw), tf.sin(yaw)

  def inside(block):
    """`half - |local|` along both axes of the blocks of a slice, `[N, B - 1, 2]`."""
    x, y = tf.unstack(com - position[:, block, :2], axis=-1)
    local = tf.stack([cos[:, block] * x + sin[:, block] * y,
                      cos[:, block] * y - sin[:, block] * x], axis=-1)
    return size[:, block, :2] - tf.sqrt(tf.square(local) + _SMALL ** 2)

  sides = tf.concat([inside(slice(None, -1)), inside(slice(1, None))], axis=-1)
  narrow = tf.reduce_min(size[..., :2], axis=-1)
  width = 2.0 * tf.minimum(narrow[:, :-1], narrow[:, 1:])
  there = (present[:, 1:] & present[:, :-1])[..., tf.newaxis]
  return tf.where(there, sides / tf.maximum(width, 1e-9)[..., tf.newaxis], _FAR)


@tf.keras.utils.register_keras_serializable(package="garden")
class SoftSupport(tf.keras.layers.Layer):
  """Does a tower stand? Differentiable in poses and sizes.

  Called on a mapping with `present` `[N, B]`, `position` `[N, B, 3]`, `yaw` `[N, B]` and `size`
  `[N, B, 3]` (see `margins`), returns a dict of `margin` `[N]`, in block widths, above 0 where
  the tower stands, and `fall_probability` `[N]`.

  Args:
    softness: tau of the soft minimum in block widths, at least 0; 0 is the minimum itself,
      whose gradient is that of one side alone.
    scale: of the probability, in block widths, above 0: the error of the poses. Towers whose
      margin is `scale` fall with probability .27.
    **kwargs: of `tf.keras.layers.Layer`.

  Raises:
    ValueError: an argument is outside its range.

  Example:
    >>> poses = {"present": tf.keras.Input([4], dtype="bool"), "position": tf.keras.Input([4, 3]),
    ...          "yaw": tf.keras.Input([4]), "size": tf.keras.Input([4, 3])}
    >>> stability = SoftSupport(scale=0.03)(poses)
    >>> tf.keras.Model(poses, stability["fall_probability"]).output_shape
    (None,)
  """

  def __init__(self, softness=0.01, scale=0.03, **kwargs):
    super().__init__(**kwargs)
    if not 0 <= softness < float("inf"):
      raise ValueError(f"softness is {softness}; it must be at least 0 block widths")
    if not 0 < scale < float("inf"):
      raise ValueError(f"scale is {scale}; it must be above 0 block widths")
    self.softness, self.scale = float(softness), float(scale)

  def call(self, state):
    """The mapping of poses -> the dict of margins and probabilities."""
    sides = margins(state["present"], state["position"], state["yaw"], state["size"])
    flat = tf.reshape(sides, [-1, sides.shape[1] * 4])
    flat = tf.concat([flat, tf.fill([tf.shape(flat)[0], 1], _LONE)], axis=1)
    if self.softness:
      margin = -self.softness * tf.reduce_logsumexp(-flat / self.softness, axis=1)
    else:
      margin = tf.reduce_min(flat, axis=1)
    return {"margin": margin, "fall_probability": tf.sigmoid(-margin / self.scale)}

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "softness": self.softness, "scale": self.scale}
