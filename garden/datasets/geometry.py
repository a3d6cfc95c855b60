"""The form of images as arrays: flattened rows made upright, grey and colour, sizes."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

# ITU-R 601 luma, as Pillow's convert("L"), so that arrays and files turn grey alike.
_LUMA = np.array([0.299, 0.587, 0.114])


def unflatten(rows: np.ndarray, image_size: Sequence[int] | None, column_major: bool) -> np.ndarray:
  """Makes upright images of flattened rows.

  Args:
    rows: [N, d].
    image_size: (height, width[, channels]) with product d; None takes square grey images.
    column_major: whether a row runs down the columns first (MATLAB) or along the rows.

  Returns:
    [N, height, width, channels] of the same dtype.

  Raises:
    ValueError: if d is not the product of `image_size`, or no square without it.

  Example:
    >>> unflatten(np.array([[0, 1, 2, 3]]), (2, 2), column_major=True)[0, ..., 0]
    array([[0, 2],
           [1, 3]])
  """
  length = rows.shape[1]
  if image_size is None:
    side = math.isqrt(length)
    if side * side != length:
      raise ValueError(f"rows of {length} pixels are not square: pass image_size=(height, width)")
    image_size = (side, side)
  if len(image_size) not in (2, 3) or math.prod(image_size) != length:
    raise ValueError(
      f"image_size={tuple(image_size)} has {math.prod(image_size)} pixels but the rows have "
      f"{length}: pass (height, width) or (height, width, channels) with that product"
    )
  height, width, depth = (*image_size, 1)[:3]
  if column_major:
    return rows.reshape(-1, depth, width, height).transpose(0, 3, 2, 1)
  return rows.reshape(-1, height, width, depth)


def with_channels(pixels: np.ndarray, channels: int | None) -> np.ndarray:
  """Turns colour into grey (ITU-R 601 luma) or grey into three equal channels.

  Args:
    pixels: [N, h, w, c] float32 in [0, 1].
    channels: 1 or 3; None leaves them as they are.

  Returns:
    [N, h, w, channels] float32 in [0, 1].

  Raises:
    ValueError: if c and `channels` are not 1 or 3.

  Example:
    >>> with_channels(np.ones([1, 2, 2, 3], np.float32), 1).shape
    (1, 2, 2, 1)
  """
  depth = pixels.shape[-1]
  if channels in (None, depth):
    return pixels
  if (depth, channels) == (1, 3):
    return np.repeat(pixels, 3, axis=-1)
  if (depth, channels) == (3, 1):
    return np.clip(pixels @ _LUMA, 0.0, 1.0).astype(np.float32)[..., None]
  raise ValueError(
    f"images have {depth} channels, and only 1 and 3 turn into {channels}: pick the channels "
    "before saving"
  )


def resize(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """Resizes one image, bicubic with antialiasing (the filter widens when shrinking).

  Args:
    pixels: [h, w, c], any real dtype, any range.
    size: (height, width) wanted, in pixels.

  Returns:
    [*size, c] of the same dtype. Overshoot at edges is cut back to the image's own range,
    so a declared pixel range still holds.

  Example:
    >>> resize(np.zeros([112, 92, 1], np.uint8), (32, 32)).shape
    (32, 32, 1)
  """
  if pixels.shape[:2] == tuple(size):
    return pixels
  exact = pixels.dtype == np.uint8  # Pillow's 8-bit path rounds and cuts by itself
  planes = pixels if exact else pixels.astype(np.float32)
  shrunk = np.stack(
    [
      np.asarray(
        Image.fromarray(np.ascontiguousarray(planes[..., k])).resize(
          (size[1], size[0]), Image.Resampling.BICUBIC
        )
      )
      for k in range(pixels.shape[-1])
    ],
    axis=-1,
  )
  if exact:
    return shrunk
  shrunk = np.clip(shrunk, planes.min(), planes.max())
  return (np.rint(shrunk) if pixels.dtype.kind in "iu" else shrunk).astype(pixels.dtype)
