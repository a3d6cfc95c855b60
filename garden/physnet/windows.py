"""What one window per pair of neighbouring blocks says, and how windows make a tower.

Whether a tower stands is decided at its interfaces, so one network looks at each pair of
neighbours, the same for all levels and all towers, and a head reads the windows from the top
down, carrying a state: what rests on an interface is all that is above it. A tower falls if it
falls at any interface:

    logit(tower) = logsumexp over interfaces of logit(interface)

Boxes are (y0, x0, y1, x1) in [0, 1] of the image, pairs go from the lowest interface up.
"""

import tensorflow as tf

from garden.core import layers

STANDS = -12.0  # logit of a tower without an interface
#: Box heights of a pair of neighbours in blocks, as seen from the front; what a window's
#: scale is set by. (Two blocks, and the top face in perspective.)
_PAIR_BLOCKS = 2.25


def block_height(union):
  """Height of a block in the image from the boxes of pairs, `[..., 4]` -> `[...]`."""
  return (union[..., 2] - union[..., 0]) / _PAIR_BLOCKS


def context(windows):
  """What a window's place says of the camera: `[..., 4]` -> `[..., 3]`, about +-1.

  The height of a window in the image is the distance; its middle is the angle of view.
  """
  middle = windows[..., :2] + windows[..., 2:] - 1.0
  height = windows[..., 2:3] - windows[..., 0:1]
  return tf.concat([2.0 * middle, 4.0 * height - 1.5], axis=-1)


@tf.keras.utils.register_keras_serializable(package="garden")
class WindowNet(tf.keras.layers.Layer):
  """What one window says: `{"windows", "context"}` -> dict of `h`, `poses`, `masks`.

  `windows` are `[n, s, s, 3]` in [0, 1], `context` `[n, d]`. `h` is `[n, 128]`, `poses`
  `[n, 6]` (offset of the upper block across and in depth in block widths, cos and sin of
  4 yaw of the lower and of the upper block, by the camera), `masks` logits
  `[n, s / 4, s / 4, n_classes]` of the classes background, lower, upper, other block.

  Args:
    filters: channels of the trunk.
    n_classes: of the masks.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> inputs = {"windows": tf.keras.Input([64, 64, 3]), "context": tf.keras.Input([3])}
    >>> net = tf.keras.Model(inputs, WindowNet()(inputs))
    >>> net.output_shape["masks"]
    (None, 16, 16, 4)
  """

  def __init__(self, filters=(32, 64, 128), n_classes=4, **kwargs):
    super().__init__(**kwargs)
    self.filters, self.n_classes = tuple(filters), int(n_classes)
    policy = dict(dtype=self.dtype_policy)
    self.trunk = layers.Trunk(self.filters, **policy)
    self.layout = layers.LayoutHead(48, 256, **policy)
    self.place = tf.keras.layers.Dense(32, activation="relu", **policy)
    self.dense = tf.keras.layers.Dense(128, activation=tf.nn.leaky_relu, **policy)
    self.poses = tf.keras.layers.Dense(6, **policy)
    self.lateral = tf.keras.layers.Conv2D(48, 1, activation="relu", **policy)
    self.upsample = tf.keras.layers.UpSampling2D(2, interpolation="bilinear")
    self.mix = tf.keras.layers.Conv2D(32, 3, padding="same", activation="relu", **policy)
    self.masks = tf.keras.layers.Conv2D(self.n_classes, 1, **policy)

  def call(self, inputs, training=None):
    """The dict of windows and contexts -> the dict of outputs."""
    n = tf.shape(inputs["windows"])[0]
    cut, context_ = (layers.not_empty(inputs[name]) for name in ("windows", "context"))
    fine, coarse = self.trunk(cut, training=training)
    seen = self.layout(coarse, training=training)
    h = self.dense(tf.concat([seen, self.place(context_)], axis=-1))
    # Bilinear upsampling gives float32, whatever it takes.
    finer = tf.cast(self.upsample(self.lateral(coarse)), fine.dtype)
    mixed = self.mix(tf.concat([fine, finer], axis=-1))
    outputs = {"h": h, "poses": self.poses(h), "masks": self.masks(mixed)}
    return {name: tf.cast(value, tf.float32)[:n] for name, value in outputs.items()}

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "filters": self.filters, "n_classes": self.n_classes}


@tf.keras.utils.register_keras_serializable(package="garden")
class TopDownHead(tf.keras.layers.Layer):
  """Reads windows from the top interface down: `{"features", "valid"}` -> logits and margins.

  At interface i a MLP sees its window's features and the state of interface i + 1 (zeros
  above the top) and gives a new state, the logit of falling there, and the margin.

  `features` are `[b, W, d]`, `valid` `[b, W]` bool; returns a dict of `interfaces` `[b, W]`
  (logits), `margins` `[b, W]`, `fall` `[b]` (the tower's logit).

  Args:
    units: of the MLP's two layers.
    state: size of the state.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> inputs = {"features": tf.keras.Input([3, 134]), "valid": tf.keras.Input([3], dtype="bool")}
    >>> net = tf.keras.Model(inputs, TopDownHead()(inputs))
    >>> net.output_shape["fall"], net.output_shape["margins"]
    ((None,), (None, 3))
  """

  def __init__(self, units=128, state=64, **kwargs):
    super().__init__(**kwargs)
    self.units, self.state = int(units), int(state)
    self.hidden = [tf.keras.layers.Dense(self.units, activation="relu", dtype=self.dtype_policy)
                   for _ in range(2)]
    self.out = tf.keras.layers.Dense(self.state + 2, dtype=self.dtype_policy)

  def call(self, inputs):
    """Features of windows -> logits and margins of interfaces, logit of the tower."""
    features, valid = inputs["features"], inputs["valid"]
    mask = tf.cast(valid, features.dtype)
    state = tf.zeros([tf.shape(features)[0], self.state], features.dtype)
    logits, margins = [], []
    for i in reversed(range(features.shape[1])):
      x = tf.concat([features[:, i], state], axis=-1)
      for layer in self.hidden:
        x = layer(x)
      x = self.out(x)
      state = tf.nn.relu(x[:, 2:]) * mask[:, i, tf.newaxis]
      logits.append(x[:, 0])
      margins.append(x[:, 1])
    logits, margins = (tf.cast(tf.stack(values[::-1], axis=1), tf.float32)
                       for values in (logits, margins))
    return {"interfaces": logits, "margins": margins, "fall": tower_logit(logits, valid)}

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "units": self.units, "state": self.state}


def tower_logit(logits, valid):
  """Log-sum-exp of the valid interfaces' logits `[b, W]` -> `[b]`; a lone block stands."""
  lowest = tf.fill([tf.shape(logits)[0], 1], tf.cast(STANDS, logits.dtype))
  kept = tf.where(valid, logits, tf.cast(-1e9, logits.dtype))
  return tf.reduce_logsumexp(tf.concat([kept, lowest], axis=1), axis=1)
