"""Physics engines behind one interface: where a state goes, and whether it stays.

    step(state, forces=None, seconds=1.0) -> state      the state `seconds` later
    stability(state) -> {"fall_probability": [N], ...}

`MuJoCoEngine` simulates and has no gradient; `SupportEngine` tells stability alone, by the
support test made soft, and has one. Training goes through the first by `reinforce`, through
the second by the tape.
"""

import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.vda import state as state_lib
from garden.worlds.towers import soft_support


class MuJoCoEngine:
  """MuJoCo's physics of a state: exact, and without a gradient.

  Example:
    engine = MuJoCoEngine()
    later = engine.step(state, seconds=2.0)
    falls = engine.stability(state)["fall"]
  """

  def step(self, state, forces=None, seconds=1.0):
    """The state some seconds later; called again on it, the motion goes on.

    Args:
      state: arrays, see `state`; with `velocity` it is in motion.
      forces: optional `[N, B, 3]`, newton at the blocks' centres, for the whole step.
      seconds: above 0.

    Returns:
      The state with other `position`, `rotation` and `velocity`.

    Raises:
      ValueError: a number isn't finite, or blocks at rest stick in each other.
    """
    checks.check_number("seconds", seconds, open_=True)
    physics, towers = _physics(), state_lib.towers_of(state)
    motion = physics.simulate(towers, (seconds,), forces, seconds, state.get("velocity"))
    there = towers.present[..., np.newaxis]
    moved = {"position": motion.position[:, 0], "rotation": motion.rotation[:, 0],
             "velocity": motion.velocity[:, 0]}
    old = {"position": towers.position, "rotation": towers.rotation, "velocity": np.float32(0.0)}
    return {**state, **{name: np.where(there, value, old[name])
                        for name, value in moved.items()}}

  def future(self, state, times, forces=None, force_seconds=0.5):
    """Poses at several times: `physics.Motion` of the state, at rest."""
    return _physics().simulate(state_lib.towers_of(state), times, forces, force_seconds)

  def stability(self, state):
    """`fall` `[N]` int64 by four seconds of simulation, and as `fall_probability`, 0 or 1."""
    fall = _physics().falls(state_lib.towers_of(state))
    return {"fall": fall, "fall_probability": fall.astype(np.float32)}


@tf.keras.utils.register_keras_serializable(package="garden")
class SupportEngine(tf.keras.layers.Layer):
  """Stability by the support test, soft: differentiable in positions, rotations and sizes.

  Called on a state it returns the dict of `stability`. It can't tell where blocks go: `step`
  raises a ValueError.

  Args:
    softness: of the minimum over sides, in block widths.
    scale: of the probability, in block widths: the error of the poses.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> state = {"present": tf.keras.Input([4], dtype="bool"), "position": tf.keras.Input([4, 3]),
    ...          "rotation": tf.keras.Input([4, 4]), "size": tf.keras.Input([4, 3])}
    >>> stability = SupportEngine(scale=0.03)(state)
    >>> tf.keras.Model(state, stability["fall_probability"]).output_shape
    (None,)
  """

  def __init__(self, softness=0.01, scale=0.03, **kwargs):
    super().__init__(**kwargs)
    self.support = soft_support.SoftSupport(softness, scale)

  def call(self, state):
    """`stability` of the state."""
    return self.stability(state)

  def stability(self, state):
    """`margin` `[N]` in block widths, above 0 where it stands, and `fall_probability` `[N]`."""
    return self.support({
        "present": state["present"], "position": state["position"], "size": state["size"],
        "yaw": state_lib.yaw_of(tf.convert_to_tensor(state["rotation"]))})

  def step(self, state, forces=None, seconds=1.0):
    """Refused: the support test tells whether blocks move, not where to."""
    raise ValueError("the support engine has no step; use MuJoCoEngine for where blocks go")

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "softness": self.support.softness,
            "scale": self.support.scale}


def _physics():
  # Imported here: it brings MuJoCo, which a model that is only served does without.
  from garden.worlds.towers import physics
  return physics
