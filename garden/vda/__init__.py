"""Visual de-animation: image -> physical state -> physics engine -> graphics engine -> image.

Wu, Lu, Kohli, Freeman, Tenenbaum: *Learning to See Physics via Visual De-animation*, NIPS 2017.
"""

from garden.vda.perception import Perception

__all__ = ["Perception"]
