"""How good is a grouping: with labels, and without.

With labels: clustering error under the best matching of groups to classes
(Kuhn 1955), normalised mutual information, adjusted Rand index (Hubert and
Arabie 1985). Without labels: the normalised cut of a grouping (Shi and Malik
2000) and the eigengap of an affinity. The last two compare groupings of one
affinity, or affinities that differ in one parameter; across exponents they
mislead.
"""

import numpy as np
from scipy import linalg
from scipy import optimize
from sklearn import metrics as sk

from garden.subspace import affinity as affinities


def _pair(y_true, y_pred):
  """Two label vectors of one length as arrays, or ValueError."""
  y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
  for name, labels in (("y_true", y_true), ("y_pred", y_pred)):
    if labels.ndim != 1 or labels.size == 0:
      raise ValueError(
          f"{name} has shape {labels.shape}; it must be [N] with N >= 1")
  if y_true.size != y_pred.size:
    raise ValueError(
        f"y_true has {y_true.size} labels and y_pred {y_pred.size}; give one "
        "label per sample in both")
  return y_true, y_pred


def contingency(y_true, y_pred):
  """How many samples of class i are in group j.

  Args:
    y_true: `[N]` class of each sample, any values.
    y_pred: `[N]` group of each sample, any values.

  Returns:
    `[classes, groups]` int64, both in sorted order of their values.
  """
  y_true, y_pred = _pair(y_true, y_pred)
  classes, row = np.unique(y_true, return_inverse=True)
  groups, column = np.unique(y_pred, return_inverse=True)
  flat = np.bincount(row * groups.size + column, minlength=classes.size * groups.size)
  return flat.reshape(classes.size, groups.size)


def clustering_error(y_true, y_pred):
  """Share of misplaced samples under the best one-to-one matching, in percent.

  `100 (1 - max_m sum_i n_{i, m(i)} / N)` over matchings m of classes to
  groups, by the Hungarian algorithm. The numbers of classes and groups may
  differ; samples of an unmatched group count as errors.

  Args:
    y_true: `[N]` class of each sample, any values.
    y_pred: `[N]` group of each sample, any values.

  Returns:
    Float in [0, 100).

  Raises:
    ValueError: if the lengths differ or are 0.

  Example:
    >>> clustering_error([0, 0, 1, 1], [7, 7, 3, 7])
    25.0
  """
  table = contingency(y_true, y_pred)
  rows, columns = optimize.linear_sum_assignment(table, maximize=True)
  total = table.sum()
  return float(100.0 * (total - table[rows, columns].sum()) / total)


def nmi(y_true, y_pred):
  """Normalised mutual information, arithmetic mean of the entropies, in [0, 1].

  Args:
    y_true: `[N]` class of each sample, any values.
    y_pred: `[N]` group of each sample, any values.

  Returns:
    Float; 1 for the same grouping, 0 for independent ones.

  Raises:
    ValueError: if the lengths differ or are 0.

  Example:
    >>> nmi([0, 0, 1, 1], [5, 5, 2, 2])
    1.0
  """
  return float(sk.normalized_mutual_info_score(*_pair(y_true, y_pred)))


def ari(y_true, y_pred):
  """Adjusted Rand index, in [-0.5, 1]; 0 is what chance gives.

  Args:
    y_true: `[N]` class of each sample, any values.
    y_pred: `[N]` group of each sample, any values.

  Returns:
    Float; 1 for the same grouping.

  Raises:
    ValueError: if the lengths differ or are 0.

  Example:
    >>> ari([0, 0, 1, 1], [5, 5, 2, 2])
    1.0
  """
  return float(sk.adjusted_rand_score(*_pair(y_true, y_pred)))


def normalized_cut(affinity, labels):
  """The normalised cut of a grouping: sum over groups of cut / volume.

  Needs no classes. `cut` is the affinity from a group to all others, `volume`
  the sum of its degrees; the diagonal is ignored. A group without any affinity
  adds 1, the worst that a group can add.

  Args:
    affinity: `[N, N]` symmetric, non-negative.
    labels: `[N]` group of each sample, any values.

  Returns:
    Float in [0, number of groups]; lower is better.

  Raises:
    ValueError: if the sizes do not agree or `affinity` is no affinity.

  Example:
    >>> normalized_cut(np.ones((4, 4)), [0, 0, 1, 1])
    1.3333333333333333
  """
  affinity = np.asarray(affinity, dtype=np.float64)
  labels = np.asarray(labels)
  if affinity.ndim != 2 or labels.shape != affinity.shape[:1] or (
      affinity.shape[0] != affinity.shape[1]):
    raise ValueError(
        f"affinity has shape {affinity.shape} and labels {labels.shape}; they "
        "must be [N, N] and [N]")
  _, group = np.unique(labels, return_inverse=True)
  member = np.eye(group.max() + 1)[group]
  degree = affinity.sum(axis=1) - affinity.diagonal()
  volume = member.T @ degree
  inside = np.sum(member * (affinity @ member), axis=0) - member.T @ affinity.diagonal()
  share = np.divide(volume - inside, volume, out=np.ones_like(volume), where=volume > 0)
  return float(share.sum())


def eigengap(affinity, n_clusters):
  """Gap after the K-th eigenvalue of the normalised affinity.

  `lambda_K - lambda_{K+1}` of `D^(-1/2) A D^(-1/2)` with zero diagonal, which
  is 1 - mu for the eigenvalues mu of the normalised Laplacian. Large when the
  affinity falls into K groups.

  Args:
    affinity: `[N, N]` symmetric, non-negative.
    n_clusters: K, 1..N-1.

  Returns:
    Float >= 0; higher is better.

  Raises:
    ValueError: if K is outside 1..N-1 or `affinity` is no affinity.

  Example:
    >>> round(eigengap(np.kron(np.eye(2), np.ones((3, 3))), 2), 6)
    1.5
  """
  normalized, root = affinities.normalized_affinity(affinity)
  size = root.size
  if not 1 <= n_clusters < size:
    raise ValueError(
        f"n_clusters is {n_clusters}; the gap needs 1..N-1 = {size - 1}")
  low, high = linalg.eigh(
      normalized, eigvals_only=True, check_finite=False,
      subset_by_index=[size - n_clusters - 1, size - n_clusters])
  return float(max(high - low, 0.0))
