"""Tests of the pieces of losses: values by hand, finite differences."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import losses


@pytest.mark.parametrize("function", [
    lambda x: tf.reduce_sum(losses.huber(x, 0.5)),
    lambda x: losses.masked_mean(x, tf.constant([True, False, True] * 2))])
def test_gradients_are_the_finite_differences(function, gradient_of, differences_of):
  x = np.random.default_rng(1).normal(size=6)
  np.testing.assert_allclose(gradient_of(function, x), differences_of(function, x), atol=2e-3,
                             rtol=2e-2)


def test_huber_is_a_parabola_then_a_line():
  np.testing.assert_allclose(losses.huber(tf.constant([0.0, 0.05, -0.05, 1.0, -1.0]), 0.1),
                             [0.0, 0.0125, 0.0125, 0.95, 0.95], rtol=1e-5)


def test_huber_and_its_slope_are_continuous_at_delta(gradient_of):
  near = [0.1 - 1e-5, 0.1 + 1e-5]
  value = losses.huber(tf.constant(near), 0.1).numpy()
  slope = gradient_of(lambda x: tf.reduce_sum(losses.huber(x, 0.1)), near)
  assert value[0] == pytest.approx(value[1], abs=1e-4) == pytest.approx(0.05, abs=1e-4)
  np.testing.assert_allclose(slope, [1.0, 1.0], atol=1e-3)


def test_a_masked_mean_leaves_out_what_is_masked():
  values = tf.constant([[1.0, 100.0], [3.0, 5.0]])
  mask = tf.constant([[True, False], [True, True]])
  assert losses.masked_mean(values, mask).numpy() == pytest.approx(3.0)


def test_a_masked_mean_of_nothing_is_0():
  assert losses.masked_mean(tf.constant([1.0, 2.0]), tf.constant([False, False])).numpy() == 0.0
