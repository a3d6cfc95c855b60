"""What the tests of this room share: a tiny trained run, and models of a few weights."""

import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture(scope="session")
def transfer_run(tmp_path_factory):
  """Folder of a trained `transfer/tiny.gin`. Shared: read it, never write to it."""
  from garden.core import config
  from garden.core import run as run_lib
  from garden.core import train

  folder = tmp_path_factory.mktemp("transfer") / "run"
  text = config.load(["transfer/tiny.gin"])
  train.train(run_lib.Run(), str(folder), text)
  return folder


@pytest.fixture
def make():
  """Makes a model: `make(TransferModel, recipe)`, 16x16 images, 3 source and 2 target classes."""
  from garden.transfer import networks

  def build(kind, recipe, n_source=3, n_target=2, seed=0):
    tf.keras.utils.set_random_seed(seed)
    encoders = [networks.LeNet(channels=(3, 4), units=12) for _ in range(2)]
    model = kind(*encoders, n_source, n_target, (16, 16, 1), recipe, seed)
    model.compile()
    return model

  return build


@pytest.fixture
def batch():
  """A batch of the three streams: 6 source, 2 x 2 labelled, 8 unlabelled images."""
  rng = np.random.default_rng(0)

  def images(n):
    return tf.constant(rng.uniform(size=(n, 16, 16, 1)), tf.float32)

  return {
    "source": (images(6), tf.constant([0, 1, 2, 0, 1, 2], tf.int64)),
    "target_labeled": (images(4), tf.constant([0, 0, 1, 1], tf.int64)),
    "target_unlabeled": images(8),
  }
