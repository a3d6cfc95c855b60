"""Tests of `GardenModel`: the update, state over replicas, seeds and trackers."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import model as model_lib
from garden.core import strategies

_X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [-2.0, 4.0]], np.float32)
_Y = np.array([1.0, -2.0, 0.0, 3.0], np.float32)


class _Net(model_lib.GardenModel):
  """y = x . w with a loss that is a mean or a sum over examples."""

  def __init__(self, reduction="mean", clip_norm=None, seed=0, second=False):
    super().__init__(seed=seed)
    self.reduction, self.clip_norm = reduction, clip_norm
    self.w = tf.Variable([0.1, -0.2], name="w")
    self.bias = tf.Variable(0.5, name="bias")
    self.k_t = self.state_variable(0.0, "k_t")
    self.second = self.add_optimizer(tf.keras.optimizers.SGD(0.1)) if second else None
    self.add_trackers("loss")

  def call(self, x):
    x = tf.cast(x, tf.float32)  # the variables are no layer's, so no policy casts them
    return tf.linalg.matvec(x, self.w) + self.bias

  def train_step(self, batch):
    x, y = batch
    with tf.GradientTape() as tape:
      squares = tf.square(self(x) - y)
      reduce = tf.reduce_mean if self.reduction == "mean" else tf.reduce_sum
      loss = reduce(squares)
    self.minimize(
      tape, loss, [self.w, self.bias], self.second or self.optimizer, self.reduction,
      self.clip_norm,
    )  # fmt: skip
    self.k_t.assign(tf.clip_by_value(self.all_reduce_mean(loss), 0.0, 100.0))
    return self.log_step(loss=loss)


def _fit(strategy="default", steps=2, optimizer=None, **kwargs):
  strategy = strategies.get(strategy)
  data = tf.data.Dataset.from_tensors((_X, _Y)).unbatch().batch(4).repeat()
  with strategy.scope():
    net = _Net(**kwargs)
    net.compile(optimizer or tf.keras.optimizers.SGD(0.1))
  history = net.fit(data, steps_per_epoch=steps, verbose=0)
  return net, history.history


def _by_hand(reduction, clip_norm=None, steps=2):
  """The same steps of gradient descent in NumPy."""
  w, bias = np.array([0.1, -0.2]), 0.5
  for _ in range(steps):
    residual = _X @ w + bias - _Y
    scale = 2 / len(_Y) if reduction == "mean" else 2
    gradient = np.append(scale * residual @ _X, scale * residual.sum())
    if clip_norm is not None:
      gradient *= min(1, clip_norm / np.linalg.norm(gradient))
    w, bias = w - 0.1 * gradient[:2], bias - 0.1 * gradient[2]
  return w, bias


@pytest.mark.parametrize("strategy", ["default", "one_device", "mirrored"])
@pytest.mark.parametrize("clip_norm", [None, 0.7])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_two_replicas_make_the_step_of_one(strategy, reduction, clip_norm):
  net, _ = _fit(strategy, reduction=reduction, clip_norm=clip_norm)
  w, bias = _by_hand(reduction, clip_norm)
  np.testing.assert_allclose(net.w.numpy(), w, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(net.bias.numpy(), bias, rtol=1e-5)


def test_the_mirrored_strategy_of_these_tests_has_two_replicas():
  assert strategies.get("mirrored").num_replicas_in_sync == 2


def test_an_unknown_reduction_is_refused():
  net = _Net(reduction="mean")
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(net.w)
  with pytest.raises(ValueError, match="reduction is 'max'"):
    net.minimize(tape, loss, [net.w], tf.keras.optimizers.SGD(), reduction="max")


def test_variables_without_a_gradient_are_left_alone():
  net = _Net()
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(net.w)
  gradients = net.minimize(tape, loss, [net.w, net.bias], tf.keras.optimizers.SGD(0.1))
  assert gradients[1] is None
  np.testing.assert_allclose(net.w.numpy(), [0.0, -0.3], atol=1e-7)


@pytest.mark.parametrize("clip_norm", [None, 0.7])
def test_a_second_optimizer_is_scaled_and_unscaled_in_half_precision(clip_norm, caplog):
  tf.keras.mixed_precision.set_global_policy("mixed_float16")
  net, _ = _fit(second=True, steps=1, clip_norm=clip_norm)
  scaled = tf.keras.mixed_precision.LossScaleOptimizer
  assert isinstance(net.second, scaled) and isinstance(net.optimizer, scaled)
  assert float(net.second.loss_scale) > 1000
  # Were the gradient not divided by the scale again, the step would be 32,768 times too long.
  w, bias = _by_hand("mean", clip_norm, steps=1)
  np.testing.assert_allclose(net.w.numpy(), w, rtol=1e-5)
  np.testing.assert_allclose(net.bias.numpy(), bias, rtol=1e-5)
  assert net.add_optimizer(net.second) is net.second  # never wrapped twice
  assert "get_scaled_loss" not in caplog.text  # Keras's warning that a loss went unscaled


def test_a_half_precision_gradient_that_would_vanish_is_kept_by_the_scale():
  tf.keras.mixed_precision.set_global_policy("mixed_float16")
  net = _Net(second=True)
  with tf.GradientTape() as tape:
    # 1e-8 is below float16's least number, so that the plain gradient would be 0.
    loss = tf.cast(tf.cast(net.w[0], tf.float16) * tf.constant(1.0, tf.float16), tf.float32) * 1e-8
  (gradient,) = net.minimize(tape, loss, [net.w], net.second)
  np.testing.assert_allclose(gradient[0], 1e-8, rtol=1e-2)


def test_an_overflow_skips_the_step_and_lowers_the_scale():
  tf.keras.mixed_precision.set_global_policy("mixed_float16")
  net = _Net(second=True)
  before = float(net.second.loss_scale)
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(net.w) * np.float32("inf")
  net.minimize(tape, loss, [net.w], net.second, clip_norm=1.0)
  np.testing.assert_allclose(net.w.numpy(), [0.1, -0.2])
  assert float(net.second.loss_scale) == before / 2


def test_without_half_precision_an_optimizer_stays_as_it_is():
  plain = tf.keras.optimizers.SGD()
  assert _Net().add_optimizer(plain) is plain


def test_a_state_variable_has_one_value_on_all_replicas():
  net, _ = _fit("mirrored", steps=1)
  values = [float(v.numpy()) for v in net.k_t.values]
  start = np.mean((_X @ [0.1, -0.2] + 0.5 - _Y) ** 2)
  assert len(values) == 2
  np.testing.assert_allclose(values, start, rtol=1e-5)


def test_all_reduce_gives_every_replica_the_sum_and_the_mean():
  strategy = strategies.get("mirrored")
  with strategy.scope():
    net = _Net()

  def body():
    own = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.float32)
    return net.all_reduce_sum({"a": own + 1}), net.all_reduce_mean([own])

  sums, means = tf.function(lambda: strategy.run(body))()
  assert [float(v) for v in sums["a"].values] == [3.0, 3.0]
  assert [float(v) for v in means[0].values] == [0.5, 0.5]
  assert net.all_reduce_sum({"a": 2}) == {"a": 2}  # outside of replicas nothing changes


def test_the_seed_of_a_step_is_a_function_of_seed_and_step():
  net, other = _Net(seed=1), _Net(seed=2)
  seeds = []
  for step in range(3):
    net.total_steps.assign(step)
    seeds.append(tuple(net.step_seed().numpy()))
  assert len(set(seeds)) == 3
  net.total_steps.assign(1)
  assert tuple(net.step_seed().numpy()) == seeds[1]
  other.total_steps.assign(1)
  assert tuple(other.step_seed().numpy()) != seeds[1]


def test_the_seed_of_a_step_survives_a_restore(tmp_path):
  net, again = _Net(seed=4), _Net(seed=4)
  net.total_steps.assign(17)
  path = tf.train.Checkpoint(model=net).save(tmp_path / "c")
  tf.train.Checkpoint(model=again).restore(path).assert_existing_objects_matched()
  assert tuple(again.step_seed().numpy()) == tuple(net.step_seed().numpy())


def test_log_step_counts_and_averages_over_an_epoch():
  net = _Net()
  assert float(net.log_step(loss=2.0)["loss"]) == 2.0
  assert float(net.log_step(loss=4.0)["loss"]) == 3.0
  assert float(net.log_values(loss=6.0)["loss"]) == 4.0  # counts no step
  assert (int(net.step), int(net.total_steps)) == (2, 2)
  net.reset_metrics()
  assert float(net.log_step(loss=7.0)["loss"]) == 7.0


@pytest.mark.parametrize("strategy", ["default", "mirrored"])
def test_fit_logs_the_mean_of_the_steps_and_counts_each_once(strategy):
  net, history = _fit(strategy, steps=3)
  one, _ = _fit(steps=3)
  weights = [_by_hand("mean", steps=n) for n in range(3)]
  losses = [np.mean((_X @ w + bias - _Y) ** 2) for w, bias in weights]
  np.testing.assert_allclose(history["loss"], [np.mean(losses)], rtol=1e-5)
  assert int(net.step.numpy()) == int(net.total_steps.numpy()) == 3
  np.testing.assert_allclose(net.w.numpy(), one.w.numpy(), rtol=1e-5)


def test_optimizers_are_found_by_their_attribute():
  net = _Net(second=True)
  net.compile(tf.keras.optimizers.SGD(0.1))
  assert set(net.optimizers()) == {"second", "optimizer"}


@tf.keras.utils.register_keras_serializable(package="garden_test")
class _Saved(model_lib.GardenModel):
  """y = x W, of an own size, with a config."""

  def __init__(self, units, **kwargs):
    super().__init__(**kwargs)
    self.dense = tf.keras.layers.Dense(units)
    self.k_t = self.state_variable(0.0, "k_t")

  def call(self, x):
    return self.dense(x)

  def get_config(self):
    return {"units": self.dense.units, "seed": self.seed, "name": self.name}


def test_a_keras_file_holds_arguments_weights_and_counters_and_is_not_compiled(tmp_path):
  model = _Saved(2, seed=3, name="saved")
  model.compile("sgd")
  model(_X)
  model.step.assign(5)
  model.k_t.assign(0.25)
  model.save(tmp_path / "a.keras")
  again = tf.keras.models.load_model(tmp_path / "a.keras")
  assert (again.seed, again.name, int(again.step), float(again.k_t)) == (3, "saved", 5, 0.25)
  np.testing.assert_array_equal(again(_X), model(_X))
  assert again.optimizer is None
