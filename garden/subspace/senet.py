"""A self-expressive network: coefficients as a function of two samples, for any number of them.

Zhang, You, Vidal, Li, *Learning a Self-Expressive Network for Subspace Clustering*, CVPR 2021:

    c_ij = T_b(q(x_i) . k(x_j)) / e    for i != j,   T_b(t) = sign(t) max(|t| - b, 0)

    min  sum_i  gamma / 2 ||x_i - sum_j c_ij x_j||^2 + lambda ||c_i||_1 + (1 - lambda) / 2 ||c_i||^2

where query q and key k are networks of e outputs and b is learnt. No number depends on N, so that a
sample which wasn't there has coefficients too.

Deviations. A step sees `keys` random samples in place of all N, as the cost of all grows with N;
more keys later change the size of the coefficients, which the affinity divides by, not their order.
And a linear path may stand beside the networks,

    c_ij = T_b(w_i W w_j / m + q(w_i) . k(w_j) / e),    w_i = (X^T X / N + rho)^(-1/2) x_i,

m the number of keys, since for the squared norm alone the best coefficients are of this form, with
W = 1: the closed form, with nothing of N x N. From there training has little to find; from noise
it takes the paper's 100,000 steps.
"""

import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.core.model import GardenModel

STARTS = ("ridge", "noise")


class SENet(GardenModel):
  """Query, key and threshold, trained on random keys.

  Args:
    features: `[N, d]` float32, rows of length 1.
    units: of the hidden layers of query and key.
    embedding: e.
    keys: samples that express those of a step, at most N.
    fidelity: gamma.
    l1_share: lambda, in [0, 1].
    start: "ridge", with the linear path at its closed form and the query at 0; or "noise", without
      a linear path or whitening, as published.
    ridge: rho of the closed form.
    seed: of the keys and the run.
    **kwargs: of `GardenModel`.

  Raises:
    ValueError: a number out of its range, or features that aren't rows of finite numbers.

  Example:
    model = SENet(features, keys=1000)
    model.compile(tf.keras.optimizers.Adam(1e-3))
    model.fit(tf.data.Dataset.range(len(features)).shuffle(1000).batch(100))
    keys = model.all_keys()
    sparse_affinity.largest_coefficients(
        lambda i: model.rows(features[i], keys), len(features), nonzeros=30)
  """

  def __init__(self, features, units=(512, 512), embedding=128, keys=2000, fidelity=200.0,
               l1_share=0.9, start="ridge", ridge=1e-4, seed=0, **kwargs):
    super().__init__(seed=seed, **kwargs)
    features = np.asarray(features, np.float32)
    if features.ndim != 2 or len(features) < 2 or not np.isfinite(features).all():
      raise ValueError(f"features are {features.shape}; give [N, d] finite numbers, N at least 2")
    checks.check_count("embedding", embedding, 1)
    checks.check_count("keys", keys, 1)
    checks.check_positive("fidelity", fidelity)
    checks.check_number("l1_share", l1_share, 0.0, 1.0)
    checks.check_positive("ridge", ridge)
    if start not in STARTS:
      raise ValueError(f"start is {start!r}; it must be one of {', '.join(STARTS)}")
    self.features = tf.constant(features)
    self.keys = min(keys, len(features))
    self.fidelity = fidelity
    self.l1_share = l1_share
    self.embedding = embedding
    self.whitening = self.linear = None
    last = "glorot_uniform"
    if start == "ridge":
      values, axes = np.linalg.eigh(features.T.astype(np.float64) @ features / len(features))
      root = axes / np.sqrt(np.maximum(values, 0.0) + ridge) @ axes.T
      self.whitening = tf.constant(root, tf.float32)
      self.linear = self.add_weight(name="linear", shape=root.shape, initializer="identity")
      last = "zeros"
    self.query = _mlp(units, embedding, last, "query")
    self.key = _mlp(units, embedding, "glorot_uniform", "key")
    self.threshold = self.add_weight(name="threshold", shape=(), initializer="zeros",
                                     constraint=tf.keras.constraints.NonNeg())
    self.add_trackers("expression", "l1_norm", "nonzero")
    self(self.features[:1])

  def compile(self, optimizer, **kwargs):
    """Keras's `compile`; also builds the optimizer, so that saves hold it."""
    super().compile(optimizer=optimizer, **kwargs)
    self.optimizer.build(self.trainable_variables)

  def embed(self, samples):
    """`[n, d]` -> queries and keys, whose products before the threshold are coefficients.

    Both are `[n, d + e]`, or `[n, e]` without the linear path.
    """
    if self.whitening is not None:
      samples = tf.matmul(samples, self.whitening)
    queries, keys = self.query(samples) / self.embedding, self.key(samples)
    if self.linear is None:
      return queries, keys
    linear = tf.matmul(samples, self.linear) / self.keys
    return tf.concat([linear, queries], axis=1), tf.concat([samples, keys], axis=1)

  def call(self, samples):
    """`[n, d]` -> coefficients of each by all, `[n, n]`, diagonal 0."""
    queries, keys = self.embed(samples)
    return tf.linalg.set_diag(self.coefficients(queries, keys), tf.zeros([tf.shape(samples)[0]]))

  def coefficients(self, queries, keys):
    """`T_b(q . k)` of queries `[n, d + e]` and keys `[m, d + e]`, `[n, m]`."""
    products = tf.matmul(queries, keys, transpose_b=True)
    return tf.sign(products) * tf.nn.relu(tf.abs(products) - self.threshold / self.embedding)

  def train_step(self, indices):
    """One step of the objective's mean over the samples `indices`, `[n]` int64."""
    chosen = tf.random.stateless_uniform([self.keys], self.step_seed(), 0, len(self.features),
                                         tf.int64)
    samples, dictionary = tf.gather(self.features, indices), tf.gather(self.features, chosen)
    with tf.GradientTape() as tape:
      queries, _ = self.embed(samples)
      _, keys = self.embed(dictionary)
      # Nobody expresses himself.
      others = tf.cast(indices[:, None] != chosen, tf.float32)
      c = others * self.coefficients(queries, keys)
      error = tf.reduce_sum(tf.square(samples - tf.matmul(c, dictionary)), axis=1)
      l1, l2 = tf.reduce_sum(tf.abs(c), axis=1), tf.reduce_sum(tf.square(c), axis=1)
      loss = tf.reduce_mean(0.5 * self.fidelity * error + self.l1_share * l1
                            + 0.5 * (1.0 - self.l1_share) * l2)
    self.minimize(tape, loss, self.trainable_variables, self.optimizer)
    return self.log_step(expression=tf.reduce_mean(error), l1_norm=tf.reduce_mean(l1),
                         nonzero=tf.reduce_mean(tf.cast(c != 0, tf.float32)))

  def all_keys(self, block=5000):
    """Keys of all N samples, `[N, d + e]`, for `rows`."""
    return tf.concat([self.embed(self.features[first:first + block])[1]
                      for first in range(0, len(self.features), block)], axis=0)

  def rows(self, samples, keys):
    """Coefficients of samples by all N, `[n, N]`; a sample that is one of them has one of its own.

    Args:
      samples: `[n, d]` float32, new or of the features.
      keys: what `all_keys` returned.
    """
    return self.coefficients(self.embed(samples)[0], keys)


def _mlp(units, outputs, last, name):
  """Dense layers with ReLU, and one of tanh, whose products are bounded."""
  layers = [tf.keras.layers.Dense(count, activation="relu") for count in units]
  layers.append(tf.keras.layers.Dense(outputs, activation="tanh", kernel_initializer=last))
  return tf.keras.Sequential(layers, name=name)
