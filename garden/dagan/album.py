"""Pictures along training, kept in the checkpoint: the same images, refined by younger models."""

import numpy as np
import tensorflow as tf

from garden.core import replicas


class Album(tf.Module):
  """N pictures at each of T times of a training, evenly spread over its steps.

  Args:
    times: T.
    count: N.
    size: side of the pictures.
    steps: of the training.

  Attributes:
    pictures: `[T, N, s, s, 3]` float16 variable of whole numbers 0 to 255, 0 where nothing was kept
      yet. Not uint8, of which TensorFlow can't send first values to other machines.
    kept: `[T]` int64 variable, the step at which each was kept, 0 for none.

  Example:
    album = Album(10, 50, 32, steps=2000)
    album.keep(refined, model.step)  # at the end of each epoch
  """

  def __init__(self, times, count, size, steps, name="album"):
    super().__init__(name=name)
    self.times, self.count, self.steps = int(times), int(count), int(steps)
    make = dict(trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
    self.pictures = tf.Variable(tf.zeros([times, count, size, size, 3], tf.float16), **make)
    self.kept = tf.Variable(tf.zeros([times], tf.int64), **make)

  def keep(self, images, step):
    """Puts pictures where their step belongs, in place of earlier ones of the same time.

    Args:
      images: this replica's part of `[N, s, s, 3]`, in [-1, 1]; clipped.
      step: int64 scalar, steps done, 1 or more.
    """
    images = replicas.gather(images)
    pixels = tf.cast(tf.round((tf.clip_by_value(images, -1.0, 1.0) + 1.0) * 127.5), tf.float16)
    here = tf.equal(tf.range(self.times), self.time_of(step))
    self.pictures.assign(tf.where(here[:, tf.newaxis, tf.newaxis, tf.newaxis, tf.newaxis],
                                  pixels[tf.newaxis], self.pictures))
    self.kept.assign(tf.where(here, tf.cast(step, tf.int64), self.kept))

  def as_pixels(self):
    """The pictures as an array, `[T, N, s, s, 3]` uint8."""
    return self.pictures.numpy().astype(np.uint8)

  def time_of(self, step):
    """The place of a step: the first ends at 1/T of the training."""
    place = (tf.cast(step, tf.int64) * self.times + self.steps - 1) // self.steps - 1
    return tf.cast(tf.clip_by_value(place, 0, self.times - 1), tf.int32)
