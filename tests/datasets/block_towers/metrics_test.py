"""Tests of the measures: all by hand."""

import math

import numpy as np
import pytest

from garden.datasets.block_towers import metrics


def test_accuracy_is_the_share_that_was_told_right():
  assert metrics.fall_accuracy([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == 0.75
  assert metrics.fall_accuracy([1, 0], [0.9, 0.8]) == 0.5


def test_a_half_says_that_it_falls():
  assert metrics.fall_accuracy([1], [0.5]) == 1.0 and metrics.fall_accuracy([0], [0.5]) == 0.0


def test_accuracy_of_no_tower_is_refused():
  with pytest.raises(ValueError, match="there are 0 towers; accuracy needs at least 1"):
    metrics.fall_accuracy([], [])


def test_the_binomial_error_is_largest_at_a_half():
  assert metrics.binomial_error(0.5, 100) == pytest.approx(0.05)
  assert metrics.binomial_error(0.9, 400) == pytest.approx(0.015)
  assert metrics.binomial_error(1.0, 10) == 0.0


def test_margins_fall_in_the_bin_that_they_begin():
  margin = [0.0, 0.0199, 0.02, 0.05, 0.0999, 0.1, 0.2, 0.5]
  assert metrics.margin_bins(margin).tolist() == [0, 0, 1, 2, 2, 3, 4, 4]


def test_margins_of_either_sign_fall_in_the_same_bin():
  margin = np.array([0.01, 0.03, 0.07, 0.15, 0.3, np.inf])
  np.testing.assert_array_equal(metrics.margin_bins(-margin), metrics.margin_bins(margin))
  assert metrics.margin_bins(margin).tolist() == [0, 1, 2, 3, 4, 4]


def test_there_is_a_name_for_each_bin():
  assert metrics.margin_names() == (
      "< 0.02", "0.02 to 0.05", "0.05 to 0.1", "0.1 to 0.2", "> 0.2")
  assert len(metrics.margin_names()) == len(metrics.MARGIN_BINS) - 1


def test_iou_of_the_same_masks_is_1():
  masks = np.random.default_rng(0).integers(0, 4, (3, 5, 5))
  np.testing.assert_allclose(metrics.mask_iou(masks, masks, 5), 1.0)


def test_iou_by_hand():
  masks, told = np.zeros([1, 1, 6], int), np.zeros([1, 1, 6], int)
  masks[0, 0] = [1, 1, 2, 2, 0, 0]
  told[0, 0] = [1, 0, 0, 2, 2, 0]
  # Class 1: 1 of 2. Class 2: 1 of 3.
  np.testing.assert_allclose(metrics.mask_iou(masks, told, 3), [(1 / 2 + 1 / 3) / 2])


def test_iou_is_over_the_classes_of_the_true_mask_alone():
  masks, told = np.zeros([1, 2, 2], int), np.zeros([1, 2, 2], int)
  masks[0, 0], told[0, 0] = 1, 1
  told[0, 1] = 3  # a block that isn't there counts for nothing
  np.testing.assert_allclose(metrics.mask_iou(masks, told, 5), [1.0])


def test_iou_leaves_background_out():
  masks = np.zeros([1, 4, 4], int)
  masks[0, 0, 0] = 1
  np.testing.assert_allclose(metrics.mask_iou(masks, np.zeros_like(masks), 2), [0.0])


def test_iou_is_nan_where_no_block_is_seen():
  masks = np.zeros([2, 3, 3], int)
  masks[1] = 1
  found = metrics.mask_iou(masks, np.ones_like(masks), 3)
  assert np.isnan(found[0]) and found[1] == 1.0


def test_log_likelihood_of_uniform_logits_is_minus_log_of_the_classes():
  found = metrics.log_likelihood(np.zeros([2, 3, 3], int), np.full([2, 3, 3, 5], 7.0))
  np.testing.assert_allclose(found, [-math.log(5)] * 2)


def test_log_likelihood_by_hand():
  logits = np.log([[[[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]]]])
  found = metrics.log_likelihood(np.array([[[0, 2]]]), logits)
  np.testing.assert_allclose(found, [(math.log(0.7) + math.log(0.25)) / 2])


def test_log_likelihood_of_extreme_logits_does_not_overflow():
  logits = np.array([[[[1e4, -1e4], [1e4, -1e4]]]], np.float32)
  np.testing.assert_allclose(metrics.log_likelihood(np.array([[[0, 0]]]), logits), [0.0])
  np.testing.assert_allclose(metrics.log_likelihood(np.array([[[0, 1]]]), logits), [-1e4])


def test_reliability_by_hand():
  mean, share, count = metrics.reliability([0, 1, 1, 1], [0.1, 0.2, 0.7, 0.9], bins=2)
  np.testing.assert_allclose(mean, [0.15, 0.8])
  np.testing.assert_allclose(share, [0.5, 1.0])
  assert count.tolist() == [2, 2]


def test_reliability_leaves_empty_bins_out():
  mean, share, count = metrics.reliability([0, 1], [0.05, 0.95])
  assert len(mean) == len(share) == len(count) == 2


def test_a_probability_of_1_is_in_the_last_bin():
  mean, _, count = metrics.reliability([1, 1, 0], [1.0, 0.95, 0.0], bins=10)
  np.testing.assert_allclose(mean, [0.0, 0.975])
  assert count.tolist() == [1, 2]


def test_the_calibration_error_of_honest_probabilities_is_0():
  assert metrics.calibration_error([0, 1, 0, 1], [0.5] * 4) == pytest.approx(0.0)
  assert metrics.calibration_error([0, 1], [0.0, 1.0]) == 0.0


def test_the_calibration_error_weighs_bins_by_their_towers():
  # Three towers told .9 of which one falls, one told .1 that stands.
  found = metrics.calibration_error([1, 0, 0, 0], [0.9, 0.9, 0.9, 0.1])
  assert found == pytest.approx(0.75 * (0.9 - 1 / 3) + 0.25 * 0.1)
