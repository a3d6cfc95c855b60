"""A part of a set that is made here, as gin and Python name it: what all such streams share."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Split:
  """The first examples of a split; a set adds how they are read.

  Attributes:
    config: name of the set's config.
    split: "train", "validation" or "test".
    n: how many of its examples, the first ones; None for all.
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.

  Raises:
    ValueError: n isn't a whole number of at least 1.

  Example:
    class Stream(Split): ...
  """

  config: str
  split: str = "train"
  n: int | None = None
  data_dir: str | None = None

  def __post_init__(self):
    if self.n is not None and (not isinstance(self.n, int) or self.n < 1):
      raise ValueError(f"n is {self.n!r}; it must be a whole number of at least 1")

  def first(self, examples, what):
    """The first n of all examples of the split.

    Args:
      examples: all, with a length and `take(index)`.
      what: what they are, in the plural, for the message.

    Raises:
      ValueError: there are fewer.
    """
    if self.n is None:
      return examples
    if self.n > len(examples):
      raise ValueError(f"n is {self.n}, but the split {self.split} of {self.config} has "
                       f"{len(examples)} {what}")
    return examples.take(np.arange(self.n))
