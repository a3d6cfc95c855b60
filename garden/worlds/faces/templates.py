"""The heads that a photograph is laid on: the built-in one, or one of a user's own."""

import dataclasses
import functools
import json
import os

import numpy as np
from scipy import spatial

from garden.worlds.faces import heads as heads_lib
from garden.worlds.faces import mesh as mesh_lib
from garden.worlds.faces import points as points_lib

#: Ends of the names of points that move over the face as it turns.
OUTLINE = ("temple", "jaw")
_FOLD, _FOLDED = np.radians(72.0), np.radians(48.0)  # azimuths from where the sides are smeared


@dataclasses.dataclass(frozen=True)
class Template:
  """A head that a face is laid on.

  Attributes:
    mesh: `mesh.Mesh` in the coordinates of `heads`.
    points: name -> `[3]`, where the named points lie on it, see `points`.
    closed: whether its back can't be seen from inside.
  """
  mesh: mesh_lib.Mesh
  points: dict
  closed: bool = True

  def fitted(self, points):
    """The head to lay a face on: this one, whatever the face's named points are."""
    del points
    return self

  @functools.cached_property
  def folding(self):
    """`(index [V, 3], weight [V, 3])`: the vertices whose texture each vertex takes."""
    spots = self.mesh.vertices
    azimuth = np.arctan2(spots[:, 0], spots[:, 2])
    beyond = np.maximum(np.abs(azimuth) - _FOLD, 0.0) / (np.pi - _FOLD)
    folded = np.where(beyond > 0, np.sign(azimuth) * (_FOLD - beyond * (_FOLD - _FOLDED)), azimuth)
    source = np.flatnonzero(np.abs(azimuth) <= _FOLD)
    distance, near = spatial.cKDTree(np.stack([azimuth, spots[:, 1]], 1)[source]).query(
        np.stack([folded, spots[:, 1]], 1), k=3)
    weight = 1.0 / (distance + 1e-9)
    return source[near], weight / weight.sum(axis=1, keepdims=True)


@functools.cache
def built_in():
  """The template that needs no file: the average head of `heads`."""
  person = heads_lib.average()
  return Template(heads_lib.surface(person, rows=48, columns=64).mesh, points_lib.on_head(person))


def read(path, points_path=None):
  """A head of a user's own.

  Args:
    path: of an OBJ file, of a folder of ICT-FaceKit, or of the `.h5` of a Basel Face Model.
    points_path: see `from_obj`; for an OBJ file alone.

  Returns:
    `Template` or `morphable.Morphable`: what `portrait.fit` takes.

  Raises:
    ValueError: it is none of these, or can't be read.
  """
  from garden.worlds.faces import morphable  # It fits itself by `portrait`, which needs this file.
  if os.path.isdir(path):
    return morphable.from_ict(path)
  if path.endswith((".h5", ".hdf5")):
    return morphable.from_basel(path)
  if not os.path.isfile(path):
    raise ValueError(f"there is no mesh {path!r}; give an OBJ file, a folder of ICT-FaceKit or the "
                     ".h5 of a Basel Face Model")
  return from_obj(path, points_path)


def from_obj(path, points_path=None):
  """A template of an OBJ file, brought to the size and the place of the built-in head.

  Args:
    path: of the mesh, triangles alone, see `mesh.read_obj`.
    points_path: of a JSON file, `{"nose_tip": 4, ...}`: the vertex of each named point, from 0; not
      needed for a mesh of 468 vertices in MediaPipe's order, such as canonical_face_model.obj.

  Returns:
    `Template`. What isn't on the mesh, such as the back of the head, isn't rendered.

  Raises:
    ValueError: the mesh can't be read, or its points are missing, unknown or too few.

  Example:
    portrait.fit(photograph, points, template=from_obj("canonical_face_model.obj"))
  """
  mesh = mesh_lib.read_obj(path)
  count = len(mesh.vertices)
  if points_path is not None:
    vertices = _read_points(points_path, count)
  elif count in points_lib.SETS and count >= 468:
    vertices = points_lib.SETS[count]
  else:
    raise ValueError(f"{path} has {count} vertices, and it isn't told which are the points of the "
                     'face; give a JSON file like {"nose_tip": 4, "chin": 152, ...}')
  placed = aligned(mesh.vertices, vertices)
  return Template(mesh_lib.Mesh(placed, mesh.triangles, mesh.uv),
                  {name: placed[vertex] for name, vertex in vertices.items()}, closed=False)


def aligned(vertices, named):
  """Vertices brought to the size and the place of the built-in head.

  Args:
    vertices: `[V, 3]`, in any unit and any turn.
    named: name -> vertex, see `points.NAMES`.

  Returns:
    `[V, 3]` float64.

  Raises:
    ValueError: fewer than 6 points that aren't on the outline are named.
  """
  known = built_in().points
  inner = [name for name in known if name in named and not name.endswith(OUTLINE)]
  if len(inner) < 6:
    raise ValueError(f"{len(inner)} of the named points are on the mesh; a head needs 6 or more of "
                     f"{', '.join(name for name in known if not name.endswith(OUTLINE))}")
  start = vertices[[named[name] for name in inner]]
  scale, turn, offset = _similarity(start, np.array([known[name] for name in inner]))
  return scale * vertices @ turn.T + offset


def _read_points(path, count):
  """Name -> vertex of a JSON file."""
  try:
    with open(path, encoding="utf-8") as file:
      found = json.load(file)
  except (OSError, ValueError) as error:
    raise ValueError(f"{path}: {error}") from error
  if not isinstance(found, dict):
    raise ValueError(f'{path} must hold names and vertices, like {{"nose_tip": 4}}')
  for name, vertex in found.items():
    if name not in points_lib.NAMES:
      raise ValueError(f"{path}: there is no point {name!r}; there are "
                       f"{', '.join(points_lib.NAMES)}")
    if not isinstance(vertex, int) or not 0 <= vertex < count:
      raise ValueError(f"{path}: {name} is vertex {vertex!r}; the mesh has 0..{count - 1}")
  return found


def _similarity(start, end):
  """Scale, turn `[3, 3]` and offset that bring points to others best (Umeyama 1991)."""
  middle, other = start.mean(axis=0), end.mean(axis=0)
  a, b = start - middle, end - other
  u, s, v = np.linalg.svd(b.T @ a)
  flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
  turn = u @ flip @ v
  scale = (s * np.diag(flip)).sum() / np.square(a).sum()
  return scale, turn, other - scale * turn @ middle
