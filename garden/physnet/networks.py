"""The networks of PhysNet: a trunk that keeps the layout, the fall head, the mask branch.

PhysNet (Lerer, Gross, Fergus, ICML 2016) puts two heads on the last map of a ResNet: one
logit "does it fall", and a branch that predicts where the blocks will be at several times,
all times at once, as a softmax over background and the blocks' colours at each of 56x56
pixels. The branch alternates 2x upsampling and convolution, so it is convolutional.

Deviation: the paper's trunk ends at 7x7 and its fall head pools. At the small sizes here,
where it is trained from scratch, the trunk stops at stride 8 and the fall head flattens: whether
a tower stands is a matter of where its blocks are, which pooling would throw away.
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
    halved = ResidualBlock(64, stride=2)(tf.zeros([8, 32, 32, 32]))  # [8, 16, 16, 64]
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
    fine, coarse = Trunk()(tf.zeros([8, 112, 112, 3]))  # [8, 28, 28, 64], [8, 14, 14, 128]
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
    vector = LayoutHead(units=256)(tf.zeros([8, 14, 14, 128]))  # [8, 256]
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
class MaskHead(tf.keras.layers.Layer):
  """PhysNet's mask branch: where each block will be at each time.

  `[b, h, w, c]` -> logits `[b, H, W, n_times, n_classes]`, H = h * 2^len(filters): two 3x3
  convolutions at the coarse end, then 2x bilinear upsampling and a 3x3 convolution for each of
  `filters`, at last 1x1 to one softmax a time over background (0) and colour classes. With a
  `size` the map is brought to size / 2^len(filters) first, so that H = W = size.

  Args:
    n_classes: background and colours; PhysNet has 5.
    n_times: time steps; PhysNet has 4 (0, 1, 2, 4 s).
    coarse: channels at the coarse end.
    filters: channels after each upsampling.
    size: side of the masks in pixels, a multiple of 2^len(filters); None for h * 2^len(filters).
    **kwargs: of `tf.keras.layers.Layer`.

  Raises:
    ValueError: no class but background, no time, or a size that can't be halved so often.

  Example:
    logits = MaskHead(n_classes=5, n_times=4)(tf.zeros([8, 14, 14, 128]))  # [8, 56, 56, 4, 5]
    masks = tf.argmax(logits, axis=-1)
  """

  def __init__(self, n_classes=5, n_times=4, coarse=128, filters=(64, 32), size=None,
               **kwargs):
    super().__init__(**kwargs)
    self.n_classes, self.n_times, self.coarse = int(n_classes), int(n_times), int(coarse)
    self.filters = tuple(int(f) for f in filters)
    self.size = None if size is None else int(size)
    times = 2 ** len(self.filters)
    if self.size is not None and (self.size < times or self.size % times):
      raise ValueError(f"size is {size}; {len(self.filters)} upsamplings need a multiple of "
                       f"{times}")
    if self.n_classes < 2 or self.n_times < 1:
      raise ValueError(f"n_classes is {n_classes} and n_times is {n_times}; a mask needs "
                       "background and a block at one time or more")
    make = dict(padding="same", use_bias=False, kernel_initializer="he_normal",
                dtype=self.dtype_policy)
    self.convolutions = [tf.keras.layers.Conv2D(f, 3, **make)
                         for f in (self.coarse, self.coarse, *self.filters)]
    self.norms = [normalization(self.dtype_policy) for _ in self.convolutions]
    self.upsample = tf.keras.layers.UpSampling2D(2, interpolation="bilinear")
    self.logits = tf.keras.layers.Conv2D(self.n_classes * self.n_times, 1, name="logits",
                                         dtype=self.dtype_policy)

  def call(self, x, training=None):
    """`[b, h, w, c]` -> `[b, H, W, n_times, n_classes]`, before the softmax."""
    if self.size is not None:
      side = self.size // 2 ** len(self.filters)
      x = tf.cast(tf.image.resize(x, [side, side]), x.dtype)
    for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
      if i >= 2:
        x = self.upsample(x)
      x = tf.nn.relu(norm(convolution(x), training=training))
    x = self.logits(x)
    shape = tf.shape(x)
    return tf.reshape(x, [shape[0], shape[1], shape[2], self.n_times, self.n_classes])

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_classes": self.n_classes, "n_times": self.n_times,
            "coarse": self.coarse, "filters": self.filters, "size": self.size}
