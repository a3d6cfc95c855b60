"""A user's own photographs of towers, measured beside the simulated ones.

A folder with `labels.csv` (`datasets/photo_folder.py` has its form) needs no training and no
data set: its images are read at the size of the towers that the network knows.
"""

import dataclasses

import numpy as np

from garden.datasets import photo_folder
from garden.datasets.block_towers import metrics

STREAM = "photographs"  # what its rows are called


@dataclasses.dataclass(frozen=True)
class Photos:
  """N photographs with what happened.

  Attributes:
    images: `[N, s, s, 3]` float32 in [0, 1], the middle square of each.
    fall: `[N]` int64, 1 where the tower fell.
    count: `[N]` int64, blocks; 0 where it isn't told.
    names: N file names, relative to the folder.
  """

  images: np.ndarray
  fall: np.ndarray
  count: np.ndarray
  names: tuple

  def __len__(self):
    return len(self.fall)


def load(folder, size):
  """Reads a folder of photographs.

  Args:
    folder: that holds `labels.csv` and the images.
    size: side of the result in pixels.

  Returns:
    `Photos`, in the order of `labels.csv`.

  Raises:
    ValueError: as `photo_folder.rows` and `photo_folder.read`; it names the file and the line.

  Example:
    photos = load("photos/", 168)
  """
  found = list(photo_folder.examples(folder, size))
  return Photos(
      images=np.stack([one["image"] for one in found]).astype(np.float32) / np.float32(255),
      fall=np.array([one["fall"] for one in found], np.int64),
      count=np.array([one["count"] for one in found], np.int64),
      names=tuple(one["name"] for one in found))


def rows(photos, probability):
  """Result rows: accuracy of all, and by count where counts are told; calibration.

  Args:
    photos: `Photos`.
    probability: `[N]` of falling, in [0, 1].

  Returns:
    List of `{"metric", "value", "setting"}`; `setting` has the stream `photographs` and
    `blocks`, a count or "all".
  """
  probability, found = np.asarray(probability), []

  def add(metric, value, blocks):
    found.append({"metric": metric, "value": float(value),
                  "setting": {"stream": STREAM, "blocks": blocks}})

  for count in sorted(set(photos.count.tolist()) - {0}):
    chosen = photos.count == count
    add("fall_accuracy", metrics.fall_accuracy(photos.fall[chosen], probability[chosen]), count)
  add("fall_accuracy", metrics.fall_accuracy(photos.fall, probability), "all")
  add("calibration_error", metrics.calibration_error(photos.fall, probability), "all")
  return found
