"""Run: the settings of a run, the one gin root of every binary.

import garden.subspace.experiment
Run.experiment = @subspace.Clustering()
Run.seed = %SEED
"""

import dataclasses
import os
from collections.abc import Sequence

import gin
import tensorflow as tf

from garden.core import config
from garden.core import experiment as experiment_lib
from garden.core import records
from garden.core import strategies

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@gin.configurable(module="garden")
@dataclasses.dataclass(frozen=True)
class Run:
  """The settings of a run that are the same for every method.

  Attributes:
    experiment: the method and its data.
    seed: seed of everything random.
    deterministic: bit-equal runs on the same machine (slower on a GPU).
    strategy: one of `strategies.NAMES`.
    precision: "float32", "mixed_float16" or "mixed_bfloat16".
    jit_compile: compile the step with XLA.
    steps_per_epoch: steps between two lines of progress, log and validation.
    steps_per_execution: steps inside one graph call.
    save_every: steps between two checkpoints; also saved at each stage's end.
    ema_decay: decay of a moving average of the weights, used by evaluation and
      export; None for none.
    best_metric: training or validation value whose best checkpoint is kept in
      `best/`; None for none.
    best_mode: "min" or "max".
    early_stop_patience: epochs without a better `best_metric` before training
      ends; None to use the whole budget.
    warm_start: a model_dir or a checkpoint whose weights training begins with.
    warm_start_modules: attributes of the model to take from it; all when empty.
    tensorboard: write TensorBoard events.
    profile_steps: first and last step of a TensorBoard profile; None for none.
  """
  experiment: experiment_lib.Experiment = gin.REQUIRED
  seed: int = 0
  deterministic: bool = False
  strategy: str = "default"
  precision: str = "float32"
  jit_compile: bool = False
  steps_per_epoch: int = 100
  steps_per_execution: int = 1
  save_every: int = 1000
  ema_decay: float | None = None
  best_metric: str | None = None
  best_mode: str = "min"
  early_stop_patience: int | None = None
  warm_start: str | None = None
  warm_start_modules: Sequence[str] = ()
  tensorboard: bool = True
  profile_steps: Sequence[int] | None = None

  def __post_init__(self):
    if not isinstance(self.experiment, experiment_lib.Experiment):
      raise ValueError(
          f"Run.experiment is {self.experiment!r}; bind it to an experiment, "
          "like `Run.experiment = @subspace.Clustering()`")
    _one_of("strategy", self.strategy, strategies.NAMES)
    _one_of("precision", self.precision, PRECISIONS)
    _one_of("best_mode", self.best_mode, ("min", "max"))
    for name in ("steps_per_epoch", "steps_per_execution", "save_every"):
      value = getattr(self, name)
      if not isinstance(value, int) or value < 1:
        raise ValueError(f"Run.{name} is {value!r}; it must be a whole number "
                         "of at least 1")
    if self.ema_decay is not None and not 0 < self.ema_decay < 1:
      raise ValueError(f"Run.ema_decay is {self.ema_decay}; it must be between "
                       "0 and 1, like 0.999")
    if self.early_stop_patience is not None and self.best_metric is None:
      raise ValueError("Run.early_stop_patience needs Run.best_metric, the "
                       "value that has to get better")
    if self.profile_steps is not None and len(self.profile_steps) != 2:
      raise ValueError(f"Run.profile_steps is {self.profile_steps!r}; it must "
                       "be two steps, like (10, 20)")

  def set_up(self):
    """Applies seed, determinism and precision to this process.

    Returns:
      The strategy to build the model under.
    """
    tf.keras.utils.set_random_seed(self.seed)
    if self.deterministic:
      tf.config.experimental.enable_op_determinism()
    tf.keras.mixed_precision.set_global_policy(self.precision)
    return strategies.get(self.strategy)

  def build(self, strategy):
    """Builds the model under a strategy and applies the compile settings."""
    with strategy.scope():
      model = self.experiment.build_model()
      model.steps_per_execution = self.steps_per_execution
      model.jit_compile = self.jit_compile
    return model


def _one_of(name, value, choices):
  if value not in choices:
    raise ValueError(f"Run.{name} is {value!r}; it must be one of "
                     f"{', '.join(choices)}"
                     + config.suggestion(str(value), choices))


def from_model_dir(model_dir, bindings=()):
  """Makes the `Run` that a folder was trained with.

  Args:
    model_dir: folder of a training run.
    bindings: gin bindings that win over the recorded config.

  Returns:
    The `Run`.
  """
  path = records.require_config(model_dir)
  config.load([os.path.abspath(path)], bindings)
  return Run()
