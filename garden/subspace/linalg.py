"""Dense symmetric linear algebra that the classical half of this room shares.

Everything goes through scipy's BLAS and LAPACK rather than numpy's: numpy
1.26 wheels bundle an OpenBLAS of 2023 which knows no newer processor than
Haswell, and on an AVX-512 machine scipy's copy multiplies two 2432 x 2432
matrices five times faster. The results agree to rounding.
"""

import numpy as np
from scipy import linalg
from scipy.linalg import blas
from scipy.linalg import lapack


def check_samples(x):
  """`x` as a finite `[N, d]` float64 array with N >= 2, or ValueError."""
  x = np.ascontiguousarray(x, dtype=np.float64)
  if x.ndim != 2 or x.shape[0] < 2 or x.shape[1] < 1:
    raise ValueError(
        f"x has shape {x.shape}; it must be [N, d] with N >= 2 (flatten images to rows)")
  if not np.isfinite(x).all():
    raise ValueError("x holds NaN or infinite values; remove or mend those samples")
  return x


def check_positive(name, value):
  """ValueError unless value > 0."""
  if not value > 0:
    raise ValueError(f"{name} is {value}; it must be positive")


def unit_rows(x):
  """Divides each row by its Euclidean norm; a zero row stays zero.

  Black images exist (Extended Yale B has one), so a plain division would put
  NaN into everything downstream.

  Args:
    x: `[N, d]` array, any real range.

  Returns:
    `[N, d]` float64.

  Example:
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
  """
  x = np.asarray(x, dtype=np.float64)
  norms = np.sqrt(np.einsum("ij,ij->i", x, x))[:, None]
  return np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)


def matmul(a, b):
  """`a @ b` for two float64 matrices, `[m, k]` and `[k, n]`, as a C array."""
  # The transposes of C arrays are Fortran arrays: BLAS then copies nothing.
  return blas.dgemm(1.0, np.asarray(b).T, np.asarray(a).T).T


def gram(x):
  """The Gram matrix `x x^T` of the rows, exactly symmetric.

  Args:
    x: `[N, d]` array.

  Returns:
    `[N, N]` float64.
  """
  x = np.ascontiguousarray(x, dtype=np.float64)
  return mirror_lower(blas.dsyrk(1.0, x.T, trans=1, lower=1))


def mirror_lower(a, block=256):
  """Copies the strictly lower triangle of a square array onto the upper one, in place."""
  for start in range(0, a.shape[0], block):  # in blocks: a whole transpose misses the cache
    stop = start + block
    a[:start, start:stop] = a[start:stop, :start].T
    corner = np.tril(a[start:stop, start:stop])
    a[start:stop, start:stop] = corner + np.tril(corner, -1).T
  return a


def inverse_spd(a):
  """Inverse of a symmetric positive definite matrix, by Cholesky.

  Args:
    a: `[N, N]` symmetric positive definite.

  Returns:
    `[N, N]` float64, exactly symmetric.

  Raises:
    ValueError: if `a` is not positive definite to working precision.
  """
  factor, info = lapack.dpotrf(np.asarray(a, dtype=np.float64).T, lower=1)
  if info == 0:
    inverse, info = lapack.dpotri(factor, lower=1, overwrite_c=1)
  if info != 0:
    raise ValueError(
        f"the {a.shape[0]} x {a.shape[0]} matrix is not positive definite "
        "(the regulariser is too small for this data); raise lam")
  return mirror_lower(inverse)


def inverse_regularised(gram, lam):
  """`(G + lam I)^-1` for a Gram matrix G and lam > 0."""
  system = gram.copy()
  system[np.diag_indices_from(system)] += lam
  return inverse_spd(system)


def top_eigh(a, count):
  """The `count` largest eigenvalues of a symmetric matrix and their vectors.

  LAPACK's exact solver on an index range: a Lanczos solver (ARPACK) returned
  wrong vectors on affinities with a nearly degenerate spectrum.

  Args:
    a: `[N, N]` symmetric; the lower triangle is read.
    count: how many, 1..N.

  Returns:
    `(values [count], vectors [N, count])`, values descending.
  """
  size = a.shape[0]
  values, vectors = linalg.eigh(
      a, subset_by_index=[size - count, size - 1], driver="evr",
      check_finite=False)
  return values[::-1], vectors[:, ::-1]


def extreme_eigh(a, count):
  """The `count` eigenpairs of largest absolute value of a symmetric matrix.

  These sit at both ends of the spectrum, which no scipy call takes at once.
  The matrix is reduced to tridiagonal form once, all eigenvalues of that are
  found (cheap), and only the vectors of the two ends are computed and rotated
  back. At N = 2432 and 457 pairs this takes about 0.7 of a full `eigh`.

  Args:
    a: `[N, N]` symmetric; the lower triangle is read.
    count: how many, 1..N.

  Returns:
    `(values [count], vectors [N, count])`, sorted by descending `|value|`.
  """
  size = a.shape[0]
  pairs = None
  if 4 * count < size and size > 64:  # measured: a full `evd` wins otherwise
    pairs = _two_ends(a, count)
  if pairs is None:
    pairs = linalg.eigh(a, driver="evd", check_finite=False)
  values, vectors = pairs
  order = np.argsort(-np.abs(values), kind="stable")[:count]
  return values[order], vectors[:, order]


def _two_ends(a, count):
  """`count` extreme eigenpairs through one tridiagonalisation, or None."""
  size = a.shape[0]
  work = int(lapack.dsytrd_lwork(size, lower=1)[0])
  packed, diagonal, off, tau, info = lapack.dsytrd(a, lower=1, lwork=work)
  if info != 0:
    return None
  try:
    values = linalg.eigvalsh_tridiagonal(diagonal, off, check_finite=False)
    chosen = values[np.argsort(-np.abs(values), kind="stable")[:count]]
    low = int(np.count_nonzero(chosen < 0))
    parts = [
        linalg.eigh_tridiagonal(
            diagonal, off, select="i", select_range=ends, check_finite=False,
            lapack_driver="stemr")
        for ends in ((0, low - 1), (size - count + low, size - 1))
        if ends[0] <= ends[1]]
  except linalg.LinAlgError:  # the fast tridiagonal solver may give up
    return None
  values = np.concatenate([part[0] for part in parts])
  vectors = np.asfortranarray(np.hstack([part[1] for part in parts]))
  if values.size != count:
    return None
  # With lower storage the rotation is 1 (+) Q', and the reflectors of Q' lie
  # below the first sub-diagonal as those of a QR factorisation would.
  below = np.asfortranarray(vectors[1:])
  rotated, _, info = lapack.dormqr(
      "L", "N", np.asfortranarray(packed[1:, :-1]), tau, below, 64 * count,
      overwrite_c=1)
  if info != 0:
    return None
  vectors[1:] = rotated
  return values, vectors
