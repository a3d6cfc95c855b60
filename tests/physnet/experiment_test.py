"""Tests of the glue: rows, predictions, signatures, figures of small trained models."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from garden.core import export
from garden.core import report
from garden.datasets.block_towers import arrays
from garden.physnet import experiment
from garden.physnet import settings


class _InMemory:
  """A stream whose towers are there."""

  def __init__(self, towers):
    self.towers = towers

  def load(self):
    """The towers."""
    return self.towers


_NETWORK = settings.Network(filters=(8, 8, 16), squeeze=4, units=16, coarse=8,
                            mask_filters=(8, 8, 8))
_CROPPED = dataclasses.replace(_NETWORK, mask_filters=(8, 8), crop=settings.Crop(
    size=(48, 32), pixels_per_block=10.0, segment_size=64))
_WINDOWS = settings.Windows(filters=(8, 8, 16), size=32, pixels_per_block=12.0, segment_size=64)


def _experiment(towers, test_towers, model, **more):
  return experiment.BlockTowers(
      _InMemory(towers), [_InMemory(test_towers)], model, settings.Recipe(), image_size=56,
      steps=4, batch_size=8, **{"test_names": ("test",), **more})


@pytest.fixture(scope="module", params=[_NETWORK, _CROPPED, _WINDOWS],
                ids=["physnet", "cropped", "windows"])
def trained(request, towers, test_towers):
  """`(experiment, model, data)` after two steps."""
  made = _experiment(towers, test_towers, request.param)
  model, data = made.build_model(), made.datasets()
  model.fit(data.stages[0].batches(0), steps_per_epoch=2, verbose=0)
  model.training_log = [{"stage": "train", "step": s, "loss": 1.0 / s} for s in (1, 2)]
  return made, model, data


def test_rows_are_by_count_by_margin_and_their_mean(trained):
  made, model, data = trained
  rows = made.evaluate(model, data)
  accuracy = {row["setting"].get("blocks"): row["value"] for row in rows
              if row["metric"] == "fall_accuracy" and "blocks" in row["setting"]}
  assert set(accuracy) == {2, 3, 4, "mean"}
  assert accuracy["mean"] == pytest.approx(np.mean([accuracy[k] for k in (2, 3, 4)]))
  assert all(row["setting"]["stream"] == "test" for row in rows)
  assert any("margin" in row["setting"] for row in rows)


def test_masks_are_measured_where_there_are_some(trained):
  made, model, data = trained
  metrics = {row["metric"] for row in made.evaluate(model, data)}
  if made.model is not _WINDOWS:
    assert {"mask_iou_0s", "mask_iou_4s", "log_likelihood"} <= metrics
  else:
    assert "count_accuracy" in metrics and "mask_iou_4s" not in metrics


def test_measured_probabilities_are_those_of_predict(trained, test_towers):
  made, model, _ = trained
  found = made.measure(model, test_towers)
  images = arrays.images_of(test_towers, range(5))
  told = made.predict(model, images)["fall_probability"]
  np.testing.assert_allclose(found["probability"][:5], told, rtol=1e-3, atol=1e-5)


def test_predictions_have_a_line_for_each_tower(trained, test_towers):
  made, model, data = trained
  columns = made.predictions(model, data)
  assert {len(values) for values in columns.values()} == {len(test_towers)}
  sure = np.array(columns["fall_probability"], float) >= 0.5
  np.testing.assert_array_equal(columns["right"], sure == np.array(columns["fall"]))


def test_the_served_model_says_what_the_model_says(trained):
  made, model, _ = trained
  module = made.signatures(model)
  images = made.sample_images()
  served = module.serving_default(images=tf.constant(images))
  told = made.predict(model, images)["fall_probability"]
  np.testing.assert_allclose(served["fall_probability"], told, rtol=1e-3, atol=1e-5)
  if made.model is not _WINDOWS:
    np.testing.assert_allclose(tf.reduce_sum(served["mask_probabilities"], -1), 1.0, rtol=1e-4)
    np.testing.assert_array_equal(served["masks"], tf.argmax(served["mask_probabilities"], -1))
    assert served["film_strip"].shape[1:] == (56, 224, 3)


def test_the_saved_model_can_be_served(trained, tmp_path, served_alike):
  made, model, _ = trained
  export.save(made.signatures(model), str(tmp_path), "towers")
  served_alike(str(tmp_path))


def test_served_bytes_are_images(trained, test_towers):
  made, model, _ = trained
  module = made.signatures(model)
  by_bytes = module.serving_bytes(image_bytes=tf.constant([test_towers.images[0]]))
  image = tf.io.decode_png(test_towers.images[0])[tf.newaxis] / 255
  by_image = module.serving_default(images=tf.cast(image, tf.float32))
  np.testing.assert_allclose(by_bytes["fall_probability"], by_image["fall_probability"],
                             rtol=1e-3, atol=1e-4)


def test_figures_make_a_report(trained, tmp_path):
  made, model, data = trained
  sections = made.figures(model, data)
  page = report.write_report(tmp_path / "report.html", made.title, sections).read_text()
  assert "Reliability" in page and "Where the network looks" in page


def test_two_streams_are_told_apart(towers, test_towers):
  made = experiment.BlockTowers(
      _InMemory(towers), [_InMemory(test_towers)] * 2, _NETWORK, settings.Recipe(),
      image_size=56, steps=2, test_names=("test", "shifted"))
  model = made.build_model()
  streams = {row["setting"]["stream"] for row in made.evaluate(model, None)}
  assert streams == {"test", "shifted"}


@pytest.mark.parametrize("more, message", [
    ({"test_names": ()}, "test has 1 streams and test_names"),
    ({"model": 3}, "model is 3"),
    ({"steps": 0}, "steps is 0"),
    ({"batch_size": 2.5}, "batch_size is 2.5"),
])
def test_bad_settings_are_refused(towers, test_towers, more, message):
  settings_ = {"model": _NETWORK, "test_names": ("test",), **more}
  with pytest.raises(ValueError, match=message):
    experiment.BlockTowers(_InMemory(towers), [_InMemory(test_towers)], settings_.pop("model"),
                           settings.Recipe(), **settings_)
