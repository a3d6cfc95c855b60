"""The settings of the billiards, as gin and Python name them: small frozen dataclasses."""

import dataclasses
import math
from collections.abc import Sequence

import gin
import tensorflow as tf

from garden.core import checks
from garden.core import optimizers

STAGES = ("init", "joint", "full")


@tf.keras.utils.register_keras_serializable(package="garden")
class StagedCosine(tf.keras.optimizers.schedules.LearningRateSchedule):
  """A short warm-up and one cosine to 0 for each stage, one after the other.

  Args:
    steps: of each stage; stages of 0 steps are passed over.
    peaks: learning rate of each stage.
    warm_up: steps of a stage's rise from 0; at most half of the stage.

  Raises:
    ValueError: another number of peaks than of stages, or no stage with a step.

  Example:
    rate = StagedCosine((2000, 300), (5e-3, 5e-4))
    optimizer = tf.keras.optimizers.Adam(rate)
  """

  def __init__(self, steps, peaks, warm_up=100):
    super().__init__()
    if len(steps) != len(peaks) or not any(steps):
      raise ValueError(f"steps are {tuple(steps)} and peaks {tuple(peaks)}; give each stage both, "
                       "and at least one stage a step")
    self.steps, self.peaks, self.warm_up = tuple(steps), tuple(peaks), int(warm_up)

  def __call__(self, step):
    """The learning rate of a step."""
    step, rate, first = tf.cast(step, tf.float32), tf.constant(0.0), 0
    for steps, peak in zip(self.steps, self.peaks):
      if not steps:
        continue
      rise = min(self.warm_up, steps // 2)
      done = step - first
      fall = 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(
          (done - rise) / max(steps - rise, 1), 0.0, 1.0)))
      here = peak * tf.minimum((done + 1.0) / (rise + 1), 1.0) * fall
      rate = tf.where((step >= first) & (step < first + steps), here, rate)
      first += steps
    return rate

  def get_config(self):
    """The arguments of the constructor."""
    return {"steps": self.steps, "peaks": self.peaks, "warm_up": self.warm_up}


@gin.register(module="vda")
@dataclasses.dataclass(frozen=True)
class BilliardsNetwork:
  """What sees, what moves, what draws.

  Attributes:
    seen: S, frames that perception sees.
    filters: of the heat maps, see `balls.BallHeatMaps`.
    units: of the velocities' nets.
    engine_units: of the neural engine's nets.
    substeps: of the neural engine, in a frame.
    reach: of the neural engine, metres.
    softness: of the edges that the graphics engine draws in training, pixels.
  """

  seen: int = 4
  filters: Sequence[int] = (16, 16)
  units: int = 64
  engine_units: int = 64
  substeps: int = 4
  reach: float = 0.2
  softness: float = 2.0

  def __post_init__(self):
    checks.check_count("seen", self.seen, 2)
    for name in ("units", "engine_units", "substeps"):
      checks.check_count(name, getattr(self, name), 1)
    for name in ("reach", "softness"):
      checks.check_positive(name, getattr(self, name))


@gin.register(module="vda")
@dataclasses.dataclass(frozen=True)
class BilliardsBaselineNetwork:
  """The supervised neighbour: the same perception, dense layers in the engine's place.

  Attributes:
    seen: S, frames that perception sees.
    filters: of the heat maps, see `balls.BallHeatMaps`.
    units: of the velocities' nets.
    dense_units: of each dense layer.
    layers: number of dense layers.
  """

  seen: int = 4
  filters: Sequence[int] = (16, 16)
  units: int = 64
  dense_units: int = 512
  layers: int = 3

  def __post_init__(self):
    checks.check_count("seen", self.seen, 2)
    for name in ("units", "dense_units", "layers"):
      checks.check_count(name, getattr(self, name), 1)


@gin.register(module="vda")
@dataclasses.dataclass(frozen=True)
class BilliardsRecipe:
  """What is minimised, and how; the losses of the three stages are in `billiards.py`.

  Attributes:
    batch_size: clips of a batch.
    states_batch_size: windows of true states of a batch, in `init`.
    horizon: frames that the engine is rolled out over in `init`.
    future: frames behind the seen ones that `full` compares with the video.
    collision_weight: see `datasets.billiards.stream.states`.
    track_noise: standard deviation of the true tracks that velocities are learned from beside
      the perceived ones, metres: what heat maps are off by.
    position_weight: of errors of a centimetre against those of .1 m/s.
    learning_rate: the peak in `init`.
    adapt_rate: the peak in `joint` and `full`.
    warm_up: steps of each stage's rise.
    clip_norm: greatest norm of the gradient.
  """

  batch_size: int = 8
  states_batch_size: int = 256
  horizon: int = 2
  future: int = 6
  collision_weight: float = 4.0
  track_noise: float = 0.0015
  position_weight: float = 1.0
  learning_rate: float = 6e-3
  adapt_rate: float = 3e-4
  warm_up: int = 100
  clip_norm: float = 1.0

  def __post_init__(self):
    for name in ("batch_size", "states_batch_size", "horizon", "future"):
      checks.check_count(name, getattr(self, name), 1)
    checks.check_count("warm_up", self.warm_up, 0)
    for name in ("collision_weight", "track_noise", "position_weight"):
      checks.check_number(name, getattr(self, name))
    for name in ("learning_rate", "adapt_rate", "clip_norm"):
      checks.check_number(name, getattr(self, name), open_=True)

  def optimizer(self, steps):
    """Adam over three stages of so many steps; `full` starts at half of `joint`'s rate.

    Args:
      steps: of `init`, `joint` and `full`.

    Returns:
      A `FusedAdam`.
    """
    return optimizers.FusedAdam(StagedCosine(
        steps, (self.learning_rate, self.adapt_rate, self.adapt_rate / 2), self.warm_up))
