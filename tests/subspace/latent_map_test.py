"""Tests of the map of latent codes."""

import numpy as np
import pytest

from garden.subspace import latent_map
from garden.subspace import metrics


def test_matching_is_that_of_the_clustering_error():
  random = np.random.default_rng(0)
  truth = random.integers(0, 5, 100)
  labels = np.where(random.random(100) < 0.7, (truth * 3 + 1) % 5, random.integers(0, 7, 100))
  match = latent_map.best_matching(labels, truth)
  astray = np.mean([match.get(a) != b for a, b in zip(labels.tolist(), truth.tolist())])
  assert 100 * astray == pytest.approx(metrics.clustering_error(truth, labels))
  assert len(match) == 5 and len(set(match.values())) == 5


@pytest.mark.parametrize("count", [1, 10, 11, 20, 21, 100])
def test_colors_differ(count):
  colors = latent_map.group_colors(np.arange(count) + 3)
  assert list(colors) == list(range(3, count + 3))
  assert len({tuple(np.round(color, 3)) for color in colors.values()}) == count


def test_embedding_keeps_far_groups_apart():
  truth = np.repeat([0, 1], 20)
  codes = truth[:, None] * 50.0 + np.random.default_rng(0).normal(size=(40, 6))
  points, method = latent_map.embed(codes)
  assert method == "t-SNE"
  apart = np.linalg.norm(points[:, None] - points, axis=-1)
  np.fill_diagonal(apart, np.inf)
  np.testing.assert_array_equal(truth[apart.argmin(axis=1)], truth)
