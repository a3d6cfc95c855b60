"""Classical self-expression solvers: `f(x, **parameters) -> C` with `C x ~ x`.

Rows of `x` are samples, and row i of C holds the coefficients of sample i. All
solve a form of

    min_C  ||C||_p + lambda/2 ||X - C X||_F^2,    diag(C) = 0

* `ridge`: p = 2. Lu et al., "Robust and efficient subspace segmentation via
  least squares regression" (LSR), ECCV 2012.
* `ssc`: p = 1. Elhamifar and Vidal, "Sparse subspace clustering", TPAMI 2013.
* `ssc_omp`: at most k non-zeros a row, greedily. You, Robinson, Vidal, CVPR 2016.
* `ensc`: elastic net. You, Li, Robinson, Vidal, CVPR 2016.

`edsc`, `lrr`, `lrsc` and `kssc` are in `lowrank`; `SOLVERS` names them all. The
defaults are one set for every data set and expect rows of length 1 (see
`garden.subspace.linalg.unit_rows`). `kmeans` is the neighbour without any
self-expression.
"""

import difflib

import numpy as np
from scipy import sparse
from sklearn import cluster

from garden.subspace import elastic_net
from garden.subspace import linalg as dense
from garden.subspace import lowrank


def ridge(x, lam=0.1, zero_diagonal=True):
  """Least squares self-expression in closed form, with or without diagonal.

  Minimises `lam ||C||_F^2 + ||X - C X||_F^2`. With G = X X^T and
  P = (G + lam I)^-1:

      diagonal free:  C = G P = I - lam P
      diag(C) = 0:    C_ij = -P_ij / P_ii  (i != j),  C_ii = 0

  The second is not the first with its diagonal removed. For the network's loss
  `l1 ||C||_F^2 + l2/2 ||Z - C Z||_F^2`, `lam = 2 l1 / l2`.

  Args:
    x: `[N, d]` samples.
    lam: > 0, in units of a squared row norm. 0.1 suits unit rows of face
      images; that is our choice, the paper tunes it on each data set.
    zero_diagonal: ask for diag(C) = 0; the published deep L2 model leaves the
      diagonal free.

  Returns:
    `[N, N]` float64.

  Raises:
    ValueError: if `lam` <= 0 or `x` is not a finite matrix.

  Example:
    >>> ridge(np.array([[1.0, 0.0], [1.0, 0.0]]), lam=1.0)
    array([[0. , 0.5],
           [0.5, 0. ]])
  """
  x = dense.check_samples(x)
  dense.check_positive("lam", lam)
  c = dense.inverse_regularised(dense.gram(x), lam)
  if zero_diagonal:
    c /= -c.diagonal()[:, None].copy()
    np.fill_diagonal(c, 0.0)
    return c
  c *= -lam
  c[np.diag_indices_from(c)] += 1.0
  return c


def ssc(x, alpha=20.0):
  """Sparse Subspace Clustering: the L1 self-expression with diag(C) = 0.

  Minimises `||C||_1 + lambda/2 ||X - C X||_F^2` with
  `lambda = alpha / mu`, `mu = min_i max_{j != i} |x_i . x_j|`: every row has a
  non-zero as soon as alpha > 1. Solved exactly from the Gram matrix, where the
  paper's ADMM stops at an accuracy of 2e-4. Its affinity normalises each
  sample's coefficients by their maximum: `plain_affinity(c, normalize="max")`.

  Args:
    x: `[N, d]` samples.
    alpha: > 1. The authors' code has 20 for face images (there with a term for
      sparse outliers, which is left out here) and 800 for motion tracks.

  Returns:
    `[N, N]` float64, zero diagonal.

  Raises:
    ValueError: if `alpha` <= 1 or `x` is not a finite matrix.

  Example:
    >>> ssc(np.array([[1.0, 0.0], [1.0, 0.0]]), alpha=2.0)
    array([[0. , 0.5],
           [0.5, 0. ]])
  """
  x = dense.check_samples(x)
  return elastic_net.sparse_from_gram(dense.gram(x), alpha)


def ensc(x, tau=0.9, gamma=50.0, relative=True):
  """Elastic net self-expression with diag(C) = 0.

  For each row `min tau ||c||_1 + (1 - tau)/2 ||c||^2 + g/2 ||x - c X||^2`. With
  `relative`, as in the authors' code, `g = gamma g0`, where `g0 = tau / max_j
  |x_i . x_j|` is the largest weight that gives c = 0. Their code also keeps the
  50 largest entries of a row only (`affinity.keep_largest`), and divides rows
  by their norm before symmetrising (`plain_affinity(c, normalize="l2")`).

  Args:
    x: `[N, d]` samples.
    tau: share of the l1 norm, in (0, 1]; the authors use 0.9 to 1.
    gamma: weight of the fit, > 0, and > 1 if relative; the authors call 5 to
      500 a good range, 50 is the default of their code.
    relative: measure gamma in units of g0, row by row.

  Returns:
    `[N, N]` float64, zero diagonal.

  Raises:
    ValueError: if `tau` or `gamma` is outside its range.

  Example:
    >>> ensc(np.eye(2)[[0, 0, 1]], tau=1.0, gamma=2.0)[0]
    array([0. , 0.5, 0. ])
  """
  x = dense.check_samples(x)
  dense.check_positive("gamma", gamma)
  gram = dense.gram(x)
  weight = gamma
  if relative:
    if gamma <= 1:
      raise ValueError(
          f"gamma is {gamma} in units of the weight that gives C = 0; it must exceed 1")
    coherence = elastic_net.coherence(gram)
    weight = gamma * tau / np.where(coherence > 0, coherence, 1.0)
  return elastic_net.sparse_rows(gram, tau, weight)


def ssc_omp(x, nnz=5, tol=1e-6):
  """Self-expression by orthogonal matching pursuit, all rows at a time.

  Each sample is approximated by at most `nnz` others: the one most coherent
  with the residual joins, then the coefficients are refitted. Works on the
  Gram matrix, so a step costs O(N^2 nnz) however long the samples are.

  Args:
    x: `[N, d]` samples.
    nnz: non-zeros in a row, 1..N-1; 5 is our choice, 10 the default of the
      authors' code.
    tol: a row stops when its squared residual falls below this share of its
      squared norm.

  Returns:
    `[N, N]` float64, zero diagonal, at most `nnz` non-zeros in a row.

  Raises:
    ValueError: if `nnz` is outside 1..N-1.

  Example:
    >>> ssc_omp(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), nnz=1)[0]
    array([0. , 0.5, 0. ])
  """
  x = dense.check_samples(x)
  size = x.shape[0]
  if not 1 <= nnz < size:
    raise ValueError(f"nnz is {nnz}; it must lie in 1..N-1 = {size - 1}")
  gram = dense.gram(x)
  square = gram.diagonal().copy()
  norms = np.sqrt(square)
  support = np.zeros((size, nnz), dtype=np.int64)
  values = np.zeros((size, nnz))
  live = np.flatnonzero(square > 0)
  for step in range(nnz):
    pull = gram[live]
    if step:
      pull = pull - _sparse(support[live, :step], values[live, :step], size) @ gram
    np.abs(pull, out=pull)
    rows = np.arange(live.size)
    pull[rows, live] = 0.0
    pull[rows[:, None], support[live, :step]] = 0.0
    best = pull.argmax(axis=1)
    # A coherence of rounding size would bring in a sample that depends on the
    # support, and a singular system with it.
    useful = pull[rows, best] > 1e-9 * norms[live] * norms[best]
    live, best = live[useful], best[useful]
    if live.size == 0:
      break
    support[live, step] = best
    chosen = support[live, :step + 1]
    system = gram[chosen[:, :, None], chosen[:, None, :]]
    right = gram[live[:, None], chosen]
    fitted = np.linalg.solve(system, right[:, :, None])[:, :, 0]
    values[live, :step + 1] = fitted
    residual = square[live] - np.sum(fitted * right, axis=1)
    live = live[residual > tol * square[live]]
  return _sparse(support, values, size).toarray()


def _sparse(support, values, size):
  """A CSR matrix `[rows, size]` from column numbers and values of each row."""
  rows = np.repeat(np.arange(support.shape[0]), support.shape[1])
  return sparse.csr_matrix(
      (values.ravel(), (rows, support.ravel())), shape=(support.shape[0], size))


def kmeans(x, n_clusters, seed=0):
  """Labels by k-means on the samples themselves, the baseline without C.

  Args:
    x: `[N, d]` samples.
    n_clusters: K, 2..N.
    seed: of the 10 random starts.

  Returns:
    `[N]` int64 labels in 0..K-1.

  Raises:
    ValueError: if K is outside 2..N.

  Example:
    >>> len(set(kmeans(np.array([[0.0], [0.1], [5.0]]), 2)))
    2
  """
  x = dense.check_samples(x)
  if not 2 <= n_clusters <= x.shape[0]:
    raise ValueError(f"n_clusters is {n_clusters}; it must lie in 2..N = {x.shape[0]}")
  model = cluster.KMeans(n_clusters, n_init=10, random_state=seed)
  return model.fit_predict(x).astype(np.int64)


SOLVERS = {
    "ridge": ridge,
    "ssc": ssc,
    "ssc_omp": ssc_omp,
    "ensc": ensc,
    "edsc": lowrank.edsc,
    "lrr": lowrank.lrr,
    "lrsc": lowrank.lrsc,
    "kssc": lowrank.kssc,
}


def get(name):
  """The solver of that name in `SOLVERS`.

  Args:
    name: a key of `SOLVERS`.

  Returns:
    A function `f(x, **parameters) -> C [N, N]`.

  Raises:
    ValueError: for an unknown name, listing the known ones.

  Example:
    >>> get("ridge").__name__
    'ridge'
  """
  if name not in SOLVERS:
    near = difflib.get_close_matches(str(name), SOLVERS, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"unknown solver {name!r}{hint}; known: {', '.join(SOLVERS)}")
  return SOLVERS[name]
