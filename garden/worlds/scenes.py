"""What batches of scenes of plain arrays have in common, whatever the world."""

import dataclasses

import numpy as np


class Scenes:
  """Base of a frozen dataclass of arrays, all `[N, ...]`, with `present` and `position` among them.

  Example:
    class Tables(Scenes): ...
  """

  def __len__(self):
    return len(self.position)

  @property
  def count(self):
    """`[N]` int, how many of the places `[N, B]` hold something."""
    return self.present.sum(axis=1)

  def arrays(self):
    """The fields by name: what the world's renderer takes."""
    return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

  def take(self, index):
    """The scenes at an index, a slice or an array of indices, in that order."""
    index = [index] if isinstance(index, int | np.integer) else index
    return type(self)(**{name: value[index] for name, value in self.arrays().items()})

  def replace(self, **fields):
    """A copy with other arrays in some fields."""
    return dataclasses.replace(self, **fields)


def check_draw(n, seed, first):
  """Raises a ValueError unless n is a whole number above 0, seed and first of at least 0."""
  for name, value, least in (("n", n, 1), ("seed", seed, 0), ("first", first, 0)):
    if not isinstance(value, int | np.integer) or value < least:
      raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}")


def rising(times):
  """Times as `[T]` float64, or a ValueError unless they rise from 0 s or later."""
  times = np.asarray(times, np.float64)
  if (times.ndim != 1 or not len(times) or not np.isfinite(times).all() or times[0] < 0
      or (np.diff(times) <= 0).any()):
    raise ValueError(f"times are {times.tolist()}; they must rise from 0 s or later")
  return times
