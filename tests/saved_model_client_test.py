"""The C API's two clients read and write every kind of tensor, and tell what TensorFlow refuses."""

import functools
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests import saved_model_client


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
  """A SavedModel whose signature turns numbers round and measures strings."""
  class Module(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x"),
                                  tf.TensorSpec([None], tf.string, "s")])
    def serve(self, x, s):
      tf.debugging.assert_positive(x, "x must be above 0")
      return {"turned": x[:, ::-1], "whole": tf.cast(x, tf.int64), "above": x[:, 0] > 1.0,
              "length": tf.strings.length(s), "twice": tf.strings.join([s, s])}

  path = str(tmp_path_factory.mktemp("saved"))
  module = Module()
  tf.saved_model.save(module, path, signatures={"serving_default": module.serve})
  return path


@pytest.fixture(scope="module", params=["compiled", "ctypes"])
def call(request, c_api):
  if request.param == "ctypes":
    return functools.partial(saved_model_client.call, saved_model_client.InProcess())
  if not shutil.which("cc"):
    pytest.skip("there is no C compiler")
  assert isinstance(c_api.args[0], saved_model_client.Program)
  return c_api


def test_tensors_of_every_kind_go_in_and_come_out(call, saved):
  long = bytes(range(256)) * 3  # zeros inside, and too long to lie in the TString itself
  x = np.array([[1.0, 2.5], [3.0, 4.0]], np.float32)
  first, second = call(saved, [
      ("serving_default", {"x": x, "s": np.array([b"ab", long], object)}),
      ("serving_default", {"x": x[:0], "s": np.array([], object)})])
  np.testing.assert_array_equal(first["turned"], [[2.5, 1.0], [4.0, 3.0]])
  np.testing.assert_array_equal(first["whole"], [[1, 2], [3, 4]])
  assert first["whole"].dtype == np.int64 and first["above"].tolist() == [False, True]
  assert first["length"].tolist() == [2, 768]
  assert first["twice"].tolist() == [b"abab", long * 2]
  assert second["turned"].shape == (0, 2) and second["twice"].shape == (0,)


def test_what_the_graph_refuses_is_told(call, saved):
  x, s = -np.ones([1, 2], np.float32), np.array([b"a"], object)
  with pytest.raises(saved_model_client.Refused, match="x must be above 0"):
    call(saved, [("serving_default", {"x": x, "s": s})])
