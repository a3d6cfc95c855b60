"""PhysNet and its siblings: will this block tower fall, and where do the blocks go.

Lerer, Gross, Fergus, ICML 2016; DeepMask: Pinheiro, Collobert, Dollar, NIPS 2015.
"""

from garden.physnet.networks import MaskHead
from garden.physnet.physnet import PhysNet
from garden.physnet.windows_model import PhysNetWindows

__all__ = ["MaskHead", "PhysNet", "PhysNetWindows"]
