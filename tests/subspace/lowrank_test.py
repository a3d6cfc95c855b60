"""Dense, low-rank and kernel solvers by optimality and by known answers."""

import numpy as np
import pytest

from garden.subspace import affinity
from garden.subspace import elastic_net
from garden.subspace import linalg
from garden.subspace import lowrank
from garden.subspace import solvers


def _subspaces(groups=3, dim=2, each=10, width=20, noise=0.0, seed=0):
  rng = np.random.default_rng(seed)
  x = np.vstack([rng.normal(size=(each, dim)) @ rng.normal(size=(dim, width))
                 for _ in range(groups)])
  x = linalg.unit_rows(x) + noise * rng.normal(size=x.shape)
  return x, np.repeat(np.arange(groups), each)


def _projection(x, rank):
  u = np.linalg.svd(x)[0][:, :rank]
  return u @ u.T


def test_edsc_is_ridge_with_a_free_diagonal():
  x, _ = _subspaces(noise=0.1)
  c = lowrank.edsc(x, lam=20.0)
  np.testing.assert_allclose(
      c, solvers.ridge(x, 1 / 20.0, zero_diagonal=False), atol=1e-12)
  np.testing.assert_allclose(c - 20.0 * (x - c @ x) @ x.T, 0, atol=1e-10)


def test_edsc_with_outliers_ends_at_a_projection():
  # For D = C D the smallest ||C|| is the projection onto the samples of D.
  x, _ = _subspaces(noise=0.05)
  c = lowrank.edsc(x, 10.0, outlier=0.5)
  np.testing.assert_allclose(c, c.T, atol=1e-5)
  np.testing.assert_allclose(c @ c, c, atol=1e-5)
  assert 0.5 < np.trace(c) < 30


def test_edsc_with_a_dear_outlier_term_fits_clean_samples():
  x, _ = _subspaces()
  c = lowrank.edsc(x, 1000.0, outlier=1e3)
  np.testing.assert_allclose(c, _projection(x, 6), atol=0.02)


def test_lrr_of_clean_samples_is_the_shape_interaction_matrix():
  x, labels = _subspaces()
  c = lowrank.lrr(x, lam=100.0)
  np.testing.assert_allclose(c, _projection(x, 6), atol=1e-3)
  assert np.abs(c[labels[:, None] != labels]).max() < 1e-3  # independent subspaces


def _lrr_objective(x, c, lam):
  return np.linalg.norm(c, "nuc") + lam * np.linalg.norm(x - c @ x, axis=1).sum()


def test_lrr_is_a_minimum_of_its_convex_objective():
  x, _ = _subspaces(noise=0.05)
  c = lowrank.lrr(x, lam=0.8, tol=1e-8)
  best = _lrr_objective(x, c, 0.8)
  assert best < _lrr_objective(x, np.zeros_like(c), 0.8)
  rng = np.random.default_rng(0)
  for other in (np.zeros_like(c), np.eye(30), _projection(x, 6), *rng.normal(size=(20, 30, 30))):
    for step in (1e-3, 1e-2, 0.3):
      moved = c + step * (other - c)
      assert _lrr_objective(x, moved, 0.8) > best - 1e-5


def test_lrr_of_a_small_weight_explains_all_as_error():
  x, _ = _subspaces()
  np.testing.assert_allclose(lowrank.lrr(x, lam=1e-3), 0, atol=1e-6)


def _lrsc_cost(value, scale, tau, alpha):
  fit = np.where(value > 1 / np.sqrt(tau), 1 - 0.5 / (tau * np.maximum(value, 1e-12)**2),
                 0.5 * tau * value**2)
  return 0.5 * alpha * (scale - value)**2 + fit


@pytest.mark.parametrize("tau, alpha", [(4.0, 2.0), (4.0, 40.0), (0.5, 0.1), (100.0, 1e6)])
def test_polynomial_threshold_is_the_global_minimum(tau, alpha):
  scale = np.linspace(0.01, 5, 60)
  found = lowrank._polynomial_threshold(scale, tau, alpha)
  grid = np.linspace(0, 5.2, 200_001)
  for s, value in zip(scale, found):
    assert _lrsc_cost(value, s, tau, alpha) <= _lrsc_cost(grid, s, tau, alpha).min() + 1e-9


def test_lrsc_without_noise_is_singular_value_shrinkage():
  x, _ = _subspaces(noise=0.02)
  u, s, _ = np.linalg.svd(x, full_matrices=False)
  expected = (u * np.maximum(1 - 1 / (10 * s**2), 0)) @ u.T
  np.testing.assert_allclose(lowrank.lrsc(x, 10.0, alpha=1e12), expected, atol=1e-6)


def test_lrsc_of_clean_samples_separates_independent_subspaces():
  x, labels = _subspaces()
  c = lowrank.lrsc(x, tau=1e6)
  assert np.abs(c[labels[:, None] != labels]).max() < 1e-3


def test_kssc_with_a_linear_kernel_is_ssc():
  x, _ = _subspaces(noise=0.1)
  np.testing.assert_allclose(
      lowrank.kssc(x, 20.0, degree=1, offset=0.0), solvers.ssc(x, 20.0), atol=1e-9)


def test_kssc_is_ssc_on_the_features_of_its_kernel():
  x, _ = _subspaces(noise=0.1)
  features = np.einsum("ni,nj->nij", x, x).reshape(len(x), -1)  # of k = (a . b)^2
  np.testing.assert_allclose(
      lowrank.kssc(x, 20.0, degree=2, offset=0.0), solvers.ssc(features, 20.0), atol=1e-7)


def test_kssc_parts_curves_that_no_subspace_parts():
  # Two circles in one plane: only the quadratic features tell them apart.
  angle = np.linspace(0, np.pi, 20, endpoint=False)
  circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
  x = np.vstack([circle, 3 * circle])
  k = (x @ x.T + 1.0)**2
  c = lowrank.kssc(x, alpha=50.0)
  coherence = elastic_net.coherence(k)
  pull = 50.0 / coherence.min() * (k - c @ k)
  np.fill_diagonal(pull, 0)
  np.testing.assert_allclose((pull - np.sign(c))[c != 0], 0, atol=1e-6)
  assert np.abs(pull).max() < 1 + 1e-5


def test_kernel_affinities_find_the_groups():
  x, labels = _subspaces(noise=0.01)
  for solver in (lowrank.edsc, lowrank.lrr, lowrank.lrsc, lowrank.kssc):
    found = affinity.spectral_clustering(affinity.plain_affinity(solver(x)), 3)
    np.testing.assert_array_equal(found, labels, err_msg=solver.__name__)


@pytest.mark.parametrize("call, words", [
    (lambda x: lowrank.edsc(x, 0), "lam is 0"),
    (lambda x: lowrank.edsc(x, 1, outlier=-1), "outlier is -1"),
    (lambda x: lowrank.lrr(x, -2), "lam is -2"),
    (lambda x: lowrank.lrr(x, growth=1.0), "growth is 1"),
    (lambda x: lowrank.lrsc(x, 0), "tau is 0"),
    (lambda x: lowrank.lrsc(x, 1, 0), "alpha is 0"),
    (lambda x: lowrank.kssc(x, degree=1.5), "degree is 1.5"),
    (lambda x: lowrank.kssc(x, offset=-1), "offset is -1"),
    (lambda x: lowrank.lrr(0 * x), "every sample is zero"),
])
def test_bad_values_are_named(call, words):
  with pytest.raises(ValueError, match=words):
    call(_subspaces()[0])
