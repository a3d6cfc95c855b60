"""A folder of photographs of towers with their labels: `labels.csv` and the images beside it.

    image,fall,count
    shots/001.jpg,1,4
    shots/002.jpg,0,2

`fall` is 1 where the tower fell, 0 where it stood. `count`, the number of blocks, may be
missing. Other columns are left alone. This is the form for real photographs, and for published
sets like ShapeStacks after their labels were written out so.
"""

import csv
import dataclasses
import io
import os
import pathlib
import re
from collections.abc import Iterator

import numpy as np

from garden.datasets import files
from garden.datasets import geometry

LABELS = "labels.csv"
_REQUIRED = ("image", "fall")
_SHOWN = 60  # characters of a value in a message


@dataclasses.dataclass(frozen=True)
class Photo:
  """A row of `labels.csv`.

  Attributes:
    name: of the image, relative to the folder.
    path: of the image.
    fall: 1 where the tower fell, 0 where it stood.
    count: number of blocks; 0 where it isn't told.
  """

  name: str
  path: pathlib.Path
  fall: int
  count: int


def rows(folder: str | os.PathLike) -> list[Photo]:
  """Reads `labels.csv`; opens no image.

  Args:
    folder: that holds `labels.csv` (UTF-8, commas) and the images.

  Returns:
    The rows in their order.

  Raises:
    ValueError: the file is missing, isn't UTF-8 or CSV, lacks a column or has no row; or a row
      names an image that isn't there, is outside the folder, or comes twice; or has a label
      other than 0 and 1, or a count that isn't a whole number above 0. It names the line.

  Example:
    >>> rows("towers")[0].fall
    1
  """
  root = files.existing(folder, folder=True)
  path = files.existing(root / LABELS, folder=False)
  try:
    text = path.read_text(encoding="utf-8-sig")
  except UnicodeDecodeError as error:
    raise ValueError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
  reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
  found, lines = [], {}
  try:
    columns = [(name or "").strip() for name in reader.fieldnames or ()]
    if not columns:
      raise ValueError(f"{path} is empty: it must have the header {','.join(_REQUIRED)}[,count] "
                       "and a line an image")
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
      raise ValueError(f"{path} has no column {' and '.join(missing)}; its header is "
                       f"{_short(','.join(columns))}: it must have {','.join(_REQUIRED)}[,count]")
    reader.fieldnames = columns
    for row in reader:
      where = f"{path}, line {reader.line_num}"
      photo = _photo(root, where, row)
      if photo.name in lines:
        raise ValueError(f"{where}: {photo.name} is in line {lines[photo.name]} already: give "
                         "each image one line")
      lines[photo.name] = reader.line_num
      found.append(photo)
  except csv.Error as error:
    raise ValueError(f"{path}, line {reader.line_num}: {error}: save it as CSV with "
                     "commas") from error
  if not found:
    raise ValueError(f"{path} has a header but no row: add a line an image")
  return found


def read(photo: Photo, size: int) -> np.ndarray:
  """Reads one photograph: its middle square, resized.

  Args:
    photo: the row.
    size: pixels of a side, at least 1.

  Returns:
    [size, size, 3] uint8, RGB, upright.

  Raises:
    ValueError: the image can't be decoded; it names the file.

  Example:
    >>> read(rows("towers")[0], 168).shape
    (168, 168, 3)
  """
  pixels = files.read_image(photo.path, channels=3)
  if pixels.dtype != np.uint8:  # 16 bits of grey
    pixels = np.rint(pixels / 257.0).astype(np.uint8)
  side = min(pixels.shape[:2])
  top, left = ((length - side) // 2 for length in pixels.shape[:2])
  return geometry.resize(pixels[top:top + side, left:left + side], (size, size))


def examples(folder: str | os.PathLike, size: int) -> Iterator[dict]:
  """All photographs of a folder, in the order of `labels.csv`.

  Args:
    folder: as for `rows`.
    size: pixels of a side.

  Yields:
    dict of image [size, size, 3] uint8, fall 0 or 1, count (0 if not told), name.

  Raises:
    ValueError: as `rows` and `read`.

  Example:
    >>> [example["fall"] for example in examples("towers", 168)]
    [1, 0]
  """
  for photo in rows(folder):
    yield {"image": read(photo, size), "fall": photo.fall, "count": photo.count,
           "name": photo.name}


def _photo(root, where, row):
  """The `Photo` of a row."""
  name, fall, count = ((row.get(column) or "").strip() for column in (*_REQUIRED, "count"))
  if None in row:
    raise ValueError(f"{where} has more fields than the header: quote fields with commas in them")
  if not name:
    raise ValueError(f"{where} names no image: give a path relative to the folder")
  if fall not in ("0", "1"):
    raise ValueError(f"{where}: fall is {_short(fall)!r}; it must be 0 (stands) or 1 (falls)")
  if count and not re.fullmatch("[1-9][0-9]{0,2}", count):
    raise ValueError(f"{where}: count is {_short(count)!r}; it must be a whole number of blocks "
                     "in 1..999, or nothing")
  try:
    # Resolved, so that neither .. nor a link leads out of a folder that somebody else packed.
    path = (root / name).resolve()
    outside = not path.is_relative_to(root.resolve())
    there = not outside and path.is_file()
  except (OSError, ValueError, RuntimeError):  # a NUL in it, a name too long, links in a ring
    raise ValueError(f"{where}: {_short(name)!r} can't be a path") from None
  if outside:
    raise ValueError(f"{where}: {_short(name)} is outside {root}: copy the image into the folder")
  if not there:
    raise ValueError(f"{where}: there is no image {_short(name)} in {root}: add it, or remove the "
                     "line")
  return Photo(name, path, int(fall), int(count or 0))


def _short(text):
  return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
