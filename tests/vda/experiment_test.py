"""Tests of the glue: one tiny run through the one path, and what its model says."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf

from garden.core import config
from garden.core import records
from garden.core import run as run_lib
from garden.core import train
from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import stream
from garden.vda import experiment
from garden.vda import settings
from garden.vda import state as state_lib
from garden.worlds.towers import scene

_METRICS = {"stability_accuracy", "count_accuracy", "position_error", "depth_error", "yaw_error"}


@pytest.fixture(scope="session")
def trained(vda_run):
  """`(experiment, model)` of the run."""
  return vda_run[0].experiment, vda_run[3]


def _values(rows, metric, **setting):
  return {row["setting"]["blocks"]: row["value"] for row in rows if row["metric"] == metric
          and {**row["setting"], "blocks": 0} == {**setting, "blocks": 0}}


def _unrefined(rows):
  """The rows of what perception alone says."""
  return [row for row in rows if row["method"] not in ("vda_start", "vda_refined")]


def _wanted(values):
  """The metrics of a way; where no tower's blocks were counted right there are no errors."""
  return _METRICS if values["count_accuracy"] else {"stability_accuracy", "count_accuracy"}


def test_each_way_has_its_rows(vda_run):
  ways = {}
  for row in _unrefined(vda_run[2]):
    if row["setting"]["blocks"] == "mean":
      key = (row["method"], row["setting"].get("camera"), row["setting"].get("stage"))
      ways.setdefault(key, {})[row["metric"]] = row["value"]
  more = {("vda_init", None, None): {"reconstruction_error", "mask_iou_4s"},
          ("vda_init", "estimated", None): {"reconstruction_error"},
          ("vda_truth_boxes", None, "init"): set()}
  assert {key: set(values) for key, values in ways.items()} == {
      key: _wanted(ways[key]) | metrics for key, metrics in more.items()}
  assert set(ways["vda_truth_boxes", None, "init"]) == _METRICS
  assert {row["setting"]["stream"] for row in vda_run[2]} == {"test"}


def test_accuracy_is_by_count_and_their_mean(vda_run):
  for more in ({}, {"camera": "estimated"}, {"stage": "init"}):
    found = _values(vda_run[2], "stability_accuracy", stream="test", **more)
    assert set(found) == {2, 3, 4, "mean"}
    assert found["mean"] == pytest.approx(np.mean([found[k] for k in (2, 3, 4)]))


def test_values_are_in_their_ranges(vda_run):
  for row in vda_run[2]:
    value = row["value"]
    if row["metric"] == "refinement_gain":
      assert -1.0 <= value <= 1.0, row
    elif row["metric"].endswith("accuracy") or row["metric"] == "mask_iou_4s":
      assert 0.0 <= value <= 1.0, row
    elif row["metric"] == "yaw_error":
      assert np.isnan(value) or 0.0 <= value <= 45.0, row
    else:
      assert np.isnan(value) or value >= 0.0, row


def test_refined_states_stand_beside_their_starts(vda_run):
  found = {}
  for row in vda_run[2]:
    if row["method"] in ("vda_start", "vda_refined"):
      assert row["setting"]["start"] == "vda_init" and row["setting"]["towers"] == 4
      if row["setting"]["blocks"] == "mean":
        found.setdefault(row["method"], {})[row["metric"]] = row["value"]
  assert set(found) == {"vda_start", "vda_refined"}
  for values in found.values():
    assert _wanted(values) <= set(values)


def test_with_true_boxes_every_block_is_there(vda_run):
  rows = vda_run[2]
  assert _values(rows, "count_accuracy", stream="test", stage="init") == {"mean": 1.0}
  for metric in ("position_error", "depth_error", "yaw_error"):
    assert np.isfinite(_values(rows, metric, stream="test", stage="init")["mean"])


def test_predictions_have_a_line_for_each_tower(vda_run):
  with open(vda_run[1] / "predictions.csv", encoding="utf-8") as file:
    lines = list(csv.DictReader(file))
  assert list(lines[0]) == [
      "stream", "tower", "blocks", "fall_probability", "margin", "reconstruction_error", "fall",
      "right", "refined", "refined_right"]
  assert [int(line["tower"]) for line in lines] == list(range(32))
  assert all(0 <= int(line["blocks"]) <= 4 and line["stream"] == "test" for line in lines)


def test_predictions_and_rows_tell_the_same_accuracy(vda_run):
  with open(vda_run[1] / "predictions.csv", encoding="utf-8") as file:
    lines = list(csv.DictReader(file))
  towers = vda_run[0].experiment.test_towers[0]
  right = np.array([int(line["right"]) for line in lines])
  told = _values(_unrefined(vda_run[2]), "stability_accuracy", stream="test")
  for count in (2, 3, 4):
    assert right[towers.count == count].mean() == pytest.approx(told[count])
  refined = [line for line in lines if line["refined"] == "1"]
  assert [int(line["tower"]) for line in refined] == [0, 1, 2, 3]
  assert all(line["refined_right"] == "0" for line in lines if line["refined"] == "0")


def test_the_run_is_recorded(vda_run):
  folder, rows = vda_run[1:3]
  assert len(json.loads((folder / "results.json").read_text())["rows"]) == len(rows)
  log = records.read_metrics(str(folder))
  assert [line["step"] for line in log] == [5, 10]
  assert {"pose_loss", "proposal_loss", "around_loss"} <= set(log[-1])
  assert "physics_loss" not in log[-1]


def test_a_trained_model_knows_its_stage(trained):
  assert int(trained[1].begun) == 1 and trained[1].training_stage == "init"


@pytest.fixture(scope="module")
def looked(trained, test_towers):
  """What the run's model says of five towers, by three ways."""
  made, model = trained
  some = test_towers.take(np.arange(5))
  images = arrays.images_of(some, range(5))
  return {"given": made.de_animate(model, images, some.camera),
          "estimated": made.de_animate(model, images),
          "boxes": made.de_animate(model, images, some.camera, some.boxes, some.present)}


def test_images_become_states(looked):
  found = looked["given"]
  assert {name: found[name].shape for name in ("present", "position", "rotation", "margin")} == {
      "present": (5, 4), "position": (5, 4, 3), "rotation": (5, 4, 4), "margin": (5,)}
  assert found["image"].shape == (5, 32, 32, 3) and found["reconstruction_error"].shape == (5,)


def test_a_camera_that_is_given_is_taken(looked, test_towers):
  np.testing.assert_allclose(looked["given"]["camera"], test_towers.camera[:5], atol=1e-6)


def test_a_camera_that_is_not_given_is_estimated(looked):
  found = looked["estimated"]
  np.testing.assert_array_equal(found["camera"], found["estimated_camera"])
  np.testing.assert_allclose(found["camera"], looked["given"]["estimated_camera"], atol=1e-4)


def test_boxes_that_are_given_are_taken(looked, test_towers):
  found = looked["boxes"]
  np.testing.assert_array_equal(found["present"], test_towers.present[:5])
  assert "image" not in found and "color" not in found
  assert np.isfinite(found["position"]).all() and found["fall_probability"].shape == (5,)


def test_an_answer_does_not_depend_on_the_other_images(trained, looked, test_towers):
  made, model = trained
  images = arrays.images_of(test_towers, [3, 1])
  found = made.de_animate(model, images, test_towers.camera[[3, 1]])
  for name in ("position", "margin", "reconstruction_error"):
    np.testing.assert_allclose(found[name], looked["given"][name][[3, 1]], atol=1e-4)


def test_more_images_than_a_batch_have_an_answer_each(trained, looked, test_towers):
  made, model = trained
  number = np.arange(53) % 5
  images = arrays.images_of(test_towers, number)
  found = made.de_animate(model, images, test_towers.camera[number])
  assert len(found["margin"]) == 53
  np.testing.assert_allclose(found["margin"], looked["given"]["margin"][number], atol=1e-4)


def test_a_turned_world_keeps_relative_poses():
  towers = scene.sample(6, seed=0)
  position = np.random.default_rng(0).normal(size=(6, 4, 3))
  found = {"position": position, "rotation": towers.rotation, "margin": np.arange(6)}
  azimuth = np.linspace(-3, 3, 6)
  turned = experiment._turned(found, azimuth)
  seen = scene.as_seen(turned["position"][..., :2], azimuth[:, None])
  np.testing.assert_allclose(seen, scene.as_seen(position[..., :2], 0.0), atol=1e-9)
  np.testing.assert_array_equal(turned["position"][..., 2], position[..., 2])
  yaw = scene.yaw_of(turned["rotation"]) - azimuth[:, None] - scene.yaw_of(towers.rotation)
  np.testing.assert_allclose(state_lib.quarter(yaw), 0.0, atol=1e-5)
  np.testing.assert_array_equal(turned["margin"], found["margin"])


class _InMemory:
  """A stream whose towers are there: of the first ones of a split."""

  def __init__(self, towers, split="train"):
    self.towers, self.split = towers, split

  def load(self):
    """The towers."""
    return self.towers

  def light(self):
    """Their light."""
    return arrays.light_numbers(arrays.scenes_of("towers_64", self.split, len(self.towers)))


_NETWORK = settings.Network(filters=(8, 8, 8), size=32, pixels_per_block=12.0, proposal_size=32,
                            picture_size=32)


def _experiment(towers, test_towers, **more):
  return experiment.Towers(**{
      "train": _InMemory(towers), "test": [_InMemory(test_towers, "test")],
      "test_names": ("test",), "network": _NETWORK, "recipe": settings.Recipe(), "batch_size": 6,
      "target_batch_size": 4, **more})


@pytest.mark.parametrize("more, message", [
    ({"stage": "both"}, "stage is 'both'; .* init, joint, full"),
    ({"stage": "joint"}, "stage is 'joint' and target is None; .*need a target stream"),
    ({"stage": "full"}, "stage is 'full' and target is None"),
    ({"target": 1}, "stage is 'init' and target is 1; init learns from simulated"),
    ({"test_names": ()}, "test has 1 streams and test_names"),
    ({"test": [], "test_names": []}, "test has 0 streams .* at least one stream"),
    ({"steps": 0}, "steps is 0"), ({"batch_size": 2.5}, "batch_size is 2.5"),
    ({"target_batch_size": 1}, "target_batch_size is 1; .* at least 2"),
    ({"future_towers": -1}, "future_towers is -1")], ids=str)
def test_bad_arguments_are_refused(more, message):
  with pytest.raises(ValueError, match=message):
    _experiment(None, None, **more)


@pytest.mark.parametrize("stage", settings.STAGES)
def test_an_experiment_is_one_stage_named_for_what_it_is(towers, test_towers, stage):
  target = None if stage == "init" else _InMemory(test_towers, "test")
  (made,) = _experiment(towers, test_towers, stage=stage, target=target, steps=7).datasets().stages
  assert (made.name, made.steps) == (stage, 7)
  batch = next(iter(made.batches(3)))
  assert len(batch["source"]["light"]) == 6 and ("target" in batch) == (stage != "init")


def _true(towers):
  """What `de_animate` would give if it saw the truth."""
  return {"present": towers.present, "position": towers.position[:, 0],
          "rotation": towers.rotation[:, 0], "color_class": towers.color_class,
          "size": np.full([*towers.present.shape, 3], 0.5, np.float32),
          "color": np.zeros([*towers.present.shape, 3], np.float32)}


def test_the_future_of_the_true_state_is_the_true_one(towers, test_towers):
  made, some = _experiment(towers, test_towers), test_towers.take(np.arange(6))
  found = made.future_iou(_true(some), some)
  assert found.shape == (6, 4) and found.min() > 0.95


def test_the_future_of_a_moved_state_is_another(towers, test_towers):
  made, some = _experiment(towers, test_towers), test_towers.take(np.arange(6))
  true = _true(some)
  moved = {**true, "position": true["position"] + np.float32([0.4, 0.4, 0.0])}
  assert made.future_iou(moved, some).max() < 0.9


def test_a_tower_of_which_no_block_was_found_has_no_future(towers, test_towers):
  made, some = _experiment(towers, test_towers), test_towers.take(np.arange(3))
  found = _true(some)
  found["present"] = found["present"] & np.array([[True], [False], [True]])
  iou = made.future_iou(found, some)
  np.testing.assert_array_equal(iou[1], 0.0)
  assert iou[[0, 2]].min() > 0.95


def test_each_set_of_towers_is_measured_for_itself(test_towers):
  made = _experiment(None, None)
  made._measure = lambda model, towers: towers.count.tolist()
  for first in range(20):  # no set outlives its call
    index = np.arange(first, first + 3)
    found = made.measure(None, test_towers.take(index))
    assert found == test_towers.count[index].tolist()


@pytest.fixture
def in_memory(towers, monkeypatch):
  """Every stream has the 48 towers of 64 px, whatever its config."""
  monkeypatch.setattr(stream.Stream, "load", lambda self: towers)
  monkeypatch.setattr(stream.Stream, "light", lambda self: _InMemory(towers).light())


@pytest.mark.parametrize("name, stage, target", [
    ("init", "init", None), ("init_2_4", "init", None), ("objects", "init", None),
    ("joint", "joint", "towers_168"),
    ("full", "full", "towers_168"),
    ("shift_joint", "joint", "shifted_168"), ("shift_full", "full", "shifted_168")])
def test_a_shipped_config_makes_its_stage(in_memory, name, stage, target):
  config.load([f"vda/{name}.gin"], ["BATCH_SIZE = 8"])
  made = run_lib.Run().experiment
  assert made.stage == stage
  assert made.test_names == {"init_2_4": ("test", "high"), "shift_joint": ("shifted", "test"),
                             "shift_full": ("shifted", "test")}.get(name, ("test", "shifted"))
  assert target is None or (made.target.config, made.target.split) == (target, "train")
  # No test tower is trained on, nor adapted to.
  for part in filter(None, (made.train, made.target)):
    assert (part.config, part.split) not in [(t.config, t.split) for t in made.test]
  (leg,) = made.datasets().stages
  batch = next(iter(leg.batches(0)))
  assert leg.name == stage and ("target" in batch) == (stage != "init")


def test_the_shipped_network_is_built(in_memory):
  config.load(["vda/init.gin"])
  model = run_lib.Run().experiment.build_model()
  assert model.perception.filters == (24, 48, 96) and model.perception.size == 64
  assert 4e5 < model.count_params() < 4e6
  assert len(model.optimizer.variables) > 2 * len(model.trainable_variables)


def _joint(*bindings):
  text = config.load(["vda/tiny.gin"], [
      "STEPS = 1", "vda.Towers.stage = 'joint'", "vda.Towers.target_batch_size = 4",
      "vda.Towers.target = @target/towers.Stream()",
      "target/towers.Stream.config = 'towers_tiny'",
      "target/towers.Stream.split = 'validation'", *bindings])
  return run_lib.Run(), text


def test_joint_goes_on_from_a_run_of_init(vda_run, tmp_path):
  run, text = _joint(f"Run.warm_start = '{vda_run[1]}'")
  tf.config.run_functions_eagerly(True)  # tracing takes a minute
  try:
    model = train.train(run, str(tmp_path / "run"), text)
  finally:
    tf.config.run_functions_eagerly(False)
  assert int(model.begun) == 2 and int(model.total_steps) == 1
  assert "reconstruction_loss" in records.read_metrics(str(tmp_path / "run"))[-1]


def test_joint_without_a_run_of_init_is_refused(vda_run, tmp_path):
  run, text = _joint()
  with pytest.raises(ValueError, match="these are of 'no stage'; it needs a run of stage 'init'"):
    train.train(run, str(tmp_path / "run"), text)
