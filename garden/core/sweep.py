"""Sweeps: a config trained and measured at every point of a grid of bindings.

Each point is a run in a process and a folder of its own, so a sweep that was
killed goes on where it stopped, and a wider grid does only what is new. A point
that fails is a line of the summary; the others go on.
"""

import csv
import io
import itertools
import os
import tokenize

from garden.core import cli
from garden.core import config
from garden.core import processes
from garden.core import records
from garden.core import report
from garden.core import reproduce
from garden.core import results_page

_OPEN, _CLOSE = "([{", ")]}"


def axis(text):
  """Reads an axis of a grid.

  Args:
    text: a binding with several values, `SEED = 0, 1, 2`. A value is what gin
      takes: a literal, a macro, a reference.

  Returns:
    `(name, [the text of each value])`.

  Raises:
    ValueError: there is no name or a value is missing, or comes twice.

  Example:
    >>> axis("transfer.Recipe.hidden = (16,), (32, 16)")
    ('transfer.Recipe.hidden', ['(16,)', '(32, 16)'])
  """
  name, equals, rest = (part.strip() for part in text.partition("="))
  values = _split(rest, text)
  if not (name and equals and all(values)):
    raise ValueError(f"--grid={text!r} isn't a name and its values; give them like "
                     "\"SEED = 0, 1, 2\"")
  twice = [value for value in values if values.count(value) > 1]
  if twice:
    raise ValueError(f"--grid={text!r} has {twice[0]} twice; give each value once")
  return name, values


def _split(values, text):
  """The parts of a text between the commas that lie in no bracket and no string."""
  parts, depth, begin = [], 0, 0
  try:
    for token in tokenize.generate_tokens(io.StringIO(values).readline):
      if token.type == tokenize.ERRORTOKEN and token.string in "'\"":
        raise tokenize.TokenError("a string isn't closed")
      if token.type != tokenize.OP:
        continue
      depth += (token.string in _OPEN) - (token.string in _CLOSE)
      if token.string == "," and not depth:
        parts.append(values[begin:token.start[1]])
        begin = token.end[1]
  except tokenize.TokenError as error:
    raise ValueError(f"--grid={text!r} can't be read: {error.args[0]}") from None
  return [part.strip() for part in (*parts, values[begin:])]


def points(axes):
  """All combinations of the values, as bindings; the last axis runs fastest.

  Args:
    axes: `(name, values)` of each, from `axis`.

  Raises:
    ValueError: there is no axis, or two have one name.

  Example:
    >>> list(points([("A", ["1", "2"])]))
    [['A = 1'], ['A = 2']]
  """
  names = [name for name, _ in axes]
  if not names:
    raise ValueError("a sweep needs a grid; give --grid=\"SEED = 0, 1, 2\"")
  for name in names:
    if names.count(name) > 1:
      raise ValueError(f"{name} has two axes; give all its values in one --grid")
  each = [[f"{name} = {value}" for value in values] for name, values in axes]
  return [list(point) for point in itertools.product(*each)]


def plan(gin_files, bindings, axes, model_dir):
  """The folder of each point; refuses before the first run what no run could do.

  Args:
    gin_files: paths or shipped names of the config.
    bindings: bindings of every run.
    axes: `(name, values)` of each, from `axis`.
    model_dir: folder of the sweep.

  Returns:
    `{folder: bindings of the point}`.

  Raises:
    ValueError: gin can't read a point, two points would have one folder, or a
      folder holds a run of another config.
  """
  folders = {}
  for point in points(axes):
    folder = os.path.join(model_dir, reproduce.run_name(gin_files[0], point))
    if folder in folders:
      raise ValueError(f"{', '.join(point)} and {', '.join(folders[folder])} would both "
                       f"run in {folder}; write one of the values in another way")
    records.check_config(folder, config.load(gin_files, [*bindings, *point]))
    folders[folder] = point
  return folders


def sweep(gin_files, bindings, axes, model_dir):
  """Does the runs that are missing, and writes the summary after each.

  Args:
    gin_files: paths or shipped names of the config.
    bindings: bindings of every run.
    axes: `(name, values)` of each, from `axis`.
    model_dir: folder of the sweep; a folder a run is made below it.

  Returns:
    `{folder: why its run failed}` of those that did.

  Raises:
    ValueError: as `plan`.
  """
  folders = plan(gin_files, bindings, axes, model_dir)
  names, failed = [name for name, _ in axes], {}
  for number, (folder, point) in enumerate(folders.items(), 1):
    if not os.path.exists(os.path.join(folder, reproduce.RECORD)):
      print(f"[{number}/{len(folders)}] {', '.join(point)}", flush=True)
      try:
        why = processes.in_process(f"the run {folder}", run_point, gin_files,
                                   [*bindings, *point], folder)
      except ValueError as error:  # it was killed, or met a defect
        why = str(error)
      if why:
        print(f"failed: {why}", flush=True)
        failed[folder] = why
    write(names, folders, failed, model_dir)
  return failed


def run_point(gin_files, bindings, folder):
  """Trains and measures one point.

  Returns:
    None, or what is wrong with its settings, in one line.
  """
  try:
    reproduce.run_one(gin_files, bindings, folder)
  except cli.ERRORS as error:
    if not cli.is_users(error):
      raise
    return cli.one_line(error)
  return None


def write(names, folders, failed, model_dir):
  """Writes `summary.csv` and `summary.md`: a row a point that was run.

  Args:
    names: of the axes.
    folders: `{folder: bindings of the point}`.
    failed: `{folder: why}`.
    model_dir: where to.

  Returns:
    The paths of both.
  """
  measured = {folder: _measured(folder) for folder in folders}
  metrics = list(dict.fromkeys(name for found in measured.values() for name in found))
  columns = [*names, *metrics, *(["failed"] if failed else [])]
  rows = []
  for folder, point in folders.items():
    if not measured[folder] and folder not in failed:
      continue
    row = [binding.split(" = ", 1)[1] for binding in point]
    row += [measured[folder].get(name, "") for name in metrics]
    rows.append([*row, *([failed.get(folder, "")] if failed else [])])
  paths = [os.path.join(model_dir, f"summary.{kind}") for kind in ("csv", "md")]
  with records.atomic(paths[0]) as file:
    csv.writer(file).writerows([columns, *rows])
  with records.atomic(paths[1]) as file:
    file.write(report.markdown_table(columns, rows))
  return paths


def _measured(folder):
  """Name of the metric, after its method and setting -> value; empty without a record."""
  path = os.path.join(folder, reproduce.RECORD)
  if not os.path.exists(path):
    return {}
  found = {}
  record = records.read_json(path)
  for row in record["rows"]:
    parts = (row.get("method"), results_page.setting_text(row.get("setting", {})), row["metric"])
    found[" ".join(filter(None, parts))] = row["value"]
  return {**found, "seconds": record["seconds"]}
