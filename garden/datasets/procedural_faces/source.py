"""The drawn faces as an experiment takes them."""

import os

import gin
import numpy as np

from garden.datasets import faces as faces_lib
from garden.datasets.procedural_faces import arrays


@gin.register(module="faces")
class Procedural(faces_lib.Source):
  """Three groups of drawn people: to be recognised, to learn from, to measure on.

  Args:
    config: name of the set's config, such as "faces_32".
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.

  Example:
    probes = Procedural("faces_32").load("gallery").of("probe")
  """

  def __init__(self, config="faces_32", data_dir: str | None = None):
    self.config, self.data_dir = config, data_dir

  def load(self, split):
    """`faces.FaceSet` of a split: "gallery", "train" or "heldout"."""
    return arrays.load_split(self.config, split, self.data_dir)

  @property
  def folder(self):
    """Where the set lies, and what was made of it."""
    from garden.datasets.procedural_faces import procedural_faces_dataset_builder as builders
    return os.fspath(builders.Builder(config=self.config, data_dir=self.data_dir).data_dir)

  def turned(self, person, yaws):
    """A person of the held-out ones at sides of choice.

    Args:
      person: its number.
      yaws: `[N]`, degrees.

    Returns:
      `(photograph, simulated, truth)`, `FaceSet`s of 1, N and N images.
    """
    from garden.datasets.procedural_faces import procedural_faces_dataset_builder as builders
    config = next(known for known in builders.Builder.BUILDER_CONFIGS
                  if known.name == self.config)
    photographs = self.load("heldout").of("frontal")
    photographs = photographs.take(photographs.identity == person)
    # Each photograph is turned in its turn: of all but the first's, there are too many.
    count = len(photographs)
    made = builders.turned(config, "heldout", person, np.repeat(yaws, count),
                           np.zeros(len(yaws) * count))
    return (photographs.take([0]),
            *(_as_set(rows[::count]) for rows in made))


def _as_set(rows):
  """Examples of the builder as a `FaceSet`."""
  names = ("image", "mask", "visible", "identity", "kind", "yaw")
  columns = {name: np.stack([row[name] for row in rows]) for name in names}
  return faces_lib.FaceSet(**columns, number=faces_lib.numbered(columns["identity"],
                                                                columns["kind"]))
