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

from garden.core import layers


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
    >>> maps = tf.keras.Input([14, 14, 128])
    >>> logits = MaskHead(n_classes=5, n_times=4)(maps)
    >>> tf.keras.Model(maps, tf.argmax(logits, axis=-1)).output_shape
    (None, 56, 56, 4)
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
    self.norms = [layers.normalization(self.dtype_policy) for _ in self.convolutions]
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
