"""A photograph of a face from any side, cut out as the renderer frames heads.

With X of the template turned by a yaw and u the named points in the photograph, y up,

    u = s R_2(roll) P X(yaw) + t

by least squares over a similarity of the plane, for each of some yaws; the yaw of the least error
is taken. So a photographed profile, a rendered and a simulated one have the head at one place.
"""

import numpy as np

from garden.worlds.faces import background as background_lib
from garden.worlds.faces import mesh as mesh_lib
from garden.worlds.faces import portrait as portrait_lib
from garden.worlds.faces import rasterizer
from garden.worlds.faces import renderer

_YAWS = np.arange(-90.0, 90.1, 5.0)
_HALF = ("left_", "right_")


def frame(image, points, size):
  """A photograph as a picture of the renderer's.

  Args:
    image: `[h, w]`, `[h, w, 3]` or `[h, w, 4]` uint8, both sides at least 32.
    points: dict of name -> `[2 or 3]` x and y in pixels, see `points.named`; 6 or more. Points of
      one half alone are taken for those of the half that is seen.
    size: side of the picture in pixels.

  Returns:
    `(picture [size, size, 3] uint8, yaw)`, yaw in degrees, above 0 the face looks to the right.

  Raises:
    ValueError: the image is too small, there are too few points, or they lie outside of it.

  Example:
    picture, yaw = frame(photograph, named(read("01.txt")), 64)
  """
  image = portrait_lib.as_rgb(image)
  template = portrait_lib.built_in()
  names = [name for name in template.points if name in points]
  if len(names) < 6:
    raise ValueError(f"{len(names)} of the named points are given; a head needs 6 or more of "
                     f"{', '.join(template.points)}")
  spots = np.array([points[name] for name in names], np.float64)[:, :2]
  portrait_lib.check_inside(names, spots, image)
  one_half = not all(any(name.startswith(side) for name in names) for side in _HALF)
  best = None
  for yaw in _YAWS:
    shown = [_seen_half(name, yaw) if one_half else name for name in names]
    anchors = np.array([template.points[name] for name in shown])
    flat = (anchors @ mesh_lib.rotation(yaw, 0.0).T)[:, :2] * [1, -1]
    found = _similarity(flat, spots)
    if best is None or found[0] < best[0]:
      best = (*found, yaw)
  _, turn, offset, yaw = best
  steps = ((np.arange(size) + 0.5) / size - 0.5) * renderer.SPAN
  spots = np.stack(np.meshgrid(steps, steps), axis=-1) @ turn.T + offset
  image, border = background_lib.extended(image)
  pixel = np.linalg.norm(turn[:, 0]) * renderer.SPAN / size
  small, reduced = portrait_lib.reduced(image, pixel)
  picture = rasterizer.fetch(small, (spots + border) / reduced)
  return np.clip(np.round(picture), 0, 255).astype(np.uint8), float(yaw)


def _seen_half(name, yaw):
  """A point's name on the half that is seen: with a yaw above 0 the right one."""
  side, _, rest = name.partition("_")
  if side not in ("left", "right"):
    return name
  return ("right_" if yaw >= 0 else "left_") + rest


def _similarity(start, end):
  """`(error, turn [2, 2], offset [2])` of the similarity that brings points to others best."""
  middle, other = start.mean(axis=0), end.mean(axis=0)
  a, b = start - middle, end - other
  # As complex numbers: end = (c + i d) start.
  norm = max(np.square(a).sum(), 1e-12)
  c = (a * b).sum() / norm
  d = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / norm
  turn = np.array([[c, -d], [d, c]])
  off = b - a @ turn.T
  # In units of the head: a small scale must not win.
  error = np.square(off).sum() / max(c * c + d * d, 1e-12)
  return error, turn, other - turn @ middle
