"""Tests of training: stages, kills, resuming, rules that end it, and what it leaves on disk."""

import glob
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from garden.core import callbacks
from garden.core import checkpoints
from garden.core import config
from garden.core import evaluate
from garden.core import experiment as experiment_lib
from garden.core import records
from garden.core import run as run_lib
from garden.core import train

_ROOT = pathlib.Path(__file__).resolve().parents[2]
# Saves lie inside epochs: 10 steps an epoch, a save every 7.
_COMMAND = [
  sys.executable, str(_ROOT / "tools" / "train.py"),
  "--gin_file=subspace/tiny.gin", "--gin_file=runtime/deterministic.gin",
  "--gin_bindings=Run.steps_per_execution = 1", "--gin_bindings=Run.save_every = 7",
  "--gin_bindings=Run.tensorboard = False",
]  # fmt: skip


class _KilledError(BaseException):
  """Stands for kill -9: nothing catches it, and nothing more is written."""


@pytest.fixture
def kill(monkeypatch):
  """Makes the process die right after the save of a step: `kill(5)`."""

  def at(step, before=False):
    save = checkpoints.Checkpoints.save

    def deadly(store):
      here = int(store.model.total_steps.numpy()) == step
      if here and before:
        raise _KilledError
      save(store)
      if here:
        raise _KilledError

    monkeypatch.setattr(checkpoints.Checkpoints, "save", deadly)

  yield at


def _train_killed(run, folder, monkeypatch):
  with pytest.raises(_KilledError):
    train.train(run, str(folder), "")
  monkeypatch.undo()


_KERNEL = "model/dense/kernel/.ATTRIBUTES/VARIABLE_VALUE"


@pytest.mark.parametrize(
  ("done", "total", "per_epoch", "expected"),
  [
    (0, 30, 10, [(0, 10, 3)]),
    (0, 25, 10, [(0, 10, 2), (20, 5, 1)]),
    (7, 25, 10, [(7, 3, 1), (10, 10, 1), (20, 5, 1)]),
    (10, 30, 10, [(10, 10, 2)]),
    (21, 25, 10, [(21, 4, 1)]),
    (0, 4, 10, [(0, 4, 1)]),
    (3, 4, 10, [(3, 1, 1)]),
    (25, 25, 10, []),
    (0, 0, 10, []),
  ],
)
def test_segments_cut_a_stage_at_the_ends_of_epochs(done, total, per_epoch, expected):
  assert list(train.segments(done, total, per_epoch)) == expected


def test_segments_cover_each_step_once():
  for done in range(12):
    cut = list(train.segments(done, 12, 5))
    steps = [first + i for first, size, epochs in cut for i in range(size * epochs)]
    assert steps == list(range(done, 12))
    ends = {first + size * (e + 1) for first, size, epochs in cut for e in range(epochs)}
    assert ends == {end for end in (5, 10, 12) if end > done}


def test_a_run_writes_what_the_records_promise(toy_run, tmp_path, capsys):
  model = train.train(toy_run(tensorboard=True), str(tmp_path), "A = 1\n")
  assert (tmp_path / "config.gin").read_text().endswith("\nA = 1\n")
  assert (tmp_path / "operative_config.gin").exists()
  assert records.read_json(tmp_path / "timing.json")["train_seconds"] > 0
  lines = records.read_metrics(tmp_path)
  assert [(x["stage"], x["step"], x["total_steps"]) for x in lines] == [
    ("first", 5, 5), ("first", 10, 10), ("first", 12, 12), ("second", 5, 17), ("second", 7, 19),
  ]  # fmt: skip
  assert all(x["learning_rate"] == pytest.approx(0.01) and x["loss"] > 0 for x in lines)
  assert (int(model.stage), int(model.step), int(model.total_steps)) == (2, 0, 19)
  progress = capsys.readouterr().out.splitlines()
  assert [line.split("  ")[0] for line in progress] == [
    "first 5/12", "first 10/12", "first 12/12", "second 5/7", "second 7/7",
  ]  # fmt: skip


def test_a_finished_run_is_not_trained_again(toy_run, tmp_path, monkeypatch):
  first = train.train(toy_run(), str(tmp_path), "")
  before = (tmp_path / "metrics.jsonl").read_text()
  monkeypatch.setattr(train, "_fit_stage", None)  # not called
  again = train.train(toy_run(), str(tmp_path), "")
  np.testing.assert_array_equal(first.dense.kernel.numpy(), again.dense.kernel.numpy())
  assert (tmp_path / "metrics.jsonl").read_text() == before


_FULL = {"ema_decay": 0.9, "best_metric": "val_loss", "experiment": {"validation": True}}


@pytest.fixture(scope="module")
def unbroken(toy_run, tmp_path_factory):
  """Folder of a run of some settings that nothing disturbed: `unbroken(save_every=2)`."""
  folders = {}

  def get(**settings):
    key = repr(settings)
    if key not in folders:
      folders[key] = tmp_path_factory.mktemp("unbroken")
      train.train(toy_run(**settings), str(folders[key]), "")
    return folders[key]

  return get


# Steps 3, 9 and 18 lie inside an epoch, 12 is the end of a stage and is saved twice.
@pytest.mark.parametrize("step", [3, 9, 12, 18])
def test_a_run_killed_after_a_save_ends_as_an_unbroken_one(
  toy_run, tmp_path, kill, monkeypatch, unbroken, step, assert_same_run
):
  whole = unbroken(**_FULL)
  kill(step)
  _train_killed(toy_run(**_FULL), tmp_path, monkeypatch)
  train.train(toy_run(**_FULL), str(tmp_path), "")
  assert_same_run(tmp_path, whole)
  best = [records.read_json(folder / "best" / "best.json") for folder in (tmp_path, whole)]
  assert best[0] == best[1]


@pytest.mark.parametrize("step", [3, 9, 15])
def test_a_run_killed_before_a_save_ends_as_an_unbroken_one(
  toy_run, tmp_path, kill, monkeypatch, unbroken, step, assert_same_run
):
  # What was logged since the last save, or before the first one, must not be logged twice.
  whole = unbroken(steps_per_epoch=2)
  kill(step, before=True)
  _train_killed(toy_run(steps_per_epoch=2), tmp_path, monkeypatch)
  assert records.read_metrics(tmp_path)
  train.train(toy_run(steps_per_epoch=2), str(tmp_path), "")
  assert_same_run(tmp_path, whole)


def test_several_steps_in_one_graph_call_change_nothing(toy_run, tmp_path, unbroken, state_of):
  many = train.train(toy_run(steps_per_execution=4), str(tmp_path), "")
  np.testing.assert_allclose(state_of(unbroken())[_KERNEL], many.dense.kernel.numpy(), rtol=1e-6)
  a, b = records.read_metrics(unbroken()), records.read_metrics(tmp_path)
  assert [x["total_steps"] for x in a] == [x["total_steps"] for x in b]
  np.testing.assert_allclose([x["loss"] for x in a], [x["loss"] for x in b], rtol=1e-5)


def test_two_replicas_train_and_resume_as_one_device(
  toy_run, tmp_path, kill, monkeypatch, unbroken, state_of
):
  one = unbroken()
  kill(9)
  _train_killed(toy_run(strategy="mirrored"), tmp_path, monkeypatch)
  two = train.train(toy_run(strategy="mirrored"), str(tmp_path), "")
  np.testing.assert_allclose(state_of(one)[_KERNEL], two.dense.kernel.numpy(), rtol=1e-5)
  k_t = state_of(one)["model/k_t/.ATTRIBUTES/VARIABLE_VALUE"]
  assert float(two.k_t.numpy()) == pytest.approx(float(k_t), rel=1e-4)


def test_the_folder_of_another_run_is_refused_untouched(toy_run, tmp_path):
  train.train(toy_run(), str(tmp_path), "A = 1\n")
  before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
  with pytest.raises(ValueError, match=r"holds another run: it has `A = 1`"):
    train.train(toy_run(), str(tmp_path), "A = 2\n")
  assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_settings_that_the_data_refuse_leave_no_folder(toy_run, tmp_path, monkeypatch):
  run = toy_run()

  def refuse():
    raise ValueError("N < K")

  run.experiment.datasets = refuse
  with pytest.raises(ValueError, match="N < K"):
    train.train(run, str(tmp_path / "a"), "A = 1\n")
  assert not (tmp_path / "a").exists()


def test_a_loss_that_turns_nan_ends_the_run_and_keeps_the_last_good_save(
  toy_run, tmp_path, state_of
):
  # A wide step makes the loss grow without end, until it overflows.
  run = toy_run({"learning_rate": 3.0, "stages": (("first", 2000),)}, save_every=5)
  with pytest.raises(checkpoints.NotFiniteError, match=r"loss is (nan|inf) at step \d+") as caught:
    train.train(run, str(tmp_path), "")
  assert "lower the learning rate" in str(caught.value)
  state = state_of(tmp_path)
  weights = [value for name, value in state.items() if name.startswith("model/")]
  assert all(np.isfinite(value).all() for value in weights)
  step = int(state["model/total_steps/.ATTRIBUTES/VARIABLE_VALUE"])
  assert 0 < step <= int(str(caught.value).split("at step ")[1].split()[0])


def test_a_plateau_lowers_the_rate_then_ends_the_stage(toy_run, tmp_path):
  # Nothing ever improves by 99 %, so each second epoch after the first is a plateau.
  rule = experiment_lib.Plateau("loss", 0.99, patience=2, factor=0.1, floor=1e-4)
  stages = (("first", 100), ("second", 5))
  run = toy_run({"plateau": rule, "stages": stages}, save_every=1000)
  train.train(run, str(tmp_path), "")
  lines = records.read_metrics(tmp_path)
  rates = [x["learning_rate"] for x in lines if x["stage"] == "first"]
  # The line of an epoch shows the rate that the next one has.
  np.testing.assert_allclose(rates, [1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4, 1e-4], rtol=1e-5)
  assert lines[-1]["stage"] == "second"  # which begins with a fresh rule


def test_a_plateau_with_factor_zero_ends_the_stage_at_once(toy_run, tmp_path):
  rule = experiment_lib.Plateau("loss", 0.99, patience=1, factor=0.0)
  train.train(toy_run({"plateau": rule, "stages": (("first", 100),)}), str(tmp_path), "")
  assert [x["total_steps"] for x in records.read_metrics(tmp_path)] == [5, 10]


def test_a_plateau_of_an_unknown_value_is_told(toy_run, tmp_path):
  rule = experiment_lib.Plateau(monitor="error")
  with pytest.raises(ValueError, match=r"watches 'error', but the step returns loss"):
    train.train(toy_run({"plateau": rule}), str(tmp_path), "")


# 8: inside the wait of the rule. 25: the step at which it ended the stage, saved twice.
@pytest.mark.parametrize("step", [8, 25])
def test_the_state_of_a_plateau_survives_a_kill(
  toy_run, tmp_path, kill, monkeypatch, unbroken, step, assert_same_run
):
  rule = experiment_lib.Plateau("loss", 0.99, patience=2, factor=0.1, floor=1e-3)
  toy = {"plateau": rule, "stages": (("first", 100), ("second", 3))}
  settings = {"experiment": toy, "save_every": step}
  whole = unbroken(**settings)
  assert len(records.read_metrics(whole)) == 6
  kill(step)
  _train_killed(toy_run(**settings), tmp_path, monkeypatch)
  train.train(toy_run(**settings), str(tmp_path), "")
  assert_same_run(tmp_path, whole)


def test_an_early_stop_ends_all_stages_and_stays_ended(toy_run, tmp_path):
  settings = {
    "experiment": {"learning_rate": 1e-12, "noise": 0.0, "validation": True},
    "best_metric": "val_loss", "early_stop_patience": 1,
  }  # fmt: skip
  for _ in range(2):  # the same command again trains no further
    train.train(toy_run(**settings), str(tmp_path), "")
    assert [x["total_steps"] for x in records.read_metrics(tmp_path)] == [5, 10]


def test_the_best_epoch_is_kept_by_mode(toy_run, tmp_path):
  settings = {"best_metric": "val_loss", "experiment": {"validation": True}}
  for mode, choose in (("min", min), ("max", max)):
    train.train(toy_run(best_mode=mode, **settings), str(tmp_path / mode), "")
    lines = records.read_metrics(tmp_path / mode)
    best = records.read_json(tmp_path / mode / "best" / "best.json")
    wanted = choose(lines, key=lambda line: line["val_loss"])
    assert best["total_steps"] == wanted["total_steps"]
    assert best["value"] == pytest.approx(wanted["val_loss"])


def test_a_best_metric_that_is_not_logged_is_told(toy_run, tmp_path):
  with pytest.raises(ValueError, match=r"best_metric is 'val_loss', but this run logs loss"):
    train.train(toy_run(best_metric="val_loss"), str(tmp_path), "")


def test_the_moving_average_is_that_of_the_steps(toy_run, tmp_path, state_of):
  settings = {"experiment": {"stages": (("first", 4),), "validation": True}, "ema_decay": 0.8}
  train.train(toy_run(save_every=1, steps_per_epoch=4, **settings), str(tmp_path / "a"), "")
  kernels, average = [np.ones((16, 1), np.float32)], np.ones((16, 1))
  for steps in range(1, 5):
    plain = {"stages": (("first", steps),)}
    kernels.append(train.train(toy_run(plain), str(tmp_path / f"{steps}"), "").dense.kernel.numpy())
    average = 0.8 * average + 0.2 * kernels[-1]
  state = state_of(tmp_path / "a")
  saved = state["ema/averages/0/.ATTRIBUTES/VARIABLE_VALUE"]
  np.testing.assert_allclose(saved, average, rtol=1e-5)
  weight = state["model/dense/kernel/.ATTRIBUTES/VARIABLE_VALUE"]
  np.testing.assert_allclose(weight, kernels[-1], rtol=1e-6)  # swapped back after validation


def test_validation_evaluation_and_the_best_see_the_moving_average(toy_run, tmp_path):
  settings = {"ema_decay": 0.99, "best_metric": "val_loss", "experiment": {"validation": True}}
  run = toy_run(best_mode="max", **settings)
  train.train(run, str(tmp_path), "")
  lines = records.read_metrics(tmp_path)
  (loss, _) = evaluate.evaluate(run, str(tmp_path))
  assert loss["value"] == pytest.approx(lines[-1]["val_loss"], rel=1e-5)
  (best, _) = evaluate.evaluate(run, str(tmp_path), best=True)
  assert best["value"] == pytest.approx(max(x["val_loss"] for x in lines), rel=1e-5)


def test_the_moving_average_begins_at_the_warm_start(toy_run, tmp_path):
  source = train.train(toy_run(), str(tmp_path / "a"), "")
  run = toy_run({"stages": (("first", 1),), "learning_rate": 1e-12}, ema_decay=0.999,
                warm_start=str(tmp_path / "a"))  # fmt: skip
  train.train(run, str(tmp_path / "b"), "")
  model, _ = evaluate.load(run, str(tmp_path / "b"))
  np.testing.assert_allclose(model.dense.kernel.numpy(), source.dense.kernel.numpy(), rtol=1e-6)


def test_a_warm_start_is_for_a_fresh_run_alone(toy_run, tmp_path, capsys):
  source = train.train(toy_run(), str(tmp_path / "a"), "")
  run = toy_run({"stages": (("first", 4),), "learning_rate": 1e-12}, warm_start=str(tmp_path / "a"))
  model = train.train(run, str(tmp_path / "b"), "")
  np.testing.assert_allclose(model.dense.kernel.numpy(), source.dense.kernel.numpy(), rtol=1e-6)
  assert int(model.total_steps) == 4
  assert "warm start from" in capsys.readouterr().out
  train.train(run, str(tmp_path / "b"), "")
  out = capsys.readouterr().out
  assert "warm start" not in out and "going on from" in out


def test_a_warm_start_that_fails_leaves_nothing(toy_run, tmp_path):
  (tmp_path / "kept").mkdir()
  with pytest.raises(FileNotFoundError, match="no checkpoint in nowhere"):
    train.train(toy_run(warm_start="nowhere"), str(tmp_path / "kept" / "runs" / "a"), "")
  assert [p.name for p in tmp_path.rglob("*")] == ["kept"]


def test_tensorboard_has_scalars_text_and_images(toy_run, tmp_path):
  train.train(toy_run(tensorboard=True), str(tmp_path), "SEED = 5\n")
  found = {}
  for path in glob.glob(str(tmp_path / "tensorboard" / "events.*")):
    for event in tf.compat.v1.train.summary_iterator(path):
      for value in event.summary.value:
        found.setdefault(value.tag, {})[event.step] = value.tensor
  losses = {step: float(tf.make_ndarray(t)) for step, t in found["first/loss"].items()}
  lines = records.read_metrics(tmp_path)
  assert losses == pytest.approx({x["total_steps"]: x["loss"] for x in lines[:3]}, rel=1e-6)
  assert sorted(found["second/learning_rate"]) == [17, 19]
  (text,) = found["config"].values()
  assert b"SEED = 5" in tf.make_ndarray(text).item()
  image = tf.make_ndarray(next(iter(found["inputs"].values())))
  assert tf.io.decode_png(image[2]).shape == (4, 4, 1)


def test_a_profile_covers_its_steps(toy_run, tmp_path, monkeypatch):
  model, calls = toy_run().experiment.build_model(), []
  board = callbacks.TensorBoard(str(tmp_path), "", profile_steps=(3, 5))
  board.set_model(model)
  profiler = tf.profiler.experimental
  monkeypatch.setattr(profiler, "start", lambda folder: calls.append(int(model.total_steps)))
  monkeypatch.setattr(profiler, "stop", lambda: calls.append(int(model.total_steps)))
  for step in range(8):
    board.on_train_batch_begin(step)
    model.total_steps.assign(step + 1)
    board.on_train_batch_end(step)
  board.on_train_end()
  assert calls == [3, 5]


def test_a_profile_is_written(toy_run, tmp_path):
  run = toy_run({"stages": (("first", 4),)}, tensorboard=True, profile_steps=(1, 3))
  train.train(run, str(tmp_path), "")
  assert list((tmp_path / "tensorboard").rglob("*.xplane.pb"))


def test_sigterm_saves_and_ends_with_its_own_code(
  toy_run, tmp_path, capsys, monkeypatch, unbroken, state_of
):
  handler = signal.getsignal(signal.SIGTERM)
  append = records.append_metrics

  def terminated(folder, line):
    append(folder, line)
    if line["total_steps"] == 5:
      os.kill(os.getpid(), signal.SIGTERM)

  monkeypatch.setattr(records, "append_metrics", terminated)
  with pytest.raises(SystemExit) as caught:
    train.train(toy_run(save_every=1000), str(tmp_path), "")
  assert caught.value.code == callbacks.PREEMPTED == 75
  assert "SIGTERM: saved at step" in capsys.readouterr().err
  assert signal.getsignal(signal.SIGTERM) is handler
  monkeypatch.undo()
  step = int(state_of(tmp_path)["model/total_steps/.ATTRIBUTES/VARIABLE_VALUE"])
  assert step in (5, 6)
  whole = unbroken(save_every=1000)
  train.train(toy_run(save_every=1000), str(tmp_path), "")
  left, right = state_of(tmp_path), state_of(whole)
  left.pop("save_counter/.ATTRIBUTES/VARIABLE_VALUE")  # one save more
  for name, value in left.items():
    np.testing.assert_array_equal(value, right[name], err_msg=name)
  assert records.read_metrics(tmp_path) == records.read_metrics(whole)


def _start(folder, *more):
  return subprocess.Popen(
    [*_COMMAND, f"--model_dir={folder}", *more],
    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
  )  # fmt: skip


def _finish(process):
  out, _ = process.communicate(timeout=300)
  assert process.returncode == 0, out
  return out


def _kill_at(process, folder, step):
  """Sends SIGKILL as soon as the checkpoint of a step is there."""
  path = folder / "checkpoints" / f"ckpt-{step}.index"
  while not path.exists():
    assert process.poll() is None, process.communicate()[0]
    time.sleep(0.002)
  process.kill()
  process.communicate()
  assert process.returncode == -signal.SIGKILL


def test_kill_9_in_mid_epoch_then_the_same_command_gives_the_unbroken_run(
  tmp_path, assert_same_run
):
  whole, killed = tmp_path / "whole", tmp_path / "killed"
  processes = _start(whole), _start(killed)
  _kill_at(processes[1], killed, 14)
  assert not (killed / "checkpoints" / "ckpt-60.index").exists()
  out = _finish(_start(killed))
  step = int(out.split("(step ")[1].split(")")[0])
  # 7 if the kill came between the files of the save at 14 and the list of them.
  assert step >= 7 and step % 10
  _finish(processes[0])
  assert_same_run(killed, whole)


def test_the_metrics_of_a_tiny_run_are_one_line_an_epoch(tiny_run):
  lines = [json.loads(x) for x in (tiny_run / "metrics.jsonl").read_text().splitlines()]
  assert [x["total_steps"] for x in lines] == [10, 20, 30, 40, 50, 60]
  assert [x["stage"] for x in lines] == ["pretrain"] * 4 + ["finetune"] * 2
  assert lines[3]["reconstruction"] < lines[0]["reconstruction"]
  assert lines[5]["loss"] < lines[4]["loss"]


@pytest.fixture(scope="module")
def train_shortly(tmp_path_factory):
  """Trains tiny.gin for a few steps with a runtime file: `train_shortly("a.gin")` -> its log."""

  def get(*runtime):
    shorter = ["PRETRAIN_STEPS = 4", "FINETUNE_STEPS = 2", "Run.steps_per_epoch = 2"]
    text = config.load(["subspace/tiny.gin", *runtime], shorter)
    folder = tmp_path_factory.mktemp("short")
    train.train(run_lib.Run(), str(folder), text)
    return records.read_metrics(folder)

  return get


@pytest.fixture(scope="module")
def short_log(train_shortly):
  return train_shortly()


@pytest.mark.parametrize("name", ["mixed_float16", "mirrored", "xla"])
def test_every_runtime_trains_the_tiny_experiment(train_shortly, short_log, name):
  a, b = train_shortly(f"runtime/{name}.gin"), short_log
  assert [x.keys() for x in a] == [x.keys() for x in b]
  tolerance = 1e-4
  if name == "mixed_float16":
    # The first steps are skipped until the loss scale fits, so that they can't be the same.
    assert all(np.isfinite(v) for x in a for v in x.values() if not isinstance(v, str))
    a, b, tolerance = a[:2], b[:2], 0.3
  for one, other in zip(a, b, strict=True):
    for key, value in other.items():
      assert one[key] == (value if isinstance(value, str) else pytest.approx(value, rel=tolerance))
