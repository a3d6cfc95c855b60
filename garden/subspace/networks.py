"""Encoders and decoders of Deep Subspace Clustering Networks (Ji et al. 2017).

Strided convolutions with `same` padding and ReLU, mirrored by transposed ones.
The published nets have a ReLU on the code and on the output; `code_activation`
and `output_activation` change that (a linear code trains faster and loses no
channel: see the model card).
"""

import tensorflow as tf

from garden.subspace import transposed

_STRIDE = 2


def layer_sizes(size, depth):
  """Sizes of a side through `depth` stride-2 `same` convolutions.

  Args:
    size: pixels of the side.
    depth: number of layers.

  Returns:
    A list of `depth + 1` sizes, the input's first.
  """
  sizes = [size]
  for _ in range(depth):
    sizes.append(-(-sizes[-1] // _STRIDE))
  return sizes


def check_layers(kernels, channels):
  """Raises a ValueError if the two lists don't describe a network."""
  if len(kernels) != len(channels) or not kernels:
    raise ValueError(
        f"kernels {tuple(kernels)} and channels {tuple(channels)} must have the "
        "same length, of at least 1")
  for kernel in kernels:
    if kernel % 2 == 0:
      raise ValueError(f"kernel size {kernel} is even; the mirrored decoder "
                       "needs odd ones, like 3 or 5")


def choose_layers(image_size, n_images):
  """Chooses a network from the size and the number of the images.

  As many stride-2 layers (1 to 3) as leave at least 4 pixels a side; few
  channels where there are few images, as in the published nets (ORL, 400
  images: 3, 3, 5; Extended Yale B, 2,432: 10, 20, 30).

  Args:
    image_size: (height, width).
    n_images: N.

  Returns:
    `(kernels, channels)`, two tuples of one length.

  Raises:
    ValueError: a side is under 4 pixels.
  """
  side = min(image_size)
  if side < 4:
    raise ValueError(f"images of {image_size[0]}x{image_size[1]} are too small; "
                     "the least side is 4 pixels")
  depth = 1
  while depth < 3 and layer_sizes(side, depth + 1)[-1] >= 4:
    depth += 1
  if n_images < 1000:
    channels = (3, 3, 5)
  else:
    channels = (10, 20, 30)
  if depth == 1:
    return (3,), (15,)
  return (3,) * depth, channels[:depth]


@tf.keras.utils.register_keras_serializable(package="garden")
class ConvEncoder(tf.keras.layers.Layer):
  """Images to codes: `[batch, h, w, c]` -> `[batch, d]`.

  Args:
    kernels: odd kernel sizes, one a layer.
    channels: channels, one a layer.
    code_activation: activation of the last layer: "relu" as published, or
      "linear".
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> images = tf.keras.Input([48, 42, 1])
    >>> codes = ConvEncoder(kernels=(5, 3, 3), channels=(10, 20, 30))(images)
    >>> tf.keras.Model(images, codes).output_shape
    (None, 1080)
  """

  def __init__(self, kernels, channels, code_activation="relu", **kwargs):
    super().__init__(**kwargs)
    check_layers(kernels, channels)
    self.kernels = tuple(kernels)
    self.channels = tuple(channels)
    self.code_activation = code_activation
    last = len(self.kernels) - 1
    self.convolutions = [
        tf.keras.layers.Conv2D(
            filters, kernel, strides=_STRIDE, padding="same",
            activation=code_activation if i == last else "relu")
        for i, (kernel, filters) in enumerate(zip(self.kernels, self.channels))]
    self.flatten = tf.keras.layers.Flatten()

  def call(self, images):
    """`[batch, h, w, c]` -> `[batch, d]`."""
    x = images
    for convolution in self.convolutions:
      x = convolution(x)
    return self.flatten(x)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "kernels": self.kernels,
            "channels": self.channels, "code_activation": self.code_activation}


@tf.keras.utils.register_keras_serializable(package="garden")
class ConvDecoder(tf.keras.layers.Layer):
  """Codes to images: `[batch, d]` -> `[batch, h, w, c]`, the encoder's mirror.

  Odd sizes (48x42 goes 42, 21, 11, 6) come back through `output_padding`.

  Args:
    kernels: the encoder's kernel sizes, in the encoder's order.
    channels: the encoder's channels, in the encoder's order.
    image_shape: (h, w, c) of the images.
    output_activation: activation of the image: "relu" as published, or
      "linear".
    output_bias: first value of the output's bias. With a ReLU there and 0, some
      of the stride's phases often start negative on all images and never learn;
      the mean pixel starts them alive.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> codes = tf.keras.Input([1080])
    >>> images = ConvDecoder((5, 3, 3), (10, 20, 30), image_shape=(48, 42, 1))(codes)
    >>> tf.keras.Model(codes, images).output_shape
    (None, 48, 42, 1)
  """

  def __init__(self, kernels, channels, image_shape, output_activation="relu",
               output_bias=0.0, **kwargs):
    super().__init__(**kwargs)
    check_layers(kernels, channels)
    self.kernels = tuple(kernels)
    self.channels = tuple(channels)
    self.image_shape = tuple(image_shape)
    self.output_activation = output_activation
    self.output_bias = float(output_bias)
    height, width, colours = self.image_shape
    depth = len(self.kernels)
    rows = layer_sizes(height, depth)[::-1]
    columns = layer_sizes(width, depth)[::-1]
    filters = (*self.channels[::-1][1:], colours)
    self.reshape = tf.keras.layers.Reshape(
        (rows[0], columns[0], self.channels[-1]))
    self.convolutions = []
    for i, (kernel, count) in enumerate(zip(self.kernels[::-1], filters)):
      # `same` gives (in - 1) * 2 + 1 with odd kernels and no padding.
      padding = (rows[i + 1] - (_STRIDE * (rows[i] - 1) + 1),
                 columns[i + 1] - (_STRIDE * (columns[i] - 1) + 1))
      self.convolutions.append(transposed.Conv2DTranspose(
          count, kernel, strides=_STRIDE, padding="same",
          output_padding=padding,
          bias_initializer=tf.keras.initializers.Constant(
              self.output_bias if i == depth - 1 else 0.0),
          activation=output_activation if i == depth - 1 else "relu"))

  def call(self, codes):
    """`[batch, d]` -> `[batch, h, w, c]`."""
    x = self.reshape(codes)
    for convolution in self.convolutions:
      x = convolution(x)
    return x

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "kernels": self.kernels,
            "channels": self.channels, "image_shape": self.image_shape,
            "output_activation": self.output_activation,
            "output_bias": self.output_bias}


def conv_autoencoder(image_shape, kernels, channels, code_activation="relu",
                     output_activation="relu", output_bias=0.0):
  """Makes an encoder and its mirror.

  Args:
    image_shape: (h, w, c).
    kernels: odd kernel sizes, one a layer.
    channels: channels, one a layer.
    code_activation: "relu" as published, or "linear".
    output_activation: "relu" as published, or "linear".
    output_bias: first value of the output's bias; the mean pixel is a good one.

  Returns:
    `(ConvEncoder, ConvDecoder)`.
  """
  return (ConvEncoder(kernels, channels, code_activation, name="encoder"),
          ConvDecoder(kernels, channels, image_shape, output_activation,
                      output_bias, name="decoder"))


def scale_codes(encoder, decoder, factor):
  """Multiplies the codes by a factor and leaves the reconstruction as it is.

  Codes are positively homogeneous in the encoder's last layer, whose activation
  is a ReLU or none, so `D(E(x))` stays if the decoder's first kernel is divided
  by what the encoder's last layer is multiplied by. Nothing in pre-training
  therefore fixes the size of the codes (Haeffele, You, Vidal: "A critique of
  self-expressive deep subspace clustering", ICLR 2021).

  Args:
    encoder: a built `ConvEncoder`.
    decoder: its built `ConvDecoder`.
    factor: > 0.
  """
  last, first = encoder.convolutions[-1], decoder.convolutions[0]
  for weight in last.weights:
    weight.assign(weight * factor)
  first.kernel.assign(first.kernel / factor)


def dense_autoencoder(n_features, units):
  """Makes a dense encoder and its mirror for flat inputs.

  Args:
    n_features: d of the inputs `[batch, d]`.
    units: units of the encoder's layers; the last are the code's, linear.

  Returns:
    Two `tf.keras.Sequential`.
  """
  encoder = [tf.keras.layers.Dense(u, activation="tanh") for u in units[:-1]]
  encoder.append(tf.keras.layers.Dense(units[-1]))
  decoder = [tf.keras.layers.Dense(u, activation="tanh")
             for u in units[:-1][::-1]]
  decoder.append(tf.keras.layers.Dense(n_features))
  return (tf.keras.Sequential(encoder, name="encoder"),
          tf.keras.Sequential(decoder, name="decoder"))
