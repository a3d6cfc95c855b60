"""The one path of every method: train, evaluate, export, predict, report."""

from garden.core.experiment import Data
from garden.core.experiment import Experiment
from garden.core.experiment import Plateau
from garden.core.experiment import Stage
from garden.core.export import ServingModule
from garden.core.model import GardenModel
from garden.core.optimizers import FusedAdam
from garden.core.run import Run

__all__ = ["Data", "Experiment", "FusedAdam", "GardenModel", "Plateau", "Run",
           "ServingModule", "Stage"]
