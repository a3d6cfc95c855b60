"""`Images`, the form in which every image set reaches a method, and readers of a user's own.

`read(path)` picks by what the path is: a folder of image files, a MATLAB .mat, a NumPy .npz.
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from garden.datasets import checks
from garden.datasets import files
from garden.datasets import geometry


@dataclasses.dataclass(frozen=True, eq=False)
class Images:
  """A set of equal-sized images.

  Attributes:
    pixels: [N, h, w, c] float32 in [0, 1], upright, row-major.
    labels: [N] int64 in 0..K-1, or None.
    class_names: K names; empty without labels.
    names: N names (files or rows), in the order of the source.

  Raises:
    ValueError: if the shapes, dtypes or lengths don't fit together.

  Example:
    >>> Images(np.zeros([2, 8, 8, 1], np.float32), None, (), ("a", "b")).size
    (8, 8)
  """

  pixels: np.ndarray
  labels: np.ndarray | None
  class_names: tuple[str, ...]
  names: tuple[str, ...]

  def __post_init__(self):
    if self.pixels.ndim != 4 or self.pixels.dtype != np.float32:
      raise ValueError(
        f"pixels are {self.pixels.dtype} {self.pixels.shape}: float32 [N, h, w, c] is needed"
      )
    if len(self.names) != len(self.pixels):
      raise ValueError(f"{len(self.names)} names for {len(self.pixels)} images: give one each")
    if self.labels is None:
      return
    if self.labels.shape != (len(self.pixels),) or self.labels.dtype != np.int64:
      raise ValueError(
        f"labels are {self.labels.dtype} {self.labels.shape}: int64 [{len(self.pixels)}] is needed"
      )
    if self.labels.size and not 0 <= self.labels.min() <= self.labels.max() < self.num_classes:
      raise ValueError(
        f"labels run from {self.labels.min()} to {self.labels.max()} but there are "
        f"{self.num_classes} class names: give labels in 0..K-1 and K names"
      )

  def __len__(self) -> int:
    return len(self.pixels)

  @property
  def size(self) -> tuple[int, int]:
    """(height, width) in pixels."""
    return self.pixels.shape[1], self.pixels.shape[2]

  @property
  def num_classes(self) -> int:
    """K; 0 without labels."""
    return len(self.class_names)

  def take(self, index: np.ndarray | slice) -> "Images":
    """The images at `index`, in its order; class numbers stay those of the whole set.

    Args:
      index: [M] int positions, [N] bool mask, or a slice.

    Returns:
      M images.

    Example:
      >>> Images(np.zeros([2, 8, 8, 1], np.float32), None, (), ("a", "b")).take([1]).names
      ('b',)
    """
    rows = np.arange(len(self))[index]
    return Images(
      self.pixels[rows],
      None if self.labels is None else self.labels[rows],
      self.class_names,
      tuple(self.names[row] for row in rows),
    )


def read(
  path: str | os.PathLike,
  *,
  size: tuple[int, int] | None = None,
  channels: int = 1,
  image_key: str | None = None,
  label_key: str | None = None,
  image_size: tuple[int, ...] | None = None,
  column_major: bool | None = None,
  pixel_range: tuple[float, float] | None = None,
  allow_constant: bool = False,
) -> Images:
  """Reads images from a folder, a .mat or a .npz file, whichever `path` is.

  Args:
    path: folder or file.
    size: (height, width) to resize to; None keeps the images' own, which must be one.
    channels: 1 (grey) or 3 (RGB).
    image_key: name of the array; None stands for 'fea' in a .mat and 'images' in a .npz.
    label_key: likewise; None stands for 'gnd' and 'labels', '' for no labels.
    image_size: (height, width[, channels]) of rows that are flattened images.
    column_major: whether such rows run down the columns; None stands for True in a .mat.
    pixel_range: (low, high) declared; None declares 0..255 for integers, 0..1 for floats.
    allow_constant: whether images of a single value may pass.

  Returns:
    The images.

  Raises:
    ValueError: as the reader that it picks, or if `path` is none of the three.

  Example:
    >>> read("my_images", size=(32, 32)).pixels.shape
    (120, 32, 32, 1)
  """
  common = {
    "size": size,
    "channels": channels,
    "pixel_range": pixel_range,
    "allow_constant": allow_constant,
  }
  rows = {
    "image_key": image_key,
    "label_key": label_key,
    "image_size": image_size,
    "column_major": column_major,
  }
  rows = {key: value for key, value in rows.items() if value is not None}
  suffix = os.path.splitext(path)[1].lower()
  if os.path.isdir(os.path.expanduser(path)):
    if rows:
      raise ValueError(f"{path} is a folder, which {', '.join(rows)} can't apply to: drop them")
    return read_folder(path, **common)
  if suffix == ".mat":
    return read_mat(path, **common, **rows)
  if suffix == ".npz":
    return read_npz(path, **common, **rows)
  files.existing(path, folder=False)
  raise ValueError(f"{path} has the suffix {suffix!r}: pass a folder, a .mat or a .npz file")


def read_folder(
  path: str | os.PathLike,
  size: tuple[int, int] | None = None,
  channels: int = 1,
  pixel_range: tuple[float, float] | None = None,
  allow_constant: bool = False,
) -> Images:
  """Reads all image files below a folder, in natural order (`s2` before `s10`).

  If all of them lie in two or more sub-folders, those are the classes; otherwise there are
  no labels. A folder that holds nothing but one folder is looked through.

  Args:
    path: the folder.
    size: (height, width) to resize to (bicubic); None needs images of one size.
    channels: 1 (grey) or 3 (RGB).
    pixel_range: (low, high) declared; None declares 0..255.
    allow_constant: whether images of a single value may pass.

  Returns:
    The images; `names` are paths relative to the folder.

  Raises:
    ValueError: if the folder is missing or holds no image, a file can't be decoded, sizes or
      bit depths differ, or a pixel is outside the declared range.

  Example:
    >>> read_folder("faces", size=(32, 32)).class_names
    ('s1', 's2', 's10')
  """
  _check_wanted(size, channels)
  root = files.existing(path, folder=True)
  names = [name for name in files.walk(root) if name.lower().endswith(files.IMAGE_SUFFIXES)]
  if not names:
    raise ValueError(
      f"{root} holds no image: put files with the suffix {', '.join(files.IMAGE_SUFFIXES)} into it"
    )
  images = []
  for name in names:
    image = files.read_image(root / name, channels)
    if size is None and images and image.shape != images[0].shape:
      raise ValueError(
        f"{root / names[0]} is {_by(images[0])} but {root / name} is {_by(image)} (height x "
        "width): images of one size are needed, resize them with size=(height, width) (a config's "
        "IMAGE_SIZE)"
      )
    if images and image.dtype != images[0].dtype:
      raise ValueError(
        f"{root / names[0]} is {images[0].dtype} but {root / name} is {image.dtype}: save "
        "all of them with the same bit depth"
      )
    images.append(image if size is None else geometry.resize(image, size))
  pixels = checks.unit_pixels(np.stack(images), names, pixel_range, allow_constant)
  labels, class_names = _folder_labels(names)
  return Images(pixels, labels, class_names, tuple(names))


def read_mat(
  path: str | os.PathLike,
  image_key: str = "fea",
  label_key: str | None = "gnd",
  image_size: tuple[int, ...] | None = None,
  column_major: bool = True,
  pixel_range: tuple[float, float] | None = None,
  allow_constant: bool = False,
  size: tuple[int, int] | None = None,
  channels: int | None = None,
) -> Images:
  """Reads images from a MATLAB .mat file (up to version 7.2).

  Args:
    path: the file.
    image_key: name of the images: [N, d] rows, or [N, h, w], or [N, h, w, c].
    label_key: name of the labels, [N] or [N, 1]; None or '' for no labels.
    image_size: (height, width[, channels]) of [N, d] rows; None takes them as square, grey.
    column_major: whether [N, d] rows run down the columns first, as MATLAB's x(:) does. If
      False, or if the upright images then lie on their side, the file is row-major.
    pixel_range: (low, high) declared; None declares 0..255 for integers, 0..1 for floats.
    allow_constant: whether images of a single value may pass.
    size: (height, width) to resize to; None keeps the images' own.
    channels: 1 (grey) or 3 (RGB); None keeps the images' own.

  Returns:
    The images; `names` are 'file:row'.

  Raises:
    ValueError: if the file is missing, unreadable, HDF5 or without the keys, the rows don't
      fit `image_size`, or pixels or labels break a rule of `garden.datasets.checks`.

  Example:
    >>> read_mat("ORL_32x32.mat").pixels.shape
    (400, 32, 32, 1)
  """
  arrays = files.read_arrays(path, [key for key in (image_key, label_key) if key])
  return _from_arrays(
    path,
    arrays,
    image_key,
    label_key,
    image_size,
    column_major,
    pixel_range,
    allow_constant,
    size,
    channels,
  )


def read_npz(
  path: str | os.PathLike,
  image_key: str = "images",
  label_key: str | None = "labels",
  image_size: tuple[int, ...] | None = None,
  column_major: bool = False,
  pixel_range: tuple[float, float] | None = None,
  allow_constant: bool = False,
  size: tuple[int, int] | None = None,
  channels: int | None = None,
) -> Images:
  """Reads images from a NumPy .npz file; pickled objects are refused.

  Args, Returns and Raises are those of `read_mat`, but the keys have NumPy's usual names and
  flattened rows are row-major unless said otherwise.

  Example:
    >>> read_npz("digits.npz", image_key="x", label_key=None).labels is None
    True
  """
  arrays = files.read_arrays(path, [key for key in (image_key, label_key) if key])
  return _from_arrays(
    path,
    arrays,
    image_key,
    label_key,
    image_size,
    column_major,
    pixel_range,
    allow_constant,
    size,
    channels,
  )


def _from_arrays(
  path,
  arrays,
  image_key,
  label_key,
  image_size,
  column_major,
  pixel_range,
  allow_constant,
  size,
  channels,
) -> Images:
  """Checks and shapes the arrays of a .mat or .npz file; arguments as in `read_mat`."""
  _check_wanted(size, channels)
  pixels = np.asarray(arrays[image_key])
  if pixels.ndim not in (2, 3, 4) or pixels.size == 0:
    raise ValueError(
      f"{image_key!r} of {path} has the shape {pixels.shape}: [N, d], [N, h, w] or "
      "[N, h, w, c] with at least one image is needed"
    )
  if pixels.ndim == 2:
    pixels = geometry.unflatten(pixels, image_size, column_major)
  elif image_size is not None and tuple(image_size) != pixels.shape[1 : 1 + len(image_size)]:
    raise ValueError(
      f"image_size={tuple(image_size)} but {image_key!r} of {path} has the shape "
      f"{pixels.shape}: drop image_size, it is for flattened rows"
    )
  elif pixels.ndim == 3:
    pixels = pixels[..., None]
  names = tuple(f"{os.path.basename(path)}:{row}" for row in range(len(pixels)))
  pixels = checks.unit_pixels(pixels, names, pixel_range, allow_constant)
  labels, class_names = None, ()
  if label_key:
    labels, class_names = checks.contiguous_labels(arrays[label_key], len(pixels))
  pixels = geometry.with_channels(pixels, channels)
  if size is not None:
    pixels = np.stack([geometry.resize(image, size) for image in pixels])
  return Images(pixels, labels, class_names, names)


def _folder_labels(names: Sequence[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
  """Labels from the first sub-folder in which the paths differ, or none."""
  parts = [name.split("/") for name in names]
  while all(len(part) > 1 for part in parts) and len({part[0] for part in parts}) == 1:
    parts = [part[1:] for part in parts]
  if any(len(part) == 1 for part in parts):
    return None, ()
  class_names = sorted({part[0] for part in parts}, key=files.natural_key)
  number = {name: k for k, name in enumerate(class_names)}
  return np.array([number[part[0]] for part in parts], np.int64), tuple(class_names)


def _check_wanted(size, channels):
  if channels not in (None, 1, 3):
    raise ValueError(f"channels={channels}: pass 1 (grey) or 3 (RGB)")
  if size is not None and (len(size) != 2 or min(size) < 1):
    raise ValueError(f"size={size}: pass (height, width), both at least 1")


def _by(image: np.ndarray) -> str:
  return f"{image.shape[0]}x{image.shape[1]}"
