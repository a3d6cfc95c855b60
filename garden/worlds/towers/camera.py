"""The pinhole camera of a scene in TensorFlow: rays, pixels, boxes around blocks.

The camera stands at target + distance * (cos e cos a, cos e sin a, sin e), e its elevation and
a its azimuth, and looks at the target, z up. With f forward, r right and s up (unit vectors) and
k = 2 tan(fovy / 2) / h metres a pixel at a depth of 1 m, the middle of the pixel in row i and
column j is seen along

    d = f + u r + v s,   u = k (j + 1/2 - w/2),   v = k (h/2 - i - 1/2)

so that a point o + t d has the depth t. Everything is differentiable in the camera's numbers.
"""

import collections.abc
import math
import operator

import tensorflow as tf

FIELDS = ("camera_azimuth", "camera_elevation", "camera_distance", "camera_fovy", "camera_target")
_NEAR = 1e-3  # m; points behind the camera are projected as if they were here


def tensors(scene, names):
  """The fields of a scene as tensors.

  Args:
    scene: mapping of arrays or tensors, as `Towers.arrays()` gives it.
    names: the fields to take.

  Returns:
    dict; `present` is bool, `color_class` int32, all else float32.

  Raises:
    ValueError: the scene is no mapping or lacks a field.
  """
  if not isinstance(scene, collections.abc.Mapping):
    raise ValueError(f"scene is a {type(scene).__name__}; give a dict of its fields, as "
                     "Towers.arrays() does")
  missing = [name for name in names if name not in scene]
  if missing:
    raise ValueError(f"scene lacks {', '.join(missing)}; give all fields of Towers.arrays()")
  dtypes = {"present": tf.bool, "color_class": tf.int32}
  return {name: tf.cast(scene[name], dtypes.get(name, tf.float32)) for name in names}


def unpack(camera):
  """The fields of cameras that are kept as numbers: `[N, 7]` -> dict of `FIELDS`.

  The seven are azimuth and elevation in radians, distance in metres, vertical field of view in
  degrees, target x, y, z in metres, as the set `block_towers` has them.

  Example:
    >>> sorted(unpack(tf.zeros([2, 7])))[0]
    'camera_azimuth'
  """
  numbers = {name: camera[:, k] for k, name in enumerate(FIELDS[:-1])}
  return {**numbers, FIELDS[-1]: camera[:, 4:7]}


def block_height(camera):
  """Height of a cube of 1 m where cameras look: `[N, 7]`, see `unpack`.

  Returns:
    `[N]`, in shares of a square picture.

  Example:
    >>> block_height(tf.constant([[0.0, 0.0, 5.0, 90.0, 0.0, 0.0, 0.0]]))[0]  # about .1
  """
  return 0.5 / (camera[:, 2] * tf.tan(camera[:, 3] * (math.pi / 360.0)))


def checked_size(image_size):
  """`image_size`, an int or (h, w), as `(h, w)` of at least 1, or ValueError."""
  pair = image_size if isinstance(image_size, tuple | list) else (image_size, image_size)
  try:
    size = tuple(operator.index(side) for side in pair)
  except TypeError:
    size = ()
  if len(size) != 2 or min(size) < 1:
    raise ValueError(f"image_size is {image_size!r}; give pixels as an int or (height, width), "
                     "each at least 1")
  return size


def view(scene):
  """Where the camera is and how it is turned.

  Args:
    scene: mapping with the fields `FIELDS`.

  Returns:
    origin: `[N, 3]`, metres.
    axes: `[N, 3, 3]`, rows are the unit vectors right, up and forward.
    slope: `[N]`, tan(fovy / 2).

  Raises:
    ValueError: the scene lacks a field.
  """
  fields = tensors(scene, FIELDS)
  azimuth, elevation = fields["camera_azimuth"], fields["camera_elevation"]
  cos_a, sin_a = tf.cos(azimuth), tf.sin(azimuth)
  cos_e, sin_e = tf.cos(elevation), tf.sin(elevation)
  away = tf.stack([cos_e * cos_a, cos_e * sin_a, sin_e], axis=-1)
  right = tf.stack([-sin_a, cos_a, tf.zeros_like(cos_a)], axis=-1)
  up = tf.stack([-sin_e * cos_a, -sin_e * sin_a, cos_e], axis=-1)
  origin = fields["camera_target"] + fields["camera_distance"][:, None] * away
  slope = tf.tan(fields["camera_fovy"] * (math.pi / 360.0))
  return origin, tf.stack([right, up, -away], axis=1), slope


def offsets(slope, size, window=None):
  """`(u [N, 1, w], v [N, h, 1])` of the pixels' middles.

  Args:
    slope: `[N]`, tan(fovy / 2).
    size: (h, w) in pixels.
    window: optional `[N, 4]`, y0, x0, y1, x1 in shares of a square picture: the part of it that
      the pixels show.
  """
  height, width = size
  down, across = (tf.range(side, dtype=tf.float32) + 0.5 for side in size)
  if window is None:
    scale = (2.0 / height) * slope[:, None, None]
    return (scale * (across - width / 2)[None, None, :], scale * (height / 2 - down)[None, :, None])
  y0, x0, y1, x1 = (window[:, k, None, None] for k in range(4))
  slope = slope[:, None, None]
  u = slope * (2.0 * (x0 + (x1 - x0) * (across / width)[None, None, :]) - 1.0)
  v = slope * (1.0 - 2.0 * (y0 + (y1 - y0) * (down / height)[None, :, None]))
  return u, v


def rays(scene, image_size):
  """Rays through the middles of the pixels.

  Args:
    scene: mapping with the fields `FIELDS`.
    image_size: pixels, an int or (h, w).

  Returns:
    origin: `[N, 3]`, metres.
    directions: `[N, h, w, 3]`, unit vectors.

  Raises:
    ValueError: the scene lacks a field, or a size is below 1.

  Example:
    >>> rays(towers.arrays(), 64)[1].shape
    TensorShape([8, 64, 64, 3])
  """
  size = checked_size(image_size)
  origin, axes, slope = view(scene)
  u, v = offsets(slope, size)
  right, up, forward = (axes[:, None, None, k] for k in range(3))
  return origin, tf.linalg.l2_normalize(
      forward + u[..., None] * right + v[..., None] * up, axis=-1)


def project(scene, points, image_size):
  """Where points are in the picture.

  Args:
    scene: mapping with the fields `FIELDS`.
    points: `[N, P, 3]`, metres.
    image_size: pixels, an int or (h, w).

  Returns:
    pixels: `[N, P, 2]`, x to the right and y down; the picture is [0, w] x [0, h], and the
      middle of its first pixel (.5, .5).
    depth: `[N, P]`, metres in front of the camera, along its axis; below 0 behind it, where
      pixels mean nothing.

  Raises:
    ValueError: the scene lacks a field, or a size is below 1.

  Example:
    >>> project(towers.arrays(), towers.position, 64)[0].shape
    TensorShape([8, 4, 2])
  """
  height, width = checked_size(image_size)
  origin, axes, slope = view(scene)
  points = tf.cast(points, tf.float32) - origin[:, None]
  seen = tf.einsum("nak,npk->npa", axes, points)
  depth = seen[..., 2]
  scale = height / 2 / (slope[:, None] * tf.maximum(depth, _NEAR))
  return tf.stack([width / 2 + scale * seen[..., 0], height / 2 - scale * seen[..., 1]],
                  axis=-1), depth


def rotation_matrix(rotation):
  """Matrices `[..., 3, 3]`, block to world, of quaternions `[..., 4]` of any length above 0."""
  w, x, y, z = tf.unstack(tf.linalg.l2_normalize(rotation, axis=-1), axis=-1)
  return tf.stack([
      tf.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
      tf.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
      tf.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1)], -2)


def corners(scene):
  """The blocks' corners `[N, B, 8, 3]` of a scene with `position`, `rotation` and `size`."""
  fields = tensors(scene, ("position", "rotation", "size"))
  signs = tf.constant([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
  local = fields["size"][:, :, None] * signs
  turned = tf.einsum("nbij,nbcj->nbci", rotation_matrix(fields["rotation"]), local)
  return fields["position"][:, :, None] + turned


def boxes(scene, image_size):
  """Boxes around the blocks in the picture, hidden parts and parts outside it included.

  Args:
    scene: mapping with the fields `FIELDS`, `present`, `position`, `rotation` and `size`.
    image_size: pixels, an int or (h, w).

  Returns:
    `[N, B, 4]` float32: y0, x0, y1, x1 in pixels, around the eight projected corners; zeros
    where there is no block.

  Raises:
    ValueError: the scene lacks a field, or a size is below 1.

  Example:
    >>> boxes(towers.arrays(), 64).shape
    TensorShape([8, 4, 4])
  """
  present = tensors(scene, ("present",))["present"]
  points = corners(scene)
  shape = tf.shape(points)
  pixels, _ = project(scene, tf.reshape(points, [shape[0], 8 * shape[1], 3]), image_size)
  pixels = tf.reshape(pixels[..., ::-1], [shape[0], shape[1], 8, 2])
  found = tf.concat([tf.reduce_min(pixels, axis=2), tf.reduce_max(pixels, axis=2)], axis=-1)
  return tf.where(present[..., None], found, tf.zeros_like(found))
