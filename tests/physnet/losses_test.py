"""Tests of the losses: values by hand, signs of gradients, finite differences."""

import math

import numpy as np
import pytest
import tensorflow as tf

from garden.physnet import losses

_RNG = np.random.default_rng(0)
_MASKS = _RNG.integers(0, 3, (2, 2, 3, 2)).astype(np.int32)
_FUNCTIONS = {
    "fall": (lambda x: losses.fall_loss(x, tf.constant([1, 0, 1])), (3,)),
    "fall, smoothed": (lambda x: losses.fall_loss(x, tf.constant([1, 0, 1]), 0.1), (3,)),
    "masks": (lambda x: losses.mask_cross_entropy(x, _MASKS), (2, 2, 3, 2, 3)),
    "masks, weighted": (lambda x: losses.mask_cross_entropy(x, _MASKS, 0.2), (2, 2, 3, 2, 3)),
    "dice": (lambda x: losses.soft_dice(x, _MASKS), (2, 2, 3, 2, 3)),
    "poses": (lambda x: tf.reduce_sum(losses.pose_error(x, tf.zeros([2, 6]))), (2, 6)),
    "margin": (lambda x: tf.reduce_sum(losses.squashed_margin(0.1 * x)), (5,)),
}


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_gradients_are_the_finite_differences(name, gradient_of, differences_of):
  function, shape = _FUNCTIONS[name]
  x = np.random.default_rng(1).normal(size=shape)
  np.testing.assert_allclose(gradient_of(function, x), differences_of(function, x), atol=2e-3,
                             rtol=2e-2)


@pytest.mark.parametrize("fall", [0, 1])
def test_a_logit_of_0_costs_log_2(fall):
  assert losses.fall_loss(tf.constant([0.0]), tf.constant([fall])).numpy() == pytest.approx(
      math.log(2))


def test_fall_loss_is_minus_log_p_of_what_happens():
  logits = tf.constant([2.0, -1.0])
  p = 1 / (1 + np.exp([-2.0, 1.0]))
  found = losses.fall_loss(logits, tf.constant([1, 0])).numpy()
  assert found == pytest.approx(-(math.log(p[0]) + math.log(1 - p[1])) / 2, rel=1e-6)


def test_raising_the_logit_of_a_tower_that_falls_lowers_the_loss(gradient_of):
  gradient = gradient_of(lambda x: losses.fall_loss(x, tf.constant([1, 0])), [0.5, 0.5])
  assert gradient[0] < 0 < gradient[1]


def test_smoothing_moves_a_share_of_the_label():
  logits, fall = tf.constant([3.0]), tf.constant([1])
  found = losses.fall_loss(logits, fall, 0.1)
  mixed = 0.9 * losses.fall_loss(logits, fall) + 0.1 * losses.fall_loss(logits, 1 - fall)
  np.testing.assert_allclose(found, mixed, rtol=1e-6)


def test_a_smoothed_loss_is_least_where_the_label_is(gradient_of):
  target = math.log(0.9 / 0.1)
  gradient = gradient_of(lambda x: losses.fall_loss(x, tf.constant([1]), 0.1), [target])
  assert abs(gradient[0]) < 1e-6


def test_fall_loss_of_extreme_logits_is_finite():
  found = losses.fall_loss(tf.constant([1e4, -1e4]), tf.constant([0, 1])).numpy()
  assert found == pytest.approx(1e4)


def test_uniform_masks_cost_the_log_of_the_classes():
  found = losses.mask_cross_entropy(tf.zeros([1, 56, 56, 4, 5]), tf.zeros([1, 56, 56, 4], tf.int32))
  assert found.numpy() == pytest.approx(math.log(5), rel=1e-5)


def test_a_right_mask_costs_nothing():
  logits = 50.0 * tf.one_hot(_MASKS, 3)
  assert losses.mask_cross_entropy(logits, _MASKS).numpy() < 1e-6


def test_raising_the_right_class_lowers_the_masks_loss(gradient_of):
  gradient = gradient_of(lambda x: losses.mask_cross_entropy(x, _MASKS), np.zeros([2, 2, 3, 2, 3]))
  right = tf.one_hot(_MASKS, 3).numpy() == 1
  assert (gradient[right] < 0).all() and (gradient[~right] > 0).all()


@pytest.mark.parametrize("weight", [0.25, 1.0, 3.0])
def test_background_counts_by_its_weight(weight):
  logits = tf.constant([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]])
  masks = tf.constant([0, 0, 1])
  right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
  expected = (2 * weight * right + wrong) / (2 * weight + 1)
  found = losses.mask_cross_entropy(logits, masks, weight).numpy()
  assert found == pytest.approx(expected, rel=1e-5)


def test_a_weight_of_1_is_no_weight():
  logits = tf.random.stateless_normal([2, 2, 3, 2, 3], [0, 0])
  np.testing.assert_allclose(losses.mask_cross_entropy(logits, _MASKS, 1.0),
                             losses.mask_cross_entropy(logits, _MASKS, 1.0 + 1e-7), rtol=1e-5)


def test_background_alone_without_weight_costs_nothing():
  found = losses.mask_cross_entropy(tf.ones([4, 3]), tf.zeros([4], tf.int32), 0.0)
  assert found.numpy() == 0.0


def _halves():
  """Class 1 on the left, 2 on the right."""
  masks = np.ones([1, 4, 4, 1], np.int32)
  masks[:, :, 2:] = 2
  return masks


def test_dice_of_the_right_masks_is_0():
  masks = tf.constant(_halves())
  assert losses.soft_dice(50.0 * tf.one_hot(masks, 5), masks).numpy() == pytest.approx(0, abs=1e-6)


def test_dice_of_disjoint_masks_is_1():
  masks = _halves()
  logits = 50.0 * tf.one_hot(3 - masks, 5)
  assert losses.soft_dice(logits, tf.constant(masks)).numpy() == pytest.approx(1, abs=1e-6)


def test_dice_of_half_an_overlap_by_hand():
  masks, told = np.zeros([1, 1, 4, 1], np.int32), np.zeros([1, 1, 4, 1], np.int32)
  masks[0, 0, :2], told[0, 0, 1:3] = 1, 1
  found = losses.soft_dice(50.0 * tf.one_hot(told, 2), tf.constant(masks))
  assert found.numpy() == pytest.approx(1 - 2 * 1 / (2 + 2), abs=1e-6)


def test_dice_leaves_out_classes_that_are_absent():
  masks = tf.constant(_halves())
  few = losses.soft_dice(10.0 * tf.one_hot(masks, 3), masks)
  many = losses.soft_dice(tf.concat([10.0 * tf.one_hot(masks, 3),
                                     tf.fill([1, 4, 4, 1, 4], -50.0)], -1), masks)
  np.testing.assert_allclose(few, many, atol=1e-6)


def test_dice_weighs_small_blocks_like_large_ones():
  masks = np.zeros([1, 8, 8, 1], np.int32)
  masks[0, :6], masks[0, 7, 0] = 1, 2
  told = np.where(masks == 2, 0, masks)  # misses the small one
  found = losses.soft_dice(50.0 * tf.one_hot(told, 3), tf.constant(masks))
  assert found.numpy() == pytest.approx(0.5, abs=1e-6)


def test_dice_without_any_block_has_no_gradient(gradient_of):
  masks = tf.zeros([1, 4, 4, 1], tf.int32)
  gradient = gradient_of(lambda x: losses.soft_dice(x, masks), np.zeros([1, 4, 4, 1, 3]))
  np.testing.assert_array_equal(gradient, 0.0)


def test_raising_the_right_class_lowers_dice(gradient_of):
  masks = tf.constant(_halves())
  gradient = gradient_of(lambda x: losses.soft_dice(x, masks), np.zeros([1, 4, 4, 1, 3]))
  assert (gradient[tf.one_hot(masks, 3).numpy() == 1] < 0).all()


def test_poses_are_weighed_6_4_1_1_1_1():
  found = losses.pose_error(tf.ones([2, 6]), tf.zeros([2, 6]))
  np.testing.assert_allclose(found, np.tile(0.95 * np.array([6, 4, 1, 1, 1, 1]), (2, 1)), rtol=1e-5)
  assert losses.POSE_WEIGHTS == (6, 4, 1, 1, 1, 1)


def test_right_poses_cost_nothing():
  poses = tf.random.stateless_normal([2, 3, 6], [0, 0])
  np.testing.assert_array_equal(losses.pose_error(poses, poses), 0.0)


def test_a_squashed_margin_is_tanh_of_five_margins():
  np.testing.assert_allclose(losses.squashed_margin(tf.constant([0.0, 0.2, -0.1])),
                             np.tanh([0.0, 1.0, -0.5]), rtol=1e-6)


def test_a_squashed_margin_takes_missing_interfaces(gradient_of):
  found = losses.squashed_margin(tf.constant([10.0, float("inf"), -float("inf")]))
  np.testing.assert_allclose(found, [1.0, 1.0, -1.0], rtol=1e-6)
  slope = gradient_of(lambda x: tf.reduce_sum(losses.squashed_margin(x)), [10.0, float("inf")])
  np.testing.assert_array_equal(slope, 0.0)
