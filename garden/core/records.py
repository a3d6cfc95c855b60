"""What a `model_dir` holds, and how it is written.

    config.gin             every binding, written before the first step
    operative_config.gin   the bindings that were used, after the build
    checkpoints/           the last three saves
    best/                  the best one by `Run.best_metric`, with best.json
    metrics.jsonl          a line an epoch
    results.json           what `evaluate` measured
    export/<version>/      SavedModels

Each file is written beside its place and renamed, so a kill or a full disk
leaves the old one or the new one, never half of one.
"""

import contextlib
import json
import os
import tempfile

CONFIG_VERSION = 1
_HEADER = f"# garden config, format {CONFIG_VERSION}\n"


@contextlib.contextmanager
def atomic(path, mode="w"):
  """Opens a file that appears at `path` only if the block succeeds.

  Args:
    path: where the file is to be; its folder is made if missing.
    mode: "w" or "wb".

  Yields:
    The open file.
  """
  encoding = None if "b" in mode else "utf-8"
  if os.path.exists(path) and not os.path.isfile(path):
    # A pipe or a device, like /dev/null, must be written to, never replaced.
    with open(path, mode, encoding=encoding) as file:
      yield file
    return
  folder = os.path.dirname(os.path.abspath(path))
  os.makedirs(folder, exist_ok=True)
  handle, partial = tempfile.mkstemp(
      prefix=f".{os.path.basename(path)}.", dir=folder)
  try:
    with os.fdopen(handle, mode, encoding=encoding) as file:
      yield file
      file.flush()
      os.fsync(file.fileno())
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(partial, 0o666 & ~umask)
    os.replace(partial, path)
  finally:
    if os.path.exists(partial):
      os.unlink(partial)


def write_text(path, text):
  """Writes `text` to `path` atomically."""
  with atomic(path) as file:
    file.write(text)


def write_json(path, value):
  """Writes `value` to `path` as JSON, atomically."""
  write_text(path, json.dumps(value, indent=1, sort_keys=False) + "\n")


def read_json(path):
  """Reads a JSON file."""
  with open(path, encoding="utf-8") as file:
    return json.load(file)


def config_path(model_dir):
  """The path of a run's config."""
  return os.path.join(model_dir, "config.gin")


def check_config(model_dir, text):
  """Refuses a folder that holds another run's config; writes nothing.

  Args:
    model_dir: folder of the run; may be missing.
    text: the whole config, gin syntax.

  Raises:
    ValueError: it holds another one.
  """
  path = config_path(model_dir)
  if not os.path.exists(path):
    return
  with open(path, encoding="utf-8") as file:
    before = file.read()
  if before != _HEADER + text:
    there, here = _first_difference(before, _HEADER + text)
    raise ValueError(
        f"{model_dir} holds another run: it has `{there}`, this one has "
        f"`{here}`; choose another --model_dir, or remove that one")


def write_config(model_dir, text):
  """Records the config before the first step.

  Args:
    model_dir: folder of the run; made if missing.
    text: the whole config, gin syntax.

  Raises:
    ValueError: the folder holds another run's config.
  """
  check_config(model_dir, text)
  if not os.path.exists(config_path(model_dir)):
    write_text(config_path(model_dir), _HEADER + text)


def _first_difference(before, after):
  """The first binding that differs, for the message."""
  old, new = before.splitlines(), after.splitlines()
  gone = [line for line in old if line and line not in new]
  come = [line for line in new if line and line not in old]
  return (gone or ["nothing there"])[0], (come or ["nothing there"])[0]


def require_config(model_dir):
  """Returns the path of a run's config.

  Raises:
    FileNotFoundError: there is none.
    ValueError: it has another format.
  """
  path = config_path(model_dir)
  if not os.path.exists(path):
    raise FileNotFoundError(
        f"{model_dir} holds no config.gin: not a run of this program; give "
        "the --model_dir of a training run")
  with open(path, encoding="utf-8") as file:
    first = file.readline()
  if first != _HEADER:
    raise ValueError(
        f"{path} opens with {first.strip()!r}, not {_HEADER.strip()!r}: written "
        "by another version; train again, or mend the file by hand")
  return path


def truncate_metrics(model_dir, total_steps):
  """Cuts `metrics.jsonl` back to the lines up to a restored step."""
  path = os.path.join(model_dir, "metrics.jsonl")
  if not os.path.exists(path):
    return
  kept = [line for line in read_metrics(model_dir)
          if line["total_steps"] <= total_steps]
  write_text(path, "".join(json.dumps(line) + "\n" for line in kept))


def append_metrics(model_dir, line):
  """Appends a line to `metrics.jsonl`."""
  path = os.path.join(model_dir, "metrics.jsonl")
  with open(path, "a", encoding="utf-8") as file:
    file.write(json.dumps(line) + "\n")


def read_metrics(model_dir):
  """Returns the lines of `metrics.jsonl` as dicts; none if there is no file.

  A last line that a kill cut short is left out.
  """
  path = os.path.join(model_dir, "metrics.jsonl")
  if not os.path.exists(path):
    return []
  with open(path, encoding="utf-8") as file:
    text = file.read()
  complete = text[:text.rfind("\n") + 1]
  return [json.loads(line) for line in complete.splitlines()]
