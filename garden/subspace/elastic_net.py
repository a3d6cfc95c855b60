"""Sparse self-expression from a Gram matrix: the oracle active set.

For each sample i, with G the Gram matrix of all samples (of a kernel if you
like) and c_i = 0,

    min_c  tau ||c||_1 + (1 - tau)/2 ||c||_2^2
           + gamma_i/2 (G_ii - 2 c^T g_i + c^T G c)

You, Li, Robinson, Vidal, "Oracle Based Active Set Algorithm for Scalable
Elastic Net Subspace Clustering", CVPR 2016. tau = 1 is the lasso of Sparse
Subspace Clustering. A row has few non-zeros among N, so it is solved on a
small working set, by scikit-learn's coordinate descent and then exactly by
feature-sign search, and samples outside that violate optimality join the set
until none does.
"""

import warnings

import numpy as np
from scipy.linalg import lapack
from sklearn import linear_model
from sklearn.exceptions import ConvergenceWarning

_ROUNDS = 60  # far more than any row has needed
_SLACK = 1e-7  # of tau / gamma: how far a sample outside may violate optimality


def sparse_rows(gram, tau, gamma, start=60):
  """Solves the problem above for every row.

  Args:
    gram: `[N, N]` symmetric positive semi-definite.
    tau: share of the l1 norm, in (0, 1].
    gamma: weight of the fit, > 0; a number or `[N]`, one for each row.
    start: size of the first working set, the samples most coherent with i.

  Returns:
    `[N, N]` float64, row i the coefficients of sample i, zero diagonal.

  Raises:
    ValueError: if `tau` or `gamma` is outside its range.
  """
  if not 0 < tau <= 1:
    raise ValueError(
        f"tau is {tau}; it must lie in (0, 1] (for tau = 0 use the ridge closed form)")
  size = gram.shape[0]
  gamma = np.broadcast_to(np.asarray(gamma, dtype=np.float64), (size,))
  if not np.all(gamma > 0):
    raise ValueError(f"gamma is {gamma.min()}; it must be positive")
  c = np.zeros((size, size))
  with warnings.catch_warnings():
    # Coordinate descent stops early on purpose: feature-sign search ends it.
    warnings.simplefilter("ignore", ConvergenceWarning)
    for i in range(size):
      columns, values = _solve_row(
          gram, i, tau / gamma[i], (1.0 - tau) / gamma[i], start)
      c[i, columns] = values
  return c


def coherence(gram):
  """`max_{j != i} |G_ij|` of each row, `[N]`."""
  size = np.abs(gram)
  np.fill_diagonal(size, 0.0)
  return size.max(axis=1)


def sparse_from_gram(gram, alpha):
  """The lasso of SSC from a Gram matrix, `lambda = alpha / min_i coherence_i`.

  Args:
    gram: `[N, N]` symmetric positive semi-definite.
    alpha: > 1; at 1 the first whole row of C becomes zero.

  Returns:
    `[N, N]` float64, zero diagonal.

  Raises:
    ValueError: if `alpha` <= 1, or no two samples have anything in common.
  """
  if not alpha > 1:
    raise ValueError(f"alpha is {alpha}; at alpha <= 1 whole rows of C are 0, so it must exceed 1")
  largest = coherence(gram)
  usable = largest[largest > 0]  # a black image would make lambda infinite
  if usable.size == 0:
    raise ValueError(
        "all samples are orthogonal to each other or zero; there is nothing to cluster")
  return sparse_rows(gram, 1.0, alpha / usable.min())


def _solve_row(gram, i, l1, l2, start):
  """Columns and values of the non-zero coefficients of sample i.

  Divided by gamma the problem is `1/2 c^T (G + l2 I) c - c^T g_i + l1 ||c||_1`.
  """
  size = gram.shape[0]
  target = gram[i].copy()
  target[i] = 0.0
  coherence = np.abs(target)
  if coherence.max() <= l1:  # also a black image: nothing may enter
    return np.empty(0, dtype=np.int64), np.empty(0)
  count = min(start, size - 1)
  work = np.argpartition(-coherence, count - 1)[:count]
  work = work[coherence[work] > 0]
  values = np.zeros(work.size)
  for _ in range(_ROUNDS):
    system = gram[np.ix_(work, work)]
    system[np.diag_indices(work.size)] += l2
    values = _coordinate_descent(system, target[work], gram[i, i], l1, values)
    values = _feature_sign(system, target[work], l1, values)
    active = values != 0
    work, values = work[active], values[active]
    # What each sample would gain; l2 acts on the active ones only.
    pull = np.abs(target - values @ gram[work])
    pull[work] = 0.0
    pull[i] = 0.0
    violators = np.flatnonzero(pull > l1 * (1.0 + _SLACK))
    if violators.size == 0:
      break
    if violators.size > start:  # the worst first, so that the set stays small
      worst = np.argpartition(-pull[violators], start - 1)[:start]
      violators = violators[worst]
    work = np.concatenate([work, violators])
    values = np.concatenate([values, np.zeros(violators.size)])
  return work, values


def _coordinate_descent(system, target, square, l1, values):
  """A cheap first answer to the lasso on a Gram matrix, started from `values`."""
  # With a Gram matrix and its right-hand side given, X and y supply only the
  # shapes, the factor n_samples = 1 of the penalty, and |y|^2 for `tol`.
  _, path, _ = linear_model.lasso_path(
      np.zeros((1, target.size), order="F"), np.array([np.sqrt(square)]), alphas=[l1],
      precompute=system, Xy=target, coef_init=values, check_input=False,
      tol=1e-4, max_iter=100)
  return path[:, 0]


def _feature_sign(system, target, l1, values):
  """The exact lasso on a small set: feature-sign search from a good start.

  Lee, Battle, Raina, Ng, "Efficient sparse coding algorithms", NIPS 2006. For
  fixed signs the optimum solves a linear system; walking to it, the first
  coefficient that reaches zero leaves the support; once there, the worst
  violator joins. Each step lowers the objective, so it ends. Coordinate
  descent alone would need thousands of sweeps on coherent images.
  """
  values = values.copy()
  sign = np.sign(values)
  for _ in range(20 * target.size):
    support = np.flatnonzero(sign)
    if support.size:
      goal = _solve(system[np.ix_(support, support)], target[support] - l1 * sign[support])
      now = values[support]
      blocked = goal * sign[support] <= 0
      if blocked.any():
        step = np.where(blocked, now / np.where(blocked, now - goal, 1.0), np.inf)
        first = step.argmin()
        values[support] = now + step[first] * (goal - now)
        values[support[first]] = sign[support[first]] = 0.0
        continue
      values[support] = goal
    pull = target - system @ values
    pull[support] = 0.0
    worst = np.abs(pull).argmax()
    if abs(pull[worst]) <= l1 * (1.0 + _SLACK):
      break
    sign[worst] = np.sign(pull[worst])
  return values


def _solve(system, right):
  """Solves a small positive semi-definite system."""
  for jitter in (0.0, 1e-12, 1e-9):  # copies of one image make it singular
    shifted = system + jitter * np.eye(right.size) if jitter else system
    _, solution, info = lapack.dposv(shifted, right)
    if info == 0:
      return solution
  return np.linalg.lstsq(system, right, rcond=None)[0]
