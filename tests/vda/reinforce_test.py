"""Tests of REINFORCE: unbiased where the gradient is known, and what its baseline is for."""

import numpy as np
import pytest
import tensorflow as tf

from garden.vda import reinforce

_MEAN = np.array([[0.3, -0.5], [1.0, 0.2]], np.float32)
_SIGMA = 0.2


def _gradients(reward, samples=4, repeats=4000, sigma=_SIGMA):
  """`[repeats, N, D]` estimates of -dE[R]/dm, each scene's own."""
  mean = tf.Variable(np.tile(_MEAN, (repeats, 1)))
  states = reinforce.sample(mean, sigma, samples, tf.constant([1, 2]))
  with tf.GradientTape() as tape:
    loss = reinforce.surrogate(mean, states, reward(states), sigma)
  gradient = tape.gradient(loss, mean).numpy() * len(mean.numpy())
  return gradient.reshape(repeats, *_MEAN.shape)


def test_it_is_unbiased_on_a_quadratic():
  # R = -|x - a|^2: dE[R]/dm = -2 (m - a), whatever sigma is.
  target = np.array([0.1, 0.4], np.float32)
  found = _gradients(lambda x: -tf.reduce_sum(tf.square(x - target), axis=-1))
  error = found.std(axis=0) / np.sqrt(len(found))
  expected = 2.0 * (_MEAN - target)
  assert (np.abs(found.mean(axis=0) - expected) < 4.0 * error).all()
  assert (error < 0.05 * np.abs(expected).max()).all()


def test_it_is_unbiased_on_a_step_that_has_no_gradient():
  # R = [x_0 > 0]: dE[R]/dm_0 is the normal density at 0.
  found = _gradients(lambda x: tf.cast(x[..., 0] > 0.0, tf.float32))
  error = found.std(axis=0) / np.sqrt(len(found)) + 1e-3
  density = np.exp(-0.5 * (_MEAN[:, 0] / _SIGMA) ** 2) / (_SIGMA * np.sqrt(2 * np.pi))
  expected = np.stack([-density, np.zeros(2)], axis=-1)
  assert (np.abs(found.mean(axis=0) - expected) < 4.0 * error).all()


def test_it_points_to_more_reward():
  found = _gradients(lambda x: x[..., 0], repeats=500).mean(axis=0)
  assert (found[:, 0] < -0.5).all()  # a loss: down the gradient is up the reward


def test_a_constant_in_the_reward_changes_nothing():
  target = np.array([0.1, 0.4], np.float32)

  def reward(x):
    return -tf.reduce_sum(tf.square(x - target), axis=-1)

  plain = _gradients(reward, repeats=50)
  np.testing.assert_allclose(_gradients(lambda x: reward(x) + 10.0, repeats=50), plain, atol=2e-3)


def test_each_number_has_its_own_sigma():
  states = reinforce.sample(tf.zeros([2000, 2]), [0.1, 1.0], 4, tf.constant([0, 0])).numpy()
  np.testing.assert_allclose(states.std(axis=(0, 1)), [0.1, 1.0], rtol=0.05)


def test_samples_are_a_function_of_the_seed():
  one, two, three = (reinforce.sample(tf.zeros([3, 2]), 0.1, 2, tf.constant([0, s])).numpy()
                     for s in (1, 1, 2))
  np.testing.assert_array_equal(one, two)
  assert (one != three).all()


@pytest.mark.parametrize("sigma, samples, message", [
    (0.1, 1, "samples is 1"), (0.0, 4, "sigma is 0.0"), (float("nan"), 4, "sigma is nan")])
def test_a_lone_sample_and_no_noise_are_refused(sigma, samples, message):
  with pytest.raises(ValueError, match=message):
    reinforce.sample(tf.zeros([1, 2]), sigma, samples, tf.constant([0, 0]))
