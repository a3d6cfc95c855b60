"""Tests of the files of a model_dir."""

import json
import os
import stat

import pytest

from garden.core import records


def test_atomic_leaves_the_old_file_when_the_block_fails(tmp_path):
  path = tmp_path / "deep" / "a.txt"
  records.write_text(path, "old")
  with pytest.raises(RuntimeError, match="stop"), records.atomic(path) as file:
    file.write("half")
    file.flush()
    raise RuntimeError("stop")
  assert path.read_text() == "old"
  assert os.listdir(path.parent) == ["a.txt"]


def test_atomic_shows_a_new_file_only_when_it_is_whole(tmp_path):
  path = tmp_path / "a.bin"
  with records.atomic(path, "wb") as file:
    file.write(b"\x00\x01")
    assert not path.exists()
  assert path.read_bytes() == b"\x00\x01"


def test_a_new_file_has_the_permissions_that_the_umask_gives(tmp_path):
  before = os.umask(0o027)
  try:
    records.write_text(tmp_path / "a", "x")
  finally:
    os.umask(before)
  assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_json_round_trips(tmp_path):
  value = {"rows": [{"metric": "é", "value": 1.5}], "none": None}
  records.write_json(tmp_path / "a.json", value)
  assert records.read_json(tmp_path / "a.json") == value


def test_a_folder_keeps_the_config_of_its_run(tmp_path):
  records.write_config(tmp_path, "A = 1\nB = 2\n")
  records.write_config(tmp_path, "A = 1\nB = 2\n")  # the same command again
  with pytest.raises(ValueError, match=r"holds another run: it has `B = 2`.*`B = 3`.*--model_dir"):
    records.write_config(tmp_path, "A = 1\nB = 3\n")
  with pytest.raises(ValueError, match=r"it has `B = 2`, this one has `nothing there`"):
    records.write_config(tmp_path, "A = 1\n")
  assert "B = 2" in (tmp_path / "config.gin").read_text()


def test_checking_a_config_writes_nothing(tmp_path):
  records.check_config(tmp_path / "new", "A = 1\n")
  assert not (tmp_path / "new").exists()
  records.write_config(tmp_path, "A = 1\n")
  with pytest.raises(ValueError, match="holds another run"):
    records.check_config(tmp_path, "A = 2\n")


def test_require_config_tells_what_the_folder_is(tmp_path):
  with pytest.raises(FileNotFoundError, match=r"holds no config\.gin"):
    records.require_config(tmp_path)
  (tmp_path / "config.gin").write_text("# garden config, format 99\nA = 1\n")
  with pytest.raises(ValueError, match=r"format 99.*another version"):
    records.require_config(tmp_path)
  (tmp_path / "config.gin").unlink()
  records.write_config(tmp_path, "A = 1\n")
  assert records.require_config(tmp_path) == str(tmp_path / "config.gin")


def test_metrics_are_appended_read_and_cut_back(tmp_path):
  assert records.read_metrics(tmp_path) == []
  records.truncate_metrics(tmp_path, 5)  # no file, nothing to cut
  lines = [{"total_steps": n, "loss": n / 3} for n in (10, 20, 30)]
  for line in lines:
    records.append_metrics(tmp_path, line)
  assert records.read_metrics(tmp_path) == lines
  records.truncate_metrics(tmp_path, 20)
  assert records.read_metrics(tmp_path) == lines[:2]
  records.truncate_metrics(tmp_path, 0)
  assert records.read_metrics(tmp_path) == []


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path):
  records.append_metrics(tmp_path, {"total_steps": 1})
  with open(tmp_path / "metrics.jsonl", "a", encoding="utf-8") as file:
    file.write('{"total_steps": 2, "lo')
  assert records.read_metrics(tmp_path) == [{"total_steps": 1}]
  records.truncate_metrics(tmp_path, 9)
  assert (tmp_path / "metrics.jsonl").read_text() == json.dumps({"total_steps": 1}) + "\n"


def test_a_nan_in_the_metrics_is_read_back(tmp_path):
  records.append_metrics(tmp_path, {"total_steps": 1, "loss": float("nan")})
  (line,) = records.read_metrics(tmp_path)
  assert line["loss"] != line["loss"]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
  path = tmp_path / "pipe"
  os.mkfifo(path)
  reader = os.open(path, os.O_RDWR | os.O_NONBLOCK)
  records.write_text(path, "line\n")
  assert os.read(reader, 100) == b"line\n"
  os.close(reader)
  assert path.is_fifo() and [p.name for p in tmp_path.iterdir()] == ["pipe"]
