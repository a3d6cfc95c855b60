"""The digit network of label-efficient transfer, with its activations by name.

    conv 5x5x20, ReLU, pool -> conv 5x5x50, ReLU, pool -> flatten -> fc 500, ReLU -> fc classes

Luo et al. 2017 ("Label Efficient Learning of Transferable Representations
across Domains and Tasks", sections 3.2 and 4.3) do not print their digit
network; they follow ADDA (Tzeng et al. 2017), whose published LeNet this is: no
batch norm, no dropout, `valid` padding. ADDA also penalises the squared weights
by 2.5e-5; here that is left to the optimizer's `weight_decay`.
"""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="garden")
class LeNet(tf.keras.layers.Layer):
  """Images to the activations that a discriminator may choose from.

  `[batch, h, w, c]` -> a dict, from the input upwards, all after their ReLU:

  - `pool1`: `[batch, (h - 4) / 2, (w - 4) / 2, channels[0]]`
  - `pool2`: `[batch, ., ., channels[1]]`, 5x5x50 = 1250 values for 32x32 images
  - `fc3`: `[batch, units]`, the embedding f(x)

  Go through the dict by `layer_names`: TensorFlow sorts the keys of dicts.

  Args:
    channels: channels of the two convolutions.
    units: size of the embedding.
    kernel: side of the convolutions' kernels.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> images = tf.keras.Input([32, 32, 1])
    >>> activations = LeNet()(images)
    >>> logits = tf.keras.layers.Dense(5)(activations["fc3"])
    >>> tf.keras.Model(images, logits).output_shape
    (None, 5)
  """

  layer_names = ("pool1", "pool2", "fc3")

  def __init__(self, channels=(20, 50), units=500, kernel=5, **kwargs):
    super().__init__(**kwargs)
    self.channels = tuple(channels)
    if len(self.channels) != 2:
      raise ValueError(f"channels are {self.channels}; LeNet has two convolutions")
    self.units = int(units)
    self.kernel = int(kernel)
    # Keras's defaults, Glorot kernels and zero biases, are ADDA's.
    self.convolutions = [
        tf.keras.layers.Conv2D(count, self.kernel, activation="relu", name=f"conv{i}",
                               dtype=self.dtype_policy)
        for i, count in enumerate(self.channels, start=1)]
    self.pool = tf.keras.layers.MaxPooling2D()
    self.flatten = tf.keras.layers.Flatten()
    self.dense = tf.keras.layers.Dense(self.units, activation="relu", name="fc3",
                                       dtype=self.dtype_policy)

  def build(self, input_shape):
    """Refuses images that have no pixel left after the second pooling."""
    shape = tf.TensorShape(input_shape).as_list()
    if len(shape) != 4 or None in shape[1:]:
      raise ValueError(
          f"images have the shape {tuple(shape)}; LeNet needs [batch, h, w, c], all but the "
          "batch known")
    least = self.smallest_side()
    if min(shape[1:3]) < least:
      raise ValueError(f"images of {shape[1]}x{shape[2]} are too small for LeNet; "
                       f"the least side is {least} pixels")
    super().build(input_shape)

  def smallest_side(self):
    """The least height and width of an image, in pixels: 16 with 5x5 kernels."""
    side = 1
    for _ in self.channels:
      side = 2 * side + self.kernel - 1
    return side

  def call(self, images):
    """`[batch, h, w, c]` -> dict of `pool1`, `pool2`, `fc3`."""
    first = self.pool(self.convolutions[0](images))
    second = self.pool(self.convolutions[1](first))
    embedding = self.dense(self.flatten(second))
    return dict(zip(self.layer_names, (first, second, embedding)))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "channels": self.channels, "units": self.units,
            "kernel": self.kernel}


@tf.keras.utils.register_keras_serializable(package="garden")
class Head(tf.keras.layers.Layer):
  """The classifier on the embedding: `[batch, d]` -> logits `[batch, n_classes]`.

  A fresh one replaces the source's, since the target has other labels: Glorot
  uniform kernel, zero bias.

  Args:
    n_classes: number of classes, at least 2.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    head = Head(5)
    probabilities = tf.nn.softmax(head(tf.zeros([8, 500])))  # [8, 5]
  """

  def __init__(self, n_classes, **kwargs):
    super().__init__(**kwargs)
    self.n_classes = int(n_classes)
    if self.n_classes < 2:
      raise ValueError(f"n_classes is {n_classes}; a classifier needs at least 2")
    self.dense = tf.keras.layers.Dense(
        self.n_classes, kernel_initializer="glorot_uniform", bias_initializer="zeros",
        name="logits", dtype=self.dtype_policy)

  def call(self, embeddings):
    """`[batch, d]` -> `[batch, n_classes]`, before any softmax."""
    return self.dense(embeddings)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_classes": self.n_classes}


@tf.keras.utils.register_keras_serializable(package="garden")
class CosineHead(tf.keras.layers.Layer):
  """The classifier of minimax entropy: logits W^T f / ||f|| / T, no bias.

  As in the published code, the features are normalised and the weights are not.

  Args:
    n_classes: number of classes, at least 2.
    temperature: T > 0; 0.05 as published.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> features = tf.keras.Input([500])
    >>> tf.keras.Model(features, CosineHead(5)(features)).output_shape
    (None, 5)
  """

  def __init__(self, n_classes, temperature=0.05, **kwargs):
    super().__init__(**kwargs)
    self.n_classes = int(n_classes)
    self.temperature = float(temperature)
    if self.n_classes < 2:
      raise ValueError(f"n_classes is {n_classes}; a classifier needs at least 2")
    if not self.temperature > 0:
      raise ValueError(f"temperature is {temperature}; it must be above 0")
    self.dense = tf.keras.layers.Dense(self.n_classes, use_bias=False, name="logits",
                                       dtype=self.dtype_policy)

  def call(self, embeddings):
    """`[batch, d]` -> `[batch, n_classes]`, before any softmax."""
    return self.dense(tf.math.l2_normalize(embeddings, axis=1)) / self.temperature

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_classes": self.n_classes,
            "temperature": self.temperature}
