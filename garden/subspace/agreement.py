"""Choosing among labellings without labels: agreement.

A grid of parameters gives one labelling each. Bad ones are bad in different
ways and good ones are alike, so the labelling that agrees best with all others
is a good one. Over our grids its mean adjusted Rand index had a rank
correlation of 0.83 to 0.98 with the true error, where eigengap and normalised
cut had -0.4 to 0.7. It fails if most of the grid is bad.

* `medoid`: the labelling of largest mean agreement.
* `joint_comembership`: how often two samples share a group among the labellings
  of largest mean agreement; clustered once more it is a consensus. Several kinds
  of features vote apart, weighted by how little their labellings hang on the
  settings: pooled, the kind with most members outvotes the others.
"""

import numpy as np
from scipy.linalg import blas


def _stack(labelings):
  """Labellings as `[M, N]` int64, each renumbered 0..k-1."""
  rows = [np.asarray(labels) for labels in labelings]
  if not rows:
    raise ValueError("there is no labelling to choose from; give at least one")
  if any(row.ndim != 1 for row in rows) or len({row.size for row in rows}) != 1 or (
      rows[0].size < 2):
    raise ValueError(
        "labellings have shapes "
        f"{sorted({row.shape for row in rows})}; all must be [N] with one N >= 2")
  return np.stack([np.unique(row, return_inverse=True)[1] for row in rows])


def _one_hot(stack):
  """Indicator columns of all groups of all labellings, and where each begins."""
  counts = stack.max(axis=1) + 1
  begin = np.concatenate([[0], np.cumsum(counts)])
  # float32 counts are exact below 2^24 samples; Fortran order for BLAS.
  hot = np.zeros((stack.shape[1], begin[-1]), dtype=np.float32, order="F")
  for labels, first in zip(stack, begin):
    hot[np.arange(labels.size), first + labels] = 1.0
  return hot, begin


def agreement_matrix(labelings):
  """Adjusted Rand index of each pair of labellings.

  Hubert and Arabie 1985, from the contingency tables: one matrix product of
  indicator columns gives those of one labelling with all others.

  Args:
    labelings: M sequences `[N]` of group labels, any values.

  Returns:
    `[M, M]` float64, symmetric, diagonal 1.

  Raises:
    ValueError: if there is none or the lengths differ.

  Example:
    >>> agreement_matrix([[0, 0, 1, 1], [5, 5, 2, 2]])
    array([[1., 1.],
           [1., 1.]])
  """
  stack = _stack(labelings)
  hot, begin = _one_hot(stack)
  count, size = stack.shape
  same = np.zeros((count, count))
  for i in range(count):
    # Columns from labelling i on: the lower half of the table is enough.
    table = blas.sgemm(1.0, hot[:, begin[i]:begin[i + 1]], hot[:, begin[i]:], trans_a=1)
    squares = np.einsum("ij,ij->j", table, table, dtype=np.float64)
    same[i, i:] = np.add.reduceat(squares, begin[i:-1] - begin[i])
  same = np.triu(same) + np.triu(same, 1).T
  together = 0.5 * (same - size)  # pairs of samples that share a group in both
  alone = together.diagonal()
  expected = np.outer(alone, alone) / (0.5 * size * (size - 1))
  highest = 0.5 * (alone[:, None] + alone)
  spread = highest - expected
  # No spread: both put all in one group, or each sample in its own.
  return np.divide(together - expected, spread, out=np.ones_like(spread), where=spread > 0)


def mean_agreement(labelings):
  """Mean adjusted Rand index of each labelling with all others.

  Args:
    labelings: M sequences `[N]` of group labels, any values.

  Returns:
    `[M]` float64; 1 for a single labelling.

  Raises:
    ValueError: if there is none or the lengths differ.

  Example:
    >>> mean_agreement([[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]])
    array([ 0.25,  0.25, -0.5 ])
  """
  matrix = agreement_matrix(labelings)
  count = matrix.shape[0]
  if count == 1:
    return np.ones(1)
  return (matrix.sum(axis=1) - matrix.diagonal()) / (count - 1)


def medoid(labelings):
  """Index of the labelling of largest mean agreement; the first among equals.

  Args:
    labelings: M sequences `[N]` of group labels, any values.

  Returns:
    Int in 0..M-1.

  Raises:
    ValueError: if there is none or the lengths differ.

  Example:
    >>> medoid([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0]])
    1
  """
  return int(np.argmax(np.round(mean_agreement(labelings), 12)))


def comembership(labelings):
  """Share of the labellings in which two samples are in one group.

  Args:
    labelings: M sequences `[N]` of group labels, any values.

  Returns:
    `[N, N]` float64 in [0, 1], diagonal 1.

  Raises:
    ValueError: if there is none or the lengths differ.

  Example:
    >>> comembership([[0, 0], [0, 1]])
    array([[1. , 0.5],
           [0.5, 1. ]])
  """
  stack = _stack(labelings)
  hot, _ = _one_hot(stack)
  return blas.sgemm(1.0, hot, hot, trans_b=1).astype(np.float64) / stack.shape[0]


def top(labelings, top_fraction):
  """The labellings of largest mean agreement, the best first.

  Args:
    labelings: M sequences `[N]` of group labels, any values.
    top_fraction: share of them to keep, in (0, 1]; at least one is kept.

  Returns:
    List of the kept labellings, unchanged.

  Raises:
    ValueError: if `top_fraction` is outside its range, or the labellings do
      not fit together.

  Example:
    >>> top([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0]], 0.4)
    [[0, 0, 1, 1]]
  """
  _check_fraction(top_fraction)
  scores = np.round(mean_agreement(labelings), 12)  # equal scores keep their order
  count = _count(top_fraction, scores.size)
  return [labelings[i] for i in np.argsort(-scores, kind="stable")[:count]]


def _check_fraction(top_fraction):
  if not 0 < top_fraction <= 1:
    raise ValueError(f"top_fraction is {top_fraction}; it must lie in (0, 1]")


def _count(top_fraction, size):
  """How many of `size` labellings vote; at least one."""
  return max(1, int(round(top_fraction * size)))


def steadiness(labelings, top_fraction=0.1):
  """How well the labellings that would vote agree with all the others.

  The mean over the `top` labellings of their `mean_agreement`. Where it is high,
  the groups hang little on the settings.

  Args:
    labelings: M sequences `[N]` of group labels, any values.
    top_fraction: see `top`.

  Returns:
    Float, at most 1; 1 for a single labelling.

  Raises:
    ValueError: as `top`.

  Example:
    >>> steadiness([[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]], top_fraction=0.6)
    0.25
  """
  _check_fraction(top_fraction)
  scores = np.sort(mean_agreement(labelings))[::-1]
  return float(scores[:_count(top_fraction, scores.size)].mean())


def steady(sets, top_fraction=0.1, least=0.8):
  """The labellings of the sets of features that did not fail, in one pool.

  An autoencoder that failed gives labellings that hang on the settings. A set is
  kept if its `steadiness` is at least `least` times the best one.

  Args:
    sets: list of labelings, one a set of features, each M sequences `[N]`.
    top_fraction: see `top`.
    least: share of the best steadiness, in [0, 1].

  Returns:
    `(list of the kept labellings, steadiness of each set, mean of the kept
    ones)`.

  Raises:
    ValueError: if there is no set, or as `top`.

  Example:
    >>> steady([[[0, 0, 1, 1], [1, 1, 0, 0]], [[0, 0, 1, 1], [0, 1, 0, 1]]])[0]
    [[0, 0, 1, 1], [1, 1, 0, 0]]
  """
  if not len(sets):
    raise ValueError("there is no labelling to choose from; give at least one")
  scores = [steadiness(one, top_fraction) for one in sets]
  # An index below 0 is worse than chance; 80 % of it would be above it.
  floor = min(least * max(scores), max(scores))
  kept = [i for i, score in enumerate(scores) if score >= floor]
  return ([labels for i in kept for labels in sets[i]], scores,
          float(np.mean([scores[i] for i in kept])))


def weights(steadinesses, power=8.0):
  """Weights of kinds of features, `steadiness^power`, normalised.

  A soft choice: 10 % more steadiness is twice the weight. Of two kinds that are
  alike both are heard; the one that clearly hangs on its settings is not.

  Args:
    steadinesses: one a kind; those not above 0 get no weight.
    power: 0 weighs all alike.

  Returns:
    `[F]` float64, sum 1.

  Raises:
    ValueError: if there is none.

  Example:
    >>> weights([0.5, 0.5])
    array([0.5, 0.5])
  """
  values = np.maximum(np.asarray(steadinesses, np.float64), 1e-3)
  if not values.size:
    raise ValueError("there is no steadiness to weigh by; give at least one")
  values = (values / values.max()) ** power
  return values / values.sum()


def joint_comembership(families, shares=None, top_fraction=0.1):
  """Weighted mean over kinds of features of their best voters' `comembership`.

  Args:
    families: list of labelings, one a kind of features, each M sequences `[N]`.
    shares: `[F]` weights of sum 1, see `weights`; equal ones when None.
    top_fraction: see `top`.

  Returns:
    `[N, N]` float64 in [0, 1], diagonal 1.

  Raises:
    ValueError: as `top`, or if there is no family.

  Example:
    >>> joint_comembership([[[0, 0]], [[0, 1]]])
    array([[1. , 0.5],
           [0.5, 1. ]])
  """
  if not len(families):
    raise ValueError("there is no labelling to choose from; give at least one")
  if shares is None:
    shares = np.full(len(families), 1.0 / len(families))
  return sum(share * comembership(top(one, top_fraction))
             for share, one in zip(shares, families, strict=True))
