"""Triangle meshes: turned, lit, and read from OBJ files.

x points to the right of the image, y up, z to the viewer. A turn is yaw about y, after pitch about
x, after roll about z,

    R = R_y(yaw) R_x(pitch) R_z(roll)

in degrees: with yaw above 0 the face looks to the right of the image, with pitch above 0 down.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Mesh:
  """A surface of triangles.

  Attributes:
    vertices: `[V, 3]` float64.
    triangles: `[T, 3]` int, the corners of each, counter-clockwise as seen from outside.
    uv: `[V, 2]` float64, where in its texture each vertex lies, (0, 0) to (1, 1) from the lower
      left; or None.
  """
  vertices: np.ndarray
  triangles: np.ndarray
  uv: np.ndarray | None = None

  @property
  def normals(self):
    """`[V, 3]` unit normals of the vertices, see `normals`."""
    return normals(self.vertices, self.triangles)


def rotation(yaw, pitch=0.0, roll=0.0):
  """The matrix of a turn, see the module.

  Args:
    yaw: degrees.
    pitch: degrees.
    roll: degrees, above 0 counter-clockwise in the image.

  Returns:
    `[3, 3]` float64; points `[N, 3]` are turned by `points @ rotation(yaw).T`.

  Example:
    >>> (rotation(90.0) @ [0.0, 0.0, 1.0]).round(6).tolist()
    [1.0, 0.0, 0.0]
  """
  y, p, r = np.radians([yaw, pitch, roll])
  about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
  about_x = [[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]]
  about_z = [[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]]
  return np.array(about_y) @ np.array(about_x) @ np.array(about_z)


def normals(vertices, triangles):
  """Unit normals of vertices: the sum of their triangles', by area.

  Args:
    vertices: `[V, 3]`.
    triangles: `[T, 3]` int.

  Returns:
    `[V, 3]` float64, zeros where no triangle with an area meets.
  """
  a, b, c = (vertices[triangles[:, k]] for k in range(3))
  each = np.cross(b - a, c - a)
  total = np.stack([np.bincount(triangles.ravel(), np.repeat(each[:, k], 3), len(vertices))
                    for k in range(3)], axis=1)
  length = np.linalg.norm(total, axis=1, keepdims=True)
  return np.divide(total, length, out=np.zeros_like(total), where=length > 0)


def grid(rows, columns, closed=True):
  """Triangles of a grid of vertices, row by row.

  Args:
    rows: number of rows, at least 2.
    columns: vertices of a row, at least 2.
    closed: whether the last column is joined with the first.

  Returns:
    `[T, 3]` int, two a cell.

  Example:
    >>> grid(2, 2, closed=False).tolist()
    [[0, 2, 1], [1, 2, 3]]
  """
  across = np.arange(columns if closed else columns - 1)
  down = np.arange(rows - 1)[:, np.newaxis] * columns
  here, right = down + across, down + (across + 1) % columns
  return np.concatenate([np.stack([here, here + columns, right], -1).reshape(-1, 3),
                         np.stack([right, here + columns, right + columns], -1).reshape(-1, 3)])


def read_obj(path):
  """A mesh of a Wavefront OBJ file.

  A vertex with more than one place in the texture becomes one vertex for each of them.

  Args:
    path: the file; lines `v x y z`, `vt u v` and `f v/vt v/vt v/vt` count, others don't.

  Returns:
    `Mesh` with `uv`.

  Raises:
    ValueError: a line can't be read, a face isn't a triangle or has no place in the texture, or
      names a vertex that isn't there.

  Example:
    read_obj("canonical_face_model.obj").vertices.shape  # (468, 3)
  """
  places, textures, corners = [], [], []
  with open(path, encoding="utf-8", errors="replace") as file:
    for number, line in enumerate(file, 1):
      kind, *rest = line.split("#")[0].split() or [""]
      try:
        if kind == "v":
          places.append([float(x) for x in rest[:3]])
        elif kind == "vt":
          textures.append([float(x) for x in rest[:2]])
        elif kind == "f":
          corners.append(_face(rest, len(places), len(textures)))
      except ValueError as error:
        raise ValueError(f"{path}, line {number}: {line.strip()!r}: {error}") from None
  if not corners:
    raise ValueError(f"{path} has no face; give a mesh of triangles with places in a texture")
  wrong = [kind for kind, values, size in (("v", places, 3), ("vt", textures, 2))
           if any(len(value) != size for value in values)]
  if wrong:
    raise ValueError(f"{path} has a {wrong[0]!r} line with too few numbers")
  pairs, triangles = np.unique(np.array(corners).reshape(-1, 2), axis=0, return_inverse=True)
  return Mesh(np.array(places)[pairs[:, 0]], triangles.reshape(-1, 3),
              np.array(textures)[pairs[:, 1]])


def _face(corners, n_places, n_textures):
  """The three (vertex, place in the texture) of a face, from 0."""
  if len(corners) != 3:
    raise ValueError(f"a face has {len(corners)} corners; split it into triangles")
  found = []
  for corner in corners:
    numbers = corner.split("/")
    if len(numbers) < 2 or not numbers[1]:
      raise ValueError("a corner has no place in the texture; write it as v/vt")
    pair = []
    for text, count in zip(numbers[:2], (n_places, n_textures)):
      # Numbers below 0 count from the last one read.
      index = int(text) - 1 if int(text) > 0 else count + int(text)
      if not 0 <= index < count:
        raise ValueError(f"it names number {text} of {count}")
      pair.append(index)
    found.append(pair)
  return found
