"""Tests of windows: where blocks are seen, where windows are cut, what they hold."""

import numpy as np
import pytest
import tensorflow as tf

from garden.worlds.towers import windows


def test_blocks_are_put_in_the_order_of_their_levels():
  boxes = tf.constant([[[0.2, 0, 0.4, 1], [0.0, 0, 0.0, 0], [0.6, 0, 0.8, 1], [0.4, 0, 0.6, 1]]])
  present = tf.constant([[True, False, True, True]])
  assert windows.level_order(boxes, present).numpy().tolist() == [[2, 3, 0, 1]]  # y points down


def test_the_order_of_levels_is_each_towers_own():
  boxes = tf.constant([[[0.1, 0, 0.2, 1], [0.5, 0, 0.6, 1]], [[0.5, 0, 0.6, 1], [0.1, 0, 0.2, 1]]])
  assert windows.level_order(boxes, tf.ones([2, 2], tf.bool)).numpy().tolist() == [[1, 0], [0, 1]]


def test_a_pair_is_the_box_around_both():
  boxes = tf.constant([[[0.5, 0.2, 0.8, 0.5], [0.3, 0.3, 0.6, 0.7], [0.0, 0.0, 0.0, 0.0]]])
  union, valid = windows.pairs(boxes, tf.constant([[True, True, False]]))
  np.testing.assert_allclose(union[0, 0], [0.3, 0.2, 0.8, 0.7])
  assert valid.numpy().tolist() == [[True, False]]


def test_a_window_is_square_around_the_pair_at_its_scale():
  # A block is .1 of the image; 48 pixels of 24 a block are two blocks.
  found = windows.place(tf.constant([[0.4, 0.1, 0.625, 0.5]]), tf.constant([0.1]), size=48,
                        pixels_per_block=24.0)
  middle_y, middle_x = 0.5125, 0.3
  np.testing.assert_allclose(
      found, [[middle_y - 0.1, middle_x - 0.1, middle_y + 0.1, middle_x + 0.1]], atol=1e-6)


def test_a_windows_size_does_not_depend_on_the_pair():
  union = tf.constant([[0.4, 0.1, 0.6, 0.5], [0.45, 0.2, 0.55, 0.4]])
  found = windows.place(union, tf.constant([0.1] * 2))
  np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_twice_as_large_blocks_have_twice_as_large_windows():
  found = windows.place(tf.constant([[0.4, 0.4, 0.5, 0.5]] * 2), tf.constant([0.1, 0.2])).numpy()
  side = found[:, 2:] - found[:, :2]
  np.testing.assert_allclose(side[1], 2 * side[0], rtol=1e-5)
  np.testing.assert_allclose(side[:, 0], side[:, 1], rtol=1e-5)


def test_what_is_painted_is_in_its_place_in_the_window():
  image = np.zeros([1, 65, 65, 3], np.float32)
  image[0, 16:33, 24:41] = [1.0, 0.0, 0.5]  # corners (16, 24), (32, 40) of 64
  box = tf.constant([[[0.25, 0.375, 0.5, 0.625]]])
  cut = windows.crop(tf.constant(image), box, tf.constant([[True]]), 17).numpy()
  np.testing.assert_allclose(cut[0], np.broadcast_to([1.0, 0.0, 0.5], (17, 17, 3)), atol=1e-5)
  wide = windows.crop(tf.constant(image), tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
                      tf.constant([[True]]), 65).numpy()
  np.testing.assert_allclose(wide, image, atol=1e-5)


def test_outside_of_the_image_a_window_is_grey():
  cut = windows.crop(tf.ones([1, 33, 33, 3]), tf.constant([[[-0.5, 0.0, 0.5, 1.0]]]),
                     tf.constant([[True]]), 33).numpy()
  np.testing.assert_allclose(cut[0, :16], 0.5)
  np.testing.assert_allclose(cut[0, 16:], 1.0, atol=1e-6)


def test_only_valid_windows_are_cut_each_from_its_own_image():
  images = tf.reshape(tf.constant([0.1, 0.2, 0.3]), [3, 1, 1, 1]) * tf.ones([3, 8, 8, 1])
  boxes = tf.tile(tf.constant([[[0.0, 0.0, 1.0, 1.0]]]), [3, 2, 1])
  valid = tf.constant([[True, False], [False, False], [True, True]])
  cut = windows.crop(images, boxes, valid, 4)
  np.testing.assert_allclose(cut[:, 0, 0, 0], [0.1, 0.3, 0.3], rtol=1e-5)


def test_no_valid_window_gives_an_empty_batch():
  cut = windows.crop(tf.ones([2, 8, 8, 3]), tf.zeros([2, 3, 4]), tf.zeros([2, 3], tf.bool), 4)
  assert cut.shape == (0, 4, 4, 3)


def test_scatter_undoes_boolean_mask():
  values = tf.random.stateless_normal([3, 2, 5], [0, 0])
  valid = tf.constant([[True, False], [False, False], [True, True]])
  back = windows.scatter(tf.boolean_mask(values, valid), valid).numpy()
  np.testing.assert_array_equal(back, np.where(valid[..., None], values, 0.0))
  empty = windows.scatter(tf.zeros([0, 5]), tf.zeros([3, 2], tf.bool))
  np.testing.assert_array_equal(empty, np.zeros([3, 2, 5]))


def _mask():
  mask = np.zeros([2, 20, 10], np.int32)
  mask[0, 4:10, 0:5] = 1
  mask[0, 10:20, 5:10] = 3
  mask[1, 0:5, 0:10] = 2
  return mask


def test_boxes_of_painted_masks():
  boxes, present = windows.boxes_of_masks(tf.constant(_mask()), 5)
  assert present.numpy().tolist() == [[True, False, True, False], [False, True, False, False]]
  np.testing.assert_allclose(boxes[0, 0], [0.2, 0.0, 0.5, 0.5], rtol=1e-6)
  np.testing.assert_allclose(boxes[0, 2], [0.5, 0.5, 1.0, 1.0], rtol=1e-6)
  np.testing.assert_allclose(boxes[1, 1], [0.0, 0.0, 0.25, 1.0], rtol=1e-6)


def test_the_box_of_an_absent_class_is_zeros():
  boxes, present = windows.boxes_of_masks(tf.constant(_mask()), 5)
  np.testing.assert_array_equal(boxes[~present.numpy()], 0.0)


def test_single_pixels_of_noise_are_left_out_of_a_box():
  clean, noisy = _mask(), _mask()
  noisy[0, 0, 9], noisy[0, 18, 0] = 1, 1
  np.testing.assert_array_equal(windows.boxes_of_masks(tf.constant(noisy), 5)[0],
                                windows.boxes_of_masks(tf.constant(clean), 5)[0])


@pytest.mark.parametrize("height, there", [(4, False), (5, True)])
def test_a_class_too_thin_for_the_square_is_not_there(height, there):
  mask = np.zeros([1, 20, 20], np.int32)
  mask[0, 6:6 + height, 3:17] = 1
  assert windows.boxes_of_masks(tf.constant(mask), 2)[1].numpy().tolist() == [[there]]


def test_a_speck_far_away_does_not_widen_a_box():
  mask = np.zeros([1, 40, 40], np.int32)
  mask[0, 20:30, 20:30] = 1
  mask[0, 2:6, 2:6] = 1
  boxes, _ = windows.boxes_of_masks(tf.constant(mask), 2)
  np.testing.assert_allclose(boxes[0, 0], [0.5, 0.5, 0.75, 0.75])


def test_what_is_solid_keeps_its_corners():
  y, x = np.mgrid[:31, :31]
  diamond = (np.abs(y - 15) + np.abs(x - 15) <= 10).astype(np.float32)
  found = windows.solid(tf.constant(diamond[None, ..., None])).numpy()[0, ..., 0]
  assert found.sum() >= diamond.sum() - 8 and (found <= diamond).all()
  assert found[15, 5] == found[5, 15] == 1.0  # the tips


def test_noise_alone_is_no_block():
  mask = np.zeros([1, 20, 20], np.int32)
  mask[0, np.arange(20), np.arange(20)] = 1  # no row and no column has two
  boxes, present = windows.boxes_of_masks(tf.constant(mask), 2)
  assert present.numpy().tolist() == [[False]]
  np.testing.assert_array_equal(boxes, 0.0)
