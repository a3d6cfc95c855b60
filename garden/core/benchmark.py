"""Timings as ratios: ours against what a user would pick instead, in one run.

`gin/<room>/benchmark.gin` lists the benchmarks of a room. Each is a function that
returns a `Pair` of callables; they are timed in turn, A B A B …, in a process of
their own whose threads are pinned, and the ratio of each round is kept. A busy
machine slows both of a round, so the ratio says more than the seconds.

    Benchmarks.room = 'subspace'
    Benchmarks.entries = [
        {'name': 'step_orl', 'make': @orl/subspace.step_benchmark, 'rounds': 9}]
"""

import dataclasses
import math
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gin

from garden.core import config
from garden.core import processes
from garden.core import records
from garden.core import report
from garden.core import reproduce

# What numpy's, scipy's and TensorFlow's pools read when they are loaded.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                     "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
SUMMARY = ("median", "min", "max")


@dataclasses.dataclass(frozen=True)
class Pair:
  """Two ways to the same result.

  Attributes:
    ours: called with the number of the round, 0, 1, …; returns when its work is
      done, with the error in percent where that matters, else None.
    theirs: likewise.
    ours_is: what it is, a few words.
    theirs_is: likewise.
    count: units of work in a call; seconds are per unit.
    unit: name of the unit.
    warm_up: call each once, untimed, before the first round; for what compiles
      in its first call.
    batch: images of a call, of what is served; its latency and throughput are
      told too. None for all else.
  """
  ours: Callable[[int], float | None]
  theirs: Callable[[int], float | None]
  ours_is: str
  theirs_is: str
  count: int = 1
  unit: str = "run"
  warm_up: bool = True
  batch: int | None = None


@dataclasses.dataclass(frozen=True)
class Entry:
  """One benchmark of the list.

  Attributes:
    name: name of its row.
    make: function that returns the `Pair`.
    arguments: of `make`.
    rounds: how often each of the two is timed.
    limit: the most that the median ratio may be, or None.
    aim: what it would best be, or None.
    limit_seconds: the most that our median seconds a unit may be, or None.
    minutes: planned minutes on 2 cores.
  """
  name: str
  make: Callable[..., Pair]
  arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  rounds: int = 5
  limit: float | None = None
  aim: float | None = None
  limit_seconds: float | None = None
  minutes: float = 1.0

  def __post_init__(self):
    if not isinstance(self.rounds, int) or self.rounds < 1:
      raise ValueError(f"rounds of {self.name} is {self.rounds!r}; it must be a "
                       "whole number of at least 1")


@gin.configurable(module="garden")
@dataclasses.dataclass(frozen=True)
class Benchmarks:
  """The benchmarks of a room.

  Attributes:
    room: name of the room; the table is `results/<room>_benchmark.json` and
      `.md`.
    entries: list of dicts, the arguments of `Entry`.
    threads: threads of each pool.
    notes: paragraphs below the table.
  """
  room: str = gin.REQUIRED
  entries: Sequence[Mapping[str, Any]] = gin.REQUIRED
  threads: int = 2
  notes: Sequence[str] = ()

  def __post_init__(self):
    if not isinstance(self.threads, int) or self.threads < 1:
      raise ValueError(f"threads is {self.threads!r}; it must be a whole number "
                       "of at least 1")

  def select(self, names=()):
    """The entries of some names, all when none is given.

    Raises:
      ValueError: a name that the list hasn't.
    """
    entries = [Entry(**entry) for entry in self.entries]
    known = [entry.name for entry in entries]
    for name in names:
      if name not in known:
        raise ValueError(f"no benchmark {name!r}; there are {', '.join(known)}"
                         + config.suggestion(name, known))
    return [e for e in entries if not names or e.name in names]


def rooms():
  """The rooms that ship a `benchmark.gin`."""
  return [name.split("/")[0] for name in config.shipped()
          if name.endswith("/benchmark.gin")]


def load(room, bindings=()):
  """Reads the `Benchmarks` of a room.

  Args:
    room: name of the room.
    bindings: gin bindings that win over its file.
  """
  if room not in rooms():
    raise ValueError(f"no room {room!r} with benchmarks; there are "
                     f"{', '.join(rooms())}")
  config.load([f"{room}/benchmark.gin"], bindings)
  return Benchmarks()


def listing(benchmarks, names=()):
  """One line a benchmark, with its planned minutes."""
  entries = benchmarks.select(names)
  lines = [f"{e.name:16} {e.rounds:3} rounds  {e.minutes:>5g} min"
           + (f"  must <= {e.limit:g}" if e.limit is not None else "")
           + (f"  must <= {e.limit_seconds:g} s" if e.limit_seconds is not None else "")
           for e in entries]
  total = sum(e.minutes for e in entries)
  return [*lines, f"{total:g} minutes planned on 2 cores"]


def benchmark(room, output_dir, names=(), bindings=()):
  """Runs benchmarks, each in a process of its own, and writes the table.

  The table is written after each, so that a kill loses no more than one.

  Args:
    room: name of the room.
    output_dir: folder of the table.
    names: names of benchmarks; all when empty.
    bindings: gin bindings, like `Benchmarks.threads = 1`.

  Returns:
    The paths of the JSON and the Markdown file.
  """
  benchmarks = load(room, bindings)
  paths = ()
  for entry in benchmarks.select(names):
    print(f"== {entry.name}", flush=True)
    result = processes.in_process(
        f"the benchmark {entry.name}", run_one, room, entry.name, bindings,
        environment={name: str(benchmarks.threads)
                     for name in _THREAD_VARIABLES})
    paths = write(benchmarks, output_dir, result)
  return paths


def run_one(room, name, bindings=()):
  """Runs one benchmark in this process.

  Returns:
    `{"environment": …, "row": …}`.
  """
  benchmarks = load(room, bindings)
  entry, = benchmarks.select([name])
  pair = entry.make(**entry.arguments)
  # The commit and its changes as they were when the code was loaded.
  revision = reproduce.revision()
  return {"environment": reproduce.environment(), "row": {
      "benchmark": name, "ours": pair.ours_is, "theirs": pair.theirs_is,
      "unit": pair.unit, "batch": pair.batch, "limit": entry.limit, "aim": entry.aim,
      "limit_seconds": entry.limit_seconds,
      "threads": benchmarks.threads, "revision": revision,
      **measure(pair, entry.rounds)}}


def measure(pair, rounds):
  """Times a pair in turn.

  Args:
    pair: the `Pair`.
    rounds: how often each is timed.

  Returns:
    A dict: `rounds`; `ratio`, `ours_seconds`, `theirs_seconds` (per unit), each
    with median, min and max over the rounds; `cpu_ratio`, the median ratio of
    processor time, which other programs disturb less; `ours_error_percent` and
    `theirs_error_percent` where the callables return one: mean, s.e.m. and the
    values.

  Example:
    pair = Pair(lambda i: fast(), lambda i: slow(), "fast", "slow")
    measure(pair, rounds=5)["ratio"]["median"]
  """
  sides = {"ours": pair.ours, "theirs": pair.theirs}
  if pair.warm_up:
    for call in sides.values():
      call(0)
  seconds = {side: [] for side in sides}
  cpu = {side: [] for side in sides}
  errors = {side: [] for side in sides}
  for number in range(rounds):
    for side, call in sides.items():
      busy, start = time.process_time(), time.perf_counter()
      error = call(number)
      seconds[side].append((time.perf_counter() - start) / pair.count)
      cpu[side].append(time.process_time() - busy)
      if error is not None:
        errors[side].append(float(error))
  ratios = [a / b for a, b in zip(*seconds.values())]
  result = {"rounds": rounds, "ratio": _summary(ratios),
            "cpu_ratio": _rounded(statistics.median(
                a / max(b, 1e-9) for a, b in zip(*cpu.values())))}
  for side in sides:
    result[f"{side}_seconds"] = _summary(seconds[side])
    if errors[side]:
      result[f"{side}_error_percent"] = _mean(errors[side])
  return result


def _rounded(value):
  """Four digits that count: times differ by orders of magnitude."""
  return float(f"{value:.4g}")


def _summary(values):
  """`{"median", "min", "max"}` of some numbers."""
  return {name: _rounded(f(values)) for name, f in zip(
      SUMMARY, (statistics.median, min, max))}


def _mean(values):
  """`{"mean", "sem", "values"}` of some errors."""
  sem = (statistics.stdev(values) / math.sqrt(len(values))
         if len(values) > 1 else None)
  return {"mean": round(statistics.fmean(values), 2),
          "sem": None if sem is None else round(sem, 2),
          "values": [round(v, 2) for v in values]}


def write(benchmarks, output_dir, result):
  """Puts one result into the table; the others' rows stay.

  Args:
    benchmarks: the `Benchmarks`.
    output_dir: folder of the table.
    result: what `run_one` returned.

  Returns:
    The paths of the JSON and the Markdown file.
  """
  stem = os.path.join(output_dir, f"{benchmarks.room}_benchmark")
  rows = []
  if os.path.exists(f"{stem}.json"):
    rows = records.read_json(f"{stem}.json")["rows"]
  rows = [row for row in rows
          if row["benchmark"] != result["row"]["benchmark"]] + [result["row"]]
  order = [entry.name for entry in benchmarks.select()]
  rows = sorted((row for row in rows if row["benchmark"] in order),
                key=lambda row: order.index(row["benchmark"]))
  table = {"environment": result["environment"], "rows": rows}
  records.write_json(f"{stem}.json", table)
  records.write_text(f"{stem}.md", markdown(benchmarks, table))
  return f"{stem}.json", f"{stem}.md"


def markdown(benchmarks, table):
  """The table as Markdown."""
  columns = ["benchmark", "ratio", "min .. max", "must", "aim", "CPU ratio",
             "ours s", "must s", "theirs s", "per", "ours error %", "theirs error %",
             "rounds", "threads"]
  body = [[row["benchmark"], f"{row['ratio']['median']:.3g}",
           f"{row['ratio']['min']:.3g} .. {row['ratio']['max']:.3g}",
           row["limit"], row["aim"], f"{row['cpu_ratio']:.3g}",
           _cell(row["ours_seconds"]), row.get("limit_seconds"),
           _cell(row["theirs_seconds"]), row["unit"],
           _error(row, "ours"), _error(row, "theirs"), row["rounds"],
           row["threads"]] for row in table["rows"]]
  place = ", ".join(f"{k} {v}" for k, v in table["environment"].items())
  lines = [
      f"# Benchmarks: {benchmarks.room}", "",
      "Written by `tools/benchmark.py`; ratio = our seconds / theirs, median over "
      "rounds that time the two in turn; seconds are median (min .. max). CPU "
      "ratio compares processor time. " + place + ".", "",
      report.markdown_table(columns, body)]
  lines += [f"- `{row['benchmark']}`: {row['ours']}, against {row['theirs']}."
            for row in table["rows"]]
  served = [row for row in table["rows"] if row.get("batch")]
  if served:
    lines += ["", "## Latency and throughput of what is served", "",
              "p50 of a call, and the images a second that it comes to.", "",
              report.markdown_table(
                  ["benchmark", "batch", "p50 ms", "images/s", "Keras p50 ms", "Keras images/s",
                   "ratio", "must"], [_served(row) for row in served])]
  lines += ["", *(f"{note}\n" for note in benchmarks.notes)]
  return "\n".join(lines)


def _served(row):
  """A line of the table of latency and throughput."""
  cells = []
  for side in ("ours", "theirs"):
    image = row[f"{side}_seconds"]["median"]
    cells += [f"{1000 * image * row['batch']:.3g}", f"{1 / image:.3g}"]
  return [row["benchmark"], row["batch"], *cells, f"{row['ratio']['median']:.3g}", row["limit"]]


def _cell(summary):
  return (f"{summary['median']:.3g} ({summary['min']:.3g} .. "
          f"{summary['max']:.3g})")


def _error(row, side):
  """Mean ± s.e.m. of the errors of one side, or None."""
  error = row.get(f"{side}_error_percent")
  if error is None:
    return None
  sem = "" if error["sem"] is None else f" ± {error['sem']:.2f}"
  return f"{error['mean']:.2f}{sem}"
