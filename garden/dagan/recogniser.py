"""Who is it: a small network with a margin, trained apart from all that it judges.

The features f of an image and the weights w_k of a person are brought to length 1, and the right
person's cosine must win by a margin m (Wang et al., "CosFace", 2018):

    L = CE(s (cos(f, w_k) - m [k = y]))        see `losses.margin_logits`

Its features, before the last layer, are what identities and distributions are compared by. It never
sees D, and D never sees it.
"""

import numpy as np
import tensorflow as tf

from garden.dagan import data
from garden.dagan import losses


@tf.keras.utils.register_keras_serializable(package="garden")
class Recogniser(tf.keras.Model):
  """Images `[N, s, s, 3]` in [-1, 1] -> cosines `[N, K]` with K people.

  Args:
    n_identities: K.
    filters: of the convolutions; between them the size is halved.
    noise: standard deviation of what is added to images in training.
    dropout: share of the features that training drops.
    **kwargs: of `tf.keras.Model`.

  Example:
    >>> images = tf.keras.Input([32, 32, 3])
    >>> who = tf.argmax(Recogniser(n_identities=30)(images), axis=-1)
    >>> tf.keras.Model(images, who).output_shape
    (None,)
  """

  def __init__(self, n_identities, filters=(16, 32, 64, 96), noise=0.05, dropout=0.3, **kwargs):
    super().__init__(**kwargs)
    self.n_identities, self.filters = int(n_identities), tuple(filters)
    self.noise, self.dropout = float(noise), float(dropout)
    self.add_noise = tf.keras.layers.GaussianNoise(self.noise)
    self.convolutions = [tf.keras.layers.Conv2D(wide, 3, padding="same", activation="relu")
                         for wide in self.filters]
    self.shrink = tf.keras.layers.MaxPooling2D()
    self.pool = tf.keras.layers.GlobalAveragePooling2D()
    self.drop = tf.keras.layers.Dropout(self.dropout)
    self.people = self.add_weight(name="people", shape=[self.filters[-1], self.n_identities],
                                  initializer="glorot_uniform")

  def features(self, images, training=False):
    """What images are compared by, `[N, d]`, before it is brought to length 1."""
    x = self.add_noise(images, training=training)
    for number, convolution in enumerate(self.convolutions):
      x = convolution(x if number == 0 else self.shrink(x))
    return self.pool(x)

  def call(self, images, training=False):
    """The cosines."""
    x = self.drop(self.features(images, training), training=training)
    return tf.matmul(tf.math.l2_normalize(x, axis=-1), tf.math.l2_normalize(self.people, axis=0))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_identities": self.n_identities, "filters": self.filters,
            "noise": self.noise, "dropout": self.dropout}


def margin_loss(labels, cosines):
  """L of the module, `[N]`: labels `[N]` int, cosines `[N, K]`."""
  labels = tf.cast(tf.reshape(labels, [-1]), tf.int32)
  return tf.nn.sparse_softmax_cross_entropy_with_logits(labels,
                                                        losses.margin_logits(cosines, labels))


def train(images, labels, n_identities, seed, epochs=40, examples=18_000, batch_size=32,
          learning_rate=1.5e-3):
  """A recogniser of some people: Adam, one cosine to 0.

  Args:
    images: `[N, s, s, 3]` uint8.
    labels: `[N]` int, 0 .. K - 1.
    n_identities: K.
    seed: of the weights and of the order.
    epochs: how often each image is seen, at least.
    examples: how many images are seen in all, at least.
    batch_size: images of a batch; all of them where there are fewer.
    learning_rate: at first.

  Returns:
    `Recogniser`.

  Raises:
    ValueError: there are other labels, or of a person there is one image or none.

  Example:
    net = train(faces.image, faces.identity, 30, seed=0)
  """
  labels = np.asarray(labels)
  if len(labels) != len(images) or labels.min() < 0 or labels.max() >= n_identities:
    raise ValueError(f"labels are {len(labels)} numbers from {labels.min()} to {labels.max()} of "
                     f"{len(images)} images; give each image one in 0..{n_identities - 1}")
  counts = np.bincount(labels, minlength=n_identities)
  if counts.min() < 2:
    raise ValueError(f"identity {counts.argmin()} has {counts.min()} images; each needs two or "
                     "more")
  batch_size = min(batch_size, len(labels))
  epochs = max(epochs, -(-examples // len(labels)))
  steps = epochs * (len(labels) // batch_size)
  tf.keras.utils.set_random_seed(seed)
  net = Recogniser(n_identities)
  net.compile(tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(
      learning_rate, steps)), loss=margin_loss)
  batches = tf.data.Dataset.from_tensor_slices((data.scaled(images), labels)).cache()
  batches = batches.shuffle(len(labels), seed=seed).batch(batch_size, drop_remainder=True)
  log = tf.get_logger()
  level = log.level
  log.setLevel("ERROR")  # each recogniser is a graph of its own: TensorFlow would warn of many
  try:
    net.fit(batches, epochs=epochs, verbose=0)
  finally:
    log.setLevel(level)
  return net


def features(net, images, batch_size=256):
  """Features of many images: `[N, s, s, 3]` uint8 -> `[N, d]` float32."""
  return data.mapped(net.features, images, batch_size)


def told(net, images, batch_size=256):
  """Who each of many images shows: `[N, s, s, 3]` uint8 -> `[N]` int, of the K."""
  return data.mapped(net, images, batch_size).argmax(axis=1)
