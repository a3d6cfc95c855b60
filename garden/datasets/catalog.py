"""The image sets that have a name: `load(name)` gives `Images`, ready for a method.

`orl`, `coil20`, `coil100`, `extended_yale_b` are read from files put in place by hand and
kept as TFDS data sets; `digits` ships with scikit-learn; `mnist`, `mnist_train` and `svhn` are
files, or TFDS's own; `street_digits` is made by a simulator. `tfds:NAME` is any other labelled
image set that TFDS has prepared.
"""

import contextlib
import difflib
import fcntl
import functools
import importlib
import io
import json
import os
import pathlib
import shutil

import numpy as np
from absl import logging

from garden.datasets import checks
from garden.datasets import files
from garden.datasets import images
from garden.datasets import layouts
from garden.datasets import tfds_sets

# The plain names. `load` takes `tfds:NAME` and `tfds:NAME:SPLIT` as well: see `is_name`.
NAMES = (*sorted(layouts.ALL), "digits", "mnist", "mnist_train", "street_digits", "svhn")
_FOLDERS = ("mnist", "svhn", *(layout.folder for layout in layouts.ALL.values()))

# Written last into a prepared data set: what it was made from, and the size of each file. A
# folder without it, or that doesn't agree with it, is half-written or out of date.
_MARKER = "garden_source.json"

_DIGITS = tuple(str(k) for k in range(10))
_SVHN_FILES = ("svhn_test_first10000_32x32.npz", "train_32x32.mat")  # the first one there


def is_name(text: object) -> bool:
  """Tells a name that `load` takes from a path; `./tfds:x` is a path.

  Args:
    text: what a user gave.

  Returns:
    True for one of `NAMES`, and for whatever starts with `tfds:`.

  Example:
    >>> is_name("mnist"), is_name("tfds:cifar10:test"), is_name("faces/")
    (True, True, False)
  """
  return text in NAMES or (isinstance(text, str) and text.startswith(tfds_sets.PREFIX))


def load(
  name: str,
  data_dir: str | os.PathLike | None = None,
  cache_dir: str | os.PathLike | None = None,
) -> images.Images:
  """Loads a named image set.

  Args:
    name: one of `NAMES`, or `tfds:NAME` or `tfds:NAME:SPLIT` (`train` if not given) for an
      image classification set that TFDS has prepared; none is downloaded. `mnist` are the
      10,000 test images, `mnist_train` the 60,000 others. `svhn` are cropped digits: the
      first 10,000 of the test set (`svhn_test_first10000_32x32.npz`), else the training set
      (`train_32x32.mat`), both in the set's order, where neighbours come from one house
      number; else TFDS's `svhn_cropped`, the training set in another order. Say which beside
      a number. `street_digits` are 6,000 synthetic ones.
    data_dir: stands for `$GARDEN_DATA_DIR`: the folder that holds `orl/`, `coil20/`,
      `coil100/`, `yaleb/`, `mnist/`, `svhn/`, or such a folder itself. Not for `tfds:`.
    cache_dir: TFDS's folder; prepared copies are kept in it, below `garden/`. None stands for
      `$TFDS_DATA_DIR`, or else `~/tensorflow_datasets`.

  Returns:
    The images in the order of their source, labels 0..K-1 over the classes that occur.

  Raises:
    ValueError: if the name is unknown, the files are not there (it says what was looked for
      and where), or are damaged; for `tfds:` also what `tfds_sets.load` refuses.

  Example:
    >>> load("digits").pixels.shape
    (1797, 8, 8, 1)
  """
  if str(name).startswith(tfds_sets.PREFIX):
    return tfds_sets.load(name, _cache_root(cache_dir))
  if name == "digits":
    return _digits()
  if name in ("mnist", "mnist_train"):
    return _mnist(name, data_dir, cache_dir)
  if name == "street_digits":
    return _street_digits()
  if name == "svhn":
    return _svhn(data_dir, cache_dir)
  if name not in layouts.ALL:
    near = difflib.get_close_matches(str(name), NAMES, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
      f"there is no image set {name!r}: {hint}the names are {', '.join(NAMES)}, and tfds:NAME"
    )
  layout = layouts.ALL[name]
  cache = _cache_root(cache_dir) / "garden"
  tried = _folders(layout.folder, data_dir)
  source, paths = None, []
  for folder in tried:
    paths = layouts.find(layout, folder)
    if paths:
      source = folder
      break
  prepared = cache / name / layouts.VERSION
  if source is None:
    # Files that were prepared once may be gone since; but a folder that the caller names and
    # that lacks them is a mistake to report.
    if not tried and _complete(prepared):
      return _read_prepared(name, cache)
    raise ValueError(_missing(name, layouts.wanted(layout), layout.folder, tried))
  fingerprint = layouts.fingerprint(layout, source, paths)
  if _complete(prepared, fingerprint):  # also from a cache that may only be read
    return _read_prepared(name, cache)
  try:
    with _locked(cache / name):
      if not _complete(prepared, fingerprint):
        _prepare(name, cache, source, fingerprint)
      return _read_prepared(name, cache)
  except OSError as error:
    raise ValueError(
      f"{cache} can't be written ({error.strerror or error}): pass cache_dir= or set "
      "TFDS_DATA_DIR to a folder of yours"
    ) from error


def _folders(folder: str, data_dir: str | os.PathLike | None) -> list[pathlib.Path]:
  """Where the files of a set may lie, the likeliest first."""
  root = data_dir or os.environ.get("GARDEN_DATA_DIR")
  if not root:
    return []
  root = pathlib.Path(root).expanduser()
  # A folder that holds sets is not searched as if it were one: COIL-20's images would pass for
  # a part of COIL-100.
  holds_sets = any((root / known).is_dir() for known in _FOLDERS)
  return [root / folder] if holds_sets or not data_dir else [root / folder, root]


def _missing(name: str, wanted: str, folder: str, tried: list[pathlib.Path]) -> str:
  if not tried:
    return (
      f"the image set {name!r} needs {wanted}: put it into a folder {folder}/ and set "
      "GARDEN_DATA_DIR (or pass data_dir=) to the folder above"
    )
  return f"the image set {name!r} needs {wanted}: not found in {' or '.join(map(str, tried))}"


def _cache_root(cache_dir: str | os.PathLike | None) -> pathlib.Path:
  root = cache_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
  return pathlib.Path(root).expanduser()


def _builder_class(name: str):
  module = importlib.import_module(f"garden.datasets.{name}.{name}_dataset_builder")
  return module.Builder


def _complete(prepared: pathlib.Path, source: str | None = None) -> bool:
  """Whether a prepared data set is whole and, if given, made from this source."""
  try:
    marker = json.loads((prepared / _MARKER).read_text())
    sizes = {name: (prepared / name).stat().st_size for name in marker["files"]}
  except (OSError, ValueError, KeyError, TypeError):
    return False
  return sizes == marker["files"] and source in (None, marker["source"])


@contextlib.contextmanager
def _locked(folder: pathlib.Path):
  """Lets one process at a time prepare a set, so that none reads what another is writing."""
  folder.mkdir(parents=True, exist_ok=True)
  with open(folder / ".lock", "a", encoding="utf-8") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however that ends
    yield


def _prepare(name: str, cache: pathlib.Path, source: pathlib.Path, fingerprint: str):
  """Writes the TFDS data set anew; only folders below our own `garden/` are removed."""
  import tensorflow_datasets as tfds

  for old in (cache / name).glob(f"{layouts.VERSION}*"):  # with what a killed process left
    shutil.rmtree(old)
  logging.info("Preparing %s from %s in %s", name, source, cache)
  tfds.disable_progress_bar()
  builder = _builder_class(name)(data_dir=os.fspath(cache))
  config = tfds.download.DownloadConfig(
    manual_dir=source,
    try_download_gcs=False,
    compute_stats=tfds.download.ComputeStatsMode.SKIP,
  )
  with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints of a download of unknown size
    builder.download_and_prepare(download_config=config)
  prepared = pathlib.Path(builder.data_dir)
  sizes = {path.name: path.stat().st_size for path in prepared.iterdir()}
  partial = prepared / f"{_MARKER}.partial"
  partial.write_text(json.dumps({"source": fingerprint, "files": sizes}, indent=1))
  os.replace(partial, prepared / _MARKER)


def _read_prepared(name: str, cache: pathlib.Path) -> images.Images:
  return tfds_sets.read(_builder_class(name)(data_dir=os.fspath(cache)), "train")


def _digits() -> images.Images:
  """scikit-learn's copy of the UCI handwritten digits, 8x8, grey levels 0..16."""
  from sklearn import datasets as sklearn_datasets

  bunch = sklearn_datasets.load_digits()
  names = _rows("digits", len(bunch.images))
  pixels = checks.unit_pixels(bunch.images[..., None], names, pixel_range=(0, 16))
  return images.Images(pixels, bunch.target.astype(np.int64), _DIGITS, names)


def _mnist(name: str, data_dir, cache_dir) -> images.Images:
  """MNIST's test or training images, from mnist.npz or else as TFDS has prepared them."""
  part = "train" if name == "mnist_train" else "test"
  for path in (folder / "mnist.npz" for folder in _folders("mnist", data_dir)):
    if path.is_file():
      arrays = files.read_arrays(path, [f"x_{part}", f"y_{part}"])
      names = _rows(name, len(arrays[f"x_{part}"]))
      pixels = checks.unit_pixels(arrays[f"x_{part}"][..., None], names)
      labels, found = checks.contiguous_labels(arrays[f"y_{part}"], len(pixels))
      return images.Images(pixels, labels, found, names)
  return _tfds_s_own(name, "mnist", part, "mnist.npz", "mnist", data_dir, cache_dir)


def _svhn(data_dir, cache_dir) -> images.Images:
  """Street View House Numbers (Netzer 2011), cropped digits, 32x32 RGB.

  The sources differ. The .npz has the first 10,000 images of the test set and the .mat the
  training set (73,257), both in the set's order: neighbours come from one house number, so
  split them by contiguous blocks. TFDS has the training set too, but in an order of its own.
  """
  tried = _folders("svhn", data_dir)
  for path in (folder / file for file in _SVHN_FILES for folder in tried):
    if path.is_file():
      return _svhn_file(path)
  wanted = " or ".join(_SVHN_FILES)
  return _tfds_s_own("svhn", "svhn_cropped", "train", wanted, "svhn", data_dir, cache_dir)


def _svhn_file(path: pathlib.Path) -> images.Images:
  is_mat = path.suffix == ".mat"
  keys = ("X", "y") if is_mat else ("images", "labels")
  arrays = files.read_arrays(path, keys)
  pixels, labels = (arrays[key] for key in keys)
  if is_mat and pixels.ndim == 4:  # [32, 32, 3, N]
    pixels = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
  if pixels.ndim != 4 or pixels.shape[1:] != (32, 32, 3) or labels.size != len(pixels):
    raise ValueError(
      f"{path} holds {keys[0]} {arrays[keys[0]].shape} and {keys[1]} {labels.shape}: N images of "
      "32x32x3 (in a .mat 32x32x3xN) with a label each are needed"
    )
  labels, top = labels.reshape(-1), 10 if is_mat else 9
  foreign = labels[~np.isin(labels, np.arange(top + 1))]
  if foreign.size:
    raise ValueError(f"{path} has the label {foreign[0]}, outside 0..{top}: is it another set?")
  # The .mat files of the set write the digit 0 as 10.
  labels, class_names = tfds_sets.occurring(labels.astype(np.int64) % 10, _DIGITS)
  names = _rows("svhn", len(pixels))
  pixels = checks.unit_pixels(pixels, names, allow_constant=True)
  return images.Images(pixels, labels, class_names, names)


@functools.cache
def _street_digits() -> images.Images:
  """Synthetic street digits, 32x32, grey; the same 6,000 at every call, drawn once."""
  from garden.worlds import digits  # imported here: the other sets don't need it

  pixels, labels = digits.street_digits(6000, seed=0)
  pixels.flags.writeable = labels.flags.writeable = False  # others get the same arrays
  return images.Images(pixels, labels, _DIGITS, _rows("street_digits", len(pixels)))


def _tfds_s_own(name, known, split, wanted, folder, data_dir, cache_dir) -> images.Images:
  """Reads TFDS's own set `known` where the files of `name` are not there."""
  root = _cache_root(cache_dir)
  builder = tfds_sets.prepared(known, root)
  if builder is None:
    raise ValueError(
      f"{_missing(name, wanted, folder, _folders(folder, data_dir))}; nor has TFDS prepared it "
      f"in {root}: run tensorflow_datasets.load({known!r}) once to download it"
    )
  return tfds_sets.read(builder, split, name)


def _rows(name: str, count: int) -> tuple[str, ...]:
  return tuple(f"{name}:{row}" for row in range(count))
