"""The contract between a method and the binaries.

A method is an `Experiment`: it says which data there is, which model is
trained on it in which stages, and what is measured, drawn and served. The
binaries (`train`, `evaluate`, `export`, `report`, `reproduce`) know nothing
else of it.
"""

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Plateau:
  """Lowers a stage's learning rate, then ends the stage, when a value stalls.

  After `patience` epochs in which the training value `monitor` hasn't fallen
  below `(1 - min_improvement)` times its best, the learning rate is multiplied
  by `factor`; when it would fall below `floor`, the stage ends. It looks at
  training values alone, so it needs no label.

  Attributes:
    monitor: name of a value that the model's `train_step` returns.
    min_improvement: relative, in [0, 1).
    patience: epochs without improvement before something happens.
    factor: in (0, 1), or 0 to end the stage at the first plateau.
    floor: the least learning rate.
    optimizer: the attribute of the model that holds the optimizer.
  """
  monitor: str = "loss"
  min_improvement: float = 0.01
  patience: int = 3
  factor: float = 0.5
  floor: float = 0.0
  optimizer: str = "optimizer"


@dataclasses.dataclass(frozen=True)
class Stage:
  """One leg of training: `steps` batches, with one rule for what a step does.

  Attributes:
    name: what `GardenModel.stage_name` is while the stage runs.
    steps: the budget, in batches.
    batches: maps a step number of this stage to the data set of the batches
      from that step on. Batch i is a function of (seed, i) alone, which is what
      makes a killed run continue as if nothing had happened. Called in the
      strategy's scope; a data set is split among the replicas, unless it is
      already a `tf.distribute.DistributedDataset`.
    plateau: optional rule that lowers the learning rate and ends the stage.
  """
  name: str
  steps: int
  batches: Callable[[int], tf.data.Dataset]
  plateau: Plateau | None = None


@dataclasses.dataclass(frozen=True)
class Data:
  """What an experiment trains and is measured on.

  Attributes:
    stages: the legs of training, in order; none for a method without training.
    validation: a data set that `fit` evaluates at the end of each epoch.
    test: whatever the experiment's own `evaluate` and `figures` need.
  """
  stages: Sequence[Stage] = ()
  validation: tf.data.Dataset | None = None
  test: Any = None


class Experiment(abc.ABC):
  """Five methods that describe a run. Constructors load no data."""

  #: The room it belongs to, and the title of its report.
  room: str = ""
  title: str = ""
  #: Where `predictions` go, in the folder of the run.
  predictions_file: str = "predictions.csv"

  @abc.abstractmethod
  def build_model(self) -> "tf.keras.Model":
    """Returns the compiled, built `GardenModel`. Called in a strategy's scope."""

  @abc.abstractmethod
  def datasets(self) -> Data:
    """Returns the data. The same object's calls return the same data."""

  @abc.abstractmethod
  def evaluate(self, model, data: Data) -> Sequence[Mapping[str, Any]]:
    """Measures the model.

    Args:
      model: what `build_model` returned, trained.
      data: what `datasets` returned.

    Returns:
      A list of rows with at least `metric` and `value`; optional keys are
      `method` and `setting`, for runs that measure several.
    """

  @abc.abstractmethod
  def figures(self, model, data: Data) -> Sequence[Any]:
    """Returns the report's sections: `Text`, `Table`, `Figure` of core.report."""

  @abc.abstractmethod
  def signatures(self, model) -> "tf.Module":
    """Returns the `core.export.ServingModule` to save."""

  def predictions(self, model, data: Data) -> Mapping[str, Sequence[Any]]:
    """Columns of a table of per-image results, written as CSV by `evaluate`.

    Returns:
      Column name -> values, all of one length; empty for no table.
    """
    del model, data
    return {}

  def sample_images(self):
    """A few images to try the served model on, `[n, h, w, c]` in [0, 1]."""
    return ()
