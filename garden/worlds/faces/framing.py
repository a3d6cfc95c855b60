"""A photograph of a face from any side, cut out as the renderer frames heads.

With X of the template turned by a yaw and u the named points in the photograph, y up,

    u = s R_2(roll) P X(yaw) + t

by least squares over the similarities of the plane. So a photographed profile, a rendered and a
simulated one have the head at one place; `crop` cuts the face out of such a picture.
"""

import numpy as np
import PIL.Image

from garden.worlds.faces import background as background_lib
from garden.worlds.faces import mesh as mesh_lib
from garden.worlds.faces import portrait as portrait_lib
from garden.worlds.faces import rasterizer
from garden.worlds.faces import renderer
from garden.worlds.faces import templates

_FACE = 1.9  # side of a crop, in units of a head; a whole picture has `renderer.SPAN`
_AHEAD, _BELOW = 0.35, 0.12  # of the face's middle from the head's


def frame(image, points, size, yaw):
  """A photograph as a picture of the renderer's.

  Args:
    image: `[h, w]`, `[h, w, 3]` or `[h, w, 4]` uint8, both sides at least 32.
    points: dict of name -> `[2 or 3]` x and y in pixels, see `points.named`; 6 or more. Points of
      one half alone are taken for those of the half that is seen.
    size: side of the picture in pixels.
    yaw: degrees that the face is turned by, about; above 0 it looks to the right of the image.

  Returns:
    `[size, size, 3]` uint8.

  Raises:
    ValueError: the image is too small, there are too few points, or they lie outside of it.

  Example:
    picture = frame(photograph, points, 64, yaw=75.0 * side(points))
  """
  image = portrait_lib.as_rgb(image)
  template = templates.built_in()
  names = [name for name in template.points if name in points]
  portrait_lib.check_points(names, template)
  spots = np.array([points[name] for name in names], np.float64)[:, :2]
  portrait_lib.check_inside(names, spots, image)
  one_half = not all(any(name.startswith(half) for name in names) for half in ("left_", "right_"))
  shown = [_seen_half(name, yaw) if one_half else name for name in names]
  anchors = np.array([template.points[name] for name in shown])
  flat = (anchors @ mesh_lib.rotation(yaw, 0.0).T)[:, :2] * [1, -1]
  inner = np.array([not name.endswith(templates.OUTLINE) for name in names])
  turn, offset = _similarity(flat[inner], spots[inner])
  image, border = background_lib.extended(image)
  step = renderer.SPAN / size
  small, factor = portrait_lib.reduced(image, np.linalg.norm(turn[:, 0]) * step)
  corner = offset + border - 0.5 * renderer.SPAN * turn.sum(axis=1)
  return rasterizer.sampled(small, turn * step / factor, corner / factor, (size, size))


def side(points):
  """Which way a face in profile looks by its points: 1 to the right of the image, -1 to the left.

  Args:
    points: dict as of `frame`, with the tip of the nose and the outer corner of an eye.

  Raises:
    ValueError: they aren't there.
  """
  eyes = [points[name][0] for name in ("left_eye_outer", "right_eye_outer") if name in points]
  if not eyes or "nose_tip" not in points:
    raise ValueError("the points have no nose_tip or no eye_outer, which tell where a face looks")
  return 1 if points["nose_tip"][0] >= np.mean(eyes) else -1


def crop(picture, yaw, size):
  """The face of a whole picture, from above the brows to the chin.

  Args:
    picture: `[s, s]` or `[s, s, c]` uint8, a picture of `renderer.SPAN`.
    yaw: degrees of the face.
    size: side of what is cut out, in pixels.

  Returns:
    `[size, size]` or `[size, size, c]` uint8.
  """
  pixels = len(picture) / renderer.SPAN
  x = 0.5 * len(picture) + pixels * _AHEAD * np.sin(np.radians(yaw))
  y, half = 0.5 * len(picture) + pixels * _BELOW, 0.5 * pixels * _FACE
  box = np.clip([x - half, y - half, x + half, y + half], 0.0, len(picture))
  flat = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
  cut = np.asarray(PIL.Image.fromarray(flat).resize([size, size], PIL.Image.BICUBIC, box=box))
  return cut.reshape(size, size, *picture.shape[2:])


def _seen_half(name, yaw):
  """A point's name on the half that is seen: with a yaw above 0 the right one."""
  half, _, rest = name.partition("_")
  if half not in ("left", "right"):
    return name
  return ("right_" if yaw >= 0 else "left_") + rest


def _similarity(start, end):
  """`(turn [2, 2], offset [2])` of the similarity that brings points to others best."""
  middle, other = start.mean(axis=0), end.mean(axis=0)
  a, b = start - middle, end - other
  # As complex numbers: end = (c + i d) start.
  norm = np.square(a).sum()
  c = (a * b).sum() / norm
  d = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / norm
  turn = np.array([[c, -d], [d, c]])
  return turn, other - turn @ middle
