"""Tests of the metrics on cases that are known."""

import numpy as np
import pytest

from garden.dagan import metrics


def _gaussian(n, mean, spread, seed=0):
  return np.random.default_rng(seed).normal(mean, spread, (n, len(np.atleast_1d(mean))))


def test_the_distance_of_a_set_from_itself_is_nothing():
  x = _gaussian(50, [0.0, 1.0, 2.0], 1.0)
  assert metrics.frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)
  assert metrics.frechet_distance(x, x[::-1]) == pytest.approx(0.0, abs=1e-9)


def test_the_distance_of_gaussians_is_the_formula():
  a, b = _gaussian(200_000, [0.0, 0.0], [1.0, 2.0]), _gaussian(200_000, [3.0, 0.0], [2.0, 2.0], 1)
  # |m|^2 + sum (s_a - s_b)^2 for covariances that commute.
  assert metrics.frechet_distance(a, b) == pytest.approx(9.0 + 1.0, rel=0.02)


def test_the_distance_takes_no_notice_of_a_turn():
  rng = np.random.default_rng(0)
  turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
  a, b = rng.normal(size=(40, 4)), rng.normal(size=(50, 4)) * [1, 2, 3, 4] + 1
  assert metrics.frechet_distance(a @ turn, b @ turn) == pytest.approx(
      metrics.frechet_distance(a, b), rel=1e-8)


def test_fewer_images_than_features_have_a_distance():
  a, b = _gaussian(5, np.zeros(20), 1.0), _gaussian(6, np.zeros(20), 1.0, 1)
  assert np.isfinite(metrics.frechet_distance(a, b)) and metrics.frechet_distance(a, b) > 0


def test_the_kernel_distance_is_unbiased():
  found = [metrics.kernel_distance(_gaussian(30, np.zeros(3), 1.0, 2 * k),
                                   _gaussian(30, np.zeros(3), 1.0, 2 * k + 1)) for k in range(200)]
  assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(200)
  far = metrics.kernel_distance(_gaussian(30, np.zeros(3), 1.0), _gaussian(30, np.ones(3), 1.0, 1))
  assert far > 3 * np.std(found)


def test_the_kernel_distance_by_hand():
  a, b = np.array([[1.0], [2.0]]), np.array([[0.0], [1.0]])
  own = (1 * 2 + 1) ** 3 + (0 * 1 + 1) ** 3
  cross = np.mean([(x * y + 1) ** 3 for x in (1, 2) for y in (0, 1)])
  assert metrics.kernel_distance(a, b) == pytest.approx(own - 2 * cross)


@pytest.mark.parametrize("first, second, message", [
    (np.zeros((1, 3)), np.zeros((5, 3)), "two or more rows"),
    (np.zeros((5, 3)), np.zeros((5, 4)), "give"), (np.full((5, 3), np.nan), np.zeros((5, 3)),
                                                   "isn't finite")])
def test_features_that_are_none_are_refused(first, second, message):
  for distance in (metrics.frechet_distance, metrics.kernel_distance):
    with pytest.raises(ValueError, match=message):
      distance(first, second)


def test_the_nearest_of_the_gallery_is_told_by_angle():
  gallery = np.array([[1.0, 0.0], [0.0, 9.0]])
  found = metrics.rank_1([[5.0, 1.0], [0.1, 0.2], [1.0, 0.9]], [0, 1, 1], gallery, [0, 1])
  assert found.tolist() == [True, True, False]
  assert metrics.cosine([0.0, 0.0], [1.0, 0.0]) == 0.0


def test_rates_rise_from_nothing_to_all():
  far, tar = metrics.roc([0.9, 0.8, 0.7, 0.1], [True, False, True, False])
  np.testing.assert_allclose(far, [0, 0, 0.5, 0.5, 1])
  np.testing.assert_allclose(tar, [0, 0.5, 0.5, 1, 1])


def test_equal_scores_are_accepted_together():
  far, tar = metrics.roc([0.5, 0.5, 0.5], [True, False, True])
  np.testing.assert_allclose([far, tar], [[0, 1], [0, 1]])
  assert metrics.area([0.5, 0.5, 0.5], [True, False, True]) == pytest.approx(0.5)


@pytest.mark.parametrize("scores, area, error", [
    ([4, 3, 2, 1], 1.0, 0.0), ([1, 2, 3, 4], 0.0, 1.0), ([4, 2, 3, 1], 0.75, 0.5)])
def test_area_and_equal_error_by_hand(scores, area, error):
  same = [True, True, False, False]
  assert metrics.area(scores, same) == pytest.approx(area)
  assert metrics.equal_error_rate(scores, same) == pytest.approx(error)


def test_true_acceptance_at_a_rate_of_false_acceptance():
  scores = [9, 8, 7, 6, 5, 4]
  same = [True, True, False, True, False, False]
  assert metrics.tar_at_far(scores, same, 0.0) == pytest.approx(2 / 3)
  assert metrics.tar_at_far(scores, same, 0.34) == pytest.approx(1.0)
  assert metrics.tar_at_far(scores, same, 1.0) == 1.0


def test_thresholds_are_chosen_on_the_other_folds():
  scores = np.array([0.9, 0.1, 0.8, 0.2, 0.35, 0.3])
  same = np.array([True, False, True, False, True, False])
  found = metrics.verification_accuracy(scores, same, [0, 0, 1, 1, 2, 2])
  # The others of the last fold put the threshold at .5: its pair of one person is missed.
  np.testing.assert_allclose(found, [1.0, 1.0, 0.5])


def test_pairs_of_one_kind_are_refused():
  with pytest.raises(ValueError, match="of 2 pairs 2 are of one person"):
    metrics.roc([1.0, 2.0], [True, True])
  with pytest.raises(ValueError, match="one fold"):
    metrics.verification_accuracy([1.0, 2.0], [True, False], [0, 0])
