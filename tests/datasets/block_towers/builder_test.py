"""The TFDS builder of block towers: prepared, read back in every way, and its configs."""

import copy
import io
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from garden.datasets.block_towers import block_towers_dataset_builder as builder_lib
from garden.datasets.block_towers import configs
from garden.datasets.block_towers import examples
from garden.worlds.towers import scene

CONFIG = configs.TowersConfig(name="tiny", image_size=32, shard_size=8)
TOWERS = {"train": 12, "validation": 0, "test": 5}


def _builder(folder, **kwargs):
  return builder_lib.Builder(config=CONFIG, towers=TOWERS, data_dir=folder, **kwargs)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
  builder = _builder(tmp_path_factory.mktemp("tfds"))
  assert len(builder.download_and_prepare(stream=io.StringIO())) == 3
  return builder


def _assert_holds(builder, split):
  expected = list(examples.make(CONFIG, CONFIG.seeds[split], TOWERS[split]))
  found = list(tfds.as_numpy(builder.as_dataset(split=split)))
  for one, other in zip(found, expected, strict=True):
    assert set(one) == set(other)
    for name in one:
      np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_examples_come_back_as_they_were(prepared):
  assert prepared.info.splits["train"].num_examples == 12
  assert prepared.info.splits["train"].num_shards == 2
  for split in ("train", "test"):
    _assert_holds(prepared, split)


def test_read_without_the_class_and_by_another_builder(prepared):
  _assert_holds(tfds.builder_from_directory(str(prepared.data_dir)), "train")
  again = _builder(prepared.data_dir_root)
  _assert_holds(again, "test")
  assert again.download_and_prepare() == []


def test_slices_and_supervised(prepared):
  found = prepared.as_dataset(split="train[6:10]", as_supervised=True)
  image, fall = next(iter(tfds.as_numpy(found)))
  expected = list(examples.make(CONFIG, 0, 1, first=6))[0]
  np.testing.assert_array_equal(image, expected["image"])
  assert fall == expected["fall"] and len(found) == 4
  assert prepared.info.features["fall"].names == ["stands", "falls"]


def test_a_damaged_file_of_a_prepared_set_is_made_again(tmp_path):
  builder = _builder(tmp_path)
  builder.download_and_prepare(stream=io.StringIO())
  path = tmp_path / "block_towers/tiny/1.0.0/block_towers-train.tfrecord-00001-of-00002"
  path.write_bytes(path.read_bytes()[:50])
  again = _builder(tmp_path)
  assert again.download_and_prepare(stream=io.StringIO()) == [path.name]
  _assert_holds(again, "train")


def test_overwriting_makes_all_again(tmp_path):
  _builder(tmp_path).download_and_prepare(stream=io.StringIO())
  fewer = builder_lib.Builder(config=CONFIG, towers={**TOWERS, "train": 3}, data_dir=tmp_path)
  with pytest.raises(ValueError, match="made with towers train=12, not train=3"):
    fewer.download_and_prepare()
  mode = tfds.download.DownloadConfig(download_mode=tfds.GenerateMode.REUSE_CACHE_IF_EXISTS)
  assert len(fewer.download_and_prepare(download_config=mode, stream=io.StringIO())) == 2
  assert len(fewer.as_dataset(split="train")) == 3


def test_a_copy_of_a_builder_keeps_its_towers(prepared):
  again = copy.copy(prepared)  # by the state in which Beam sends it to its workers
  assert again.towers_config.towers == TOWERS and again.data_dir == prepared.data_dir


def test_beam_that_is_missing_is_one_line(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "apache_beam", None)
  with pytest.raises(ValueError, match=r"needs Apache Beam: pip install 'garden\[beam\]'$"):
    _builder(tmp_path).download_and_prepare(
        download_config=tfds.download.DownloadConfig(beam_runner="DirectRunner"))


def test_beam_makes_the_same_towers(tmp_path):
  pytest.importorskip("apache_beam")
  builder = _builder(tmp_path)
  builder.download_and_prepare(
      download_config=tfds.download.DownloadConfig(beam_runner="DirectRunner"))
  for split in ("train", "test"):
    _assert_holds(builder, split)
  assert builder.download_and_prepare() == []


@pytest.mark.parametrize(("kwargs", "message"), [
    ({"processes": 0}, "processes is 0; it must be"),
    ({"file_format": "riegeli"}, "file_format is 'riegeli'"),
    ({"download_config": tfds.download.DownloadConfig(max_examples_per_split=3)},
     "max_examples_per_split is 3"),
])  # fmt: skip
def test_what_cannot_be_prepared_is_refused(tmp_path, kwargs, message):
  with pytest.raises(ValueError, match=message):
    _builder(tmp_path).download_and_prepare(**kwargs)
  assert not (tmp_path / "block_towers").exists()


def test_no_two_splits_share_a_tower():
  seeds = {}
  for config in configs.CONFIGS.values():
    assert set(config.seeds) == {"train", "validation", "test"}
    for split, seed in config.seeds.items():
      seeds.setdefault(seed, set()).add(split)
  assert all(len(splits) == 1 for splits in seeds.values())
  train, test = (scene.sample(50, CONFIG.seeds[split]) for split in ("train", "test"))
  offsets = {tuple(row) for row in train.position[:, 1].tolist()}
  assert not offsets & {tuple(row) for row in test.position[:, 1].tolist()}


def test_the_configs_are_what_their_names_say():
  found = {name: (c.distribution.counts, c.image_size, c.renderer, c.places)
           for name, c in configs.CONFIGS.items()}
  assert found == {
      "towers_tiny": ((2, 3, 4), 64, "tensorflow", 4),
      "towers_demo": ((2, 3, 4), 64, "tensorflow", 4),
      "towers_64": ((2, 3, 4), 64, "tensorflow", 4),
      "towers_168": ((2, 3, 4), 168, "tensorflow", 4),
      "towers_2_4_168": ((2, 4), 168, "tensorflow", 4),
      "towers_224": ((2, 3, 4), 224, "tensorflow", 4),
      "towers_5_6_168": ((5, 6), 168, "tensorflow", 6),
      "shifted_168": ((2, 3, 4), 168, "mujoco", 4)}
  for name in configs.CONFIGS:
    assert builder_lib.Builder(config=name).name == "block_towers"


@pytest.mark.parametrize(("fields", "message"), [
    ({"image_size": 8}, r"image_size is 8; it must be a whole number in 16\.\.1024"),
    ({"image_size": 64.0}, "image_size is 64.0"),
    ({"renderer": "blender"}, "renderer is 'blender'; choose from tensorflow, mujoco"),
    ({"renderer": "mujoco", "supersampling": 2}, "supersampling is 2, but the renderer mujoco"),
    ({"towers": {"train": -1}}, "towers of train is -1"),
    ({"towers": {"train": 0}}, "no split has a tower"),
    ({"towers": {"extra": 3}}, "seeds only train, validation, test"),
    ({"towers": {"all": 3}, "seeds": {"all": 0}}, "the split 'all'"),
    ({"seeds": {"train": 1, "test": 1}, "towers": {"train": 3}}, "train and test have the same"),
    ({"seeds": {"train": -1}, "towers": {"train": 3}}, "seed of train is -1"),
    ({"shard_size": 0}, "shard_size is 0"),
])  # fmt: skip
def test_a_config_out_of_range(fields, message):
  with pytest.raises(ValueError, match=message):
    configs.TowersConfig(name="bad", **fields)


def test_an_unknown_split():
  with pytest.raises(ValueError, match="tiny has no split 'valid'"):
    CONFIG.with_towers({"valid": 3})
