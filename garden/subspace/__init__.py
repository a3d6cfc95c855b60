"""Deep Subspace Clustering Networks, and the classical problem under them."""

import importlib

from garden.subspace.networks import ConvDecoder
from garden.subspace.networks import ConvEncoder
from garden.subspace.self_expression import SelfExpression

__all__ = ["Baselines", "Clustering", "ConvDecoder", "ConvEncoder", "DSCNet",
           "LabelFree", "SelfExpression"]

# These bring gin and scikit-learn, which layers do without.
_LATER = {"Baselines": "baselines", "Clustering": "experiment", "DSCNet": "dscnet",
          "LabelFree": "label_free"}


def __getattr__(name):
  if name not in _LATER:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  module = importlib.import_module(f"{__name__}.{_LATER[name]}")
  globals()[name] = getattr(module, name)  # next time it is there
  return globals()[name]


def __dir__():
  return sorted({*globals(), *__all__})
