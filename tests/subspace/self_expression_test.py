"""Tests of the self-expressive layer."""

import numpy as np
import pytest
import tensorflow as tf

from garden.subspace import self_expression

_N = 5


@pytest.fixture
def codes():
  return tf.constant(np.random.default_rng(0).normal(size=(_N, 3)), tf.float32)


def _layer(matrix=None, **arguments):
  layer = self_expression.SelfExpression(_N, **arguments)
  if matrix is None:
    matrix = np.random.default_rng(1).normal(size=(_N, _N))
  layer.coefficients.assign(matrix)
  return layer


def test_rows_of_c_hold_the_coefficients_of_a_sample(codes):
  swap = np.eye(_N)[[1, 0, 2, 3, 4]]
  swap[2] = [0.5, 0.5, 0, 0, 0]
  expressed = _layer(swap, p=2)(codes).numpy()
  np.testing.assert_allclose(expressed[0], codes[1])
  np.testing.assert_allclose(expressed[2], (codes[0] + codes[1]) / 2, rtol=1e-6)


def test_c_starts_from_a_constant():
  for initial in (0.0, 1e-8, 1e-4):
    layer = self_expression.SelfExpression(_N, initial=initial)
    np.testing.assert_array_equal(layer.coefficients.numpy(), np.float32(initial))


def test_the_diagonal_follows_the_published_code_unless_asked(codes):
  for p, zero_diagonal, expected in ((1, None, True), (2, None, False), (1, False, False),
                                     (2, True, True)):  # fmt: skip
    layer = _layer(p=p, zero_diagonal=zero_diagonal)
    assert np.all(np.diag(layer.matrix()) == 0) == expected
    np.testing.assert_allclose(layer(codes), layer.matrix() @ codes, rtol=1e-6)


def test_a_forbidden_diagonal_gets_no_gradient(codes):
  layer = _layer(p=2, zero_diagonal=True)
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(layer(codes) ** 2) + tf.reduce_sum(layer.matrix() ** 2)
  gradient = tape.gradient(loss, layer.coefficients).numpy()
  assert np.all(np.diag(gradient) == 0)
  assert np.all(gradient[~np.eye(_N, dtype=bool)] != 0)


@pytest.mark.parametrize("zero_diagonal", [True, False])
@pytest.mark.parametrize("kind", [tf.int32, tf.int64])
def test_rows_are_those_of_the_matrix_with_their_gradient(kind, zero_diagonal):
  layer = _layer(p=2, zero_diagonal=zero_diagonal)
  gradients = []
  for part in (lambda: layer.rows(tf.range(1, 4, dtype=kind)), lambda: layer.matrix()[1:4]):
    with tf.GradientTape() as tape:
      loss = tf.reduce_sum(part() ** 3)
    gradients.append(tf.convert_to_tensor(tape.gradient(loss, layer.coefficients)).numpy())
  np.testing.assert_array_equal(layer.rows(tf.range(1, 4, dtype=kind)), layer.matrix()[1:4])
  np.testing.assert_allclose(*gradients, rtol=1e-6)
  assert np.all(gradients[0][[0, 4]] == 0)


def test_the_layers_own_loss_is_the_weighted_norm(codes):
  matrix = np.arange(_N * _N).reshape(_N, _N) - 7.0
  off = matrix - np.diag(np.diag(matrix))
  for p, expected in ((1, 0.5 * np.abs(off).sum()), (2, 0.5 * (matrix**2).sum())):
    layer = _layer(matrix, p=p, weight=0.5)
    layer(codes)
    assert float(layer.losses[0]) == pytest.approx(expected)
  silent = _layer(matrix, p=2)
  silent(codes)
  assert silent.losses == []


def test_another_norm_is_refused():
  with pytest.raises(ValueError, match="p is 3; the norm of C must be 1 or 2"):
    self_expression.SelfExpression(_N, p=3)


def test_another_number_of_codes_is_refused(codes):
  with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
    _layer()(codes[:3])


def test_it_computes_in_half_precision_too(codes):
  tf.keras.mixed_precision.set_global_policy("mixed_float16")
  layer = _layer(p=1)
  assert layer.coefficients.dtype == tf.float32 and layer(codes).dtype == tf.float16
  np.testing.assert_allclose(layer(codes), layer.matrix() @ codes, atol=0.02)


def test_it_comes_back_from_its_config():
  layer = self_expression.SelfExpression(_N, 1, False, 0.25, 2.0, name="c")
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert again.get_config() == layer.get_config()
  assert not again.zero_diagonal and again.initial == 0.25 and again.weight == 2.0


def test_it_is_saved_inside_a_functional_model(codes, tmp_path):
  inputs = tf.keras.Input(batch_shape=(_N, 3))
  layer = _layer(p=1, weight=0.1)
  model = tf.keras.Model(inputs, layer(inputs))
  model.save(tmp_path / "a.keras")
  again = tf.keras.models.load_model(tmp_path / "a.keras")
  np.testing.assert_array_equal(model(codes), again(codes))
  np.testing.assert_array_equal(again.layers[-1].coefficients, layer.coefficients)
