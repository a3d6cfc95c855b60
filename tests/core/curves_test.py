"""Tests of the figure of what training logged."""

import numpy as np
import pytest

from garden.core import curves
from garden.core import report


def _shown(section):
  return [ax for ax in section.image.axes if ax.get_visible()]


def test_there_is_a_panel_for_each_value_that_is_not_0_throughout():
  log = [{"stage": "train", "step": 10 * k, "total_steps": 10 * k, "loss": 1.0 / k,
          "val_loss": 2.0 / k, "accuracy": 0.5, "dice_loss": 0.0, "learning_rate": 0.1}
         for k in (1, 2, 3)]
  axes = _shown(curves.figure(log))
  assert [ax.get_title() for ax in axes] == ["loss", "accuracy"]
  assert [len(ax.lines) for ax in axes] == [2, 1]
  assert [ax.get_yscale() for ax in axes] == ["log", "linear"]


def test_curves_go_on_from_stage_to_stage():
  log = [{"stage": "init", "step": 5, "total_steps": 5, "loss": 2.0},
         {"stage": "joint", "step": 5, "total_steps": 10, "loss": 1.0, "val_error": 0.5}]
  axes = _shown(curves.figure(log))
  assert [ax.get_title() for ax in axes] == ["loss", "error"]
  np.testing.assert_array_equal(axes[0].lines[0].get_xdata(), [5, 10])
  assert axes[1].get_legend().get_texts()[0].get_text() == "validation"


def test_values_below_0_are_on_a_plain_scale():
  log = [{"step": k, "margin": k - 1.5} for k in (1, 2)]
  assert _shown(curves.figure(log))[0].get_yscale() == "linear"


def test_a_page_shows_them(tmp_path):
  section = curves.figure([{"step": k, "loss": 1.0 / k} for k in (1, 2)])
  page = report.write_report(tmp_path / "page.html", "Curves", [section]).read_text()
  assert "data:image/png" in page


@pytest.mark.parametrize("log", [
    [], [{"stage": "train", "step": 1, "loss": float("nan")}], [{"step": 1, "physics_loss": 0.0}]])
def test_curves_of_nothing_are_a_text(log):
  section = curves.figure(log)
  assert isinstance(section, report.Text) and "no value to draw" in section.body
