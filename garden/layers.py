"""Every layer and model of the garden that is of use in code of your own, in one place.

    import tensorflow as tf
    from garden.layers import SelfExpression

    codes = tf.keras.Input(batch_shape=[400, 64])
    model = tf.keras.Model(codes, SelfExpression(n_samples=400)(codes))

Layers are plain Keras layers: they work in Functional models, under `tf.distribute` and mixed
precision, and are kept in `.keras` files and SavedModels. After `import garden.layers`,
`tf.keras.models.load_model` knows them all; a SavedModel needs nothing but TensorFlow.

Models are whole methods with a `train_step` of their own. They are imported when they are asked
for, since their settings bring gin, and training brings more; before a `.keras` file with one is
loaded, import it: `from garden.layers import DAGAN`. The file holds its arguments, settings
included, and its weights, not the state of training: that is in a run's checkpoints. `DSCNet`
alone has no `.keras` file, since it belongs to the images that it was made for.

Not here are the parts that one of these makes for itself (`ConvNorm` of `GoogLeNet`, `PairNet` of
`Perception`, ...). They are in the rooms.
"""

import importlib
import typing

from garden.core.layers import LayoutHead
from garden.core.layers import ResidualBlock
from garden.core.layers import Segmenter
from garden.core.layers import Trunk
from garden.core.resnet import ResNetTrunk
from garden.dagan.networks import BEGANAutoencoder
from garden.dagan.networks import IdentityAgent
from garden.dagan.refiner import Refiner
from garden.physnet.deepmask import LowRankMaskHead
from garden.physnet.deepmask import ScoreHead
from garden.physnet.googlenet import GoogLeNet
from garden.physnet.googlenet import Inception
from garden.physnet.networks import MaskHead
from garden.physnet.windows import TopDownHead
from garden.physnet.windows import WindowNet
from garden.subspace.networks import ConvDecoder
from garden.subspace.networks import ConvEncoder
from garden.subspace.scattering import Scattering
from garden.subspace.self_expression import SelfExpression
from garden.transfer.adversary import GradientReversal
from garden.transfer.adversary import MultiLayerDomainDiscriminator
from garden.transfer.networks import CosineHead
from garden.transfer.networks import LeNet
from garden.transfer.resnet import ResNet
from garden.transfer.semantic import PrototypeSimilarity
from garden.transfer.semantic_loss import SemanticTransferLoss
from garden.vda.balls import BallHeatMaps
from garden.vda.balls import BallPerception
from garden.vda.balls import BallVelocity
from garden.vda.engines import SupportEngine
from garden.vda.graphics import Graphics
from garden.vda.interaction import InteractionNetwork
from garden.vda.perception import Perception
from garden.vda.proposals import Proposals
from garden.vda.surroundings import Surroundings
from garden.worlds.billiards.renderer import TableRenderer
from garden.worlds.towers.renderer import TowerRenderer
from garden.worlds.towers.soft_support import SoftSupport

if typing.TYPE_CHECKING:  # for readers that don't run it
  from garden.dagan.began import BEGAN
  from garden.dagan.dagan import DAGAN
  from garden.dagan.recogniser import Recogniser
  from garden.physnet.deepmask_model import DeepMask
  from garden.physnet.physnet import PhysNet
  from garden.physnet.windows_model import PhysNetWindows
  from garden.subspace.dscnet import DSCNet
  from garden.transfer.matching import MatchingNet
  from garden.transfer.mme import MME
  from garden.transfer.transfer_model import TransferModel
  from garden.vda.billiards import Billiards
  from garden.vda.vda import VDA

_MODELS = {
    "BEGAN": "garden.dagan.began",
    "Billiards": "garden.vda.billiards",
    "DAGAN": "garden.dagan.dagan",
    "DSCNet": "garden.subspace.dscnet",
    "DeepMask": "garden.physnet.deepmask_model",
    "MME": "garden.transfer.mme",
    "MatchingNet": "garden.transfer.matching",
    "PhysNet": "garden.physnet.physnet",
    "PhysNetWindows": "garden.physnet.windows_model",
    "Recogniser": "garden.dagan.recogniser",
    "TransferModel": "garden.transfer.transfer_model",
    "VDA": "garden.vda.vda",
}

__all__ = [
    "BEGAN", "BEGANAutoencoder", "BallHeatMaps", "BallPerception", "BallVelocity", "Billiards",
    "ConvDecoder", "ConvEncoder", "CosineHead", "DAGAN", "DSCNet", "DeepMask", "GoogLeNet",
    "GradientReversal", "Graphics", "IdentityAgent", "Inception", "InteractionNetwork",
    "LayoutHead", "LeNet", "LowRankMaskHead", "MME", "MaskHead", "MatchingNet",
    "MultiLayerDomainDiscriminator", "Perception", "PhysNet", "PhysNetWindows", "Proposals",
    "PrototypeSimilarity", "Recogniser", "Refiner", "ResNet", "ResNetTrunk", "ResidualBlock",
    "Scattering", "ScoreHead", "Segmenter", "SelfExpression", "SemanticTransferLoss", "SoftSupport",
    "SupportEngine", "Surroundings", "TableRenderer", "TopDownHead", "TowerRenderer",
    "TransferModel", "Trunk", "VDA", "WindowNet",
]


def __getattr__(name):
  if name not in _MODELS:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  globals()[name] = getattr(importlib.import_module(_MODELS[name]), name)  # next time it is there
  return globals()[name]


def __dir__():
  return sorted({*globals(), *__all__})
