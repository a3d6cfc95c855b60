"""Affinity of many samples: of each row of C the largest entries alone, and a sparse graph of them.

Where `affinity` holds N x N numbers, here a row of C is made, cut down and forgotten, a block of
samples at a time: memory is N times `nonzeros`, and clustering asks for the leading eigenvectors
of a sparse matrix.
"""

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from sklearn import cluster

from garden.core import checks
from garden.subspace import affinity as affinity_lib
from garden.subspace import linalg


def largest_coefficients(rows, n_samples, nonzeros, block=500):
  """The largest entries of each row of C, in magnitude.

  Args:
    rows: function, indices `[n]` int64 -> rows of C `[n, N]` float32.
    n_samples: N.
    nonzeros: entries kept of a row, at least 1, N - 1 at most.
    block: rows made at once.

  Returns:
    `[N, N]` `csr_matrix` float32, without its diagonal; a row has fewer entries where C does.

  Raises:
    ValueError: `nonzeros` out of its range, or C isn't finite.

  Example:
    >>> c = np.array([[9, 1, 3], [2, 9, 1], [0, 0, 9]], np.float32)
    >>> largest_coefficients(lambda i: c[i], 3, nonzeros=1).toarray()
    array([[0., 0., 3.],
           [2., 0., 0.],
           [0., 0., 0.]], dtype=float32)
  """
  checks.check_count("nonzeros", nonzeros, 1)
  if nonzeros >= n_samples:
    raise ValueError(f"nonzeros is {nonzeros}; {n_samples} samples have {n_samples - 1} others")
  columns = np.empty((n_samples, nonzeros), np.int32)
  values = np.empty((n_samples, nonzeros), np.float32)
  for first in range(0, n_samples, block):
    chosen = np.arange(first, min(first + block, n_samples))
    some = np.array(rows(chosen), np.float32)
    if not np.isfinite(some.sum()):
      raise ValueError(f"rows {first} to {chosen[-1]} of C hold NaN or infinite entries; check the "
                       "training for divergence")
    some[chosen - first, chosen] = 0.0
    kept = np.argpartition(-np.abs(some), nonzeros - 1, axis=1)[:, :nonzeros]
    columns[chosen] = kept
    values[chosen] = np.take_along_axis(some, kept, axis=1)
  starts = np.arange(0, n_samples * nonzeros + 1, nonzeros)
  matrix = scipy.sparse.csr_matrix((values.ravel(), columns.ravel(), starts),
                                   shape=(n_samples, n_samples))
  matrix.eliminate_zeros()
  matrix.sort_indices()
  return matrix


def symmetric_affinity(coefficients):
  """`|C| + |C|^T` after each row of C was brought to length 1.

  The rows of a network differ in size by what its threshold leaves of them.

  Args:
    coefficients: `[N, N]` sparse matrix.

  Returns:
    `[N, N]` `csr_matrix`, symmetric, >= 0.
  """
  lengths = np.sqrt(np.asarray(coefficients.multiply(coefficients).sum(axis=1)).ravel())
  lengths[lengths == 0] = 1.0
  scaled = abs(scipy.sparse.diags(1.0 / lengths) @ coefficients)
  return (scaled + scaled.T).tocsr()


def spectral_embedding(affinity, dim):
  """Leading eigenvectors of `D^(-1/2) A D^(-1/2)`, by Lanczos from a fixed start.

  Args:
    affinity: `[N, N]` sparse, symmetric, >= 0.
    dim: how many, less than N.

  Returns:
    `(values [dim], vectors [N, dim])`, the largest first.

  Raises:
    ValueError: an entry below 0, or `dim` out of its range.
  """
  size = affinity.shape[0]
  if not 1 <= dim < size:
    raise ValueError(f"dim is {dim}; {size} samples have 1 to {size - 1} leading eigenvectors")
  if affinity.nnz and affinity.data.min() < 0:
    raise ValueError(f"affinity has an entry of {affinity.data.min():.3g}; entries must be >= 0")
  degree = np.asarray(affinity.sum(axis=1), np.float64).ravel()
  root = scipy.sparse.diags(1.0 / np.sqrt(np.where(degree > 0, degree, 1.0)))
  normalized = root @ affinity.astype(np.float64) @ root
  values, vectors = scipy.sparse.linalg.eigsh(
      normalized, k=dim, which="LA", tol=1e-5, v0=np.sqrt(np.maximum(degree, 1e-12)))
  order = np.argsort(-values)
  return values[order], vectors[:, order]


def spectral_clustering(affinity, n_clusters, dim=None, seed=0):
  """Groups samples by the eigenvectors of a sparse affinity: rows of length 1, then k-means.

  Ng, Jordan, Weiss 2001. More eigenvectors than groups, as in the code of SENet, keep a group that
  is in two pieces from being taken for two.

  Args:
    affinity: `[N, N]` sparse, symmetric, >= 0.
    n_clusters: K, 2 .. N - 1.
    dim: eigenvectors; K when None.
    seed: of k-means, which has 20 starts.

  Returns:
    `[N]` int64 labels, numbered by first appearance.

  Raises:
    ValueError: K out of its range, or as of `spectral_embedding`.

  Example:
    >>> spectral_clustering(scipy.sparse.csr_matrix(np.kron(np.eye(2), np.ones((3, 3)))), 2)
    array([0, 0, 0, 1, 1, 1])
  """
  size = affinity.shape[0]
  if not 2 <= n_clusters < size:
    raise ValueError(f"n_clusters is {n_clusters}; it must lie in 2..N - 1 = {size - 1}")
  _, vectors = spectral_embedding(affinity, dim or n_clusters)
  model = cluster.KMeans(n_clusters, n_init=20, random_state=seed)
  return affinity_lib.relabel(model.fit_predict(linalg.unit_rows(vectors)))
