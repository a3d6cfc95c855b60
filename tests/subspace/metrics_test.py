"""Metrics on cases whose answer is known."""

import numpy as np
import pytest

from garden.subspace import metrics


@pytest.mark.parametrize("truth, found, error", [
    ([0, 0, 1, 1], [1, 1, 0, 0], 0.0),
    ([0, 0, 1, 1], [7, 7, -3, 7], 25.0),
    ([0, 0, 1, 1], [4, 4, 4, 4], 50.0),  # fewer groups than classes
    ([0, 0, 0, 0], [0, 1, 2, 3], 75.0),  # more groups than classes
    ([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 1], 100 / 3),
    (["a", "b"], [1, 0], 0.0),
])
def test_clustering_error(truth, found, error):
  assert metrics.clustering_error(truth, found) == pytest.approx(error)


def test_clustering_error_matches_best_not_greedily():
  # Greedy takes the 5 first and is left with 0; the best matching has 4 + 4.
  table = np.array([[5, 4], [4, 0]])
  truth = np.repeat([0, 0, 1, 1], table.ravel())
  found = np.repeat([0, 1, 0, 1], table.ravel())
  np.testing.assert_array_equal(metrics.contingency(truth, found), table)
  assert metrics.clustering_error(truth, found) == pytest.approx(100 * 5 / 13)


def test_nmi_and_ari_at_their_extremes():
  same, other = [0, 0, 1, 1], [3, 3, 2, 2]
  assert metrics.nmi(same, other) == pytest.approx(1)
  assert metrics.ari(same, other) == pytest.approx(1)
  assert metrics.nmi(same, [0, 1, 0, 1]) == pytest.approx(0)
  assert metrics.ari(same, [0, 1, 0, 1]) == pytest.approx(-0.5)


@pytest.mark.parametrize("metric", [metrics.clustering_error, metrics.nmi, metrics.ari])
def test_label_metrics_refuse_bad_lengths(metric):
  with pytest.raises(ValueError, match="3 labels and y_pred 2"):
    metric([0, 1, 1], [0, 1])
  with pytest.raises(ValueError, match="N >= 1"):
    metric([], [])
  with pytest.raises(ValueError, match=r"shape \(1, 2\)"):
    metric([[0, 1]], [0, 1])


def test_normalized_cut_of_two_joined_pairs():
  # 0-1 and 2-3 with weight 4, one bridge 1-2 of weight 1: volume 9 on each side.
  a = np.zeros((4, 4))
  for i, j, weight in ((0, 1, 4.0), (2, 3, 4.0), (1, 2, 1.0)):
    a[i, j] = a[j, i] = weight
  assert metrics.normalized_cut(a, [5, 5, 9, 9]) == pytest.approx(2 / 9)
  assert metrics.normalized_cut(a + 3 * np.eye(4), [5, 5, 9, 9]) == pytest.approx(2 / 9)
  assert metrics.normalized_cut(a, [0, 0, 0, 0]) == pytest.approx(0)
  assert metrics.normalized_cut(a, [0, 1, 0, 1]) > 1
  lonely = np.pad(a, (0, 1))
  assert metrics.normalized_cut(lonely, [0, 0, 1, 1, 2]) == pytest.approx(2 / 9 + 1)


def test_normalized_cut_refuses_sizes_that_disagree():
  with pytest.raises(ValueError, match="must be"):
    metrics.normalized_cut(np.ones((3, 3)), [0, 1])


def test_eigengap_of_separate_blocks():
  # A block of m ones without diagonal has the eigenvalues 1 and -1/(m - 1).
  a = np.kron(np.eye(3), np.ones((4, 4)))
  assert metrics.eigengap(a, 3) == pytest.approx(1 + 1 / 3)
  assert metrics.eigengap(a, 2) == pytest.approx(0, abs=1e-12)
  with pytest.raises(ValueError, match="n_clusters"):
    metrics.eigengap(a, 12)
