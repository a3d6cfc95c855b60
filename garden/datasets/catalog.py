"""The image sets that have a name: `load(name)` gives `Images`, ready for a method.

`orl`, `coil20`, `coil100`, `extended_yale_b` are read from files put in place by hand and
kept as TFDS data sets; `digits` ships with scikit-learn; `mnist` is an .npz, or TFDS's own.
"""

import contextlib
import difflib
import fcntl
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

NAMES = (*sorted(layouts.ALL), "digits", "mnist")
_FOLDERS = ("mnist", *(layout.folder for layout in layouts.ALL.values()))

# Written last into a prepared data set: what it was made from, and the size of each file. A
# folder without it, or that doesn't agree with it, is half-written or out of date.
_MARKER = "garden_source.json"


def load(
  name: str,
  data_dir: str | os.PathLike | None = None,
  cache_dir: str | os.PathLike | None = None,
) -> images.Images:
  """Loads a named image set.

  Args:
    name: one of `NAMES`. Of `mnist` these are the 10,000 test images.
    data_dir: stands for `$GARDEN_DATA_DIR`: the folder that holds `orl/`, `coil20/`,
      `coil100/`, `yaleb/`, `mnist/`, or such a folder itself.
    cache_dir: where prepared TFDS data sets are kept, below `garden/`. None stands for
      `$TFDS_DATA_DIR`, or else `~/tensorflow_datasets`.

  Returns:
    The images in the order of their source, labels 0..K-1 over the classes that occur.

  Raises:
    ValueError: if the name is unknown, the files are not there (it says what was looked for
      and where), or are damaged.

  Example:
    >>> load("digits").pixels.shape
    (1797, 8, 8, 1)
  """
  if name == "digits":
    return _digits()
  if name == "mnist":
    return _mnist(data_dir, cache_dir)
  if name not in layouts.ALL:
    near = difflib.get_close_matches(str(name), NAMES, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"there is no image set {name!r}: {hint}the names are {', '.join(NAMES)}")
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
  builder = _builder_class(name)(data_dir=os.fspath(cache))
  return _from_tfds(builder, "train", layouts.ALL[name].class_names)


def _from_tfds(builder, split: str, class_names: tuple[str, ...]) -> images.Images:
  """Reads a split in the order in which it was written."""
  import tensorflow_datasets as tfds

  data = builder.as_dataset(
    split=split,
    shuffle_files=False,
    batch_size=512,
    read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
  )
  parts = list(tfds.as_numpy(data))
  pixels = np.concatenate([part["image"] for part in parts])
  labels = np.concatenate([part["label"] for part in parts]).astype(np.int64)
  if "name" in parts[0]:
    names = tuple(text.decode() for part in parts for text in part["name"])
  else:
    names = tuple(f"{builder.name}:{row}" for row in range(len(pixels)))
  # A part of a set (some people's folders) has classes without images: number the others.
  present, labels = np.unique(labels, return_inverse=True)
  return images.Images(
    # The published sets have a black image or two, which belong to them.
    checks.unit_pixels(pixels, names, allow_constant=True),
    labels.astype(np.int64),
    tuple(class_names[k] for k in present),
    names,
  )


def _digits() -> images.Images:
  """scikit-learn's copy of the UCI handwritten digits, 8x8, grey levels 0..16."""
  from sklearn import datasets as sklearn_datasets

  bunch = sklearn_datasets.load_digits()
  names = tuple(f"digits:{row}" for row in range(len(bunch.images)))
  pixels = checks.unit_pixels(bunch.images[..., None], names, pixel_range=(0, 16))
  return images.Images(
    pixels, bunch.target.astype(np.int64), tuple(str(k) for k in range(10)), names
  )


def _mnist(data_dir, cache_dir) -> images.Images:
  """MNIST's test images, from mnist.npz or else as TFDS has prepared them."""
  tried = _folders("mnist", data_dir)
  class_names = tuple(str(k) for k in range(10))
  for path in (folder / "mnist.npz" for folder in tried):
    if path.is_file():
      arrays = files.read_arrays(path, ["x_test", "y_test"])
      names = tuple(f"mnist:{row}" for row in range(len(arrays["x_test"])))
      pixels = checks.unit_pixels(arrays["x_test"][..., None], names)
      labels, found = checks.contiguous_labels(arrays["y_test"], len(pixels))
      return images.Images(pixels, labels, found, names)
  import tensorflow_datasets as tfds

  root = _cache_root(cache_dir)
  builder = tfds.builder("mnist", data_dir=os.fspath(root))
  if not builder.data_path.exists():
    # No download from here: without a network TFDS would try for minutes before it says so.
    raise ValueError(
      f"{_missing('mnist', 'mnist.npz', 'mnist', tried)}; nor has TFDS prepared it in {root}: "
      "run tensorflow_datasets.load('mnist') once to download it"
    )
  return _from_tfds(builder, "test", class_names)
