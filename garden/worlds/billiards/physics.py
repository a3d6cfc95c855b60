"""Balls that roll and collide in MuJoCo, elastic and without friction.

Spheres on two slides each, four planes as cushions, no gravity. MuJoCo's default contacts
swallow nearly all of the motion (1.7 % of the energy is left after 4 s); the direct form
`solref="-10000 0"`, a stiff spring without a damper, keeps it at a step of 2 ms. Stiffer springs
need a smaller step, or they explode.
"""

import dataclasses
import functools

import mujoco
import numpy as np

from garden.worlds import scenes
from garden.worlds.billiards import scene

TIMESTEP = 0.002  # s

_MJCF = """
<mujoco model="billiards">
  <option timestep="{step}" gravity="0 0 0" integrator="Euler" cone="elliptic"/>
  <default><geom condim="1" solref="-10000 0" solimp=".95 .99 .001"/></default>
  <worldbody>
    <geom type="plane" pos="-{half} 0 0" zaxis="1 0 0" size="5 5 1"/>
    <geom type="plane" pos="{half} 0 0" zaxis="-1 0 0" size="5 5 1"/>
    <geom type="plane" pos="0 -{half} 0" zaxis="0 1 0" size="5 5 1"/>
    <geom type="plane" pos="0 {half} 0" zaxis="0 -1 0" size="5 5 1"/>
{balls}
  </worldbody>
</mujoco>
"""
_BALL = """    <body name="ball{index}">
      <joint type="slide" axis="1 0 0"/><joint type="slide" axis="0 1 0"/>
      <geom type="sphere" size="{radius:.9g}" mass="1"/></body>"""


@dataclasses.dataclass(frozen=True)
class Motion:
  """Where balls are at T times.

  Attributes:
    times: `[T]` float, seconds.
    position: `[N, T, B, 2]` float32.
    velocity: `[N, T, B, 2]` float32.
  """

  times: np.ndarray
  position: np.ndarray
  velocity: np.ndarray

  def at(self, tables, time):
    """The tables with their balls where they are at step `time` of `times`."""
    return tables.replace(position=self.position[:, time], velocity=self.velocity[:, time])


def simulate(tables, times):
  """Lets the balls roll, and looks at them at some times.

  Args:
    tables: `Tables`.
    times: seconds, rising from 0 or later; brought to multiples of 2 ms.

  Returns:
    `Motion`; places without a ball keep their zeros.

  Raises:
    ValueError: a table can't be simulated (`scene.check`), or times don't rise.

  Example:
    >>> simulate(scene.sample(2, seed=0), [0.0, 0.1, 0.2]).position.shape
    (2, 3, 3, 2)
  """
  scene.check(tables)
  times = scenes.rising(times)
  ticks = np.round(times / TIMESTEP).astype(int)
  shape = (len(tables), len(times), tables.present.shape[1], 2)
  position, velocity = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
  for index in range(len(tables)):
    places = np.flatnonzero(tables.present[index])
    model, data = _model(tuple(tables.radius[index, places].tolist()))
    mujoco.mj_resetData(model, data)
    data.qpos[:] = tables.position[index, places].ravel()
    data.qvel[:] = tables.velocity[index, places].ravel()
    done = 0
    for t, tick in enumerate(ticks):
      mujoco.mj_step(model, data, nstep=int(tick - done))
      done = tick
      position[index, t, places] = data.qpos.reshape(-1, 2)
      velocity[index, t, places] = data.qvel.reshape(-1, 2)
  return Motion(times, position, velocity)


@functools.lru_cache(maxsize=64)
def _model(radii):
  """`(MjModel, MjData)` of balls of some radii, compiled once."""
  balls = "\n".join(_BALL.format(index=b, radius=radius) for b, radius in enumerate(radii))
  model = mujoco.MjModel.from_xml_string(
      _MJCF.format(step=TIMESTEP, half=scene.HALF_TABLE, balls=balls))
  return model, mujoco.MjData(model)
