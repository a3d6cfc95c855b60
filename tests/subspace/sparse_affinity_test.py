"""Sparse affinity: the dense one's numbers, with its memory cut down."""

import numpy as np
import pytest
import scipy.sparse

from garden.subspace import affinity
from garden.subspace import metrics
from garden.subspace import sparse_affinity


def _coefficients(n=60, seed=0):
  return np.random.default_rng(seed).normal(size=(n, n)).astype(np.float32)


def _blocks(n=20, groups=3, seed=0):
  rng = np.random.default_rng(seed)
  truth = np.repeat(np.arange(groups), n)
  graph = (truth[:, None] == truth) * rng.uniform(0.5, 1, (len(truth),) * 2) + 0.01
  return scipy.sparse.csr_matrix(graph + graph.T), truth


@pytest.mark.parametrize("block", [1, 7, 60, 1000])
def test_the_kept_entries_are_those_of_the_dense_way(block):
  c = _coefficients()
  expected = affinity.keep_largest(affinity.without_diagonal(c), 5, axis=1)
  found = sparse_affinity.largest_coefficients(lambda rows: c[rows], 60, 5, block)
  np.testing.assert_allclose(found.toarray(), expected, rtol=1e-6)
  assert found.nnz == 300


def test_what_is_zero_is_not_kept():
  c = np.diag(np.ones(6, np.float32))
  c[0, 3] = -2
  found = sparse_affinity.largest_coefficients(lambda rows: c[rows], 6, 4)
  assert found.nnz == 1 and found[0, 3] == -2


def test_all_others_may_be_kept():
  c = _coefficients(6)
  found = sparse_affinity.largest_coefficients(lambda rows: c[rows], 6, 5).toarray()
  np.testing.assert_allclose(found, affinity.without_diagonal(c), rtol=1e-6)


@pytest.mark.parametrize("nonzeros,message", [(0, "nonzeros is 0"), (6, "6 samples have 5 others")])
def test_a_number_of_entries_out_of_its_range_is_refused(nonzeros, message):
  with pytest.raises(ValueError, match=message):
    sparse_affinity.largest_coefficients(lambda rows: _coefficients(6)[rows], 6, nonzeros)


def test_coefficients_that_are_not_finite_are_refused():
  c = _coefficients(6)
  c[4, 1] = np.nan
  with pytest.raises(ValueError, match="rows 3 to 5 of C hold NaN"):
    sparse_affinity.largest_coefficients(lambda rows: c[rows], 6, 2, block=3)


def test_the_affinity_does_not_depend_on_the_size_of_a_row():
  c = _coefficients(12)
  sizes = np.random.default_rng(1).uniform(0.1, 10, (12, 1))
  a, b = (sparse_affinity.symmetric_affinity(scipy.sparse.csr_matrix(m)) for m in (c, c * sizes))
  np.testing.assert_allclose(a.toarray(), b.toarray(), rtol=1e-5)
  np.testing.assert_allclose(a.toarray(), a.toarray().T)
  assert a.min() >= 0


def test_a_row_without_entries_stays_one():
  c = np.zeros((4, 4), np.float32)
  c[0, 1] = 3
  found = sparse_affinity.symmetric_affinity(scipy.sparse.csr_matrix(c)).toarray()
  np.testing.assert_allclose(found, [[0, 1, 0, 0], [1, 0, 0, 0], [0] * 4, [0] * 4])


def test_eigenvectors_are_those_of_the_dense_matrix():
  graph, _ = _blocks()
  values, vectors = sparse_affinity.spectral_embedding(graph, 4)
  degree = np.asarray(graph.sum(axis=1)).ravel()
  normalized = graph.toarray() / np.sqrt(np.outer(degree, degree))
  np.testing.assert_allclose(values, np.linalg.eigvalsh(normalized)[::-1][:4], atol=1e-4)
  np.testing.assert_allclose(normalized @ vectors, vectors * values, atol=1e-3)
  assert values[0] == pytest.approx(1)


@pytest.mark.parametrize("dim", [None, 5])
def test_blocks_are_found(dim):
  graph, truth = _blocks()
  found = sparse_affinity.spectral_clustering(graph, 3, dim)
  assert metrics.clustering_error(truth, found) == 0
  assert (np.unique(found, return_index=True)[1].argsort() == np.arange(3)).all()


def test_two_runs_agree():
  graph, _ = _blocks(seed=2)
  noisy = graph + scipy.sparse.random(60, 60, 0.3, random_state=0)
  noisy = noisy + noisy.T
  first, second = (sparse_affinity.spectral_clustering(noisy, 4) for _ in range(2))
  np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("groups", [1, 60])
def test_a_number_of_groups_out_of_its_range_is_refused(groups):
  with pytest.raises(ValueError, match=f"n_clusters is {groups}; it must lie in 2..N - 1 = 59"):
    sparse_affinity.spectral_clustering(_blocks()[0], groups)


def test_a_negative_affinity_is_refused():
  with pytest.raises(ValueError, match="an entry of -1"):
    sparse_affinity.spectral_embedding(-scipy.sparse.eye(5).tocsr(), 2)
