"""Tests of the loss, term by term: values, gradients, signs."""

import numpy as np
import pytest
import tensorflow as tf

from garden.subspace import losses

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(2, 2, 3, 1)).astype(np.float32)
_Y = _RNG.normal(size=(2, 2, 3, 1)).astype(np.float32)
_Z = _RNG.normal(size=(4, 3)).astype(np.float32)
_C = _RNG.normal(size=(4, 4)).astype(np.float32)


def _gradient(f, x):
  x = tf.constant(x)
  with tf.GradientTape() as tape:
    tape.watch(x)
    value = f(x)
  return tape.gradient(value, x).numpy()


def test_values_are_sums_over_all_entries():
  assert float(losses.reconstruction(_X, _Y)) == pytest.approx(np.sum((_X - _Y) ** 2), rel=1e-6)
  expected = 0.5 * np.sum((_Z - _C @ _Z) ** 2)
  assert float(losses.self_expression(_Z, _C @ _Z)) == pytest.approx(expected, rel=1e-5)
  assert float(losses.coefficient_norm(_C, 1)) == pytest.approx(np.abs(_C).sum(), rel=1e-6)
  assert float(losses.coefficient_norm(_C, 2)) == pytest.approx(np.sum(_C**2), rel=1e-6)


def test_a_sum_over_rows_is_the_sum_of_the_parts():
  # What lets replicas share the rows.
  for p in (1, 2):
    parts = losses.coefficient_norm(_C[:1], p) + losses.coefficient_norm(_C[1:], p)
    assert float(losses.coefficient_norm(_C, p)) == pytest.approx(float(parts), rel=1e-6)


@pytest.mark.parametrize(
  ("f", "x"),
  [
    (lambda y: losses.reconstruction(_X, y), _Y),
    (lambda c: losses.self_expression(tf.constant(_Z), c @ _Z), _C),
    (lambda z: losses.self_expression(z, _C @ z), _Z),
    (lambda c: losses.coefficient_norm(c, 1), _C),
    (lambda c: losses.coefficient_norm(c, 2), _C),
  ],
  ids=["reconstruction", "expression by C", "expression by Z", "p = 1", "p = 2"],
)
def test_gradients_are_those_of_finite_differences(f, x):
  theoretical, numerical = tf.test.compute_gradient(f, [tf.constant(x)])
  np.testing.assert_allclose(theoretical[0], numerical[0], rtol=0.02, atol=0.02)


def test_gradients_have_their_closed_forms():
  np.testing.assert_allclose(
    _gradient(lambda y: losses.reconstruction(_X, y), _Y), 2 * (_Y - _X), rtol=1e-5
  )
  residual = _C @ _Z - _Z
  np.testing.assert_allclose(
    _gradient(lambda c: losses.self_expression(_Z, c @ _Z), _C), residual @ _Z.T, rtol=1e-4,
    atol=1e-5,
  )  # fmt: skip
  np.testing.assert_allclose(
    _gradient(lambda z: losses.self_expression(z, _C @ z), _Z),
    (_C - np.eye(4)).T @ residual, rtol=1e-4, atol=1e-5,
  )  # fmt: skip
  np.testing.assert_allclose(_gradient(lambda c: losses.coefficient_norm(c, 1), _C), np.sign(_C))
  np.testing.assert_allclose(
    _gradient(lambda c: losses.coefficient_norm(c, 2), _C), 2 * _C, rtol=1e-6
  )


def test_each_term_falls_along_its_negative_gradient():
  for f, x in (
    (lambda y: losses.reconstruction(_X, y), _Y),
    (lambda c: losses.self_expression(_Z, c @ _Z), _C),
    (lambda c: losses.coefficient_norm(c, 1), _C),
    (lambda c: losses.coefficient_norm(c, 2), _C),
  ):
    assert float(f(x)) > float(f(x - 1e-2 * _gradient(f, x))) >= 0


def test_the_l1_norm_has_no_gradient_at_zero():
  zero = np.zeros((3, 3), np.float32)
  np.testing.assert_array_equal(_gradient(lambda c: losses.coefficient_norm(c, 1), zero), zero)


def test_each_term_is_zero_where_it_should_be():
  assert float(losses.reconstruction(_X, _X)) == 0
  assert float(losses.self_expression(_Z, np.eye(4, dtype=np.float32) @ _Z)) == 0
  assert float(losses.coefficient_norm(np.zeros((3, 3), np.float32), 1)) == 0


def test_a_sum_that_half_precision_cannot_hold_is_kept():
  images = tf.zeros([1, 32, 32, 1])
  copies = tf.fill([1, 32, 32, 1], tf.constant(100.0, tf.float16))
  assert float(losses.reconstruction(images, copies)) == pytest.approx(1024 * 1e4)


def test_another_norm_is_refused():
  with pytest.raises(ValueError, match="p is 0.5; the norm of C must be 1 or 2"):
    losses.coefficient_norm(_C, 0.5)
