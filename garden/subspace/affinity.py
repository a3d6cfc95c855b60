"""From coefficients to groups: affinity, its post-processing, spectral clustering.

A self-expression `C` with `C Z ~ Z` is no affinity yet. Two ways lead on:

* the plain one, `|C| + |C|^T`;
* the published one, the post-processing of Deep Subspace Clustering Networks
  (Ji, Zhang, Li, Salzmann, Reid, NIPS 2017, arXiv:1709.02508, code of the
  authors), which came from EDSC (Ji, Salzmann, Li, WACV 2014):

      1. in each column keep the largest |c| until they hold alpha of its l1 norm
      2. C <- (C + C^T) / 2, signed                  [COIL20: then diag(C) = 1]
      3. C ~ U S U^T of rank d K + 1;  M = U |S|^(1/2);  rows of M to length 1
      4. L = max(M M^T, 0)^exponent / max;  L <- (L + L^T) / 2

The post-processing is worth 11 to 28 points of accuracy on the paper's data,
and alpha, d and exponent were tuned there on labels: print the plain number
beside it. Deviations: step 3 takes the largest |eigenvalue| of the symmetric
matrix in place of a truncated SVD (the same matrix up to rounding, without a
random start), and the grouping below has no random start either.
"""

import numpy as np
from scipy import linalg
from sklearn import cluster

from garden.subspace import linalg as dense


def _square(c, name="c"):
  """A finite square float64 matrix, or ValueError."""
  c = np.asarray(c, dtype=np.float64)
  if c.ndim != 2 or c.shape[0] != c.shape[1] or c.shape[0] < 2:
    raise ValueError(f"{name} has shape {c.shape}; it must be [N, N] with N >= 2")
  if not np.isfinite(c.sum()) and not np.isfinite(c).all():
    raise ValueError(
        f"{name} holds NaN or infinite entries; check the images for NaN and "
        "the training for divergence")
  return c


def _check_clusters(n_clusters, size):
  """ValueError unless 2 <= n_clusters <= size."""
  if not 2 <= n_clusters <= size:
    raise ValueError(
        f"n_clusters is {n_clusters}; it must lie in 2..N = {size}")


def _check_axis(axis):
  if axis not in (0, 1):
    raise ValueError(f"axis is {axis!r}; use 0 (columns) or 1 (rows)")


def without_diagonal(c):
  """A float64 copy of a square matrix with its diagonal set to zero."""
  c = np.array(c, dtype=np.float64)
  np.fill_diagonal(c, 0.0)
  return c


def threshold(c, alpha, axis=0):
  """Keeps the largest entries that together hold `alpha` of each l1 norm.

  Step 1 of the published recipe. The entry that crosses `alpha` is kept, so
  one entry always stays. Entries tied with the last one kept stay too, where
  the published code keeps whichever its sort met first.

  Args:
    c: `[N, N]` coefficients.
    alpha: share of the l1 norm, in (0, 1]; small is sparse, 1 keeps all.
    axis: 0, as published, treats each column; 1 each row.

  Returns:
    `[N, N]` float64 copy with zeros in place of what was dropped.

  Raises:
    ValueError: if `alpha` or `axis` is outside its range, or `c` not finite.

  Example:
    >>> threshold(np.array([[3.0, 0.0], [-1.0, 2.0]]), alpha=0.7)
    array([[3., 0.],
           [0., 2.]])
  """
  c = _square(c)
  _check_axis(axis)
  if not 0 < alpha <= 1:
    raise ValueError(f"alpha is {alpha}; it must lie in (0, 1], and 1 keeps every entry")
  if alpha == 1:
    return c.copy()
  rows = c if axis == 1 else c.T
  size = np.abs(rows, order="C")
  largest = np.sort(size, axis=1)[:, ::-1]
  mass = np.cumsum(largest, axis=1)
  last = np.sum(mass <= alpha * mass[:, -1:], axis=1)  # index of the entry that crosses
  last = np.minimum(last, size.shape[1] - 1)  # a zero row never crosses
  floor = np.take_along_axis(largest, last[:, None], axis=1)
  kept = np.where(size >= floor, rows, 0.0)
  return kept if axis == 1 else np.ascontiguousarray(kept.T)


def keep_largest(c, count, axis=1):
  """Keeps the `count` entries of largest absolute value in each row or column.

  The sparsification that suits features whose coefficients decay slowly,
  where a share of the l1 norm keeps too many.

  Args:
    c: `[N, N]` coefficients.
    count: entries to keep, 1..N (all when larger).
    axis: 1 treats each row, 0 each column.

  Returns:
    `[N, N]` float64 copy with zeros in place of what was dropped.

  Raises:
    ValueError: if `count` < 1 or `axis` is not 0 or 1.

  Example:
    >>> keep_largest(np.array([[1.0, -3.0], [2.0, 0.5]]), count=1)
    array([[ 0., -3.],
           [ 2.,  0.]])
  """
  c = _square(c)
  _check_axis(axis)
  if count < 1:
    raise ValueError(f"count is {count}; keep at least 1 entry")
  if count >= c.shape[0]:
    return c.copy()
  rows = c if axis == 1 else np.ascontiguousarray(c.T)
  index = np.argpartition(-np.abs(rows), count - 1, axis=1)[:, :count]
  kept = np.zeros_like(rows)
  np.put_along_axis(kept, index, np.take_along_axis(rows, index, axis=1), axis=1)
  return kept if axis == 1 else np.ascontiguousarray(kept.T)


def plain_affinity(c, normalize=None):
  """The affinity without post-processing, `|C| + |C|^T` with zero diagonal.

  Args:
    c: `[N, N]` coefficients, row i those of sample i.
    normalize: None, "max" (each row divided by its largest absolute value, as
      Sparse Subspace Clustering does) or "l2" (by its norm, as in the code of
      EnSC and SSC-OMP). The diagonal is dropped before.

  Returns:
    `[N, N]` float64, symmetric, non-negative.

  Raises:
    ValueError: if `c` is not square and finite, or `normalize` is unknown.

  Example:
    >>> plain_affinity(np.array([[9.0, -1.0], [2.0, 9.0]]))
    array([[0., 3.],
           [3., 0.]])
  """
  size = np.abs(_square(c))
  np.fill_diagonal(size, 0.0)
  if normalize == "max":
    top = size.max(axis=1, keepdims=True)
    size /= np.where(top > 0, top, 1.0)
  elif normalize == "l2":
    size = dense.unit_rows(size)
  elif normalize is not None:
    raise ValueError(f'normalize is {normalize!r}; use None, "max" or "l2"')
  return size + size.T


def low_rank_factor(c_sym, rank):
  """The factor M of step 3, before its rows are normalised.

  Columns are sorted by descending |eigenvalue|, so the first r columns are the
  factor of rank r: one call serves a whole grid over `dim`.

  Args:
    c_sym: `[N, N]` symmetric coefficients.
    rank: number of columns, 1..N-1 (cut to N-1, the limit of the published
      truncated SVD).

  Returns:
    `[N, rank]` float64, `U |S|^(1/2)`.

  Example:
    >>> np.abs(low_rank_factor(np.diag([4.0, -9.0, 1.0]), 1)).ravel()
    array([0., 3., 0.])
  """
  if rank < 1:
    raise ValueError(f"rank is {rank}; it must be at least 1")
  values, vectors = dense.extreme_eigh(c_sym, min(rank, c_sym.shape[0] - 1))
  return vectors * np.sqrt(np.abs(values))


def cosine_affinity(factor, exponent):
  """Step 4: positive cosines of the factor's rows to a power, scaled to max 1.

  Args:
    factor: `[N, r]` rows, one per sample; a zero row gets affinity 0 to all.
    exponent: sharpening power, > 0.

  Returns:
    `[N, N]` float64, symmetric, in [0, 1].

  Raises:
    ValueError: if `exponent` <= 0, or every row of `factor` is zero.
  """
  if not exponent > 0:
    raise ValueError(f"exponent is {exponent}; it must be positive")
  rows = dense.unit_rows(factor)
  affinity = dense.matmul(rows, rows.T)
  np.maximum(affinity, 0.0, out=affinity)
  if exponent != 1:
    np.power(affinity, exponent, out=affinity)
  peak = affinity.max()
  if peak == 0:
    raise ValueError(
        "every coefficient is zero, so there is no affinity to cluster; lower "
        "the regularisation of C or check for constant images")
  affinity /= peak
  return 0.5 * (affinity + affinity.T)


def low_rank_affinity(c_sym, n_clusters, dim, exponent):
  """Steps 3 and 4 of the published recipe for a symmetric `C`.

  Args:
    c_sym: `[N, N]` symmetric coefficients, signed.
    n_clusters: K, 2..N.
    dim: dimension d of one subspace, >= 1; the rank is min(d K + 1, N - 1).
    exponent: sharpening power, > 0.

  Returns:
    `[N, N]` float64, symmetric, in [0, 1].

  Raises:
    ValueError: on a value outside its range or an all-zero matrix.

  Example:
    >>> blocks = np.kron(np.eye(2), np.ones((3, 3)))
    >>> np.allclose(low_rank_affinity(blocks, 2, dim=1, exponent=1), blocks)
    True
  """
  c_sym = _square(c_sym, "c_sym")
  _check_clusters(n_clusters, c_sym.shape[0])
  if dim < 1:
    raise ValueError(f"dim is {dim}; a subspace has at least 1 dimension")
  return cosine_affinity(low_rank_factor(c_sym, dim * n_clusters + 1), exponent)


def published_affinity(c, n_clusters, *, alpha, dim, exponent, eye=False, axis=0,
                       zero_diagonal=False, count=None):
  """The whole published post-processing (steps 1 to 4 above).

  Published values (alpha, dim, exponent, eye), tuned by the authors on labels:
  ORL 0.2, 3, 1, no; COIL20 0.04, 12, 8, yes; COIL100 0.04, 12, 8, no;
  Extended Yale B max(0.4 - 0.1 ((K-1)//10), 0.1), 10, 3.5, no.

  Args:
    c: `[N, N]` coefficients, row i those of sample i.
    n_clusters: K, 2..N.
    alpha: share of each l1 norm to keep, in (0, 1].
    dim: dimension d of one subspace, >= 1.
    exponent: sharpening power, > 0.
    eye: set the diagonal to 1 after step 2 (the authors do so on COIL20 only).
    axis: 0, as published, thresholds each column; 1 each row.
    zero_diagonal: drop diag(C) before step 1. The published code keeps the
      learned diagonal. A closed form that leaves it free can put nearly all of
      the l1 norm there, and step 1 then keeps nothing else: set this for it.
    count: keep this many entries per row or column (see `keep_largest`) in
      place of the share `alpha`, which is then ignored and may be None.

  Returns:
    `[N, N]` float64, symmetric, in [0, 1].

  Raises:
    ValueError: on a value outside its range, or if step 1 leaves the diagonal
      alone.

  Example:
    >>> c = np.kron(np.eye(2), np.ones((3, 3)))
    >>> published_affinity(c, 2, alpha=1.0, dim=1, exponent=2).shape
    (6, 6)
  """
  c = _square(c)
  if zero_diagonal:
    c = without_diagonal(c)
  if count is not None:
    sparse = keep_largest(c, count, axis)
  else:
    sparse = threshold(c, alpha, axis)
  symmetric = 0.5 * (sparse + sparse.T)
  diagonal = symmetric.diagonal()
  if np.any(diagonal) and np.count_nonzero(symmetric) == np.count_nonzero(diagonal):
    raise ValueError(
        f"thresholding at alpha = {alpha} keeps only the diagonal of C, which "
        "says nothing about groups; pass zero_diagonal=True")
  if eye:
    np.fill_diagonal(symmetric, 1.0)
  return low_rank_affinity(symmetric, n_clusters, dim, exponent)


def normalized_affinity(affinity):
  """`D^(-1/2) A D^(-1/2)` without diagonal, and the square roots of the degrees.

  A sample with no affinity to any other keeps a zero row: its eigenvalue is 0,
  so it takes none of the leading eigenvectors from the groups.

  Args:
    affinity: `[N, N]` symmetric, non-negative.

  Returns:
    `(normalized [N, N], root_degree [N])`; root_degree is 1 where the degree is 0.

  Raises:
    ValueError: if `affinity` is not square, finite and non-negative.
  """
  affinity = without_diagonal(_square(affinity, "affinity"))
  if affinity.min() < 0:
    raise ValueError(
        f"affinity has an entry of {affinity.min():.3g}; entries must be >= 0 "
        "(use plain_affinity or published_affinity on coefficients)")
  root = np.sqrt(affinity.sum(axis=0))
  root[root == 0] = 1.0
  affinity /= root[:, None]
  affinity /= root
  return affinity, root


def cluster_qr(vectors):
  """Labels from an embedding by pivoted QR (Damle, Minden, Ying 2019).

  "Simple, direct, and efficient multi-way spectral clustering", Information
  and Inference 8(1). The first K pivots of the transposed embedding are
  samples in general position, one per group; the orthogonal polar factor of
  these rows turns the embedding so that each group lies along an axis. There
  is no random start, and rotating the embedding changes nothing.

  Args:
    vectors: `[N, K]` embedding, N >= K.

  Returns:
    `[N]` int64 labels in 0..K-1, numbered by first appearance.
  """
  count = vectors.shape[1]
  _, pivots = linalg.qr(vectors.T, mode="r", pivoting=True, check_finite=False)
  left, _, right = linalg.svd(vectors[pivots[:count]].T, check_finite=False)
  return relabel(np.abs(vectors @ (left @ right)).argmax(axis=1))


def relabel(labels):
  """Renumbers labels 0, 1, 2, ... in the order in which they first appear."""
  _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
  rank = np.empty(first.size, dtype=np.int64)
  rank[np.argsort(first, kind="stable")] = np.arange(first.size)
  return rank[inverse]


def spectral_clustering(affinity, n_clusters, assign="cluster_qr", seed=0):
  """Groups samples by normalised spectral clustering, without randomness.

  The leading K eigenvectors of `D^(-1/2) A D^(-1/2)`, rows divided by the root
  of the degree (Shi and Malik 2000), then `cluster_qr`. The published code
  uses ARPACK and `discretize` without a seed: the same C on ORL then gives
  81.0 to 86.75 % over 20 runs.

  Args:
    affinity: `[N, N]` symmetric, non-negative; the diagonal is ignored.
    n_clusters: K, 2..N.
    assign: "cluster_qr", or "kmeans": k-means with 20 starts on eigenvector
      rows of length 1 (Ng, Jordan, Weiss 2001), as in the code of SSC and
      EnSC. On the sparse graphs of these methods k-means is up to 9 points
      better (ORL); on post-processed affinities the two are alike.
    seed: of k-means; `cluster_qr` needs none.

  Returns:
    `[N]` int64 labels, numbered by first appearance, at most K of them.
    Samples without any affinity share one label with a group.

  Raises:
    ValueError: if K is outside 2..N, `assign` is unknown, or `affinity` is not
      square, finite and non-negative.

  Example:
    >>> spectral_clustering(np.kron(np.eye(2), np.ones((3, 3))), 2)
    array([0, 0, 0, 1, 1, 1])
  """
  if assign not in ("cluster_qr", "kmeans"):
    raise ValueError(f'assign is {assign!r}; use "cluster_qr" or "kmeans"')
  normalized, root = normalized_affinity(affinity)
  _check_clusters(n_clusters, root.size)
  _, vectors = dense.top_eigh(normalized, n_clusters)
  if assign == "kmeans":
    model = cluster.KMeans(n_clusters, n_init=20, random_state=seed)
    return relabel(model.fit_predict(dense.unit_rows(vectors)))
  return cluster_qr(vectors / root[:, None])
