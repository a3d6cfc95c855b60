"""Tests of the folder that TF Serving is started on."""

import os
import pathlib

import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf import text_format
from google.protobuf import wrappers_pb2
from tensorflow_serving.config import model_server_config_pb2

from garden.core import records
from garden.core import serving_layout


def _run(folder, trained=True):
  """A folder that looks like a run."""
  records.write_text(folder / "config.gin", "")
  if trained:
    tf.train.Checkpoint(x=tf.Variable(0.0)).save(str(folder / "checkpoints" / "step"))


@pytest.fixture
def exported(monkeypatch):
  """Exports take no time and are told: [(run, output_dir, best)]."""
  calls = []

  def export(run, model_dir, output_dir, best):
    calls.append((run, output_dir, best))
    path = pathlib.Path(output_dir, str(len(serving_layout.versions(output_dir)) + 1))
    records.write_text(path / "saved_model.pb", "")
    return str(path)

  monkeypatch.setattr(serving_layout.run_lib, "from_model_dir", lambda *args: args)
  monkeypatch.setattr(serving_layout.export_lib, "export", export)
  return calls


def _models(folder):
  """Name -> base path, as TF Serving's own proto reads `models.config`."""
  text = (folder / "models.config").read_text()
  config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
  assert {model.model_platform for model in config.model_config_list.config} <= {"tensorflow"}
  return {model.name: model.base_path for model in config.model_config_list.config}


def test_runs_are_found_below_a_folder(tmp_path):
  _run(tmp_path / "tiny")
  _run(tmp_path / "orl" / "seed_0")
  _run(tmp_path / "orl" / "begun", trained=False)
  _run(tmp_path / "tiny" / "export")  # inside a run
  (tmp_path / "notes").mkdir()
  assert serving_layout.trained_runs(str(tmp_path)) == {
      "orl-seed_0": str(tmp_path / "orl" / "seed_0"), "tiny": str(tmp_path / "tiny")}


def test_a_run_itself_is_found_by_its_folders_name(tmp_path):
  _run(tmp_path / "tiny")
  assert serving_layout.trained_runs(str(tmp_path / "tiny") + "/") == {
      "tiny": str(tmp_path / "tiny") + "/"}


def test_a_folder_without_a_trained_run_is_told(tmp_path):
  _run(tmp_path / "begun", trained=False)
  with pytest.raises(ValueError, match="holds no trained run; give the folder"):
    serving_layout.trained_runs(str(tmp_path))


def test_names_that_cannot_be_served_are_told(tmp_path):
  _run(tmp_path / "a" / "b")
  _run(tmp_path / "a-b")
  with pytest.raises(ValueError, match="would both be served as 'a-b'; rename one"):
    serving_layout.trained_runs(str(tmp_path))
  _run(tmp_path / "other" / "my run")
  with pytest.raises(ValueError, match="'my run', which is no name for a URL; rename"):
    serving_layout.trained_runs(str(tmp_path / "other"))


def test_each_run_becomes_a_version_of_its_model(tmp_path, exported):
  _run(tmp_path / "runs" / "b")
  _run(tmp_path / "runs" / "a")
  root, output = str(tmp_path / "runs"), tmp_path / "serving"
  paths = list(serving_layout.export_all(root, str(output), ["SEED = 1"], best=True))
  assert paths == [str(output / "a" / "1"), str(output / "b" / "1")]
  assert exported[0] == ((f"{root}/a", ["SEED = 1"]), str(output / "a"), True)
  assert _models(output) == {"a": "/models/a", "b": "/models/b"}
  assert list(serving_layout.export_all(root, str(output)))[1] == str(output / "b" / "2")


def test_models_that_are_there_stay(tmp_path, exported):
  records.write_text(tmp_path / "serving" / "old" / "3" / "saved_model.pb", "")
  (tmp_path / "serving" / "empty" / "1").mkdir(parents=True)
  _run(tmp_path / "runs" / "new")
  list(serving_layout.export_all(str(tmp_path / "runs"), str(tmp_path / "serving")))
  assert _models(tmp_path / "serving") == {"new": "/models/new", "old": "/models/old"}


def test_a_kill_leaves_what_can_be_served(tmp_path, exported):
  _run(tmp_path / "runs" / "a")
  _run(tmp_path / "runs" / "b")
  exports = serving_layout.export_all(str(tmp_path / "runs"), str(tmp_path / "serving"))
  next(exports)
  assert _models(tmp_path / "serving") == {"a": "/models/a"}


def _batching_parameters():
  """The message that --batching_parameters_file is read as; the package of protos lacks it."""
  file = descriptor_pb2.FileDescriptorProto(
      name="batching.proto", package="test", syntax="proto3",
      dependency=[wrappers_pb2.DESCRIPTOR.name])
  message = file.message_type.add(name="BatchingParameters")
  kinds = ["Int64Value"] * 4 + ["StringValue"]
  names = ["max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads",
           "thread_pool_name"]
  for number, (name, kind) in enumerate(zip(names, kinds), 1):
    message.field.add(name=name, number=number, label=1, type=11,
                      type_name=f".google.protobuf.{kind}")
  message.field.add(name="allowed_batch_sizes", number=6, label=3, type=3)
  pool = descriptor_pool.DescriptorPool()
  pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
  pool.Add(file)
  return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.BatchingParameters"))()


def test_batching_parameters_are_read_by_their_proto(tmp_path):
  serving_layout.write(str(tmp_path))
  read = text_format.Parse((tmp_path / "batching_parameters.txt").read_text(),
                           _batching_parameters())
  assert read.max_batch_size.value == 64
  assert read.batch_timeout_micros.value == 2000
  assert read.max_enqueued_batches.value >= 1 and read.num_batch_threads.value >= 1


def test_batching_parameters_that_somebody_tuned_stay(tmp_path):
  (tmp_path / "batching_parameters.txt").write_text("max_batch_size { value: 8 }\n")
  serving_layout.write(str(tmp_path))
  assert "value: 8" in (tmp_path / "batching_parameters.txt").read_text()


def test_the_binary_exports_all(tiny_copy, tmp_path, binary, served_alike):
  output = tmp_path / "serving"
  code, out, err = binary("export", f"--all={tiny_copy}", f"--output_dir={output}")
  assert (code, err) == (0, "")
  assert out.split() == [str(output / "run" / "1"), str(output / "models.config")]
  assert _models(output) == {"run": "/models/run"}
  assert sorted(os.listdir(output)) == ["batching_parameters.txt", "models.config", "run"]
  served_alike(str(output / "run" / "1"))


@pytest.mark.parametrize(("arguments", "message"), [
    (["--all=runs"], "--output_dir"),
    (["--all=runs", "--output_dir=serving", "--model_dir=run"], "--all or --model_dir, not both"),
    (["--all=nowhere", "--output_dir=serving"], "nowhere holds no trained run")])
def test_a_mistake_is_one_line(binary, tmp_path, monkeypatch, arguments, message):
  monkeypatch.chdir(tmp_path)
  code, out, err = binary("export", *arguments)
  assert (code, out) == (2, "") and len(err.splitlines()) == 1 and message in err
  assert os.listdir(tmp_path) == []
