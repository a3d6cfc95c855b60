"""Moving shapes: small photographs of some shapes, and short clips of other shapes that move.

A stand-in, made in seconds, for a transfer from photographs to the frames of videos, like ImageNet
(Russakovsky et al., IJCV 2015) to UCF-101 (Soomro, Zamir, Shah, CRCV-TR-12-01, 2012). The labelled
source is still, bright and one picture a scene; the target is dark, noisy and blurred, its classes
are others, and a single frame may hide most of its shape.

`shapes` holds the outlines, `scene` draws at random all that a picture or a clip depends on,
`renderer` makes the pixels, and `folders` writes them: `python -m garden.worlds.moving_shapes`.
"""

from garden.worlds.moving_shapes.folders import write
from garden.worlds.moving_shapes.renderer import clip
from garden.worlds.moving_shapes.renderer import photograph
from garden.worlds.moving_shapes.shapes import SOURCE_CLASSES
from garden.worlds.moving_shapes.shapes import TARGET_CLASSES

__all__ = ["SOURCE_CLASSES", "TARGET_CLASSES", "clip", "photograph", "write"]
