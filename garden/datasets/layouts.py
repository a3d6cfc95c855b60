"""How the published image sets lie on a disk, and how to read them from there.

Each set comes in two forms: the array file that the subspace-clustering literature passes
around, and the original folder of images. `find` says which one a `manual_dir` holds,
`examples` reads it, always in the same order: rows of an array file as they are, image files
by person or object and then by name. Images come upright; the rows of the .mat files are
column-major, and code that reshapes them row-major sees them on their side.

Sources: ORL (AT&T Laboratories Cambridge, 1994), COIL-20 and COIL-100 (Columbia University,
CUCS-005-96 and CUCS-006-96), Extended Yale B (Georghiades 2001, cropped: Lee 2005). The array
files are those of D. Cai (ORL, COIL) and of P. Ji et al. (`YaleBCrop025.mat`).
"""

import dataclasses
import hashlib
import pathlib
import re
from collections.abc import Iterator

import numpy as np

from garden.datasets import files
from garden.datasets import geometry

# Of the prepared data sets. Raise it when the same files come to give other images.
VERSION = "1.0.0"


@dataclasses.dataclass(frozen=True)
class Layout:
  """Where the images of one set lie.

  Attributes:
    name: of the set and of its TFDS builder.
    folder: below `$GARDEN_DATA_DIR`.
    arrays: names of array files, the first one there is read.
    pattern: regular expression of an image's path, with groups `id` and `shot`.
    shown: that pattern as a person would write it.
    ids: the numbers of the persons or objects; label k is ids[k].
    class_names: K names.
    size: (height, width) that images are resized to.
    dtype: `uint8` (0..255) or `float32` (0..1).
    original: (height, width) that an image file must have; None takes any.
  """

  name: str
  folder: str
  arrays: tuple[str, ...]
  pattern: str
  shown: str
  ids: tuple[int, ...]
  class_names: tuple[str, ...]
  size: tuple[int, int] = (32, 32)
  dtype: str = "uint8"
  original: tuple[int, int] | None = None


ORL = Layout(
  name="orl",
  folder="orl",
  arrays=("ORL_32x32.mat",),
  pattern=r"(?:^|/)s(?P<id>\d+)/(?P<shot>\d+)\.(?:pgm|png|bmp|jpg)$",
  shown="s1/1.pgm",
  ids=tuple(range(1, 41)),
  class_names=tuple(f"s{k}" for k in range(1, 41)),
)


def _coil(count: int, example: str) -> Layout:
  # float32 for both: COIL20.mat holds floats that are no multiples of 1/255, and 8-bit values
  # divided by 255 come back exactly from float32.
  return Layout(
    name=f"coil{count}",
    folder=f"coil{count}",
    arrays=(f"COIL{count}.mat",),
    pattern=r"(?:^|/)obj(?P<id>\d+)__(?P<shot>\d+)\.(?:png|ppm|pgm)$",
    shown=example,
    ids=tuple(range(1, count + 1)),
    class_names=tuple(f"obj{k}" for k in range(1, count + 1)),
    dtype="float32",
  )


COIL20 = _coil(20, "obj1__0.png")
COIL100 = _coil(100, "obj1__0.png")

_YALE_IDS = tuple(k for k in range(1, 40) if k != 14)  # there never was a yaleB14

# The pattern leaves out *_Ambient.pgm, and takes the 18 damaged files that the archive marks
# with .bad: the papers keep them, which makes 64 images of each of 38 people.
YALE_B = Layout(
  name="extended_yale_b",
  folder="yaleb",
  arrays=("yaleb_cropped_48x42.npz", "YaleBCrop025.mat"),
  pattern=r"(?:^|/)(?P<shot>yaleB(?P<id>\d+)_P\d+A[+-]\d+E[+-]\d+)\.pgm(?:\.bad)?$",
  shown="yaleB01/yaleB01_P00A+000E+00.pgm",
  ids=_YALE_IDS,
  class_names=tuple(f"yaleB{k:02d}" for k in _YALE_IDS),
  size=(48, 42),
  original=(192, 168),
)

ALL = {layout.name: layout for layout in (ORL, COIL20, COIL100, YALE_B)}


def find(layout: Layout, manual_dir: pathlib.Path) -> list[pathlib.Path]:
  """Finds a set's array file, or else its original images.

  Args:
    layout: the set.
    manual_dir: the folder to look in; images may lie at any depth below it.

  Returns:
    The array file alone, or the image files in the order in which they are read; empty if
    there is neither.

  Raises:
    ValueError: if two image files claim the same place (an archive unpacked twice).

  Example:
    >>> find(ORL, pathlib.Path("orl"))
    [PosixPath('orl/ORL_32x32.mat')]
  """
  if not manual_dir.is_dir():
    return []
  for name in layout.arrays:
    if (manual_dir / name).is_file():
      return [manual_dir / name]
  claimed = {}
  for path in files.walk(manual_dir):
    match = re.search(layout.pattern, path)
    if match:
      place = (int(match["id"]), files.natural_key(match["shot"].lower()))
      claimed.setdefault(str(place), (place, []))[1].append(path)
  for _, paths in claimed.values():
    if len(paths) > 1:
      raise ValueError(
        f"{manual_dir / paths[0]} and {manual_dir / paths[1]} are the same image of "
        f"{layout.name}: keep one copy of the set"
      )
  ordered = sorted(claimed.values(), key=lambda entry: entry[0])
  return [manual_dir / paths[0] for _, paths in ordered]


def fingerprint(layout: Layout, manual_dir: pathlib.Path, paths: list[pathlib.Path]) -> str:
  """Changes when a source file is added, removed or written; reads no pixels.

  Args:
    layout: the set.
    manual_dir: the folder that the paths are taken relative to.
    paths: from `find`.

  Returns:
    A SHA-256 of names, sizes and times of the files, and of the layout.

  Example:
    >>> fingerprint(ORL, folder, find(ORL, folder))[:8]
    '5f0c3e1a'
  """
  digest = hashlib.sha256(repr(layout).encode())
  for path in paths:
    stat = path.stat()
    line = f"{path.relative_to(manual_dir).as_posix()} {stat.st_size} {stat.st_mtime_ns}\n"
    digest.update(line.encode())
  return digest.hexdigest()


def examples(layout: Layout, manual_dir: pathlib.Path) -> Iterator[tuple[str, np.ndarray, int]]:
  """Reads a set in its fixed order.

  Args:
    layout: the set.
    manual_dir: the folder that holds it.

  Yields:
    (name, [h, w, 1] pixels of `layout.dtype`, label in 0..K-1).

  Raises:
    ValueError: if nothing is found, a file can't be read, an image has another size than the
      set's, a pixel is out of range, or a person or object is unknown.

  Example:
    >>> next(examples(ORL, pathlib.Path("orl")))[0]
    'ORL_32x32.mat:0'
  """
  paths = find(layout, manual_dir)
  if not paths:
    raise ValueError(f"{manual_dir} holds no {layout.name}: put {wanted(layout)} there")
  if paths[0].name in layout.arrays:
    names, images, ids = _read_rows(layout, paths[0])
    images = _as_dtype(images, layout, paths[0])
    for name, image, number in zip(names, images, ids, strict=True):
      yield name, image, _label(layout, number, name)
    return
  for path in paths:
    match = re.search(layout.pattern, path.relative_to(manual_dir).as_posix())
    label = _label(layout, int(match["id"]), path)
    image = files.read_image(path)
    if layout.original and image.shape[:2] != layout.original:
      raise ValueError(
        f"{path} is {image.shape[0]}x{image.shape[1]}, but the images of {layout.name} are "
        f"{layout.original[0]}x{layout.original[1]}: use the cropped version of the set"
      )
    if layout.dtype == "float32":
      image = image.astype(np.float32)  # resize without rounding to whole grey levels
    image = geometry.resize(image, layout.size)
    # Where the file's name says all, it alone, so that both forms of a set agree on it.
    name = match["shot"] if layout is YALE_B else path.relative_to(manual_dir).as_posix()
    yield name, _as_dtype(image, layout, path, high=255), label


def wanted(layout: Layout) -> str:
  """What `find` looks for, in words.

  Args:
    layout: the set.

  Returns:
    Half a sentence.

  Example:
    >>> wanted(ORL)
    'ORL_32x32.mat, or the original images (s1/1.pgm, ...)'
  """
  return f"{' or '.join(layout.arrays)}, or the original images ({layout.shown}, ...)"


def _read_rows(layout: Layout, path: pathlib.Path) -> tuple[list[str], np.ndarray, np.ndarray]:
  """Names, upright images [N, h, w, 1] and ids [N] of an array file."""
  height, width = layout.size
  if path.suffix == ".npz":
    arrays = files.read_arrays(path, ["images", "labels", "names"])
    images, ids = arrays["images"], arrays["labels"].ravel()
    names = [re.sub(r"\.pgm(\.bad)?$", "", str(name)) for name in arrays["names"].ravel()]
  elif layout is YALE_B:
    # Y is [48 * 42, 64 lights, 38 people], pixels column-major.
    stack = files.read_arrays(path, ["Y"])["Y"]
    if stack.ndim != 3:
      raise ValueError(f"'Y' of {path} has the shape {stack.shape}: [2016, 64, 38] is needed")
    rows = stack.transpose(2, 1, 0).reshape(-1, stack.shape[0])
    images = geometry.unflatten(rows, layout.size, column_major=True)[..., 0]
    people = np.array(layout.ids + (0,) * max(0, stack.shape[2] - len(layout.ids)))
    ids = np.repeat(people[: stack.shape[2]], stack.shape[1])
    names = [f"{path.name}:{row}" for row in range(len(rows))]
  else:
    arrays = files.read_arrays(path, ["fea", "gnd"])
    ids = arrays["gnd"].ravel()
    images = geometry.unflatten(arrays["fea"], layout.size, column_major=True)[..., 0]
    names = [f"{path.name}:{row}" for row in range(len(images))]
  if images.shape[1:] != (height, width) or not len(images) == len(ids) == len(names):
    raise ValueError(
      f"{path} holds images {images.shape}, {len(ids)} labels and {len(names)} names: N images "
      f"of {height}x{width} with a label and a name each are needed"
    )
  return names, images[..., None], ids


def _as_dtype(
  images: np.ndarray, layout: Layout, path: pathlib.Path, high: int | None = None
) -> np.ndarray:
  """uint8 in 0..255 or float32 in 0..1, whichever the layout keeps.

  Whole numbers, and floats that go beyond 1, are taken as 0..255; other floats as 0..1.
  """
  if not np.isfinite(images).all():
    raise ValueError(f"{path} has NaN or infinite pixels: get an undamaged copy")
  low, top = images.min(), images.max()
  high = high or (255 if images.dtype.kind in "iu" or top > 1 else 1)
  if low < 0 or top > high:
    raise ValueError(
      f"{path} has pixels from {low} to {top}, outside 0..{high}: get an undamaged copy"
    )
  if layout.dtype == "float32":
    return (images / np.float32(high)).astype(np.float32)
  if images.dtype == np.uint8:
    return images
  return np.rint(images * (255 / high)).astype(np.uint8)


def _label(layout: Layout, number: int, name: object) -> int:
  if number not in layout.ids:
    raise ValueError(
      f"{name} belongs to number {number}, but {layout.name} has the numbers "
      f"{layout.ids[0]}..{layout.ids[-1]}: is it another set?"
    )
  return layout.ids.index(number)
