"""Towers under gravity in MuJoCo: where the blocks are later, and whether the tower fell.

The contact settings are those at which simulation and support test agree (`support`):
elliptic cones, impratio 10, solref .0101, a step of 5 ms, blocks of a metre without an
initial gap, and sleep, which halves the cost of towers that stand. Smaller blocks, an initial
gap or MuJoCo's default contacts break labels silently: soft contacts are a time constant, and
small blocks sink and creep.

A tower falls (`fall = 1`) if a block is further than a quarter of its width from where it
began when the time is over; half of all falls have begun after .6 s, 95 % after 1.4 s.
"""

import dataclasses
import functools

import mujoco
import numpy as np

from garden.worlds import scenes
from garden.worlds.towers import scene

TIMES = (0.0, 1.0, 2.0, 4.0)  # s, PhysNet's
TIMESTEP = 0.005  # s
_FALL = 0.25  # of a block's width
_SINK = 0.01  # m; deeper at the start is a mistake in the scene
_DENSITY = 1000.0
_CHUNK = 50  # steps between two looks at whether all blocks sleep
# Where only the fall is asked for: of 6,000 towers none that stood had moved a block by more than
# .013 of a width, and none that fell by less than one.
_FALLING = 0.1  # of a block's width
_LOOK = 10  # steps between two looks at whether it is known

_MJCF = """
<mujoco model="tower">
  <option timestep="{step}" cone="elliptic" impratio="10" integrator="implicitfast"
          iterations="50"><flag sleep="enable"/></option>
  <default><geom condim="3" friction="1" solref=".0101 1" solimp=".95 .99 .001"
                 density="{density:g}"/></default>
  <worldbody>
    <geom name="floor" type="plane" size="50 50 1"/>
{blocks}
  </worldbody>
</mujoco>
"""
_BLOCK = """    <body name="block{index}" pos="{position}" quat="{rotation}"><freejoint/>
      <geom name="block{index}" type="box" size="{size}" rgba="{color} 1"/></body>"""


@dataclasses.dataclass(frozen=True)
class Motion:
  """Where blocks go.

  Attributes:
    times: `[T]` float, seconds.
    position: `[N, T, B, 3]` float32.
    rotation: `[N, T, B, 4]` float32, (w, x, y, z).
    velocity: `[N, T, B, 6]` float32: metres a second in the world's frame, then radians a second
      in the block's own.
    fall: `[N]` int64, 1 where the tower fell within the last time.
  """

  times: np.ndarray
  position: np.ndarray
  rotation: np.ndarray
  velocity: np.ndarray
  fall: np.ndarray

  def at(self, towers, time):
    """The towers with their blocks where they are at step `time` of `times`."""
    return towers.replace(position=self.position[:, time], rotation=self.rotation[:, time])


def mjcf(towers, index=0):
  """The MJCF text of one tower, as MuJoCo's viewer opens it.

  Args:
    towers: `Towers`.
    index: which of them.

  Returns:
    The text; bodies `block0`, `block1`, ... by place.
  """
  def text(values):
    return " ".join(f"{value:.9g}" for value in values)

  blocks = [_BLOCK.format(index=b, position=text(towers.position[index, b]),
                          rotation=text(towers.rotation[index, b]),
                          size=text(towers.size[index, b]), color=text(towers.color[index, b]))
            for b in np.flatnonzero(towers.present[index])]
  return _MJCF.format(step=TIMESTEP, density=_DENSITY, blocks="\n".join(blocks))


def simulate(towers, times=TIMES, forces=None, force_seconds=0.5, velocity=None):
  """Lets towers go, and looks at them at some times.

  Args:
    towers: `Towers`.
    times: seconds, rising, multiples of 5 ms.
    forces: optional `[N, B, 3]`, newton at the blocks' centres, from the start on. A block
      of 1 m weighs 9,810 N.
    force_seconds: how long they act.
    velocity: optional `[N, B, 6]`, of the start, as `Motion` has it; blocks are at rest without.
      With it a motion goes on where it was cut, and as blocks sink a little into each other when
      they hit, that isn't refused.

  Returns:
    `Motion`; places without a block keep their pose.

  Raises:
    ValueError: a tower can't be simulated (`scene.check`), two blocks or a block and the
      floor interpenetrate at the start (it says which), or times don't rise.

  Example:
    >>> simulate(scene.sample(2, seed=0)).position.shape
    (2, 4, 3, 3)
  """
  scene.check(towers)
  times = scenes.rising(times)
  ticks = np.round(times / TIMESTEP).astype(int)
  push = 0 if forces is None else round(force_seconds / TIMESTEP)
  shape = (len(towers), len(times), towers.present.shape[1])
  position, rotation, speed = (np.empty((*shape, k), np.float32) for k in (3, 4, 6))
  for index in range(len(towers)):
    force = None if forces is None else np.asarray(forces[index], np.float64)
    first = None if velocity is None else np.asarray(velocity[index], np.float64)
    poses, speed[index] = _run(towers, index, ticks, force, push, first)
    position[index], rotation[index] = poses[..., :3], poses[..., 3:]
  return Motion(times, position, rotation, speed, _fell(towers, position[:, -1]))


def falls(towers, seconds=TIMES[-1]):
  """Whether towers fall, as `simulate` tells it, and no more: stops as soon as that is known.

  A block that has moved by a tenth of its width doesn't come back, and where all sleep nothing
  moves any more: most towers are done within half a second.

  Args:
    towers: `Towers`.
    seconds: how long to look, a multiple of 5 ms.

  Returns:
    `[N]` int64, 1 where the tower falls.

  Raises:
    ValueError: a tower can't be simulated, or blocks interpenetrate at the start.

  Example:
    >>> falls(scene.sample(4, seed=0)).tolist()
    [1, 1, 0, 0]
  """
  scene.check(towers)
  found = np.zeros(len(towers), np.int64)
  for index in range(len(towers)):
    places = np.flatnonzero(towers.present[index])
    model, data = _placed(towers, index, places)
    mujoco.mj_forward(model, data)
    _check_contacts(model, data, index, places)
    start, limit = towers.position[index, places], _FALLING * 2 * towers.size[index, places].min(-1)
    now = data.qpos.reshape(-1, 7)[:, :3]  # a view: MuJoCo writes into it
    ticks = round(seconds / TIMESTEP)
    for done in range(0, ticks, _LOOK):
      mujoco.mj_step(model, data, nstep=min(_LOOK, ticks - done))
      if (np.square(now - start).sum(axis=1) > np.square(limit)).any():
        found[index] = 1
        break
      if data.ntree_awake == 0:
        break
  return found


def _placed(towers, index, places):
  """`(MjModel, MjData)` of one tower, its blocks where they are."""
  start = np.concatenate([towers.position[index], towers.rotation[index]], axis=1, dtype=np.float64)
  model, data = _model(tuple(map(tuple, towers.size[index, places].tolist())))
  mujoco.mj_resetData(model, data)
  data.qpos[:] = start[places].ravel()
  return model, data


def _fell(towers, position):
  """`[N]` int64 by the greatest displacement at the end."""
  moved = np.linalg.norm(position - towers.position, axis=-1) / (2 * towers.size.min(axis=-1))
  return (np.where(towers.present, moved, 0.0).max(axis=1) > _FALL).astype(np.int64)


@functools.lru_cache(maxsize=64)
def _model(sizes):
  """`(MjModel, MjData)` of blocks of some half-extents, compiled once; poses come as qpos."""
  spec = _spec(len(sizes))
  for geom, size in zip(spec.geoms[1:], sizes, strict=True):  # the first is the floor
    geom.size = size
  model = spec.compile()
  return model, mujoco.MjData(model)


@functools.cache
def _spec(blocks):
  """`MjSpec` of a number of blocks, parsed once: two thirds of what a model costs are its text."""
  text = "\n".join(
      _BLOCK.format(index=b, position="0 0 0", rotation="1 0 0 0", color="1 1 1", size="1 1 1")
      for b in range(blocks))
  return mujoco.MjSpec.from_string(_MJCF.format(step=TIMESTEP, density=_DENSITY, blocks=text))


def _run(towers, index, ticks, force, push, velocity):
  """`(poses [T, B, 7], velocities [T, B, 6])` of one tower."""
  places = np.flatnonzero(towers.present[index])
  start = np.concatenate([towers.position[index], towers.rotation[index]], axis=1, dtype=np.float64)
  model, data = _placed(towers, index, places)
  if velocity is not None:
    data.qvel[:] = velocity[places].ravel()
  mujoco.mj_forward(model, data)
  if velocity is None:
    _check_contacts(model, data, index, places)
  poses = np.broadcast_to(start, (len(ticks), *start.shape)).copy()
  speeds = np.zeros((len(ticks), len(start), 6))
  if force is not None:
    data.xfrc_applied[1:, :3] = force[places]
  done = 0
  for t, tick in enumerate(ticks):
    while done < tick:
      pushing = force is not None and done < push
      if not pushing:
        data.xfrc_applied[:] = 0.0
      end = min(done + _CHUNK, tick, push if pushing else tick)
      mujoco.mj_step(model, data, nstep=end - done)
      done = end
      if not pushing and data.ntree_awake == 0:
        done = max(done, tick)  # all asleep: nothing moves any more
    poses[t, places] = data.qpos.reshape(-1, 7)
    speeds[t, places] = data.qvel.reshape(-1, 6)
  return poses, speeds


def _check_contacts(model, data, index, places):
  """Refuses a start in which bodies stick in each other."""
  depth = -data.contact.dist
  if (depth > _SINK).any():
    first = np.argmax(depth > _SINK)
    names = ["the floor" if geom == 0 else f"block {places[geom - 1]}"
             for geom in sorted(data.contact.geom[first], reverse=True)]
    raise ValueError(f"{names[0]} and {names[1]} of tower {index} interpenetrate by "
                     f"{depth[first]:.3g} m at the start; move them apart")
