"""Heads that are drawn at random, and photographs of faces that are turned to the side.

`heads` holds people as plain numbers, `renderer` sees them from any side. `mesh` and `rasterizer`
are what both ways have in common: triangles, and which of them each pixel shows.
"""
