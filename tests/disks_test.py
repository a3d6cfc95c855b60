"""Disks that are full, can't be written or give back other bits: nothing that was saved is lost.

Small disks are mounted where that is permitted; elsewhere those tests skip.
"""

import hashlib
import logging
import os
import random
import shutil
import subprocess

import pytest

_TRAIN = ["train", "--gin_file=subspace/tiny.gin", "--gin_bindings=Run.tensorboard = False",
          "--gin_bindings=Run.deterministic = True"]  # fmt: skip
_READERS = ("evaluate", "export", "report")


def _snapshot(folder):
  """Path -> digest of every file below a folder."""
  return {
    path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
    for path in folder.rglob("*") if path.is_file()
  }  # fmt: skip


def _assert_one_line(result, *parts):
  code, _, err = result
  assert code == 2, err
  (line,) = err.splitlines()
  for part in parts:
    assert part in line


@pytest.fixture
def mounted(tmp_path):
  """Mounts at a folder, `mounted("-t", "tmpfs", "tmpfs")` -> the folder; skips if not permitted."""
  folders = []

  def mount(*arguments):
    folder = tmp_path / f"mounted{len(folders)}"
    folder.mkdir()
    done = subprocess.run(["mount", *arguments, folder], capture_output=True, text=True)
    if done.returncode:
      pytest.skip(f"mounting isn't permitted here: {done.stderr.strip()}")
    folders.append(folder)
    return folder

  if os.geteuid() or not shutil.which("mount"):
    pytest.skip("mounting takes root")
  yield mount
  for folder in folders:
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def small_disk(mounted):
  """A disk of some bytes: `small_disk(10_000)`."""
  return lambda size: mounted("-t", "tmpfs", "-o", f"size={size}", "tmpfs")


@pytest.fixture
def read_only(mounted):
  """The same folder, where nothing can be written: `read_only(folder)`."""

  def again(folder):
    view = mounted("--bind", folder)
    subprocess.run(["mount", "-o", "remount,ro,bind", view], check=True)
    return view

  return again


def _fill(disk, left):
  """Fills a disk but for some bytes; returns the file to be removed."""
  filler = disk / "filler"
  place = os.statvfs(disk)
  filler.write_bytes(bytes(max(0, place.f_bavail * place.f_frsize - left)))
  return filler


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
  """Folder of the undisturbed run of `_TRAIN`, to be made once with `binary`."""
  folder = tmp_path_factory.mktemp("unbroken") / "run"

  def get(binary):
    if not folder.exists():
      assert binary(*_TRAIN, f"--model_dir={folder}")[0] == 0
    return folder
  return get


def _check_full(left, binary, small_disk, unbroken, assert_same_run):
  """Trains on a disk with some bytes left, then where there is room again."""
  whole = unbroken(binary)
  disk = small_disk(8 * 2**20)
  filler = _fill(disk, left)
  code, _, err = binary(*_TRAIN, f"--model_dir={disk}/run")
  assert code == 2 and len(err.splitlines()) == 1 and "o space left" in err, err
  saved = list((disk / "run" / "checkpoints").glob("*.index"))
  assert ("nothing had been saved" in err) == (not saved) or "could not save" not in err
  filler.unlink()
  code, out, _ = binary(*_TRAIN, f"--model_dir={disk}/run")
  assert code == 0 and ("going on from" in out) == bool(saved)
  assert_same_run(disk / "run", whole)


# One or two of the first stage's checkpoints fit.
@pytest.mark.parametrize("left", [60_000, 0])
def test_a_run_on_a_full_disk_goes_on_when_there_is_room(
  left, binary, small_disk, unbroken, assert_same_run
):
  _check_full(left, binary, small_disk, unbroken, assert_same_run)


@pytest.mark.torture
@pytest.mark.parametrize("left", range(0, 400_000, 16_384))
def test_a_disk_that_is_full_at_any_write_loses_nothing(
  left, binary, small_disk, unbroken, assert_same_run
):
  _check_full(left, binary, small_disk, unbroken, assert_same_run)


@pytest.mark.parametrize("name", _READERS)
def test_a_full_disk_keeps_what_was_there(name, binary, small_disk, tiny_run):
  disk = small_disk(32 * 2**20)
  shutil.copytree(tiny_run, disk / "run")
  _fill(disk, 0)
  before = _snapshot(disk)
  _assert_one_line(binary(name, f"--model_dir={disk}/run"), f"{name}: ", "o space left")
  assert _snapshot(disk) == before


@pytest.mark.parametrize("name", [*_READERS, "train"])
def test_a_folder_that_cannot_be_written_is_one_line(name, binary, read_only, tiny_run):
  view, before = read_only(tiny_run), _snapshot(tiny_run)
  more = ["--gin_file=subspace/tiny.gin"] if name == "train" else []
  _assert_one_line(binary(name, f"--model_dir={view}", *more), f"{name}: ", "ead-only file system")
  assert _snapshot(tiny_run) == before


@pytest.mark.parametrize("name", [*_READERS, "train"])
def test_a_file_where_a_folder_should_be_is_one_line(name, binary, tmp_path, tiny_copy):
  for inner in ("export", "checkpoints", "report.html", "results.json", "metrics.jsonl"):
    path = tiny_copy / inner
    if path.is_dir():
      shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if inner in ("export", "checkpoints"):
      path.write_text("a file")
    else:
      path.mkdir()
  more = ["--gin_file=subspace/tiny.gin"] if name == "train" else []
  code, _, err = binary(name, f"--model_dir={tiny_copy}", *more)
  assert code == 2 and len(err.splitlines()) == 1, err


def _damage(folder, seed):
  """Cuts a file of the newest checkpoint, or flips bits of it, or of the list of checkpoints."""
  rng = random.Random(seed)
  steps = sorted(int(p.stem.removeprefix("ckpt-")) for p in folder.glob("*.index"))
  parts = (f"ckpt-{steps[-1]}.index", f"ckpt-{steps[-1]}.data-00000-of-00001", "checkpoint")
  path = folder / rng.choice(parts)
  data = bytearray(path.read_bytes())
  if rng.random() < 0.4:
    data = data[:rng.randrange(len(data))]
  else:
    for _ in range(rng.choice([1, 1, 8])):
      data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
  path.write_bytes(bytes(data))
  return path.name


def _check_damaged(seed, binary, tiny_copy, caplog):
  damaged = _damage(tiny_copy / "checkpoints", seed)
  caplog.set_level(logging.WARNING)
  train = "train", "--gin_file=subspace/tiny.gin", f"--model_dir={tiny_copy}"
  code, out, err = binary(*train)
  if code and damaged == "checkpoint":  # no text any more
    assert code == 2 and "checkpoint, TensorFlow's list of checkpoints, is damaged; remove" in err
    (tiny_copy / "checkpoints" / "checkpoint").unlink()
    code, out, err = binary(*train)
  assert code == 0, f"{damaged}: {err}"
  step = int(out.split("(step ")[1].split(")")[0])
  told = [r.getMessage() for r in caplog.records if "can't be read" in r.getMessage()]
  # An undamaged part of the file may have been hit, which no reader looks at.
  assert (step == 60) != bool(told), f"{damaged}: went on at {step}, said {told}"
  if told:
    assert step == 50 and "going back to" in told[0]


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_checkpoint_falls_back_and_trains_on(seed, binary, tiny_copy, caplog):
  _check_damaged(seed, binary, tiny_copy, caplog)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(4, 100))
def test_a_checkpoint_damaged_anywhere_falls_back_and_trains_on(
  seed, binary, tiny_copy, caplog
):
  _check_damaged(seed, binary, tiny_copy, caplog)
