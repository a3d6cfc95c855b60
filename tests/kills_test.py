"""kill -9 at any moment of a run of any method; the same command then gives the unbroken run."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

from garden.core import config

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_CONFIGS = [name for name in config.shipped() if name.endswith("/tiny.gin")]
_MOMENTS = 10


def _start(name, folder, *more):
  command = [sys.executable, str(_ROOT / "tools" / "train.py"), f"--gin_file={name}",
             "--gin_file=runtime/deterministic.gin", "--gin_bindings=Run.save_every = 3",
             "--gin_bindings=Run.steps_per_execution = 1", f"--model_dir={folder}"]  # fmt: skip
  return subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)  # fmt: skip


def _finish(process):
  out, _ = process.communicate(timeout=600)
  assert process.returncode == 0, out
  return out


def _await_training(process, folder):
  """Waits until the config of a process's run is there, the last thing before the first step."""
  while not (folder / "operative_config.gin").exists():
    assert process.poll() is None, process.communicate()[0]
    time.sleep(0.002)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
  """Folder and seconds of training of a config's undisturbed run, made once."""
  made = {}

  def get(name):
    if name not in made:
      folder = tmp_path_factory.mktemp(name.split("/")[0]) / "run"
      process = _start(name, folder)
      _await_training(process, folder)
      begun = time.monotonic()
      _finish(process)
      made[name] = folder, time.monotonic() - begun
    return made[name]
  return get


@pytest.mark.torture
@pytest.mark.parametrize("moment", range(_MOMENTS))
@pytest.mark.parametrize("name", _CONFIGS)
def test_a_run_killed_at_a_random_moment_ends_as_the_unbroken_one(
  name, moment, unbroken, tmp_path, assert_same_run
):
  whole, seconds = unbroken(name)
  folder = tmp_path / "killed"
  process = _start(name, folder)
  _await_training(process, folder)
  # One in each tenth of the run; its last breath is after the last step.
  time.sleep(seconds * (moment + random.Random(f"{name} {moment}").random()) / (_MOMENTS + 1))
  process.kill()
  process.communicate()
  _finish(_start(name, folder))
  assert_same_run(folder, whole)


@pytest.mark.torture
def test_a_run_killed_again_and_again_ends_as_the_unbroken_one(
  unbroken, tmp_path, assert_same_run
):
  whole, _ = unbroken("subspace/tiny.gin")
  for seed in range(6):
    process = _start("subspace/tiny.gin", tmp_path)
    time.sleep(random.Random(seed).uniform(4, 9))
    process.kill()
    process.communicate()
  _finish(_start("subspace/tiny.gin", tmp_path))
  assert_same_run(tmp_path, whole)


@pytest.mark.torture
def test_sigterm_ends_a_process_with_code_75(tmp_path):
  process = _start("subspace/tiny.gin", tmp_path, "--gin_bindings=FINETUNE_STEPS = 2000")
  while not list(tmp_path.glob("checkpoints/ckpt-*.index")):
    time.sleep(0.01)
  os.kill(process.pid, signal.SIGTERM)
  out, _ = process.communicate(timeout=60)
  assert process.returncode == 75, out
  assert "SIGTERM: saved at step" in out and "Traceback" not in out
