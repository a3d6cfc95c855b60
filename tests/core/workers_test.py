"""Tests of `multi_worker_mirrored`: real processes that talk over loopback."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from garden.core import callbacks
from garden.core import config
from garden.core import records
from garden.core import run as run_lib
from garden.core import train

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SHORT = ("PRETRAIN_STEPS = 4", "FINETUNE_STEPS = 2", "Run.steps_per_epoch = 2",
          "Run.save_every = 2")


class _Cluster:
  """Two workers of `garden-train` in one folder."""

  def __init__(self, model_dir, gin_files, bindings):
    self.model_dir = model_dir
    self.arguments = [*(f"--gin_file={name}" for name in (*gin_files, "runtime/multi_worker.gin")),
                      *(f"--gin_bindings={binding}" for binding in bindings),
                      f"--model_dir={model_dir}"]
    self.processes = []
    self.logs = []

  def start(self):
    """Starts both."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    workers = ["{}:{}".format(*s.getsockname()) for s in sockets]
    for s in sockets:
      s.close()
    self.processes, self.logs = [], []
    for index in range(2):
      log = self.model_dir.parent / f"worker_{index}.log"
      task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
      with open(log, "w", encoding="utf-8") as file:
        self.processes.append(subprocess.Popen(
          [sys.executable, "-m", "tools.train", *self.arguments], cwd=_ROOT, stdout=file,
          stderr=subprocess.STDOUT, env={
            **os.environ, "TF_CONFIG": json.dumps(task), "PYTHONPATH": str(_ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3"}))
      self.logs.append(log)

  def codes(self):
    """Waits for both; their exit codes."""
    return [process.wait(timeout=300) for process in self.processes]

  def text(self):
    """What both said."""
    return [log.read_text(encoding="utf-8") for log in self.logs]

  def wait_for(self, words):
    """Waits until the chief has said something."""
    for _ in range(3000):
      if words in self.text()[0]:
        return
      assert self.processes[0].poll() is None, self.text()
      time.sleep(0.1)
    raise AssertionError(self.text())

  def stop(self):
    """Kills what still runs."""
    for process in self.processes:
      process.kill()
      process.wait()


@pytest.fixture
def cluster(tmp_path):
  """Makes a `_Cluster`; its processes end with the test."""
  made = []

  def make(name, gin_files=("subspace/tiny.gin",), bindings=_SHORT):
    (tmp_path / name).mkdir()
    made.append(_Cluster(tmp_path / name / "run", gin_files, bindings))
    made[-1].start()
    return made[-1]

  yield make
  for one in made:
    one.stop()


def _alone(folder, gin_files, bindings):
  """The same run in this process, on one device."""
  text = config.load(list(gin_files), list(bindings))
  train.train(run_lib.Run(), str(folder), text)
  return folder


def _weights(folder):
  """Everything in the last checkpoint by name, but for the running means of an epoch."""
  reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(folder / "checkpoints")))
  return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
          if "_trackers" not in name and name.startswith("model/")}


def _assert_files_of_one_writer(folder, starts=1):
  """Nothing but what a lone process leaves: a file of events a start, no worker's folder."""
  assert not list(folder.rglob("workertemp*"))
  assert len(list((folder / "tensorboard").iterdir())) == starts
  assert {path.name for path in folder.iterdir()} == {
    "checkpoints", "config.gin", "metrics.jsonl", "operative_config.gin", "tensorboard",
    "timing.json"}
  steps = [line["total_steps"] for line in records.read_metrics(folder)]
  assert steps == sorted(set(steps)) and steps


def test_two_workers_train_as_one_device(cluster, tmp_path):
  two = cluster("two")
  one = _alone(tmp_path / "one", ["subspace/tiny.gin"], _SHORT)
  assert two.codes() == [0, 0], two.text()
  for line, other in zip(records.read_metrics(one), records.read_metrics(two.model_dir),
                         strict=True):
    assert other == {key: value if isinstance(value, str) else pytest.approx(value, rel=1e-4)
                     for key, value in line.items()}
  weights = _weights(two.model_dir)
  assert any("coefficients" in name for name in weights)
  for name, value in _weights(one).items():
    np.testing.assert_allclose(weights[name], value, rtol=1e-3, atol=1e-4, err_msg=name)
  _assert_files_of_one_writer(two.model_dir)


_EXACT = {
  "transfer": ("transfer/tiny.gin", ()),
  "dagan": ("dagan/tiny.gin", ("dagan.Recipe.shift = 0",)),
  "billiards": ("vda/billiards_tiny.gin", ("vda.BilliardsRecipe.track_noise = 0.0",)),
  "best": ("subspace/tiny.gin", ("Run.best_metric = 'reconstruction'", "Run.ema_decay = 0.9",
                                 "Run.early_stop_patience = 1")),
}


@pytest.mark.torture
@pytest.mark.parametrize("name", _EXACT)
def test_two_workers_log_what_one_device_does(cluster, tmp_path, name):
  gin_file, bindings = _EXACT[name]
  two = cluster("two", [gin_file], bindings)
  assert two.codes() == [0, 0], two.text()
  one = _alone(tmp_path / "one", [gin_file], bindings)
  pairs = list(zip(records.read_metrics(one), records.read_metrics(two.model_dir), strict=True))
  first = [pair for pair in pairs if pair[0]["stage"] == pairs[0][0]["stage"]]
  for line, other in first[:2]:  # later ones hang on how Adam's steps were rounded
    assert set(other) == set(line)
    for key, value in line.items():
      assert other[key] == (value if isinstance(value, str) else pytest.approx(
        value, rel=2e-2, abs=1e-4)), key
  assert not list(two.model_dir.rglob("workertemp*"))


_LONG = ("PRETRAIN_STEPS = 60", "FINETUNE_STEPS = 6", "Run.steps_per_epoch = 10",
         "Run.save_every = 5", "Run.deterministic = True")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
  """Weights of two workers that nobody disturbs."""
  folder = tmp_path_factory.mktemp("unbroken") / "run"
  whole = _Cluster(folder, ["subspace/tiny.gin"], _LONG)
  whole.start()
  try:
    assert whole.codes() == [0, 0], whole.text()
  finally:
    whole.stop()
  return _weights(folder)


@pytest.mark.torture
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_the_other_and_both_go_on_from_the_last_save(
    cluster, unbroken, victim):
  two = cluster("two", bindings=_LONG)
  two.wait_for("pretrain 20/60")
  two.processes[victim].send_signal(signal.SIGKILL)
  codes = two.codes()
  assert codes[victim] == -signal.SIGKILL and codes[1 - victim] == callbacks.PREEMPTED
  told = [line for line in two.text()[1 - victim].splitlines() if "/60  " not in line]
  assert len(told) == 1 and "start all of them again with the same commands" in told[0], told
  two.start()
  assert two.codes() == [0, 0], two.text()
  assert all("going on from" in text and "ckpt-" in text for text in two.text())
  _assert_files_of_one_writer(two.model_dir, starts=2)
  weights = _weights(two.model_dir)
  assert weights.keys() == unbroken.keys()
  for name, value in unbroken.items():
    np.testing.assert_array_equal(weights[name], value, err_msg=name)


@pytest.mark.torture
def test_sigterm_to_one_worker_saves_and_ends_both(cluster, unbroken):
  two = cluster("two", bindings=_LONG)
  two.wait_for("pretrain 10/60")
  two.processes[1].terminate()
  assert two.codes() == [callbacks.PREEMPTED] * 2, two.text()
  assert len({line for text in two.text() for line in text.splitlines()
              if line.startswith("SIGTERM: saved at step")}) == 1
  assert not list(two.model_dir.rglob("workertemp*"))
  two.start()
  assert two.codes() == [0, 0], two.text()
  for name, value in _weights(two.model_dir).items():
    np.testing.assert_array_equal(unbroken[name], value, err_msg=name)
