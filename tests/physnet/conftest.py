"""Towers for the tests of this room: made once, in memory, without files."""

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import configs
from garden.datasets.block_towers import examples


def make_towers(n, seed=0, config="towers_64"):
  """A `TowerSet` of the first n towers of a seed, as `Stream.load` would give it."""
  rows = list(examples.make(configs.CONFIGS[config], seed, n))
  columns = {}
  for name in rows[0]:
    if name in ("image", "ids", "masks"):
      columns[name] = np.array(
          [tf.io.encode_png(row[name]).numpy() for row in rows], object)
    else:
      columns[name] = np.stack([row[name] for row in rows])
  return arrays.tower_set(columns)


@pytest.fixture(scope="session")
def towers():
  """48 towers of 2 to 4 blocks, 64 px."""
  return make_towers(48)


@pytest.fixture(scope="session")
def test_towers():
  """24 other towers."""
  return make_towers(24, seed=2)
