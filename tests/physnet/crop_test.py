"""Tests of the tower's crop: where it is, what it holds, that maps of it go back."""

import numpy as np
import pytest
import tensorflow as tf

from garden.physnet import crop


def _two_blocks():
  boxes = tf.constant([[[0.5, 0.4, 0.7, 0.6], [0.24, 0.45, 0.5, 0.65], [0.0, 0.0, 0.0, 0.0]]])
  return boxes, tf.constant([[True, True, False]])


def test_blocks_are_seen_at_the_scale_and_the_base_at_its_height():
  place = crop.place(*_two_blocks(), (96, 64), 20.0).numpy()[0]
  pixel = 0.46 / 2.3 / 20.0  # two blocks and their top face, 20 px each
  np.testing.assert_allclose(place[2], 0.7 + 3 * pixel, rtol=1e-5)
  np.testing.assert_allclose(place[2] - place[0], 96 * pixel, rtol=1e-5)
  np.testing.assert_allclose(place[3] - place[1], 64 * pixel, rtol=1e-5)
  np.testing.assert_allclose((place[1] + place[3]) / 2, 0.525, rtol=1e-5)


def test_a_picture_twice_as_near_is_cropped_twice_as_large():
  boxes, present = _two_blocks()
  near = crop.place(boxes, present, (96, 64), 20.0).numpy()[0]
  far = crop.place(0.5 * boxes, present, (96, 64), 20.0).numpy()[0]
  np.testing.assert_allclose(far, 0.5 * near, rtol=1e-5)


def test_without_a_block_the_crop_is_the_whole_picture():
  place = crop.place(tf.zeros([1, 3, 4]), tf.zeros([1, 3], tf.bool), (96, 64), 20.0)
  np.testing.assert_array_equal(place, [[0, 0, 1, 1]])


def test_a_box_without_height_gives_a_crop_of_some():
  place = crop.place(tf.zeros([1, 1, 4]), tf.ones([1, 1], tf.bool), (96, 64), 20.0).numpy()[0]
  assert (place[2:] > place[:2]).all()


def test_the_whole_box_is_the_map_itself():
  maps = tf.random.stateless_uniform([2, 6, 5, 3], [0, 1])
  same = crop.resample(maps, tf.constant([[0.0, 0.0, 1.0, 1.0]] * 2), (6, 5))
  np.testing.assert_allclose(same, maps, atol=1e-5)


def test_a_ramp_is_read_at_pixel_centres():
  ramp = tf.tile((tf.range(8.0)[tf.newaxis, :, tf.newaxis, tf.newaxis] + 0.5) / 8, [1, 1, 8, 1])
  cut = crop.resample(ramp, tf.constant([[0.25, 0.25, 0.75, 0.75]]), (2, 2)).numpy()[0, :, 0, 0]
  np.testing.assert_allclose(cut, [0.375, 0.625], atol=1e-6)


def test_outside_has_the_given_value():
  cut = crop.resample(tf.ones([1, 4, 4, 1]), tf.constant([[-1.0, 0.0, 1.0, 1.0]]), (8, 4), 0.3)
  np.testing.assert_allclose(cut[0, :3], 0.3)
  np.testing.assert_allclose(cut[0, 4:], 1.0)


def test_putting_back_undoes_cutting_out():
  y, x = np.meshgrid((np.arange(16) + 0.5) / 16, (np.arange(16) + 0.5) / 16, indexing="ij")
  whole = tf.constant(np.stack([y, x], -1)[None], tf.float32)  # linear: bilinear is exact
  box = tf.constant([[0.25, 0.375, 0.75, 0.625]])
  back = crop.put_back(crop.resample(whole, box, (16, 8)), box, (16, 16)).numpy()[0]
  np.testing.assert_allclose(back[4:12, 6:10], whole.numpy()[0, 4:12, 6:10], atol=1e-5)
  np.testing.assert_array_equal(back[:3], 0.0)
  np.testing.assert_array_equal(back[:, 11:], 0.0)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16])
def test_the_dtype_stays_and_gradients_reach_the_map(dtype):
  maps = tf.cast(tf.random.stateless_uniform([1, 6, 4, 2], [0, 1]), dtype)
  with tf.GradientTape() as tape:
    tape.watch(maps)
    back = crop.put_back(maps, tf.constant([[0.2, 0.2, 0.8, 0.6]]), (14, 14))
    loss = tf.reduce_sum(back)
  assert back.dtype == dtype
  assert (tape.gradient(loss, maps).numpy() > 0).any()
