"""GardenModel: what is easy to get wrong in a custom `train_step`.

A method subclasses it and writes its own `train_step`; this class keeps the
update (replica scaling, loss scaling, clipping), the trackers and the state
that must survive a kill.

    class Net(GardenModel):
      def train_step(self, batch):
        with tf.GradientTape() as tape:
          loss = tf.reduce_mean(tf.square(self(batch["x"]) - batch["y"]))
        self.minimize(tape, loss, self.trainable_variables, self.optimizer)
        return self.log_step(loss=loss)
"""

import tensorflow as tf

from garden.core import replicas as replicas_lib
from garden.core import saved_settings

_REDUCTIONS = ("mean", "sum")


class GardenModel(tf.keras.Model):
  """A `tf.keras.Model` with a stage, a step counter, and one way to update.

  Attributes:
    stage: int64 variable, index of the stage of training in progress.
    step: int64 variable, steps done in this stage.
    total_steps: int64 variable, steps done in all stages.
    stage_name: name of the stage in progress (Python; "" outside training).
    training_log: the lines of `metrics.jsonl` of a trained run, for figures.
  """

  def __init__(self, seed=0, **kwargs):
    super().__init__(**kwargs)
    self.seed = seed
    self.stage_name = ""
    self.training_log = ()
    # The first replica's count is every replica's.
    once = dict(trainable=False, dtype=tf.int64,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
    self.stage = tf.Variable(0, name="stage", **once)
    self.step = tf.Variable(0, name="step", **once)
    self.total_steps = tf.Variable(0, name="total_steps", **once)
    self._trackers = {}
    # What a step returns is reduced over all replicas already: Keras would add it up over workers.
    self.distribute_reduction_method = "first"

  # State of training.

  def begin_stage(self, name):
    """Hook, run eagerly before the first step of a stage; not on a resume."""
    del name

  def state_variable(self, value, name, dtype=tf.float32):
    """Makes a scalar of training state (k_t, a moving mean) that checkpoints keep.

    Assign it from values that were all-reduced first (`all_reduce_mean`):
    otherwise each replica keeps its own.

    Args:
      value: initial value, scalar.
      name: name of the variable.
      dtype: its dtype.

    Returns:
      A non-trainable variable with MEAN aggregation.
    """
    return tf.Variable(value, trainable=False, dtype=dtype, name=name,
                       aggregation=tf.VariableAggregation.MEAN)

  def step_seed(self):
    """Returns the `[2]` int32 seed of this step, for `tf.random.stateless_*`.

    A function of (seed, total_steps) alone, so a resumed run draws the numbers
    that the unbroken run would have drawn.
    """
    return tf.random.experimental.stateless_fold_in(
        tf.constant([self.seed, 0], tf.int32),
        tf.cast(self.total_steps, tf.int32))

  def replica_seed(self):
    """`step_seed` of this replica: that itself on one device, another on each of several.

    For draws of a replica's own rows. With the same seed on each, row i of all of them would see
    the same noise.
    """
    seed = self.step_seed()
    if replicas_lib.count() == 1:
      return seed
    return tf.random.experimental.stateless_fold_in(seed, replicas_lib.number())

  # One update.

  def compile(self, optimizer="rmsprop", **kwargs):
    """Keras's `compile`. Pass further optimizers through `self.add_optimizer`."""
    super().compile(optimizer=optimizer, **kwargs)

  def add_optimizer(self, optimizer):
    """Prepares an optimizer besides the one given to `compile`.

    Keras wraps only `compile`'s own optimizer for mixed precision; a second one
    would apply unscaled half-precision gradients.

    Args:
      optimizer: a `tf.keras.optimizers.Optimizer`.

    Returns:
      The optimizer, wrapped in a `LossScaleOptimizer` under `mixed_float16`.
    """
    policy = tf.keras.mixed_precision.global_policy()
    if policy.name == "mixed_float16" and not _scales_loss(optimizer):
      return tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer

  def minimize(self, tape, loss, variables, optimizer, reduction="mean",
               clip_norm=None):
    """Applies one gradient step of `loss`.

    With `reduction="mean"` the loss is a mean over the replica's examples and
    the gradients, which Keras sums over replicas, are divided by their number.
    With `"sum"` it is a sum over the examples and nothing is divided. Loss
    scaling and the division seed the backward pass (`output_gradients`), so the
    forward pass stays as the method wrote it. Clipping acts on the all-reduced
    gradient, hence is the same on any number of replicas.

    Args:
      tape: the `GradientTape` that recorded `loss`.
      loss: float scalar.
      variables: list of the variables to step.
      optimizer: the optimizer that steps them.
      reduction: "mean" or "sum" over examples.
      clip_norm: optional limit of the global norm of the gradient.

    Returns:
      The list of this replica's gradients, unscaled, before clipping.

    Raises:
      ValueError: unknown reduction.
    """
    if reduction not in _REDUCTIONS:
      raise ValueError(
          f"reduction is {reduction!r}; it must be one of {_REDUCTIONS}")
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    seed = tf.ones_like(loss)
    if reduction == "mean":
      seed /= tf.cast(replicas, loss.dtype)
    scales = _scales_loss(optimizer)
    if scales:
      seed = optimizer.get_scaled_loss(seed)
    gradients = tape.gradient(loss, variables, output_gradients=seed)
    if scales:
      gradients = optimizer.get_unscaled_gradients(gradients)
    pairs = [(g, v) for g, v in zip(gradients, variables) if g is not None]
    if clip_norm is None:
      optimizer.apply_gradients(pairs)
      return gradients
    total = [g for g, _ in pairs]
    context = tf.distribute.get_replica_context()
    if context is not None and replicas > 1:
      total = context.all_reduce(tf.distribute.ReduceOp.SUM, total)
    clipped, _ = tf.clip_by_global_norm(total, clip_norm)
    optimizer.apply_gradients(
        list(zip(clipped, [v for _, v in pairs])),
        skip_gradients_aggregation=True)
    return gradients

  def all_reduce_mean(self, values):
    """Averages a structure of tensors over the replicas, alike on each."""
    return replicas_lib.mean(values)

  def all_reduce_sum(self, values):
    """Adds up a structure of tensors over the replicas, alike on each."""
    return replicas_lib.total(values)

  # Keras's own files.

  @classmethod
  def from_config(cls, config):
    """Makes the model again from its `get_config`, with settings among the arguments."""
    return cls(**{name: saved_settings.unpack(value) for name, value in config.items()})

  def compile_from_config(self, config):
    """Leaves a loaded model as it is: it predicts. `compile` it to train on."""
    del config

  # What is logged.

  def add_trackers(self, *names):
    """Makes a `Mean` for each value that the steps will log.

    Called once, in the constructor: trackers made later, inside `train_step`,
    would be missing from the checkpoint and from `reset_metrics`.
    """
    for name in names:
      self._trackers[name] = tf.keras.metrics.Mean(name=name)

  @property
  def metrics(self):
    """The trackers, so that Keras resets them at each epoch."""
    return list(self._trackers.values())

  def log_step(self, **values):
    """Closes a training step: counts it and updates the trackers.

    Args:
      **values: scalars by tracker name.

    Returns:
      `{name: mean since the epoch's start}`; what `train_step` returns.
    """
    self.step.assign_add(1)
    self.total_steps.assign_add(1)
    return self.log_values(**values)

  def log_values(self, **values):
    """Updates trackers without counting a step; what `test_step` returns."""
    for name, value in values.items():
      self._trackers[name].update_state(value)
    return {name: self._trackers[name].result() for name in values}

  def epoch_warnings(self, logs):
    """Hook: what an epoch's means say that a user should know.

    Args:
      logs: name -> mean over the epoch.

    Returns:
      Dict of a sign's name -> a sentence. It is printed when the sign appears,
      not again while it stays.
    """
    del logs
    return {}

  def summary_images(self):
    """Hook: `{name: [n, h, w, c] float32 in [0, 1]}` for TensorBoard."""
    return {}

  def optimizers(self):
    """Every optimizer of the model, by the attribute that holds it."""
    kinds = (tf.keras.optimizers.Optimizer,
             tf.keras.mixed_precision.LossScaleOptimizer)
    return {name: value for name, value in vars(self).items()
            if isinstance(value, kinds)}


def _scales_loss(optimizer):
  return isinstance(optimizer, tf.keras.mixed_precision.LossScaleOptimizer)
