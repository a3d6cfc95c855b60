"""TFDS builder of CFP: its photographs cut out alike, and frontal ones turned into profiles."""

import dataclasses
import os
import pathlib

import numpy as np
import tensorflow_datasets as tfds

from garden.datasets import face_pictures
from garden.datasets import faces
from garden.datasets import files
from garden.worlds.faces import points as points_lib

_SEED = 200


# Not frozen: TFDS's own BuilderConfig isn't.
@dataclasses.dataclass(eq=False, kw_only=True)
class CFPConfig(tfds.core.BuilderConfig):
  """One size of the set; beside its field a name and a description.

  Attributes:
    size: side of an image in pixels.
  """
  size: int = 32


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Celebrities in Frontal-Profile: 500 people, 10 photographs from the front, 4 from the side.

  With s the side of an image an example of the one split, `train`, holds

    image: [s, s, 3] uint8, the face, cut out by its fiducials;
    mask, visible: [s, s, 1] uint8, of simulated images: 255 times the share of a pixel that is the
      head, and that the photograph shows well; the mask of photographs is all 255;
    identity: int64, the person, from 0;
    kind: a label, one of `face_pictures.KINDS`;
    yaw: float32, degrees; 0 and about 75 of photographs;
    number: int64, of the image among those of its kind of its person, from 0; a simulated one has
      that of its photograph.

  Example:
    >>> builder = Builder(config="cfp_32", data_dir="prepared")
    >>> builder.download_and_prepare(
    ...     download_config=tfds.download.DownloadConfig(manual_dir="cfp"))
  """

  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES = {"1.0.0": "First release."}
  BUILDER_CONFIGS = [CFPConfig(name=f"cfp_{size}", size=size, description=f"{size} px.")
                     for size in (32, 64, 128, 224)]
  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  Unpack cfp-dataset.zip of http://www.cfpw.io into manual_dir, so that it holds Data and Protocol.
  """

  def _info(self) -> tfds.core.DatasetInfo:
    size = self.builder_config.size
    return tfds.core.DatasetInfo(
        builder=self,
        description="Celebrities in Frontal-Profile in the wild.",
        homepage="http://www.cfpw.io",
        features=face_pictures.features(size),
        citation="""@inproceedings{sengupta2016frontal,
  title={Frontal to profile face verification in the wild},
  author={Sengupta, S. and Chen, J.-C. and Castillo, C. and Patel, V. M. and Chellappa, R. and
    Jacobs, D. W.},
  booktitle={IEEE Winter Conference on Applications of Computer Vision},
  year={2016}
}""",
        disable_shuffling=True,  # images come by person
    )

  def _split_generators(self, dl_manager):
    return {"train": self._generate_examples(pathlib.Path(dl_manager.manual_dir) / "Data")}

  def _generate_examples(self, folder):
    if not (folder / "Images").is_dir():
      raise ValueError(f"there is no {folder / 'Images'}; put CFP's Data and Protocol there")
    key = 0
    for person in sorted(path.name for path in (folder / "Images").iterdir()):
      for row in make(folder, person, self.builder_config.size):
        yield key, faces.encoded(row)
        key += 1


def make(folder, person, size):
  """All images of a person.

  Args:
    folder: CFP's `Data`.
    person: name of its folder, such as "001".
    size: side of an image in pixels.

  Returns:
    List of dicts of arrays as `Builder` lists them, in the order of the kinds.

  Raises:
    ValueError: an image can't be read, or its fiducials don't fit; it names the file.
  """
  rows = {kind: [] for kind in face_pictures.KINDS}
  for kind in ("frontal", "profile"):
    for path in photographs(folder, person, kind):
      number = int(path.stem) - 1
      try:
        image, points = marked(path)
        made = {kind: face_pictures.cut_out(image, points, kind, size)}
        if kind == "frontal":
          made["simulated"] = face_pictures.turned(image, points, size,
                                                   [_SEED, int(person), number])
      except (OSError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error
      for name, row in made.items():
        rows[name].append({**row, "identity": int(person) - 1, "number": number, "kind": name})
  return [row for kind in face_pictures.KINDS for row in rows[kind]]


def photographs(folder, person, kind):
  """Paths of a person's photographs, "frontal" or "profile"; arguments as of `make`."""
  return sorted((pathlib.Path(folder) / "Images" / person / kind).glob("*.jpg"))


def marked(path):
  """A photograph and its fiducials.

  Args:
    path: as of `photographs`.

  Returns:
    `(image [h, w, 3] uint8, points)`, points as of `points.named`.
  """
  kind, person, images = path.parent, path.parent.parent, path.parent.parent.parent
  points = images.parent / "Fiducials" / person.name / kind.name / f"{path.stem}.txt"
  with files.open_image(path) as image:
    pixels = np.asarray(image.convert("RGB"))
  return pixels, points_lib.named(points_lib.read(os.fspath(points)))
