"""The one path of every method: train, evaluate, export, predict, report."""

import importlib

from garden.core.experiment import Data
from garden.core.experiment import Experiment
from garden.core.experiment import Plateau
from garden.core.experiment import Stage
from garden.core.export import ServingModule
from garden.core.model import GardenModel
from garden.core.optimizers import FusedAdam

__all__ = ["Data", "Experiment", "FusedAdam", "GardenModel", "Plateau", "Run",
           "ServingModule", "Stage"]


def __getattr__(name):
  # It brings gin, which layers do without.
  if name != "Run":
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  globals()[name] = importlib.import_module("garden.core.run").Run  # next time it is there
  return globals()[name]


def __dir__():
  return sorted({*globals(), *__all__})
