"""TFDS builder of a folder of photographs with `labels.csv`: see `photo_folder`."""

import dataclasses
import pathlib

import numpy as np
import tensorflow_datasets as tfds

from garden.datasets import photo_folder


# Not frozen: TFDS's own BuilderConfig isn't.
@dataclasses.dataclass(eq=False, kw_only=True)
class PhotosConfig(tfds.core.BuilderConfig):
  """Photographs of one size.

  Attributes:
    size: pixels of a side, 1 to 1024.

  Raises:
    ValueError: the size is outside its range.

  Example:
    >>> PhotosConfig(name="photos_96", size=96).size
    96
  """

  size: int = 168

  def __post_init__(self):
    if not isinstance(self.size, int) or isinstance(self.size, bool) or not 1 <= self.size <= 1024:
      raise ValueError(f"size is {self.size!r}; it must be a whole number of pixels in 1..1024")


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Photographs of towers with what happened to each: the middle square, resized.

  Its single split, `test`, has the features

    image: [size, size, 3] uint8, RGB;
    fall: int64, 1 where the tower fell;
    count: int64, number of blocks, 0 where it isn't told;
    name: the file, relative to the folder.

  Example:
    >>> builder = Builder(config="photos_168", data_dir="prepared")
    >>> builder.download_and_prepare(
    ...     download_config=tfds.download.DownloadConfig(manual_dir="my_towers"))
  """

  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES = {"1.0.0": "First release."}
  BUILDER_CONFIGS = [
      PhotosConfig(name=f"photos_{size}", size=size, description=f"{size} px.")
      for size in (168, 64, 224)]
  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  Put labels.csv, with the columns image, fall (0 or 1) and, if known, count, into manual_dir,
  and the images that it names, JPEG or PNG, beside or below it.
  """

  def _info(self) -> tfds.core.DatasetInfo:
    size = self.builder_config.size
    return tfds.core.DatasetInfo(
        builder=self,
        description="A user's photographs of towers, with labels of which of them fall.",
        features=tfds.features.FeaturesDict({
            "image": tfds.features.Image(shape=(size, size, 3), encoding_format="png"),
            "fall": tfds.features.ClassLabel(names=("stands", "falls")),
            "count": tfds.features.Scalar(dtype=np.int64),
            "name": tfds.features.Text()}),
        supervised_keys=("image", "fall"),
        disable_shuffling=True,  # TFDS would order examples by the hash of their key
    )

  def _split_generators(self, dl_manager):
    return {"test": self._generate_examples(pathlib.Path(dl_manager.manual_dir))}

  def _generate_examples(self, folder):
    yield from enumerate(photo_folder.examples(folder, self.builder_config.size))
