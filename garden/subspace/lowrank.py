"""Dense, low-rank and kernel self-expression: EDSC, LRR, LRSC, KSSC.

Signature and orientation as in `solvers`: rows are samples, `C x ~ x`. The
papers write samples as columns, and their C is the transpose of this one.

* `edsc`: Ji, Salzmann, Li, "Efficient dense subspace clustering", WACV 2014.
* `lrr`: Liu, Lin, Yan, Sun, Yu, Ma, "Robust recovery of subspace structures by
  low-rank representation", TPAMI 2013.
* `lrsc`: Vidal, Favaro, "Low rank subspace clustering", PRL 2014.
* `kssc`: Patel, Vidal, "Kernel sparse subspace clustering", ICIP 2014.

EDSC, LRR and LRSC need no constraint on the diagonal and have none: drop it
before thresholding (`published_affinity(..., zero_diagonal=True)`).
"""

import numpy as np
from scipy import linalg

from garden.subspace import elastic_net
from garden.subspace import linalg as dense


def edsc(x, lam=100.0, outlier=None, max_steps=200):
  """Efficient Dense Subspace Clustering.

  Without outliers the published closed form: `min 1/2 ||C||^2 + lam/2 ||X - C X||^2`,
  `C = G (G + I/lam)^-1`; this is `solvers.ridge(x, 1/lam, zero_diagonal=False)`.
  With `outlier`, the published model for faces, by the augmented Lagrangian of
  the authors' code (clean samples D, sparse errors E):

      min 1/2 ||C||^2 + lam/2 ||X - D - E||^2 + outlier ||E||_1,   D = C D

  Args:
    x: `[N, d]` samples.
    lam: weight of the fit, > 0; 100 is the default of the authors' code.
    outlier: None, or the weight of ||E||_1, > 0. The authors' code for Extended
      Yale B has lam 0.06 and outlier 0.01 on pixels divided by their maximum;
      rows there have norm 15.7, so on unit rows that is 15 and 0.16.
    max_steps: limit on the iterations of the augmented Lagrangian.

  Returns:
    `[N, N]` float64, symmetric without outliers; the diagonal is not zero.

  Raises:
    ValueError: if a weight is not positive or `x` is not a finite matrix.

  Example:
    >>> edsc(np.eye(2), lam=1.0).diagonal()
    array([0.5, 0.5])
  """
  x = dense.check_samples(x)
  dense.check_positive("lam", lam)
  if outlier is not None:
    dense.check_positive("outlier", outlier)
    return _edsc_outliers(x, lam, outlier, max_steps)
  c = -dense.inverse_regularised(dense.gram(x), 1.0 / lam) / lam
  c[np.diag_indices_from(c)] += 1.0
  return c


def _edsc_outliers(x, lam, outlier, max_steps):
  """The augmented Lagrangian of the authors' code, growing rho by 3 a step."""
  size = x.shape[0]
  identity = np.eye(size)
  c = np.zeros((size, size))
  errors = np.zeros_like(x)
  multiplier = np.zeros_like(x)
  rho = 1e-6
  for _ in range(max_steps):
    apart = identity - c
    system = lam * identity + rho * dense.gram(apart.T)
    right = lam * (x - errors) - dense.matmul(apart.T, multiplier)
    clean = linalg.solve(system, right, assume_a="pos", check_finite=False)
    # C = (Y D^T + rho D D^T)(I + rho D D^T)^-1, from the right.
    inner = rho * dense.gram(clean)
    cross = dense.matmul(multiplier, clean.T) + inner
    inner[np.diag_indices(size)] += 1.0
    c = linalg.solve(inner, cross.T, assume_a="pos", check_finite=False).T
    gap = x - clean
    errors = np.sign(gap) * np.maximum(np.abs(gap) - outlier / lam, 0.0)
    broken = clean - dense.matmul(c, clean)
    if np.abs(broken).max() < 1e-8:
      break
    multiplier += rho * broken
    rho = min(3.0 * rho, 1e10)
  return c


def lrr(x, lam=2.4, growth=1.1, max_steps=500, tol=1e-5):
  """Low-Rank Representation with sample-wise errors.

  `min ||C||_* + lam ||E||_{2,1}` with `X = C X + E`, where the 2,1 norm sums
  the norms of the samples' errors: inexact augmented Lagrangian with the
  usual start 1e-6 and growth 1.1, after the published reduction to the row
  space of X. Rotating that space makes the linear system of each step
  diagonal, so a step costs one eigen-decomposition of `[r, r]`, r = rank(X).

  Args:
    x: `[N, d]` samples.
    lam: weight of the errors, > 0, in units of 1 / row norm; 2.4 is our choice
      for unit rows. Too small a weight explains whole samples as errors.
    growth: factor of the penalty from step to step, > 1. 1.1 takes about 190
      steps; 1.3 takes 75 and ends 0.2 % above that objective on face images.
    max_steps: limit on the iterations.
    tol: stop when no constraint is broken by more than this.

  Returns:
    `[N, N]` float64; the diagonal is not zero.

  Raises:
    ValueError: if `lam` <= 0, `growth` <= 1 or `x` is not a finite matrix.

  Example:
    >>> lrr(np.array([[1.0, 0.0], [1.0, 0.0]]), lam=10.0).round(3)
    array([[0.5, 0.5],
           [0.5, 0.5]])
  """
  x = dense.check_samples(x)
  dense.check_positive("lam", lam)
  if not growth > 1:
    raise ValueError(f"growth is {growth}; the penalty must grow, so it must exceed 1")
  # X = U S V^T; errors lie in the span of V and keep their norms as rows of
  # X V = U S. C = W U^T with W [N, r], so the constraint is U S = W S + E.
  left, scale = _row_space(x)
  target = left * scale
  weight = np.zeros_like(left)
  errors = np.zeros_like(left)
  price_fit = np.zeros_like(left)
  price_low = np.zeros_like(left)
  step = 1e-6
  for _ in range(max_steps):
    low = _shrink_singular(weight + price_low / step, 1.0 / step)
    pull = (target - errors) * scale + low + (price_fit * scale - price_low) / step
    weight = pull / (1.0 + scale**2)
    free = target - weight * scale + price_fit / step
    norms = np.sqrt(np.einsum("ij,ij->i", free, free))[:, None]
    floor = lam / step
    errors = free * np.divide(
        np.maximum(norms - floor, 0.0), norms, out=np.zeros_like(norms), where=norms > 0)
    broken_fit = target - weight * scale - errors
    broken_low = weight - low
    if max(np.abs(broken_fit).max(), np.abs(broken_low).max()) < tol:
      break
    price_fit += step * broken_fit
    price_low += step * broken_low
    step = min(growth * step, 1e10)
  return dense.matmul(low, left.T)


def _row_space(x):
  """Left singular vectors `[N, r]` and singular values `[r]` at numerical rank."""
  left, scale, _ = linalg.svd(x, full_matrices=False, check_finite=False)
  kept = scale > max(x.shape) * np.finfo(np.float64).eps * scale[0]
  if not kept.any():
    raise ValueError("every sample is zero; there is nothing to represent")
  return left[:, kept], scale[kept]


def _shrink_singular(a, floor):
  """Soft-thresholds the singular values of `a [N, r]`, N >= r, at `floor`.

  Through the eigenvalues of a^T a above floor^2: nothing below is needed, and
  early steps keep none.
  """
  if np.vdot(a, a) <= floor**2:
    return np.zeros_like(a)
  small = dense.gram(a.T)
  values, vectors = linalg.eigh(
      small, subset_by_value=(floor**2, np.inf), driver="evr", check_finite=False)
  if values.size == 0:
    return np.zeros_like(a)
  shrunk = vectors * (1.0 - floor / np.sqrt(values))
  return dense.matmul(a, dense.matmul(shrunk, vectors.T))


def lrsc(x, tau=30.0, alpha=None):
  """Low Rank Subspace Clustering with noise, in closed form.

  `min ||C||_* + tau/2 ||A - C A||^2 + alpha/2 ||X - A||^2` over C and the clean
  samples A. With X = U S V^T, A = U L V^T and C = U p(L) U^T, where each
  singular value l of A minimises

      alpha/2 (s - l)^2 + (1 - 1/(2 tau l^2)  if l > 1/sqrt(tau),
                           tau l^2 / 2        otherwise)

  (polynomial thresholding: l = alpha s/(alpha + tau), or the largest root of
  l^4 - s l^3 + 1/(alpha tau)), and p(l) = 1 - 1/(tau l^2) above 1/sqrt(tau),
  0 below.

  Args:
    x: `[N, d]` samples.
    tau: weight of the self-expression, > 0; 30 is our choice for unit rows. A
      common default, 100 / ||X||_2^2, keeps few directions of images, whose
      mean dominates ||X||_2: a quarter of the accuracy on faces.
    alpha: weight of the noise, > 0; None takes tau / 2, the common ratio.

  Returns:
    `[N, N]` float64, symmetric; the diagonal is not zero.

  Raises:
    ValueError: if a weight is not positive or `x` is not a finite matrix.

  Example:
    >>> lrsc(np.eye(2), tau=4.0, alpha=1e9).round(3)
    array([[0.75, 0.  ],
           [0.  , 0.75]])
  """
  x = dense.check_samples(x)
  left, scale = _row_space(x)
  dense.check_positive("tau", tau)
  alpha = 0.5 * tau if alpha is None else alpha
  dense.check_positive("alpha", alpha)
  clean = _polynomial_threshold(scale, tau, alpha)
  kept = clean > 1.0 / np.sqrt(tau)
  code = 1.0 - 1.0 / (tau * clean[kept] ** 2)
  return dense.matmul(left[:, kept] * code, left[:, kept].T)


def _polynomial_threshold(scale, tau, alpha):
  """Singular values of the clean samples; see `lrsc`."""
  corner = 1.0 / np.sqrt(tau)
  low = np.minimum(alpha * scale / (alpha + tau), corner)
  cost_low = 0.5 * alpha * (scale - low) ** 2 + 0.5 * tau * low**2
  # f(l) = l^4 - s l^3 + 1/(alpha tau) is positive at s and convex above s/2, so
  # Newton's method from s falls to the largest root, if there is one: if f is
  # not positive at its minimum 3s/4.
  bottom = 0.75 * scale
  exists = bottom**4 - scale * bottom**3 + 1.0 / (alpha * tau) <= 0
  high = scale.copy()
  for _ in range(100):
    value = high**4 - scale * high**3 + 1.0 / (alpha * tau)
    slope = 4.0 * high**3 - 3.0 * scale * high**2
    change = np.where(exists & (slope > 0), value / np.where(slope > 0, slope, 1.0), 0.0)
    high = np.maximum(high - change, bottom)
    if np.all(np.abs(change) <= 1e-14 * scale):
      break
  exists &= high > corner
  cost_high = 0.5 * alpha * (scale - high) ** 2 + 1.0 - 0.5 / (
      tau * np.where(exists, high, corner) ** 2)
  return np.where(exists & (cost_high < cost_low), high, low)


def kssc(x, alpha=20.0, degree=2, offset=1.0):
  """Kernel Sparse Subspace Clustering with a polynomial kernel.

  SSC in the feature space of `k(a, b) = (a . b + offset)^degree`:
  `min ||C||_1 + lambda/2 tr((I - C) K (I - C)^T)`, diag(C) = 0. Solved exactly
  from K by the active set that `ssc` uses, in place of the paper's ADMM.

  Args:
    x: `[N, d]` samples.
    alpha: > 1, as for `ssc`, with the coherence of K.
    degree: of the polynomial, >= 1; 2 is our choice.
    offset: added to the inner product, >= 0; 1 is our choice.

  Returns:
    `[N, N]` float64, zero diagonal.

  Raises:
    ValueError: if `degree` < 1, `offset` < 0 or `alpha` <= 1.

  Example:
    >>> kssc(np.eye(2)[[0, 0, 1]], alpha=8.0, offset=0.0)[0].round(3)
    array([0.   , 0.875, 0.   ])
  """
  x = dense.check_samples(x)
  if degree < 1 or degree != int(degree):
    raise ValueError(f"degree is {degree}; it must be a whole number of at least 1")
  if offset < 0:
    raise ValueError(f"offset is {offset}; it must be >= 0 for a positive kernel")
  return elastic_net.sparse_from_gram((dense.gram(x) + offset) ** int(degree), alpha)
