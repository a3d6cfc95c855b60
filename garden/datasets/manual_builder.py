"""The TFDS builder that the published sets share: files put in place by hand, no network."""

import pathlib

import numpy as np
import tensorflow_datasets as tfds

from garden.datasets import layouts


class ManualImagesBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Reads one `layouts.Layout` from TFDS's `manual_dir`, in a fixed order.

  A subclass gives `LAYOUT`, `MANUAL_DOWNLOAD_INSTRUCTIONS`, `HOMEPAGE`, `CITATION`.
  Its single split, `train`, has the features

    image: [h, w, 1], uint8 in 0..255 or float32 in 0..1 (written without loss);
    label: 0..K-1, named;
    name: the file, or the row of an array file.
  """

  LAYOUT: layouts.Layout
  HOMEPAGE: str
  CITATION: str
  VERSION = tfds.core.Version(layouts.VERSION)
  RELEASE_NOTES = {"1.0.0": "First release."}

  def _info(self) -> tfds.core.DatasetInfo:
    # Written out rather than by dataset_info_from_configs, which reads the description from
    # a README.md, a CITATIONS.bib and a TAGS.txt in the folder of each builder.
    layout = self.LAYOUT
    return tfds.core.DatasetInfo(
      builder=self,
      description=type(self).__doc__,
      features=tfds.features.FeaturesDict(
        {
          "image": tfds.features.Image(
            shape=(*layout.size, 1), dtype=np.dtype(layout.dtype).type, encoding_format="png"
          ),
          "label": tfds.features.ClassLabel(names=layout.class_names),
          "name": tfds.features.Text(),
        }
      ),
      supervised_keys=("image", "label"),
      homepage=self.HOMEPAGE,
      citation=self.CITATION,
      disable_shuffling=True,  # TFDS would order examples by the hash of their key
    )

  def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
    return {"train": self._generate_examples(pathlib.Path(dl_manager.manual_dir))}

  def _generate_examples(self, manual_dir: pathlib.Path):
    # Without shuffling TFDS asks for whole numbers as keys, in the order of writing.
    for key, (name, image, label) in enumerate(layouts.examples(self.LAYOUT, manual_dir)):
      yield key, {"image": image, "label": label, "name": name}
