"""Matching networks, a row of the paper's table.

Vinyals, Blundell, Lillicrap, Kavukcuoglu, Wierstra: "Matching Networks for One
Shot Learning", NIPS 2016.

    P(y | x, S) = sum_i a(x, x_i) y_i,    a = softmax_i( cos(f(x), f(x_i)) )

One network f for support and query, no full-context embeddings. Trained in
episodes: some images of each class are the support, others the queries.

Luo et al. 2017 "pretrain the model on D3", which has no labels, so that this
can't be meant literally; the episodes here are of the labelled source, with the
labelled target images as the support of the test. Their tuned row trains on
these too: of the k images of a class, k - 1 are the support and one is the
query. Prediction is the class of the nearest support image, as in their table.
"""

import tensorflow as tf

from garden.transfer import semantic
from garden.transfer import settings
from garden.transfer.source_target import SourceTargetModel


@tf.keras.utils.register_keras_serializable(package="garden")
class MatchingNet(SourceTargetModel):
  """Matching nets; use as of `TransferModel`.

  The batches hold the same number of images of each class, sorted by class. The
  head takes no part.

  Args as of `SourceTargetModel`; `recipe` is a `settings.Matching`.

  Example:
    >>> from garden.transfer.networks import LeNet
    >>> net = MatchingNet(LeNet(), LeNet(), 5, 5, (32, 32, 1), settings.Matching())
    >>> images = tf.keras.Input([32, 32, 1])
    >>> tf.keras.Model(images, net.embed(images)).output_shape
    (None, 500)
  """

  recipe_type = settings.Matching

  def cosine(self, features, support):
    """Scaled cosines of `[n, d]` with `[m, d]`; an embedding of zeros has 0 with all."""
    features, support = (tf.math.l2_normalize(tf.cast(x, tf.float32), axis=1)
                         for x in (features, support))
    return self.recipe.scale * tf.matmul(features, support, transpose_b=True)

  def source_variables(self):
    """The source's encoder; no head."""
    return self.source_encoder.trainable_variables

  def target_variables(self):
    """The target's encoder; no head."""
    return self.encoder.trainable_variables

  def attention(self, features, support, support_labels, n_classes):
    """P(y | x, S) of `[n, d]` queries and `[m, d]` support, `[n, n_classes]`."""
    weights = tf.nn.softmax(self.cosine(features, support))
    return tf.matmul(weights, tf.one_hot(support_labels, n_classes))

  def classify(self, images, support, support_labels):
    """As of `SourceTargetModel`; `label` is the nearest support image's class."""
    features = self.embed(images)
    near = tf.argmax(self.cosine(features, support), axis=1)
    means = semantic.prototypes(support, support_labels, self.n_target_classes,
                                normalize=True, missing="mask")
    return {"probabilities": self.attention(features, support, support_labels,
                                            self.n_target_classes),
            "label": tf.gather(tf.cast(support_labels, tf.int64), near),
            "prototype": tf.argmax(self.cosine(features, means), axis=1)}

  def source_step(self, data):
    """An episode of the source: `shots` support and the rest query images a class."""
    images, _ = data["source"]
    return self._episode(images, self.n_source_classes, self.recipe.shots, self.embed_source,
                         self.source_variables(), self.source_optimizer)

  def adapt_step(self, data):
    """An episode of the labelled target images: one query a class, the rest support."""
    images, _ = data["target_labeled"]
    per_class = images.shape[0] // self.n_target_classes
    images = self._shuffled_within(images, per_class)
    return self._episode(images, self.n_target_classes, per_class - 1, self.embed,
                         self.target_variables(), self.optimizer)

  def _shuffled_within(self, images, per_class):
    """Puts each class's images in an order of this step's."""
    noise = tf.random.stateless_uniform([self.n_target_classes, per_class], self.step_seed())
    rows = tf.range(self.n_target_classes)[:, tf.newaxis] * per_class
    return tf.gather(images, tf.reshape(rows + tf.argsort(noise, axis=1), [-1]))

  def _episode(self, images, n_classes, shots, embed, variables, optimizer):
    """-log P(y | x, S) over the queries of one episode."""
    per_class = images.shape[0] // n_classes
    labels = tf.range(n_classes)
    with tf.GradientTape() as tape:
      features = embed(images, training=True)
      features = tf.reshape(features, [n_classes, per_class, features.shape[1]])
      support = tf.reshape(features[:, :shots], [n_classes * shots, -1])
      queries = tf.reshape(features[:, shots:], [n_classes * (per_class - shots), -1])
      truth = tf.repeat(labels, per_class - shots)
      chances = self.attention(queries, support, tf.repeat(labels, shots), n_classes)
      right = tf.gather(chances, truth, batch_dims=1)
      loss = -tf.reduce_mean(tf.math.log(right + 1e-8))
    self.minimize(tape, loss, variables, optimizer)
    found = tf.cast(tf.argmax(chances, axis=1), tf.int32)
    return self.log_step(
        loss=loss, accuracy=tf.reduce_mean(tf.cast(tf.equal(found, truth), tf.float32)))
