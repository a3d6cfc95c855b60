"""garden-generate: what it says and writes, and one line for a mistake."""

import pytest
import tensorflow_datasets as tfds


def test_it_makes_towers_and_says_how_to_load_them(binary, tmp_path):
  flags = [f"--data_dir={tmp_path}", "--towers=train=3,validation=0,test=2", "--processes=1"]
  code, out, err = binary("generate", *flags)
  assert code == 0 and err.startswith("towers_64: 5/5 towers")
  folder = tmp_path / "block_towers/towers_64/1.0.0"
  lines = out.splitlines()
  assert lines[:2] == ["train: 3 towers in 1 files", "test: 2 towers in 1 files"]
  assert lines[2].startswith("2 files made") and str(folder) in lines[2]
  assert f"tfds.builder_from_directory({str(folder)!r})" in lines[3]
  assert len(tfds.builder_from_directory(str(folder)).as_dataset(split="train")) == 3
  code, out, err = binary("generate", *flags)
  assert (code, err) == (0, "") and "0 files made" in out


def test_the_list(binary):
  code, out, err = binary("generate", "--list")
  assert (code, err) == (0, "") and "towers_64: 2 to 4 blocks, 64 px. train 40000" in out


@pytest.mark.parametrize(("arguments", "message"), [
    (["--config=tower_64"], "there is no config 'tower_64': did you mean towers_64?"),
    (["--towers=train"], "towers has 'train'; give SPLIT=NUMBER"),
    (["--towers=train=many"], "towers has 'train=many'"),
    (["--towers=train=-3"], "towers has 'train=-3'"),
    (["--towers=train=3,train=4"], "towers names 'train' twice"),
    (["--towers=trian=3"], "towers_64 has no split 'trian'; the splits are train"),
    (["--towers=train=0,validation=0,test=0"], "no split has a tower"),
    (["--processes=0"], "--processes"),
    (["--data_dir=/dev/null/x"], "/dev/null"),
    (["towers_64"], "unexpected argument 'towers_64'"),
])  # fmt: skip
def test_a_mistake_is_one_line(binary, tmp_path, arguments, message):
  code, out, err = binary("generate", f"--data_dir={tmp_path}", *arguments)
  assert code == 2 and len(err.splitlines()) == 1 and out == ""
  assert err.startswith("generate: ") and message in err
  assert not list(tmp_path.iterdir())
