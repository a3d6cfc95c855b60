"""Dense linear algebra against numpy, on easy and on degenerate matrices."""

import numpy as np
import pytest

from garden.subspace import linalg


def _symmetric(size, seed=0):
  a = np.random.default_rng(seed).normal(size=(size, size))
  return a + a.T


def test_unit_rows_keeps_a_zero_row_at_zero():
  rows = linalg.unit_rows(np.array([[3, 4], [0, 0]], dtype=np.uint8))
  np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]])


@pytest.mark.parametrize("size", [3, 255, 300, 513])
def test_gram_is_the_product_and_exactly_symmetric(size):
  x = np.random.default_rng(1).normal(size=(size, 7))
  g = linalg.gram(x)
  np.testing.assert_allclose(g, x @ x.T, atol=1e-12)
  np.testing.assert_array_equal(g, g.T)


def test_matmul_is_numpys():
  rng = np.random.default_rng(2)
  a, b = rng.normal(size=(5, 7)), rng.normal(size=(7, 3))
  np.testing.assert_allclose(linalg.matmul(a, b), a @ b, atol=1e-14)
  np.testing.assert_allclose(linalg.matmul(b.T, a.T), (a @ b).T, atol=1e-14)


def test_inverse_spd_inverts_and_refuses_an_indefinite_matrix():
  a = linalg.gram(np.random.default_rng(3).normal(size=(40, 50)))
  before = a.copy()
  np.testing.assert_allclose(linalg.inverse_spd(a) @ a, np.eye(40), atol=1e-8)
  np.testing.assert_array_equal(a, before)
  with pytest.raises(ValueError, match="not positive definite"):
    linalg.inverse_spd(-a)


def test_top_eigh_is_the_end_of_the_full_spectrum():
  a = _symmetric(30)
  values, vectors = linalg.top_eigh(a, 4)
  np.testing.assert_allclose(values, np.linalg.eigvalsh(a)[::-1][:4], atol=1e-10)
  np.testing.assert_allclose(a @ vectors, vectors * values, atol=1e-10)


@pytest.mark.parametrize("matrix", [
    _symmetric(200),  # both ends of the spectrum, through one tridiagonal form
    -linalg.gram(np.random.default_rng(4).normal(size=(200, 6))),  # one end, the low one
    np.kron(np.eye(20), np.ones((10, 10))),  # one value 20 times
    np.eye(200), np.zeros((200, 200)),
    _symmetric(20),  # small: a full decomposition
], ids=["two-ends", "negative", "degenerate", "identity", "zero", "small"])
def test_extreme_eigh_finds_the_largest_absolute_values(matrix):
  values, vectors = linalg.extreme_eigh(matrix, 15)
  full = np.linalg.eigvalsh(matrix)
  np.testing.assert_allclose(np.abs(values), np.sort(np.abs(full))[::-1][:15], atol=1e-9)
  np.testing.assert_allclose(matrix @ vectors, vectors * values, atol=1e-9)
  np.testing.assert_allclose(vectors.T @ vectors, np.eye(15), atol=1e-9)


@pytest.mark.parametrize("x", [np.ones(4), np.ones((1, 3)), np.full((3, 2), np.nan)])
def test_check_samples_refuses_what_is_no_finite_matrix(x):
  with pytest.raises(ValueError, match="x has shape|NaN"):
    linalg.check_samples(x)
