"""BEGAN's auto-encoder, whose decoder is its generator too, and DA-GAN's agent on its code.

Berthelot et al. 2017. Encoder: conv 3x3 of n filters; at each size two conv 3x3 with ELU, then
one of stride 2 with n more filters; a linear layer to h numbers. Decoder: a linear layer to 8 x 8 x
n; at each size two conv 3x3 with ELU, then nearest neighbours to twice the size; a conv 3x3 to the
image. Nothing is normalised, and nothing is bent around h.

A size that halves to 7 instead of 8, as 224 does, starts from 7 x 7.
"""

import tensorflow as tf


def sizes_of(size):
  """The sizes from an image's down to the coarsest, 5 to 8: 32 -> (32, 16, 8).

  Raises:
    ValueError: the size doesn't halve to 5..8.
  """
  sizes = [size]
  while sizes[-1] > 8 and sizes[-1] % 2 == 0:
    sizes.append(sizes[-1] // 2)
  if not 5 <= sizes[-1] <= 8:
    raise ValueError(f"size is {size}; it must be 5 to 8 times a power of two, such as 32, 64, 128 "
                     "or 224")
  return tuple(sizes)


def _convolution(filters, spectral, dtype, strides=1):
  """A conv 3x3 with ELU, by its spectral norm if that is asked for."""
  layer = tf.keras.layers.Conv2D(filters, 3, strides=strides, padding="same", activation="elu",
                                 dtype=dtype)
  if not spectral:
    return layer
  if tf.distribute.get_strategy().num_replicas_in_sync > 1:
    raise ValueError("spectral normalisation of TensorFlow Addons works on one replica; leave "
                     "dagan.Network.spectral out, or train on one device")
  import tensorflow_addons as tfa  # Its ops stay out of what doesn't use them.
  return tfa.layers.SpectralNormalization(layer, dtype=dtype)


class _Convolutions(tf.keras.layers.Layer):
  """Two conv 3x3 with ELU. Where the size stays, out = c in + (1 - c) layer(in), c the carry."""

  def __init__(self, filters, spectral=False, **kwargs):
    super().__init__(**kwargs)
    self.layers = [_convolution(filters, spectral, self.dtype_policy) for _ in range(2)]

  def call(self, x, carry=None, training=None):
    """`[N, s, s, c]` -> `[N, s, s, filters]`; training is passed on by Keras."""
    del training
    for layer in self.layers:
      out = layer(x)
      if carry is not None and x.shape[-1] == out.shape[-1]:
        c = tf.cast(carry, out.dtype)
        out = c * x + (1.0 - c) * out
      x = out
    return x


@tf.keras.utils.register_keras_serializable(package="garden")
class Encoder(tf.keras.layers.Layer):
  """Images `[N, s, s, c]` in [-1, 1] -> codes `[N, h]`.

  Args:
    size: s, see `sizes_of`.
    filters: n.
    hidden: h.
    spectral: whether its convolutions are normalised by their spectral norm.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    codes = Encoder(32, filters=16, hidden=64)(images)
  """

  def __init__(self, size, filters=64, hidden=64, spectral=False, **kwargs):
    super().__init__(**kwargs)
    self.size, self.filters, self.hidden = int(size), int(filters), int(hidden)
    self.spectral, policy = bool(spectral), self.dtype_policy
    count = len(sizes_of(self.size))
    self.first = _convolution(self.filters, self.spectral, policy)
    self.blocks = [_Convolutions(self.filters * (k + 1), self.spectral, dtype=policy)
                   for k in range(count)]
    self.down = [_convolution(self.filters * (k + 2), self.spectral, policy, strides=2)
                 for k in range(count - 1)]
    self.code = tf.keras.layers.Dense(self.hidden, dtype=self.dtype_policy)

  def call(self, images, carry=None, training=None):
    """The codes; carry in [0, 1] is of vanishing residuals, None is without.

    Training, which Keras passes on, renews the spectral norms.
    """
    del training
    x = self.first(tf.cast(images, self.compute_dtype))
    for k, block in enumerate(self.blocks):
      x = block(x, carry)
      if k < len(self.down):
        x = self.down[k](x)
    return self.code(tf.reshape(x, [tf.shape(x)[0], x.shape[1] * x.shape[2] * x.shape[3]]))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "size": self.size, "filters": self.filters,
            "hidden": self.hidden, "spectral": self.spectral}


@tf.keras.utils.register_keras_serializable(package="garden")
class Decoder(tf.keras.layers.Layer):
  """Codes `[N, h]` -> images `[N, s, s, channels]` float32, linear; BEGAN's generator.

  Args:
    size: s, see `sizes_of`.
    filters: n.
    skip: the coarsest map goes, larger, to every size.
    channels: of an image.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    images = Decoder(64)(tf.random.uniform([8, 64], -1.0, 1.0))
  """

  def __init__(self, size, filters=64, skip=False, channels=3, **kwargs):
    super().__init__(**kwargs)
    self.size, self.filters, self.skip = int(size), int(filters), bool(skip)
    self.channels, self.sizes = int(channels), sizes_of(int(size))[::-1]
    self.start = tf.keras.layers.Dense(self.sizes[0] ** 2 * self.filters, dtype=self.dtype_policy)
    self.blocks = [_Convolutions(self.filters, dtype=self.dtype_policy) for _ in self.sizes]
    self.image = tf.keras.layers.Conv2D(self.channels, 3, padding="same", dtype="float32")

  def call(self, codes, carry=None, detail=None):
    """The images; carry as in `Encoder`, and detail `[N, s, s, channels]` for the last size."""
    side = self.sizes[0]
    x = first = tf.reshape(self.start(tf.cast(codes, self.compute_dtype)),
                           [-1, side, side, self.filters])
    for size, block in zip(self.sizes, self.blocks):
      if size != side:
        x = larger(x, size // x.shape[1])
        if self.skip:
          x = tf.concat([x, larger(first, size // side)], axis=-1)
      if detail is not None and size == self.size:
        x = tf.concat([x, tf.cast(detail, x.dtype)], axis=-1)
      x = block(x, carry)
    return self.image(tf.cast(x, tf.float32))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "size": self.size, "filters": self.filters, "skip": self.skip,
            "channels": self.channels}


@tf.keras.utils.register_keras_serializable(package="garden")
class BEGANAutoencoder(tf.keras.layers.Layer):
  """BEGAN's discriminator: images `[N, s, s, c]` in [-1, 1] -> their reconstructions.

  Args:
    size: s, see `sizes_of`.
    filters: n.
    hidden: h.
    skip: see `Decoder`.
    vanishing: steps over which vanishing residuals vanish; 0 is without them.
    spectral: see `Encoder`.
    detail: whether the finest detail of an image, x less its averages of 2 x 2, goes past the code
      to the decoder's last maps. A code holds no detail, so that without it blurred images are the
      ones that are easy to reconstruct, and what a G makes is blurred. Not of Berthelot et al.
    channels: c.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> images = tf.keras.Input([32, 32, 3])
    >>> error = tf.abs(images - BEGANAutoencoder(32, filters=16)(images))
    >>> tf.keras.Model(images, error).output_shape
    (None, 32, 32, 3)
  """

  def __init__(self, size, filters=64, hidden=64, skip=False, vanishing=0, spectral=False,
               detail=False, channels=3, **kwargs):
    super().__init__(**kwargs)
    if vanishing < 0:
      raise ValueError(f"vanishing is {vanishing}; it must be a number of steps, at least 0")
    self.size, self.filters, self.hidden = int(size), int(filters), int(hidden)
    self.skip, self.vanishing, self.channels = bool(skip), int(vanishing), int(channels)
    if detail and size % 2:
      raise ValueError(f"size is {size}; with detail, what averages of 2 x 2 take away, it "
                       "must be even")
    self.spectral, self.detail = bool(spectral), bool(detail)
    self.encoder = Encoder(size, filters, hidden, spectral, dtype=self.dtype_policy)
    self.decoder = Decoder(size, filters, skip, channels, dtype=self.dtype_policy)
    self.carry = None
    if self.vanishing:
      self.carry = self.add_weight(name="carry", shape=[], initializer="ones", trainable=False,
                                   dtype="float32", aggregation=tf.VariableAggregation.MEAN)

  def encode(self, images, training=None):
    """The codes of images, `[N, h]`."""
    return self.encoder(images, self.carry, training=training)

  def decode(self, codes, images):
    """The reconstructions `[N, s, s, c]` float32 of images from their codes."""
    detail = None
    if self.detail:
      images = tf.cast(images, tf.float32)
      detail = images - larger(tf.nn.avg_pool2d(images, 2, 2, "VALID"), 2)
    return self.decoder(codes, self.carry, detail)

  def call(self, images, training=None):
    """The reconstructions."""
    return self.decode(self.encode(images, training), images)

  def vanish(self, step):
    """Sets the carry of a step, 1 at the first and 0 from `vanishing` on."""
    if self.carry is not None:
      done = tf.cast(step, tf.float32) / float(self.vanishing)
      self.carry.assign(tf.maximum(0.0, 1.0 - done))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "size": self.size, "filters": self.filters,
            "hidden": self.hidden, "skip": self.skip, "vanishing": self.vanishing,
            "spectral": self.spectral, "detail": self.detail, "channels": self.channels}


@tf.keras.utils.register_keras_serializable(package="garden")
class IdentityAgent(tf.keras.layers.Layer):
  """DA-GAN's second agent: codes `[N, h]` -> logits of K people `[N, K]` float32.

  Args:
    n_identities: K.
    cosine: whether it tells the cosines of codes and people, for a loss with a margin, instead of
      a linear layer's numbers.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> codes = tf.keras.Input([64])
    >>> tf.keras.Model(codes, IdentityAgent(n_identities=240)(codes)).output_shape
    (None, 240)
  """

  def __init__(self, n_identities, cosine=False, **kwargs):
    super().__init__(**{**kwargs, "dtype": "float32"})
    self.n_identities, self.cosine = int(n_identities), bool(cosine)

  def build(self, shape):
    """Makes the weights for codes of a shape, `[N, h]`."""
    self.people = self.add_weight(name="people", shape=[shape[-1], self.n_identities],
                                  initializer="glorot_uniform")
    self.bias = None if self.cosine else self.add_weight(
        name="bias", shape=[self.n_identities], initializer="zeros")
    super().build(shape)

  def call(self, codes):
    """The logits, or the cosines in [-1, 1]: `[N, h]` -> `[N, K]`."""
    if self.cosine:
      return tf.matmul(tf.math.l2_normalize(codes, axis=-1),
                       tf.math.l2_normalize(self.people, axis=0))
    return tf.matmul(codes, self.people) + self.bias

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_identities": self.n_identities, "cosine": self.cosine}


def larger(x, factor):
  """Nearest neighbours: `[N, h, w, c]` -> `[N, factor h, factor w, c]`."""
  return tf.repeat(tf.repeat(x, factor, axis=1), factor, axis=2)
