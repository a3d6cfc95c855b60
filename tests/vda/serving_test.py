"""Tests of the served de-animation: it says what the model says, in core TensorFlow alone."""

import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from garden.core import export
from garden.datasets.block_towers import arrays
from garden.vda import engines
from garden.vda import serving
from garden.vda import settings
from garden.vda.vda import VDA

_NAMES = {"present", "position", "rotation", "size", "color", "color_class", "boxes",
          "fall_probability", "reconstruction_error", "camera", "margin", "fall",
          "reconstruction"}


@pytest.fixture(scope="module")
def served(towers, tmp_path_factory):
  """`(model, folder of the SavedModel)`, untrained, for two colours: a graph of seconds."""
  tf.keras.utils.set_random_seed(0)
  model = VDA(settings.Network(filters=(8, 8, 8), size=32, pixels_per_block=12.0,
                               proposal_size=32, picture_size=32, places=2),
              settings.Recipe(), n_colors=2)
  image, camera = tf.zeros([1, 64, 64, 3]), tf.constant(towers.camera[:1])
  model({"image": image, "camera": camera})
  model.perception.look(image, camera, tf.constant([[[0.0, 0.0, 1.0, 1.0]] * 2]),
                        tf.ones([1, 2], tf.bool))
  module = serving.DeAnimation(model, (64, 64))
  folder = tmp_path_factory.mktemp("served") / "1"
  export.save(module, str(folder), "towers")
  return model, str(folder)


@pytest.fixture(scope="module")
def loaded(served):
  """The signatures of the SavedModel."""
  return tf.saved_model.load(served[1]).signatures


def _images(towers, n=3):
  return tf.constant(arrays.images_of(towers, range(n)))


def _same(found, expected):
  for name in _NAMES - {"margin", "fall", "reconstruction"}:
    np.testing.assert_allclose(found[name], expected[name], atol=2e-4, rtol=1e-3, err_msg=name)
  np.testing.assert_allclose(found["reconstruction"], expected["image"], atol=1e-3)


def test_the_saved_model_can_be_served(served, served_alike):
  served_alike(served[1])


def test_there_are_three_signatures_of_the_same_outputs(loaded):
  assert set(loaded) == {"serving_default", "serving_bytes", "serving_camera"}
  for signature in loaded.values():
    assert set(signature.structured_outputs) == _NAMES


def test_images_are_answered_as_by_the_model(served, loaded, towers):
  images = _images(towers)
  _same(loaded["serving_default"](images=images), served[0]({"image": images}))


def test_images_with_their_cameras_are_answered_as_by_the_model(served, loaded, towers):
  images, camera = _images(towers, 2), tf.constant(towers.camera[:2])
  found = loaded["serving_camera"](images=images, camera=camera)
  _same(found, served[0]({"image": images, "camera": camera}))
  np.testing.assert_array_equal(found["camera"], camera)


def test_encoded_images_are_answered_as_their_pixels(loaded, towers):
  found = loaded["serving_bytes"](image_bytes=tf.constant(list(towers.images[:2])))
  expected = loaded["serving_default"](images=_images(towers, 2))
  for name in _NAMES:
    np.testing.assert_allclose(found[name], expected[name], atol=2e-4, rtol=1e-3, err_msg=name)


def test_it_falls_by_the_support_test_itself(loaded, towers):
  found = loaded["serving_camera"](images=_images(towers), camera=tf.constant(towers.camera[:3]))
  state = {name: found[name] for name in ("present", "position", "rotation", "size")}
  margin = engines.SupportEngine(softness=0.0)(state)["margin"].numpy()
  np.testing.assert_allclose(found["margin"], margin, atol=1e-4)
  np.testing.assert_array_equal(found["fall"], margin <= 0.0)


def test_an_image_without_a_tower_is_answered(loaded):
  found = loaded["serving_default"](images=tf.fill([2, 64, 64, 3], 0.5))
  for name, value in found.items():
    assert np.isfinite(np.asarray(value, np.float32)).all(), name


def test_no_operation_is_pythons(served):
  saved = saved_model_pb2.SavedModel.FromString(
      pathlib.Path(served[1], "saved_model.pb").read_bytes())
  (graph,) = (str(meta.graph_def) for meta in saved.meta_graphs)  # functions included
  operations = set(re.findall(r'\bop: "(\w+)"', graph))
  assert len(operations) > 50 and "Conv2D" in operations
  assert not [name for name in operations if "Py" in name or "Addons" in name]


@pytest.mark.parametrize(("camera", "message"), [
    ([0, 0, 6, 40, 0, 0], r"camera \[1,6\] is not compatible with expected shape \[\?,7\]"),
    ([0, 0, 6, 40, 0, 0, np.nan], "numbers of a camera must be finite"),
    ([0, 0, 0, 40, 0, 0, 1], "distance and field of view of a camera must be above 0")])
def test_a_wrong_camera_is_refused(loaded, camera, message):
  with pytest.raises(tf.errors.InvalidArgumentError, match=message):
    loaded["serving_camera"](images=tf.zeros([1, 64, 64, 3]),
                             camera=tf.constant([camera], tf.float32))


def test_each_image_has_a_camera_of_its_own(loaded, towers):
  with pytest.raises(tf.errors.InvalidArgumentError, match="images and cameras must be as many"):
    loaded["serving_camera"](images=_images(towers, 2), camera=tf.constant(towers.camera[:1]))


@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0])
@pytest.mark.parametrize("signature", ["serving_default", "serving_camera"])
def test_pixels_out_of_their_range_are_refused(loaded, towers, signature, value):
  inputs = {"images": tf.fill([1, 64, 64, 3], value)}
  if signature == "serving_camera":
    inputs["camera"] = tf.constant(towers.camera[:1])
  with pytest.raises(tf.errors.InvalidArgumentError, match="pixels must be at"):
    loaded[signature](**inputs)
