"""Pieces of losses that more than one room uses: pure functions of tensors."""

import tensorflow as tf

from garden.core import replicas


def huber(error, delta):
  """Huber's function of each error, scaled to slope 1: e^2 / (2 delta) near 0.

  Args:
    error: `[...]` float.
    delta: where it turns linear, above 0.

  Returns:
    `[...]` float, at least 0.

  Example:
    huber(tf.constant([1.0]), 0.1)  # 0.95
  """
  size = tf.abs(error)
  return tf.where(size <= delta, size * size / (2.0 * delta), size - delta / 2.0)


def masked_mean(values, mask):
  """Mean of `values` `[...]` where `mask` `[...]` (bool) holds; 0 if it holds nowhere.

  On several replicas it holds in different numbers of places. All divide by the mean number, so
  that the mean of what they return is the mean over all of them.
  """
  mask = tf.cast(mask, values.dtype)
  number = tf.maximum(replicas.mean(tf.reduce_sum(mask)), 1.0 / replicas.count())
  return tf.reduce_sum(values * mask) / number


def mean(values):
  """Mean of `values` `[...]`, of which each replica may have another number; see `masked_mean`."""
  if replicas.count() == 1:
    return tf.reduce_mean(values)
  return masked_mean(values, tf.ones_like(values))
