"""Label-efficient transfer across domains and tasks, as Keras layers and losses."""

from garden.transfer.adversary import GradientReversal
from garden.transfer.adversary import MultiLayerDomainDiscriminator
from garden.transfer.semantic import PrototypeSimilarity
from garden.transfer.semantic_loss import SemanticTransferLoss

__all__ = ["GradientReversal", "MultiLayerDomainDiscriminator", "PrototypeSimilarity",
           "SemanticTransferLoss"]
