"""Visual de-animation: image -> physical state -> physics engine -> graphics engine -> image.

Wu, Lu, Kohli, Freeman, Tenenbaum: *Learning to See Physics via Visual De-animation*, NIPS 2017.
"""

from garden.vda.engines import MuJoCoEngine
from garden.vda.engines import SupportEngine
from garden.vda.graphics import Graphics
from garden.vda.interaction import InteractionNetwork
from garden.vda.perception import Perception
from garden.vda.proposals import Proposals

__all__ = ["Graphics", "InteractionNetwork", "MuJoCoEngine", "Perception", "Proposals",
           "SupportEngine"]
