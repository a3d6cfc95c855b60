"""TFDS builder of the block towers: made here, by processes or by Beam, never downloaded."""

import os
import pathlib

import tensorflow_datasets as tfds

from garden.datasets.block_towers import configs
from garden.datasets.block_towers import examples
from garden.datasets.block_towers import shards

_DESCRIPTION = """Towers of coloured blocks: what they look like, whether they fall, where the
blocks go. Simulated, after PhysNet's (Lerer, Gross, Fergus, ICML 2016): unit blocks with random
offsets and turns, seen by a random camera, let fall in MuJoCo for 4 s."""


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Towers of coloured blocks: what they look like, whether they fall, where the blocks go.

  `examples.features` says what an example holds.

  Args:
    config: a name in `configs.CONFIGS`, or a `TowersConfig` with a name of its own.
    towers: number of towers by split, in place of the config's; the first n towers of a
      split are the same ones whatever the number.
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR`, or `~/tensorflow_datasets`.

  Example:
    >>> builder = Builder(config="towers_64", towers={"train": 2000})
    >>> builder.download_and_prepare(processes=1)
    >>> train = builder.as_dataset(split="train")
  """

  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES = {"1.0.0": "First release."}
  BUILDER_CONFIGS = list(configs.CONFIGS.values())

  def __init__(self, *, towers: dict | None = None, **kwargs):
    # Before TFDS's own __init__: it may ask for `info`.
    self._towers, self._with_beam = dict(towers or {}), False
    super().__init__(**kwargs)
    self._original_state["towers"] = self._towers  # what TFDS pickles a builder by

  @property
  def towers_config(self) -> configs.TowersConfig:
    """The config with the numbers of towers that were asked for."""
    return self.builder_config.with_towers(self._towers)

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
        builder=self,
        description=_DESCRIPTION,
        features=examples.features(self.builder_config),
        supervised_keys=("image", "fall"),
        disable_shuffling=True,  # towers come by number
    )

  def download_and_prepare(self, *, download_dir=None, download_config=None, file_format=None,
                           processes: int = 1, stream=None, **kwargs):
    """Makes the towers that aren't there yet; goes on where it was stopped.

    Each call reads the files once, and makes those again that are damaged.

    Args:
      download_dir: not needed: nothing is downloaded.
      download_config: `tfds.download.DownloadConfig`. With `beam_runner` or `beam_options`
        Beam makes the towers, in TFDS's own way: in one go, without resuming.
      file_format: "tfrecord" or None; with Beam any that TFDS has.
      processes: how many make towers; more than 1 are spawned, so the work of a script must
        stand below `if __name__ == "__main__":`. Not for Beam.
      stream: where progress goes; standard error when None.
      **kwargs: what TFDS's own has beyond these, for Beam.

    Returns:
      The files that were made, by name; None with Beam.

    Raises:
      ValueError: the folder holds other towers, Beam is missing, or a worker failed.
    """
    wanted = download_config or tfds.download.DownloadConfig()
    if wanted.beam_runner is not None or wanted.beam_options is not None:
      return self._prepare_with_beam(download_dir, wanted, file_format, kwargs)
    if file_format not in (None, "tfrecord", tfds.core.FileFormat.TFRECORD):
      raise ValueError(f"file_format is {file_format!r}; towers are written as tfrecord, other "
                       "formats by Beam alone")
    if wanted.max_examples_per_split is not None:
      raise ValueError(f"max_examples_per_split is {wanted.max_examples_per_split}; give the "
                       "number of towers by split when the builder is made, towers={'train': n}")
    if isinstance(processes, bool) or not isinstance(processes, int) or processes < 1:
      raise ValueError(f"processes is {processes!r}; it must be a whole number of at least 1")
    folder, config = pathlib.Path(self.data_dir), self.towers_config
    if wanted.download_mode == tfds.GenerateMode.REUSE_DATASET_IF_EXISTS and (
        shards.is_whole(folder, config, str(self.version))):  # also where one may only read
      return []
    with shards.locked(folder):
      if wanted.download_mode.overwrite_dataset:
        shards.clear(folder)
      made, found = shards.generate(folder, config, str(self.version), processes, stream)
      shards.write_info(folder, self.info, config, str(self.version), found)
    return [shard.file for shard in made]

  def _prepare_with_beam(self, download_dir, download_config, file_format, kwargs):
    try:
      import apache_beam  # noqa: F401
    except ImportError as error:
      raise ValueError("making towers with Beam needs Apache Beam: pip install "
                       "'garden[beam]'") from error
    folder = pathlib.Path(self.data_dir)
    if folder.exists() and not (folder / "dataset_info.json").exists():
      raise ValueError(f"{folder} holds unfinished towers that Beam can't go on with: finish "
                       "them without Beam, or remove the folder")
    self._with_beam = True
    try:
      super().download_and_prepare(download_dir=download_dir, download_config=download_config,
                                   file_format=file_format, **kwargs)
    finally:
      self._with_beam = False

  def _split_generators(self, dl_manager):
    del dl_manager
    return {split: self._generate_examples(split) for split in self.towers_config.splits}

  def _generate_examples(self, split):
    config = self.towers_config
    seed, towers = config.seeds[split], config.towers[split]
    batches = [(first, min(examples.BATCH, towers - first))
               for first in range(0, towers, examples.BATCH)]
    if not self._with_beam:
      return (item for batch in batches for item in _batch(batch, config, seed))
    import apache_beam as beam

    # Reshuffled, or a runner would fuse the steps and leave all batches to one worker.
    return (beam.Create(batches) | beam.Reshuffle()
            | beam.FlatMap(_batch, config=config, seed=seed))


def _batch(batch, config, seed):
  """(number, example) of the towers of a batch (first, how many)."""
  first, towers = batch
  for example in examples.make(config, seed, towers, first):
    yield example["index"], example


def default_data_dir() -> str:
  """TFDS's folder where none is given.

  Example:
    >>> default_data_dir()
    '/home/me/tensorflow_datasets'
  """
  return os.path.expanduser(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
