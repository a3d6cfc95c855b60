"""Tests of faces in memory: what TFDS is given to write."""

import numpy as np
import PIL.Image

from garden.datasets import faces


def test_encoded_pictures_are_the_same_pictures():
  rng = np.random.default_rng(0)
  row = {name: rng.integers(0, 256, (8, 8, channels), dtype=np.uint8)
         for name, channels in (("image", 3), ("mask", 1), ("visible", 1))}
  found = faces.encoded({**row, "identity": 3})
  assert found["identity"] == 3
  for name, picture in row.items():
    read = np.asarray(PIL.Image.open(found[name]))
    np.testing.assert_array_equal(read.reshape(picture.shape), picture)
