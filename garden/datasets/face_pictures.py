"""What sets of photographed faces are made of: faces cut out alike, and frontal ones turned.

Both come from a picture in which the head is where the renderer would put it, see
`worlds.faces.framing`, so that a photographed profile and a simulated one lie at one place.
"""

import os

import numpy as np
import tensorflow_datasets as tfds

from garden.datasets import faces as faces_lib
from garden.worlds.faces import framing
from garden.worlds.faces import portrait as portrait_lib

#: Photographs from the front and from the side, and those from the front turned to the side.
KINDS = ("frontal", "profile", "simulated")
_YAW = 75.0  # degrees, of a photographed profile: about
_SIDES = (60.0, 90.0)  # degrees, of simulated ones
_PITCH = 6.0  # degrees
_WHOLE = 3  # times the size, pictures that faces are cut out of


def cut_out(image, points, kind, size):
  """A photograph's face.

  Args:
    image: as of `framing.frame`.
    points: dict as of `framing.frame`.
    kind: "frontal" or "profile".
    size: side of what is cut out, in pixels.

  Returns:
    Dict of `image` `[size, size, 3]`, `mask` and `visible` `[size, size, 1]` uint8, and `yaw`,
    float32 degrees; see `faces.FaceSet`. The mask of a photograph is all 255.

  Raises:
    ValueError: the points don't fit.
  """
  yaw = 0.0 if kind == "frontal" else _YAW * framing.side(points)
  whole = framing.frame(image, points, _WHOLE * size, yaw)
  return {"image": framing.crop(whole, yaw, size), "yaw": np.float32(yaw),
          "mask": np.full((size, size, 1), 255, np.uint8),
          "visible": np.zeros((size, size, 1), np.uint8)}


def turned(image, points, size, seed):
  """A photograph from the front turned to a side, at random 60 to 90 degrees.

  Args:
    image: as of `portrait.fit`.
    points: dict as of `portrait.fit`.
    size: side of the picture in pixels.
    seed: list of ints.

  Returns:
    Dict as of `cut_out`.

  Raises:
    ValueError: the points don't fit, or the face is turned already.
  """
  rng = np.random.default_rng(seed)
  yaw, pitch = rng.uniform(*_SIDES) * rng.choice([-1.0, 1.0]), rng.uniform(-_PITCH, _PITCH)
  picture, *shares = portrait_lib.fit(image, points).render(yaw, pitch, _WHOLE * size)
  mask, visible = (framing.crop(np.round(255.0 * share[..., np.newaxis]).astype(np.uint8), yaw,
                                size) for share in shares)
  return {"image": framing.crop(picture, yaw, size), "mask": mask,
          "visible": np.minimum(visible, mask), "yaw": np.float32(yaw)}


def features(size):
  """The features of a TFDS set of photographed faces."""
  return tfds.features.FeaturesDict({
      "image": tfds.features.Image(shape=(size, size, 3), encoding_format="png"),
      "mask": tfds.features.Image(shape=(size, size, 1), encoding_format="png"),
      "visible": tfds.features.Image(shape=(size, size, 1), encoding_format="png"),
      "identity": tfds.features.Scalar(dtype=np.int64),
      "kind": tfds.features.ClassLabel(names=KINDS),
      "yaw": tfds.features.Scalar(dtype=np.float32),
      "number": tfds.features.Scalar(dtype=np.int64)})


def load(builder, folder):
  """All images of a builder with these features as a `faces.FaceSet`, made on first use.

  Args:
    builder: the TFDS builder; its one split is "train".
    folder: its `manual_dir`.
  """
  builder.download_and_prepare(
      download_config=tfds.download.DownloadConfig(manual_dir=os.fspath(folder)))
  rows = list(tfds.as_numpy(builder.as_dataset(
      split="train", shuffle_files=False,
      read_config=tfds.ReadConfig(interleave_cycle_length=1))))
  columns = {name: np.stack([row[name] for row in rows])
             for name in ("image", "mask", "visible", "identity", "yaw", "number")}
  return faces_lib.FaceSet(**columns, kind=np.array(KINDS)[[row["kind"] for row in rows]])
