"""Keras layers that more than one room builds on: a trunk that keeps the layout, a segmenter.

All are small enough to be trained from scratch in minutes on a CPU: the trunk stops at stride 8,
and its head flattens where others pool, as what is asked is where things are.
"""

import tensorflow as tf

_MOMENTUM = 0.95  # Keras's .99 averages over more steps than a short run has


def normalization(dtype):
  """Batch norm with the momentum of short runs, alike on every replica."""
  # The synchronized kind isn't fused and costs a third of the step: only where it's needed.
  several = tf.distribute.get_strategy().num_replicas_in_sync > 1
  return tf.keras.layers.BatchNormalization(
      momentum=_MOMENTUM, synchronized=several, dtype=dtype)


def add_coordinates(images):
  """Appends x and y in [-1, 1] as two channels: `[b, h, w, c]` -> `[b, h, w, c + 2]`."""
  shape = tf.shape(images)
  y, x = (tf.linspace(-1.0, 1.0, shape[axis]) for axis in (1, 2))
  grid = tf.stack(tf.meshgrid(x, y), axis=-1)[tf.newaxis]
  grid = tf.tile(tf.cast(grid, images.dtype), [shape[0], 1, 1, 1])
  return tf.concat([images, grid], axis=-1)


@tf.keras.utils.register_keras_serializable(package="garden")
class ResidualBlock(tf.keras.layers.Layer):
  """Two 3x3 convolutions with batch norm and a shortcut: `[b, h, w, c]` -> `[b, h/s, w/s, f]`.

  Args:
    filters: f, channels of the result.
    stride: s, of the first convolution.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> maps = tf.keras.Input([32, 32, 32])
    >>> tf.keras.Model(maps, ResidualBlock(64, stride=2)(maps)).output_shape
    (None, 16, 16, 64)
  """

  def __init__(self, filters, stride=1, **kwargs):
    super().__init__(**kwargs)
    self.filters, self.stride = int(filters), int(stride)
    make = dict(padding="same", use_bias=False, kernel_initializer="he_normal",
                dtype=self.dtype_policy)
    self.first = tf.keras.layers.Conv2D(self.filters, 3, strides=self.stride, **make)
    self.second = tf.keras.layers.Conv2D(self.filters, 3, **make)
    self.norms = [normalization(self.dtype_policy) for _ in range(2)]
    self.shortcut = None

  def build(self, input_shape):
    """Projects the shortcut only where the shape changes."""
    if self.stride != 1 or input_shape[-1] != self.filters:
      self.shortcut = tf.keras.layers.Conv2D(
          self.filters, 1, use_bias=False, kernel_initializer="he_normal",
          dtype=self.dtype_policy)
    super().build(input_shape)

  def call(self, x, training=None):
    """`[b, h, w, c]` -> `[b, h / stride, w / stride, filters]`."""
    y = tf.nn.relu(self.norms[0](self.first(x), training=training))
    y = self.norms[1](self.second(y), training=training)
    if self.shortcut is not None:
      # Every other pixel, then 1x1: the same numbers as a 1x1 convolution with stride 2, whose
      # gradient in oneDNN writes out of bounds on CPUs without AVX-512 (TensorFlow 2.15).
      x = self.shortcut(x[:, ::self.stride, ::self.stride])
    return tf.nn.relu(y + x)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "filters": self.filters, "stride": self.stride}


@tf.keras.utils.register_keras_serializable(package="garden")
class Trunk(tf.keras.layers.Layer):
  """The stride-8 trunk: `[b, h, w, 3]` -> maps at strides 4 and 8.

      5x5/2 convolution -> residual block -> per stage two blocks, the first with stride 2

  Two channels with the pixels' coordinates are added in front, as the input is scaled to +-1.

  Args:
    filters: channels of the stem and of the two stages.
    blocks: residual blocks a stage.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> images = tf.keras.Input([112, 112, 3])
    >>> fine, coarse = Trunk()(images)
    >>> tf.keras.Model(images, [fine, coarse]).output_shape
    [(None, 28, 28, 64), (None, 14, 14, 128)]
  """

  def __init__(self, filters=(32, 64, 128), blocks=2, **kwargs):
    super().__init__(**kwargs)
    self.filters, self.blocks = tuple(int(f) for f in filters), int(blocks)
    if len(self.filters) != 3 or self.blocks < 1:
      raise ValueError(f"filters are {self.filters} and blocks is {self.blocks}; the trunk has a "
                       "stem and two stages, each of a block or more")
    self.stem = tf.keras.layers.Conv2D(
        self.filters[0], 5, strides=2, padding="same", use_bias=False,
        kernel_initializer="he_normal", dtype=self.dtype_policy)
    self.norm = normalization(self.dtype_policy)
    self.first = ResidualBlock(self.filters[0], dtype=self.dtype_policy)
    # A flat list: Keras's own files leave out, silently, what is in lists of lists.
    self.residuals = [ResidualBlock(f, 2 if i == 0 else 1, dtype=self.dtype_policy)
                      for f in self.filters[1:] for i in range(self.blocks)]

  def call(self, images, training=None):
    """Images in [0, 1] -> `[fine, coarse]`, strides 4 and 8."""
    x = add_coordinates(2.0 * tf.cast(images, self.compute_dtype) - 1.0)
    x = tf.nn.relu(self.norm(self.stem(x), training=training))
    x = self.first(x, training=training)
    maps = []
    for number, block in enumerate(self.residuals, 1):
      x = block(x, training=training)
      if number % self.blocks == 0:
        maps.append(x)
    return maps

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "filters": self.filters, "blocks": self.blocks}


@tf.keras.utils.register_keras_serializable(package="garden")
class LayoutHead(tf.keras.layers.Layer):
  """A map to a vector that knows where things are: 1x1 convolution, flatten, dense.

  Batch norm after the convolution and a leak in the last ReLU keep the large first gradients of
  pose targets from switching all units off for good, which they did in some runs.

  Args:
    squeeze: channels after the 1x1 convolution.
    units: size of the vector.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> maps = tf.keras.Input([14, 14, 128])
    >>> tf.keras.Model(maps, LayoutHead(units=256)(maps)).output_shape
    (None, 256)
  """

  def __init__(self, squeeze=48, units=256, **kwargs):
    super().__init__(**kwargs)
    self.squeeze, self.units = int(squeeze), int(units)
    self.convolution = tf.keras.layers.Conv2D(
        self.squeeze, 1, use_bias=False, kernel_initializer="he_normal",
        dtype=self.dtype_policy)
    self.norm = normalization(self.dtype_policy)
    self.flatten = tf.keras.layers.Flatten()
    self.dense = tf.keras.layers.Dense(self.units, activation=tf.nn.leaky_relu,
                                       dtype=self.dtype_policy)

  def call(self, x, training=None):
    """`[b, h, w, c]` -> `[b, units]`."""
    x = tf.nn.relu(self.norm(self.convolution(x), training=training))
    return self.dense(self.flatten(x))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "squeeze": self.squeeze, "units": self.units}


@tf.keras.utils.register_keras_serializable(package="garden")
class Segmenter(tf.keras.layers.Layer):
  """A small colour segmenter: `[b, h, w, 3]` in [0, 1] -> logits `[b, h, w, n_classes]`.

  Colours at full size, and at half the size what is around them, by dilated convolutions: a block
  and a floor of the same colour are told apart by their shapes.

  Args:
    n_classes: background and colours.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> images = tf.keras.Input([84, 84, 3])
    >>> masks = tf.argmax(Segmenter(n_classes=5)(images), axis=-1)
    >>> tf.keras.Model(images, masks).output_shape
    (None, 84, 84)
  """

  def __init__(self, n_classes=5, **kwargs):
    super().__init__(**kwargs)
    self.n_classes = int(n_classes)
    make = dict(padding="same", use_bias=False, kernel_initializer="he_normal",
                dtype=self.dtype_policy)
    self.fine = tf.keras.layers.Conv2D(16, 3, **make)
    self.half = tf.keras.layers.Conv2D(24, 3, strides=2, **make)
    self.around = [tf.keras.layers.Conv2D(24, 3, dilation_rate=rate, **make)
                   for rate in (1, 2, 4, 8)]
    self.mix = tf.keras.layers.Conv2D(16, 1, **make)
    self.norms = [normalization(self.dtype_policy) for _ in range(7)]
    self.logits = tf.keras.layers.Conv2D(self.n_classes, 3, padding="same",
                                         dtype=self.dtype_policy)

  def call(self, images, training=None):
    """Images in [0, 1] -> logits, before the softmax."""
    def act(number, x):
      return tf.nn.relu(self.norms[number](x, training=training))

    fine = act(0, self.fine(2.0 * tf.cast(images, self.compute_dtype) - 1.0))
    x = act(1, self.half(fine))
    for number, convolution in enumerate(self.around, 2):
      x += act(number, convolution(x))
    x = tf.cast(tf.image.resize(x, tf.shape(fine)[1:3]), fine.dtype)
    x = self.logits(act(6, self.mix(tf.concat([fine, x], axis=-1))))
    return tf.cast(x, tf.float32)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_classes": self.n_classes}


def segment_loss(logits, segments):
  """Mean cross-entropy of the segmenter.

  Args:
    logits: `[b, s, s, n_classes]` float.
    segments: `[b, h, w]` int, true colour classes, brought to s x s by the nearest pixel.

  Returns:
    Float scalar.
  """
  labels = tf.image.resize(segments[..., tf.newaxis], logits.shape[1:3], method="nearest")
  return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
      tf.cast(labels[..., 0], tf.int32), logits))


def not_empty(x):
  """`x` `[n, ...]`, or one example of zeros if n is 0: convolutions on a CPU fail on none."""
  spare = tf.cast(tf.equal(tf.shape(x)[0], 0), tf.int32)
  padded = tf.pad(x, [[0, spare], *[[0, 0]] * (x.shape.rank - 1)])
  return tf.ensure_shape(padded, [None, *x.shape[1:]])
