"""Tests of the report of one run."""

import pytest

from garden.core import run as run_lib
from garden.core import run_report
from garden.core import train


def test_a_report_has_the_figures_the_config_and_the_facts(toy_run, tmp_path):
  run = toy_run()
  train.train(run, str(tmp_path), "SECRET_NAME = '<b>'\n")
  path = run_report.report(run, str(tmp_path))
  assert str(path) == str(tmp_path / "report.html")
  page = path.read_text(encoding="utf-8")
  assert "<title>Toy</title>" in page and "5 lines" in page
  assert "SECRET_NAME = &#x27;&lt;b&gt;&#x27;" in page
  for name in ("seed", "strategy", "precision", "TensorFlow", "Python"):
    assert f"<dt>{name}</dt>" in page


def test_a_report_can_be_written_elsewhere(toy_run, tmp_path):
  run = toy_run()
  train.train(run, str(tmp_path / "run"), "")
  path = run_report.report(run, str(tmp_path / "run"), str(tmp_path / "pages" / "a.html"))
  assert path.read_text(encoding="utf-8").startswith("<!")
  assert not (tmp_path / "run" / "report.html").exists()


def test_a_report_that_fails_leaves_the_old_one(toy_run, tmp_path):
  run = toy_run()
  train.train(run, str(tmp_path), "")
  path = run_report.report(run, str(tmp_path))
  before = path.read_bytes()
  run.experiment.figures = lambda model, data: ["no section"]
  with pytest.raises(ValueError, match="is a str; give a Text"):
    run_report.report(run, str(tmp_path))
  assert path.read_bytes() == before


def test_the_report_of_the_tiny_run_is_one_file_with_its_images(tiny_run, tmp_path):
  run = run_lib.from_model_dir(str(tiny_run))
  page = run_report.report(run, str(tiny_run), str(tmp_path / "a.html")).read_text("utf-8")
  assert page.count("data:image/png;base64,") >= 4
  assert "error_percent_plain" in page and "ridge_pixels" in page
  assert "src=\"http" not in page and "<script" not in page
