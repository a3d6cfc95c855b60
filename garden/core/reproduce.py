"""Tables of results: every row comes from runs of the one path.

`gin/<room>/results.gin` lists the entries of a table. Each run trains and
evaluates a gin file in a process and a folder of its own; a finished run is
never done again, a killed one goes on from its last save.
"""

import dataclasses
import hashlib
import itertools
import math
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import gin

import garden
from garden.core import config
from garden.core import paired
from garden.core import processes
from garden.core import records
from garden.core import report
from garden.core import results_page

NOT_RUN = "not run"
RECORD = "reproduced.json"  # of a finished run, in its folder
_LONGEST = 160  # characters of a run's name


@dataclasses.dataclass(frozen=True)
class Entry:
  """One method of one experiment, or several that one run measures.

  Attributes:
    experiment: name of the experiment, a group of the table.
    gin_file: shipped config of the run.
    method: name of the row; rows that carry a `method` of their own keep it,
      and only those are taken when this is None.
    seeds: number of seeds, 0, 1, …, bound to the macro SEED; 0 for an entry
      that is listed as "not run".
    variants: further bindings, each a run of its own that counts as a sample
      (the windows of people of Extended Yale B).
    bindings: bindings of every run of the entry.
    setting: what distinguishes the row besides its method; rows that carry a `setting` of
      their own add it.
    where: take only the rows whose own setting holds these values, which are then left out of
      the table; for runs that are measured on several test sets.
    paper: metric -> the paper's value of this row; wins over the table's.
    renamed: name of a metric in the run -> its name in the table; for runs of another room.
    starts_from: the run of an earlier entry whose weights every run begins with
      (`Run.warm_start`), by its name, in which "{seed}" stands for the seed.
    minutes: planned minutes of all its runs on 2 cores.
  """
  experiment: str
  gin_file: str
  method: str | None = None
  seeds: int = 1
  variants: Sequence[str] = ("",)
  bindings: Sequence[str] = ()
  setting: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  where: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  paper: Mapping[str, float] = dataclasses.field(default_factory=dict)
  renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)
  starts_from: str | None = None
  minutes: float = 1.0

  def runs(self):
    """`(name, seed, bindings)` of each run."""
    for variant, seed in itertools.product(self.variants, range(self.seeds)):
      bindings = [*self.bindings, *([variant] if variant else [])]
      name = run_name(self.gin_file, bindings)
      yield f"{name}-seed{seed}", seed, [f"SEED = {seed}", *bindings]

  def setting_of(self, row):
    """The setting of a run's row in the table, or None if the row isn't the entry's."""
    own = row.get("setting", {})
    if any(own.get(name) != value for name, value in self.where.items()):
      return None
    return {**self.setting,
            **{name: value for name, value in own.items() if name not in self.where}}

  def warm_start(self, output_dir, seed):
    """The bindings that begin a run with the weights of `starts_from`."""
    if self.starts_from is None:
      return []
    source = os.path.join(output_dir, "runs", self.starts_from.format(seed=seed))
    return [f"Run.warm_start = {source!r}"]


@gin.configurable(module="garden")
@dataclasses.dataclass(frozen=True)
class Reproduction:
  """The table of a room.

  Attributes:
    room: name of the room; the table is `results/<room>.json` and `.md`.
    entries: list of dicts, the arguments of `Entry`.
    paper: experiment -> method -> metric -> the paper's value.
    metrics: the columns, in order.
    notes: paragraphs below the tables.
    quoted: list of dicts with `experiment`, `method`, `metric`, `value`, `source` and
      optionally `setting`: rows of papers that no run here measures. With `over`, the name of a
      setting, `value` is a dict: each of that setting's values -> the paper's.
    paired: list of dicts, the arguments of `paired.Comparison`.
  """
  room: str = gin.REQUIRED
  entries: Sequence[Mapping[str, Any]] = gin.REQUIRED
  paper: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  metrics: Sequence[str] = ()
  notes: Sequence[str] = ()
  quoted: Sequence[Mapping[str, Any]] = ()
  paired: Sequence[Mapping[str, Any]] = ()

  def quoted_rows(self):
    """The rows of papers: no mean, no run, the paper's value and its source."""
    return [{"experiment": row["experiment"], "method": row["method"],
             "setting": {**row.get("setting", {}), **setting}, "metric": row["metric"],
             "paper": value, "mean": None, "sem": None, "n": 0, "values": [],
             "seconds": None, "seeds": [], "revision": None, "quoted": row["source"]}
            for row in self.quoted for setting, value in _values(row)]

  def select(self, experiments=()):
    """The entries of some experiments, all when none is named.

    Raises:
      ValueError: an experiment that the table hasn't.
    """
    entries = [Entry(**entry) for entry in self.entries]
    known = list(dict.fromkeys(e.experiment for e in entries))
    for name in experiments:
      if name not in known:
        raise ValueError(f"no experiment {name!r}; there are {', '.join(known)}"
                         + config.suggestion(name, known))
    return [e for e in entries if not experiments or e.experiment in experiments]


def run_name(gin_file, bindings):
  """The name of the folder of a run: its config and what it changes there.

  Args:
    gin_file: path or shipped name of the config.
    bindings: the bindings that tell the run from others of that config.

  Example:
    >>> run_name("subspace/tiny.gin", ["N_CLUSTERS = 3"])
    'subspace-tiny-N_CLUSTERS_3'
  """
  stem = os.path.splitext(gin_file)[0].strip("/").replace("/", "-")
  name = stem + "".join("-" + re.sub(r"\W+", "_", b.replace(" -", " minus "))
                        for b in bindings)
  if len(name) <= _LONGEST:  # a file system takes 255
    return name
  return f"{name[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def rooms():
  """The rooms that ship a `results.gin`."""
  return [name.split("/")[0] for name in config.shipped()
          if name.endswith("/results.gin")]


def load(room):
  """Reads the `Reproduction` of a room."""
  if room not in rooms():
    raise ValueError(f"no room {room!r} with a table; there are "
                     f"{', '.join(rooms())}")
  config.load([f"{room}/results.gin"])
  return Reproduction()


def listing(table, experiments=()):
  """One line an entry, with its planned minutes."""
  lines = []
  for entry in table.select(experiments):
    plan = f"{entry.minutes:g} min" if entry.seeds else NOT_RUN
    lines.append(f"{entry.experiment:16} {entry.method or '(several)':24} "
                 f"{len(list(entry.runs())):3} runs  {plan:>9}  {entry.gin_file}")
  total = sum(e.minutes for e in table.select(experiments) if e.seeds)
  lines.append(f"{total:g} minutes planned on 2 cores")
  return lines


def reproduce(table, output_dir, experiments=()):
  """Does the runs that are missing, and writes the table.

  Args:
    table: the `Reproduction`.
    output_dir: folder of the table; the runs are in `runs/` under it.
    experiments: names of experiments; all when empty.

  Returns:
    The paths of the JSON and the Markdown file.
  """
  entries = table.select(experiments)
  for entry in entries:
    for name, seed, bindings in entry.runs():
      folder = os.path.join(output_dir, "runs", name)
      if os.path.exists(os.path.join(folder, RECORD)):
        continue
      print(f"== {entry.experiment} {entry.method or ''} {name}", flush=True)
      bindings = [*bindings, *entry.warm_start(output_dir, seed)]
      processes.in_process(f"the run {folder}", run_one, [entry.gin_file],
                           bindings, folder)
      write(table, output_dir, entries)
  return write(table, output_dir, entries)


def run_one(gin_files, bindings, folder):
  """Trains and evaluates one run; the last thing written is its record."""
  from garden.core import evaluate as evaluate_lib  # TensorFlow, in the child.
  from garden.core import run as run_lib
  from garden.core import train as train_lib
  text = config.load(gin_files, bindings)
  run = run_lib.Run()
  train_lib.train(run, folder, text)
  rows = evaluate_lib.evaluate(run, folder)
  seconds = (records.read_json(os.path.join(folder, "timing.json"))
             ["train_seconds"]
             + records.read_json(os.path.join(folder, "results.json"))
             ["evaluate_seconds"])
  records.write_json(os.path.join(folder, RECORD), {
      "rows": rows, "seed": run.seed, "seconds": round(seconds, 2),
      "revision": revision(), "environment": environment()})


def revision():
  """The commit of the checkout, marked where it has changes; else the version."""
  folder = os.path.dirname(os.path.dirname(os.path.abspath(garden.__file__)))
  try:
    commit = subprocess.run(
        ["git", "-C", folder, "rev-parse", "--short=10", "HEAD"], check=True,
        capture_output=True, text=True).stdout.strip()
    changed = subprocess.run(
        ["git", "-C", folder, "status", "--porcelain", "--", "garden", "gin"],
        check=True, capture_output=True, text=True).stdout.strip()
  except (OSError, subprocess.CalledProcessError):
    return garden.__version__
  return commit + ("+changes" if changed else "")


def environment():
  """What the runs ran on."""
  import numpy as np
  import sklearn
  import tensorflow as tf
  return {"python": platform.python_version(), "tensorflow": tf.__version__,
          "scikit-learn": sklearn.__version__, "numpy": np.__version__,
          "machine": platform.machine(), "cores": os.cpu_count(),
          "gpus": len(tf.config.list_physical_devices("GPU"))}


def rows_of(table, output_dir, entries):
  """Aggregates the finished runs to the rows of `results/<room>.json`."""
  rows, places = [], []
  for entry in entries:
    values = {}
    for name, _, _ in entry.runs():
      path = os.path.join(output_dir, "runs", name, RECORD)
      if not os.path.exists(path):
        continue
      run = records.read_json(path)
      places.append(run["environment"])
      for row in run["rows"]:
        method, setting = row.get("method", entry.method), entry.setting_of(row)
        if setting is None or entry.method not in (None, method):
          continue
        if method is not None:
          metric = entry.renamed.get(row["metric"], row["metric"])
          key = method, metric, tuple(setting.items())
          values.setdefault(key, []).append((row, run))
    rows += [_row(table, entry, method, metric, dict(setting), samples)
             for (method, metric, setting), samples in values.items()]
  return rows, places


def _row(table, entry, method, metric, setting, samples):
  numbers = [row["value"] for row, _ in samples]
  spread = statistics.stdev(numbers) if len(numbers) > 1 else None
  return {
      "experiment": entry.experiment, "method": method,
      "setting": setting, "metric": metric,
      "paper": entry.paper.get(
          metric, table.paper.get(entry.experiment, {}).get(method, {}).get(metric)),
      "mean": round(statistics.fmean(numbers), 4),
      "sem": (None if spread is None
              else round(spread / math.sqrt(len(numbers)), 4)),
      "n": len(numbers), "values": [round(v, 4) for v in numbers],
      "seconds": round(statistics.fmean(
          row.get("seconds", run["seconds"]) for row, run in samples), 1),
      "seeds": sorted({run["seed"] for _, run in samples}),
      "revision": ", ".join(sorted({run["revision"] for _, run in samples}))}


def write(table, output_dir, entries):
  """Writes the JSON, the Markdown and a page of charts; other experiments' rows stay.

  Returns:
    The paths of the JSON and the Markdown file; the page is beside them.
  """
  stem = os.path.join(output_dir, table.room)
  rows, places = rows_of(table, output_dir, entries)
  before = (records.read_json(f"{stem}.json")
            if os.path.exists(f"{stem}.json") else {"rows": []})
  fresh = {_key(row) for row in rows}
  rows = [row for row in before["rows"] if _key(row) not in fresh and "quoted" not in row] + rows
  if rows:
    rows += table.quoted_rows()
  order = [e.experiment for e in table.select()]
  rows.sort(key=lambda row: order.index(row["experiment"])
            if row["experiment"] in order else len(order))
  result = {"environment": places[-1] if places else before.get("environment"),
            "rows": rows, "paired": _paired(table, output_dir)}
  records.write_json(f"{stem}.json", result)
  records.write_text(f"{stem}.md", markdown(table, result))
  if rows:
    results_page.write(table.room, table.metrics, table.notes, result, f"{stem}.html")
  return f"{stem}.json", f"{stem}.md"


def _paired(table, output_dir):
  """The rows of the comparisons whose runs are there."""
  compared = (paired.Comparison(**each).row(os.path.join(output_dir, "runs"))
              for each in table.paired)
  return [row for row in compared if row is not None]


def _values(row):
  """A quoted row's settings beside those that all of it has, each with the paper's value."""
  if "over" not in row:
    return [({}, row["value"])]
  return [({row["over"]: setting}, value) for setting, value in row["value"].items()]


def _key(row):
  return (row["experiment"], row["method"], repr(sorted(row["setting"].items())),
          row["metric"])


def markdown(table, result):
  """The table as Markdown, a section an experiment."""
  lines = [f"# Results: {table.room}", ""]
  place = result["environment"] or {}
  lines += ["Written by `tools/reproduce.py`; mean ± s.e.m. over n runs, last "
            "step, budgets fixed beforehand. "
            + ", ".join(f"{k} {v}" for k, v in place.items()) + ".", ""]
  for name in dict.fromkeys(e.experiment for e in table.select()):
    groups = {}
    rows = [row for row in result["rows"] if row["experiment"] == name]
    metrics = results_page.columns_of(table.metrics, rows)
    for row in rows:
      groups.setdefault(_label(row["method"], row["setting"]), {})[row["metric"]] = row
    body = [_markdown_row(metrics, label, group) for label, group in groups.items()]
    entries = [e for e in table.select() if e.experiment == name]
    body += [[_label(e.method or e.gin_file, e.setting), NOT_RUN] + [""] * (len(metrics) + 2)
             for e in entries if not _has_rows(e, entries, result["rows"])]
    columns = ["method", f"paper {metrics[0]}", *metrics, "n", "seconds a run"]
    lines += [f"## {name}", "", report.markdown_table(columns, body)]
    compared = [row for row in result.get("paired", ()) if row["experiment"] == name]
    if compared:
      lines += ["On the same items:", "", report.markdown_table(
          list(results_page.PAIRED),
          [results_page.paired_cells(row) for row in compared])]
  lines += [f"{note}\n" for note in table.notes]
  return "\n".join(lines)


def _label(method, setting):
  return f"{method} {results_page.setting_text(setting)}".rstrip()


def _has_rows(entry, entries, rows):
  """Whether a table holds rows of an entry."""
  methods = {row["method"] for row in rows
             if row["experiment"] == entry.experiment
             and entry.setting.items() <= row["setting"].items()}
  if entry.method is not None:
    return entry.method in methods
  return bool(methods - {e.method for e in entries})


def _markdown_row(metrics, label, group):
  cells = [results_page.cell(group.get(metric)) or "" for metric in metrics]
  first = next(iter(group.values()))
  paper = group.get(metrics[0], {}).get("paper")
  return [label, "" if paper is None else f"{paper:.{2 if abs(paper) >= 1 else 3}f}", *cells,
          str(first["n"]) if first["n"] else "quoted",
          "" if first["seconds"] is None else f"{first['seconds']:.1f}"]
