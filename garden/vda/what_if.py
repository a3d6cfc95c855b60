"""What if: a block more, a block less, a push, another position? Questions put to a state.

    add, remove                 other towers, for an engine to go on with
    stabilize_by_position       the least horizontal move of blocks that makes a tower stand
    stabilize_by_force          the least constant force that holds it up while it acts
    heat_map                    where one more block could be put

The two searches are exact: for upright blocks of known yaw the support test is linear in positions
and in forces (`balance`), so that the least answer is found rather than descended to, and it is
known where there is none. An engine, MuJoCo unless told otherwise, then says whether it holds.
An answer for a state that perception found holds for the real tower only if its margin is wider
than the state's errors: ask for three to five times their standard deviation along an axis.
All functions take and give states of arrays (see `state`), at rest.
"""

import dataclasses

import numpy as np

from garden.core import checks
from garden.vda import balance
from garden.vda import engines
from garden.vda import state as state_lib
from garden.worlds.towers import scene

_SECONDS = 4.0  # of a check: as long as a tower's label looks ahead
_MARGINS = (1, 2, 4)  # times the margin, for towers that a lesser force didn't hold
_GAP = 0.05  # m; neighbours further apart, or deeper in each other, are no stack
_TILT = 1e-2  # of a quaternion; about 1 degree
_TOUCH = 1e-4  # m
_EMPTY = {"present": False, "position": 0.0, "rotation": (1.0, 0.0, 0.0, 0.0),
          "size": scene.HALF_SIZE, "color": 0.0}


@dataclasses.dataclass(frozen=True)
class Moved:
  """Towers whose blocks were moved so that they stand.

  Attributes:
    state: the state after the move, settled; as it was where nothing was found.
    move: `[N, B, 3]` float32, metres; z is 0.
    found: `[N]` bool, whether the support test has an answer.
    stands: `[N]` bool, whether it stands in the engine.
  """

  state: dict
  move: np.ndarray
  found: np.ndarray
  stands: np.ndarray


@dataclasses.dataclass(frozen=True)
class Pushed:
  """Forces that hold towers up.

  Attributes:
    forces: `[N, B, 3]` float32, newton at the blocks' centres, for `engine.step` and
      `physics.simulate`; zeros where nothing was found.
    found: `[N]` bool, whether the support test has an answer.
    stands: `[N]` bool, whether it stands in the engine for as long as the forces act.
  """

  forces: np.ndarray
  found: np.ndarray
  stands: np.ndarray


@dataclasses.dataclass(frozen=True)
class HeatMap:
  """Probability that a tower falls, by where one more block is put on it.

  Attributes:
    x: `[R]` metres from the top block's centre, along the world's x.
    y: `[R]`, along its y.
    fall_probability: `[R, R]` float32, rows by y and columns by x; NaN where the new block would
      not rest on the top one.
    tower: the state of the tower, one scene.
    yaw: of the new block, radians.
  """

  x: np.ndarray
  y: np.ndarray
  fall_probability: np.ndarray
  tower: dict
  yaw: float

  def safest(self):
    """Where to put the block: the point deepest inside the region of the least probability.

    Returns:
      `(x, y)` metres from the top block's centre, what `add` takes, of a position whose
      probability is within .01 of the least; None if the block would rest nowhere.

    Example:
      more = add(take(state, 0), heat_map(state, 0).safest())
    """
    p = self.fall_probability
    if np.isnan(p).all():
      return None
    good = np.nan_to_num(p, nan=2.0) <= np.nanmin(p) + 0.01
    y, x = np.nonzero(good)
    # The grid's border counts as outside.
    bad_y, bad_x = np.nonzero(np.pad(~good, 1, constant_values=True))
    depth = np.hypot(y[:, None] + 1 - bad_y, x[:, None] + 1 - bad_x).min(axis=1)
    best = depth.argmax()
    return float(self.x[x[best]]), float(self.y[y[best]])


def take(state, rows):
  """The scenes of a state at rows: an int, a slice or an array of ints, or of bool.

  Example:
    >>> take(state, 3)["position"].shape
    (1, 4, 3)
  """
  rows = [rows] if isinstance(rows, int | np.integer) else rows
  return {name: np.asarray(state[name])[rows] for name in state_lib.FIELDS}


def add(state, offset, yaw=0.0, size=None, color=None):
  """Puts one more block on each tower.

  Args:
    state: of arrays, upright blocks.
    offset: `[2]` or `[N, 2]`, metres from the centre of the top block along the world's x and y.
    yaw: of the new blocks, radians, one or `[N]`.
    size: half the extents, `[3]` or `[N, 3]`; those of the top block if None.
    color: RGB, `[3]` or `[N, 3]`; if None the base colour furthest from those of the tower.

  Returns:
    The state with the new block, settled on what is below it, and so is all else; blocks are in
    the order of their height. It has one more place for blocks if a tower had none free.

  Raises:
    ValueError: a tower has 6 blocks already, or none, or a number is outside its range.

  Example:
    more = add(state, (0.2, 0.0))
    falls = engines.MuJoCoEngine().stability(more)["fall"]
  """
  state = _packed(state)
  count = state["present"].sum(axis=1)
  n = len(count)
  _refuse(count >= scene.MAX_BLOCKS, lambda row: (
      f"scene {row} has {count[row]} blocks; a tower has at most {scene.MAX_BLOCKS}: remove one "
      "first"))
  offset = _numbers("offset", offset, (n, 2), "metres along x and y")
  yaw = _numbers("yaw", yaw, (n,), "radians")
  if (count == state["present"].shape[1]).any():
    state = {name: np.concatenate([value, np.broadcast_to(
        np.asarray(_EMPTY[name], value.dtype), value[:, :1].shape)], axis=1)
             for name, value in state.items()}
  rows = np.arange(n)
  top = {name: value[rows, count - 1] for name, value in state.items()}
  size = top["size"] if size is None else _numbers("size", size, (n, 3), "half the extents")
  _refuse((size <= 0.0).any(axis=-1), lambda row: (
      f"size is {size[row].tolist()}; half the extents must be above 0 m"))
  color = _unlike(state) if color is None else _numbers("color", color, (n, 3), "RGB")
  _refuse(((color < 0.0) | (color > 1.0)).any(axis=-1), lambda row: (
      f"color is {color[row].tolist()}; RGB must be in [0, 1]"))
  over = np.maximum(np.where(state["present"], state["position"][..., 2] + state["size"][..., 2],
                             -np.inf).max(axis=1), 0.0)
  new = {"present": True, "size": size, "color": color, "rotation": scene.yaw_quaternion(yaw),
         "position": np.concatenate([top["position"][:, :2] + offset,
                                     (over + size[:, 2])[:, None]], axis=1)}
  for name, value in new.items():
    state[name][rows, count] = value
  return _packed(state_lib.settled(state))


def remove(state, block, settled=False):
  """Takes a block out of each tower.

  Args:
    state: of arrays.
    block: place of the block, one or `[N]`.
    settled: whether what stood on it is set down. If not, it hangs in the air and falls as
      physics starts, which the support test knows nothing of: ask MuJoCo.

  Returns:
    The state without it, as wide as before, its blocks in the first places by their height.

  Raises:
    ValueError: a tower has no block there, or no other.

  Example:
    less = remove(state, 1, settled=True)
    safe = engines.SupportEngine()(less)["margin"] > 0
  """
  state = {name: np.array(state[name]) for name in state_lib.FIELDS}
  present = state["present"]
  rows = np.arange(len(present))
  if np.asarray(block).dtype.kind not in "iu" or np.shape(block) not in ((), rows.shape):
    raise ValueError(f"block is {block!r}; it must be a whole number, or [{len(rows)}] of them")
  block = np.broadcast_to(np.asarray(block), rows.shape)
  inside = (block >= 0) & (block < present.shape[1])
  there = inside & present[rows, np.where(inside, block, 0)]
  _refuse(~there, lambda row: (f"block is {block[row]}; scene {row} has the blocks "
                               f"{np.flatnonzero(present[row]).tolist()}"))
  _refuse(present.sum(axis=1) == 1, lambda row: (
      f"block {block[row]} is the only one of scene {row}; leave at least 1 block"))
  present[rows, block] = False
  return _packed(state_lib.settled(state) if settled else state)


def stabilize_by_position(state, margin=0.05, blocks=None, engine=None):
  """Moves blocks sideways, as little as possible, so that towers stand.

  Args:
    state: of arrays: stacks, one upright block a level.
    margin: that the support test must have after the move, in block widths, in [0, .5).
    blocks: places of the blocks that may move; all but the lowest if None. A block doesn't take
      those on it along.
    engine: that checks it, with `stability(state)`; MuJoCo if None.

  Returns:
    `Moved`. The move has the least sum of squares; it is 0 where the margin is there already.

  Raises:
    ValueError: a tower is no stack (it names the block), or an argument is outside its range.

  Example:
    answer = stabilize_by_position(state)
    print(answer.move[0], answer.stands.mean())
  """
  state = _stacks(state, margin)
  found = np.zeros(len(state["present"]), bool)
  move = np.zeros(state["position"].shape, np.float32)
  for row, places, stack, movable in _each(state, _chosen(state, blocks, first=1)):
    answer = balance.least_move(stack, margin, movable)
    if answer is not None:
      found[row], move[row, places, :2] = True, answer
  moved = {**state, "position": state["position"] + move}
  stands = np.zeros_like(found)
  if found.any():
    fine = state_lib.settled(take(moved, found))
    moved["position"][found] = fine["position"]
    told = (engine or engines.MuJoCoEngine()).stability(fine)["fall_probability"]
    stands[found] = np.asarray(told) < 0.5
  return Moved(moved, move, found, stands)


def stabilize_by_force(state, margin=0.02, friction=0.9, blocks=None, downward=False, engine=None):
  """Finds the least constant forces that hold towers up.

  Args:
    state: of arrays: settled stacks, one upright block a level.
    margin: that the centre of pressure must have, in block widths, in [0, .5). Where the engine
      says that the tower falls all the same, twice and four times the margin are tried: contacts
      give way a little, and tall towers lean on it.
    friction: share of the load on an interface that the horizontal forces above it may reach,
      above 0; the towers slide at 1.
    blocks: places of the blocks that may be pushed; all if None.
    downward: whether blocks may be pressed down as well as pushed.
    engine: a `MuJoCoEngine`, which checks it for 4 s; one is made if None.

  Returns:
    `Pushed`. Forces have the least sum of squares; they are 0 where the tower stands by itself.

  Raises:
    ValueError: a tower is no stack (it names the block), or an argument is outside its range.

  Example:
    answer = stabilize_by_force(state)
    later = engines.MuJoCoEngine().step(state, answer.forces, seconds=4.0)
  """
  checks.check_positive("friction", friction)
  state = _stacks(state, margin)
  engine = engine or engines.MuJoCoEngine()
  found, stands = np.zeros((2, len(state["present"])), bool)
  forces = np.zeros(state["position"].shape, np.float32)
  chosen = _chosen(state, blocks, first=0)
  for times in _MARGINS:
    tried = []
    for row, places, stack, pushed in _each(state, chosen):
      answer = None if stands[row] else balance.least_force(
          stack, min(times * margin, 0.5), friction, pushed, downward)
      if answer is not None:
        forces[row, places] = answer
        tried.append(row)
    if not tried:
      break
    found[tried] = True
    motion = engine.future(take(state, tried), (_SECONDS,), forces[tried], _SECONDS)
    stands[tried] = motion.fall == 0
  return Pushed(forces, found, stands)


def heat_map(state, row=0, resolution=21, reach=1.0, yaw=0.0, size=None, engine=None):
  """Where could one more block be put on a tower?

  Args:
    state: of arrays, upright blocks.
    row: which scene.
    resolution: positions an axis, at least 2.
    reach: of the grid from the top block's centre, metres.
    yaw: of the new block, radians.
    size: half its extents, `[3]`; those of the top block if None.
    engine: with `stability(state)`; the support test, with its probability, if None. With
      `MuJoCoEngine` each position is simulated: some ten seconds for a map.

  Returns:
    `HeatMap`.

  Raises:
    ValueError: the tower has 6 blocks already, or an argument is outside its range.

  Example:
    found = heat_map(state, resolution=41)
    print(found.safest(), np.nanmin(found.fall_probability))
  """
  checks.check_count("resolution", resolution, 2)
  checks.check_positive("reach", reach)
  n = len(np.asarray(state["present"]))
  if not isinstance(row, int | np.integer) or not 0 <= row < n:
    raise ValueError(f"row is {row!r}; the state has scenes 0 to {n - 1}")
  tower = _packed(take(state, row))
  line = np.linspace(-reach, reach, resolution)
  offset = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
  more = add({name: np.repeat(value, len(offset), axis=0) for name, value in tower.items()},
             offset, yaw, size)
  top = int(tower["present"].sum())
  # Beside the top block the new one comes to lie lower, and by its height is no more the last.
  height = state_lib.settled(tower)["position"][0, top - 1, 2] + tower["size"][0, top - 1, 2]
  bottom = more["position"][:, top, 2] - more["size"][:, top, 2]
  rests = np.abs(bottom - height) < _TOUCH
  found = np.full(len(offset), np.nan, np.float32)
  if rests.any():
    told = (engine or engines.SupportEngine()).stability(take(more, rests))
    found[rests] = np.asarray(told["fall_probability"])
  return HeatMap(line, line, found.reshape(resolution, resolution), tower, float(yaw))


def falling(n, seed, distribution=None):
  """The first n sampled towers that fall in MuJoCo: what answers are counted on.

  Args:
    n: number of towers, at least 1.
    seed: int, at least 0.
    distribution: a `scene.Distribution`; its defaults if None.

  Returns:
    Their state.

  Raises:
    ValueError: an argument is outside its range, or no tower of the distribution can fall.

  Example:
    state = falling(100, seed=0)
    print(stabilize_by_force(state).stands.mean())
  """
  distribution = distribution or scene.Distribution()
  if max(distribution.counts) < 2:
    raise ValueError(f"counts are {tuple(distribution.counts)}; a tower of 1 block never falls: "
                     "name a count of at least 2")
  parts, found, first = [], 0, 0
  while found < n:
    state = state_lib.of_towers(scene.sample(n, seed, first, distribution))
    parts.append(take(state, engines.MuJoCoEngine().stability(state)["fall"] == 1))
    found, first = found + len(parts[-1]["present"]), first + n
  return {name: np.concatenate([part[name] for part in parts])[:n] for name in state_lib.FIELDS}


def _refuse(bad, text):
  """Raises a ValueError with the text for the first row of `bad` `[N]`."""
  if np.any(bad):
    raise ValueError(text(int(np.argmax(bad))))


def _numbers(name, value, shape, what):
  """An argument as a float array of a shape, or a ValueError."""
  try:
    array = np.broadcast_to(np.asarray(value, np.float64), shape)
  except (TypeError, ValueError):
    array = np.array(np.nan)
  if not np.isfinite(array).all():
    raise ValueError(f"{name} is {value!r}; it must be finite {what}, {list(shape[1:])} or "
                     f"{list(shape)}")
  return array


def _packed(state):
  """A copy at rest with the blocks in the first places, by their height."""
  state = {name: np.asarray(state[name]) for name in state_lib.FIELDS}
  state_lib.check_finite(state)
  _refuse(~state["present"].any(axis=1), lambda row: (
      f"scene {row} has no block; it must have at least 1"))
  order = np.argsort(np.where(state["present"], state["position"][..., 2], np.inf), axis=1,
                     kind="stable")
  return {name: np.take_along_axis(value, order.reshape(*order.shape, *[1] * (value.ndim - 2)),
                                   axis=1) for name, value in state.items()}


def _unlike(state):
  """`[N, 3]`, the base colour furthest from all colours of each tower."""
  away = np.linalg.norm(state["color"][:, :, None] - scene.BASE_COLORS, axis=-1)
  return scene.BASE_COLORS[np.where(state["present"][..., None], away, np.inf).min(axis=1).argmax(
      axis=1)]


def _stacks(state, margin):
  """A copy at rest, or a ValueError unless each tower is one upright block a level."""
  checks.check_number("margin", margin)
  if margin >= 0.5:
    raise ValueError(f"margin is {margin!r}; it must be below 0.5 block widths, which a block's "
                     "middle has")
  state = {name: np.array(state[name]) for name in state_lib.FIELDS}
  state_lib.check_finite(state)
  present, position, size = (state[name] for name in ("present", "position", "size"))
  _refuse(~present.any(axis=1), lambda row: (
      f"scene {row} has no block; it must have at least 1"))
  tilt = np.where(present, np.abs(state["rotation"][..., 1:3]).max(axis=-1), 0.0)
  _refuse((tilt > _TILT).any(axis=1), lambda row: (
      f"block {tilt[row].argmax()} of scene {row} is tilted; the support test holds for blocks "
      "turned about the vertical only: give the state before it falls"))
  for row in range(len(present)):
    below, top = "the floor", 0.0
    for block in np.flatnonzero(present[row]):
      off = position[row, block, 2] - size[row, block, 2] - top
      if abs(off) > _GAP:
        raise ValueError(f"block {block} of scene {row} is {off:.3g} m off the top of {below}; "
                         f"in a stack each block is at most {_GAP} m off the one before it, the "
                         "lowest first: use state.settled, or remove what stands aside")
      below, top = f"block {block}", top + off + 2.0 * size[row, block, 2]
  return state


def _chosen(state, blocks, first):
  """`[N, B]` bool, the blocks in places `blocks`, or those from number `first` on."""
  present = state["present"]
  if blocks is None:
    return present & (np.cumsum(present, axis=1) > first)
  places = present.shape[1]
  wrong = [b for b in blocks if not isinstance(b, int | np.integer) or not 0 <= b < places]
  if wrong or not len(blocks):
    raise ValueError(f"blocks are {list(blocks)}; name one or more places in 0..{places - 1}")
  return present & np.isin(np.arange(places), blocks)


def _each(state, chosen):
  """`(row, places, stack, chosen)` of each tower, the latter two of its blocks alone."""
  for row, present in enumerate(state["present"]):
    blocks = {name: value[row, present] for name, value in state.items()}
    yield row, present, balance.Stack.of(blocks), chosen[row, present]
