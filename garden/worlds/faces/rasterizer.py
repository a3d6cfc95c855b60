"""Which triangle each pixel shows: a z-buffer in NumPy, without a loop over triangles.

Every pixel of every triangle's bounding box is listed, kept if its barycentric coordinates

    w_0 + w_1 + w_2 = 1,   p = w_0 a + w_1 b + w_2 c

are all at least 0, and written in the order of depth, the nearest last. Projection is orthographic:
what is far isn't smaller, which fits heads seen from a few metres.
"""

import dataclasses

import numpy as np
import PIL.Image

_EDGE = 1e-9  # of a weight; a pixel on the edge of two triangles belongs to both
_FLAT = 1e-12  # pixels squared; triangles smaller than that show nothing


@dataclasses.dataclass(frozen=True)
class Raster:
  """What the pixels of a picture show.

  Attributes:
    triangle: `[h, w]` int, -1 where there is none.
    weights: `[h, w, 3]` float64, the barycentric coordinates in it, zeros where there is none.
    depth: `[h, w]` float64, the greater the nearer, -inf where there is none.
  """
  triangle: np.ndarray
  weights: np.ndarray
  depth: np.ndarray

  @property
  def mask(self):
    """`[h, w]` bool, where there is a triangle."""
    return self.triangle >= 0

  def interpolate(self, triangles, values):
    """Values of vertices at the pixels.

    Args:
      triangles: `[T, 3]` int, those that were rasterized.
      values: `[V, k]`.

    Returns:
      `[h, w, k]` float64, zeros where there is no triangle.
    """
    there = self.mask
    corners, weights = triangles[self.triangle[there]], self.weights[there]
    told = np.zeros((*there.shape, values.shape[1]))
    told[there] = sum(weights[:, k, np.newaxis] * values[corners[:, k]] for k in range(3))
    return told


def rasterize(points, triangles, size, closed=False):
  """The nearest triangle of each pixel.

  Args:
    points: `[V, 3]`: x to the right and y down in pixels, (.5, .5) the middle of the first; and
      depth, the greater the nearer.
    triangles: `[T, 3]` int.
    size: (h, w) in pixels.
    closed: whether nothing is seen from behind, so that triangles that face away, whose corners
      run clockwise, are left out at once.

  Returns:
    `Raster`.

  Raises:
    ValueError: a point isn't finite.

  Example:
    >>> square = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [4, 4, 0.0]])
    >>> rasterize(square, grid(2, 2, closed=False), (4, 4)).mask.all()
    True
  """
  if not np.isfinite(points).all():
    raise ValueError("a vertex isn't finite; rasterize finite points alone")
  height, width = size
  # One number at a time: NumPy is slow along axes of two or three.
  x, y, z = (points[:, k][triangles].T for k in range(3))  # [3 corners, T]
  area = _doubled_area(x, y)
  seen = np.flatnonzero(-area > _FLAT if closed else np.abs(area) > _FLAT)  # y points down
  x, y, z, area = x[:, seen], y[:, seen], z[:, seen], area[seen]
  left, right = _span(x, width)
  top, bottom = _span(y, height)
  wide = np.maximum(right - left + 1, 0)
  count = wide * np.maximum(bottom - top + 1, 0)
  which = np.repeat(np.arange(len(seen)), count)
  number = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
  row = number // wide[which]
  column = left[which] + number - row * wide[which]
  row += top[which]
  # A weight is linear in the picture: w = x_share * column + y_share * row + constant.
  weights = []
  for k in range(2):
    j, i = (k + 1) % 3, (k + 2) % 3
    across, down = (y[j] - y[i]) / area, (x[i] - x[j]) / area
    least = 0.5 * (across + down) - across * x[i] - down * y[i]
    weights.append(across[which] * column + down[which] * row + least[which])
  weights.append(1.0 - weights[0] - weights[1])
  inside = np.flatnonzero((weights[0] >= -_EDGE) & (weights[1] >= -_EDGE) & (weights[2] >= -_EDGE))
  which, weights = which[inside], [weight[inside] for weight in weights]
  pixel = row[inside] * width + column[inside]
  depth = sum(weight * z[k][which] for k, weight in enumerate(weights))
  # Of the fragments of a pixel the last one in this order stays.
  order = np.argsort(depth, kind="stable")
  last = np.full(height * width, -1)
  last[pixel[order]] = order
  some = last >= 0
  told = last[some]
  triangle = np.full(height * width, -1)
  triangle[some] = seen[which[told]]
  shares = np.zeros((height * width, 3))
  shares[some] = np.stack([weight[told] for weight in weights], axis=1)
  depths = np.full(height * width, -np.inf)
  depths[some] = depth[told]
  return Raster(triangle.reshape(size), shares.reshape(height, width, 3), depths.reshape(size))


def fetch(image, spots):
  """Colours of a picture between its pixels, bilinear; outside the nearest one's.

  Args:
    image: `[h, w, 3]`.
    spots: `[..., 2]`, x and y in pixels, (.5, .5) the middle of the first.

  Returns:
    `[..., 3]` float32.
  """
  height, width = image.shape[:2]
  x = np.clip(spots[..., 0] - 0.5, 0.0, width - 1.0)
  y = np.clip(spots[..., 1] - 0.5, 0.0, height - 1.0)
  left, top = x.astype(np.int64), y.astype(np.int64)
  right = np.minimum(left + 1, width - 1) - left
  down = (np.minimum(top + 1, height - 1) - top) * width
  x, y = ((share - whole).astype(np.float32)[..., np.newaxis]
          for share, whole in ((x, left), (y, top)))
  # One index into rows of pixels is several times faster than two into the picture.
  flat, here = image.reshape(height * width, -1), top * width + left
  upper = (1 - x) * flat.take(here, axis=0) + x * flat.take(here + right, axis=0)
  lower = (1 - x) * flat.take(here + down, axis=0) + x * flat.take(here + down + right, axis=0)
  return upper + y * (lower - upper)


def sampled(image, turn, offset, size):
  """A picture on a grid of places, bilinear; outside the nearest colour. The fast way of `fetch`.

  Args:
    image: `[h, w]` or `[h, w, 3]` uint8.
    turn: `[2, 2]`.
    offset: `[2]`; pixel (x, y) of the result, (.5, .5) the first one, is `turn @ (x, y) + offset`.
    size: (h, w) of the result.

  Returns:
    `[h, w]` or `[h, w, 3]` uint8.
  """
  turn, offset = np.asarray(turn, np.float64), np.asarray(offset, np.float64)
  height, width = size
  corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ turn.T + offset
  # Pillow has black outside.
  low = np.maximum(np.ceil(1.0 - corners.min(axis=0)), 0).astype(int)
  high = np.maximum(np.ceil(corners.max(axis=0) + 1.0 - image.shape[1::-1]), 0).astype(int)
  if low.any() or high.any():
    image = np.pad(image, [(low[1], high[1]), (low[0], high[0])] + [(0, 0)] * (image.ndim - 2),
                   mode="edge")
    offset = offset + low
  (a, b), (d, e) = turn
  return np.asarray(PIL.Image.fromarray(image).transform(
      (width, height), PIL.Image.AFFINE, (a, b, offset[0], d, e, offset[1]),
      resample=PIL.Image.BILINEAR))


def _doubled_area(x, y):
  """Twice the area of triangles, above 0 where corners run to the right and then down."""
  return (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])


def _span(numbers, most):
  """First and last pixel whose middle lies between three numbers, cut at a picture's ends."""
  low = np.minimum(np.minimum(numbers[0], numbers[1]), numbers[2])
  high = np.maximum(np.maximum(numbers[0], numbers[1]), numbers[2])
  return (np.maximum(np.ceil(low - 0.5).astype(np.int64), 0),
          np.minimum(np.floor(high - 0.5).astype(np.int64), most - 1))
