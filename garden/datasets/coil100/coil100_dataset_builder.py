"""TFDS builder of COIL-100, as the subspace-clustering papers use it."""

from garden.datasets import layouts
from garden.datasets import manual_builder


# Not registered under its name: TFDS has a `coil100` of its own (colour, 128x128, from the
# network), and refuses a second one, whichever is imported first.
class Builder(manual_builder.ManualImagesBuilder, skip_registration=True):
  """COIL-100: 100 objects on a turntable, 72 views each, turned grey, 32x32.

  Pixels are float32 in 0..1, so that images shrunk from the 128x128 originals are not rounded.
  """

  LAYOUT = layouts.COIL100
  HOMEPAGE = "https://www.cs.columbia.edu/CAVE/software/softlib/coil-100.php"
  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  Put COIL100.mat into manual_dir, or unpack the original archive coil-100 there
  (obj1__0.png, obj1__5.png, ..., obj100__355.png, at any depth).
  """
  CITATION = """@techreport{nene1996coil100,
  title={Columbia Object Image Library (COIL-100)},
  author={Nene, Sameer A and Nayar, Shree K and Murase, Hiroshi},
  institution={Columbia University, CUCS-006-96},
  year={1996}
}"""
