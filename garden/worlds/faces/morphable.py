"""Morphable models of heads, by path: ICT-FaceKit and the Basel Face Models. None is shipped.

    X(c) = mean + sum_k c_k M_k,   c_k ~ N(0, 1)

A photograph tells c by its named points u, each known to within a spread s of a head's size, at the
place P of the scaled orthography (see `portrait`):

    min_{P, c}  sum_j |P X_j(c) - u_j|^2 / s_j^2 + |c|^2

in turns for P and c. Expressions aren't fitted: `portrait.fit` warps what is left.
"""

import dataclasses
import json
import os
import re

import numpy as np
from scipy import spatial

from garden.worlds.faces import mesh as mesh_lib
from garden.worlds.faces import portrait
from garden.worlds.faces import templates

_TURNS = 3
_MODES = 40  # the first ones; others move a face by less than its points are known

_ICT_FOLDER, _ICT_MEAN = "FaceXModel", "generic_neutral_mesh.obj"
# Of its 26,719 vertices: face, head and neck; and the eyeballs, or one saw into the head.
_ICT_KEPT = ((0, 11_248), (21_451, 24_591))
# Its vertices of iBUG's 68 points, the jaw by its own outline.
_ICT_POINTS = {
    "nose_bridge": 978, "nose_tip": 4857, "subnasale": 1147, "upper_lip": 0, "lower_lip": 5518,
    "chin": 966, "right_eye_outer": 1507, "right_eye_inner": 1528, "right_brow_outer": 268,
    "right_brow_middle": 1914, "right_brow_inner": 1401, "right_nostril": 1140,
    "right_mouth_corner": 5708, "right_temple": 1278, "right_jaw": 243, "left_eye_outer": 3721,
    "left_eye_inner": 3742, "left_brow_outer": 2509, "left_brow_middle": 4114,
    "left_brow_inner": 3615, "left_nostril": 3360, "left_mouth_corner": 6213, "left_temple": 3496,
    "left_jaw": 2484}
_BASEL_POINTS = {
    "nose_tip": "center.nose.tip", "subnasale": "center.nose.attachement_to_philtrum",
    "upper_lip": "center.lips.upper.outer", "lower_lip": "center.lips.lower.outer",
    "chin": "center.chin.tip",
    **{f"{side}_{name}": f"{side}.{basel}" for side in ("right", "left") for name, basel in (
        ("eye_outer", "eye.corner_outer"), ("eye_inner", "eye.corner_inner"),
        ("eye_upper", "eye.top"), ("eye_lower", "eye.bottom"),
        ("brow_middle", "eyebrow.bend.upper"), ("brow_inner", "eyebrow.inner_upper"),
        ("nostril", "nose.wing.tip"), ("mouth_corner", "lips.corner"))}}


@dataclasses.dataclass(frozen=True)
class Morphable:
  """A linear model of heads.

  Attributes:
    mean: `[V, 3]` float64, in the coordinates and about the size of the built-in head.
    modes: `[K, V, 3]` float32, how far one standard deviation of each moves the vertices.
    triangles: `[T, 3]` int.
    named: name -> vertex, see `points.NAMES`.
  """
  mean: np.ndarray
  modes: np.ndarray
  triangles: np.ndarray
  named: dict

  def head(self, numbers):
    """The head of some numbers of standard deviations, `[K]`: `templates.Template`."""
    vertices = self.mean + np.tensordot(np.asarray(numbers, np.float64), self.modes, 1)
    return templates.Template(mesh_lib.Mesh(vertices, self.triangles),
                              {name: vertices[k] for name, k in self.named.items()}, closed=False)

  def fitted(self, points):
    """The head whose points lie most as a face's do, see the module.

    Args:
      points: name -> `[2 or 3]` x and y in pixels; six or more that the model has.

    Returns:
      `templates.Template`.

    Raises:
      ValueError: too few points, or they don't make a head.

    Example:
      portrait.fit(photograph, points, template=from_ict("ICT-FaceKit"))
    """
    names = [name for name in self.named if name in points]
    portrait.check_points(names, self.head(np.zeros(len(self.modes))))
    spots = np.array([points[name] for name in names], np.float64)[:, :2]
    at = [self.named[name] for name in names]
    modes, mean = self.modes[:, at].astype(np.float64), self.mean[at]
    spread = portrait.spread(names)
    numbers = np.zeros(len(modes))
    for _ in range(_TURNS):
      turn, scale, offset = portrait.place(mean + np.tensordot(numbers, modes, 1), spots, spread)
      flat = (spots - offset) / scale * [1, -1]
      across = (modes @ turn[:2].T / spread[:, np.newaxis]).reshape(len(modes), -1).T  # [2 P, K]
      off = ((flat - mean @ turn[:2].T) / spread[:, np.newaxis]).ravel()
      numbers = np.linalg.solve(across.T @ across + np.eye(len(modes)), across.T @ off)
    return self.head(numbers)


def from_ict(folder):
  """The ICT-FaceKit (Li et al. 2020): face, head, neck and eyeballs of its first 40 identities.

  Args:
    folder: its `FaceXModel`, or the folder that holds it.

  Returns:
    `Morphable`.

  Raises:
    ValueError: a file is missing, or isn't of that model.
  """
  inner = os.path.join(folder, _ICT_FOLDER)
  folder = inner if os.path.isdir(inner) else folder
  path = os.path.join(folder, _ICT_MEAN)
  if not os.path.isfile(path):
    raise ValueError(f"{folder} has no {_ICT_MEAN}; give the folder of ICT-FaceKit")
  files = sorted(name for name in os.listdir(folder) if re.fullmatch(r"identity\d+\.obj", name))
  if not files:
    raise ValueError(f"{folder} has no identity000.obj; give the whole folder of ICT-FaceKit")
  everything, polygons = _read_polygons(path)
  mean = _ict_part(path, everything)
  modes = [_ict_part(path, _read_polygons(path, False)[0]) - mean
           for path in (os.path.join(folder, name) for name in files[:_MODES])]
  kept = np.concatenate([np.arange(*ends) for ends in _ICT_KEPT])
  place = np.full(len(everything), -1)
  place[kept] = np.arange(len(kept))
  triangles = place[[(polygon[0], *polygon[k:k + 2]) for polygon in polygons
                     for k in range(1, len(polygon) - 1)]]
  return _aligned(mean, modes, triangles[(triangles >= 0).all(axis=1)], _ICT_POINTS)


def from_basel(path):
  """A Basel Face Model of 2017 or 2019 (Gerig et al. 2018), the first 40 of its shapes.

  Args:
    path: of its `.h5` file.

  Returns:
    `Morphable`; of a model of the face alone the sides and the back aren't rendered.

  Raises:
    ValueError: the file isn't one of these.
  """
  import h5py  # TensorFlow brings it.
  try:
    with h5py.File(path) as file:
      shape = file["shape"]
      mean = shape["model/mean"][()].reshape(-1, 3).astype(np.float64)
      deviations = np.sqrt(shape["model/pcaVariance"][()].ravel()[:_MODES])
      modes = (shape["model/pcaBasis"][:, :_MODES] * deviations).T.reshape(-1, len(mean), 3)
      triangles = shape["representer/cells"][()].T.astype(np.int64)
      raw = np.asarray(file["metadata/landmarks/json"][()]).tobytes()
    marks = {mark["id"]: mark["coordinates"]
             for mark in json.loads(raw.decode("utf-8").rstrip("\0"))}
  except (OSError, KeyError, ValueError, TypeError, MemoryError) as error:
    raise ValueError(f"{path} isn't a Basel Face Model of 2017 or 2019: {error}") from error
  known = {name: marks[mark] for name, mark in _BASEL_POINTS.items() if mark in marks}
  spots = np.array(list(known.values()), np.float64).reshape(-1, 3)
  _, nearest = spatial.cKDTree(mean).query(spots)
  return _aligned(mean, modes, triangles, dict(zip(known, nearest.tolist())))


def _aligned(mean, modes, triangles, named):
  """A model at the size and place of the built-in head."""
  placed = templates.aligned(mean, named)
  # The same similarity without its offset, which a difference of heads doesn't have.
  linear = np.linalg.lstsq(mean - mean[0], placed - placed[0], rcond=None)[0]
  return Morphable(placed, (np.asarray(modes) @ linear).astype(np.float32), triangles, named)


def _ict_part(path, vertices):
  """The vertices that are kept of all of the model's."""
  if len(vertices) < _ICT_KEPT[-1][1]:
    raise ValueError(f"{path} has {len(vertices)} vertices; ICT-FaceKit's have 26719")
  return np.concatenate([vertices[first:end] for first, end in _ICT_KEPT])


def _read_polygons(path, with_faces=True):
  """Vertices `[V, 3]` of an OBJ file, and the corners of its polygons, from 0."""
  vertices, polygons = [], []
  with open(path, encoding="utf-8", errors="replace") as file:
    for number, line in enumerate(file, 1):
      try:
        if line.startswith("v "):
          x, y, z = line.split()[1:4]
          vertices.append((float(x), float(y), float(z)))
        elif with_faces and line.startswith("f "):
          polygons.append([int(corner.split("/")[0]) - 1 for corner in line.split()[1:]])
      except ValueError as error:
        raise ValueError(f"{path}, line {number}: {line.strip()!r}: {error}") from None
  return np.array(vertices).reshape(-1, 3), polygons
