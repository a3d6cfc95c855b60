"""A split of the drawn faces in memory."""

import functools

import numpy as np

from garden.datasets import faces


@functools.lru_cache(maxsize=6)
def load_split(config, split, data_dir=None):
  """All images of a split of `procedural_faces`, read once a process and made on first use.

  Args:
    config: name of the set's config.
    split: "gallery", "train" or "heldout".
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.

  Returns:
    `faces.FaceSet`, in the order of people, of kinds, and of images.

  Raises:
    ValueError: there is no such config or split, or the folder can't be written.

  Example:
    people = load_split("faces_32", "gallery").of("probe")
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
  kind = np.array(builders.KINDS)[[row["kind"] for row in rows]]
  return faces.FaceSet(**columns, kind=kind, number=faces.numbered(columns["identity"], kind))
