"""A user's people as an experiment takes them."""

import dataclasses
import functools
import os

import gin
import numpy as np

from garden.datasets import faces as faces_lib

_LEAST = 4  # people


@gin.register(module="faces")
class Folder(faces_lib.Source):
  """People to learn from, and one in five, at least two, to measure on.

  Args:
    folder: with a folder a person: photographs from the front, and `profile/` for those from the
      side.
    size: side of an image in pixels.
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.

  Example:
    people = Folder("people", 32).load("train")
  """

  def __init__(self, folder: str, size=32, data_dir: str | None = None):
    self._folder, self.size, self.data_dir = folder, size, data_dir

  @functools.cached_property
  def _builder(self):
    # Imported here: a model that was trained elsewhere does without.
    from garden.datasets.face_folder import face_folder_dataset_builder as builders
    return builders.Builder(config=builders.FolderConfig.of(self._folder, self.size),
                            data_dir=self.data_dir)

  @functools.cached_property
  def _faces(self):
    from garden.datasets import face_pictures
    faces = face_pictures.load(self._builder, self._folder)
    people = np.unique(faces.identity)
    beside = np.unique(faces.identity[faces.kind == "profile"])
    if len(beside) < _LEAST:
      raise ValueError(f"{self._folder} has {len(beside)} people with photographs in a folder "
                       f"`profile`; it needs {_LEAST}: two to learn from, two to measure on")
    without = np.setdiff1d(people, beside)
    return faces.take(~np.isin(faces.identity, without))

  @property
  def folder(self):
    """Where the prepared set lies, and what was made of it."""
    return os.fspath(self._builder.data_dir)

  def load(self, split):
    """`faces.FaceSet` of a split, "train" or "heldout"; people are numbered from 0 in each."""
    people = np.unique(self._faces.identity)
    count = max(2, len(people) // 5)
    splits = {"train": people[:-count], "heldout": people[-count:]}
    if split not in splits:
      raise ValueError(f"a folder has no split {split!r}; it has {', '.join(splits)}")
    faces = self._faces.take(np.isin(self._faces.identity, splits[split]))
    return dataclasses.replace(faces, identity=np.searchsorted(splits[split], faces.identity))

  def pairs(self, kind="FP"):
    """`faces.Pairs` of the people measured on: all of one person, as many of two.

    Pairs are of two folds, by the person of the frontal photograph.
    """
    if kind != "FP":
      raise ValueError(f"kind is {kind!r}; a folder has frontal and profile pairs alone, 'FP'")
    heldout = self.load("heldout")
    frontal, profile = heldout.of("frontal"), heldout.of("profile")
    alike = frontal.identity[:, np.newaxis] == profile.identity
    rng, chosen = np.random.default_rng(0), [np.argwhere(alike)]
    others = np.argwhere(~alike)
    chosen.append(others[rng.permutation(len(others))[:len(chosen[0])]])
    pairs = np.concatenate(chosen)
    same = alike[pairs[:, 0], pairs[:, 1]]
    first, second = (np.stack([faces.identity[place], faces.number[place]], axis=1)
                     for faces, place in ((frontal, pairs[:, 0]), (profile, pairs[:, 1])))
    return faces_lib.Pairs(first, second, same, first[:, 0] % 2)


