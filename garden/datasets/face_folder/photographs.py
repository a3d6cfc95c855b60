"""Photographs of faces with their landmarks, from a file beside each or found in it.

anna/01.jpg    anna/01.txt or anna/01.pts, if there is one: 30 points (CFP), 68 (iBUG) or 468
"""

import dataclasses
import functools
import os

import numpy as np

from garden.datasets import files
from garden.worlds.faces import landmarks as landmarks_lib
from garden.worlds.faces import points as points_lib

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".pgm")
_BESIDE = (".txt", ".pts")


@dataclasses.dataclass(frozen=True)
class Photograph:
  """A photograph and the points of its face.

  Attributes:
    image: `[h, w, 3]` uint8, or grey or RGBA, see `portrait.as_rgb`.
    points: dict of name -> `[2 or 3]`, see `points.named`.
    faces: how many faces were found; 1 where the points were given.
  """
  image: np.ndarray
  points: dict
  faces: int


def read(path, detector=None):
  """Reads a photograph and finds its points.

  Args:
    path: of the image; points are read from a `.txt` or `.pts` of the same name, if there is one.
    detector: a function image -> `landmarks.Found`; `landmarks.Detector` when None.

  Returns:
    `Photograph`, of several faces the largest.

  Raises:
    ValueError: the image can't be read, its points don't fit, no face was found, or the package
      that finds faces is missing.

  Example:
    portrait.fit(photograph.image, photograph.points)
  """
  with files.open_image(path) as opened:
    image = np.asarray(opened if opened.mode in ("L", "RGB", "RGBA") else opened.convert("RGB"))
  stem = os.path.splitext(path)[0]
  for beside in (stem + extension for extension in _BESIDE):
    if os.path.exists(beside):
      return Photograph(image, points_lib.named(points_lib.read(beside)), 1)
  found = (detector or _detector())(image)
  return Photograph(image, points_lib.named(found.points), found.faces)


@functools.cache
def _detector():
  """The one detector of the process."""
  return landmarks_lib.Detector()
