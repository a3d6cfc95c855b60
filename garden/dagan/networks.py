"""The networks: BEGAN's auto-encoder, whose decoder is its generator too, and DA-GAN's refiner.

Berthelot et al. 2017. Encoder: conv 3x3 of n filters; at each size two conv 3x3 with ELU, then
one of stride 2 with n more filters; a linear layer to h numbers. Decoder: a linear layer to 8 x 8 x
n; at each size two conv 3x3 with ELU, then nearest neighbours to twice the size; a conv 3x3 to the
image. Nothing is normalised, and nothing is bent around h.

A size that halves to 7 instead of 8, as 224 does, starts from 7 x 7.
"""

import tensorflow as tf

REFINERS = ("residual", "hourglass")


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

  def call(self, codes, carry=None):
    """The images; carry as in `Encoder`."""
    side = self.sizes[0]
    x = first = tf.reshape(self.start(tf.cast(codes, self.compute_dtype)),
                           [-1, side, side, self.filters])
    for size, block in zip(self.sizes, self.blocks):
      if size != side:
        x = _larger(x, size // x.shape[1])
        if self.skip:
          x = tf.concat([x, _larger(first, size // side)], axis=-1)
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
    channels: c.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    realism = losses.reconstruction_error(images, BEGANAutoencoder(64)(images))
  """

  def __init__(self, size, filters=64, hidden=64, skip=False, vanishing=0, spectral=False,
               channels=3, **kwargs):
    super().__init__(**kwargs)
    if vanishing < 0:
      raise ValueError(f"vanishing is {vanishing}; it must be a number of steps, at least 0")
    self.size, self.filters, self.hidden = int(size), int(filters), int(hidden)
    self.skip, self.vanishing, self.channels = bool(skip), int(vanishing), int(channels)
    self.spectral = bool(spectral)
    self.encoder = Encoder(size, filters, hidden, spectral, dtype=self.dtype_policy)
    self.decoder = Decoder(size, filters, skip, channels, dtype=self.dtype_policy)
    self.carry = None
    if self.vanishing:
      self.carry = self.add_weight(name="carry", shape=[], initializer="ones", trainable=False,
                                   dtype="float32", aggregation=tf.VariableAggregation.MEAN)

  def encode(self, images, training=None):
    """The codes of images, `[N, h]`."""
    return self.encoder(images, self.carry, training=training)

  def decode(self, codes):
    """The images of codes, `[N, s, s, c]` float32."""
    return self.decoder(codes, self.carry)

  def call(self, images, training=None):
    """The reconstructions."""
    return self.decode(self.encode(images, training))

  def vanish(self, step):
    """Sets the carry of a step, 1 at the first and 0 from `vanishing` on."""
    if self.carry is not None:
      done = tf.cast(step, tf.float32) / float(self.vanishing)
      self.carry.assign(tf.maximum(0.0, 1.0 - done))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "size": self.size, "filters": self.filters,
            "hidden": self.hidden, "skip": self.skip, "vanishing": self.vanishing,
            "spectral": self.spectral, "channels": self.channels}


@tf.keras.utils.register_keras_serializable(package="garden")
class Refiner(tf.keras.layers.Layer):
  """Simulated images `[N, h, w, c]` in [-1, 1] -> refined ones, float32.

  "residual" is SimGAN's (Shrivastava et al. 2017): conv 7x7, residual blocks of two conv 3x3, conv
  1x1. "hourglass" is a U-net: at each size two conv 3x3 with ELU, the first of stride 2 below the
  top; at the bottom a dilated one; back up by nearest neighbours, joined with what was there.

  Args:
    form: "residual" or "hourglass".
    filters: channels of the residual blocks; of the hourglass at each size, from the top.
    blocks: number of residual blocks.
    add_input: the net tells what is to be added to the image, nothing at first, instead of the
      image itself through tanh. What comes out may then lie a little outside of [-1, 1].
    channels: c.
    **kwargs: of `tf.keras.layers.Layer`.

  Raises:
    ValueError: there is no such form, or filters don't fit it.

  Example:
    refined = Refiner("hourglass", filters=(16, 32, 48))(simulated)
  """

  def __init__(self, form="residual", filters=64, blocks=10, add_input=True, channels=3, **kwargs):
    super().__init__(**kwargs)
    if form not in REFINERS:
      raise ValueError(f"form is {form!r}; it must be one of {', '.join(REFINERS)}")
    several = isinstance(filters, list | tuple)
    if several != (form == "hourglass"):
      raise ValueError(f"filters are {filters!r}; the {form} refiner takes "
                       + ("one number" if form == "residual" else "a number a size, as (16, 32)"))
    self.form, self.blocks, self.add_input = form, int(blocks), bool(add_input)
    self.filters, self.channels = tuple(filters) if several else int(filters), int(channels)
    self.body = (_Hourglass(self.filters, dtype=self.dtype_policy) if several
                 else _Residual(self.filters, self.blocks, dtype=self.dtype_policy))
    self.image = tf.keras.layers.Conv2D(
        self.channels, 3 if several else 1, padding="same", dtype="float32",
        kernel_initializer="zeros" if add_input else "glorot_uniform")

  def call(self, images):
    """The refined images."""
    told = self.image(tf.cast(self.body(tf.cast(images, self.compute_dtype)), tf.float32))
    return tf.cast(images, tf.float32) + told if self.add_input else tf.tanh(told)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "form": self.form, "filters": self.filters,
            "blocks": self.blocks, "add_input": self.add_input, "channels": self.channels}


class _Residual(tf.keras.layers.Layer):
  """A conv 7x7 and residual blocks, all at the image's size."""

  def __init__(self, filters, blocks, **kwargs):
    super().__init__(**kwargs)
    make = dict(padding="same", kernel_initializer="he_normal", dtype=self.dtype_policy)
    self.first = tf.keras.layers.Conv2D(filters, 7, activation="relu", **make)
    self.pairs = [(tf.keras.layers.Conv2D(filters, 3, activation="relu", **make),
                   tf.keras.layers.Conv2D(filters, 3, **make)) for _ in range(blocks)]

  def call(self, x):
    """`[N, h, w, c]` -> `[N, h, w, filters]`."""
    x = self.first(x)
    for first, second in self.pairs:
      x = tf.nn.relu(x + second(first(x)))
    return x


class _Hourglass(tf.keras.layers.Layer):
  """A U-net."""

  def __init__(self, filters, **kwargs):
    super().__init__(**kwargs)

    def convolution(wide, strides=1, dilation=1):
      return tf.keras.layers.Conv2D(
          wide, 3, strides=strides, dilation_rate=dilation, padding="same", activation="elu",
          dtype=self.dtype_policy)

    self.filters = filters
    self.down = [[convolution(wide, 1 if k == 0 else 2), convolution(wide)]
                 for k, wide in enumerate(filters)]
    self.bottom = [convolution(filters[-1], dilation=2), convolution(filters[-1])]
    self.up = [[convolution(wide), convolution(wide)] for wide in filters[-2::-1]]

  def call(self, x):
    """`[N, h, w, c]` -> `[N, h, w, filters[0]]`."""
    least = 2 ** (len(self.filters) - 1)
    if x.shape[1] is not None and (x.shape[1] % least or x.shape[2] % least):
      raise ValueError(f"images are {x.shape[1]} x {x.shape[2]}; an hourglass of "
                       f"{len(self.filters)} sizes needs multiples of {least}")
    kept = []
    for pair in self.down:
      for layer in pair:
        x = layer(x)
      kept.append(x)
    for layer in self.bottom:
      x = layer(x)
    for pair, other in zip(self.up, kept[-2::-1]):
      x = tf.concat([_larger(x, 2), other], axis=-1)
      for layer in pair:
        x = layer(x)
    return x


def _larger(x, factor):
  """Nearest neighbours, `factor` times the size."""
  return tf.repeat(tf.repeat(x, factor, axis=1), factor, axis=2)
