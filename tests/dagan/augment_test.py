"""Tests of what D sees: moved by whole pixels, noisy, with gradients through it."""

import numpy as np
import pytest
import tensorflow as tf

from garden.dagan import augment
from garden.dagan import dagan
from garden.dagan import settings


def _spot(n=40):
  """One bright pixel in the middle."""
  images = np.zeros((n, 9, 9, 1), np.float32)
  images[:, 4, 4] = 1.0
  return tf.constant(images)


def test_images_are_moved_by_up_to_the_shift_in_all_directions():
  found = augment.moved(_spot(), [0, 1], 2).numpy()
  places = np.argwhere(found[..., 0] == 1.0)
  assert len(places) == 40 and (found.sum(axis=(1, 2, 3)) == 1).all()
  by = places[:, 1:] - 4
  assert np.abs(by).max() == 2 and set(by[:, 0]) == set(by[:, 1]) == {-2, -1, 0, 1, 2}


def test_edges_are_repeated():
  columns = tf.broadcast_to(tf.range(4.0)[tf.newaxis, tf.newaxis, :, tf.newaxis], [30, 4, 4, 1])
  found = augment.moved(columns, [0, 2], 3).numpy()
  steps = np.diff(found, axis=2)
  assert ((steps == 0) | (steps == 1)).all() and found.min() == 0 and found.max() == 3


def test_nothing_is_done_where_nothing_is_asked_for():
  images = _spot()
  assert augment.moved(images, [0, 1], 0) is images and augment.noisy(images, [0, 1], 0.0) is images
  assert augment.recolored(images, [0, 1], 0.0) is images


def test_colours_change_within_their_range_each_image_by_itself():
  grey = augment.recolored(tf.zeros([200, 4, 4, 3]), [0, 3], 0.3).numpy()
  assert np.ptp(grey, axis=(1, 2, 3)).max() < 1e-6  # brightness alone
  each = grey[:, 0, 0, 0]
  assert 0.25 < np.abs(each).max() <= 0.3 and abs(each.mean()) < 0.05 and len(set(each)) > 190


def test_saturation_and_contrast_keep_a_pixels_order_of_colours():
  images = tf.random.stateless_uniform([50, 4, 4, 3], [0, 1], -1.0, 1.0)
  found = augment.recolored(images, [0, 4], 0.2).numpy()
  assert (found.argmax(axis=-1) == images.numpy().argmax(axis=-1)).all()
  spread = np.ptp(found, axis=-1) / np.ptp(images.numpy(), axis=-1)
  assert 0.6 * 0.8 < spread.min() < 0.9 and 1.1 < spread.max() < 1.4 * 1.2
  np.testing.assert_allclose(np.ptp(spread, axis=(1, 2)), 0.0, atol=1e-4)  # one factor an image


def test_gradients_go_back_to_where_pixels_came_from():
  images = _spot(3)
  with tf.GradientTape() as tape:
    tape.watch(images)
    moved = augment.moved(images, [0, 5], 2)
    loss = tf.reduce_sum(moved * moved)
  gradient = tape.gradient(loss, images).numpy()
  np.testing.assert_array_equal(gradient, 2.0 * images.numpy())


def test_noise_has_its_size_and_is_of_the_seed():
  images = tf.zeros([8, 16, 16, 3])
  found = augment.noisy(images, [0, 1], 0.2).numpy()
  assert found.std() == pytest.approx(0.2, rel=0.05)
  np.testing.assert_array_equal(found, augment.noisy(images, [0, 1], 0.2))


def test_d_is_to_reconstruct_the_image_without_its_noise():
  network = settings.Network(size=16, filters=4, hidden=6, refiner_filters=(4, 6))
  images = tf.random.stateless_uniform([4, 16, 16, 3], [0, 1], -1.0, 1.0)
  errors = []
  for noise in (0.0, 3.0):
    tf.keras.utils.set_random_seed(0)
    model = dagan.DAGAN(network, settings.Recipe(noise=noise), 3)
    model.build()
    # What D tells is made black: its errors are those of the images alone.
    model.autoencoder.decoder.image.kernel.assign(
        tf.zeros_like(model.autoencoder.decoder.image.kernel))
    errors.append(model.judged(images, 0)[0].numpy())
  np.testing.assert_allclose(errors[0], np.abs(images).mean(axis=-1), rtol=1e-5)
  np.testing.assert_allclose(errors[0], errors[1], rtol=1e-5)
