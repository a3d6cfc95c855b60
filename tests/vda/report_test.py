"""Tests of the towers' report: sections of a whole run, figures on arrays by hand."""

import types

import numpy as np
import pytest
import tensorflow as tf

from garden.core import report as core_report
from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import stream
from garden.vda import report
from garden.vda import report_figures as figures
from garden.vda import what_if


def _found(towers, side=16):
  """What a model would have found that sees the truth, in dark pictures."""
  n, places = towers.present.shape
  return {**report.true_state(towers), "color": np.full([n, places, 3], 0.4, np.float32),
          "color_class": towers.color_class.astype(np.int32), "boxes": towers.boxes,
          "camera": towers.camera, "light": np.tile(np.float32([0.1, 0.2, 0.4, 0.0]), (n, 1)),
          "floor_color": np.full([n, 2, 3], 0.6, np.float32),
          "sky_color": np.full([n, 3], 1.02, np.float32), "margin": towers.margin,
          "fall_probability": (towers.margin < 0).astype(np.float32),
          "image": np.zeros([n, side, side, 3], np.float32),
          "ids": np.zeros([n, side, side], np.int32),
          "reconstruction_error": np.linspace(0.1, 0.2, n, dtype=np.float32)}


@pytest.fixture(scope="module")
def experiment(towers):
  """An experiment whose model finds the truth, but for one tower without a block."""
  found = _found(towers)
  found["present"] = found["present"].copy()
  found["present"][0] = False
  measured = []

  def measure(model, part):
    measured.append(part)
    return {way: found for way in ("given", "estimated", "truth_boxes")}

  def de_animate(model, images, camera):
    index = [np.flatnonzero((towers.camera == one).all(axis=1))[0] for one in camera]
    np.testing.assert_array_equal(images, arrays.images_of(towers, index))
    return {name: value[index] for name, value in found.items()}

  part = stream.Stream("towers_64", "train")
  return types.SimpleNamespace(
      de_animate=de_animate, test=(part, part), test_names=("test", "other"),
      test_towers=[towers, towers],
      measure=measure, measured=measured, physnet=None,
      futures=lambda found, part: np.linspace(0, 1, 160).reshape(40, 4))


@pytest.fixture(scope="module")
def sections(experiment):
  log = [{"stage": "init", "step": s, "total_steps": s, "loss": 1.0 / s} for s in (1, 2, 3)]
  return report.sections(experiment, types.SimpleNamespace(training_log=log))


def test_a_report_has_its_sections_and_measures_each_stream_once(experiment, sections, tmp_path):
  titles = [section.title for section in sections]
  assert titles == [
      "Results", "Futures", "Images and their reconstructions: test",
      "Images and their reconstructions: other", "What happens", "Errors of poses: test",
      "Accuracy by margin", "Reconstruction error as confidence",
      "Where one more block could be put", "What would make it stand",
      "A tower that is made to stand", "Training curves"]
  assert len(experiment.measured) == 2
  page = core_report.write_report(tmp_path / "r.html", "Towers", sections).read_text()
  assert page.count("data:image/png") == 9


def test_the_truth_has_no_error_in_the_table(towers, sections):
  table = sections[0]
  assert len(table.rows) == 2 * 3 * 4  # streams, ways, counts and all
  whole = dict(zip(table.columns, table.rows[3]))
  assert whole["blocks"] == "all" and whole["number"] == len(towers)
  # The support test and MuJoCo differ now and then, near the balance point.
  assert whole["stability %"] > 90 and whole["across %"] == whole["depth %"] == 0.0
  assert whole["yaw °"] < 1e-4 and whole["counted %"] == pytest.approx(100 * 47 / 48)
  assert sections[1].rows[0][:2] == ["test", 40]


def test_where_nothing_is_counted_right_there_is_a_dash_and_no_figure(towers):
  found = _found(towers)
  found["present"] = np.zeros_like(found["present"])
  ways = {way: found for way in ("given", "estimated", "truth_boxes")}
  row = report.results_table(["test"], [ways], [towers]).rows[-1]
  assert row[6:9] == [None] * 3 and row[9] == 0.0
  empty = {"given": {name: np.full([2, 3], np.nan) for name in (
      "position_error", "depth_error", "yaw_error")}}
  assert isinstance(figures.pose_figure("test", empty), core_report.Text)
  part = stream.Stream("towers_64", "train")
  assert isinstance(report.future(part, found, towers), core_report.Text)
  assert report.questions(found, towers) == []


def test_reconstructions_go_from_the_least_error_to_the_greatest(towers):
  found = _found(towers)
  chosen = report.by_error({"reconstruction_error": found["reconstruction_error"][::-1]})
  assert chosen[0] == len(towers) - 1 and chosen[-1] == 0 and len(chosen) == 6
  chosen = report.by_error(found)
  axes = figures.reconstruction_figure(
      "test", arrays.images_of(towers, chosen), {k: v[chosen] for k, v in found.items()},
      towers.fall[chosen], np.ones(6, bool)).image.axes[:24]
  errors = [ax.get_xlabel() for ax in axes[18:24]]
  assert errors == sorted(errors) and errors[0] == "mean 0.100" and errors[-1] == "mean 0.200"
  assert [ax.get_ylabel() for ax in axes[::6]] == ["image", "blocks", "reconstruction", "error"]
  assert all("p = " in ax.get_title() for ax in axes[:6])
  # The error of a black picture is the image itself.
  image, error = axes[0].images[0].get_array(), axes[18].images[0].get_array()
  assert error.mean() == pytest.approx(image.mean(), abs=0.01)


def test_films_show_towers_that_fall_and_the_same_poses_look_the_same(towers):
  part = stream.Stream("towers_64", "train")
  iou = np.linspace(1.0, 0.0, len(towers))[:, None] * np.ones([1, 4])
  made = report.future(part, _found(towers), towers, iou)
  axes = made.image.axes
  assert len(axes) == 4 * 2 * len(arrays.TIMES)
  falls = np.flatnonzero(towers.fall == 1)
  assert axes[3].get_title() == f"4 s\n(IoU {iou[falls[0], 0]:.2f})"
  assert [axes[0].get_ylabel(), axes[4].get_ylabel()] == ["truth", "ours"]
  truth, ours = (axes[k].images[0].get_array() for k in (0, 4))
  # Blocks are where they were: dark pixels of the one are no floor in the other.
  truth_edges, ours_edges = (np.abs(np.diff(x.mean(axis=-1), axis=1)) > 0.15
                             for x in (truth, ours))
  assert (truth_edges & ours_edges).sum() > 20


def test_answers_hold_for_the_tower_that_they_were_found_for():
  state = what_if.falling(6, seed=1)
  moved = what_if.stabilize_by_position(state, 0.15)
  pushed = what_if.stabilize_by_force(state, 0.15)
  rows = report.answers_table(state, moved, pushed).rows
  assert rows[0][2:] == [100.0] * 3
  assert rows[1][3] == rows[1][4] and rows[1][4] > 0.0


def test_bars_have_the_accuracy_of_their_margin():
  right = np.array([True, True, False, True])
  made = figures.margin_figure(["test"], [right], [np.array([0.01, -0.3, 0.01, 0.3])])
  ax = made.image.axes[0]
  assert [bar.get_height() for bar in ax.patches] == [50.0, 100.0]
  labels = [label.get_text() for label in ax.get_xticklabels()]
  assert labels[0].endswith("(2)") and labels[1].endswith("(0)")


def test_confidence_is_the_accuracy_of_equal_groups():
  right = np.arange(10) < 4
  made = figures.confidence_figure(["test"], [right], [np.linspace(0.0, 0.9, 10)])
  line = made.image.axes[0].lines[0]
  np.testing.assert_allclose(line.get_ydata(), [100, 100, 0, 0, 0])
  np.testing.assert_allclose(np.asarray(line.get_xdata(), float), [0.05, 0.25, 0.45, 0.65, 0.85])


def test_medians_stand_in_the_legends():
  errors = {"camera": {"position_error": np.array([[np.nan, 0.02, 0.04]]),
                       "depth_error": np.array([[np.nan, 0.1, 0.1]]),
                       "yaw_error": np.array([[3.0, 2.0, 1.0]])}}
  made = figures.pose_figure("test", errors)
  told = [ax.get_legend().get_texts()[0].get_text() for ax in made.image.axes]
  assert told == ["camera: 3", "camera: 10", "camera: 2"]


def test_masks_of_an_exported_physnet_are_a_third_row(towers, tmp_path):
  module = tf.Module()

  @tf.function(input_signature=[tf.TensorSpec([None, 64, 64, 3], name="images")])
  def served(images):
    dark = tf.cast(tf.reduce_mean(images, axis=-1) < 0.5, tf.int32)[:, ::2, ::2, tf.newaxis]
    return {"masks": tf.repeat(dark, 4, axis=-1)}

  tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": served})
  stream_ = stream.Stream("towers_64", "train")
  plain, beside = (report.future(stream_, _found(towers), towers, None, folder)
                   for folder in (None, str(tmp_path / "1")))
  assert 2 * len(beside.image.axes) == 3 * len(plain.image.axes)
  assert "PhysNet" in beside.caption and "PhysNet" not in plain.caption


def test_a_folder_that_tells_no_masks_is_refused(towers, tmp_path):
  stream_ = stream.Stream("towers_64", "train")
  with pytest.raises(ValueError, match="holds no SavedModel; give the folder that garden-export"):
    report.future(stream_, _found(towers), towers, None, str(tmp_path / "none"))
  module = tf.Module()
  served = tf.function(lambda images: {"fall_probability": images[:, 0, 0, 0]}, input_signature=[
      tf.TensorSpec([None, 64, 64, 3], name="images")])
  tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": served})
  with pytest.raises(ValueError, match="whose outputs are fall_probability; it must tell masks"):
    report.future(stream_, _found(towers), towers, None, str(tmp_path / "1"))
