"""A split as shards: TFRecord files of some towers each, whole or not there.

    block_towers-train.tfrecord-00003-of-00040    in TFDS's naming
    shards/block_towers-train...-00040.json       its size, SHA-256 and what it was made from
    towers.json                                   what the folder is for, written first
    dataset_info.json, features.json              TFDS's, written last

A shard depends on its seed and its place alone, so its bytes are the same from one process or
from ten. Whatever stops a generation, the shards that are whole stay; a shard that differs
from its record is made again, alone.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import math
import os
import pathlib
import shutil
import tempfile

from absl import logging

from garden.datasets.block_towers import configs
from garden.datasets.block_towers import examples
from garden.datasets.block_towers import workers

NAME = "block_towers"
_PLAN = "towers.json"
_RECORDS = "shards"
_INFO = "dataset_info.json"
_LOCK = ".lock"


@dataclasses.dataclass(frozen=True)
class Shard:
  """Towers `first` .. `first + towers - 1` of a split, and the file they are in.

  Attributes:
    config: the `TowersConfig`.
    split: name of the split.
    number: of this shard, from 0.
    of: number of shards in the split.
    version: of the data set.
  """

  config: configs.TowersConfig
  split: str
  number: int
  of: int
  version: str

  @property
  def first(self) -> int:
    """Number of the first tower."""
    return self.number * self.config.shard_size

  @property
  def towers(self) -> int:
    """How many there are in this shard."""
    return min(self.config.shard_size, self.config.towers[self.split] - self.first)

  @property
  def file(self) -> str:
    """Name of the file, TFDS's."""
    return f"{NAME}-{self.split}.tfrecord-{self.number:05d}-of-{self.of:05d}"

  @property
  def fingerprint(self) -> str:
    """Of all that the bytes depend on."""
    return _fingerprint({**self.config.content(), "version": self.version, "first": self.first,
                         "seed": self.config.seeds[self.split], "towers": self.towers})


def plan(config: configs.TowersConfig, version: str) -> list[Shard]:
  """The shards of all splits.

  Args:
    config: the `TowersConfig`.
    version: of the data set.

  Returns:
    `Shard`s by split and number.

  Example:
    >>> plan(configs.CONFIGS["towers_64"], "1.0.0")[3].file
    'block_towers-train.tfrecord-00003-of-00040'
  """
  found = []
  for split in config.splits:
    of = math.ceil(config.towers[split] / config.shard_size)
    found += [Shard(config, split, number, of, version) for number in range(of)]
  return found


def whole(folder: pathlib.Path, shard: Shard) -> dict | None:
  """The record of a shard whose file is as it was written.

  Args:
    folder: of the data set.
    shard: which one.

  Returns:
    `{"size", "sha256", "fingerprint"}`, or None where the file must be made.
  """
  try:
    record = json.loads((folder / _RECORDS / f"{shard.file}.json").read_text())
    good = (record["fingerprint"] == shard.fingerprint
            and (folder / shard.file).stat().st_size == record["size"]
            and _sha256(folder / shard.file) == record["sha256"])
  except (OSError, ValueError, KeyError, TypeError):
    return None
  return record if good else None


def is_whole(folder: pathlib.Path, config: configs.TowersConfig, version: str) -> bool:
  """Whether a folder holds all of a config, to the byte; reads each file once.

  Args:
    folder: of the data set.
    config: the `TowersConfig`.
    version: of the data set.

  Returns:
    Whether it does. What Beam has prepared has no records, and is taken as it is.

  Raises:
    ValueError: it holds another set of towers.
  """
  if not (folder / _INFO).exists():
    return False
  _check_plan(folder, config, version)
  return not (folder / _PLAN).exists() or all(
      whole(folder, shard) for shard in plan(config, version))


def generate(folder: pathlib.Path, config: configs.TowersConfig, version: str,
             processes: int = 1, stream=None) -> tuple[list[Shard], list[dict]]:
  """Makes the shards that aren't there or are damaged. Call it in `locked(folder)`.

  Args:
    folder: of the data set; made if missing.
    config: the `TowersConfig`.
    version: of the data set.
    processes: how many at most, see `workers.run`.
    stream: where progress goes; standard error when None.

  Returns:
    (the shards that were made, the records of all shards by the order of `plan`).

  Raises:
    ValueError: the folder holds another set of towers, or a worker failed.
  """
  _check_plan(folder, config, version)
  _write_json(folder / _PLAN, _plan_record(config, version))
  for partial in folder.rglob(".*.partial"):  # what a killed process left
    partial.unlink()
  shards = plan(config, version)
  records = [whole(folder, shard) for shard in shards]
  missing = [index for index, record in enumerate(records) if record is None]
  for index in missing:
    if (folder / shards[index].file).exists():
      logging.warning("%s is damaged or out of date and is made again", shards[index].file)
  progress = workers.Progress(config.name, sum(shards[i].towers for i in missing), stream)
  try:
    made = workers.run(write, [(os.fspath(folder), shards[index]) for index in missing],
                       processes, progress.advance)
  finally:
    progress.close()
  for index, record in zip(missing, made, strict=True):
    records[index] = record
  return [shards[index] for index in missing], records


def write(task: tuple[str, Shard], advance=lambda towers: None) -> dict:
  """Makes one shard beside its place and renames it.

  Args:
    task: (folder, `Shard`).
    advance: called with the number of towers made since the last call.

  Returns:
    Its record.
  """
  import tensorflow as tf

  folder, shard = pathlib.Path(task[0]), task[1]
  features = examples.features(shard.config)
  partial = folder / f".{shard.file}.{os.getpid()}.partial"
  with tf.io.TFRecordWriter(os.fspath(partial)) as writer:
    done = 0
    for example in examples.make(shard.config, shard.config.seeds[shard.split], shard.towers,
                                 shard.first):
      # At TFDS's own level of compression, 6, PNGs take twice the time and are no smaller.
      pictures = {name: tf.io.encode_png(example[name], compression=3).numpy()
                  for name in ("image", "ids", "masks")}
      writer.write(features.serialize_example({**example, **pictures}))
      done += 1
      if done % examples.BATCH == 0:
        advance(examples.BATCH)
  advance(done % examples.BATCH)
  with open(partial, "rb") as file:
    os.fsync(file.fileno())
  record = {"size": partial.stat().st_size, "sha256": _sha256(partial),
            "fingerprint": shard.fingerprint}
  os.replace(partial, folder / shard.file)
  # After the file: a record without its file, or with an older one, would be no more than a
  # shard to make again.
  (folder / _RECORDS).mkdir(exist_ok=True)
  _write_json(folder / _RECORDS / f"{shard.file}.json", record)
  return record


def write_info(folder: pathlib.Path, info, config: configs.TowersConfig, version: str,
               records: list[dict]):
  """Writes TFDS's metadata, `dataset_info.json` last.

  Args:
    folder: of the data set, with all shards in it.
    info: the builder's `tfds.core.DatasetInfo`; its splits are set.
    config: the `TowersConfig`.
    version: of the data set.
    records: of all shards, from `generate`.
  """
  import tensorflow_datasets as tfds

  by_split = {}
  for shard, record in zip(plan(config, version), records, strict=True):
    by_split.setdefault(shard.split, []).append((shard.towers, record["size"]))
  info.set_splits(tfds.core.SplitDict([
      tfds.core.SplitInfo(
          name=split, shard_lengths=[towers for towers, _ in found],
          num_bytes=sum(size for _, size in found),
          filename_template=tfds.core.ShardedFileTemplate(
              data_dir=folder, dataset_name=NAME, split=split, filetype_suffix="tfrecord"))
      for split, found in by_split.items()]))
  beside = pathlib.Path(tempfile.mkdtemp(prefix=".info.", dir=folder))
  try:
    info.write_to_directory(beside)
    for path in sorted(beside.iterdir(), key=lambda path: path.name == _INFO):
      os.replace(path, folder / path.name)
  finally:
    shutil.rmtree(beside)


@contextlib.contextmanager
def locked(folder: pathlib.Path):
  """Lets one process at a time make shards in a folder; another one waits.

  Args:
    folder: of the data set; made if missing.
  """
  folder.mkdir(parents=True, exist_ok=True)
  with open(folder / _LOCK, "a", encoding="utf-8") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however that ends
    yield


def clear(folder: pathlib.Path):
  """Empties the folder of a data set. Call it in `locked(folder)`.

  Args:
    folder: of the data set.
  """
  (folder / _INFO).unlink(missing_ok=True)  # first: nobody shall read what is half gone
  for path in folder.iterdir():
    if path.is_dir():
      shutil.rmtree(path)
    elif path.name != _LOCK:
      path.unlink()


def _plan_record(config, version):
  splits = config.splits
  return {"version": version, "content": config.content(), "shard_size": config.shard_size,
          "towers": {split: config.towers[split] for split in splits},
          "seeds": {split: config.seeds[split] for split in splits}}


def _check_plan(folder, config, version):
  """Refuses a folder that is for other towers."""
  try:
    found = json.loads((folder / _PLAN).read_text())
  except (OSError, ValueError):
    return
  wanted = json.loads(json.dumps(_plan_record(config, version)))
  for name in wanted:
    if found.get(name) != wanted[name]:
      there, here = _first_difference(found.get(name), wanted[name])
      raise ValueError(f"{folder} holds other towers: it was made with {name} {there}, not "
                       f"{here}; remove the folder, or choose another data_dir")


def _first_difference(there, here):
  """Two JSON values as text, cut down to the first entry in which they differ."""
  if isinstance(there, dict) and isinstance(here, dict):
    for key in {**there, **here}:
      if there.get(key) != here.get(key):
        deeper = _first_difference(there.get(key, 0), here.get(key, 0))
        return tuple(f"{key}={text.removeprefix(f'{key}=')}" for text in deeper)
  return json.dumps(there), json.dumps(here)


def _fingerprint(value):
  return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _sha256(path):
  with open(path, "rb") as file:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path, value):
  partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
  partial.write_text(json.dumps(value, indent=1) + "\n")
  os.replace(partial, path)
