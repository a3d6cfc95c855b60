"""Tests of the billiards' glue: stages, rows, signatures, figures of small trained models."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import config
from garden.core import export
from garden.core import report
from garden.core import run as run_lib
from garden.datasets.billiards import arrays
from garden.datasets.billiards import stream
from garden.vda import billiards_experiment as experiment
from garden.vda import billiards_settings as settings

_NETWORK = settings.BilliardsNetwork(seen=3, filters=(4, 4), units=8, engine_units=8, substeps=1)
_BASELINE = settings.BilliardsBaselineNetwork(seen=3, filters=(4, 4), units=8,
                                              dense_units=8, layers=1)
_RECIPE = settings.BilliardsRecipe(batch_size=4, states_batch_size=8, future=2)


def _experiment(model=_NETWORK, **more):
  return experiment.BilliardsScene(
      stream.Stream("billiards_tiny", "train"), stream.Stream("billiards_tiny", "test"), model,
      _RECIPE, **{"init_steps": 2, "engine_seconds": 0.4, **more})


@pytest.fixture(scope="module", params=[_NETWORK, _BASELINE], ids=["ours", "baseline"])
def trained(request):
  """`(experiment, model, data)` after a step."""
  made = _experiment(request.param)
  model, data = made.build_model(), made.datasets()
  model.stage_name = "init"
  model.fit(data.stages[0].batches(0), steps_per_epoch=1, verbose=0)
  model.training_log = [{"stage": "init", "step": s, "loss": 1.0 / s} for s in (1, 2)]
  return made, model, data


def _true(videos, seen):
  """What a perfect model would have found."""
  return {"present": videos.present, "track": videos.position[:, :seen],
          "velocity": videos.velocity[:, seen - 1],
          "future_position": videos.position[:, seen:],
          "future_velocity": videos.velocity[:, seen:]}


def test_rows_are_of_seen_and_of_future_frames(trained):
  made, model, data = trained
  rows = made.evaluate(model, data)
  own = {(row["metric"], row["setting"]["frames"]) for row in rows if "method" not in row}
  assert own == {("position_error", "seen"), ("position_error", "future"),
                 ("velocity_error", "seen"), ("velocity_error", "future"),
                 ("presence_accuracy", "seen")}
  assert all(np.isfinite(row["value"]) for row in rows)
  alone = {row["method"] for row in rows if "method" in row}
  assert alone == (set() if made.plain else {"engine", "constant_velocity"})


def test_the_truth_has_no_error_and_a_shift_has_its_length():
  made = _experiment()
  videos = made.test_videos
  found = _true(videos, 3)
  for error in made.errors(found, videos).values():
    assert np.nanmax(error) == 0.0
    np.testing.assert_array_equal(np.isnan(error).any(axis=1), ~videos.present)
  found["future_position"] = found["future_position"] + np.array([0.3, -0.4])
  errors = made.errors(found, videos)
  assert np.nanmax(errors["position"][:, :3]) == 0.0
  np.testing.assert_allclose(np.nanmean(errors["position"][:, 3:]), 0.5, rtol=1e-5)


def test_an_untrained_engine_is_constant_velocity():
  made = _experiment()
  model = made.build_model()
  found = made.engine_errors(model, made.test_videos)
  assert found["engine"].shape == (16, 4, 4)
  np.testing.assert_allclose(found["engine"], found["constant_velocity"], atol=1e-5)
  # A ball that meets nobody for a frame has no error.
  assert np.nanmedian(found["constant_velocity"][:, 0]) < 1e-3


def test_stages_are_those_with_steps():
  made = _experiment(init_steps=0, joint_steps=3, full_steps=2)
  stages = made.datasets().stages
  assert [(stage.name, stage.steps) for stage in stages] == [("joint", 3), ("full", 2)]


def test_stages_after_init_see_pictures_alone():
  stages = _experiment(joint_steps=1, full_steps=1).datasets().stages
  batches = [next(iter(stage.batches(0))) for stage in stages]
  assert set(batches[0]) == {"clip", "states"}
  assert set(batches[1]) == set(batches[2]) == {"video"}
  assert batches[1]["video"].shape == (4, 3, 32, 32, 3)
  assert batches[2]["video"].shape == (4, 5, 32, 32, 3)


def test_the_neighbour_has_the_states_of_all_frames():
  batch = next(iter(_experiment(_BASELINE).datasets().stages[0].batches(0)))
  assert batch["clip"]["video"].shape == (4, 3, 32, 32, 3)
  assert batch["clip"]["position"].shape == (4, 6, 4, 2)
  assert batch["states"]["position"].shape == (8, 6, 4, 2)


def test_a_validation_stream_is_measured_at_each_epoch():
  made = _experiment(validation=stream.Stream("billiards_tiny", "validation"))
  model, data = made.build_model(), made.datasets()
  found = model.evaluate(data.validation, return_dict=True, verbose=0)
  assert found["position_error"] > 0 and found["velocity_error"] > 0


def test_the_served_model_says_what_the_model_says(trained):
  made, model, _ = trained
  module = made.signatures(model)
  strips = made.sample_images()
  assert strips.shape[1:] == (32, 96, 3)
  served = module.serving_default(images=tf.constant(strips))
  frames = np.stack(np.split(strips, 3, axis=2), axis=1)
  told = model.imagine(frames, 3)
  for name in ("present", "position", "velocity", "future_position", "color"):
    np.testing.assert_allclose(np.float32(served[name]), np.float32(told[name]), atol=1e-4)
  assert served["film_strip"].shape[1:] == (32, 96, 3)


def test_the_saved_model_can_be_served(trained, tmp_path, served_alike):
  made, model, _ = trained
  export.save(made.signatures(model), str(tmp_path), "billiards")
  served_alike(str(tmp_path))


def test_a_strip_has_the_first_frame_at_the_left():
  made = _experiment()
  first = arrays.videos_of(made.test_videos, [0], 3)[0]
  np.testing.assert_array_equal(made.sample_images()[0], np.concatenate(list(first), axis=1))


def test_predictions_have_a_line_for_each_video(trained):
  made, model, data = trained
  assert {len(values) for values in made.predictions(model, data).values()} == {16}


def test_figures_make_a_report(trained, tmp_path):
  made, model, data = trained
  sections = made.figures(model, data)
  page = report.write_report(tmp_path / "report.html", made.title, sections).read_text()
  assert "Films" in page and "Errors over time" in page and "Training curves" in page


@pytest.mark.parametrize("more, message", [
    ({"model": 3}, "model is 3; it must be vda.BilliardsNetwork"),
    ({"init_steps": -1}, "init_steps is -1"),
    ({"init_steps": 0}, "at least one must be above"),
    ({"model": _BASELINE, "joint_steps": 5}, "joint_steps is 5 .* neither stage"),
    ({"engine_seconds": 0.0}, "engine_seconds is 0.0")])
def test_bad_settings_are_refused(more, message):
  with pytest.raises(ValueError, match=message):
    _experiment(**more)


def test_videos_without_a_future_are_refused():
  with pytest.raises(ValueError, match="seen is 6, but videos have 6 frames"):
    _experiment(settings.BilliardsNetwork(seen=6)).build_model()


@pytest.mark.parametrize("name", ["billiards", "billiards_baseline", "billiards_tiny"])
def test_every_config_makes_its_experiment(name):
  config.load([f"vda/{name}.gin"], ["SEED = 3"])
  made = run_lib.Run().experiment
  assert isinstance(made, experiment.BilliardsScene) and made.seed == 3
  assert made.plain == (name == "billiards_baseline")


def test_ours_and_the_neighbour_of_the_table_have_the_same_budget():
  steps, recipes = [], []
  for name in ("billiards", "billiards_baseline"):
    config.load([f"vda/{name}.gin"])
    made = run_lib.Run().experiment
    steps.append(sum(made.steps))
    recipes.append(made.recipe)
  assert steps[0] == steps[1] and recipes[0] == recipes[1]
