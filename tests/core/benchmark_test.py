"""Timing in turn, and the table that comes of it."""

import json
import os

import gin
import pytest

from garden.core import benchmark
from garden.core import config


class _Clock:
  """A clock that stands still but for what the callables take."""

  def __init__(self, monkeypatch):
    self.now = 0.0
    self.busy = 0.0
    self.calls = []
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: self.now)
    monkeypatch.setattr(benchmark.time, "process_time", lambda: self.busy)

  def work(self, name, seconds, cpu=1.0, error=None):
    """A callable whose round i takes seconds[i] and returns error[i]."""
    def call(number):
      self.calls.append((name, number))
      self.now += seconds[number]
      self.busy += cpu
      return None if error is None else error[number]
    return call


def test_a_pair_is_timed_in_turn_after_a_warm_up(monkeypatch):
  clock = _Clock(monkeypatch)
  pair = benchmark.Pair(
      clock.work("a", [1.0, 6.0, 2.0], cpu=1.0),
      clock.work("b", [2.0, 3.0, 8.0], cpu=4.0), "a", "b", count=2)
  result = benchmark.measure(pair, rounds=3)
  assert clock.calls == [("a", 0), ("b", 0)] + [
      (name, i) for i in range(3) for name in "ab"]
  assert result == {
      "rounds": 3, "cpu_ratio": 0.25,
      "ratio": {"median": 0.5, "min": 0.25, "max": 2.0},
      "ours_seconds": {"median": 1.0, "min": 0.5, "max": 3.0},
      "theirs_seconds": {"median": 1.5, "min": 1.0, "max": 4.0}}


def test_errors_are_averaged_over_the_rounds(monkeypatch):
  clock = _Clock(monkeypatch)
  pair = benchmark.Pair(
      clock.work("a", [1.0] * 2, error=[10.0, 20.0]),
      clock.work("b", [4.0] * 2), "a", "b", warm_up=False)
  result = benchmark.measure(pair, rounds=2)
  assert len(clock.calls) == 4
  assert result["ours_error_percent"] == {
      "mean": 15.0, "sem": 5.0, "values": [10.0, 20.0]}
  assert "theirs_error_percent" not in result


@pytest.fixture
def _toy_room(tmp_path, monkeypatch):
  """A room of two benchmarks, in a folder of configs of its own."""
  monkeypatch.setattr(config, "root", lambda: str(tmp_path / "gin"))
  monkeypatch.setattr(benchmark.processes, "in_process",
                      lambda name, target, *args, environment: target(*args))
  folder = tmp_path / "gin" / "toy"
  folder.mkdir(parents=True)
  (folder / "benchmark.gin").write_text("""
Benchmarks.room = 'toy'
Benchmarks.threads = 1
Benchmarks.entries = [
    {'name': 'one', 'make': @one/toy.pair_benchmark, 'rounds': 2, 'limit': 1.05,
     'minutes': 2},
    {'name': 'two', 'make': @two/toy.pair_benchmark, 'rounds': 1}]
Benchmarks.notes = ['A note | to the table.']
one/toy.pair_benchmark.name = 'the first'
two/toy.pair_benchmark.name = 'the second'
""")
  yield tmp_path
  gin.clear_config()


@gin.register(module="toy")
def pair_benchmark(name):
  """A pair that does nothing."""
  return benchmark.Pair(lambda i: 12.5, lambda i: None, name, "nothing")


def test_a_room_lists_its_benchmarks(_toy_room):
  assert benchmark.rooms() == ["toy"]
  lines = benchmark.listing(benchmark.load("toy"))
  assert len(lines) == 3
  assert "one" in lines[0] and "2 min" in lines[0] and "1.05" in lines[0]
  assert lines[-1] == "3 minutes planned on 2 cores"


def test_the_table_is_written_and_other_rows_stay(_toy_room):
  out = str(_toy_room / "results")
  paths = benchmark.benchmark("toy", out, ["two"])
  assert paths == (os.path.join(out, "toy_benchmark.json"),
                   os.path.join(out, "toy_benchmark.md"))
  benchmark.benchmark("toy", out, ["one"], ["Benchmarks.threads = 3"])
  with open(paths[0], encoding="utf-8") as file:
    table = json.load(file)
  assert table["environment"]["python"]
  assert [(r["benchmark"], r["threads"]) for r in table["rows"]] == [
      ("one", 3), ("two", 1)]
  one = table["rows"][0]
  assert one["ours"] == "the first"
  assert one["limit"] == 1.05 and one["aim"] is None
  assert one["ours_error_percent"]["mean"] == 12.5
  with open(paths[1], encoding="utf-8") as file:
    text = file.read()
  assert "| one " in text and "| two " in text
  assert "- `one`: the first, against nothing." in text
  assert "12.50 ± 0.00" in text
  assert "A note | to the table." in text


def test_a_row_of_a_benchmark_that_is_gone_goes(_toy_room):
  out = str(_toy_room / "results")
  path, _ = benchmark.benchmark("toy", out)
  gin_file = _toy_room / "gin" / "toy" / "benchmark.gin"
  gin_file.write_text(gin_file.read_text().replace("'two'", "'three'"))
  benchmark.benchmark("toy", out, ["three"])
  with open(path, encoding="utf-8") as file:
    rows = json.load(file)["rows"]
  assert [row["benchmark"] for row in rows] == ["one", "three"]


@pytest.mark.parametrize(("call", "message"), [
    (lambda: benchmark.load("toys"), "no room 'toys' with benchmarks; there are toy"),
    (lambda: benchmark.load("toy").select(["one", "twoo"]),
     "no benchmark 'twoo'; there are one, two; did you mean two"),
    (lambda: benchmark.load("toy", ["Benchmarks.threads = 0"]), "threads is 0"),
    (lambda: benchmark.Entry("x", None, rounds=0), "rounds of x is 0"),
])
def test_what_is_wrong_is_said(_toy_room, call, message):
  with pytest.raises(ValueError, match=message):
    call()


def test_the_shipped_benchmarks_can_be_made():
  for room in benchmark.rooms():
    table = benchmark.load(room)
    assert table.room == room
    assert table.select()
    for entry in table.select():
      assert callable(entry.make)
  gin.clear_config()
