"""The neural physics engine: an interaction network after the Neural Physics Engine.

Chang, Ullman, Torralba, Tenenbaum, ICLR 2017: what a ball does next is decoded from its own state
and the sum of what its neighbours do to it, each pair by the same net,

    e_ij = f(x_j - x_i, v_j - v_i, |x_j - x_i| - r_i - r_j)
    v_i' = v_i + g(v_i, room_i, sum_{j != i, near} w_ij e_ij)
    x_i' = x_i + h (v_i + v_i') / 2

so it takes any number of balls, in any order. room_i are the distances from the four cushions.
Pairs further apart than `reach` don't touch within a step and are left out, which keeps free
balls exactly free of each other. A frame is a few steps of h, since balls may meet and part
within one frame; the same net makes all steps and is trained through them.

Deviation: the published net looks at two past states, for it has no velocities; here the state
holds them. Differentiable everywhere, where MuJoCo's contacts aren't.
"""

import tensorflow as tf

from garden.worlds.billiards import scene

_FAR = 0.3  # m; cushions further away are as good as not there


@tf.keras.utils.register_keras_serializable(package="garden")
class InteractionNetwork(tf.keras.layers.Layer):
  """Balls one frame later: `{"present", "position", "velocity", "radius"}` -> the same.

  `present` is `[N, B]` bool, `position` and `velocity` `[N, B, 2]` in metres and metres a second,
  `radius` `[N, B]`. Places without a ball stay as they are. Before it's trained all balls roll
  on straight: the last layers begin at 0.

  Args:
    seconds: of a frame.
    substeps: steps of a frame.
    units: of the nets' hidden layers.
    reach: m between two balls' rims; pairs further apart don't interact.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> tables = {"present": tf.keras.Input([4], dtype="bool"), "position": tf.keras.Input([4, 2]),
    ...           "velocity": tf.keras.Input([4, 2]), "radius": tf.keras.Input([4])}
    >>> later = InteractionNetwork(seconds=0.1)(tables)
    >>> tf.keras.Model(tables, later["position"]).output_shape
    (None, 4, 2)
  """

  def __init__(self, seconds=0.1, substeps=4, units=64, reach=0.2, **kwargs):
    super().__init__(**kwargs)
    if not seconds > 0 or not reach > 0:
      raise ValueError(f"seconds is {seconds} and reach is {reach}; both must be above 0")
    if substeps < 1 or units < 1:
      raise ValueError(f"substeps is {substeps} and units is {units}; both must be at least 1")
    self.seconds, self.substeps = float(seconds), int(substeps)
    self.units, self.reach = int(units), float(reach)

    def net(name, outputs, last):
      return tf.keras.Sequential([
          tf.keras.layers.Dense(self.units, activation="relu"),
          tf.keras.layers.Dense(self.units, activation="relu"),
          tf.keras.layers.Dense(outputs, kernel_initializer=last)], name=name)

    self.effect = net("effect", self.units, "glorot_uniform")
    self.update = net("update", 2, "zeros")

  def call(self, tables):
    """The balls one frame later."""
    return self.step(tables)

  def step(self, state, forces=None, seconds=None):
    """The interface of the engines: the state a frame later, or so many frames.

    Args:
      state: mapping of `present`, `position`, `velocity`, `radius`.
      forces: refused: the net was trained without.
      seconds: a multiple of the frame's; None for one frame.

    Returns:
      The mapping with other `position` and `velocity`.
    """
    if forces is not None:
      raise ValueError("forces are given, but the neural engine was trained without; use MuJoCo")
    frames = 1 if seconds is None else round(seconds / self.seconds)
    if seconds is not None and (frames < 1 or abs(frames * self.seconds - seconds) > 1e-6):
      raise ValueError(f"seconds is {seconds}; it must be a multiple of {self.seconds:g} s, the "
                       "frame that the engine was made for")
    there = tf.cast(tf.convert_to_tensor(state["present"]), tf.bool)
    position, velocity, radius = (tf.cast(state[name], tf.float32)
                                  for name in ("position", "velocity", "radius"))
    h = self.seconds / self.substeps
    for _ in range(frames * self.substeps):
      change = tf.where(there[..., tf.newaxis],
                        self.change(there, position, velocity, radius), 0.0)
      moved = position + h * (velocity + 0.5 * change)
      position = tf.where(there[..., tf.newaxis], moved, position)
      velocity += change
    return {**state, "position": position, "velocity": velocity}

  def change(self, present, position, velocity, radius):
    """What a step adds to the velocities, `[N, B, 2]`."""
    between = position[:, tf.newaxis] - position[:, :, tf.newaxis]  # [N, i, j, 2]: from i to j
    faster = velocity[:, tf.newaxis] - velocity[:, :, tf.newaxis]
    # The square root has no gradient at 0, where a ball meets itself.
    apart = tf.sqrt(tf.reduce_sum(tf.square(between), axis=-1) + 1e-12)
    gap = apart - radius[:, tf.newaxis] - radius[:, :, tf.newaxis]
    pairs = tf.concat([between, faster, gap[..., tf.newaxis]], axis=-1)
    near = (present[:, tf.newaxis] & present[:, :, tf.newaxis] & (gap < self.reach)
            & ~tf.eye(tf.shape(present)[1], dtype=tf.bool)[tf.newaxis])
    effects = tf.reduce_sum(tf.where(near[..., tf.newaxis], self.effect(pairs), 0.0), axis=2)
    rim = scene.HALF_TABLE - radius[..., tf.newaxis]
    room = tf.minimum(tf.concat([rim - position, rim + position], axis=-1), _FAR)
    return self.update(tf.concat([velocity, room, effects], axis=-1))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "seconds": self.seconds, "substeps": self.substeps,
            "units": self.units, "reach": self.reach}


def rollout(engine, tables, frames):
  """States of several frames: position and velocity `[N, frames, B, 2]`, the first a frame later.

  Args:
    engine: the `InteractionNetwork`.
    tables: mapping, as the engine takes it.
    frames: number of frames, at least 1.

  Example:
    position, velocity = rollout(engine, tables, 20)
  """
  found = []
  for _ in range(frames):
    tables = engine.step(tables)
    found.append((tables["position"], tables["velocity"]))
  return tuple(tf.stack(values, axis=1) for values in zip(*found))
