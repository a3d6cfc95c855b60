"""What lies behind a head: filled in from what is seen around it."""

import numpy as np
from scipy import ndimage

from garden.worlds.faces import rasterizer

_BLUR = 2.0  # pixels; what is made up has no edges


def fill(image, known):
  """Fills the holes of a picture smoothly, by the method of push and pull.

  The picture is halved until nothing is unknown, each time by the mean of what is known; on the
  way back the unknown takes what the coarser picture has there.

  Args:
    image: `[h, w, 3]` float64.
    known: `[h, w]` float64, 1 where the picture is known to 0 where it isn't.

  Returns:
    `[h, w, 3]` float64; where `known` is 1 it's the image. Zeros if nothing is known.

  Example:
    >>> float(fill(np.ones([8, 8, 3]), np.eye(8)).min())
    1.0
  """
  height, width = known.shape
  if (known >= 1.0).all() or max(height, width) == 1:
    return image * known[..., np.newaxis]
  ends = [(0, height % 2), (0, width % 2)]
  weight = np.pad(known, ends)
  sums = _halved(np.pad(image, [*ends, (0, 0)]) * weight[..., np.newaxis])
  shares = _halved(weight[..., np.newaxis])
  coarse = np.divide(sums, shares, out=np.zeros_like(sums), where=shares > 0)
  coarse = fill(coarse, (shares[..., 0] > 0).astype(np.float64))
  fine = _doubled(_doubled(coarse, 0), 1)[:height, :width]
  return image * known[..., np.newaxis] + fine * (1.0 - known[..., np.newaxis])


def behind(image, mask):
  """The picture without what a mask covers, which is filled in and blurred.

  Args:
    image: `[h, w, 3]` float64.
    mask: `[h, w]` bool.

  Returns:
    `[h, w, 3]` float64.
  """
  filled = fill(image, 1.0 - mask)
  blurred = ndimage.gaussian_filter(filled, (_BLUR, _BLUR, 0.0), mode="nearest")
  share = ndimage.gaussian_filter(mask.astype(np.float64), 1.0, mode="nearest")[..., np.newaxis]
  return filled + np.maximum(share, mask[..., np.newaxis]) * (blurred - filled)


def extended(image):
  """A photograph with half of its size around it on each side, made up of its border's colours.

  Args:
    image: `[h, w, 3]` uint8.

  Returns:
    `(image [2h', 2w', 3] uint8, border [2])`, border the pixels x and y before the photograph.
  """
  height, width = image.shape[:2]
  down, across = height // 2, width // 2
  ends = [(down, down), (across, across)]
  step = max(1, min(height, width) // 48)  # what is made up needs few pixels
  small = np.pad(image, [*ends, (0, 0)], mode="edge")[step // 2::step, step // 2::step]
  known = np.pad(np.ones([height, width]), ends)[step // 2::step, step // 2::step]
  filled = ndimage.gaussian_filter(fill(small.astype(np.float64), known), (1.0, 1.0, 0.0))
  size = (height + 2 * down, width + 2 * across)
  made = rasterizer.sampled(np.round(filled).astype(np.uint8), np.eye(2) / step, (0.0, 0.0),
                            size).copy()
  made[down:down + height, across:across + width] = image
  return made, np.array([across, down], np.float64)


def _halved(image):
  """Sums of 2 x 2 pixels."""
  height, width, channels = image.shape
  return image.reshape(height // 2, 2, width // 2, 2, channels).sum(axis=(1, 3))


def _doubled(image, axis):
  """Twice as long along an axis, bilinear."""
  x = np.moveaxis(image, axis, 0)
  before, after = np.concatenate([x[:1], x[:-1]]), np.concatenate([x[1:], x[-1:]])
  both = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=1)
  return np.moveaxis(both.reshape(-1, *x.shape[1:]), 0, axis)
