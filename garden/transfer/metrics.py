"""Accuracies and label-free measures of a classifier's predictions."""

import numpy as np


def accuracy(truth, predicted):
  """Share of right predictions.

  Args:
    truth: `[n]` int.
    predicted: `[n]` int.

  Returns:
    Float in [0, 1].

  Example:
    >>> accuracy([0, 1], [0, 0])
    0.5
  """
  return float(np.mean(np.asarray(truth) == np.asarray(predicted)))


def mean_entropy(probabilities):
  """Entropy of the mean prediction, in nats: ln c where all classes are equally met.

  Args:
    probabilities: `[n, c]`, rows of sum 1.

  Returns:
    Float in [0, ln c].

  Example:
    >>> round(mean_entropy([[1.0, 0.0], [0.0, 1.0]]), 4)
    0.6931
  """
  mean = np.mean(np.asarray(probabilities, np.float64), axis=0)
  mean = mean[mean > 0]
  return float(-np.sum(mean * np.log(mean)))


def counts(predicted, n_classes):
  """Number of predictions of each class, `[n_classes]` int."""
  return np.bincount(np.asarray(predicted), minlength=n_classes)


def video_accuracy(truth, probabilities, videos):
  """Accuracy over videos, each by the mean of its frames' softmax (Luo et al. 2017, 4.2).

  Args:
    truth: `[n]` int, classes of the frames, the same within a video.
    probabilities: `[n, c]` of the frames.
    videos: n names, alike for the frames of a video.

  Returns:
    Float in [0, 1].

  Raises:
    ValueError: a video with frames of two classes.

  Example:
    >>> video_accuracy([0, 0], [[0.9, 0.1], [0.4, 0.6]], ["a", "a"])
    1.0
  """
  truth, probabilities = np.asarray(truth), np.asarray(probabilities)
  names, place = np.unique(np.asarray(videos), return_inverse=True)
  right = []
  for number, name in enumerate(names):
    rows = place == number
    if len(set(truth[rows].tolist())) > 1:
      raise ValueError(f"video {name!r} has frames of two classes; give each video one")
    right.append(np.argmax(probabilities[rows].mean(axis=0)) == truth[rows][0])
  return float(np.mean(right))
