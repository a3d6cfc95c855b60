"""What the experiments of this room share: a stream of towers to train on, some that measure."""

import functools

import tensorflow as tf

from garden.core import experiment as experiment_lib


class TowersExperiment(experiment_lib.Experiment):
  """An experiment on streams of towers, each read once.

  Args:
    train: the `data.Stream` to train on.
    test: list of `data.Stream`s that measure.
    test_names: a name for each stream of `test`.
    validation: a `data.Stream`, or None.

  Raises:
    ValueError: no test stream, or another number of names than of streams.
  """

  def __init__(self, train, test, test_names, validation=None):
    if len(test) != len(test_names) or not test:
      raise ValueError(f"test has {len(test)} streams and test_names {list(test_names)}; give one "
                       "name for each stream, and at least one stream")
    self.train = train
    self.test = tuple(test)
    self.test_names = tuple(test_names)
    self.validation = validation

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
