"""Deep Subspace Clustering Networks, and the classical problem under them."""

from garden.subspace.baselines import Baselines
from garden.subspace.dscnet import DSCNet
from garden.subspace.experiment import Clustering
from garden.subspace.label_free import LabelFree
from garden.subspace.networks import ConvDecoder
from garden.subspace.networks import ConvEncoder
from garden.subspace.self_expression import SelfExpression

__all__ = ["Baselines", "Clustering", "ConvDecoder", "ConvEncoder", "DSCNet",
           "LabelFree", "SelfExpression"]
