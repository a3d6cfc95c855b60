"""Image sets that TensorFlow Datasets has prepared on this machine; nothing is downloaded here.

`tfds:NAME` and `tfds:NAME:SPLIT` name any of them that has the features `image` and `label`.
"""

import difflib
import pathlib
import re

import numpy as np

from garden.datasets import checks
from garden.datasets import images

PREFIX = "tfds:"
# NAME as TFDS takes it, with a configuration (cifar10_corrupted/fog_1) or a version
# (mnist:3.0.1); what comes after it is the split.
_NAME = re.compile(r"(?P<name>[\w./-]+(?::\d+\.\d+\.\d+)?)(?::(?P<split>.+))?")


def load(name: str, root: pathlib.Path) -> images.Images:
  """Reads a set by its `tfds:` name.

  Args:
    name: `tfds:NAME` or `tfds:NAME:SPLIT`. The split is `train` if not given; TFDS's slices,
      such as `train[:1000]`, are splits as well.
    root: TFDS's folder.

  Returns:
    The images in the order in which TFDS wrote them (shuffled, for most sets), labels 0..K-1
    over the classes that occur. `names` are 'tfds:NAME:SPLIT:row'.

  Raises:
    ValueError: if TFDS doesn't know the name or hasn't prepared it, the split is not there or
      has no labels, the features are others, or the images have different sizes.

  Example:
    >>> load("tfds:cifar10:test", pathlib.Path("~/tensorflow_datasets").expanduser()).size
    (32, 32)
  """
  match = _NAME.fullmatch(name.removeprefix(PREFIX))
  if not match:
    raise ValueError(f"{name!r} names no set: write tfds:NAME or tfds:NAME:SPLIT")
  known, split = match["name"], match["split"] or "train"
  builder = prepared(known, root)
  if builder is None:
    raise ValueError(
      f"TFDS has not prepared {known!r} in {root}: run tensorflow_datasets.load({known!r}) once "
      "to download it"
    )
  return read(builder, split, f"{PREFIX}{known}:{split}")


def prepared(name: str, root: pathlib.Path):
  """Finds a set that TFDS has prepared.

  Args:
    name: as TFDS takes it.
    root: TFDS's folder.

  Returns:
    Its builder, or None if the set is known but not prepared. There is no download from here:
    without a network TFDS would try for minutes before it says so.

  Raises:
    ValueError: if TFDS doesn't know the set, its configuration or its version.

  Example:
    >>> prepared("mnist", pathlib.Path("empty")) is None
    True
  """
  import tensorflow_datasets as tfds

  try:
    builder = tfds.builder(name, data_dir=str(root))
  except tfds.core.DatasetNotFoundError as error:
    known = tfds.list_builders(with_community_datasets=False)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else "tensorflow_datasets.list_builders() has all"
    raise ValueError(f"TFDS has no data set {name!r}, and none lies in {root}: {hint}") from error
  # An AssertionError is its answer to a version that it can't make.
  except (ValueError, AssertionError) as error:
    reason = str(error).splitlines()[0]
    raise ValueError(f"TFDS can't find {name!r} ({reason}): check the name") from error
  return builder if builder.data_path.exists() else None


def read(builder, split: str, prefix: str | None = None) -> images.Images:
  """Reads a split in the order in which it was written.

  Args:
    builder: a prepared TFDS builder with the features `image` and `label`.
    split: its name, or a slice of one.
    prefix: images are named 'prefix:row'. None takes the feature `name`, which the builders
      of this package have.

  Returns:
    The images, labels 0..K-1 over the classes that occur.

  Raises:
    ValueError: as `load`, or if the prepared files are damaged.

  Example:
    >>> read(builder, "train", "mine").names[:2]
    ('mine:0', 'mine:1')
  """
  import tensorflow as tf
  import tensorflow_datasets as tfds

  _check(builder, split)
  keys = ("image", "label") if prefix else ("image", "label", "name")
  one_size = None not in builder.info.features["image"].shape
  parts = []
  try:
    data = builder.as_dataset(
      split=split,
      shuffle_files=False,
      batch_size=512 if one_size else None,
      decoders=tfds.decode.PartialDecoding(dict.fromkeys(keys, True)),
      read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
    )
    for part in tfds.as_numpy(data):
      if not one_size and parts and part["image"].shape != parts[0]["image"].shape:
        raise ValueError(
          f"images 0 and {len(parts)} of {builder.name!r}, split {split!r}, have the shapes "
          f"{parts[0]['image'].shape} and {part['image'].shape}: images of one size are needed, "
          "write them resized into a folder and read that"
        )
      parts.append(part)
  except tf.errors.OpError as error:
    reason = (error.message.splitlines() or [""])[0][:120]
    raise ValueError(
      f"{builder.data_path} can't be read ({reason}): remove it and prepare {builder.name!r} again"
    ) from error
  join = np.concatenate if one_size else np.stack
  pixels = join([part["image"] for part in parts])
  labels = join([part["label"] for part in parts])
  if prefix is None:
    names = tuple(text.decode() for part in parts for text in part["name"])
  else:
    names = tuple(f"{prefix}:{row}" for row in range(len(pixels)))
  del parts
  if labels.min() < 0:  # how TFDS writes that there is none
    raise ValueError(
      f"{int((labels < 0).sum())} images of {builder.name!r}, split {split!r}, have no label: "
      f"choose another split; there are {_splits(builder)}"
    )
  feature = builder.info.features["label"]
  class_names = range(labels.max() + 1) if feature.num_classes is None else feature.names
  labels, class_names = occurring(labels, class_names)
  # Declared for all of TFDS's integers, of which 16-bit images are some.
  top = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
  # The published sets have a black image or two, which belong to them.
  pixels = checks.unit_pixels(pixels, names, (0, top), allow_constant=True)
  return images.Images(pixels, labels, class_names, names)


def occurring(labels: np.ndarray, class_names) -> tuple[np.ndarray, tuple[str, ...]]:
  """Numbers the classes that occur: a part of a set may lack some.

  Args:
    labels: [N] numbers of classes.
    class_names: names of all classes.

  Returns:
    ([N] int64 in 0..K-1, the K names).

  Example:
    >>> occurring(np.array([2, 0, 2]), ["a", "b", "c"])
    (array([1, 0, 1]), ('a', 'c'))
  """
  present, labels = np.unique(labels, return_inverse=True)
  return labels.astype(np.int64), tuple(str(class_names[k]) for k in present)


def _check(builder, split: str):
  """Refuses a split that isn't there, and features that aren't an image and its class."""
  import tensorflow_datasets as tfds

  try:
    count = builder.info.splits[split].num_examples
  except (KeyError, ValueError, AssertionError) as error:
    raise ValueError(
      f"{builder.name!r} has no split {split!r}: there are {_splits(builder)}"
    ) from error
  if not count:
    raise ValueError(f"the split {split!r} of {builder.name!r} is empty: choose another")
  features = builder.info.features
  has = features if isinstance(features, tfds.features.FeaturesDict) else {}
  wanted = (("image", tfds.features.Image), ("label", tfds.features.ClassLabel))
  if not all(key in has and isinstance(has[key], kind) for key, kind in wanted):
    found = ", ".join(f"{key} ({type(has[key]).__name__})" for key in sorted(has)) or "none by name"
    raise ValueError(
      f"{builder.name!r} is no set of labelled images: image (Image) and label (ClassLabel) are "
      f"needed, its features are {found}; choose another"
    )


def _splits(builder) -> str:
  return ", ".join(builder.info.splits) or "none"
