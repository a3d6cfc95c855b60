"""TFDS builder of the ORL (AT&T) faces."""

from garden.datasets import layouts
from garden.datasets import manual_builder


class Builder(manual_builder.ManualImagesBuilder):
  """ORL faces: 40 people, 10 grey images each, 32x32 (the originals are 112x92).

  From `ORL_32x32.mat` the images are D. Cai's; from the original folders they are shrunk
  (bicubic) whole, which is close to his but not equal.
  """

  LAYOUT = layouts.ORL
  HOMEPAGE = "https://cam-orl.co.uk/facedatabase.html"
  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  Put ORL_32x32.mat into manual_dir, or unpack the original archive there (s1/1.pgm, ...,
  s40/10.pgm, at any depth).
  """
  CITATION = """@inproceedings{samaria1994parameterisation,
  title={Parameterisation of a stochastic model for human face identification},
  author={Samaria, Ferdinando S and Harter, Andy C},
  booktitle={IEEE Workshop on Applications of Computer Vision},
  year={1994}
}"""
