"""Tests of saving, falling back, warm starts and full disks."""

import contextlib
import os
import resource

import numpy as np
import pytest
import tensorflow as tf

from garden.core import checkpoints
from garden.core import records
from garden.core import train


@pytest.fixture
def build(toy_run):
  """Makes a model whose weights are all `value`, at a step."""

  def make(value=1.0, step=0):
    model = toy_run().experiment.build_model()
    model.dense.kernel.assign(tf.fill([16, 1], value))
    model.total_steps.assign(step)
    return model

  return make


def _save(build, folder, *steps):
  """Saves a model whose weights are its step, at some steps."""
  model = build()
  store = checkpoints.Checkpoints(model, str(folder))
  for step in steps:
    model.dense.kernel.assign(tf.fill([16, 1], float(step)))
    model.total_steps.assign(step)
    store.save()
  return store


def _kernel(model):
  return float(model.dense.kernel.numpy()[0, 0])


def _data_file(folder, step):
  return folder / "checkpoints" / f"ckpt-{step}.data-00000-of-00001"


@contextlib.contextmanager
def _no_room_for_files_over(size):
  """Any write past `size` bytes of a file fails, as on a full disk."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_three_checkpoints_are_kept(build, tmp_path):
  _save(build, tmp_path, 1, 2, 3, 4, 5)
  names = {name.split(".")[0] for name in os.listdir(tmp_path / "checkpoints")}
  assert names == {"checkpoint", "ckpt-3", "ckpt-4", "ckpt-5"}


def test_the_newest_is_restored_with_counters_and_optimizer(build, tmp_path):
  model = build(step=7)
  model.stage.assign(1)
  model.step.assign(3)
  model.fit(tf.data.Dataset.from_tensors(tf.range(4)), verbose=0)
  checkpoints.Checkpoints(model, str(tmp_path)).save()
  again = build()
  path = checkpoints.Checkpoints(again, str(tmp_path)).restore()
  assert path.endswith("ckpt-8")
  assert [int(v) for v in (again.stage, again.step, again.total_steps)] == [1, 4, 8]
  for a, b in zip(model.optimizer.variables, again.optimizer.variables):
    np.testing.assert_array_equal(a.numpy(), b.numpy())
  assert np.abs(again.optimizer.variables[-1].numpy()).max() > 0  # a momentum
  np.testing.assert_array_equal(model.dense.kernel.numpy(), again.dense.kernel.numpy())


def test_nothing_saved_is_no_error(build, tmp_path):
  assert checkpoints.Checkpoints(build(), str(tmp_path)).restore() is None


def _truncate(path):
  os.truncate(path, os.path.getsize(path) // 2)


def _flip(path):
  """Flips a bit of the kernel 2.0, 2.0, ... in the data file of step 2."""
  data = bytearray(path.read_bytes())
  place = data.index(np.full(4, 2.0, np.float32).tobytes())
  data[place + 3] ^= 0x10
  path.write_bytes(bytes(data))


@pytest.mark.parametrize(
  ("damage", "part"),
  [
    (_truncate, ".data-00000-of-00001"),
    (_flip, ".data-00000-of-00001"),
    (os.unlink, ".data-00000-of-00001"),
    (_truncate, ".index"),
    (os.unlink, ".index"),
    (lambda path: os.truncate(path, 0), ".index"),
  ],
  ids=["data cut", "bit flipped", "data gone", "index cut", "index gone", "index empty"],
)
def test_an_unreadable_newest_falls_back_and_says_so(build, tmp_path, caplog, damage, part):
  _save(build, tmp_path, 1, 2)
  damage(tmp_path / "checkpoints" / f"ckpt-2{part}")
  model = build()
  path = checkpoints.Checkpoints(model, str(tmp_path)).restore()
  assert path.endswith("ckpt-1") and _kernel(model) == 1.0 and int(model.total_steps) == 1
  (warning,) = [r.getMessage() for r in caplog.records if "can't be read" in r.getMessage()]
  assert "ckpt-2" in warning and "going back to /" in warning


@pytest.mark.parametrize("text", ["no list {", 'model_checkpoint_path: "ckpt-9"\n', None])
def test_a_damaged_list_hides_no_checkpoint(build, tmp_path, text):
  _save(build, tmp_path, 1, 2)
  path = tmp_path / "checkpoints" / "checkpoint"
  path.unlink() if text is None else path.write_text(text)
  model = build()
  store = checkpoints.Checkpoints(model, str(tmp_path))
  assert store.restore().endswith("ckpt-2") and _kernel(model) == 2.0
  for step in (3, 4, 5):
    model.total_steps.assign(step)
    store.save()
  names = {name.split(".")[0] for name in os.listdir(tmp_path / "checkpoints")}
  assert names == {"checkpoint", "ckpt-3", "ckpt-4", "ckpt-5"}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe"])
def test_a_list_that_is_no_text_is_told_with_what_to_do(build, tmp_path, content):
  _save(build, tmp_path, 1)
  (tmp_path / "checkpoints" / "checkpoint").write_bytes(content)
  with pytest.raises(ValueError, match="list of checkpoints, is damaged; remove it"):
    checkpoints.Checkpoints(build(), str(tmp_path))


def test_training_goes_on_after_a_fall_back(build, tmp_path):
  _save(build, tmp_path, 1, 2)
  _truncate(_data_file(tmp_path, 2))
  model = build()
  store = checkpoints.Checkpoints(model, str(tmp_path))
  store.restore()
  model.total_steps.assign(2)
  model.dense.kernel.assign(tf.fill([16, 1], 9.0))
  store.save()  # over the damaged one
  again = build()
  assert checkpoints.Checkpoints(again, str(tmp_path)).restore().endswith("ckpt-2")
  assert _kernel(again) == 9.0


def test_none_readable_is_an_error(build, tmp_path):
  _save(build, tmp_path, 1, 2)
  for step in (1, 2):
    _truncate(_data_file(tmp_path, step))
  with pytest.raises(ValueError, match=r"none of the 2 checkpoints.*remove the folder"):
    checkpoints.Checkpoints(build(), str(tmp_path)).restore()


def test_another_architecture_is_refused(build, tmp_path):
  _save(build, tmp_path, 1)
  model = build()
  model.more = tf.keras.layers.Dense(2)
  model.more.build([None, 3])
  with pytest.raises(ValueError, match=r"ckpt-1 doesn't fit this model.*another configuration"):
    checkpoints.Checkpoints(model, str(tmp_path)).restore()


def test_another_shape_is_refused_as_another_architecture(build, tmp_path):
  _save(build, tmp_path, 1, 2)
  model = build()
  model.dense = tf.keras.layers.Dense(5)
  model.dense.build([None, 16])
  with pytest.raises(ValueError, match=r"ckpt-2 doesn't fit this model"):
    checkpoints.Checkpoints(model, str(tmp_path)).restore()


def test_weights_that_are_not_finite_are_not_saved(build, tmp_path):
  store = _save(build, tmp_path, 1)
  store.model.dense.bias.assign([np.nan])
  store.model.total_steps.assign(2)
  with pytest.raises(checkpoints.NotFiniteError, match=r"bias.* step 2; .*ckpt-1") as caught:
    store.save()
  assert "\n" not in str(caught.value)
  model = build()
  assert checkpoints.Checkpoints(model, str(tmp_path)).restore().endswith("ckpt-1")
  assert np.isfinite(model.dense.bias.numpy()).all()


@pytest.mark.parametrize("size", [0, 64, 700])
def test_a_full_disk_keeps_what_was_saved_and_leaves_no_rubbish(build, tmp_path, size):
  store = _save(build, tmp_path, 1)
  before = sorted(os.listdir(tmp_path / "checkpoints"))
  store.model.total_steps.assign(2)
  with _no_room_for_files_over(size), pytest.raises(checkpoints.SaveError) as caught:
    store.save()
  message = str(caught.value)
  assert "could not save step 2" in message and "ckpt-1" in message and "\n" not in message
  assert sorted(os.listdir(tmp_path / "checkpoints")) == before
  model = build()
  assert checkpoints.Checkpoints(model, str(tmp_path)).restore().endswith("ckpt-1")
  assert _kernel(model) == 1.0
  store.save()  # there is room again
  assert checkpoints.Checkpoints(build(), str(tmp_path)).restore().endswith("ckpt-2")


def test_the_first_save_on_a_full_disk_says_that_nothing_is_saved(build, tmp_path):
  store = checkpoints.Checkpoints(build(), str(tmp_path))
  with _no_room_for_files_over(0), pytest.raises(checkpoints.SaveError, match="nothing had been"):
    store.save()
  assert os.listdir(tmp_path / "checkpoints") == []


def test_a_save_error_is_an_os_error_of_one_line(build, tmp_path):
  store = _save(build, tmp_path, 1)
  with _no_room_for_files_over(0), pytest.raises(OSError, match="free some space"):
    store.save()


def test_load_weights_needs_a_checkpoint(build, tmp_path):
  with pytest.raises(FileNotFoundError, match="holds no checkpoint; train it first"):
    checkpoints.load_weights(build(), str(tmp_path))
  with pytest.raises(FileNotFoundError, match=r"best holds no checkpoint.*Run\.best_metric"):
    checkpoints.load_weights(build(), str(tmp_path), best=True)


def test_a_warm_start_takes_all_weights_and_no_counter(build, tmp_path):
  _save(build, tmp_path, 5)
  for path in (tmp_path, tmp_path / "checkpoints", tmp_path / "checkpoints" / "ckpt-5"):
    model = build()
    assert checkpoints.warm_start(model, str(path)).endswith("ckpt-5")
    assert _kernel(model) == 5.0
    assert int(model.total_steps) == 0


def test_a_warm_start_by_modules_takes_those_alone(build, tmp_path):
  source = build(5.0)
  source.other = tf.keras.layers.Dense(1, bias_initializer="ones")
  source.other.build([None, 2])
  checkpoints.Checkpoints(source, str(tmp_path)).save()
  model = build(1.0)
  model.other = tf.keras.layers.Dense(1)
  model.other.build([None, 2])
  checkpoints.warm_start(model, str(tmp_path), ["other"])
  assert _kernel(model) == 1.0 and model.other.bias.numpy() == [1.0]


def test_a_warm_start_leaves_the_optimizer_alone(build, tmp_path):
  source = build()
  source.fit(tf.data.Dataset.from_tensors(tf.range(4)), verbose=0)
  source.optimizer.learning_rate.assign(0.5)
  checkpoints.Checkpoints(source, str(tmp_path)).save()
  model = build()
  checkpoints.warm_start(model, str(tmp_path))
  assert _kernel(model) == pytest.approx(_kernel(source))
  assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
  assert int(model.optimizer.iterations) == 0


def test_a_warm_start_names_what_is_wrong(build, tmp_path):
  _save(build, tmp_path, 1)
  with pytest.raises(ValueError, match="no part 'encoder'; its parts are dense"):
    checkpoints.warm_start(build(), str(tmp_path), ["encoder"])
  with pytest.raises(FileNotFoundError, match="warm start: no checkpoint in"):
    checkpoints.warm_start(build(), str(tmp_path / "gone"))
  model = build()
  model.other = tf.keras.layers.Dense(1)
  model.other.build([None, 2])
  with pytest.raises(ValueError, match="warm start: .*ckpt-1 doesn't fit"):
    checkpoints.warm_start(model, str(tmp_path), ["other"])
  wide = build()
  wide.dense = tf.keras.layers.Dense(5)
  wide.dense.build([None, 16])
  with pytest.raises(ValueError, match="warm start: .*ckpt-1 doesn't fit"):
    checkpoints.warm_start(wide, str(tmp_path), ["dense"])


def test_the_best_is_kept_with_its_value(build, tmp_path):
  for step in (3, 8):
    checkpoints.save_best(build(float(step), step), str(tmp_path), "loss", step / 2, step)
  assert records.read_json(tmp_path / "best" / "best.json") == {
    "metric": "loss", "value": 4.0, "total_steps": 8,
  }  # fmt: skip
  names = {name.split(".")[0] for name in os.listdir(tmp_path / "best")}
  assert names == {"best", "checkpoint", "ckpt-8"}
  model = build()
  assert checkpoints.load_weights(model, str(tmp_path), best=True).endswith("ckpt-8")
  assert _kernel(model) == 8.0


def test_a_run_on_a_full_disk_ends_in_one_error_and_goes_on_when_there_is_room(toy_run, tmp_path):
  run = toy_run()
  with _no_room_for_files_over(600), pytest.raises(checkpoints.SaveError):
    train.train(run, str(tmp_path / "a"), "")
  whole = train.train(run, str(tmp_path / "b"), "")
  again = train.train(run, str(tmp_path / "a"), "")
  np.testing.assert_array_equal(whole.dense.kernel.numpy(), again.dense.kernel.numpy())
