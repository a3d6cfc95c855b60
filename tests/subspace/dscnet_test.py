"""Tests of the network: its two stages, its closed form, its replicas."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import optimizers
from garden.core import strategies
from garden.subspace import data
from garden.subspace import dscnet
from garden.subspace import losses
from garden.subspace import networks
from garden.subspace import settings

_N = 13  # odd, so that two replicas get unequal shares


def _images(count=_N):
  return np.random.default_rng(0).uniform(size=(count, 8, 6, 1)).astype(np.float32)


def _net(count=_N, optimizer=None, pretrain=None, **arguments):
  """A network whose first weights depend on nothing but its shape."""
  tf.keras.utils.set_random_seed(1)
  pair = networks.conv_autoencoder((8, 6, 1), (3,), (2,))
  arguments = {"initial": 0.02, "expression_weight": 0.7, "norm_weight": 0.3, **arguments}
  net = dscnet.DSCNet(*pair, _images(count), pretrain_optimizer=pretrain, **arguments)
  net.compile(optimizer or optimizers.FusedAdam(1e-3))
  return net


def _sgd():
  return tf.keras.optimizers.SGD(1e-3, momentum=0.9)


def _fit(net, stage, steps, batches, per_execution=1):
  net.stage_name = stage
  net.steps_per_execution = per_execution
  net.make_train_function(force=True)
  return net.fit(batches, steps_per_epoch=steps, verbose=0).history


def _finetune(net, steps=2, count=_N):
  return _fit(net, "finetune", steps, data.every_image(count)(0))


def _loss(net):
  """The equation, without the model's own step."""
  codes = net.encoder(net.images)
  matrix = net.self_expression.matrix()
  expressed = matrix @ codes
  return (
    net.reconstruction_weight * tf.reduce_sum((net.images - net.decoder(expressed)) ** 2)
    + net.norm_weight * losses.coefficient_norm(matrix, net.self_expression.p)
    + net.expression_weight * 0.5 * tf.reduce_sum((codes - expressed) ** 2)
  )


@pytest.mark.parametrize("p", [1, 2])
def test_a_step_descends_the_gradient_of_the_published_loss(p):
  net = _net(p=p, optimizer=tf.keras.optimizers.SGD(1e-3))
  with tf.GradientTape() as tape:
    loss = _loss(net)
  gradients = tape.gradient(loss, net.trainable_variables)
  before = [v.numpy() for v in net.trainable_variables]
  history = _finetune(net, steps=1)
  assert history["loss"][0] == pytest.approx(float(loss), rel=1e-5)
  for variable, old, gradient in zip(net.trainable_variables, before, gradients):
    np.testing.assert_allclose(
      variable.numpy(), old - 1e-3 * gradient.numpy(), rtol=1e-4, atol=1e-6
    )
  assert float(_loss(net)) < float(loss)


def test_the_gradient_of_c_is_that_of_finite_differences():
  net = _net(p=2)
  with tf.GradientTape() as tape:
    loss = _loss(net)
  gradient = tape.gradient(loss, net.self_expression.coefficients).numpy()
  start = net.coefficients().copy()
  for place in ((0, 0), (3, 7), (12, 1)):
    values = []
    for sign in (1, -1):
      moved = start.copy()
      moved[place] += sign * 1e-2
      net.self_expression.coefficients.assign(moved)
      values.append(float(_loss(net)))
    assert gradient[place] == pytest.approx((values[0] - values[1]) / 2e-2, rel=0.02, abs=0.02)


def test_the_log_names_every_term():
  net = _net(optimizer=tf.keras.optimizers.SGD(0.0))
  history = {name: values[0] for name, values in _finetune(net, steps=1).items()}
  assert set(history) == {"loss", "reconstruction", "expression", "norm"}
  total = (
    net.reconstruction_weight * history["reconstruction"] * net.images.numpy().size
    + net.norm_weight * history["norm"]
    + net.expression_weight * history["expression"]
  )
  assert history["loss"] == pytest.approx(total, rel=1e-5)
  assert history["norm"] == pytest.approx(_N**2 * 0.02**2, rel=1e-4)


def test_pretraining_leaves_c_alone_and_lowers_the_error():
  net = _net(pretrain=optimizers.FusedAdam(1e-2))
  before = net.coefficients()
  batches = data.shuffled(_N, 5, seed=0)(0)
  first = _fit(net, "pretrain", 5, batches)["reconstruction"][0]
  last = _fit(net, "pretrain", 30, batches)["reconstruction"][0]
  assert last < first
  np.testing.assert_array_equal(net.coefficients(), before)
  assert int(net.pretrain_optimizer.iterations) == 35 and int(net.optimizer.iterations) == 0


def test_the_pretraining_log_is_per_pixel_whatever_the_batch():
  values = []
  for size in (3, 13):
    net = _net(pretrain=tf.keras.optimizers.SGD(0.0))
    steps = 13 if size == 3 else 1  # 3 turns of 13, or one
    batches = data.shuffled(_N, size, seed=0)(0)
    values.append(_fit(net, "pretrain", steps, batches)["reconstruction"][0])
  expected = np.mean((net(net.images).numpy() - net.images.numpy()) ** 2)
  np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_a_forbidden_diagonal_stays_as_it_was():
  for p, zero_diagonal in ((1, None), (2, True)):
    net = _net(p=p, zero_diagonal=zero_diagonal)
    _finetune(net)
    assert np.all(np.diag(net.coefficients()) == 0)
    raw = net.self_expression.coefficients.numpy()
    np.testing.assert_array_equal(np.diag(raw), np.float32(0.02))
    assert np.all(raw[~np.eye(_N, dtype=bool)] != np.float32(0.02))


def test_a_free_diagonal_is_trained():
  net = _net(p=2)
  _finetune(net)
  assert np.all(np.diag(net.coefficients()) != np.float32(0.02))


@pytest.mark.parametrize("count", [12, 13])
@pytest.mark.parametrize("p", [1, 2])
def test_two_replicas_share_the_rows_and_make_the_step_of_one(p, count):
  one = _net(count, _sgd(), p=p)
  strategy = strategies.get("mirrored")
  with strategy.scope():
    two = _net(count, _sgd(), p=p)
  history = [_finetune(net, 3, count) for net in (one, two)]
  for a, b in zip(one.trainable_variables, two.trainable_variables):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-4, atol=2e-6)
    np.testing.assert_array_equal(b.values[0].numpy(), b.values[1].numpy())
  for name, values in history[0].items():
    assert history[1][name] == pytest.approx(values, rel=1e-4), name


def test_two_replicas_pretrain_as_one():
  one = _net(pretrain=_sgd())
  with strategies.get("mirrored").scope():
    two = _net(pretrain=_sgd())
  for net in (one, two):
    _fit(net, "pretrain", 4, data.shuffled(_N, 6, seed=2)(0), per_execution=2)
  for a, b in zip(one.pretrain_variables(), two.pretrain_variables()):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("zero_diagonal", [True, False])
def test_the_closed_form_has_no_gradient_of_its_two_terms(zero_diagonal):
  net = _net(solver="closed_form", zero_diagonal=zero_diagonal)
  codes = net.encoder(net.images)

  def gradient():
    with tf.GradientTape() as tape:
      matrix = net.self_expression.matrix()
      loss = net.norm_weight * losses.coefficient_norm(matrix, 2)
      loss += net.expression_weight * losses.self_expression(codes, matrix @ codes)
    return tape.gradient(loss, net.self_expression.coefficients).numpy(), float(loss)

  start, high = gradient()
  net.begin_stage("pretrain")
  np.testing.assert_array_equal(gradient()[0], start)  # only fine-tuning begins with it
  net.begin_stage("finetune")
  solution, low = gradient()
  assert np.abs(solution).max() < 1e-4 * np.abs(start).max() and low < high
  assert np.all(np.diag(net.coefficients()) == 0) == zero_diagonal
  assert np.abs(net.coefficients()).max() > 0.01


def _with_restarts(count, **arguments):
  tf.keras.utils.set_random_seed(1)
  first, *others = (networks.conv_autoencoder((8, 6, 1), (3,), (2,)) for _ in range(count + 1))
  net = dscnet.DSCNet(*first, _images(), restarts=others, pretrain_optimizer=_sgd(), **arguments)
  net.compile(_sgd())
  return net


def test_restarts_are_trained_apart_on_the_same_batches():
  alone, pool = _with_restarts(0), _with_restarts(2)
  for net in (alone, pool):
    _fit(net, "pretrain", 3, data.shuffled(_N, 6, seed=2)(0))
  assert len(pool.pretrain_variables()) == 3 * len(alone.pretrain_variables())
  for a, b in zip(alone.pretrain_variables(), pool.pretrain_variables()):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-7)


def test_fine_tuning_begins_with_the_autoencoder_of_lowest_error():
  net = _with_restarts(2)
  errors = [np.sum((d(e(net.images)) - net.images) ** 2) for e, d in net.pairs()]
  assert errors[0] != min(errors), "the first pair must not be the best one for this test"
  best = [part.get_weights() for part in net.pairs()[int(np.argmin(errors))]]
  net.begin_stage("pretrain")
  assert float(losses.reconstruction(net.images, net(net.images))) == pytest.approx(errors[0])
  net.begin_stage("finetune")
  for part, weights in zip((net.encoder, net.decoder), best):
    for a, b in zip(part.get_weights(), weights):
      np.testing.assert_array_equal(a, b)
  others = [v.numpy() for pair in net.restarts for part in pair for v in part.weights]
  _finetune(net)
  after = [v.numpy() for pair in net.restarts for part in pair for v in part.weights]
  for a, b in zip(others, after):
    np.testing.assert_array_equal(a, b)
  assert np.any(net.encoder.get_weights()[0] != best[0][0])


def test_fine_tuning_begins_with_codes_of_the_size_asked_for():
  net = _with_restarts(1, code_norm=0.5)
  net.begin_stage("finetune")
  copies = net(net.images)
  assert np.linalg.norm(net.codes()) == pytest.approx(0.5 * np.linalg.norm(net.images), rel=1e-5)
  net.code_norm = 2.0
  net.begin_stage("finetune")
  assert np.linalg.norm(net.codes()) == pytest.approx(2.0 * np.linalg.norm(net.images), rel=1e-5)
  np.testing.assert_allclose(net(net.images), copies, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan")])
def test_a_code_norm_that_is_none_is_refused(size):
  with pytest.raises(ValueError, match="code_norm is .*positive"):
    _with_restarts(0, code_norm=size)


def test_a_network_is_built_by_its_constructor():
  net = _net()
  weights = sum(np.prod(v.shape) for v in net.trainable_variables)
  assert net.built and weights == _N**2 + 20 + 19


def test_without_it_the_stage_begins_with_the_constant():
  net = _net()
  net.begin_stage("finetune")
  np.testing.assert_array_equal(net.coefficients(), np.float32(0.02))


def test_the_closed_form_solves_for_the_scaled_codes():
  net = _net(solver="closed_form", zero_diagonal=True, scaling="unit")
  net.solve_coefficients()
  codes = settings.scale_features(net.codes(), "unit")
  c = net.coefficients().astype(np.float64)
  gradient = 2 * net.norm_weight * c + net.expression_weight * (c @ codes - codes) @ codes.T
  np.fill_diagonal(gradient, 0)
  assert np.abs(gradient).max() < 1e-5


def test_codes_come_in_pieces_and_are_those_of_the_encoder():
  net = _net()
  np.testing.assert_allclose(net.codes(batch_size=5), net.encoder(net.images), rtol=1e-5, atol=1e-6)
  assert net.codes().shape == (_N, 4 * 3 * 2) and net.codes().dtype == np.float32


def test_a_checkpoint_holds_both_optimizers_and_no_image(tmp_path):
  net = _net()
  path = tf.train.Checkpoint(model=net).save(tmp_path / "c")
  shapes = {n: tuple(s) for n, s in tf.train.list_variables(path)}
  assert _images().shape not in shapes.values()
  for name, trained in (("pretrain_optimizer", 4), ("optimizer", 5)):
    slots = [key for key in shapes if key.startswith(f"model/{name}/_variables/")]
    assert len(slots) == 2 * trained  # Adam's two moments of each weight
  assert sum(shape == (_N, _N) for shape in shapes.values()) == 3  # C and Adam's two


def test_what_cannot_be_asked_is_refused():
  with pytest.raises(ValueError, match="solver is 'newton'; it must be one of"):
    _net(solver="newton")
  with pytest.raises(ValueError, match=r"solver='closed_form' exists for p = 2 only, not 1"):
    _net(solver="closed_form", p=1)
  with pytest.raises(ValueError, match="p is 3"):
    _net(p=3)


def test_its_weights_go_to_another_of_the_same_images(tmp_path):
  first, second = _net(), _net()
  first.self_expression.coefficients.assign_add(
      tf.random.stateless_uniform(first.self_expression.coefficients.shape, [0, 1]))
  first.save_weights(tmp_path / "net.weights.h5")
  assert not np.array_equal(first.coefficients(), second.coefficients())
  second.load_weights(tmp_path / "net.weights.h5")
  np.testing.assert_array_equal(first.coefficients(), second.coefficients())
  np.testing.assert_array_equal(first.codes(), second.codes())


def test_a_keras_file_of_it_is_refused(tmp_path):
  with pytest.raises(NotImplementedError, match="save a model of its encoder and decoder"):
    _net().save(tmp_path / "net.keras")
