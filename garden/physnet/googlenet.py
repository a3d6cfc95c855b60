"""GoogLeNet (Szegedy et al., CVPR 2015), Inception-v1: the fall-only baseline.

The paper's was pre-trained on ImageNet and fine-tuned with one logistic unit in place of the
last layer; this one starts from random weights, with batch norm after each convolution in
place of the two auxiliary classifiers that helped the original to train.
"""

import tensorflow as tf

from garden.core import layers

# 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection: table 1 of the paper.
_INCEPTIONS = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    ((192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64),
     (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128)),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)))


@tf.keras.utils.register_keras_serializable(package="garden")
class ConvNorm(tf.keras.layers.Layer):
  """Convolution, batch norm, ReLU.

  Args:
    filters: channels of the result.
    kernel: side of the kernel.
    stride: of the convolution.
    **kwargs: of `tf.keras.layers.Layer`.
  """

  def __init__(self, filters, kernel, stride=1, **kwargs):
    super().__init__(**kwargs)
    self.filters, self.kernel, self.stride = int(filters), int(kernel), int(stride)
    self.convolution = tf.keras.layers.Conv2D(
        self.filters, self.kernel, strides=self.stride, padding="same", use_bias=False,
        kernel_initializer="he_normal", dtype=self.dtype_policy)
    self.norm = layers.normalization(self.dtype_policy)

  def call(self, x, training=None):
    """`[b, h, w, c]` -> `[b, h / stride, w / stride, filters]`."""
    return tf.nn.relu(self.norm(self.convolution(x), training=training))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "filters": self.filters, "kernel": self.kernel,
            "stride": self.stride}


@tf.keras.utils.register_keras_serializable(package="garden")
class Inception(tf.keras.layers.Layer):
  """Four branches side by side: 1x1; 1x1, 3x3; 1x1, 5x5; pool, 1x1.

  Args:
    filters: the six widths, as in table 1 of the paper.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> maps = tf.keras.Input([28, 28, 192])
    >>> tf.keras.Model(maps, Inception((64, 96, 128, 16, 32, 32))(maps)).output_shape
    (None, 28, 28, 256)
  """

  def __init__(self, filters, **kwargs):
    super().__init__(**kwargs)
    self.filters = tuple(int(f) for f in filters)
    if len(self.filters) != 6:
      raise ValueError(f"filters are {self.filters}; an inception block has six widths")
    self.pool = tf.keras.layers.MaxPooling2D(3, strides=1, padding="same")
    # A flat list: Keras's own files leave out, silently, what is in lists of lists.
    self.convolutions = [ConvNorm(f, kernel, dtype=self.dtype_policy)
                         for f, kernel in zip(self.filters, (1, 1, 3, 1, 5, 1))]

  def call(self, x, training=None):
    """`[b, h, w, c]` -> `[b, h, w, sum of the branches' widths]`."""
    one, reduce3, three, reduce5, five, pool = self.convolutions
    results = []
    for branch, y in (([one], x), ([reduce3, three], x), ([reduce5, five], x),
                      ([pool], self.pool(x))):
      for layer in branch:
        y = layer(y, training=training)
      results.append(y)
    return tf.concat(results, axis=-1)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "filters": self.filters}


@tf.keras.utils.register_keras_serializable(package="garden")
class GoogLeNet(tf.keras.layers.Layer):
  """Inception-v1 as a trunk: images in [0, 1] -> maps at strides 4 and 8 times `stem`'s.

  Args:
    width: factor of all widths; 1 as published.
    stem: "large" for 7x7/2 and pooling as published (stride 32 in all, for 224 px), or
      "small" for 5x5/2 alone (stride 8 in all, for images of 64 to 128 px).
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> images = tf.keras.Input([224, 224, 3])
    >>> fine, coarse = GoogLeNet(stem="large")(images)
    >>> tf.keras.Model(images, [fine, coarse]).output_shape
    [(None, 14, 14, 832), (None, 7, 7, 1024)]
  """

  def __init__(self, width=1.0, stem="large", **kwargs):
    super().__init__(**kwargs)
    self.width, self.stem = float(width), stem
    if stem not in ("large", "small"):
      raise ValueError(f"stem is {stem!r}; it must be 'large' or 'small'")
    policy = dict(dtype=self.dtype_policy)

    def scaled(value):
      return max(4, round(self.width * value))

    self.pool = tf.keras.layers.MaxPooling2D(3, strides=2, padding="same")
    if stem == "large":
      self.first = [ConvNorm(scaled(64), 7, 2, **policy), self.pool,
                    ConvNorm(scaled(64), 1, **policy), ConvNorm(scaled(192), 3, **policy),
                    self.pool]
    else:
      self.first = [ConvNorm(scaled(64), 5, 2, **policy), ConvNorm(scaled(192), 3, **policy)]
    self.inceptions = [Inception([scaled(f) for f in filters], **policy)
                       for group in _INCEPTIONS for filters in group]

  def call(self, images, training=None):
    """Images in [0, 1] -> `[fine, coarse]`, the outputs of groups 4 and 5."""
    x = 2.0 * tf.cast(images, self.compute_dtype) - 1.0
    for layer in self.first:
      x = layer(x) if layer is self.pool else layer(x, training=training)
    maps, blocks = [], iter(self.inceptions)
    for number, group in enumerate(_INCEPTIONS):
      if number:
        x = self.pool(x)
      for _ in group:
        x = next(blocks)(x, training=training)
      maps.append(x)
    return maps[1:]

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "width": self.width, "stem": self.stem}
