"""Shards: the same bytes whoever makes them, kept when whole, made again when not."""

import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from garden.datasets.block_towers import configs
from garden.datasets.block_towers import shards

VERSION = "1.0.0"
CONFIG = configs.TowersConfig(name="tiny", image_size=32, towers={"train": 150, "test": 9},
                              shard_size=16)
_PROGRAM = """
import pathlib, sys
from garden.datasets.block_towers import configs, shards
config = configs.TowersConfig(name="tiny", image_size=32, towers={"train": 150, "test": 9},
                              shard_size=16)
folder = pathlib.Path(sys.argv[1])
if __name__ == "__main__":
  with shards.locked(folder):
    shards.generate(folder, config, "1.0.0")
"""


def _generate(folder, processes=1, config=CONFIG):
  with shards.locked(folder):
    made, records = shards.generate(folder, config, VERSION, processes, io.StringIO())
  assert len(records) == 11 and all(records)
  return [shard.file for shard in made]


def _bytes(folder):
  return {path.name: path.read_bytes() for path in folder.glob("block_towers-*")}


def _times(folder):
  return {path.name: path.stat().st_mtime_ns for path in folder.glob("block_towers-*")}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
  folder = tmp_path_factory.mktemp("towers") / "reference"
  assert len(_generate(folder)) == 11
  return folder


@pytest.fixture
def copy(reference, tmp_path):
  return pathlib.Path(shutil.copytree(reference, tmp_path / "copy"))


def test_the_plan_cuts_splits_into_shards():
  plan = shards.plan(CONFIG, VERSION)
  assert [(s.split, s.first, s.towers) for s in plan] == [
      *(("train", 16 * k, 16) for k in range(9)), ("train", 144, 6), ("test", 0, 9)]
  assert plan[3].file == "block_towers-train.tfrecord-00003-of-00010"
  assert len({shard.fingerprint for shard in plan}) == 11


def test_what_is_whole_is_left_alone(copy):
  before = _times(copy)
  assert _generate(copy) == []
  assert _times(copy) == before


def test_two_processes_make_the_same_bytes(reference, tmp_path):
  assert len(_generate(tmp_path / "two", processes=2)) == 11
  assert _bytes(tmp_path / "two") == _bytes(reference)


def test_a_killed_generation_goes_on(reference, tmp_path):
  folder = tmp_path / "killed"
  process = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(folder)],
                             stderr=subprocess.DEVNULL)
  end = time.monotonic() + 60
  while not list(folder.glob("shards/block_towers-*.json")):
    assert time.monotonic() < end and process.poll() is None
    time.sleep(0.002)
  process.send_signal(signal.SIGKILL)
  process.wait()
  # A kill between a shard's rename and its record costs that shard alone.
  kept = {path.stem for path in folder.glob("shards/block_towers-*.json")}
  before = _times(folder)
  made = _generate(folder)
  assert 0 < len(kept) < 11 and not kept & set(made) and len(kept) + len(made) == 11
  assert {name: _times(folder)[name] for name in kept} == {name: before[name] for name in kept}
  assert _bytes(folder) == _bytes(reference)
  assert not list(folder.rglob(".*.partial"))


def _flip(path):
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)


@pytest.mark.parametrize("damage", [
    _flip, lambda path: os.truncate(path, 100), lambda path: path.unlink(),
    lambda path: (path.parent / "shards" / f"{path.name}.json").write_text("{"),
    lambda path: (path.parent / "shards" / f"{path.name}.json").unlink()])
def test_a_damaged_shard_is_made_again_alone(reference, copy, damage):
  name = shards.plan(CONFIG, VERSION)[1].file
  before = _times(copy)
  damage(copy / name)
  assert _generate(copy) == [name]
  after = _times(copy)
  assert [other for other in before if after[other] != before[other]] == [name]
  assert _bytes(copy) == _bytes(reference)


def test_the_record_of_other_towers_is_not_taken(copy):
  one, other = shards.plan(CONFIG, VERSION)[:2]
  shutil.copy(copy / one.file, copy / other.file)
  shutil.copy(copy / f"shards/{one.file}.json", copy / f"shards/{other.file}.json")
  assert _generate(copy) == [other.file]


@pytest.mark.parametrize(("config", "message"), [
    (CONFIG.with_towers({"train": 200}), "made with towers train=150, not train=200"),
    (CONFIG.with_towers({"test": 0}), "made with towers test=9, not test=0"),
    (configs.TowersConfig(name="tiny", image_size=64, towers=CONFIG.towers, shard_size=16),
     "content image_size=32, not image_size=64"),
])  # fmt: skip
def test_a_folder_of_other_towers_is_refused_and_left(copy, config, message):
  before = _bytes(copy)
  with pytest.raises(ValueError, match=message):
    _generate(copy, config=config)
  assert _bytes(copy) == before


def test_a_full_disk_leaves_no_half_shard(tmp_path, monkeypatch):
  def refuse(*_args, **_kwargs):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(shards.os, "replace", refuse)
  (tmp_path / "towers.json").write_text(json.dumps(shards._plan_record(CONFIG, VERSION)))
  with pytest.raises(OSError, match="No space left"):
    _generate(tmp_path)
  assert not _bytes(tmp_path)


def test_progress_counts_only_what_is_made(copy):
  (copy / shards.plan(CONFIG, VERSION)[-1].file).unlink()
  stream = io.StringIO()
  with shards.locked(copy):
    shards.generate(copy, CONFIG, VERSION, stream=stream)
  assert stream.getvalue().startswith("tiny: 9/9 towers")
