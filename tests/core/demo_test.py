"""Tests of the tour."""

import pytest

from garden.core import demo
from garden.core import records


def test_every_room_has_a_stop_and_tiny_goes_the_whole_way(tmp_path):
  folder = tmp_path / "subspace"
  demo.run_stop("subspace/tiny.gin", str(folder))
  stop = records.read_json(folder / "demo.json")
  assert stop["served"] == 20
  assert (tmp_path / stop["report"]).exists()
  assert (tmp_path / stop["saved_model"] / "saved_model.pb").exists()
  assert len((folder / "predictions.csv").read_text().splitlines()) == 21
  assert "subspace/demo.gin" in demo.stops()


def _stop(folder, title):
  records.write_json(folder / demo._DONE, {
      "title": title, "config": "subspace/demo.gin", "seconds": 1.0, "served": 20,
      "rows": [{"metric": "error_percent", "value": 12.5, "setting": {"k": 2}}],
      "report": "subspace/report.html", "saved_model": "subspace/export/1"})


def test_a_finished_stop_is_not_run_again(tmp_path, monkeypatch):
  monkeypatch.setattr(demo, "stops", lambda: ["subspace/demo.gin"])
  monkeypatch.setattr(demo.processes, "in_process", lambda *_: pytest.fail("ran again"))
  (tmp_path / "subspace").mkdir()
  _stop(tmp_path / "subspace", "Clusters")
  rows, page = demo.demo(str(tmp_path))
  assert demo.summary(rows)[1] == [["Clusters", "this run", "k=2", "error_percent", "12.5"]]
  text = page.read_text()
  assert '<a href="subspace/report.html">Clusters</a>' in text


def test_a_stop_that_fails_is_named(tmp_path, monkeypatch):
  def fails(name, target, *args):
    assert target is demo.run_stop
    raise ValueError(f"{name} ended with exit code 2 {args}")

  monkeypatch.setattr(demo.processes, "in_process", fails)
  with pytest.raises(ValueError, match=r"the stop \w+/demo.gin ended with exit code 2"):
    demo.demo(str(tmp_path))
