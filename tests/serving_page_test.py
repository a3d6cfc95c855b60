"""The requests of docs/serving.md, to a server of a few lines that does what TF Serving does."""

import base64
import concurrent.futures
import json
import os
import pathlib
import re
import stat
import subprocess

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from garden.core import export
from garden.core import run as run_lib

_PAGE = (pathlib.Path(__file__).resolve().parents[1] / "docs/serving.md").read_text("utf-8")


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
  """Predict, of one SavedModel."""

  def __init__(self, model):
    self.model = model

  def Predict(self, request, context):  # noqa: N802
    """PredictRequest -> PredictResponse."""
    assert request.model_spec.name == "tiny"
    serve = self.model.signatures[request.model_spec.signature_name or "serving_default"]
    response = predict_pb2.PredictResponse()
    try:
      found = serve(**{name: tf.constant(tf.make_ndarray(value))
                       for name, value in request.inputs.items()})
    except tf.errors.InvalidArgumentError as error:
      context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
    for name, value in found.items():
      response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    return response


@pytest.fixture(scope="module")
def model(tiny_run, tmp_path_factory):
  path = export.export(run_lib.from_model_dir(str(tiny_run)), str(tiny_run),
                       str(tmp_path_factory.mktemp("serving") / "tiny"))
  return tf.saved_model.load(path)


@pytest.fixture
def photos(tmp_path, monkeypatch):
  """A folder to be in, with eight photographs."""
  monkeypatch.chdir(tmp_path)
  os.mkdir("photos")
  for number in range(8):
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(f"photos/{number:02}.png")
  return tmp_path


@pytest.fixture
def server(model):
  """host:port of a gRPC server."""
  found = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
  prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Service(model), found)
  port = found.add_insecure_port("localhost:0")
  found.start()
  yield f"localhost:{port}"
  found.stop(None).wait()


def _client(server):
  """The page's Python, to a server."""
  (example,) = re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)
  names = {}
  exec(compile(example.replace("localhost:8500", server), "docs/serving.md", "exec"), names)
  names["channel"].close()
  return names


def test_the_grpc_client_gets_what_the_model_says(server, model, photos):
  found = _client(server)["clusters"]
  images = [(photos / "photos" / f"{number:02}.png").read_bytes() for number in range(8)]
  expected = model.signatures["serving_bytes"](image_bytes=tf.constant(images))["cluster"]
  np.testing.assert_array_equal(found, expected)


def test_an_undecodable_image_is_an_invalid_argument(server, photos):
  (photos / "photos" / "03.png").write_bytes(b"no image")
  with pytest.raises(grpc.RpcError, match="image_bytes must be JPEG or PNG") as caught:
    _client(server)
  assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_the_rest_request_is_what_the_signature_takes(model, photos, monkeypatch):
  # In curl's place a program that keeps its arguments.
  (photos / "bin").mkdir()
  (photos / "bin/curl").write_text('#!/bin/sh\nfor part; do printf "%s\\0" "$part"; done > sent\n')
  (photos / "bin/curl").chmod(stat.S_IRWXU)
  monkeypatch.setenv("PATH", str(photos / "bin"), prepend=os.pathsep)
  (command,) = re.findall(r"```sh\n(curl .*?)```", _PAGE, re.DOTALL)
  subprocess.run(["bash", "-euc", command], check=True)
  url, flag, body, _ = (photos / "sent").read_text().split("\0")
  assert (url, flag) == ("http://localhost:8501/v1/models/tiny:predict", "-d")
  body = json.loads(body)
  images = [base64.b64decode(instance.pop("b64")) for instance in body["instances"]]
  assert body == {"signature_name": "serving_bytes", "instances": [{}, {}]}
  assert images[1] == (photos / "photos/01.png").read_bytes()
  found = model.signatures["serving_bytes"](image_bytes=tf.constant(images))
  for name in re.findall(r'"(\w+)": (?:\d|\[)', re.search(r'answers `(.*?)`', _PAGE).group(1))[1:]:
    assert name in found


def test_outputs_of_bytes_end_as_rest_wants_them():
  # TF Serving writes strings of other names as they are, which PNG can't be in JSON.
  rows = re.findall(r"^\|[^|]*\|[^|]*\| (.*?) \| string ", _PAGE, re.MULTILINE)
  assert rows and all(name.endswith("_bytes`") for name in rows)


def test_the_server_is_given_the_files_that_are_written(tmp_path):
  from garden.core import serving_layout
  serving_layout.write(str(tmp_path))
  given = re.findall(rf"{serving_layout.MODELS}/(\w+\.\w+)", _PAGE)
  assert set(given) == set(os.listdir(tmp_path))
