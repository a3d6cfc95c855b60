"""DA-GAN's refiner, whose input is an image and whose output is one."""

import tensorflow as tf

from garden.dagan import networks

REFINERS = ("residual", "hourglass")


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
    >>> simulated = tf.keras.Input([32, 32, 3])
    >>> refined = Refiner("hourglass", filters=(16, 32, 48))(simulated)
    >>> tf.keras.Model(simulated, refined).output_shape
    (None, 32, 32, 3)
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

  @property
  def convolutions(self):
    """All of `pairs`. Keras's own files leave out, silently, what is in lists of lists alone."""
    return [layer for pair in self.pairs for layer in pair]

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

  @property
  def convolutions(self):
    """All of `down` and `up`, for Keras's own files, as of `_Residual`."""
    return [layer for pair in (*self.down, *self.up) for layer in pair]

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
      x = tf.concat([networks.larger(x, 2), other], axis=-1)
      for layer in pair:
        x = layer(x)
    return x
