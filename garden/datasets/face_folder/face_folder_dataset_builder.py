"""TFDS builder of a user's own photographs: a folder a person, cut out, and turned to the side."""

import dataclasses
import hashlib
import os
import pathlib

import tensorflow_datasets as tfds

from garden.datasets import face_pictures
from garden.datasets import faces
from garden.datasets.face_folder import photographs

_SEED = 300


# Not frozen: TFDS's own BuilderConfig isn't.
@dataclasses.dataclass(eq=False, kw_only=True)
class FolderConfig(tfds.core.BuilderConfig):
  """A folder as it is now, at one size; `of` makes it.

  Attributes:
    size: side of an image in pixels.
    folder: the folder.
  """
  size: int = 32
  folder: str = ""

  @classmethod
  def of(cls, folder, size):
    """The config of a folder: its name tells the files in it, so that a change makes a new set."""
    files = people(folder)
    told = hashlib.sha256()
    for paths in files.values():
      for path, kind in paths:
        told.update(f"{path.relative_to(folder)} {kind} {path.stat().st_size} "
                    f"{path.stat().st_mtime_ns}\n".encode())
    return cls(name=f"{size}_{told.hexdigest()[:12]}", size=size, folder=os.fspath(folder),
               description=f"{len(files)} people, {size} px.")


def people(folder):
  """The photographs of each person.

  Args:
    folder: `NAME/*.jpg` or `NAME/frontal/*.jpg`, and `NAME/profile/*.jpg` where there are some.

  Returns:
    Dict of name -> list of `(path, kind)`, kind "frontal" or "profile", sorted.

  Raises:
    ValueError: there is no folder of a person, or one has fewer than two photographs.
  """
  folder, found = pathlib.Path(folder), {}
  if not folder.is_dir():
    raise ValueError(f"there is no folder {os.fspath(folder)!r}; give one with a folder a person")
  for person in sorted(path for path in folder.iterdir() if path.is_dir()):
    images = [(path, "profile" if path.parent.name == "profile" else "frontal")
              for path in sorted(person.rglob("*"))
              if path.suffix.lower() in photographs.EXTENSIONS]
    if len(images) == 1:
      raise ValueError(f"{person.name} has a single image, {images[0][0].name}; a person needs two "
                       "or more to be told from others: add some, or leave the folder out")
    if images:
      found[person.name] = images
  if not found:
    raise ValueError(f"{os.fspath(folder)} holds no folder with images; put those of each person "
                     "into a folder of its own")
  return found


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """A user's people, with the features of `face_pictures.features`.

  A photograph without a face, or whose face is turned already, is left out and told of. People are
  numbered in the order of their names.

  Example:
    >>> builder = Builder(config=FolderConfig.of("people", 32), data_dir="prepared")
    >>> builder.download_and_prepare()
  """

  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES = {"1.0.0": "First release."}
  MANUAL_DOWNLOAD_INSTRUCTIONS = "The folder is the config's."

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
        builder=self, description="Photographs of people, a folder each.",
        features=face_pictures.features(self.builder_config.size),
        disable_shuffling=True)  # images come by person

  def _split_generators(self, dl_manager):
    del dl_manager
    return {"train": self._generate_examples()}

  def _generate_examples(self):
    key = 0
    for number, images in enumerate(people(self.builder_config.folder).values()):
      for row in make(images, number, self.builder_config.size):
        yield key, faces.encoded(row)
        key += 1


def make(images, person, size, detector=None):
  """All images of a person.

  Args:
    images: list of `(path, kind)`.
    person: its number.
    size: side of an image in pixels.
    detector: see `photographs.read`.

  Returns:
    List of dicts of arrays, see `face_pictures.features`.

  Raises:
    ValueError: none of the photographs from the front can be used; it says why.
  """
  rows, reasons = {kind: [] for kind in face_pictures.KINDS}, []
  for path, kind in images:
    try:
      photograph = photographs.read(os.fspath(path), detector)
      made = {kind: face_pictures.cut_out(photograph.image, photograph.points, kind, size)}
      if kind == "frontal":
        made["simulated"] = face_pictures.turned(photograph.image, photograph.points, size,
                                                 [_SEED, person, len(rows[kind])])
    except ValueError as error:
      reasons.append(f"{os.fspath(path)}: {error}")
      print(f"left out {reasons[-1]}", flush=True)
      continue
    for name, row in made.items():
      rows[name].append({**row, "identity": person, "number": len(rows[name]), "kind": name})
  if not rows["frontal"]:
    raise ValueError("no photograph from the front can be used: "
                     + "; ".join(reasons or [f"{images[0][0].parent} has profiles alone"]))
  return [row for kind in face_pictures.KINDS for row in rows[kind]]
