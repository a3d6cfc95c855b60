"""TFDS builder of the cropped Extended Yale Face Database B."""

from garden.datasets import layouts
from garden.datasets import manual_builder


class Builder(manual_builder.ManualImagesBuilder):
  """Extended Yale B, cropped: 38 people under 64 lights, grey, 48x42 (originals: 192x168).

  Images without the flash (`*_Ambient.pgm`) are left out; the 18 damaged files that the
  archive marks `.bad` are kept, as the papers do.
  """

  LAYOUT = layouts.YALE_B
  HOMEPAGE = "http://vision.ucsd.edu/~iskwak/ExtYaleDatabase/ExtYaleB.html"
  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  Put yaleb_cropped_48x42.npz (images [N, 48, 42] uint8, labels: Yale's numbers, names) or
  YaleBCrop025.mat into manual_dir, or unpack the original archive CroppedYale there
  (yaleB01/yaleB01_P00A+000E+00.pgm, ..., at any depth).
  """
  CITATION = """@article{georghiades2001few,
  title={From few to many: Illumination cone models for face recognition under variable
    lighting and pose},
  author={Georghiades, Athinodoros S and Belhumeur, Peter N and Kriegman, David J},
  journal={IEEE Transactions on Pattern Analysis and Machine Intelligence},
  year={2001}
}
@article{lee2005acquiring,
  title={Acquiring linear subspaces for face recognition under variable lighting},
  author={Lee, Kuang-Chih and Ho, Jeffrey and Kriegman, David J},
  journal={IEEE Transactions on Pattern Analysis and Machine Intelligence},
  year={2005}
}"""
