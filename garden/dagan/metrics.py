"""How good faces are: distances of distributions, recognition, verification. Functions of arrays.

    FID = |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))      (Heusel et al. 2017)
    KID = unbiased MMD^2 of (x . y / d + 1)^3                     (Binkowski et al. 2018)

Features come from a network that was fixed beforehand; numbers of other features can't be compared.
"""

import numpy as np
from scipy import interpolate


def frechet_distance(first, second):
  """FID of two sets of features.

  Args:
    first: `[N, d]`, N at least 2.
    second: `[M, d]`, M at least 2.

  Returns:
    Float, 0 for equal means and covariances. Sets smaller than some d have it too great.

  Raises:
    ValueError: a set is too small, the widths differ, or a number isn't finite.

  Example:
    fid = frechet_distance(features(refined), features(real))
  """
  first, second = _pair(first, second)
  means = [x.mean(axis=0) for x in (first, second)]
  a, b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (first, second))
  # tr (AB)^(1/2) is the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2).
  values, vectors = np.linalg.eigh(a)
  root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
  both = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0.0)).sum()
  return float(np.square(means[0] - means[1]).sum() + np.trace(a) + np.trace(b) - 2.0 * both)


def kernel_distance(first, second):
  """KID of two sets of features; around 0, also below, for sets of one distribution.

  Args:
    first: `[N, d]`, N at least 2.
    second: `[M, d]`, M at least 2.

  Raises:
    ValueError: as `frechet_distance`.
  """
  first, second = _pair(first, second)
  own = 0.0
  for x in (first, second):
    values = _kernel(x, x)
    own += (values.sum() - np.trace(values)) / (len(x) * (len(x) - 1))
  return float(own - 2.0 * _kernel(first, second).mean())


def _kernel(a, b):
  return (a @ b.T / a.shape[1] + 1.0) ** 3


def _pair(first, second):
  """Two sets of features as float64, or a ValueError."""
  pair = [np.asarray(x, np.float64) for x in (first, second)]
  if any(x.ndim != 2 or len(x) < 2 for x in pair) or pair[0].shape[1] != pair[1].shape[1]:
    raise ValueError(f"features are {pair[0].shape} and {pair[1].shape}; give [N, d] and [M, d], "
                     "two or more rows each")
  if not all(np.isfinite(x).all() for x in pair):
    raise ValueError("a feature isn't finite; look at the images or at the network")
  return pair


def cosine(first, second):
  """Cosines of rows: `[..., d]` twice -> `[...]`; 0 where a row is 0."""
  first, second = (np.asarray(x, np.float64) for x in (first, second))
  length = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
  both = (first * second).sum(axis=-1)
  return np.divide(both, length, out=np.zeros_like(both), where=length > 0)


def rank_1(probes, labels, gallery, gallery_labels):
  """Whether the nearest of the gallery, by cosine, is of the probe's person: `[P]` bool.

  Args:
    probes: `[P, d]`.
    labels: `[P]`.
    gallery: `[G, d]`, G at least 1.
    gallery_labels: `[G]`.

  Example:
    accuracy = rank_1(embed(probes), probe_people, embed(gallery), people).mean()
  """
  alike = cosine(np.asarray(probes)[:, np.newaxis], np.asarray(gallery)[np.newaxis])
  return np.asarray(gallery_labels)[alike.argmax(axis=1)] == np.asarray(labels)


def roc(scores, same):
  """Rates of false and of true acceptance at all thresholds, from the highest down.

  Args:
    scores: `[P]`, the greater the more alike.
    same: `[P]` bool, of one person or not; both must occur.

  Returns:
    `(far, tar)`, both rising from 0 to 1.

  Raises:
    ValueError: all pairs are the same or none is, or a score isn't finite.
  """
  scores, same = np.asarray(scores, np.float64), np.asarray(same, bool)
  if same.all() or not same.any() or not np.isfinite(scores).all():
    raise ValueError(f"of {len(same)} pairs {same.sum()} are of one person; give finite scores of "
                     "pairs of both kinds")
  order = np.argsort(-scores, kind="stable")
  last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
  true, false = np.cumsum(same[order])[last], np.cumsum(~same[order])[last]
  return np.append(0.0, false / (~same).sum()), np.append(0.0, true / same.sum())


def area(scores, same):
  """Area under the ROC curve, in [0, 1]; arguments as `roc`."""
  far, tar = roc(scores, same)
  return float((np.diff(far) * (tar[1:] + tar[:-1])).sum() / 2.0)


def equal_error_rate(scores, same):
  """Where false acceptance and false rejection are equal, in [0, 1]; arguments as `roc`."""
  far, tar = roc(scores, same)
  # far - (1 - tar) rises from -1 to 1.
  off = far + tar - 1.0
  k = int(np.argmax(off >= 0.0))
  if off[k] == 0.0 or k == 0:
    return float(far[k])
  share = off[k - 1] / (off[k - 1] - off[k])
  return float(far[k - 1] + share * (far[k] - far[k - 1]))


def tar_at_far(scores, same, far):
  """The rate of true acceptance where false acceptance is at most `far`, in [0, 1].

  Args:
    scores: as `roc`.
    same: as `roc`.
    far: the rate of false acceptance, in [0, 1].
  """
  known, tar = roc(scores, same)
  return float(interpolate.interp1d(known, tar, kind="previous", assume_sorted=True)(far)
               if far < 1 else 1.0)


def verification_accuracy(scores, same, folds):
  """Accuracy of telling pairs of one person, by fold, thresholds chosen on the others.

  Args:
    scores: `[P]`.
    same: `[P]` bool.
    folds: `[P]` int, the fold of each pair; two or more.

  Returns:
    `[F]` float64, in the order of the folds.

  Raises:
    ValueError: there is one fold alone.

  Example:
    mean = verification_accuracy(cosine(a, b), same, folds).mean()
  """
  scores, same, folds = (np.asarray(x) for x in (scores, same, folds))
  known = np.unique(folds)
  if len(known) < 2:
    raise ValueError("there is one fold; thresholds need others to be chosen on")
  found = []
  for fold in known:
    rest = folds != fold
    threshold = _threshold(scores[rest], same[rest])
    found.append(((scores[~rest] > threshold) == same[~rest]).mean())
  return np.array(found)


def _threshold(scores, same):
  """The threshold of the highest accuracy, half-way between two scores."""
  order = np.argsort(scores, kind="stable")
  sorted_, right = scores[order], same[order]
  # Above the k lowest: all of these told apart, all others alike.
  hits = np.append(0, np.cumsum(~right)) + (right.sum() - np.append(0, np.cumsum(right)))
  middles = np.concatenate([[sorted_[0] - 1.0], (sorted_[1:] + sorted_[:-1]) / 2.0,
                            [sorted_[-1] + 1.0]])
  cut = np.append(True, np.append(np.diff(sorted_) > 0, True))  # between equal scores is no cut
  return middles[np.where(cut, hits, -1).argmax()]
