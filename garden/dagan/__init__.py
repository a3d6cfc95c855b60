"""DA-GAN on BEGAN: simulated faces in profile made photorealistic, the identity kept.

Zhao et al., NIPS 2017; BEGAN: Berthelot, Schumm, Metz 2017.
"""

from garden.dagan.began import BEGAN
from garden.dagan.dagan import DAGAN
from garden.dagan.networks import BEGANAutoencoder
from garden.dagan.networks import Decoder
from garden.dagan.refiner import Refiner

__all__ = ["BEGAN", "BEGANAutoencoder", "DAGAN", "Decoder", "Refiner"]
