"""Gradients through what has none: multi-sample REINFORCE with a leave-one-out baseline.

Williams, Machine Learning 1992; Kool, van Hoof, Welling 2019. For a reward R of a state x that is
drawn around the predicted one, x_k = m + sigma e_k, e_k ~ N(0, 1), k = 1 .. S,

    d/dm E[R] = E[(R - b) (x - m) / sigma^2]  ~  1/S sum_k (R_k - b_k) e_k / sigma
    b_k = 1/(S - 1) sum_{j != k} R_j

b_k doesn't depend on e_k, so the estimate is unbiased; sigma is fixed. The engine behind R, MuJoCo
or a hard renderer, is only called.
"""

import tensorflow as tf

from garden.core import checks


def sample(mean, sigma, samples, seed):
  """States around the predicted ones.

  Args:
    mean: `[N, D]` float32, the predicted numbers.
    sigma: of the Gaussian: a float, or `[D]`.
    samples: S, at least 2.
    seed: `[2]` int32.

  Returns:
    `[S, N, D]` float32, without a gradient.

  Raises:
    ValueError: samples or sigma is out of its range.

  Example:
    states = sample(tf.zeros([8, 3]), 0.05, 4, tf.constant([0, 1]))  # [4, 8, 3]
  """
  checks.check_count("samples", samples, 2)  # a lone sample has no baseline
  if not tf.is_tensor(sigma):
    for value in tf.nest.flatten(sigma):
      checks.check_number("sigma", value, open_=True)
  noise = tf.random.stateless_normal(tf.concat([[samples], tf.shape(mean)], axis=0), seed)
  return tf.stop_gradient(mean) + tf.cast(sigma, tf.float32) * noise


def surrogate(mean, states, rewards, sigma):
  """A scalar whose gradient by `mean` is REINFORCE's estimate of minus dE[R]/dm: a loss.

  Its value means nothing; minimise it.

  Args:
    mean: `[N, D]` float32, the predicted numbers, with a gradient.
    states: `[S, N, D]` float32, of `sample`.
    rewards: `[S, N]` float32, of the states: higher is better.
    sigma: as it was given to `sample`.

  Returns:
    Float scalar, the mean over the N scenes.

  Example:
    states = sample(mean, 0.05, 8, seed)
    loss = surrogate(mean, states, rewards_of(states), 0.05)
  """
  count = tf.cast(tf.shape(rewards)[0], tf.float32)
  rewards = tf.stop_gradient(tf.cast(rewards, tf.float32))
  others = (tf.reduce_sum(rewards, axis=0) - rewards) / (count - 1.0)
  score = tf.stop_gradient((states - mean) / tf.square(tf.cast(sigma, tf.float32)))
  estimate = tf.reduce_mean((rewards - others)[..., tf.newaxis] * score, axis=0)
  return -tf.reduce_mean(tf.reduce_sum(estimate * mean, axis=-1))
