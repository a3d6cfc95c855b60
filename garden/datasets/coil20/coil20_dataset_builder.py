"""TFDS builder of COIL-20."""

from garden.datasets import layouts
from garden.datasets import manual_builder


class Builder(manual_builder.ManualImagesBuilder):
  """COIL-20: 20 objects on a turntable, 72 grey views each, 32x32 (the originals: 128x128).

  Pixels are float32 in 0..1: those of `COIL20.mat` are no multiples of 1/255.
  """

  LAYOUT = layouts.COIL20
  HOMEPAGE = "https://www.cs.columbia.edu/CAVE/software/softlib/coil-20.php"
  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  Put COIL20.mat into manual_dir, or unpack the processed original archive coil-20-proc there
  (obj1__0.png, ..., obj20__71.png, at any depth).
  """
  CITATION = """@techreport{nene1996coil20,
  title={Columbia Object Image Library (COIL-20)},
  author={Nene, Sameer A and Nayar, Shree K and Murase, Hiroshi},
  institution={Columbia University, CUCS-005-96},
  year={1996}
}"""
