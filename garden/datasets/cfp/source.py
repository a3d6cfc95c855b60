"""CFP as an experiment takes it."""

import dataclasses
import functools
import os

import gin
import numpy as np

from garden.datasets import faces as faces_lib
from garden.datasets.cfp import protocol

_TEST = (9, 10)  # folds


@gin.register(module="faces")
class CFP(faces_lib.Source):
  """People to learn from, those of folds 1 to 8, and to measure on, those of folds 9 and 10.

  Args:
    config: name of the set's config, such as "cfp_32".
    folder: CFP's own, with `Data` and `Protocol`; `$GARDEN_DATA_DIR/cfp` when None.
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.

  Raises:
    ValueError: neither a folder nor `$GARDEN_DATA_DIR` is given.

  Example:
    people = CFP("cfp_32", folder="cfp").load("train")
  """

  def __init__(self, config="cfp_32", folder: str | None = None, data_dir: str | None = None):
    self.config, self.data_dir, self._folder = config, data_dir, folder

  @property
  def source(self):
    """CFP's own folder."""
    folder = self._folder
    if folder is None and "GARDEN_DATA_DIR" in os.environ:
      folder = os.path.join(os.environ["GARDEN_DATA_DIR"], "cfp")
    if folder is None or not os.path.isdir(folder):
      raise ValueError(f"CFP isn't in {folder!r}; set GARDEN_DATA_DIR to the folder above cfp, or "
                       "faces.CFP.folder to CFP's own")
    return folder

  def load(self, split):
    """`faces.FaceSet` of a split, "train" or "heldout"; people are numbered from 0 in each."""
    folds = {"train": [k for k in range(1, protocol.FOLDS + 1) if k not in _TEST],
             "heldout": _TEST}
    if split not in folds:
      raise ValueError(f"CFP has no split {split!r}; it has {', '.join(folds)}")
    people = protocol.people_of(folds[split])
    faces = _all(self.config, self.source, self.data_dir)
    faces = faces.take(np.isin(faces.identity, people))
    return dataclasses.replace(faces, identity=np.searchsorted(people, faces.identity))

  def pairs(self, kind="FP"):
    """`faces.Pairs` of the folds that are measured on; people are numbered as in `load`."""
    pairs = protocol.read(self.source, kind, _TEST)
    first = protocol.people_of(_TEST)[0]
    return dataclasses.replace(pairs, first=pairs.first - [first, 0],
                               second=pairs.second - [first, 0])

  @property
  def folder(self):
    """Where the prepared set lies, and what was made of it."""
    from garden.datasets.cfp import cfp_dataset_builder as builders
    return os.fspath(builders.Builder(config=self.config, data_dir=self.data_dir).data_dir)


@functools.lru_cache(maxsize=2)
def _all(config, folder, data_dir):
  """All images, made on first use."""
  # Imported here: a model that was trained elsewhere does without.
  from garden.datasets import face_pictures
  from garden.datasets.cfp import cfp_dataset_builder as builders
  known = [known.name for known in builders.Builder.BUILDER_CONFIGS]
  if config not in known:
    raise ValueError(f"there is no config {config!r} of CFP; there are {', '.join(known)}")
  return face_pictures.load(builders.Builder(config=config, data_dir=data_dir), folder)
