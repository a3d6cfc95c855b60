"""The published post-processing against a plain transcription, and its edges."""

import numpy as np
import pytest

from garden.subspace import affinity


def _threshold_by_loop(c, alpha):
  """Step 1 as the authors describe it: add the largest until alpha is crossed."""
  kept = np.zeros_like(c)
  for j in range(c.shape[1]):
    total, order = 0.0, np.argsort(-np.abs(c[:, j]))
    for i in order:
      kept[i, j] = c[i, j]
      total += abs(c[i, j])
      if total > alpha * np.abs(c[:, j]).sum():
        break
  return kept


def _coefficients(size=30, seed=0):
  return np.random.default_rng(seed).normal(size=(size, size))


def _blocks(sizes, noise=0.0, seed=0):
  labels = np.repeat(np.arange(len(sizes)), sizes)
  a = (labels[:, None] == labels).astype(float)
  extra = noise * np.random.default_rng(seed).random(a.shape)
  return a + extra + extra.T, labels


@pytest.mark.parametrize("alpha", [0.04, 0.2, 0.5, 0.9])
def test_threshold_is_the_published_loop(alpha):
  c = _coefficients()
  np.testing.assert_array_equal(affinity.threshold(c, alpha), _threshold_by_loop(c, alpha))


def test_threshold_axis_1_treats_rows():
  c = _coefficients()
  np.testing.assert_array_equal(
      affinity.threshold(c, 0.3, axis=1), affinity.threshold(c.T, 0.3, axis=0).T)


def test_threshold_edges():
  c = _coefficients()
  c[:, 3] = 0.0
  np.testing.assert_array_equal(affinity.threshold(c, 1.0), c)
  smallest = affinity.threshold(c, 1e-6)
  assert np.count_nonzero(smallest[:, 3]) == 0
  assert np.all(np.count_nonzero(np.delete(smallest, 3, axis=1), axis=0) == 1)
  tied = np.array([[2.0, 0], [-2.0, 1]])
  np.testing.assert_array_equal(affinity.threshold(tied, 0.1), tied)


@pytest.mark.parametrize("alpha", [0.0, -1.0, 1.5, float("nan")])
def test_threshold_refuses_alpha_outside_its_range(alpha):
  with pytest.raises(ValueError, match="alpha"):
    affinity.threshold(np.eye(3), alpha)


def test_keep_largest_by_row_and_by_column():
  c = np.array([[1.0, -3.0, 2.0], [0.5, 0.1, -0.2], [4.0, 5.0, 6.0]])
  np.testing.assert_array_equal(
      affinity.keep_largest(c, 2), [[0, -3, 2], [0.5, 0, -0.2], [0, 5, 6]])
  np.testing.assert_array_equal(
      affinity.keep_largest(c, 1, axis=0), [[0, 0, 0], [0, 0, 0], [4, 5, 6]])
  np.testing.assert_array_equal(affinity.keep_largest(c, 9), c)
  with pytest.raises(ValueError, match="count"):
    affinity.keep_largest(c, 0)
  with pytest.raises(ValueError, match="axis"):
    affinity.keep_largest(c, 1, axis=2)


def test_plain_affinity_and_its_normalisations():
  c = np.array([[7.0, -2.0, 1.0], [0.0, 7.0, 4.0], [0.0, 0.0, 7.0]])
  np.testing.assert_array_equal(
      affinity.plain_affinity(c), [[0, 2, 1], [2, 0, 4], [1, 4, 0]])
  np.testing.assert_array_equal(
      affinity.plain_affinity(c, "max"), [[0, 1, 0.5], [1, 0, 1], [0.5, 1, 0]])
  np.testing.assert_allclose(affinity.plain_affinity(c, "l2")[0, 1], 2 / np.sqrt(5))
  with pytest.raises(ValueError, match="normalize"):
    affinity.plain_affinity(c, "l1")


def _published_by_hand(c, n_clusters, alpha, dim, exponent, eye):
  c = _threshold_by_loop(c, alpha)
  c = (c + c.T) / 2
  if eye:
    np.fill_diagonal(c, 1)
  u, s, _ = np.linalg.svd(c)
  rank = min(dim * n_clusters + 1, len(c) - 1)
  m = u[:, :rank] * np.sqrt(s[:rank])
  m /= np.linalg.norm(m, axis=1, keepdims=True)
  z = np.maximum(m @ m.T, 0)
  z = np.abs(z**exponent)
  z /= z.max()
  return (z + z.T) / 2


@pytest.mark.parametrize("size, dim, exponent, eye", [
    (30, 3, 1, False), (30, 2, 8, True), (120, 3, 3.5, False), (30, 50, 2, False)])
def test_published_affinity_is_the_authors_recipe(size, dim, exponent, eye):
  c = _coefficients(size)
  c += 3 * _blocks([size // 3] * 3)[0]
  ours = affinity.published_affinity(
      c, 3, alpha=0.4, dim=dim, exponent=exponent, eye=eye)
  theirs = _published_by_hand(c, 3, 0.4, dim, exponent, eye)
  np.testing.assert_allclose(ours, theirs, atol=1e-9)
  np.testing.assert_array_equal(ours, ours.T)


def test_one_factor_serves_every_rank():
  c = _coefficients(40)
  c = c + c.T
  wide = affinity.low_rank_factor(c, 9)
  np.testing.assert_allclose(
      affinity.cosine_affinity(wide[:, :5], 2), affinity.low_rank_affinity(c, 2, 2, 2),
      atol=1e-10)


def test_only_the_diagonal_left_is_an_error_that_names_the_guard():
  c = 100 * np.eye(6) + _blocks([3, 3])[0]
  with pytest.raises(ValueError, match="zero_diagonal=True"):
    affinity.published_affinity(c, 2, alpha=0.1, dim=1, exponent=1)
  a = affinity.published_affinity(
      c, 2, alpha=0.5, dim=1, exponent=1, zero_diagonal=True)
  np.testing.assert_array_equal(affinity.spectral_clustering(a, 2), [0, 0, 0, 1, 1, 1])


def test_count_replaces_alpha():
  c = _coefficients()
  kept = affinity.keep_largest(c, 4, axis=1)
  np.testing.assert_array_equal(
      affinity.published_affinity(c, 3, alpha=None, dim=2, exponent=1, axis=1, count=4),
      affinity.low_rank_affinity((kept + kept.T) / 2, 3, 2, 1))


@pytest.mark.parametrize("change, words", [
    ({"dim": 0}, "dim"), ({"exponent": 0}, "exponent"), ({"alpha": 2}, "alpha"),
    ({"n_clusters": 1}, "n_clusters"), ({"n_clusters": 31}, "n_clusters"), ({"axis": 5}, "axis")])
def test_published_affinity_names_the_bad_value(change, words):
  settings = {"n_clusters": 3, "alpha": 0.5, "dim": 2, "exponent": 1} | change
  with pytest.raises(ValueError, match=words):
    affinity.published_affinity(_coefficients(), **settings)


def test_bad_matrices_are_refused():
  with pytest.raises(ValueError, match="shape"):
    affinity.plain_affinity(np.ones((2, 3)))
  with pytest.raises(ValueError, match="NaN"):
    affinity.threshold(np.array([[1.0, np.nan], [0, 1]]), 0.5)
  with pytest.raises(ValueError, match=">= 0"):
    affinity.spectral_clustering(-np.ones((4, 4)), 2)
  with pytest.raises(ValueError, match="every coefficient is zero"):
    affinity.published_affinity(np.zeros((9, 9)), 2, alpha=0.5, dim=1, exponent=1)
  with pytest.raises(ValueError, match="n_clusters"):
    affinity.spectral_clustering(np.ones((4, 4)), 5)
  with pytest.raises(ValueError, match="assign"):
    affinity.spectral_clustering(np.ones((4, 4)), 2, assign="discretize")


@pytest.mark.parametrize("assign", ["cluster_qr", "kmeans"])
def test_spectral_clustering_finds_blocks_in_noise(assign):
  a, labels = _blocks([8, 15, 11], noise=0.1)
  shuffle = np.random.default_rng(1).permutation(labels.size)
  found = affinity.spectral_clustering(a[np.ix_(shuffle, shuffle)], 3, assign=assign)
  np.testing.assert_array_equal(found, affinity.relabel(labels[shuffle]))
  assert found.dtype == np.int64


def test_spectral_clustering_is_deterministic_and_ignores_the_diagonal():
  a = np.random.default_rng(2).random((50, 50))
  a += a.T
  first = affinity.spectral_clustering(a, 6)
  np.testing.assert_array_equal(first, affinity.spectral_clustering(a + 9 * np.eye(50), 6))
  assert first[0] == 0


def test_isolated_samples_cost_no_cluster():
  a, labels = _blocks([5, 5, 5], noise=0.05)
  wide = np.zeros((19, 19))
  wide[2:17, 2:17] = a
  found = affinity.spectral_clustering(wide, 3)
  np.testing.assert_array_equal(
      affinity.relabel(found[2:17]), affinity.relabel(labels))
  assert set(found) == {0, 1, 2}


def test_cluster_qr_does_not_depend_on_the_rotation_of_the_embedding():
  rng = np.random.default_rng(3)
  vectors = np.eye(4)[rng.integers(0, 4, 60)] + 0.1 * rng.normal(size=(60, 4))
  turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
  np.testing.assert_array_equal(
      affinity.cluster_qr(vectors), affinity.cluster_qr(vectors @ turn))


def test_relabel_numbers_by_first_appearance():
  np.testing.assert_array_equal(affinity.relabel([7, 7, -1, 3, -1]), [0, 0, 1, 2, 1])


def test_inputs_are_left_alone():
  c = _coefficients()
  before = c.copy()
  affinity.published_affinity(
      c, 3, alpha=0.5, dim=2, exponent=2, eye=True, zero_diagonal=True)
  affinity.spectral_clustering(affinity.plain_affinity(c, "max"), 3)
  np.testing.assert_array_equal(c, before)
