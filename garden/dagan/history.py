"""Refined images of earlier steps, shown to D beside new ones (Shrivastava et al. 2017).

D then doesn't forget what an older G made. Half of each batch goes in; once the store is full, as
many come out in its place, drawn at random.
"""

import tensorflow as tf

from garden.core import replicas


class History(tf.Module):
  """A store of images with their labels.

  Args:
    capacity: images that it holds, at least half of a batch of all replicas.
    size: side of the images.

  Example:
    images, labels = History(256, 32).mix(refined, labels, seed)
  """

  def __init__(self, capacity, size, name="history"):
    super().__init__(name=name)
    self.capacity = int(capacity)
    make = dict(trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
    self.images = tf.Variable(tf.zeros([capacity, size, size, 3]), **make)
    self.labels = tf.Variable(tf.zeros([capacity], tf.int64), **make)
    self.filled = tf.Variable(0, dtype=tf.int64, **make)

  def mix(self, images, labels, seed):
    """Half of a replica's batch swapped for stored images.

    Args:
      images: `[n, s, s, 3]` float32.
      labels: `[n]` int64.
      seed: `[2]` int, the same on each replica.

    Returns:
      `(images, labels)`, as many; the same ones until the store is full.
    """
    half = tf.shape(images)[0] // 2
    new = (images[:half], tf.cast(labels[:half], tf.int64))
    first = replicas.number() * half
    given = tuple(replicas.gather(value) for value in new)
    count = tf.shape(given[0])[0]
    full = self.filled + tf.cast(count, tf.int64) > self.capacity
    drawn = tf.argsort(tf.random.stateless_uniform([self.capacity], seed))[:count]
    places = tf.where(full, drawn, (tf.cast(self.filled, tf.int32) + tf.range(count))
                      % self.capacity)
    mine = places[first:first + half]
    out = [tf.where(full, tf.gather(stored, mine), value)
           for stored, value in zip((self.images, self.labels), new)]
    for stored, value in zip((self.images, self.labels), given):
      stored.assign(tf.tensor_scatter_nd_update(stored, places[:, tf.newaxis], value))
    self.filled.assign(tf.where(full, self.filled, self.filled + tf.cast(count, tf.int64)))
    return (tf.concat([out[0], images[half:]], axis=0),
            tf.concat([out[1], tf.cast(labels[half:], tf.int64)], axis=0))
