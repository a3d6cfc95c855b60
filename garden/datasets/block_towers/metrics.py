"""Measures of what is told of towers: pure functions of arrays.

Fall accuracy with its binomial error, by count of blocks and by margin, since towers near
the balance point are hard for everyone; mask IoU as PhysNet has it

    MIoU = mean over examples of mean over classes present c of |m_c & q_c| / |m_c | q_c|

and, because IoU punishes honest uncertainty, the log-likelihood per pixel of the true mask.
"""

import math

import numpy as np

#: Borders of the bins of |margin|, in block widths.
MARGIN_BINS = (0.0, 0.02, 0.05, 0.1, 0.2, float("inf"))


def fall_accuracy(fall, probability):
  """Share of towers whose outcome is told right.

  Args:
    fall: `[N]`, 1 where the tower falls.
    probability: `[N]` of falling, in [0, 1]; .5 and above says it falls.

  Returns:
    Float in [0, 1].

  Example:
    >>> fall_accuracy([1, 0], [0.9, 0.8])
    0.5
  """
  fall = np.asarray(fall)
  if not len(fall):
    raise ValueError("there are 0 towers; accuracy needs at least 1")
  return float(np.mean((np.asarray(probability) >= 0.5) == (fall == 1)))


def binomial_error(accuracy, n):
  """Standard error sqrt(a (1 - a) / n) of an accuracy a over n towers."""
  return math.sqrt(accuracy * (1.0 - accuracy) / n)


def margin_bins(margin):
  """Which bin of `MARGIN_BINS` |margin| falls in: `[N]` -> `[N]` int."""
  return np.digitize(np.abs(np.asarray(margin)), MARGIN_BINS[1:-1])


def margin_names():
  """The bins in words, "< 0.02" to "> 0.2"."""
  borders = MARGIN_BINS[1:-1]
  return (f"< {borders[0]:g}", *(f"{a:g} to {b:g}" for a, b in zip(borders, borders[1:])),
          f"> {borders[-1]:g}")


def mask_iou(masks, predicted, n_classes):
  """Mean IoU of each image over the foreground classes present in its true mask.

  Args:
    masks: `[N, h, w]` int, true classes, 0 background.
    predicted: `[N, h, w]` int.
    n_classes: number of classes, background included.

  Returns:
    `[N]` float64; NaN where no block is seen.

  Example:
    >>> mask_iou(np.ones([1, 4, 4]), np.ones([1, 4, 4]), 5)
    array([1.])
  """
  masks, predicted = np.asarray(masks), np.asarray(predicted)
  total, classes = np.zeros(len(masks)), np.zeros(len(masks))
  for c in range(1, n_classes):
    m, q = masks == c, predicted == c
    union = (m | q).sum(axis=(1, 2))
    present = m.any(axis=(1, 2))
    total += np.where(present, (m & q).sum(axis=(1, 2)) / np.maximum(union, 1), 0.0)
    classes += present
  return np.where(classes > 0, total / np.maximum(classes, 1), np.nan)


def log_likelihood(masks, logits):
  """Mean over pixels of log p(true class): `[N, h, w]`, `[N, h, w, K]` -> `[N]` float64.

  Args:
    masks: `[N, h, w]` int, true classes.
    logits: `[N, h, w, K]` float, before the softmax.

  Example:
    >>> log_likelihood(np.zeros([1, 2, 2], int), np.zeros([1, 2, 2, 5]))  # -log 5
    array([-1.60943791])
  """
  logits = np.asarray(logits, np.float64)
  top = logits.max(axis=-1, keepdims=True)
  log_p = logits - top - np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))
  taken = np.take_along_axis(log_p, np.asarray(masks, np.int64)[..., None], axis=-1)
  return taken[..., 0].mean(axis=(1, 2))


def reliability(fall, probability, bins=10):
  """How often towers fall that were given about the same probability.

  Args:
    fall: `[N]`, 1 where the tower falls.
    probability: `[N]` of falling.
    bins: number of equal bins of [0, 1].

  Returns:
    `(mean probability [k], share that fell [k], count [k])` of the bins that aren't empty.

  Example:
    >>> reliability([0, 1], [0.1, 0.9], bins=2)[1].tolist()
    [0.0, 1.0]
  """
  fall, probability = np.asarray(fall, float), np.asarray(probability, float)
  place = np.clip((probability * bins).astype(int), 0, bins - 1)
  count = np.bincount(place, minlength=bins)
  some = count > 0
  mean = np.bincount(place, probability, minlength=bins)[some] / count[some]
  share = np.bincount(place, fall, minlength=bins)[some] / count[some]
  return mean, share, count[some]


def calibration_error(fall, probability, bins=10):
  """Expected calibration error: the mean distance of `reliability`'s two, by towers."""
  mean, share, count = reliability(fall, probability, bins)
  return float(np.sum(count * np.abs(mean - share)) / count.sum())
