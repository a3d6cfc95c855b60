"""Which examples, in which order: batches as a function of (seed, step), and even samples.

An endless pass in a new order each turn, without state: what step i sees can be computed
from (seed, i) alone, so a killed run goes on with the batches that it would have seen.
"""

import numpy as np
import tensorflow as tf


def shuffled_positions(step, batch_size, count, seed):
  """Which examples batch `step` holds.

  Args:
    step: int64 scalar, 0 or more.
    batch_size: examples of a batch, at most `count`.
    count: number of examples.
    seed: int, seed of the orders.

  Returns:
    `[batch_size]` int64 in 0 .. count - 1; each is met once a turn.

  Raises:
    ValueError: a batch longer than a turn.

  Example:
    >>> sorted(shuffled_positions(tf.constant(0, tf.int64), 4, 4, seed=0).numpy().tolist())
    [0, 1, 2, 3]
  """
  if not 0 < batch_size <= count:
    raise ValueError(f"batch_size is {batch_size}; it must be from 1 to the {count} examples")

  def order(place, turn):
    return tf.random.experimental.index_shuffle(
        place, tf.stack([tf.constant(seed, tf.int64), turn]), count - 1)

  position = step * batch_size + tf.range(batch_size, dtype=tf.int64)
  turn, place = position // count, position % count
  # A batch is no longer than a turn, so it meets two orders at most.
  return tf.where(turn == turn[0], order(place, turn[0]), order(place, turn[-1]))


def evenly(count, most):
  """At most `most` positions in `count` examples, evenly spread, both ends among them.

  Args:
    count: number of examples.
    most: number of positions, at least 1.

  Returns:
    `[min(count, most)]` int64, ascending.

  Example:
    >>> evenly(9, 3).tolist()
    [0, 4, 8]
  """
  return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
