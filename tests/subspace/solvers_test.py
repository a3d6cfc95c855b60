"""Solvers by their optimality conditions, and on subspaces that do not meet."""

import numpy as np
import pytest
from sklearn import linear_model

from garden.subspace import affinity
from garden.subspace import elastic_net
from garden.subspace import linalg
from garden.subspace import solvers


def _samples(size=40, width=12, seed=0):
  return linalg.unit_rows(np.random.default_rng(seed).normal(size=(size, width)) + 0.3)


def _orthogonal_subspaces(groups=3, dim=3, each=12, seed=0):
  rng = np.random.default_rng(seed)
  axes, _ = np.linalg.qr(rng.normal(size=(20, groups * dim)))
  parts = [rng.normal(size=(each, dim)) @ axes[:, g * dim:(g + 1) * dim].T
           for g in range(groups)]
  return linalg.unit_rows(np.vstack(parts)), np.repeat(np.arange(groups), each)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)])
@pytest.mark.parametrize("lam", [0.01, 3.0])
def test_ridge_gradient_vanishes(shape, lam):
  x = _samples(*shape)
  for zero_diagonal in (False, True):
    c = solvers.ridge(x, lam, zero_diagonal)
    gradient = lam * c - (x - c @ x) @ x.T
    if zero_diagonal:
      assert np.all(c.diagonal() == 0)
      assert np.abs(gradient.diagonal()).min() > 1e-6  # the constraint does bind
      np.fill_diagonal(gradient, 0)
    np.testing.assert_allclose(gradient, 0, atol=1e-10)


def test_ridge_with_the_constraint_is_not_the_other_without_its_diagonal():
  x = _samples()
  zeroed = affinity.without_diagonal(solvers.ridge(x, 0.1, zero_diagonal=False))
  assert np.abs(zeroed - solvers.ridge(x, 0.1)).max() > 0.05


def _optimality(x, c, tau, gamma):
  """How far each row is from the conditions of the elastic net, over tau."""
  pull = gamma[:, None] * (x - c @ x) @ x.T - (1 - tau) * c
  np.fill_diagonal(pull, 0)
  active = c != 0
  return (np.abs(pull - tau * np.sign(c))[active].max() / tau,
          np.abs(pull)[~active].max() / tau)


@pytest.mark.parametrize("alpha", [1.5, 20.0, 800.0])
def test_ssc_meets_its_optimality_conditions(alpha):
  x = _samples(60)
  c = solvers.ssc(x, alpha)
  coherence = np.abs(affinity.without_diagonal(x @ x.T)).max(axis=1)
  inside, outside = _optimality(x, c, 1.0, np.full(60, alpha / coherence.min()))
  assert np.all(c.diagonal() == 0)
  assert np.all(np.count_nonzero(c, axis=1) >= 1)
  assert inside < 1e-8
  assert outside < 1 + 1e-6


def test_a_small_working_set_gives_the_same_rows_as_a_full_one():
  g = linalg.gram(_samples(60))
  np.testing.assert_allclose(
      elastic_net.sparse_rows(g, 0.9, 50.0, start=4),
      elastic_net.sparse_rows(g, 0.9, 50.0, start=60), atol=1e-9)


def test_ensc_is_scikit_learns_elastic_net_row_by_row():
  x, tau, gamma = _samples(30), 0.8, 40.0
  c = solvers.ensc(x, tau, gamma, relative=False)
  for i in range(0, 30, 7):
    others = np.delete(np.arange(30), i)
    # scikit-learn's loss is 1/(2 width) |x - c X|^2 + a r |c|_1 + a (1 - r)/2 |c|^2.
    model = linear_model.ElasticNet(
        alpha=1 / (gamma * x.shape[1]), l1_ratio=tau, fit_intercept=False,
        tol=1e-12, max_iter=100_000)
    model.fit(x[others].T, x[i])
    np.testing.assert_allclose(c[i, others], model.coef_, atol=1e-6)


def test_ensc_relative_gamma_counts_from_where_coefficients_begin():
  x = _samples(30)
  c = solvers.ensc(x, 0.9, 1.0 + 1e-6)
  assert np.all(np.count_nonzero(c, axis=1) == 1)
  coherence = np.abs(affinity.without_diagonal(x @ x.T)).max(axis=1)
  inside, outside = _optimality(x, solvers.ensc(x, 0.9, 50.0), 0.9, 45.0 / coherence)
  assert inside < 1e-8
  assert outside < 1 + 1e-6


@pytest.mark.parametrize("solver, settings", [
    (solvers.ssc, {}), (solvers.ensc, {}), (solvers.ssc_omp, {"nnz": 3})])
def test_sparse_solvers_stay_inside_orthogonal_subspaces(solver, settings):
  x, labels = _orthogonal_subspaces()
  c = solver(x, **settings)
  across = np.abs(c[labels[:, None] != labels])
  assert across.max() < 1e-9
  found = affinity.spectral_clustering(affinity.plain_affinity(c), 3)
  np.testing.assert_array_equal(found, labels)


def test_omp_reproduces_samples_of_a_subspace_exactly():
  x, _ = _orthogonal_subspaces(dim=3)
  c = solvers.ssc_omp(x, nnz=8, tol=1e-14)
  assert np.count_nonzero(c, axis=1).max() == 3  # it stops when nothing is left
  np.testing.assert_allclose(c @ x, x, atol=1e-9)
  assert np.all(c.diagonal() == 0)


def test_omp_is_scikit_learns_row_by_row():
  x = _samples(30)
  c = solvers.ssc_omp(x, nnz=4)
  for i in range(0, 30, 7):
    others = np.delete(np.arange(30), i)
    theirs = linear_model.orthogonal_mp(x[others].T, x[i], n_nonzero_coefs=4)
    np.testing.assert_allclose(c[i, others], theirs, atol=1e-9)


@pytest.mark.parametrize("name", sorted(solvers.SOLVERS))
def test_every_solver_survives_a_black_and_a_doubled_image(name):
  x, _ = _orthogonal_subspaces()
  x[5] = 0.0
  x[8] = x[7]
  before = x.copy()
  c = solvers.get(name)(x)
  assert c.shape == (36, 36) and c.dtype == np.float64
  assert np.isfinite(c).all()
  np.testing.assert_allclose(c[5], 0, atol=0.2 if name == "kssc" else 1e-9)
  np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("call, words", [
    (lambda x: solvers.ridge(x, 0.0), "lam is 0"),
    (lambda x: solvers.ssc(x, 1.0), "alpha is 1"),
    (lambda x: solvers.ensc(x, 0.0), "tau is 0"),
    (lambda x: solvers.ensc(x, 0.9, 0.5), "gamma is 0.5"),
    (lambda x: solvers.ensc(x, 0.9, -1.0, relative=False), "gamma is -1"),
    (lambda x: solvers.ssc_omp(x, 40), "nnz is 40"),
    (lambda x: solvers.kmeans(x, 41), "n_clusters is 41"),
    (lambda x: solvers.ssc(np.eye(4)), "nothing to cluster"),
    (lambda x: solvers.ridge(x[0]), "shape"),
    (lambda x: solvers.ridge(x * np.inf), "NaN"),
    (lambda x: solvers.get("enscc"), "did you mean 'ensc'.*known: ridge, ssc"),
])
def test_bad_values_are_named(call, words):
  with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=words):
    call(_samples())


def test_kmeans_repeats_itself_and_finds_clouds():
  rng = np.random.default_rng(0)
  x = np.repeat(10 * np.eye(3), 9, axis=0) + rng.normal(size=(27, 3))
  labels = solvers.kmeans(x, 3)
  np.testing.assert_array_equal(affinity.relabel(labels), np.repeat([0, 1, 2], 9))
  np.testing.assert_array_equal(labels, solvers.kmeans(x, 3))
