"""The cross-category semantic transfer of Luo et al. 2017 (section 3.3).

    psi(x, c) = f(x)^T c / ||c||_2          (similarity; c a prototype or an example)
    (5) sum over unlabelled target x of H( softmax( v_s(x) / tau ) ),  tau = 2
    (6) - sum over labelled target (x, y) of log softmax( v_t(x) )_y
    (7) sum over unlabelled target x of H( softmax( v_t(x) / tau ) ),  tau = 1
    (8) L_ST = (5) + (6) + (7)

v_s holds the similarities to the source's support, v_t those to the target's
prototypes, the mean embedding of each class. H(p) = - sum p log p is minimised.

Deviations:
* Means over the batch in place of sums, so that a weight keeps its meaning when
  the batch grows.
* The talk on this paper prints the supervised loss as E(x) - y. Cross-entropy is
  what the paper means, here as in its L_sup.
* psi as printed grows with ||f(x)||: large features make the softmax one-hot at
  once, and entropy can be lowered by inflating them. "cosine" with a scale is
  the alternative.
* Entropy alone is least when all examples fall into one class. `diversity`, the
  sum over c of pbar_c log pbar_c of the mean prediction, stands against that. It
  isn't in the paper; its weight is 0 by default.
"""

import numpy as np
import tensorflow as tf

from garden.core import replicas

_KINDS = {"dot": 1.0, "cosine": 10.0}  # and the scale of each
_ABSENT = -1e9  # logit of a class without a prototype; float32 and softmax can take it


def _full(x):
  """Half precision to float32, in which exponentials and sums over a batch are safe."""
  x = tf.convert_to_tensor(x)
  return tf.cast(x, tf.float32) if x.dtype.size < 4 else x


def prototypes(features, labels, n_classes, normalize=False, missing="error"):
  """Mean embedding of each class.

  Args:
    features: `[n, d]` float.
    labels: `[n]` int in 0 .. n_classes - 1.
    n_classes: number of classes.
    normalize: average the features' directions, f / ||f||.
    missing: "error", or "mask" for batches that can lack a class: its row is
      zeros, which `PrototypeSimilarity` takes for "no such class".

  Returns:
    `[n_classes, d]`, float32 where the features are of half precision.

  Raises:
    ValueError: a label outside its range, or a class with no example where that
      is an error. In a graph, where values aren't known yet, the same is a
      `tf.errors.InvalidArgumentError` of the step (not under XLA, which drops
      assertions).

  Example:
    >>> prototypes([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0]], [0, 0, 1], 2).numpy().tolist()
    [[2.0, 0.0], [0.0, 1.0]]
  """
  if missing not in ("error", "mask"):
    raise ValueError(f"missing is {missing!r}; it must be error or mask")
  features, labels = _full(features), tf.convert_to_tensor(labels)
  if normalize:
    features = tf.math.l2_normalize(features, axis=1)
  hot = tf.one_hot(labels, n_classes, dtype=features.dtype)
  counts = tf.reduce_sum(hot, axis=0)
  with tf.control_dependencies(_checks(labels, counts, n_classes, missing)):
    sums = tf.matmul(hot, features, transpose_a=True)
  return sums / tf.maximum(counts, 1.0)[:, tf.newaxis]


def _checks(labels, counts, n_classes, missing):
  """Raises what can be known now; the assertions for the rest."""
  if tf.executing_eagerly():
    labels, counts = labels.numpy(), counts.numpy()
    outside = np.unique(labels[(labels < 0) | (labels >= n_classes)])
    if outside.size:
      raise ValueError(f"labels {outside.tolist()} lie outside 0..{n_classes - 1}")
    absent = np.flatnonzero(counts == 0)
    if missing == "error" and absent.size:
      raise ValueError(f"classes {absent.tolist()} have no example; each prototype needs one, "
                       "or missing='mask'")
    return []
  below = tf.cast(n_classes, labels.dtype)
  checks = [tf.debugging.assert_non_negative(labels, message="a label is negative"),
            tf.debugging.assert_less(labels, below, message="a label is not below n_classes")]
  if missing == "error":
    checks.append(tf.debugging.assert_positive(counts, message="a class has no example"))
  return checks


@tf.keras.utils.register_keras_serializable(package="garden")
class PrototypeSimilarity(tf.keras.layers.Layer):
  """`[features [n, d], support [m, d]]` -> logits `[n, m]`.

  The support is a row a class (`prototypes`) or a row an example. A row of zeros
  has no direction: it gets the logit -1e9, so that softmax gives it no
  probability.

  Args:
    kind: "dot", f^T c / ||c|| as the paper prints it, or "cosine",
      f^T c / (||f|| ||c||).
    scale: factor of the logits, > 0; None is 1 for "dot" and 10 for "cosine",
      whose softmax would else be nearly flat.
    **kwargs: of `tf.keras.layers.Layer`. `dtype` is float32 unless given: under a
      mixed policy, too, softmax and entropy see all its digits.

  Example:
    >>> features, means = tf.keras.Input([500]), tf.keras.Input([500])
    >>> logits = PrototypeSimilarity("cosine")([features, means])
    >>> net = tf.keras.Model([features, means], logits)
    >>> net([tf.ones([8, 500]), tf.ones([5, 500])]).shape
    TensorShape([8, 5])
  """

  def __init__(self, kind="dot", scale=None, **kwargs):
    super().__init__(**{"dtype": "float32", **kwargs})
    if kind not in _KINDS:
      raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(_KINDS)}")
    self.kind = kind
    self.scale = _KINDS[kind] if scale is None else float(scale)
    if not self.scale > 0:
      raise ValueError(f"scale is {scale}; it must be above 0")

  def call(self, inputs):
    """`[[n, d], [m, d]]` -> `[n, m]`, at least float32."""
    features, support = map(_full, inputs)
    if self.kind == "cosine":
      features = tf.math.l2_normalize(features, axis=1)
    logits = self.scale * tf.matmul(
        features, tf.math.l2_normalize(support, axis=1), transpose_b=True)
    there = tf.reduce_any(support != 0, axis=1)
    return tf.where(there, logits, tf.cast(_ABSENT, logits.dtype))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "kind": self.kind, "scale": self.scale}


def entropy(logits, temperature=1.0):
  """Mean of H(softmax(logits / tau)): the terms (5) and (7), to be minimised.

  Args:
    logits: `[n, c]`.
    temperature: tau > 0. Small: one example, one class; large: several classes
      may share it.

  Returns:
    Float scalar in [0, ln c], in nats.

  Raises:
    ValueError: a temperature that isn't above 0.

  Example:
    >>> round(float(entropy(tf.zeros([3, 2]))), 4)  # ln 2
    0.6931
  """
  log_p = _log_softmax(logits, temperature)
  return -tf.reduce_mean(tf.reduce_sum(tf.exp(log_p) * log_p, axis=1))


def _log_softmax(logits, temperature):
  if not temperature > 0:
    raise ValueError(f"temperature is {temperature}; it must be above 0")
  return tf.nn.log_softmax(_full(logits) / temperature)


def prototype_cross_entropy(logits, labels):
  """Mean of -log softmax(logits)_y: the term (6). No temperature, as in the paper.

  Args:
    logits: `[n, c]` similarities to the prototypes of the target's classes.
    labels: `[n]` int in 0 .. c - 1.

  Returns:
    Float scalar.

  Example:
    >>> round(float(prototype_cross_entropy(tf.zeros([3, 2]), [0, 1, 1])), 4)
    0.6931
  """
  return tf.reduce_mean(
      tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=_full(logits)))


def diversity(logits, temperature=1.0, prior=None):
  """sum_c pbar_c log pbar_c of the mean prediction pbar, to be minimised.

  The negative entropy of the batch's mean prediction: least where the batch is
  spread over the classes as the prior says. The batch is that of all replicas.

  Args:
    logits: `[n, c]`.
    temperature: tau > 0.
    prior: expected share of each class, `[c]`, positive, of sum 1; the result is
      then KL(pbar || prior). None expects equal shares and leaves out the
      constant ln c.

  Returns:
    Float scalar: in [-ln c, 0] without a prior, at least 0 with one.

  Raises:
    ValueError: a temperature that isn't above 0, or a bad prior.

  Example:
    >>> round(float(diversity(tf.eye(2) * 50.0)), 4)  # one example a class: -ln 2
    -0.6931
  """
  log_p = replicas.gather(_log_softmax(logits, temperature))
  count = tf.cast(tf.shape(log_p)[0], log_p.dtype)
  log_mean = tf.reduce_logsumexp(log_p, axis=0) - tf.math.log(count)
  against = log_mean
  if prior is not None:
    against -= tf.constant(np.log(checked_prior(prior, log_p.shape[1])), log_p.dtype)
  return tf.reduce_sum(tf.exp(log_mean) * against)


def checked_prior(prior, n_classes):
  """The prior as `[n_classes]` float64; raises a ValueError if it isn't one."""
  prior = np.asarray(prior, np.float64)
  if prior.shape != (n_classes,) or not np.all(prior > 0) or not np.isclose(prior.sum(), 1):
    raise ValueError(f"prior is {prior.tolist()}; it needs {n_classes} positive shares of sum 1")
  return prior


def map_labels(similarity):
  """Which target class each source class is nearest to.

  Args:
    similarity: `[n_source_classes, n_target_classes]`, larger is nearer; like
      `PrototypeSimilarity("cosine", scale=1)([source prototypes, target ones])`.

  Returns:
    `[n_source_classes]` int64: indices of target classes, the first among
    equals. Several source classes may map to one.

  Raises:
    ValueError: not a matrix, empty, or with a NaN.

  Example:
    >>> map_labels([[0.1, 0.9], [0.8, 0.2], [0.3, 0.4]])
    array([1, 0, 1])
  """
  similarity = np.asarray(similarity)
  if similarity.ndim != 2 or not similarity.size:
    raise ValueError(f"similarity has the shape {similarity.shape}; it must be "
                     "[n_source_classes, n_target_classes], neither 0")
  if np.any(np.isnan(similarity)):
    raise ValueError("similarity has a NaN; was a class without an example?")
  return np.argmax(similarity, axis=1)
