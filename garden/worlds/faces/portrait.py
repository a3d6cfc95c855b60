"""A photograph of a face as a textured head, which turns to any side.

The head of a template is placed by the named points of the face: with X of the template and u in
the photograph, y up,

    u = s R_2 X + t    (scaled orthography)

by least squares, R_2 the first two rows of a turn. With fit="warp" the template then goes through
the points: each takes the place in space that its own depth and its place in the image give, and a
biharmonic spline in space moves the rest. Vertices take their colour where the photograph shows
them. What it can't show is smeared: sides and back take the colours of the outline, folded over it.

These are the errors that a refiner is to learn to repair: stretched hair and cheeks, no ears, the
photograph's light.
"""

import dataclasses
import functools

import numpy as np
import PIL.Image
from scipy import interpolate
from scipy import ndimage
from scipy import optimize

from garden.worlds.faces import background as background_lib
from garden.worlds.faces import mesh as mesh_lib
from garden.worlds.faces import rasterizer
from garden.worlds.faces import renderer
from garden.worlds.faces import templates

SEEN = 0.35  # z of a normal in the photograph, above which its colour can be trusted
_LEAST = 32  # pixels, of a side of an image
_MOST_YAW = 40.0  # degrees
# Of a turn this share is in the depths of found points: of faces of CFP turned by 20 to 50 degrees.
_DEPTH_SHARE = 0.88
# How far outside an image a point may lie, in shares of its longer side: CFP's reach .175, chins of
# faces cut tightly.
_OUTSIDE = 0.2
_SPREAD = 0.05  # of a point from where a template has it, in units of a head
_AHEAD = 15.0  # spread of yaw and pitch, degrees
_SMALL = 64  # pixels, side of the picture in which the background is filled


@dataclasses.dataclass(frozen=True)
class Portrait:
  """A textured head.

  Attributes:
    image: `[h, w, 3]` uint8, the photograph with what is made up around it.
    mesh: `mesh.Mesh` of the head, the face along z.
    texture: `[V, 2]` float64, where in the photograph the colour of each vertex is, in pixels.
    seen: `[V]` float64, z of each vertex's normal in the photograph.
    turn: `[3, 3]`, the turn of the head in the photograph.
    scale: pixels a unit of the head.
    offset: `[2]`, pixel of the head's middle in the photograph.
    closed: see `templates.Template`.
  """
  image: np.ndarray
  mesh: mesh_lib.Mesh
  texture: np.ndarray
  seen: np.ndarray
  turn: np.ndarray
  scale: float
  offset: np.ndarray
  closed: bool = True

  @property
  def pose(self):
    """`(yaw, pitch, roll)` of the head in the photograph, in degrees."""
    return _angles(self.turn)

  def render(self, yaw, pitch=0.0, size=224, background=None):
    """The head from a side.

    Args:
      yaw: degrees; 0 looks at the viewer, above 0 to the right of the image.
      pitch: degrees; above 0 it looks down.
      size: side of the picture in pixels, at least 8.
      background: RGB `[3]` or a picture `[size, size, 3]`, in 0..255; the photograph's own,
        filled in where the head was, when it is None.

    Returns:
      image: `[size, size, 3]` uint8.
      mask: `[size, size]` float32, the share of each pixel that is the head.
      visible: `[size, size]` float32, the share that the photograph shows well, see `SEEN`.

    Example:
      image, mask, visible = fit(photograph, landmarks).render(yaw=60)
    """
    samples = 2 if size < 160 else 1  # coarse pixels need more
    fine = samples * size
    triangles = self.mesh.triangles
    raster = rasterizer.rasterize(
        renderer.project(self.mesh.vertices, yaw, pitch, fine), triangles, (fine, fine),
        closed=self.closed)
    there = raster.mask
    told = raster.interpolate(triangles, np.column_stack([self.texture, self.seen]))
    behind = self.background(size) if background is None else np.broadcast_to(
        np.asarray(background, np.float64), (size, size, 3))
    image = np.array(behind, np.float32).repeat(samples, axis=0).repeat(samples, axis=1)
    photograph, factor = self._reduced(self.scale * renderer.SPAN / fine)
    image[there] = rasterizer.fetch(photograph, told[there][:, :2] / factor)
    blocks = (size, samples, size, samples)
    image = image.reshape(*blocks, 3).mean(axis=(1, 3))
    mask, visible = (share.reshape(blocks).mean(axis=(1, 3)).astype(np.float32)
                     for share in (there, there & (told[..., 2] > SEEN)))
    return np.clip(np.round(image), 0, 255).astype(np.uint8), mask, visible

  def background(self, size):
    """The photograph as the picture frames it, filled in where the head was: `[size, size, 3]`."""
    smooth, cover = (np.asarray(PIL.Image.fromarray(picture).resize(
        [size, size], PIL.Image.BILINEAR), np.float32) for picture in self._behind)
    sharp = self._framed(size).astype(np.float32)
    return sharp + cover[..., np.newaxis] / 255.0 * (smooth - sharp)

  @functools.cached_property
  def _behind(self):
    """The filled background in a small picture, and where the head was, 255 there; uint8."""
    frame = self._framed(_SMALL).astype(np.float64)
    turned = renderer.project(self.mesh.vertices @ self.turn.T, 0.0, 0.0, _SMALL)
    mask = rasterizer.rasterize(turned, self.mesh.triangles, (_SMALL, _SMALL)).mask
    mask = ndimage.binary_dilation(mask, iterations=3)
    filled = np.clip(np.round(background_lib.behind(frame, mask)), 0, 255).astype(np.uint8)
    return filled, 255 * mask.astype(np.uint8)

  def _framed(self, size):
    """The photograph as the unturned camera's picture frames it: `[size, size, 3]` uint8."""
    side = renderer.SPAN * self.scale
    photograph, factor = self._reduced(side / size)
    return rasterizer.sampled(photograph, np.eye(2) * side / size / factor,
                              (self.offset - 0.5 * side) / factor, (size, size))

  def _reduced(self, ratio):
    return reduced(self.image, ratio)


def reduced(image, ratio):
  """An image, smaller where its pixels are finer than a picture's by `ratio`, and how much."""
  factor = max(1, int(ratio))
  if factor == 1:
    return image, 1
  return np.asarray(PIL.Image.fromarray(image).reduce(factor)), factor


def fit(image, points, template=None, fit="warp"):
  """A photograph as a textured head.

  Args:
    image: `[h, w]`, `[h, w, 1]`, `[h, w, 3]` or `[h, w, 4]` uint8, both sides at least 32.
    points: dict of name -> `[2]` x and y in pixels, or `[3]` with depth, the smaller the nearer,
      see `points.named`; at least 6 of them.
    template: `templates.Template` or `morphable.Morphable`; the built-in head when None.
    fit: "warp", or "rigid", which leaves the template as it is.

  Returns:
    `Portrait`.

  Raises:
    ValueError: the image is too small or isn't one, a point lies outside of it, the points don't
      make a head, or the face is turned too far.

  Example:
    portrait = fit(photograph, named(detector(photograph).points))
  """
  image = as_rgb(image)
  template = (template or templates.built_in()).fitted(points)
  if fit not in ("warp", "rigid"):
    raise ValueError(f"fit is {fit!r}; it must be 'warp' or 'rigid'")
  names = [name for name in template.points if name in points]
  check_points(names, template)
  spots = np.array([points[name] for name in names], np.float64)
  check_inside(names, spots, image)
  anchors = np.array([template.points[name] for name in names])
  turn, scale, offset = place(anchors, spots[:, :2], spread(names))
  # In the plane a prior holds heads to the front: a photographed profile fits as 42 degrees.
  yaw = max(_angles(turn)[0], _yaw_by_depth(points), key=abs)
  if abs(yaw) > _MOST_YAW:
    raise ValueError(f"the face is already turned by {yaw:.0f} degrees; give a photograph from the "
                     f"front, at most {_MOST_YAW:.0f}")
  vertices = template.mesh.vertices
  if fit == "warp":
    vertices = _warped(vertices, names, anchors, _lifted(anchors, spots, turn, scale, offset))
  # Heads reach beyond tight crops.
  image, border = background_lib.extended(image)
  offset = offset + border
  turned = vertices @ turn.T
  seen_at = offset + scale * turned[:, :2] * [1, -1]
  index, weight = template.folding
  mesh = dataclasses.replace(template.mesh, vertices=vertices)
  return Portrait(image, mesh, (seen_at[index] * weight[..., np.newaxis]).sum(axis=1),
                  mesh.normals @ turn[2], turn, scale, offset, template.closed)


def as_rgb(image):
  """A grey, RGB or RGBA image as RGB, `[h, w, 3]` uint8; RGBA is laid on white.

  Raises:
    ValueError: it is no such image, or a side is under 32 pixels.
  """
  image = np.asarray(image)
  if image.dtype != np.uint8 or image.ndim not in (2, 3) or (
      image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
    raise ValueError(f"image is {image.dtype} {image.shape}; give uint8 [h, w, 3], grey or RGBA")
  if min(image.shape[:2]) < _LEAST:
    raise ValueError(f"image is {image.shape[1]} x {image.shape[0]} pixels; both sides must have "
                     f"at least {_LEAST}")
  if image.ndim == 2:
    image = image[..., np.newaxis]
  if image.shape[2] == 4:
    share = image[..., 3:] / 255.0
    return np.round(255.0 + share * (image[..., :3] - 255.0)).astype(np.uint8)
  return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


def check_points(names, template):
  """Raises a ValueError unless enough of a template's points are named."""
  if len(names) < 6:
    raise ValueError(f"{len(names)} of the named points are given; a head needs 6 or more of "
                     f"{', '.join(template.points)}")


def check_inside(names, spots, image):
  """Raises a ValueError where a point is far outside of the image."""
  height, width = image.shape[:2]
  room = _OUTSIDE * max(height, width)
  outside = ~((spots[:, :2] >= -room) & (spots[:, :2] <= [width + room, height + room])).all(axis=1)
  if outside.any():
    k = outside.argmax()
    raise ValueError(f"landmark {names[k]} is at ({spots[k, 0]:.0f}, {spots[k, 1]:.0f}), outside "
                     f"of the image of {width} x {height}; are these another image's landmarks?")


def spread(names):
  """How far points may be off from where a template has them, `[P]`, in units of a head.

  Those of an outline, which after a turn lie elsewhere on the head, five times as far.
  """
  return np.array([_SPREAD * (5.0 if name.endswith(templates.OUTLINE) else 1.0) for name in names])


def place(anchors, spots, spread):
  """Turn, scale and offset of the scaled orthography that brings anchors to their places.

  Faces differ, and heads in photographs mostly look ahead: points are known to within `spread`,
  yaw and pitch to within 15 degrees. That settles what the points of one half of a face can't.

  Args:
    anchors: `[P, 3]`, in units of a head.
    spots: `[P, 2]`, where they are in the photograph, in pixels.
    spread: `[P]`, how far each may be off, in units of a head.

  Returns:
    `(turn [3, 3], scale, offset [2])`, see the module.

  Raises:
    ValueError: the points lie on a line.
  """
  middle = spots.mean(axis=0)
  across = np.linalg.svd(spots - middle, compute_uv=False)
  if across[1] < 1e-3 * max(across[0], 1.0):
    raise ValueError("the landmarks lie on a line or in a point; mark the face again")
  size = np.linalg.norm(anchors[:, :2] - anchors[:, :2].mean(axis=0))
  first = np.linalg.norm(spots - middle) / size
  center = middle - first * anchors[:, :2].mean(axis=0) * [1, -1]

  def wrong(numbers):
    turn = mesh_lib.rotation(*numbers[:3])
    found = numbers[4:] + numbers[3] * (anchors @ turn.T)[:, :2] * [1, -1]
    return np.concatenate([((found - spots) / (first * spread[:, np.newaxis])).ravel(),
                           numbers[:2] / _AHEAD])

  solved = optimize.least_squares(wrong, [0.0, 0.0, 0.0, first, *center], x_scale=[
      1.0, 1.0, 1.0, 0.1 * first, first, first]).x
  return mesh_lib.rotation(*solved[:3]), solved[3], solved[4:]


def _yaw_by_depth(points):
  """Degrees by which points with depth are turned, 0 where they have none."""
  pairs = [(spot, points["right" + name[4:]]) for name, spot in points.items()
           if name.startswith("left") and "right" + name[4:] in points and len(spot) == 3]
  if not pairs:
    return 0.0
  x, y, depth = np.sum([np.subtract(left, right) for left, right in pairs], axis=0)
  return float(np.degrees(np.arctan2(depth, np.hypot(x, y)))) / _DEPTH_SHARE


def _lifted(anchors, spots, turn, scale, offset):
  """Places in the head's space of points of the image, at their own or their anchors' depth."""
  flat = (spots[:, :2] - offset) / scale * [1, -1]
  depth = anchors @ turn[2]
  if spots.shape[1] == 3:
    own = -spots[:, 2] / scale
    depth = own - own.mean() + depth.mean()
  return np.column_stack([flat, depth]) @ turn


def _warped(vertices, names, anchors, places):
  """Vertices after the spline that takes anchors to their places; one side alone is mirrored."""
  moves = dict(zip(names, zip(anchors, places - anchors)))
  for name in names:
    side, _, rest = name.partition("_")
    other = {"left": "right", "right": "left"}.get(side)
    if other and f"{other}_{rest}" not in moves:
      moves[f"{other}_{rest}"] = tuple(value * [-1, 1, 1] for value in moves[name])
  at, by = (np.array(values) for values in zip(*moves.values()))
  return vertices + interpolate.RBFInterpolator(at, by, kernel="linear", degree=1)(vertices)


def _angles(turn):
  """`(yaw, pitch, roll)` in degrees of a turn, see `mesh.rotation`."""
  pitch = -np.arcsin(np.clip(turn[1, 2], -1.0, 1.0))
  yaw = np.arctan2(turn[0, 2], turn[2, 2])
  roll = np.arctan2(turn[1, 0], turn[1, 1])
  return tuple(float(angle) for angle in np.degrees([yaw, pitch, roll]))
