"""Label-efficient transfer across domains and tasks, as Keras layers and losses."""

from garden.transfer.adversary import GradientReversal
from garden.transfer.adversary import MultiLayerDomainDiscriminator

__all__ = ["GradientReversal", "MultiLayerDomainDiscriminator"]
