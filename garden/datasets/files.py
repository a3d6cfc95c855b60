"""One file in, one array (or a dictionary of arrays) out, with errors that name the file.

Every reader of this package goes through here, so a broken file is reported the same way
whether it lies in a user's folder or in the original folders of a published set.
"""

import contextlib
import math
import os
import pathlib
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image
from PIL import ImageOps

_MOST_BYTES = 8 * 2**30  # of an array
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".pgm", ".ppm")

# What the decoders of Pillow, scipy and zipfile raise on damaged bytes; all of it means "this
# file can't be read", and none of it is a defect that a user could act on by its traceback.
_BROKEN = (
  OSError,
  ValueError,
  SyntaxError,
  TypeError,
  KeyError,
  IndexError,
  EOFError,
  OverflowError,
  MemoryError,
  NotImplementedError,
  struct.error,
  zlib.error,
  zipfile.BadZipFile,
)


def existing(path: str | os.PathLike, *, folder: bool) -> pathlib.Path:
  """Returns `path` as a Path, after checking that it is there and of the wanted kind.

  Args:
    path: a file or a folder; `~` stands for the home folder.
    folder: whether it must be a folder (else it must be a file).

  Raises:
    ValueError: if it is missing, or of the other kind.

  Example:
    >>> existing(".", folder=True)
    PosixPath('.')
  """
  path = pathlib.Path(path).expanduser()
  if not path.exists():
    raise ValueError(f"{path} does not exist: check the path")
  if path.is_dir() != folder:
    found, wanted = ("a file", "a folder") if folder else ("a folder", "a file")
    raise ValueError(f"{path} is {found}, but {wanted} is needed: pass {wanted}")
  return path


def natural_key(text: str) -> list:
  """Sort key under which `s2` comes before `s10`.

  Args:
    text: a name or a path.

  Returns:
    Words and numbers by turns, ties broken by the text itself.

  Example:
    >>> sorted(["s10", "s2"], key=natural_key)
    ['s2', 's10']
  """
  parts = re.split(r"([0-9]+)", text)
  return [int(part) if k % 2 else part for k, part in enumerate(parts)] + [text]


def walk(root: pathlib.Path) -> list[str]:
  """All files below `root`, as '/'-separated paths relative to it, in natural order.

  Names that start with a dot are left out (`.DS_Store`, and the `._x.jpg` that macOS puts
  into archives). Links to folders are followed, each real folder once, so that a loop ends.

  Args:
    root: the folder.

  Returns:
    Relative paths.

  Raises:
    ValueError: if a folder below `root` can't be listed.

  Example:
    >>> walk(pathlib.Path("faces"))
    ['s1/1.pgm', 's1/2.pgm', 's10/1.pgm']
  """
  found, seen = [], set()

  def refuse(error: OSError):
    raise ValueError(f"{error.filename} can't be listed: {error.strerror}") from error

  for folder, subfolders, names in os.walk(root, followlinks=True, onerror=refuse):
    real = os.path.realpath(folder)
    if real in seen:
      subfolders.clear()
      continue
    seen.add(real)
    subfolders[:] = [name for name in sorted(subfolders) if not name.startswith(".")]
    for name in names:
      if not name.startswith("."):
        found.append(pathlib.Path(folder, name).relative_to(root).as_posix())
  return sorted(found, key=natural_key)


def read_image(path: pathlib.Path, channels: int = 1) -> np.ndarray:
  """Decodes one image file, upright (the camera's orientation tag is obeyed).

  Of an animation the first frame is taken; an alpha channel is dropped.

  Args:
    path: a JPEG, PNG, BMP, GIF, PGM or PPM file.
    channels: 1 for grey (ITU-R 601 luma of a colour image) or 3 for RGB.

  Returns:
    [h, w, channels] uint8 in 0..255, or int32 in 0..65535 for a 16-bit grey file.

  Raises:
    ValueError: naming the file, if it can't be decoded, or if it announces more pixels than
      Pillow's `MAX_IMAGE_PIXELS` (a decompression bomb).

  Example:
    >>> read_image(pathlib.Path("faces/s1/1.pgm")).shape
    (112, 92, 1)
  """
  with open_image(path) as image:
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # convert("L") would cut 16 bits off at 255
      deep = np.asarray(image).astype(np.int32)[..., None]
      return np.repeat(deep, channels, axis=-1)
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
  return pixels[..., None] if channels == 1 else pixels


@contextlib.contextmanager
def open_image(path: str | os.PathLike) -> Iterator[Image.Image]:
  """Opens and decodes one image file.

  Args:
    path: a file of any format that Pillow reads.

  Yields:
    The image, as it lies in the file.

  Raises:
    ValueError: naming the file, if it can't be decoded, or if it announces more pixels than
      Pillow's `MAX_IMAGE_PIXELS` (a decompression bomb).

  Example:
    >>> with open_image("faces/s1/1.pgm") as image:
    ...   image.size
    (92, 112)
  """
  try:
    with warnings.catch_warnings():
      warnings.simplefilter("error", Image.DecompressionBombWarning)
      with Image.open(path) as image:
        image.load()
        yield image
  except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
    raise ValueError(
      f"{path} announces more than {Image.MAX_IMAGE_PIXELS} pixels, the limit against "
      "decompression bombs: shrink or remove it"
    ) from error
  except _BROKEN as error:
    raise ValueError(
      f"{path} is not a readable image ({_reason(error)}): repair or remove it"
    ) from error


def read_arrays(path: pathlib.Path, keys: Iterable[str] | None = None) -> dict[str, np.ndarray]:
  """Reads a MATLAB .mat file (up to version 7.2) or a NumPy .npz file, without pickles.

  Args:
    path: the file; its suffix says which of the two it is.
    keys: names that must be in it. None reads all.

  Returns:
    The arrays by name; sparse matrices come as dense arrays.

  Raises:
    ValueError: if the file can't be read, is HDF5 (MATLAB -v7.3), needs pickle, announces an
      array of more than 8 GiB (a decompression bomb), or lacks a key (the message lists the
      keys it has).

  Example:
    >>> read_arrays(pathlib.Path("ORL_32x32.mat"), ["fea", "gnd"])["fea"].shape
    (400, 1024)
  """
  path = existing(path, folder=False)
  is_mat = path.suffix.lower() == ".mat"
  try:
    if is_mat:
      arrays = _load_mat(path, keys)
    else:
      archive = np.load(path, allow_pickle=False)
      if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError("it holds a single array, not an archive of named ones")
      with archive:
        wanted = archive.files if keys is None else [k for k in keys if k in archive.files]
        sizes = {info.filename.removesuffix(".npy"): info.file_size
                 for info in archive.zip.infolist()}
        _check_bytes({key: sizes.get(key, 0) for key in wanted})
        arrays = dict.fromkeys(archive.files) | {key: archive[key] for key in wanted}
  except _BombError as error:
    raise ValueError(
      f"{path} announces {error}, above {_MOST_BYTES / 2**30:g} GiB, the limit against "
      "decompression bombs: save fewer images, or as uint8"
    ) from error
  except _HDF5Error as error:
    raise ValueError(
      f"{path} is an HDF5 file (MATLAB -v7.3), which is not read: save it again with "
      "save(..., '-v7'), or as .npz"
    ) from error
  except _BROKEN as error:
    kind = ".mat" if is_mat else ".npz"
    raise ValueError(
      f"{path} is not a readable {kind} file ({_reason(error)}): save it again"
    ) from error
  missing = [key for key in keys or () if key not in arrays]
  if missing:
    has = ", ".join(sorted(arrays)) or "none"
    raise ValueError(
      f"{path} has no key {', '.join(map(repr, missing))}; the keys it has are: {has}. "
      "Name them with image_key and label_key ('' for no labels), in a config "
      "subspace.Source.image_key and subspace.Source.label_key"
    )
  return arrays


class _HDF5Error(Exception):
  """A .mat file that is HDF5 inside."""


class _BombError(Exception):
  """An array that is too large once it is unpacked."""


def _check_bytes(sizes: dict[str, int]):
  for key, size in sizes.items():
    if size > _MOST_BYTES:
      raise _BombError(f"{size / 2**30:.3g} GiB of {key!r}")


def _load_mat(path: pathlib.Path, keys: Iterable[str] | None) -> dict[str, np.ndarray]:
  import scipy.io  # imported here: folders of images don't need it
  import scipy.sparse

  with path.open("rb") as file:
    head = file.read(520)
  if head.startswith(b"\x89HDF") or head[512:516] == b"\x89HDF":
    raise _HDF5Error
  try:
    # Eight bytes a number, as for the doubles that MATLAB saves; sparse ones become dense.
    _check_bytes({
      key: 8 * math.prod(shape)
      for key, shape, _ in scipy.io.whosmat(path)
      if keys is None or key in keys
    })
    found = scipy.io.loadmat(path)
  except NotImplementedError as error:  # scipy's answer to a version 7.3 header
    raise _HDF5Error from error
  except scipy.io.matlab.MatReadError as error:
    raise ValueError(str(error)) from error
  return {
    key: value.toarray() if scipy.sparse.issparse(value) else value
    for key, value in found.items()
    if not key.startswith("__")
  }


def _reason(error: BaseException) -> str:
  """The first line of an error, or its kind where it has no text."""
  return (str(error).splitlines() or [""])[0][:120] or type(error).__name__
