"""Tests of the billiards' figures."""

import numpy as np

from garden.core import report as core_report
from garden.vda import billiards_report as report


def _page(tmp_path, section):
  return core_report.write_report(tmp_path / "r.html", "Title", [section]).read_text()


def test_the_best_the_median_and_the_worst_are_chosen():
  errors = np.array([0.5, 0.1, 0.9, 0.3, 0.7])[:, None, None] * np.ones([5, 2, 3])
  errors[:, :, 2] = np.nan
  assert report.choose(errors).tolist() == [1, 0, 2]
  assert report.choose(errors, 1).tolist() == [1] and len(report.choose(errors, 9)) == 5


def test_a_film_has_a_line_of_truth_and_one_of_what_was_told(tmp_path):
  found = {"track": np.zeros([2, 2, 4, 2], np.float32), "present": np.ones([2, 4], bool),
           "future_position": np.full([2, 3, 4, 2], 0.5, np.float32),
           "radius": np.full([2, 4], 0.1, np.float32), "color": np.ones([2, 4, 3], np.float32),
           "cloth_color": np.zeros([2, 3], np.float32)}
  figure = report.film_figure(np.zeros([2, 5, 16, 16, 3]), found, 2, 0.1)
  axes = figure.image.axes
  assert len(axes) == 2 * 2 * 5
  assert [ax.get_title() for ax in axes[:5]] == ["0.0 s (seen)", "0.1 s (seen)", "0.2 s", "0.3 s",
                                                 "0.4 s"]
  assert [axes[5 * line].get_ylabel() for line in range(4)] == ["truth", "told"] * 2
  # The last frame told: a white ball up at the right.
  picture = axes[9].images[0].get_array()
  assert picture[24, 72].min() == 1.0 and picture[72, 24].max() == 0.0
  assert "data:image/png" in _page(tmp_path, figure)


def test_a_long_film_shows_some_of_its_frames():
  found = {"track": np.zeros([1, 4, 4, 2], np.float32), "present": np.ones([1, 4], bool),
           "future_position": np.zeros([1, 16, 4, 2], np.float32),
           "radius": np.full([1, 4], 0.1, np.float32), "color": np.ones([1, 4, 3], np.float32),
           "cloth_color": np.zeros([1, 3], np.float32)}
  titles = [ax.get_title() for ax in report.film_figure(
      np.zeros([1, 20, 16, 16, 3]), found, 4, 0.1).image.axes[:9]]
  assert titles[0].startswith("0.0 s") and titles[-1] == "1.9 s"


def test_errors_have_a_panel_each_with_their_means(tmp_path):
  errors = {name: np.full([3, 4, 2], 0.2) for name in ("position", "velocity")}
  straight = {name: np.full([3, 4, 2], 0.7) for name in ("position", "velocity")}
  errors["position"][..., 1] = np.nan
  figure = report.error_figure(errors, straight, 0.1)
  for ax in figure.image.axes:
    lines = [line.get_ydata() for line in ax.lines]
    np.testing.assert_allclose(lines[0], 0.7)
    np.testing.assert_allclose(lines[1], 0.2)
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [0, 0.1, 0.2, 0.3])
  assert "data:image/png" in _page(tmp_path, figure)
