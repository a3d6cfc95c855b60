"""Timing of what is served, and the table that comes of it."""

import pytest
import tensorflow as tf

from garden.core import benchmark
from garden.core import serving_benchmark


@pytest.fixture
def served(toy_run, tmp_path):
  """The module of an untrained toy, and its SavedModel, loaded."""
  experiment = toy_run().experiment
  module = experiment.signatures(experiment.build_model())
  tf.saved_model.save(module, str(tmp_path), signatures=module.signatures())
  return module, tf.saved_model.load(str(tmp_path))


def test_both_sides_answer_the_same_images(served, monkeypatch):
  answers = []
  monkeypatch.setattr(serving_benchmark, "_wait", answers.append)
  pair = serving_benchmark.pair(*served, batch=8)
  pair.ours(0)
  pair.theirs(0)
  ours, theirs = answers
  assert set(ours) == set(theirs) == {"mean", "twice"}
  tf.debugging.assert_near(ours["mean"], theirs["mean"])
  assert ours["mean"].shape == [8]
  assert (pair.count, pair.batch, pair.unit) == (8, 8, "image")


def test_a_call_is_measured(served):
  found = benchmark.measure(serving_benchmark.pair(*served, batch=1), rounds=2)
  assert found["rounds"] == 2 and found["ours_seconds"]["median"] > 0


@pytest.mark.parametrize("batch", [1, 8])
def test_a_config_is_built_and_served(batch):
  pair = serving_benchmark.serving_benchmark("subspace/tiny.gin", batch)
  pair.ours(0)
  pair.theirs(0)
  assert pair.batch == batch


def test_the_table_tells_latency_and_throughput(monkeypatch):
  seconds = {"ours": 0.022, "theirs": 0.02}
  clock = [0.0]
  monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock[0])

  def call(side):
    def work(number):
      clock[0] += seconds[side]
    return work

  entries = [
      {"name": "served_8", "arguments": {"batch": 8}, "limit": 1.1, "rounds": 3,
       "make": lambda batch: benchmark.Pair(call("ours"), call("theirs"), "SavedModel", "Keras",
                                            count=batch, unit="image", batch=batch)},
      {"name": "step", "make": lambda: benchmark.Pair(call("ours"), call("theirs"), "a", "b")}]
  table = benchmark.Benchmarks(room="toy", entries=entries)
  monkeypatch.setattr(benchmark, "load", lambda *args: table)
  rows = [benchmark.run_one("toy", name)["row"] for name in ("served_8", "step")]
  assert rows[0]["batch"] == 8 and rows[1]["batch"] is None
  text = benchmark.markdown(table, {"environment": {}, "rows": rows})
  _, served = text.split("## Latency and throughput of what is served")
  lines = [[cell.strip() for cell in line.strip("|").split("|")]
           for line in served.splitlines() if line.startswith("|")]
  assert lines[0] == ["benchmark", "batch", "p50 ms", "images/s", "Keras p50 ms", "Keras images/s",
                      "ratio", "must"]
  # 22 ms for 8 images are 364 a second; `step`, which is no model, is in the other table alone.
  assert lines[2:] == [["served_8", "8", "22", "364", "20", "400", "1.1", "1.1"]]
