"""Synthetic street digits: house-number-like pictures, drawn without any font.

The labelled source domain of a transfer to real handwritten digits. The pictures are in the style
of the crops of SVHN (Netzer, Wang, Coates, Bissacco, Wu, Ng, NIPS workshop 2011): one digit in the
middle, parts of its neighbours at the edges, any colours, bad light and a poor camera.

`glyphs` holds the shapes of the ten digits, `scene` draws at random all that a picture depends on,
and `renderer` makes the picture of a scene.
"""

from garden.worlds.digits.renderer import street_digits

__all__ = ["street_digits"]
