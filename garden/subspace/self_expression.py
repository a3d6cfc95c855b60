"""The self-expressive layer: each code as a linear combination of the others.

    Z_c = C Z,   rows of Z are samples, C in R^{N x N}, no bias, no activation

(Ji et al. 2017, section 3.) The published L2 code leaves the diagonal of C
free and the L1 code removes it; the problem as it is usually written asks
diag(C) = 0 for every p. `zero_diagonal` chooses.
"""

import tensorflow as tf

from garden.subspace import losses


@tf.keras.utils.register_keras_serializable(package="garden")
class SelfExpression(tf.keras.layers.Layer):
  """`[n, d]` codes -> `[n, d]` codes, each expressed by all n.

  Args:
    n_samples: N. The layer belongs to N given samples, in their order.
    p: norm of C that `add_loss` penalises, 1 or 2.
    zero_diagonal: forbid a sample to express itself. None follows the published
      code: True for p = 1, False for p = 2.
    initial: the constant that C starts from (the published scripts never start
      from noise).
    weight: factor of the norm in the layer's own loss, for use in other
      models; 0 adds no loss.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> codes = tf.keras.Input(batch_shape=[400, 64])
    >>> expressed = SelfExpression(n_samples=400, p=2)(codes)
    >>> tf.keras.Model(codes, expressed).output_shape
    (400, 64)
  """

  def __init__(self, n_samples, p=2, zero_diagonal=None, initial=1e-4,
               weight=0.0, **kwargs):
    super().__init__(**kwargs)
    if p not in (1, 2):
      raise ValueError(f"p is {p!r}; the norm of C must be 1 or 2")
    self.n_samples = int(n_samples)
    self.p = p
    self.zero_diagonal = p == 1 if zero_diagonal is None else zero_diagonal
    self.initial = initial
    self.weight = weight
    self.coefficients = self.add_weight(
        name="coefficients", shape=(self.n_samples, self.n_samples),
        initializer=tf.keras.initializers.Constant(initial))

  def matrix(self):
    """C as it acts, `[n, n]`: without its diagonal where that is forbidden."""
    if self.zero_diagonal:
      matrix = tf.convert_to_tensor(self.coefficients)
      return tf.linalg.set_diag(
          matrix, tf.zeros([self.n_samples], matrix.dtype))
    return tf.convert_to_tensor(self.coefficients)

  def rows(self, indices):
    """Rows of `matrix`, `[m, n]`, for replicas that share the work.

    Args:
      indices: `[m]` int, consecutive.
    """
    count = tf.shape(indices, out_type=indices.dtype)[0]
    block = self.coefficients[indices[0]:indices[0] + count]
    if self.zero_diagonal:
      block *= 1.0 - tf.one_hot(indices, self.n_samples)
    return block

  def call(self, codes):
    """`[n, d]` -> `[n, d]`, C Z."""
    matrix = self.matrix()
    if self.weight:
      self.add_loss(self.weight * losses.coefficient_norm(matrix, self.p))
    return tf.matmul(matrix, codes)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_samples": self.n_samples, "p": self.p,
            "zero_diagonal": self.zero_diagonal, "initial": self.initial,
            "weight": self.weight}
