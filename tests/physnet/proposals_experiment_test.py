"""Tests of the glue of proposals: rows, figures, signatures, the shipped config."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import config
from garden.core import export
from garden.core import report
from garden.core import run as run_lib
from garden.datasets.block_towers import arrays
from garden.physnet import patches
from garden.physnet import proposals_experiment
from garden.physnet import settings


class _InMemory:
  """A stream whose towers are there."""

  def __init__(self, towers):
    self.towers = towers

  def load(self):
    """The towers."""
    return self.towers


def _experiment(towers, test_towers, **more):
  return proposals_experiment.Proposals(**{
      "train": _InMemory(towers), "test": [_InMemory(test_towers)],
      "model": settings.Network(filters=(8, 8, 16), rank=8, coarse_size=14, mask_squeeze=4),
      "recipe": settings.Recipe(), "patches": patches.Patches(size=32, mask_size=28, per_tower=1),
      "steps": 4, "batch_size": 8, "score_units": (8, 8), "grid_step": 0.5, "least_score": 0.1,
      "proposal_towers": 12, "test_names": ("test",), **more})


@pytest.fixture(scope="module")
def trained(towers, test_towers):
  """`(experiment, model, data)` after two steps."""
  made = _experiment(towers, test_towers)
  model, data = made.build_model(), made.datasets()
  model.run_eagerly = True  # two steps are faster than a trace
  model.fit(data.stages[0].batches(0), steps_per_epoch=2, verbose=0)
  model.run_eagerly = False
  model.training_log = [{"stage": "train", "step": s, "loss": 1.0 / s} for s in (1, 2)]
  return made, model, data


def test_rows_have_the_four_measures(trained):
  made, model, data = trained
  rows = {row["metric"]: row for row in made.evaluate(model, data)}
  assert set(rows) == {"mask_iou", "score_accuracy", "proposal_recall", "count_error"}
  assert all(0 <= rows[name]["value"] <= 1 for name in set(rows) - {"count_error"})
  assert all(row["setting"] == {"stream": "test"} for row in rows.values())
  assert rows == {row["metric"]: row for row in made.evaluate(model, data)}


def test_proposals_that_are_the_boxes_recall_everything(trained, test_towers, monkeypatch):
  made, model, _ = trained
  few = test_towers.take(np.arange(12))
  monkeypatch.setattr(made, "predict", lambda *_: {"boxes": few.boxes, "valid": few.present})
  found = made.measure(model, test_towers)
  np.testing.assert_array_equal(found["recalled"], found["count"])
  np.testing.assert_array_equal(found["found"], few.count)
  monkeypatch.setattr(made, "predict", lambda *_: {
      "boxes": np.zeros_like(few.boxes), "valid": np.zeros_like(few.present)})
  assert not made.measure(model, test_towers)["recalled"].any()


def test_predictions_have_a_line_for_each_measured_tower(trained):
  made, model, data = trained
  assert {len(values) for values in made.predictions(model, data).values()} == {12}


def test_figures_make_a_report(trained, tmp_path):
  made, model, data = trained
  sections = made.figures(model, data)
  page = report.write_report(tmp_path / "report.html", made.title, sections).read_text()
  assert "Patches" in page and "Proposals" in page and "proposal recall" in page


def test_the_saved_model_says_what_the_model_says(trained, tmp_path, served_alike):
  made, model, _ = trained
  module = made.signatures(model)
  export.save(module, str(tmp_path), "proposals")
  served_alike(str(tmp_path))
  images = made.sample_images()[:3]
  served = module.serving_default(images=tf.constant(images))
  told = made.predict(model, images)
  assert told["valid"].any()
  np.testing.assert_allclose(served["boxes"], told["boxes"], atol=1e-4)
  np.testing.assert_allclose(served["scores"], told["scores"], atol=1e-4)
  np.testing.assert_array_equal(served["count"], told["valid"].sum(axis=1))


def test_validation_is_measured(towers, test_towers):
  made = _experiment(towers, test_towers, validation=_InMemory(test_towers))
  found = made.build_model().evaluate(made.datasets().validation, return_dict=True, verbose=0)
  assert {"mask_iou", "score_accuracy"} <= set(found)


def test_the_shipped_config_makes_the_published_patches():
  config.load(["physnet/deepmask_proposals.gin"])
  made = run_lib.Run().experiment
  assert isinstance(made, proposals_experiment.Proposals) and made.alternate
  assert made.patches == patches.Patches()
  assert len(made.places) == 818


@pytest.mark.parametrize("more, message", [
    ({"test_names": ()}, "test has 1 streams and test_names"),
    ({"steps": 0}, "steps is 0"),
    ({"overlap": 1.5}, "overlap is 1.5"),
    ({"grid_step": 0.0}, "step is 0.0"),
])
def test_bad_settings_are_refused(towers, test_towers, more, message):
  with pytest.raises(ValueError, match=message):
    _experiment(towers, test_towers, **more)


def test_the_blocks_of_the_towers_are_of_the_sizes_that_are_looked_for(towers):
  span = (towers.boxes[..., 2:] - towers.boxes[..., :2]).max(axis=-1)[towers.present]
  octaves = np.abs(np.log2(span[:, None] / np.array([0.187, 0.264]))).min(axis=1)
  assert octaves.max() < 0.5 and np.mean(octaves <= 0.25) > 0.9
  assert arrays.images_of(towers, [0]).shape == (1, 64, 64, 3)
