"""Tests of the figures: each one is drawn from small arrays and typeset."""

import numpy as np
import pytest

from garden.core import report as core_report
from garden.datasets.block_towers import metrics
from garden.physnet import report


def _page(tmp_path, section):
  """Writes a section as a report would, and gives the page back."""
  return core_report.write_report(tmp_path / "report.html", "Towers", [section]).read_text()


def _found(n=60, seed=0):
  rng = np.random.default_rng(seed)
  margin = rng.uniform(-0.3, 0.3, n)
  fall = (margin < 0).astype(np.int64)
  return {"fall": fall, "count": rng.integers(2, 5, n), "margin": margin,
          "probability": np.clip(fall * 0.6 + rng.uniform(0, 0.5, n), 0, 1)}


def _images(n, side=16):
  return np.random.default_rng(1).uniform(size=(n, side, side, 3)).astype(np.float32)


def _axes(figure):
  return figure.image.axes


def test_rows_are_by_count_and_by_margin_and_add_up():
  found = _found()
  rows = report.result_rows([""], [found])
  assert rows[0][0] == "all (60)" and rows[0][1] == "fall accuracy"
  assert rows[0][2] == metrics.fall_accuracy(found["fall"], found["probability"])
  assert rows[0][3] == metrics.binomial_error(rows[0][2], 60)
  number = [int(row[0].rsplit("(", 1)[1][:-1]) for row in rows]
  counts = [n for row, n in zip(rows, number) if "blocks" in row[0]]
  margins = [n for row, n in zip(rows, number) if "margin" in row[0]]
  assert sum(counts) == sum(margins) == 60 and len(counts) == 3 and len(margins) == 5


def test_rows_of_masks_are_means_over_the_towers_that_have_them():
  found = {**_found(2), "iou": np.array([[0.5, 0.4, np.nan, 0.2], [0.7, 0.6, 0.5, 0.4]]),
           "log_likelihood": np.full([2, 4], -0.5)}
  rows = {row[1]: row for row in report.result_rows(["far"], [found])}
  iou = [rows[f"mask IoU at {t} s"][2] for t in (0, 1, 2, 4)]
  assert iou == pytest.approx([0.6, 0.5, 0.5, 0.3])
  assert rows["log-likelihood a pixel"][2] == -0.5
  assert all(row[0].startswith("far: ") for row in rows.values())


def test_rows_say_how_often_blocks_were_counted_right():
  found = _found(4)
  found["found"] = found["count"] + np.array([0, 0, 0, 1])
  assert report.result_rows([""], [found])[-1][1:3] == ["blocks counted right", 0.75]


def test_rows_make_a_table(tmp_path):
  rows = report.result_rows(["", "other"], [_found(), _found(seed=1)])
  table = core_report.Table("Results", ["towers", "metric", "value", "error"], rows)
  assert "margin &lt; 0.02" in _page(tmp_path, table)


def test_the_surest_right_and_wrong_ones_are_chosen():
  found = {"fall": np.array([1, 1, 0, 0, 1, 0]), "count": np.full(6, 3),
           "probability": np.array([0.6, 0.9, 0.2, 0.1, 0.3, 0.8])}
  # Right: falls 1 (.9), stands 3 (.1). Wrong: falls 4 (.3), stands 5 (.8).
  assert report.choose(found).tolist() == [1, 3, 4, 5]


def test_each_count_is_chosen_from():
  found = {"fall": np.ones(6, int), "count": np.array([2, 3, 4, 2, 3, 4]),
           "probability": np.array([0.9, 0.8, 0.7, 0.6, 0.95, 0.1])}
  assert report.choose(found).tolist() == [0, 4, 2, 5]


@pytest.mark.parametrize("most", [1, 3, 8, 100])
def test_no_more_are_chosen_than_asked_for(most):
  chosen = report.choose(_found(), most)
  assert 1 <= len(chosen) <= most and len(set(chosen.tolist())) == len(chosen)


def test_a_strip_has_the_input_and_all_times_twice(tmp_path):
  rng = np.random.default_rng(0)
  masks, told = rng.integers(0, 5, (2, 2, 8, 8, 4))
  figure = report.strip_figure(_images(2), masks, told, np.array([0.9, 0.2]), np.array([1, 1]))
  assert isinstance(figure, core_report.Figure) and len(_axes(figure)) == 2 * 9
  assert [ax.get_title() for ax in _axes(figure)[:9]] == [
      "input", "true 0 s", "true 1 s", "true 2 s", "true 4 s",
      "told 0 s", "told 1 s", "told 2 s", "told 4 s"]
  np.testing.assert_array_equal(_axes(figure)[2].images[0].get_array(), masks[0, ..., 1])
  np.testing.assert_array_equal(_axes(figure)[9 + 8].images[0].get_array(), told[1, ..., 3])
  assert [_axes(figure)[i].get_ylabel() for i in (0, 9)] == ["falls\np = 0.90", "falls\np = 0.20"]
  assert _axes(figure)[0].yaxis.label.get_color() != _axes(figure)[9].yaxis.label.get_color()
  assert "data:image/png" in _page(tmp_path, figure)


def test_towers_show_boxes_and_the_probability_at_each_interface(tmp_path):
  boxes = np.zeros([5, 3, 4])
  boxes[:, 0], boxes[:, 1] = [0.6, 0.2, 0.9, 0.5], [0.3, 0.2, 0.6, 0.5]  # two of three places
  outputs = {"fall_probability": np.linspace(0, 1, 5), "boxes": boxes,
             "interface_probability": np.full([5, 2], 0.25)}
  figure = report.towers_figure(_images(5), outputs, np.ones(5, int))
  assert len(_axes(figure)) == 8
  for ax in _axes(figure)[:5]:
    assert len(ax.lines) == 2 and [text.get_text() for text in ax.texts] == ["0.25"]
  np.testing.assert_allclose(_axes(figure)[0].lines[0].get_xdata(), np.array([3.2, 8, 8, 3.2, 3.2]))
  assert _axes(figure)[4].get_title() == "falls, told 1.00"
  assert "data:image/png" in _page(tmp_path, figure)


def test_reliability_shows_the_bins_and_names_the_error(tmp_path):
  found = _found()
  figure = report.reliability_figure(found["fall"], found["probability"])
  error = metrics.calibration_error(found["fall"], found["probability"])
  assert f"calibration error {error:.3f}" in figure.caption
  assert "data:image/png" in _page(tmp_path, figure)


def test_accuracy_by_margin_has_a_bar_a_bin_that_holds_towers(tmp_path):
  found = _found()
  found["margin"] = np.where(found["margin"] < 0, -0.01, 0.15)
  figure = report.margin_figure(found)
  (ax,) = _axes(figure)
  assert len(ax.patches) == 2
  names = [label.get_text() for label in ax.get_xticklabels()]
  assert names[0].startswith("< 0.02") and names[1].startswith("0.1 to 0.2")
  assert "data:image/png" in _page(tmp_path, figure)


def _looks_at(rows, columns):
  return lambda images: images[:, rows, columns].mean(axis=(1, 2, 3))


def test_an_occlusion_map_is_bright_where_the_probability_looks():
  image = np.ones([24, 24, 3], np.float32)
  found = report.occlusion_map(image, _looks_at(slice(16, 20), slice(4, 8)), patch=4, stride=4)
  assert found.shape == (24, 24)
  expected = np.zeros([24, 24])
  expected[16:20, 4:8] = 0.5  # from white to grey
  np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_occlusion_map_of_a_constant_is_dark():
  found = report.occlusion_map(_images(1, 24)[0], lambda images: np.full(len(images), 0.7))
  np.testing.assert_array_equal(found, 0.0)


def test_an_occlusion_map_leaves_the_image_as_it_was():
  image = _images(1, 24)[0]
  before = image.copy()
  report.occlusion_map(image, _looks_at(slice(0, 4), slice(0, 4)), 8, 4)
  np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("side, patch, stride", [(26, 8, 5), (64, 9, 4), (20, 8, 8)])
def test_an_occlusion_map_reaches_all_borders(side, patch, stride):
  image = np.ones([side, side, 3], np.float32)
  found = report.occlusion_map(image, lambda x: x.mean(axis=(1, 2, 3)), patch, stride)
  assert (found > 0).all()


def test_the_occlusion_figure_has_two_lines(tmp_path):
  figure = report.occlusion_figure(_images(2, 28), _looks_at(slice(0, 4), slice(0, 4)))
  assert len(_axes(figure)) == 4 and "4 pixels" in figure.caption
  assert "data:image/png" in _page(tmp_path, figure)
