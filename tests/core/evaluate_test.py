"""Tests of measuring a trained run."""

import csv
import shutil

import numpy as np
import pytest

from garden.core import evaluate
from garden.core import records
from garden.core import run as run_lib
from garden.core import train


@pytest.fixture
def trained(toy_run, tmp_path):
  run = toy_run()
  model = train.train(run, str(tmp_path), "A = 1\n")
  return run, tmp_path, model


def test_evaluate_writes_the_rows_and_the_predictions(trained):
  run, folder, model = trained
  rows = evaluate.evaluate(run, str(folder))
  assert [row["metric"] for row in rows] == ["loss", "loss"]
  assert rows[0]["value"] == pytest.approx(float(model.error(np.arange(8))), rel=1e-5)
  result = records.read_json(folder / "results.json")
  assert result["rows"] == rows and result["seed"] == 0 and result["evaluate_seconds"] >= 0
  with open(folder / "predictions.csv", encoding="utf-8", newline="") as file:
    assert list(csv.reader(file)) == [["image", "value"], ["a", "1"], ["b", "2"]]


def test_load_gives_the_trained_weights_and_the_log(trained):
  run, folder, model = trained
  loaded, data = evaluate.load(run, str(folder))
  np.testing.assert_array_equal(loaded.dense.kernel.numpy(), model.dense.kernel.numpy())
  assert len(loaded.training_log) == 5 and len(data.stages) == 2


def test_the_model_alone_is_loaded_without_the_data(trained, monkeypatch):
  run, folder, model = trained
  monkeypatch.setattr(type(run.experiment), "datasets", None)
  loaded = evaluate.load_model(run, str(folder))
  np.testing.assert_array_equal(loaded.dense.kernel.numpy(), model.dense.kernel.numpy())


def test_evaluation_twice_gives_the_same_numbers_and_changes_nothing_else(trained):
  run, folder, _ = trained
  first = evaluate.evaluate(run, str(folder))
  before = {p: p.read_bytes() for p in (folder / "checkpoints").iterdir()}
  assert evaluate.evaluate(run, str(folder)) == first
  assert {p: p.read_bytes() for p in (folder / "checkpoints").iterdir()} == before


def test_a_table_whose_columns_differ_in_length_is_a_defect(trained):
  run, folder, _ = trained
  run.experiment.predictions = lambda model, data: {"image": ["a"], "value": []}
  with pytest.raises(ValueError, match="zip"):
    evaluate.evaluate(run, str(folder))
  assert not (folder / "predictions.csv").exists() and not (folder / "results.json").exists()


def test_no_table_writes_no_file(trained):
  run, folder, model = trained
  run.experiment.predictions = lambda model, data: {}
  assert evaluate.write_predictions(run.experiment, model, None, str(folder)) is None
  assert not (folder / "predictions.csv").exists()


def test_a_run_without_the_best_checkpoint_is_told(trained):
  run, folder, _ = trained
  with pytest.raises(FileNotFoundError, match=r"Run\.best_metric"):
    evaluate.load(run, str(folder), best=True)


def test_the_tiny_run_is_measured_from_its_folder_alone(tiny_copy, tmp_path):
  moved = shutil.move(tiny_copy, tmp_path / "elsewhere")
  rows = evaluate.evaluate(run_lib.from_model_dir(moved), moved)
  values = {(row.get("method"), row["metric"]): row["value"] for row in rows}
  for method in (None, "ridge_pixels"):
    assert 0 <= values[method, "error_percent"] < 60
    assert 0 <= values[method, "error_percent_plain"] < 80
    assert 0.3 < values[method, "nmi"] <= 1
  with open(moved / "assignments.csv", encoding="utf-8", newline="") as file:
    lines = list(csv.DictReader(file))
  assert len(lines) == 120 and {line["cluster"] for line in lines} == set(map(str, range(10)))
