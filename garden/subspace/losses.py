"""The loss of Deep Subspace Clustering Networks, term by term.

    L = w/2 ||X - X_hat||_F^2 + l1 ||C||_p + l2/2 ||Z - C Z||_F^2

Sums over all entries, not means: the published weights hold for sums and for
the declared pixel range. With p = 2 the published code penalises the squared
Frobenius norm, with p = 1 the sum of magnitudes.
"""

import tensorflow as tf


def reconstruction(images, reconstructions):
  """`sum (x - x_hat)^2` over all entries, without the factor 1/2.

  Args:
    images: `[batch, h, w, c]` float32, in the method's pixel range.
    reconstructions: likewise, or in half precision.

  Returns:
    Float32 scalar: half precision couldn't hold the sum.
  """
  # A kernel of its own: one pass, and one for its gradient.
  return 2.0 * tf.nn.l2_loss(
      tf.cast(reconstructions, tf.float32) - images)


def self_expression(codes, expressed):
  """`1/2 sum (z - C z)^2` over all entries.

  Args:
    codes: `[n, d]` float32, Z.
    expressed: `[n, d]` float32, C Z.

  Returns:
    Float scalar.
  """
  return tf.nn.l2_loss(expressed - codes)


def coefficient_norm(coefficients, p):
  """`sum |c|` for p = 1, `sum c^2` for p = 2.

  Args:
    coefficients: `[n, m]` float32, C or some rows of it.
    p: 1 or 2.

  Returns:
    Float scalar.

  Raises:
    ValueError: another p.
  """
  if p == 1:
    return tf.reduce_sum(tf.abs(coefficients))
  if p == 2:
    return 2.0 * tf.nn.l2_loss(coefficients)
  raise ValueError(f"p is {p!r}; the norm of C must be 1 or 2")
