"""Adam in one kernel a variable, and AdamW with the schedule of short runs.

Keras 2.15's Adam is a chain of a dozen elementwise operations; on a CPU each
makes a pass over the weight, which for an N x N self-expression matrix costs
as much as a matrix product. TensorFlow's fused kernel makes one pass.
"""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="garden")
class FusedAdam(tf.keras.optimizers.Adam):
  """`tf.keras.optimizers.Adam`, its dense update done by one fused kernel.

  The same equations with epsilon in the same place, checked in the tests:

      m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2
      w <- w - lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)

  Sparse gradients and `amsgrad` take Keras's own path.

  Example:
    model.compile(optimizer=FusedAdam(1e-3))
  """

  def update_step(self, gradient, variable):
    """Updates one variable; called by Keras in the variable's context."""
    if isinstance(gradient, tf.IndexedSlices) or self.amsgrad:
      super().update_step(gradient, variable)
      return
    dtype = variable.dtype
    step = tf.cast(self.iterations + 1, dtype)
    index = self._index_dict[self._var_key(variable)]
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle, m=self._momentums[index].handle,
        v=self._velocities[index].handle,
        beta1_power=tf.pow(tf.cast(self.beta_1, dtype), step),
        beta2_power=tf.pow(tf.cast(self.beta_2, dtype), step),
        lr=tf.cast(self.learning_rate, dtype),
        beta1=tf.cast(self.beta_1, dtype), beta2=tf.cast(self.beta_2, dtype),
        epsilon=tf.cast(self.epsilon, dtype), grad=gradient)


def adamw(learning_rate, steps, warm_up=100, weight_decay=2e-3):
  """AdamW with a linear warm-up and one cosine to 0; kernels alone decay.

  Args:
    learning_rate: the peak, above 0.
    steps: of the whole run.
    warm_up: steps of the rise from a hundredth of the peak; at most half of the run.
    weight_decay: decoupled.

  Returns:
    A `tf.keras.optimizers.AdamW`.

  Example:
    model.compile(optimizer=adamw(2e-3, steps=1000))
  """
  warm_up = min(warm_up, steps // 2)
  rate = tf.keras.optimizers.schedules.CosineDecay(
      learning_rate / 100, max(steps - warm_up, 1), warmup_target=learning_rate,
      warmup_steps=warm_up)
  optimizer = tf.keras.optimizers.AdamW(rate, weight_decay=weight_decay)
  optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
  return optimizer
