"""Faces in memory, whatever set they are of: pixels, who it is, what kind of image, which side."""

import abc
import dataclasses
import io

import numpy as np
import PIL.Image


class Source(abc.ABC):
  """People of a set as an experiment takes them."""

  @abc.abstractmethod
  def load(self, split):
    """`FaceSet` of a split; people are numbered from 0 in each."""

  @property
  @abc.abstractmethod
  def folder(self):
    """Where the set lies, and what was made of it."""


@dataclasses.dataclass(frozen=True)
class FaceSet:
  """N images of faces.

  Attributes:
    image: `[N, s, s, 3]` uint8, RGB.
    mask: `[N, s, s, 1]` uint8, 255 times the share of a pixel that is the person.
    visible: `[N, s, s, 1]` uint8, 255 times the share that the photograph shows well, 0 where
      nothing was simulated.
    identity: `[N]` int64.
    kind: `[N]` str, what it shows, such as "frontal", "profile" or "simulated".
    yaw: `[N]` float32, degrees.
    number: `[N]` int64, of the image among those of its kind of its person, from 0.
  """
  image: np.ndarray
  mask: np.ndarray
  visible: np.ndarray
  identity: np.ndarray
  kind: np.ndarray
  yaw: np.ndarray
  number: np.ndarray

  def __len__(self):
    return len(self.identity)

  def take(self, index):
    """The images at an index array or a mask, in its order."""
    return FaceSet(**{field.name: getattr(self, field.name)[index]
                      for field in dataclasses.fields(self)})

  def of(self, *kinds):
    """The images of some kinds.

    Raises:
      ValueError: there is none of a kind.
    """
    for kind in kinds:
      if not (self.kind == kind).any():
        raise ValueError(f"there is no image of the kind {kind!r}; there are "
                         f"{', '.join(sorted(set(self.kind)))}")
    return self.take(np.isin(self.kind, kinds))


@dataclasses.dataclass(frozen=True)
class Pairs:
  """P pairs.

  Attributes:
    first: `[P, 2]` int64, person and number of the image, both from 0.
    second: `[P, 2]` int64, the same of the other image.
    same: `[P]` bool, whether they are of one person.
    fold: `[P]` int64, of the protocol.
    kinds: the kinds of image of the two sides.
  """
  first: np.ndarray
  second: np.ndarray
  same: np.ndarray
  fold: np.ndarray
  kinds: tuple = ("frontal", "profile")

  def __len__(self):
    return len(self.same)


def numbered(identity, kind):
  """The number of each image among those of its kind of its person, in their order: `[N]` int64."""
  counts, found = {}, []
  for key in zip(identity, kind):
    found.append(counts.get(key, 0))
    counts[key] = found[-1] + 1
  return np.array(found, np.int64)


def encoded(row):
  """An example with its pictures as PNG files, which TFDS writes as they are.

  Encoding by TFDS itself takes several times as long as drawing a face.

  Args:
    row: dict with `image`, `mask`, `visible` `[s, s, 3 or 1]` uint8.

  Returns:
    The dict with file objects in their place.
  """
  files = {}
  for name in ("image", "mask", "visible"):
    picture = row[name]
    files[name] = io.BytesIO()
    PIL.Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(
        files[name], "PNG")
    files[name].seek(0)
  return {**row, **files}
