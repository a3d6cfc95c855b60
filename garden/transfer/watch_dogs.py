"""Label-free signs that adaptation goes wrong, logged each epoch.

Entropy of the mean prediction and the largest class's share show a collapse
into one class; the discriminator's accuracy shows who wins; the norms of the
features show a network that inflates them. None needs a label, so they may be
looked at, and acted on, without touching the test set.
"""

import math

import tensorflow as tf

from garden.core import replicas

NAMES = ("mean_entropy", "largest_class_share", "discriminator_accuracy", "source_norm",
         "target_norm")


def values(logits, features, source_features):
  """What a step logs of an unlabelled batch.

  Args:
    logits: `[n, c]` of the unlabelled target images.
    features: `[n, d]`, their embeddings.
    source_features: `[m, d]`, the source batch's embeddings.

  Returns:
    Dict of float scalars: `mean_entropy` in [0, ln c], `largest_class_share` in
    [1 / c, 1], `source_norm`, `target_norm`, mean lengths of the embeddings.
  """
  logits = tf.stop_gradient(tf.cast(logits, tf.float32))
  hard = tf.one_hot(tf.argmax(logits, axis=1), logits.shape[1])
  mean, shares = replicas.mean([tf.reduce_mean(x, axis=0) for x in (tf.nn.softmax(logits), hard)])
  return {"mean_entropy": -tf.reduce_sum(tf.math.xlogy(mean, mean)),
          "largest_class_share": tf.reduce_max(shares),
          "source_norm": _mean_norm(source_features), "target_norm": _mean_norm(features)}


def _mean_norm(features):
  return tf.reduce_mean(tf.norm(tf.cast(features, tf.float32), axis=1))


def discriminator_accuracy(source_logits, target_logits):
  """Share of examples whose domain the discriminator tells, a float scalar."""
  right = tf.concat([source_logits > 0, target_logits <= 0], axis=0)
  return tf.reduce_mean(tf.cast(right, tf.float32))


def warnings(logs, n_classes):
  """What an epoch's means say, in plain words.

  Args:
    logs: name -> mean over the epoch, as the steps log them.
    n_classes: number of target classes.

  Returns:
    Dict of sign -> sentence; empty where all is well.

  Example:
    >>> list(warnings({"largest_class_share": 0.97, "mean_entropy": 0.1}, 5))
    ['collapse']
  """
  found = {}
  share, entropy = logs.get("largest_class_share"), logs.get("mean_entropy")
  # A network that hasn't decided may name one class most often, yet with little weight.
  if share is not None and share > 0.4 + 0.6 / n_classes and entropy < 0.6 * math.log(n_classes):
    found["collapse"] = (
        f"collapse: {share:.0%} of the unlabelled predictions are one class (entropy of the mean "
        f"prediction {entropy:.2f} of {math.log(n_classes):.2f}); use a diversity term, a lower "
        "alpha or cosine similarities")
  told = logs.get("discriminator_accuracy")
  if told is not None and told > 0.95:
    found["discriminator"] = (
        f"the discriminator has won: it tells the domain of {told:.0%} of the images, so the "
        "adversarial loss teaches the encoder little; with a small alpha that is harmless, else "
        "lower its learning rate")
  if logs.get("discriminator", 0.0) > 4 * math.log(2):
    found["encoder"] = (
        f"the encoder has won: the discriminator's loss is {logs['discriminator']:.1f}, worse "
        "than a coin's 1.39; features may move without meaning, lower alpha")
  return found
