"""Tests of the losses: values by hand, signs of gradients, finite differences."""

import math

import numpy as np
import pytest
import tensorflow as tf

from garden.vda import losses

_RNG = np.random.default_rng(0)
_VALID = np.array([[True, True], [True, False]])
_TRUE = _RNG.normal(size=(2, 2, 6)).astype(np.float32)
_IMAGES = _RNG.uniform(size=(2, 3, 3, 3)).astype(np.float32)
_FOCUS = _RNG.uniform(0.1, 1.0, (2, 3, 3)).astype(np.float32)
_FUNCTIONS = {
    "poses": (lambda x: losses.pose_loss(_TRUE + x, _TRUE, _VALID), (2, 2, 6)),
    "reconstruction": (
        lambda x: tf.reduce_sum(losses.reconstruction_error(_IMAGES + x, _IMAGES, _FOCUS)),
        (2, 3, 3, 3)),
    "stability": (lambda x: losses.stability_loss(0.5 + 0.1 * x, tf.constant([1, 0, 1])), (3,)),
}


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_gradients_are_the_finite_differences(name, gradient_of, differences_of):
  function, shape = _FUNCTIONS[name]
  # No error near Huber's corners, .05 and .1.
  x = np.random.default_rng(1).choice([-0.3, -0.02, 0.02, 0.3], shape)
  np.testing.assert_allclose(gradient_of(function, x), differences_of(function, x, 5e-3), atol=2e-3,
                             rtol=2e-2)


def test_poses_are_weighed_3_2_and_halves():
  assert losses.POSE_WEIGHTS == (3.0, 2.0, 0.5, 0.5, 0.5, 0.5)
  for number, weight in enumerate(losses.POSE_WEIGHTS):
    error = tf.one_hot(number, 6)[tf.newaxis, tf.newaxis]
    found = losses.pose_loss(error, tf.zeros([1, 1, 6]), tf.constant([[True]]))
    assert float(found) == pytest.approx(weight * 0.975)  # 1 - .05 / 2


def test_right_poses_cost_nothing():
  assert float(losses.pose_loss(_TRUE, _TRUE, _VALID)) == 0.0


def test_pairs_that_are_not_there_do_not_count():
  poses = np.where(_VALID[..., None], _TRUE + 0.1, 1e3).astype(np.float32)
  found = float(losses.pose_loss(poses, _TRUE, _VALID))
  # 7 weights, errors of .1: .1 - .025; three pairs alike.
  assert found == pytest.approx(7 * 0.075, rel=1e-4)


def test_without_a_pair_poses_cost_nothing():
  found = losses.pose_loss(tf.ones([2, 1, 6]), tf.zeros([2, 1, 6]), tf.zeros([2, 1], tf.bool))
  assert float(found) == 0.0


def test_poses_are_pulled_to_the_true_ones(gradient_of):
  gradient = gradient_of(lambda x: losses.pose_loss(x, _TRUE, _VALID), _TRUE + 0.2)
  assert (gradient[_VALID] > 0).all() and (gradient[~_VALID] == 0).all()


def test_the_reconstruction_error_is_a_focused_mean_of_huber():
  images = np.zeros([1, 1, 2, 3], np.float32)
  drawn = np.array([[[[0.05] * 3, [0.4] * 3]]], np.float32)
  focus = np.array([[[1.0, 0.25]]], np.float32)
  expected = (1.0 * 0.05 ** 2 / 0.2 + 0.25 * (0.4 - 0.05)) / 1.25
  assert float(losses.reconstruction_error(drawn, images, focus)[0]) == pytest.approx(expected)


def test_each_picture_has_an_error_of_its_own():
  drawn = _IMAGES.copy()
  drawn[1] += 0.2
  found = losses.reconstruction_error(drawn, _IMAGES, _FOCUS).numpy()
  np.testing.assert_allclose(found, [0.0, 0.15], atol=1e-6)


def test_a_scale_of_the_focus_does_not_change_the_error():
  a, b = (losses.reconstruction_error(_IMAGES, 1.0 - _IMAGES, f) for f in (_FOCUS, 3.0 * _FOCUS))
  np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("fall", [0, 1])
def test_a_probability_of_a_half_costs_log_2(fall):
  found = losses.stability_loss(tf.constant([0.5]), tf.constant([fall]))
  assert float(found) == pytest.approx(math.log(2))


def test_a_tower_that_falls_raises_its_probability(gradient_of):
  gradient = gradient_of(lambda p: losses.stability_loss(p, tf.constant([1, 0])), [0.5, 0.5])
  assert gradient[0] < 0 < gradient[1]


def test_a_label_of_a_tower_seen_wrongly_adds_no_more_than_its_limit(gradient_of):
  found = losses.stability_loss(tf.constant([0.0, 1.0]), tf.constant([1, 0]))
  assert float(found) == pytest.approx(-math.log(0.02), rel=1e-4)
  gradient = gradient_of(lambda p: losses.stability_loss(p, tf.constant([1, 0])), [0.0, 1.0])
  assert np.isfinite(gradient).all()
