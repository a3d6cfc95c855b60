"""Tests of FusedAdam against Keras's Adam."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import optimizers
from garden.core import strategies

_STEPS = 6
#: As part of the way that a weight went. Keras takes 1 - 0.999 in double precision, the kernel in
#: single, where it is 1.3e-5 off; the root of v halves that.
_CLOSE = 1e-5 * _STEPS


def _gradients(step):
  rng = np.random.default_rng(step)
  return [
    rng.normal(size=(3, 4)).astype(np.float32),
    (10.0 ** rng.uniform(-6, 3, size=5)).astype(np.float32),
  ]


def _variables():
  rng = np.random.default_rng(99)
  return [tf.Variable(rng.normal(size=s).astype(np.float32)) for s in ((3, 4), (5,))]


def _run(optimizer):
  """Variables after some steps; with the schedule and arguments of the optimizer."""
  variables = _variables()
  for step in range(_STEPS):
    optimizer.apply_gradients(zip(map(tf.constant, _gradients(step)), variables))
  return [v.numpy() for v in variables]


@pytest.mark.parametrize(
  "arguments",
  [
    {},
    {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
    {"weight_decay": 0.1},
    {"clipnorm": 0.5},
    {"global_clipnorm": 0.5},
    {"clipvalue": 0.1},
    {"amsgrad": True},
    {"use_ema": True, "ema_momentum": 0.9},
  ],
  ids=str,
)
def test_steps_are_those_of_keras(arguments):
  ours = optimizers.FusedAdam(1e-2, **arguments)
  theirs = tf.keras.optimizers.Adam(1e-2, **arguments)
  for a, b in zip(_run(ours), _run(theirs)):
    np.testing.assert_allclose(a, b, atol=_CLOSE * 1e-2)
  for a, b in zip(ours.variables, theirs.variables):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=3e-5, atol=1e-9)


def test_a_schedule_is_followed():
  schedule = tf.keras.optimizers.schedules.CosineDecay(
    initial_learning_rate=0.0, warmup_target=0.1, warmup_steps=2, decay_steps=3
  )
  ours = _run(optimizers.FusedAdam(schedule))
  theirs = _run(tf.keras.optimizers.Adam(schedule))
  constant = _run(optimizers.FusedAdam(0.1))
  for a, b, c in zip(ours, theirs, constant):
    np.testing.assert_allclose(a, b, atol=_CLOSE * 0.1)
    assert np.abs(a - c).max() > 1e-2


def test_a_step_has_the_published_form():
  weight = tf.Variable([1.0])
  optimizers.FusedAdam(0.1, epsilon=0.5).apply_gradients([(tf.constant([3.0]), weight)])
  # t = 1: both bias corrections cancel, but for epsilon's.
  m, v = 0.1 * 3, 0.001 * 9
  rate = 0.1 * np.sqrt(1 - 0.999) / (1 - 0.9)
  np.testing.assert_allclose(weight.numpy(), [1 - rate * m / (np.sqrt(v) + 0.5)], rtol=1e-5)


def test_a_changed_learning_rate_is_used():
  optimizer, weight = optimizers.FusedAdam(0.1), tf.Variable([1.0])
  optimizer.build([weight])
  optimizer.learning_rate.assign(0.0)
  optimizer.apply_gradients([(tf.constant([1.0]), weight)])
  assert weight.numpy() == [1.0]


def test_sparse_gradients_are_those_of_keras():
  results = []
  for kind in (optimizers.FusedAdam, tf.keras.optimizers.Adam):
    table, optimizer = tf.Variable(np.ones((4, 2), np.float32)), kind(0.1)
    for rows in ([0, 2], [2, 2], [1, 0]):
      slices = tf.IndexedSlices(tf.ones((2, 2)), tf.constant(rows), tf.constant([4, 2]))
      optimizer.apply_gradients([(slices, table)])
    results.append(table.numpy())
  np.testing.assert_allclose(results[0], results[1], rtol=1e-6)
  assert np.all(results[0][3] == 1.0) and np.all(results[0][0] != 1.0)


def test_it_is_serialisable():
  optimizer = optimizers.FusedAdam(0.02, beta_1=0.7, weight_decay=0.01)
  saved = tf.keras.optimizers.serialize(optimizer)
  again = tf.keras.optimizers.deserialize(saved)
  assert isinstance(again, optimizers.FusedAdam)
  assert again.get_config() == optimizer.get_config()


def test_its_state_restores_into_kerass_adam_and_back(tmp_path):
  ours, weights = optimizers.FusedAdam(0.1), _variables()
  for step in range(3):
    ours.apply_gradients(zip(map(tf.constant, _gradients(step)), weights))
  path = tf.train.Checkpoint(optimizer=ours, weights=weights).save(tmp_path / "c")
  results = []
  for kind in (optimizers.FusedAdam, tf.keras.optimizers.Adam):
    optimizer, copies = kind(0.1), _variables()
    optimizer.build(copies)
    tf.train.Checkpoint(optimizer=optimizer, weights=copies).restore(path).assert_consumed()
    optimizer.apply_gradients(zip(map(tf.constant, _gradients(3)), copies))
    results.append([v.numpy() for v in copies])
  for a, b in zip(*results):
    np.testing.assert_allclose(a, b, atol=_CLOSE * 0.1)


@pytest.mark.parametrize("strategy", ["mirrored", "one_device"])
def test_replicas_take_the_step_of_one_device(strategy):
  strategy = strategies.get(strategy)
  replicas = strategy.num_replicas_in_sync
  with strategy.scope():
    variables, optimizer = _variables(), optimizers.FusedAdam(1e-2)
    optimizer.build(variables)

  def update(gradients):
    # Made on the replica's device, as those of a tape are.
    optimizer.apply_gradients([(tf.identity(g), v) for g, v in zip(gradients, variables)])

  @tf.function
  def step(gradients):
    strategy.run(update, (gradients,))

  for number in range(_STEPS):
    step([tf.constant(g / replicas) for g in _gradients(number)])
  for a, b in zip(variables, _run(tf.keras.optimizers.Adam(1e-2))):
    np.testing.assert_allclose(a.numpy(), b, atol=_CLOSE * 1e-2)
    if replicas == 2:
      np.testing.assert_array_equal(a.values[0].numpy(), a.values[1].numpy())


def test_adamw_warms_up_and_ends_at_0_on_one_cosine():
  rate = optimizers.adamw(0.01, steps=300, warm_up=100)._learning_rate
  rates = np.array([float(rate(step)) for step in range(301)])
  assert rates[0] == pytest.approx(1e-4) and rates[-1] == pytest.approx(0.0, abs=1e-9)
  assert rates.argmax() == 100 and rates.max() == pytest.approx(0.01)
  assert rates[200] == pytest.approx(0.005, rel=1e-3)
  assert (np.diff(rates[:101]) > 0).all() and (np.diff(rates[100:]) < 0).all()


@pytest.mark.parametrize("steps, peak", [(10, 5), (1, 0)])
def test_adamw_warms_up_for_no_more_than_half_of_a_run(steps, peak):
  rate = optimizers.adamw(0.01, steps, warm_up=100)._learning_rate
  rates = np.array([float(rate(step)) for step in range(steps + 1)])
  assert np.isfinite(rates).all() and rates.argmax() == peak
  assert rates.max() == pytest.approx(0.01)


def test_adamw_decays_kernels_alone():
  layer, norm = tf.keras.layers.Dense(3, bias_initializer="ones"), (
    tf.keras.layers.BatchNormalization(beta_initializer="ones"))
  norm(layer(tf.ones([1, 2])))
  variables = layer.trainable_variables + norm.trainable_variables
  before = {v.name: v.numpy() for v in variables}
  optimizer = optimizers.adamw(0.1, steps=10, warm_up=0, weight_decay=0.5)
  optimizer.apply_gradients([(tf.zeros_like(v), v) for v in variables])
  assert len(variables) == 4
  for variable in variables:
    factor = 1 - 0.1 * 0.5 if "kernel" in variable.name else 1.0
    np.testing.assert_allclose(variable, factor * before[variable.name], rtol=1e-5,
                               err_msg=variable.name)
