"""People as plain numbers, drawn at random, and the surfaces of their heads.

A head is an ellipsoid about 2 high with bumps, in the coordinates of `mesh`: the eyes look along z.
With a the azimuth (0 in front, above 0 to the right of the image) and e the elevation,

    x = w(y) sin a cos^p e,   y = h sin e,   z = d cos a cos^p e,   p = .75

w narrows towards the jaw, and the nose, brows, sockets, lips, chin, cheeks, ears and hair are added
as Gaussians of (x, y). A neck and shoulders go with it. No model of faces is needed, so that
profiles of any person are known exactly. They look like dolls, each of a person of its own.

Person i of a seed is a function of (seed, i) alone.
"""

import dataclasses

import numpy as np

from garden.worlds import scenes
from garden.worlds.faces import mesh as mesh_lib

#: Measures of a head: mean and standard deviation; draws beyond 2.5 of them aren't made.
SHAPE = {
    "width": (0.74, 0.04), "height": (1.0, 0.05), "depth": (0.92, 0.04), "jaw": (0.2, 0.06),
    "chin": (0.12, 0.04), "nose_length": (0.24, 0.05), "nose_width": (0.13, 0.02),
    "nose_y": (-0.21, 0.03), "nose_bridge": (0.05, 0.02), "brow": (0.06, 0.025),
    "eye_depth": (0.1, 0.02), "eye_x": (0.33, 0.03), "eye_y": (0.13, 0.02), "lip": (0.05, 0.02),
    "mouth_y": (-0.52, 0.03), "mouth_width": (0.2, 0.03), "cheek": (0.05, 0.03),
    "ear": (0.12, 0.03), "hairline": (0.7, 0.09), "side_hair": (-0.35, 0.35),
    "hair_volume": (0.08, 0.03)}
HAIR_COLORS = np.array([[0.06, 0.05, 0.05], [0.2, 0.12, 0.07], [0.36, 0.22, 0.12],
                        [0.75, 0.58, 0.32], [0.5, 0.2, 0.09], [0.6, 0.6, 0.6]])
IRIS_COLORS = np.array([[0.25, 0.14, 0.07], [0.25, 0.42, 0.62], [0.3, 0.45, 0.3]])
_MOST = 2.5  # standard deviations
_POWER = 0.75  # p of the module: fuller than an ellipsoid
_NECK = (  # y, half the width, half the depth, z of the middle
    (-0.45, 0.40, 0.40, -0.12), (-0.75, 0.40, 0.40, -0.12), (-1.0, 0.41, 0.42, -0.14),
    (-1.12, 0.46, 0.46, -0.16), (-1.2, 0.62, 0.5, -0.18), (-1.28, 0.9, 0.52, -0.2),
    (-1.4, 1.15, 0.54, -0.2), (-1.8, 1.25, 0.55, -0.2))
NECKLINE = -1.14  # y, below which there is cloth


@dataclasses.dataclass(frozen=True)
class Heads(scenes.Scenes):
  """N people. Colours are RGB in [0, 1], without light.

  Attributes:
    shape: `[N, 21]` float64, the measures in the order of `SHAPE`.
    skin: `[N, 3]` float64.
    hair: `[N, 3]` float64.
    iris: `[N, 3]` float64.
    lips: `[N, 3]` float64.
    cloth: `[N, 3]` float64.
    beard: `[N]` float64, 0 none to 1.
    freckles: `[N, 16, 3]` float64: x, y and how much of the skin's light each takes.
  """
  shape: np.ndarray
  skin: np.ndarray
  hair: np.ndarray
  iris: np.ndarray
  lips: np.ndarray
  cloth: np.ndarray
  beard: np.ndarray
  freckles: np.ndarray

  def __len__(self):
    return len(self.shape)

  def measures(self, index):
    """The measures of a person by name, see `SHAPE`."""
    return dict(zip(SHAPE, self.shape[index]))


@dataclasses.dataclass(frozen=True)
class Surface:
  """The head, neck and shoulders of a person.

  Attributes:
    mesh: `mesh.Mesh`.
    base: `[V, 3]` float64, where each vertex was before there were bumps: what paint goes by.
    is_head: `[V]` float64, 1 of the head, 0 of neck and shoulders.
  """
  mesh: mesh_lib.Mesh
  base: np.ndarray
  is_head: np.ndarray


def sample(n, seed, first=0):
  """Draws people `first` .. `first + n - 1` of a seed.

  Args:
    n: number of people, at least 1.
    seed: int, at least 0.
    first: number of the first one, at least 0.

  Returns:
    `Heads`.

  Raises:
    ValueError: a number is below its least.

  Example:
    >>> sample(8, seed=0).shape.shape
    (8, 21)
  """
  scenes.check_draw(n, seed, first)
  drawn = [_draw(np.random.default_rng([seed, index])) for index in range(first, first + n)]
  return Heads(**{name: np.stack([person[name] for person in drawn]) for name in drawn[0]})


def _draw(rng):
  """One person as a dict of arrays."""
  mean, spread = np.array(list(SHAPE.values())).T
  shape = mean + spread * np.clip(rng.standard_normal(len(SHAPE)), -_MOST, _MOST)
  skin = np.array([0.93, 0.72, 0.6]) * (1.0 - 0.62 * rng.beta(1.2, 2.0))
  skin *= 1.0 + rng.uniform(-0.05, 0.05, 3)
  hair = HAIR_COLORS[rng.integers(len(HAIR_COLORS))] * rng.uniform(0.8, 1.2)
  lips = skin * [1.0, 0.62, 0.65] * rng.uniform(0.85, 1.05, 3)
  spots = np.stack([rng.uniform(-0.55, 0.55, 16), rng.uniform(-0.3, 0.1, 16),
                    rng.uniform(0.1, 0.35) * (rng.random(16) < rng.choice([0.0, 0.2, 0.9]))], 1)
  return {"shape": shape, "skin": np.clip(skin, 0.0, 1.0), "hair": np.clip(hair, 0.0, 1.0),
          "iris": IRIS_COLORS[rng.integers(len(IRIS_COLORS))] * rng.uniform(0.8, 1.2),
          "lips": np.clip(lips, 0.0, 1.0), "cloth": rng.uniform(0.05, 0.9, 3),
          "beard": np.float64(max(0.0, rng.uniform(-1.5, 1.0))), "freckles": spots}


def average():
  """The head of mean measures: `Heads` of one person, in mid colours."""
  return Heads(np.array([[mean for mean, _ in SHAPE.values()]]), np.array([[0.74, 0.57, 0.48]]),
               HAIR_COLORS[1:2], IRIS_COLORS[:1], np.array([[0.7, 0.35, 0.31]]),
               np.full([1, 3], 0.4), np.zeros(1), np.zeros([1, 16, 3]))


def surface(heads, index=0, rows=72, columns=96):
  """The surface of a person.

  Args:
    heads: `Heads`.
    index: which of them.
    rows: of the head's grid, from the crown down.
    columns: of the head's grid, once around.

  Returns:
    `Surface`.

  Example:
    >>> surface(sample(1, seed=0)).mesh.vertices.shape
    (7296, 3)
  """
  m = heads.measures(index)
  # No vertex lies on the poles: all of a row would fall together.
  elevation = np.linspace(0.5, -0.5, rows) * np.pi * 0.995
  azimuth = np.linspace(-np.pi, np.pi, columns, endpoint=False)
  e, a = (x.ravel() for x in np.meshgrid(elevation, azimuth, indexing="ij"))
  base = place(m, a, e)
  head = base + bumps(m, a, base)
  turn = np.linspace(-np.pi, np.pi, 48, endpoint=False)
  neck = np.concatenate([np.stack([wide * np.sin(turn), np.full(48, y), deep * np.cos(turn) + z], 1)
                         for y, wide, deep, z in _NECK])
  triangles = np.concatenate([mesh_lib.grid(rows, columns),
                              len(head) + mesh_lib.grid(len(_NECK), 48)])
  return Surface(mesh_lib.Mesh(np.concatenate([head, neck]), triangles),
                 np.concatenate([base, neck]),
                 np.concatenate([np.ones(len(head)), np.zeros(len(neck))]))


def place(m, azimuth, elevation):
  """Points of a head without bumps.

  Args:
    m: measures by name.
    azimuth: `[...]` radians.
    elevation: `[...]` radians.

  Returns:
    `[..., 3]` float64.
  """
  around = np.cos(elevation) ** _POWER
  y = m["height"] * np.sin(elevation)
  below = np.clip(-y / m["height"], 0.0, 1.0)
  wide = m["width"] * (1.0 - m["jaw"] * 1.6 * below ** 1.5)
  # The back of a skull is wide and, below, far from the chin.
  deep = m["depth"] * (1.0 - 0.25 * below * (np.cos(azimuth) < 0) * np.cos(azimuth) ** 2)
  return np.stack([wide * np.sin(azimuth) * around, y, deep * np.cos(azimuth) * around], axis=-1)


def hair_share(m, azimuth, base):
  """How much each point of a head is hair, 0 to 1.

  Args:
    m: measures by name.
    azimuth: `[...]` radians.
    base: `[..., 3]`, the points without bumps.

  Returns:
    `[...]` float64.
  """
  side = _smooth((np.abs(azimuth) - 0.95) / 0.5)
  line = m["hairline"] * (1.0 - side) + m["side_hair"] * side
  # Hair leaves the temples free.
  line = line + 0.1 * np.exp(-0.5 * ((np.abs(azimuth) - 0.8) / 0.15) ** 2)
  return _smooth((base[..., 1] - line) / 0.07 + 0.5)


def bumps(m, azimuth, base):
  """What is added to points of a head: nose, eyes, mouth, chin, cheeks, ears, hair.

  Args:
    m: measures by name.
    azimuth: `[...]` radians.
    base: `[..., 3]`, the points without bumps.

  Returns:
    `[..., 3]` float64.
  """
  x, y, z = np.moveaxis(base, -1, 0)
  front = _smooth(z / (0.45 * m["depth"]))
  eyes = np.abs(x) - m["eye_x"]
  deep = _nose(m, x, y)
  deep = deep + m["brow"] * bell(y - m["eye_y"] - 0.17, 0.06) * np.exp(-(x / 0.5) ** 4)
  deep = deep - m["eye_depth"] * bell(eyes, 0.13) * bell(y - m["eye_y"], 0.085)
  deep = deep + 0.055 * bell(eyes, 0.075) * bell(y - m["eye_y"], 0.06)
  deep = deep + m["cheek"] * bell(np.abs(x) - 0.4, 0.16) * bell(y + 0.2, 0.16)
  mouth = np.exp(-(x / m["mouth_width"]) ** 4)
  deep = deep + m["lip"] * mouth * (bell(y - m["mouth_y"] - 0.035, 0.03)
                                    + 1.1 * bell(y - m["mouth_y"] + 0.04, 0.035))
  deep = deep + m["chin"] * bell(x, 0.22) * bell(y + 0.84 * m["height"], 0.11)
  # Below the eyes a face falls straight to the chin, where an ellipsoid falls back.
  deep = deep + 0.3 * _smooth(-(y + 0.15) / 0.7) * np.exp(-(x / 0.42) ** 2) * _smooth(
      (y + 1.02 * m["height"]) / 0.2)
  deep = deep * front
  ear = m["ear"] * bell(np.abs(azimuth) - 1.72, 0.1) * np.exp(-((y - 0.05) / 0.2) ** 4)
  rim = ear * (1.0 - 0.45 * bell(np.abs(azimuth) - 1.68, 0.05) * bell(y - 0.03, 0.09))
  out = base / np.linalg.norm(base, axis=-1, keepdims=True)
  hair = m["hair_volume"] * hair_share(m, azimuth, base) * _smooth((y + 0.9) / 0.4)
  zero = np.zeros_like(x)
  return (np.stack([np.sign(x) * rim, zero, deep - 0.5 * rim], axis=-1)
          + hair[..., np.newaxis] * out)


def _nose(m, x, y):
  """How far the nose stands out."""
  rise = (y - m["nose_y"]) / (m["eye_y"] - m["nose_y"] + 0.02)  # 0 at the tip, 1 at the bridge
  along = np.clip(rise, 0.0, 1.0)
  ridge = m["nose_length"] * (1.0 - along) + m["nose_bridge"] * along * (1.0 - 0.5 * along)
  above = _smooth(1.0 - (rise - 1.0) / 0.5)
  ridge = ridge * above * np.where(rise < 0, np.exp(-((y - m["nose_y"]) / 0.085) ** 4), 1.0)
  wide = m["nose_width"] * (1.0 - 0.4 * along)
  wings = 0.06 * bell(np.abs(x) - 0.95 * m["nose_width"], 0.045) * bell(
      y - m["nose_y"] + 0.02, 0.045)
  return ridge * np.exp(-np.abs(x / wide) ** 2.4) + wings


def bell(x, spread):
  """A Gaussian of height 1: `[...]` -> `[...]`."""
  return np.exp(-0.5 * (x / spread) ** 2)


def _smooth(t):
  """0 below 0, 1 above 1, and smooth in between."""
  t = np.clip(t, 0.0, 1.0)
  return t * t * (3.0 - 2.0 * t)
