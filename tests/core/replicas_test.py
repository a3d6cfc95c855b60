"""Tests of what replicas tell each other, and of the losses that count by it."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import losses
from garden.core import replicas
from garden.core import strategies


def _gradient(function, rows):
  """Value and gradient of the mean over replicas of a function of `[n, ...]` rows and a weight."""
  strategy = strategies.get("mirrored")
  count = strategy.num_replicas_in_sync
  with strategy.scope():
    weight = tf.Variable(1.5)

  def local():
    mine = tf.gather(tf.split(tf.constant(rows), count), replicas.number())
    with tf.GradientTape() as tape:
      value = function(weight * mine)
    # As `GardenModel.minimize` does: Keras adds up what was divided.
    gradient = tape.gradient(value, weight, output_gradients=1.0 / count)
    return replicas.mean(value), replicas.total(gradient)

  values = tf.function(lambda: strategy.run(local))()
  return [[float(x) for x in strategy.experimental_local_results(part)] for part in values]


def _alone(function, rows):
  weight = tf.Variable(1.5)
  with tf.GradientTape() as tape:
    value = function(weight * tf.constant(rows))
  return float(value), float(tape.gradient(value, weight))


_ROWS = np.float32([[0.1, 2.0], [0.7, -1.0], [1.3, 0.4], [0.2, 0.3]])


@pytest.mark.parametrize("function", [
  # Three of the first half's numbers count and one of the second's.
  lambda x: losses.masked_mean(tf.square(x), tf.abs(x) > 1.0),
  lambda x: losses.mean(tf.exp(x)),
  lambda x: losses.mean(tf.exp(tf.boolean_mask(x, x > 0.5))),
  lambda x: losses.masked_mean(x, x > 100.0),  # nowhere
  lambda x: tf.square(replicas.mean(tf.reduce_mean(tf.exp(x)))),
  lambda x: tf.reduce_logsumexp(replicas.gather(x)),
  lambda x: tf.math.log(replicas.total(tf.reduce_sum(x * x))),
], ids=["masked", "mean", "uneven", "nowhere", "of_the_mean", "gathered", "of_the_sum"])
def test_value_and_gradient_are_those_of_one_device(function):
  value, gradient = _alone(function, _ROWS)
  values, gradients = _gradient(function, _ROWS)
  np.testing.assert_allclose(values, value, rtol=1e-5)
  np.testing.assert_allclose(gradients, gradient, rtol=1e-5)


def test_one_device_is_given_back_what_it_gave():
  x = tf.constant([1.0])
  assert replicas.mean(x) is x and replicas.total(x) is x and replicas.gather(x) is x
  assert replicas.count() == 1 and int(replicas.number()) == 0


def test_in_the_scope_alone_nothing_is_told():
  x = tf.constant([1.0])
  with strategies.get("mirrored").scope():
    assert replicas.gather(x) is x and replicas.count() == 1


@pytest.mark.parametrize("size", [4, 5])
def test_dealt_batches_are_the_batch(size):
  strategy = strategies.get("mirrored")
  count = strategy.num_replicas_in_sync
  data = tf.data.Dataset.range(3).map(lambda i: {
    "a": tf.range(size, dtype=tf.int64) + 10 * i, "b": tf.range(2 * size), "all": [i, i]})
  steps = list(strategies.deal(data, strategy, whole=("all",)))
  assert len(steps) == 3
  for number, step in enumerate(steps):
    parts = {name: [x.numpy() for x in strategy.experimental_local_results(value)]
             for name, value in step.items()}
    np.testing.assert_array_equal(np.concatenate(parts["a"]), np.arange(size) + 10 * number)
    np.testing.assert_array_equal(np.concatenate(parts["b"]), np.arange(2 * size))
    np.testing.assert_array_equal(parts["all"], [[number] * 2] * count)


def test_one_replica_is_dealt_the_data_set_itself():
  data = tf.data.Dataset.range(3).batch(2)
  assert strategies.deal(data, strategies.get("one_device")) is data


def test_a_batch_of_fewer_rows_than_replicas_is_refused():
  data = tf.data.Dataset.range(3).batch(1, drop_remainder=True)
  with pytest.raises(ValueError, match="a batch of 1 examples can't be dealt to 2 replicas"):
    strategies.deal(data, strategies.get("mirrored"))


def test_a_lone_process_tells_itself():
  assert strategies.n_workers(strategies.get("mirrored")) == 1
  assert strategies.of_workers(strategies.get("mirrored"), 7).tolist() == [7]
