"""Pseudo-labels with distribution alignment.

    q <- q / m, renormalised,    m <- d m + (1 - d) mean(q)
    y = argmax q,                it counts where max q > threshold

After FixMatch (Sohn et al. 2020) and ReMixMatch's alignment (Berthelot et al.
2020) with equal class shares. Not in Luo et al. 2017. A class that is predicted
too often is made less likely before the threshold, which keeps one class from
taking all.
"""

import tensorflow as tf


def align(probabilities, mean):
  """Divides by the mean prediction and renormalises.

  Args:
    probabilities: `[n, c]`, rows of sum 1.
    mean: `[c]`, all above 0; the running mean of predictions.

  Returns:
    `[n, c]`, rows of sum 1; the same where `mean` is equal for all classes.

  Example:
    >>> align(tf.constant([[0.5, 0.5]]), tf.constant([0.8, 0.2])).numpy().round(1).tolist()
    [[0.2, 0.8]]
  """
  # A class that was never predicted has a mean near 0, which float32 may round to it.
  ratio = probabilities / tf.maximum(mean, 1e-12)
  return ratio / tf.reduce_sum(ratio, axis=1, keepdims=True)


def choose(probabilities, threshold):
  """The pseudo-labels and which of them count.

  Args:
    probabilities: `[n, c]`, aligned.
    threshold: in (0, 1).

  Returns:
    `(labels [n] int64, mask [n] float32)`, 1 where the largest is above it.

  Example:
    >>> labels, mask = choose(tf.constant([[0.95, 0.05], [0.4, 0.6]]), 0.9)
    >>> labels.numpy().tolist(), mask.numpy().tolist()
    ([0, 1], [1.0, 0.0])
  """
  mask = tf.reduce_max(probabilities, axis=1) > threshold
  return tf.argmax(probabilities, axis=1), tf.cast(mask, tf.float32)


def masked_cross_entropy(logits, labels, mask):
  """Cross-entropy of those that count, over the size of the whole batch.

  Args:
    logits: `[n, c]`.
    labels: `[n]` int.
    mask: `[n]` float in [0, 1].

  Returns:
    Float scalar, (1/n) sum_i mask_i CE_i; 0 where none counts.

  Example:
    >>> float(masked_cross_entropy(tf.zeros([4, 2]), [0, 1, 0, 1], tf.zeros([4])))
    0.0
  """
  each = tf.nn.sparse_softmax_cross_entropy_with_logits(
      labels=labels, logits=tf.cast(logits, tf.float32))
  return tf.reduce_mean(mask * each)
