"""Image sets: TFDS builders of the published ones, readers of a user's own.

`load('orl')` gives a published set, `read('my_images/')` a folder, a .mat or a .npz; both
return `Images`. Nothing here knows a method, and TFDS is imported only when it is needed.
"""

from garden.datasets.catalog import NAMES
from garden.datasets.catalog import load
from garden.datasets.images import Images
from garden.datasets.images import read
from garden.datasets.images import read_folder
from garden.datasets.images import read_mat
from garden.datasets.images import read_npz

__all__ = ["NAMES", "Images", "load", "read", "read_folder", "read_mat", "read_npz"]
