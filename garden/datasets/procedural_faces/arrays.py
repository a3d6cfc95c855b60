"""A split of the drawn faces in memory."""

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True)
class FaceSet:
  """N images of faces.

  Attributes:
    image: `[N, s, s, 3]` uint8, RGB.
    mask: `[N, s, s, 1]` uint8, 255 times the share of a pixel that is the person.
    visible: `[N, s, s, 1]` uint8, 255 times the share that the photograph shows well, 0 where
      nothing was simulated.
    identity: `[N]` int64.
    kind: `[N]` str, one of `KINDS` of the builder.
    yaw: `[N]` float32, degrees.
  """
  image: np.ndarray
  mask: np.ndarray
  visible: np.ndarray
  identity: np.ndarray
  kind: np.ndarray
  yaw: np.ndarray

  def __len__(self):
    return len(self.identity)

  def take(self, index):
    """The images at an index array or a mask, in its order."""
    return FaceSet(**{field.name: getattr(self, field.name)[index]
                      for field in dataclasses.fields(self)})

  def of(self, *kinds):
    """The images of some kinds.

    Raises:
      ValueError: there is none of a kind.
    """
    for kind in kinds:
      if not (self.kind == kind).any():
        raise ValueError(f"there is no image of the kind {kind!r}; there are "
                         f"{', '.join(sorted(set(self.kind)))}")
    return self.take(np.isin(self.kind, kinds))


@functools.lru_cache(maxsize=6)
def load_split(config, split, data_dir=None):
  """All images of a split of `procedural_faces`, read once a process and made on first use.

  Args:
    config: name of the set's config.
    split: "gallery", "train" or "heldout".
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.

  Returns:
    `FaceSet`, in the order of people, of kinds, and of images.

  Raises:
    ValueError: there is no such config or split, or the folder can't be written.

  Example:
    faces = load_split("faces_32", "gallery").of("probe")
  """
  # Imported here: a model that was trained elsewhere does without.
  import tensorflow_datasets as tfds

  from garden.datasets.procedural_faces import procedural_faces_dataset_builder as builders
  known = {known.name: known for known in builders.Builder.BUILDER_CONFIGS}
  if config not in known:
    raise ValueError(f"there is no config {config!r} of procedural_faces; there are "
                     f"{', '.join(known)}")
  splits = [name for name, group in known[config].groups.items() if group.people]
  if split not in splits:
    raise ValueError(f"{config} has no split {split!r}; it has {', '.join(splits)}")
  builder = builders.Builder(config=config, data_dir=data_dir)
  builder.download_and_prepare()
  rows = list(tfds.as_numpy(builder.as_dataset(
      split=split, shuffle_files=False, read_config=tfds.ReadConfig(interleave_cycle_length=1))))
  columns = {name: np.stack([row[name] for row in rows])
             for name in ("image", "mask", "visible", "identity", "yaw")}
  return FaceSet(**columns, kind=np.array(builders.KINDS)[[row["kind"] for row in rows]])
