"""The learning rate: it falls at the end, and is halved where the convergence measure stalls.

Berthelot et al. 2017 halve the rate when M stalls, and leave open when that is. Here M is averaged
over windows of steps, and a window whose mean isn't lower than the least one so far halves it, down
to a floor: rates that fall without one have been seen to end in a sudden collapse.
"""

import tensorflow as tf


class StallHalving(tf.Module):
  """Halves a factor where windows of a measure don't fall.

  Args:
    window: steps of a window; 0 never halves.
    floor: the least factor.

  Attributes:
    factor: float32 variable, 1 at first.

  Example:
    stalls = StallHalving(500, floor=0.05)
    stalls.update(measure)  # in each step, with the same number on each replica
  """

  def __init__(self, window, floor, name="stall_halving"):
    super().__init__(name=name)
    self.window, self.floor = int(window), float(floor)
    make = dict(trainable=False, dtype=tf.float32, aggregation=tf.VariableAggregation.MEAN)
    self.factor = tf.Variable(1.0, name="factor", **make)
    self._sum = tf.Variable(0.0, name="sum", **make)
    self._count = tf.Variable(0.0, name="count", **make)
    self._least = tf.Variable(float("inf"), name="least", **make)

  def update(self, measure):
    """Counts one step's measure, a scalar."""
    if not self.window:
      return
    count, total = self._count + 1.0, self._sum + measure
    mean, full = total / count, count >= self.window
    stalled = full & (mean >= self._least)
    self.factor.assign(tf.where(stalled, tf.maximum(0.5 * self.factor, self.floor), self.factor))
    self._least.assign(tf.where(full, tf.minimum(mean, self._least), self._least))
    self._sum.assign(tf.where(full, 0.0, total))
    self._count.assign(tf.where(full, 0.0, count))


class Rate(tf.keras.optimizers.schedules.LearningRateSchedule):
  """A rate that is constant, then falls in a line to a tenth, times a factor.

  Args:
    peak: the rate at first.
    steps: of training.
    tail: share of the steps at the end in which it falls, 0 to 1.
    factor: scalar variable, of `StallHalving`.

  Example:
    tf.keras.optimizers.Adam(Rate(4e-4, 2000, 0.4, stalls.factor))
  """

  def __init__(self, peak, steps, tail, factor):
    super().__init__()
    self.peak, self.steps, self.tail, self.factor = float(peak), int(steps), float(tail), factor

  def __call__(self, step):
    """The rate at a step."""
    left = 1.0 - tf.cast(step, tf.float32) / float(max(self.steps, 1))
    fallen = tf.clip_by_value(left / self.tail, 0.0, 1.0) if self.tail else 1.0
    return self.peak * (0.1 + 0.9 * fallen) * self.factor

  def get_config(self):
    """The numbers; the factor is the model's."""
    return {"peak": self.peak, "steps": self.steps, "tail": self.tail}
