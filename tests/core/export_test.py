"""Tests of SavedModels: signatures, checks, and loading without this package."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from garden.core import evaluate
from garden.core import export
from garden.core import run as run_lib
from garden.core import train

_SHAPE = (4, 4, 1)  # of the toy's images


@pytest.fixture(scope="module")
def tiny_export(tiny_run, tmp_path_factory):
  """Path of the exported tiny run, and its run."""
  run = run_lib.from_model_dir(str(tiny_run))
  return export.export(run, str(tiny_run), str(tmp_path_factory.mktemp("export"))), run


@pytest.fixture
def module(toy_run):
  experiment = toy_run().experiment
  return experiment.signatures(experiment.build_model())


def _encode(pixels, kind):
  buffer = io.BytesIO()
  pixels = np.asarray(pixels, np.uint8)
  Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, kind)
  return buffer.getvalue()


def test_the_signatures_have_their_names_and_specs(tiny_export):
  loaded = tf.saved_model.load(tiny_export[0])
  assert set(loaded.signatures) == {"serving_default", "serving_bytes"}
  (images,) = loaded.signatures["serving_default"].structured_input_signature[1].values()
  assert (images.name, images.dtype, images.shape.as_list()) == (
    "images", tf.float32, [None, 8, 8, 1],
  )  # fmt: skip
  (encoded,) = loaded.signatures["serving_bytes"].structured_input_signature[1].values()
  assert (encoded.name, encoded.dtype, encoded.shape.as_list()) == (
    "image_bytes", tf.string, [None],
  )  # fmt: skip
  for signature in loaded.signatures.values():
    assert set(signature.structured_outputs) == {
      "cluster", "code", "distance", "reconstruction_error",
    }  # fmt: skip
    assert signature.structured_outputs["cluster"].dtype == tf.int64


def test_the_batch_is_dynamic_and_images_are_independent(tiny_export):
  loaded = tf.saved_model.load(tiny_export[0])
  serve = loaded.signatures["serving_default"]
  images = np.random.default_rng(0).uniform(0, 1, (7, 8, 8, 1)).astype(np.float32)
  whole = serve(images=tf.constant(images))
  for size in (1, 3):
    part = serve(images=tf.constant(images[:size]))
    for name, value in part.items():
      np.testing.assert_allclose(value.numpy(), whole[name].numpy()[:size], rtol=1e-4, atol=1e-5)


def test_the_export_gives_what_the_python_model_gives(tiny_export, tiny_run):
  path, run = tiny_export
  model, _ = evaluate.load(run, str(tiny_run))
  images = run.experiment.images.pixels[:9]
  outputs = tf.saved_model.load(path).signatures["serving_default"](images=tf.constant(images))
  np.testing.assert_allclose(outputs["code"].numpy(), model.encoder(images).numpy(), rtol=1e-5)
  error = np.mean((model(images).numpy() - images) ** 2, axis=(1, 2, 3))
  np.testing.assert_allclose(outputs["reconstruction_error"].numpy(), error, rtol=1e-4)


@pytest.mark.parametrize("value", [-0.5, 1.5, 255.0])
def test_pixels_outside_the_declared_range_are_refused(module, value):
  images = np.full((1, *_SHAPE), 0.5, np.float32)
  images[0, 1, 2] = value
  with pytest.raises(tf.errors.InvalidArgumentError, match="pixels must be at (least 0|most 1)"):
    module.serving_default(tf.constant(images))


def test_the_ends_of_the_range_are_inside(module):
  assert module.serving_default(tf.zeros([1, *_SHAPE]))["mean"].shape == [1]
  module.serving_default(tf.ones([1, *_SHAPE]))


def test_another_image_size_is_refused(module):
  with pytest.raises((TypeError, ValueError)):
    module.serving_default(tf.zeros([1, 5, 4, 1]))


@pytest.mark.parametrize("low_high", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
def test_bytes_become_pixels_of_the_declared_range(low_high):
  low, high = low_high
  module = export.ServingModule(tf.Module(), lambda x: {"x": x}, _SHAPE[:2], 1, low_high)
  pixels = np.arange(16, dtype=np.uint8).reshape(_SHAPE) * 17
  got = module.serving_bytes(tf.constant([_encode(pixels, "PNG")]))["x"].numpy()
  np.testing.assert_allclose(got[0], low + pixels / 255 * (high - low), atol=1e-4 * (high - low))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_bytes_of_any_size_and_colour_are_taken(kind):
  for channels in (1, 3):
    module = export.ServingModule(tf.Module(), lambda x: {"x": x}, (6, 6), channels, (0, 1))
    grey = _encode(np.full((12, 9, 1), 128), kind)
    colour = _encode(np.full((6, 6, 3), 128), kind)
    got = module.serving_bytes(tf.constant([grey, colour]))["x"].numpy()
    assert got.shape == (2, 6, 6, channels)
    np.testing.assert_allclose(got, 128 / 255, atol=0.01)


def test_bytes_keep_inside_the_range_where_bicubic_overshoots():
  module = export.ServingModule(tf.Module(), lambda x: {"x": x}, (9, 9), 1, (0, 1))
  edge = np.zeros((4, 4, 1), np.uint8)
  edge[:, 2:] = 255
  got = module.serving_bytes(tf.constant([_encode(edge, "PNG")]))["x"].numpy()
  assert got.min() == 0.0 and got.max() == 1.0


def test_bytes_of_no_image_are_refused(module):
  with pytest.raises(tf.errors.InvalidArgumentError):
    module.serving_bytes(tf.constant([b"no image"]))


def test_a_process_without_the_package_gives_the_same_numbers(tiny_export, tmp_path):
  path, run = tiny_export
  images = run.experiment.images.pixels[:3]
  np.save(tmp_path / "images.npy", images)
  script = f"""
import json, sys
class Refuse:
  def find_spec(self, name, path=None, target=None):
    if name.split(".")[0] in ("garden", "tensorflow_addons", "keras_cv", "mujoco", "gin"):
      raise ImportError(name + " must not be needed")
sys.meta_path.insert(0, Refuse())
import numpy as np
import tensorflow as tf
model = tf.saved_model.load({path!r})
outputs = model.signatures["serving_default"](images=tf.constant(np.load("images.npy")))
json.dump({{k: v.numpy().tolist() for k, v in outputs.items()}}, open("out.json", "w"))
"""
  done = subprocess.run(
    [sys.executable, "-I", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
  )
  assert done.returncode == 0, done.stderr
  got = json.loads((tmp_path / "out.json").read_text())
  loaded = tf.saved_model.load(path)
  for name, value in loaded.signatures["serving_default"](images=tf.constant(images)).items():
    np.testing.assert_allclose(got[name], value.numpy(), rtol=1e-5, atol=1e-6)


def test_only_core_operations_are_used(tiny_export):
  proto = saved_model_pb2.SavedModel()
  with open(os.path.join(tiny_export[0], "saved_model.pb"), "rb") as file:
    proto.ParseFromString(file.read())
  names = {op.name for op in proto.meta_graphs[0].meta_info_def.stripped_op_list.op}
  assert names and not [name for name in names if name.startswith("Addons>")]


def test_versions_count_up_and_no_partial_one_is_seen(toy_run, tmp_path, monkeypatch):
  run = toy_run()
  train.train(run, str(tmp_path), "")
  folder = tmp_path / "export"
  assert export.export(run, str(tmp_path)) == str(folder / "1")
  (folder / "7").mkdir()
  seen = []
  check = export.check

  def look(module, path):
    seen.extend(os.listdir(folder))
    check(module, path)

  monkeypatch.setattr(export, "check", look)
  assert export.export(run, str(tmp_path)) == str(folder / "8")
  # While it is written the new version has a name that TF Serving does not take for one.
  assert sorted(name for name in seen if name.isdigit()) == ["1", "7"]
  assert sorted(os.listdir(folder)) == ["1", "7", "8"]
  assert os.stat(folder / "8").st_mode & 0o055 == 0o055  # a server of another user may read it


def test_an_export_that_fails_its_check_leaves_nothing(toy_run, tmp_path, monkeypatch):
  run = toy_run()
  train.train(run, str(tmp_path), "")

  def differ(module, path):
    raise RuntimeError("the SavedModel's 'mean' differs")

  monkeypatch.setattr(export, "check", differ)
  with pytest.raises(RuntimeError, match="differs"):
    export.export(run, str(tmp_path))
  assert os.listdir(tmp_path / "export") == []


def test_the_check_sees_a_difference(module, tmp_path):
  tf.saved_model.save(module, str(tmp_path), signatures=module.signatures())
  export.check(module, str(tmp_path))
  module.model.dense.bias.assign_add([0.01])
  with pytest.raises(RuntimeError, match="'mean' differs"):
    export.check(module, str(tmp_path))


def test_the_check_covers_the_signature_of_bytes(module, tmp_path):
  class Wrong(export.ServingModule):
    def _decode(self, encoded):
      return super()._decode(encoded) * 0.5

  wrong = Wrong(module.model, module.outputs, _SHAPE[:2], 1, (0, 1))
  tf.saved_model.save(wrong, str(tmp_path), signatures=wrong.signatures())
  with pytest.raises(RuntimeError, match="serving_bytes"):
    export.check(module, str(tmp_path))


def test_the_best_checkpoint_can_be_exported(toy_run, tmp_path):
  run = toy_run({"validation": True}, best_metric="val_loss", best_mode="max")
  train.train(run, str(tmp_path), "")
  outputs = []
  for best in (False, True):
    model, _ = evaluate.load(run, str(tmp_path), best)
    path = export.export(run, str(tmp_path), best=best)
    loaded = tf.saved_model.load(path)
    images = tf.ones([1, *_SHAPE])
    outputs.append(loaded.signatures["serving_default"](images=images)["mean"].numpy())
    np.testing.assert_allclose(outputs[-1], model(images).numpy(), rtol=1e-5)
  assert abs(outputs[0] - outputs[1]) > 1e-3


def test_probe_images_fill_the_range():
  module = export.ServingModule(tf.Module(), lambda x: {"x": x}, (20, 20), 3, (-1, 1))
  images = export.probe_images(module, 2)
  assert images.shape == (2, 20, 20, 3) and images.dtype == np.float32
  assert -1 <= images.min() < -0.9 and 0.9 < images.max() <= 1
  np.testing.assert_array_equal(images, export.probe_images(module, 2))


def test_warm_up_requests_are_written_where_the_protos_are(module, tmp_path):
  path = export.write_warm_up(module, str(tmp_path), "toy")
  assert path == str(tmp_path / "assets.extra/tf_serving_warmup_requests")
  requests = {}
  for record in tf.data.TFRecordDataset(path):
    log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
    assert log.WhichOneof("log_type") == "predict_log"
    request = log.predict_log.request
    assert request.model_spec.name == "toy"
    requests[request.model_spec.signature_name] = {
      k: tf.make_ndarray(v) for k, v in request.inputs.items()
    }
  assert set(requests) == {"serving_default", "serving_bytes"}
  module.serving_default(tf.constant(requests["serving_default"]["images"]))
  module.serving_bytes(tf.constant(requests["serving_bytes"]["image_bytes"]))


def test_without_the_protos_there_are_no_warm_up_requests(module, tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
  assert export.write_warm_up(module, str(tmp_path), "toy") is None
  assert os.listdir(tmp_path) == []


def test_an_exported_run_can_be_served(tiny_export, served_alike):
  served_alike(tiny_export[0])
