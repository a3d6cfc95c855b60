"""Heads of a user's own to lay a photograph on: a mesh in an OBJ file, and where its points are."""

import json

import numpy as np

from garden.worlds.faces import mesh as mesh_lib
from garden.worlds.faces import points as points_lib
from garden.worlds.faces import portrait


def from_obj(path, points_path=None):
  """A template of an OBJ file, brought to the size and the place of the built-in head.

  Args:
    path: of the mesh, triangles alone, see `mesh.read_obj`.
    points_path: of a JSON file, `{"nose_tip": 4, ...}`: the vertex of each named point, from 0; not
      needed for a mesh of 468 vertices in MediaPipe's order, such as canonical_face_model.obj.

  Returns:
    `portrait.Template`. What isn't on the mesh, such as the back of the head, isn't rendered.

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
  known = portrait.built_in().points
  names = [name for name in known if name in vertices]
  inner = [name for name in names if not name.endswith(portrait.OUTLINE)]
  if len(inner) < 6:
    raise ValueError(f"{len(inner)} of the named points are on the mesh; a head needs 6 or more of "
                     f"{', '.join(name for name in known if not name.endswith(portrait.OUTLINE))}")
  start = np.array([mesh.vertices[vertices[name]] for name in inner])
  scale, turn, offset = _similarity(start, np.array([known[name] for name in inner]))
  placed = scale * mesh.vertices @ turn.T + offset
  return portrait.Template(mesh_lib.Mesh(placed, mesh.triangles, mesh.uv),
                           {name: placed[vertices[name]] for name in names}, closed=False)


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
