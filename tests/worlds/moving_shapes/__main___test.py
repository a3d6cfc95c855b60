"""The program: what it prints, and one line with exit code 2 for what is wrong."""

import subprocess
import sys

import pytest

from garden.worlds.moving_shapes import __main__ as program
from garden.worlds.moving_shapes import folders
from garden.worlds.moving_shapes import shapes


def test_it_prints_what_it_wrote(tmp_path, monkeypatch, capsys):
  asked = []

  def write(folder, seed):
    asked.append((folder, seed))
    return {"source": 10, "labeled": 20}

  monkeypatch.setattr(folders, "write", write)
  assert program.main([str(tmp_path / "a"), "--seed", "4"]) == 0
  assert asked == [(str(tmp_path / "a"), 4)]
  assert capsys.readouterr().out.splitlines() == [
    f"{tmp_path}/a/source: 10 images of {', '.join(shapes.SOURCE_CLASSES)}",
    f"{tmp_path}/a/labeled: 20 images of arrow, crescent, heart, hexagon, ring",
  ]


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ([], "the following arguments are required: FOLDER"),
    (["a", "--seed", "x"], "argument --seed: invalid int value: 'x'"),
    (["a", "b"], "unrecognized arguments: b"),
  ],
)
def test_a_wrong_command_line_is_one_line(capsys, arguments, message):
  with pytest.raises(SystemExit) as caught:
    program.main(arguments)
  assert caught.value.code == 2
  assert capsys.readouterr().err == f"moving_shapes: {message}\n"


def test_a_negative_seed_is_one_line(tmp_path, capsys):
  assert program.main([str(tmp_path / "a"), "--seed", "-1"]) == 2
  assert capsys.readouterr().err == "moving_shapes: seed is -1; it must be at least 0\n"


def test_a_folder_that_holds_something_ends_the_program_with_2(tmp_path):
  (tmp_path / "a.txt").write_text("a", encoding="utf-8")
  done = subprocess.run(
    [sys.executable, "-m", "garden.worlds.moving_shapes", str(tmp_path)],
    capture_output=True, text=True, timeout=60)  # fmt: skip
  assert (done.returncode, done.stdout) == (2, "")
  assert done.stderr == (f"moving_shapes: {tmp_path} holds files already; give a new folder, or "
                         "empty this one\n")  # fmt: skip
