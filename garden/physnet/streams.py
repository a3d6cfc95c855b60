"""What the experiments of this room share: a stream of towers to train on, some that measure."""

import functools

import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.core import experiment as experiment_lib
from garden.datasets import order
from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import stream as stream_lib

BATCH = 50  # towers of a forward pass outside of training


class TowersExperiment(experiment_lib.Experiment):
  """An experiment on streams of towers, each read once; `told` says what it predicts.

  Args:
    train: the `stream.Stream` to train on.
    test: list of `stream.Stream`s that measure.
    test_names: a name for each stream of `test`.
    validation: a `stream.Stream`, or None.
    steps: batches of training.
    batch_size: towers of a batch.
    seed: seed of the order.

  Raises:
    ValueError: no test stream, another number of names than of streams, or no step or tower.
  """

  def __init__(self, train, test, test_names, validation=None, steps=1000, batch_size=32, seed=0):
    checks.check_count("steps", steps, 1)
    checks.check_count("batch_size", batch_size, 1)
    if len(test) != len(test_names) or not test:
      raise ValueError(f"test has {len(test)} streams and test_names {list(test_names)}; give one "
                       "name for each stream, and at least one stream")
    self.train = train
    self.test = tuple(test)
    self.test_names = tuple(test_names)
    self.validation = validation
    self.steps = steps
    self.batch_size = batch_size
    self.seed = seed
    self._graphs = {}

  @functools.cached_property
  def train_towers(self):
    """The towers to train on, read once."""
    return self.train.load()

  @functools.cached_property
  def test_towers(self):
    """The towers of each test stream, read once."""
    return [stream.load() for stream in self.test]

  @functools.cached_property
  def source_size(self):
    """(height, width) of the towers' pictures."""
    first = tf.io.decode_png(self.test_towers[0].images[0], channels=3)
    return tuple(first.shape[:2])

  def datasets(self):
    """One stage: `train`."""
    validation = None
    if self.validation is not None:
      validation = stream_lib.in_order(self.validation.load(), BATCH)
    return experiment_lib.Data(
        stages=[experiment_lib.Stage("train", self.steps, stream_lib.batches(
            self.train_towers, self.batch_size, self.seed))], validation=validation)

  def told(self, model, images):
    """What a trained model says of images `[b, s, s, 3]` in [0, 1]: a dict of tensors."""
    raise NotImplementedError

  def graph(self, model):
    """`told` of a model as a `tf.function` of images, traced once for each size of a batch."""
    if id(model) not in self._graphs:
      self._graphs[id(model)] = tf.function(functools.partial(self.told, model))
    return self._graphs[id(model)]

  def predict(self, model, images):
    """`told` of images `[n, s, s, 3]` in [0, 1], as a dict of arrays `[n, ...]`."""
    graph, n = self.graph(model), len(images)
    # Batches of one size: TensorFlow warns of crops of an unknown number.
    padded = np.concatenate([images, np.zeros([-n % BATCH, *images.shape[1:]], images.dtype)])
    parts = [graph(tf.constant(padded[i:i + BATCH])) for i in range(0, n, BATCH)]
    return {name: np.concatenate([part[name].numpy() for part in parts])[:n] for name in parts[0]}

  def sample_images(self):
    """Twenty test towers, evenly spread: `[20, s, s, 3]` float32 in [0, 1]."""
    towers = self.test_towers[0]
    return arrays.images_of(towers, order.evenly(len(towers), 20))
