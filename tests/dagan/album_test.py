"""Tests of the album: which time an image is kept for, on one replica and on two."""

import numpy as np
import tensorflow as tf

from garden.core import strategies
from garden.dagan import album


def test_a_step_belongs_to_the_time_that_ends_at_it_or_later():
  kept = album.Album(4, 1, 8, steps=10)
  assert [int(kept.time_of(step)) for step in (1, 2, 3, 5, 6, 7, 8, 10, 11)] == [
      0, 0, 1, 1, 2, 2, 3, 3, 3]


def test_later_images_of_a_time_replace_earlier_ones():
  kept = album.Album(2, 2, 4, steps=10)
  for step, value in ((1, -1.0), (5, 0.0), (6, 1.0)):
    kept.keep(tf.fill([2, 4, 4, 3], value), tf.constant(step, tf.int64))
  assert kept.kept.numpy().tolist() == [5, 6]
  assert [np.unique(pictures).tolist() for pictures in kept.pictures.numpy()] == [[128], [255]]


def test_images_are_clipped():
  kept = album.Album(1, 1, 2, steps=1)
  kept.keep(tf.constant(np.linspace(-3, 3, 12).reshape(1, 2, 2, 3), tf.float32), 1)
  assert kept.pictures.numpy().min() == 0 and kept.pictures.numpy().max() == 255


def test_two_replicas_put_their_parts_together():
  strategy = strategies.get("mirrored")
  assert strategy.num_replicas_in_sync == 2
  with strategy.scope():
    kept = album.Album(1, 4, 2, steps=1)

  @tf.function
  def run(images):
    strategy.run(lambda part: kept.keep(part, 1), args=(images,))

  images = tf.reshape(tf.linspace(-1.0, 1.0, 4)[:, None] * tf.ones([4, 12]), [4, 2, 2, 3])
  parts = strategy.experimental_distribute_values_from_function(
      lambda context: images[2 * context.replica_id_in_sync_group:][:2])
  run(parts)
  assert [int(picture[0, 0, 0]) for picture in kept.pictures.numpy()[0]] == [0, 85, 170, 255]
