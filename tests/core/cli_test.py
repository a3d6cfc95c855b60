"""Tests of the command line: one line and exit code 2 for a user's mistake."""

import pathlib
import subprocess
import sys

import pytest
from absl import flags

from garden.core import cli
from garden.core import config
from garden.core import records

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def _assert_one_line(result, *parts):
  code, _, err = result
  assert code == 2
  lines = [line for line in err.splitlines() if line]
  assert len(lines) == 1, err
  for part in parts:
    assert part in lines[0]


def test_an_unknown_flag_is_one_line_with_the_nearest(binary):
  result = binary("train", "--model_dri=a")
  _assert_one_line(result, "train: ", "Unknown command line flag 'model_dri'", "model_dir")


def test_a_flag_of_the_wrong_kind_is_one_line(binary):
  _assert_one_line(binary("train", "--dry_run=perhaps"), "train: ", "--dry_run=perhaps")
  _assert_one_line(binary("train", "--nodry_run=1"), "train: ", "does not take an argument")


def test_an_argument_without_dashes_is_one_line(binary):
  _assert_one_line(binary("train", "subspace/tiny.gin"), "unexpected argument 'subspace/tiny.gin'")


def test_no_config_names_the_shipped_ones(binary):
  _assert_one_line(binary("train"), "--gin_file", "subspace/tiny.gin")


def test_no_folder_is_one_line(binary):
  _assert_one_line(binary("train", "--gin_file=subspace/tiny.gin"), "--model_dir")
  for name in ("evaluate", "export", "report", "predict"):
    _assert_one_line(binary(name), f"{name}: ", "--model_dir")


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["--gin_file=subspace/tinny.gin"], "did you mean subspace/tiny.gin"),
    (["--gin_bindings=N_CLUSTER = 3"], "macro N_CLUSTER is set but nothing uses it"),
    (["--gin_bindings=N_CLUSTERS = 1"], "n_clusters is 1; clustering needs at least 2"),
    (["--gin_bindings=N_CLUSTERS = 11"], "digits has 0 to 9"),
    (["--gin_bindings=DATASET = 'nowhere/'"], "nowhere"),
    (["--gin_bindings=Run.strategy = 'mirored'"], "did you mean mirrored"),
    (["--gin_bindings=Run.save_every = 0"], "Run.save_every is 0"),
    (["--gin_bindings=subspace.Network.kernels = (4,)"], "kernel size 4 is even"),
    (["--gin_bindings=subspace.Clustering.p = 3"], "p is 3"),
    (["--gin_bindings=subspace.Clustering.solver = 'magic'"], "solver is 'magic'"),
    (["--gin_bindings=Run.warm_start = 'gone'"], "warm start: no checkpoint in gone"),
  ],
)
def test_a_mistake_in_the_config_is_one_line_and_leaves_no_run(
  binary, tmp_path, arguments, message
):
  folder = tmp_path / "run"
  files = [] if "--gin_file" in arguments[0] else ["--gin_file=subspace/tiny.gin"]
  result = binary("train", *files, *arguments, f"--model_dir={folder}")
  _assert_one_line(result, "train: ", message)
  assert not (folder / "config.gin").exists()


def test_the_folder_of_another_run_is_one_line(binary, tmp_path):
  records.write_config(tmp_path, "A = 1\n")
  result = binary("train", "--gin_file=subspace/tiny.gin", f"--model_dir={tmp_path}")
  _assert_one_line(result, "holds another run")


def test_a_loss_that_turns_nan_is_one_line(binary, tmp_path):
  code, _, err = binary(
    "train", "--gin_file=subspace/tiny.gin", f"--model_dir={tmp_path}",
    "--gin_bindings=subspace.Pretraining.learning_rate = 1e30",
  )  # fmt: skip
  assert code == 2 and len(err.splitlines()) == 1
  assert "at step" in err and "lower the learning rate" in err


def test_what_holds_no_run_is_one_line(binary, tmp_path):
  for name in ("evaluate", "export", "report"):
    _assert_one_line(binary(name, f"--model_dir={tmp_path}"), "holds no config.gin")
  (tmp_path / "a.png").write_bytes(b"")
  result = binary("predict", f"--model_dir={tmp_path}", f"--images={tmp_path}")
  _assert_one_line(result, "holds no SavedModel; export it first")
  _assert_one_line(binary("predict", f"--model_dir={tmp_path}"), "--images")


def test_a_run_that_was_not_trained_is_one_line(binary, tmp_path):
  records.write_config(tmp_path, config.load(["subspace/tiny.gin"]))
  _assert_one_line(binary("evaluate", f"--model_dir={tmp_path}"), "train it first")


def test_a_dry_run_prints_the_config_and_writes_nothing(binary, tmp_path):
  folder = tmp_path / "run"
  code, out, err = binary(
    "train", "--gin_file=subspace/tiny.gin", "--gin_bindings=SEED = 8", "--dry_run",
    f"--model_dir={folder}",
  )  # fmt: skip
  assert (code, err) == (0, "")
  assert "SEED = 8" in out and "DATASET = 'digits'" in out
  assert not folder.exists()


def test_a_dry_run_refuses_what_a_run_would(binary):
  result = binary("train", "--dry_run", "--gin_file=subspace/base.gin")
  _assert_one_line(result, "needs a value for DATASET, N_CLUSTERS")


def test_reproduce_names_the_rooms(binary):
  _assert_one_line(binary("reproduce", "--room=subspce", "--list"), "no room 'subspce'")


def test_an_error_becomes_one_line():
  error = ValueError("first\n  second\n  In call to configurable 'Run' (<class>)")
  assert cli.one_line(error) == "first second"
  assert cli.one_line(FileNotFoundError(2, "No such file", "a.png")) == "a.png: No such file"
  assert cli.one_line(MemoryError()) == "MemoryError"


def _guarded(monkeypatch, capsys, raised, verbose=False):
  """What `cli` makes of an exception: exit code and standard error."""

  def main():
    raise raised

  values = flags.FlagValues()
  flags.DEFINE_bool("verbose", verbose, "", flag_values=values)
  values.mark_as_parsed()
  monkeypatch.setattr(cli, "FLAGS", values)
  code = cli._guarded(main, ["tool"])
  return code, capsys.readouterr().err


def test_a_defect_keeps_its_traceback(monkeypatch, capsys):
  for defect in (RuntimeError("broken"), TypeError("broken"), KeyError("broken")):
    with pytest.raises(type(defect), match="broken"):
      _guarded(monkeypatch, capsys, defect)


def test_verbose_shows_the_traceback_of_a_mistake(monkeypatch, capsys):
  with pytest.raises(ValueError, match="N < K"):
    _guarded(monkeypatch, capsys, ValueError("N < K"), verbose=True)


def test_control_c_says_how_to_go_on(monkeypatch, capsys):
  code, err = _guarded(monkeypatch, capsys, KeyboardInterrupt())
  assert code == 130 and "goes on from the last save" in err


def test_a_process_of_its_own_ends_with_code_2_and_one_line(tmp_path):
  # All of the above, once, as a user meets it: absl, logging and TensorFlow's chatter included.
  command = [sys.executable, str(_ROOT / "tools" / "train.py"), "--gin_file=subspace/tiny.gin"]
  more = ["--gin_bindings=N_CLUSTERS = 1", f"--model_dir={tmp_path}/run"]
  done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=120)
  assert done.returncode == 2 and done.stdout == ""
  assert done.stderr.startswith("train: n_clusters is 1;")
  assert len(done.stderr.splitlines()) == 1
  assert not (tmp_path / "run").exists()


def test_help_lists_the_binarys_own_flags_and_succeeds():
  out = subprocess.run(
    [sys.executable, str(_ROOT / "tools" / "train.py"), "--help"],
    capture_output=True, text=True,
  )  # fmt: skip
  assert out.returncode == 0
  for flag in ("--gin_file", "--gin_bindings", "--model_dir", "--dry_run", "--verbose"):
    assert flag in out.stdout.replace("--[no]", "--")
