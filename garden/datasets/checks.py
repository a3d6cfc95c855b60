"""What pixels and labels must satisfy before a method sees them.

Each rule that is broken is a ValueError of one line: the value, the limit, the fix.
"""

from collections.abc import Sequence

import numpy as np

_LISTED = 10  # how many missing labels a message spells out


def unit_pixels(
  pixels: np.ndarray,
  names: Sequence[str],
  pixel_range: tuple[float, float] | None = None,
  allow_constant: bool = False,
) -> np.ndarray:
  """Checks pixels against their declared range [low, high] and maps it to [0, 1].

  Computes (x - low) / (high - low). The range is declared, never taken from the data: the
  weights of sum-type losses depend on it.

  Args:
    pixels: [N, h, w, c], any real dtype.
    names: N names, for messages.
    pixel_range: (low, high) as declared. None declares 0..255 for integers, 0..1 for floats
      and booleans.
    allow_constant: whether images of a single value may pass.

  Returns:
    [N, h, w, c] float32 in [0, 1].

  Raises:
    ValueError: if there is no image, a pixel is not a real finite number or lies outside the
      declared range, or an image is constant.

  Example:
    >>> unit_pixels(np.array([[[[0], [255]]]], np.uint8), ["a"]).ravel()
    array([0., 1.], dtype=float32)
  """
  pixels = np.asarray(pixels)
  if pixels.dtype.kind not in "buif":
    raise ValueError(f"pixels of dtype {pixels.dtype} are not real numbers: pass uint8 or float")
  if pixels.ndim != 4 or 0 in pixels.shape:
    raise ValueError(
      f"pixels have the shape {pixels.shape}, but [N, h, w, c] with none of them 0 is needed"
    )
  flat = pixels.reshape(len(pixels), -1)
  if pixels.dtype.kind == "f":
    _check_finite(flat, pixels.shape, names)
  low, high = pixel_range or ((0, 255) if pixels.dtype.kind in "iu" else (0, 1))
  if not low < high:
    raise ValueError(f"pixel_range=({low}, {high}) is empty: the first must be the smaller")
  for value, beyond in ((flat.min(), flat.min() < low), (flat.max(), flat.max() > high)):
    if beyond:
      name = names[int(np.argwhere((flat == value).any(axis=1))[0, 0])]
      raise ValueError(
        f"pixel value {value} in {name} is outside the declared range {low}..{high} of "
        f"{pixels.dtype} images: rescale the pixels, or declare another "
        "pixel_range = (low, high), in a config that of subspace.Source or transfer.Domain"
      )
  if not allow_constant:
    constant = np.flatnonzero(flat.min(axis=1) == flat.max(axis=1))
    if constant.size:
      raise ValueError(
        f"{constant.size} of {len(flat)} images are constant (all pixels equal), the first is "
        f"{names[constant[0]]}: remove them (in Python, allow_constant=True lets them pass)"
      )
  if (low, high) == (0, 1):
    return np.ascontiguousarray(pixels, dtype=np.float32)
  # float32 division rounds once, so k / 255 is the float32 nearest to it and k comes back.
  scaled = (pixels.astype(np.float32) - np.float32(low)) / np.float32(high - low)
  return np.clip(scaled, 0.0, 1.0)


def _check_finite(flat: np.ndarray, shape: tuple[int, ...], names: Sequence[str]):
  broken = ~np.isfinite(flat)
  count = int(broken.sum())
  if count:
    first = np.unravel_index(int(np.argmax(broken)), shape)
    index = ", ".join(str(int(k)) for k in first)
    raise ValueError(
      f"{count} pixels are NaN or infinite, the first at index [{index}] in "
      f"{names[first[0]]}: repair or remove these images"
    )


def contiguous_labels(labels: np.ndarray, count: int) -> tuple[np.ndarray, tuple[str, ...]]:
  """Maps labels to 0..K-1 and names the classes.

  Args:
    labels: [N] or [N, 1] whole numbers that run from 0 or 1 without a gap, or text.
    count: number of images, which N must equal.

  Returns:
    ([N] int64 in 0..K-1, K names: the labels as they were written).

  Raises:
    ValueError: if N differs from `count`, a label is not a whole number or is negative, or
      the labels have gaps.

  Example:
    >>> contiguous_labels(np.array([1, 2, 2]), 3)
    (array([0, 1, 1]), ('1', '2'))
  """
  labels = np.asarray(labels)
  if labels.size != count or max(labels.shape, default=0) != labels.size:
    raise ValueError(
      f"labels have the shape {labels.shape}, but there are {count} images: one label an "
      "image is needed"
    )
  labels = labels.reshape(-1)
  if labels.dtype.kind in "US":
    values, mapped = np.unique(labels.astype(str), return_inverse=True)
    return mapped.astype(np.int64), tuple(values.tolist())
  if labels.dtype.kind not in "buif" or not np.array_equal(labels, np.trunc(labels)):
    raise ValueError(
      f"labels of dtype {labels.dtype} are not whole numbers: number the classes 0..K-1"
    )
  labels = labels.astype(np.int64)
  values, mapped = np.unique(labels, return_inverse=True)
  if values[0] < 0:
    raise ValueError(f"label {values[0]} is negative: number the classes 0..K-1")
  # Bounded by the number of classes, so that one label of 10**12 doesn't fill the memory.
  present = set(values.tolist())
  expected = range(min(1, int(values[0])), int(values[-1]) + 1)
  gaps = len(expected) - len(present)
  if gaps:
    missing = []
    for value in expected:
      if value not in present:
        missing.append(str(value))
      if len(missing) == min(gaps, _LISTED):
        break
    more = f" and {gaps - len(missing)} more" if gaps > len(missing) else ""
    raise ValueError(
      f"labels run from {values[0]} to {values[-1]} with gaps, missing {', '.join(missing)}"
      f"{more}: renumber them 0..K-1, e.g. numpy.unique(labels, return_inverse=True)[1]"
    )
  return mapped.astype(np.int64), tuple(str(value) for value in values.tolist())
