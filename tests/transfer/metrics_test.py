"""Tests of the measures of predictions, on cases that can be counted by hand."""

import math

import numpy as np
import pytest

from garden.transfer import metrics


@pytest.mark.parametrize(
  ("truth", "predicted", "share"),
  [([0, 1, 2, 2], [0, 1, 2, 2], 1.0), ([0, 1], [1, 0], 0.0), ([3, 3, 0, 1], [3, 0, 0, 2], 0.5)],
)
def test_accuracy_is_the_share_of_right_predictions(truth, predicted, share):
  assert metrics.accuracy(np.array(truth), predicted) == share


@pytest.mark.parametrize("classes", [2, 5, 100])
def test_entropy_of_equally_met_classes_is_the_logarithm_of_their_number(classes):
  assert metrics.mean_entropy(np.eye(classes)) == pytest.approx(math.log(classes))
  assert metrics.mean_entropy(np.full((3, classes), 1 / classes)) == pytest.approx(
    math.log(classes))  # fmt: skip


def test_entropy_of_a_collapse_is_zero():
  assert metrics.mean_entropy([[0.0, 1.0, 0.0]] * 4) == 0


def test_entropy_is_that_of_the_mean():
  probabilities = [[1.0, 0.0], [0.5, 0.5]]  # mean .75, .25
  expected = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
  assert metrics.mean_entropy(probabilities) == pytest.approx(expected)


def test_counts_hold_classes_that_are_never_predicted():
  assert metrics.counts([1, 1, 0], 4).tolist() == [1, 2, 0, 0]


def test_a_video_takes_the_mean_of_its_frames_probabilities():
  # Two of three frames say class 0, but the mean says class 1.
  probabilities = [[0.6, 0.4], [0.6, 0.4], [0.0, 1.0]]
  assert metrics.video_accuracy([1, 1, 1], probabilities, ["a"] * 3) == 1
  assert metrics.video_accuracy([0, 0, 0], probabilities, ["a"] * 3) == 0


def test_each_video_counts_once_wherever_its_frames_are():
  truth = [0, 1, 0, 1, 0]
  probabilities = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]]
  videos = ["long", "wrong", "long", "right", "long"]
  assert metrics.video_accuracy(truth, probabilities, videos) == pytest.approx(2 / 3)


def test_a_video_of_two_classes_is_refused():
  with pytest.raises(ValueError, match="video 'b' has frames of two classes; give each video one"):
    metrics.video_accuracy([0, 0, 1], np.full((3, 2), 0.5), ["a", "b", "b"])
