"""The folder that TF Serving is started on: every model, its versions, and two settings files.

    serving/
      models.config             the models by name, for --model_config_file
      batching_parameters.txt   how requests are put together, for --batching_parameters_file
      <model>/<version>/        SavedModels with their warm-up requests

Both files are text protos, written as text, so that this needs no package of TF Serving's.
"""

import os
import re

import tensorflow as tf

from garden.core import export as export_lib
from garden.core import records
from garden.core import run as run_lib

#: Where TF Serving's image looks for models, and so where the folder is mounted: a base path must
#: be absolute, and this one stays right when the folder is moved.
MODELS = "/models"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BATCHING = """\
# A batch goes off when it is full, or when its first request has waited so long.
max_batch_size { value: 64 }
batch_timeout_micros { value: 2000 }
# What comes beyond is refused with UNAVAILABLE rather than left to wait.
max_enqueued_batches { value: 100 }
# As many as the server has cores for.
num_batch_threads { value: 2 }
"""


def trained_runs(root):
  """The runs below a folder that have a checkpoint, by the name that each is served under.

  Args:
    root: a folder of runs, or of folders of them.

  Returns:
    dict, sorted by name: `a-b` -> `root/a/b`.

  Raises:
    ValueError: there is none, two have one name, or a name is none for a URL.
  """
  found = {}
  for folder, below, files in os.walk(root):
    below.sort()
    if os.path.basename(records.config_path(folder)) not in files:
      continue
    below.clear()  # a run's folder holds no other run
    if tf.train.latest_checkpoint(os.path.join(folder, "checkpoints")) is None:
      continue
    path = os.path.relpath(folder, root)
    name = (os.path.basename(os.path.abspath(root)) if path == os.curdir
            else path.replace(os.sep, "-"))
    if not _NAME.fullmatch(name):
      raise ValueError(f"{folder} would be served as {name!r}, which is no name for a URL; rename "
                       "it with letters, digits and . _ -")
    if name in found:
      raise ValueError(f"{found[name]} and {folder} would both be served as {name!r}; rename one")
    found[name] = folder
  if not found:
    raise ValueError(f"{root} holds no trained run; give the folder that the --model_dir of your "
                     "runs lie in")
  return dict(sorted(found.items()))


def export_all(root, output_dir, bindings=(), best=False):
  """Exports every trained run below a folder, each as a new version of its model.

  The settings files are written after each, so that a kill leaves what can be served.

  Args:
    root: folder of the runs.
    output_dir: folder of the models; those that are in it already stay.
    bindings: gin bindings that win over the recorded configs.
    best: export the best checkpoints rather than the last.

  Yields:
    The path of each new version.

  Raises:
    ValueError: see `trained_runs`.
  """
  for name, folder in trained_runs(root).items():
    run = run_lib.from_model_dir(folder, bindings)
    path = export_lib.export(run, folder, os.path.join(output_dir, name), best)
    write(output_dir)
    yield path


def write(output_dir):
  """Writes `models.config` and `batching_parameters.txt` beside the models of a folder.

  `batching_parameters.txt` is written once: what somebody tuned in it stays.

  Args:
    output_dir: folder of the models.

  Returns:
    The names of the models.
  """
  names = sorted(name for name in os.listdir(output_dir)
                 if versions(os.path.join(output_dir, name)))
  entries = "".join(
      f'  config {{\n    name: "{name}"\n    base_path: "{MODELS}/{name}"\n'
      '    model_platform: "tensorflow"\n  }\n' for name in names)
  records.write_text(
      os.path.join(output_dir, "models.config"),
      "# Written anew by each `garden-export --all`. The newest version of each model is served.\n"
      f"model_config_list {{\n{entries}}}\n")
  batching = os.path.join(output_dir, "batching_parameters.txt")
  if not os.path.exists(batching):
    records.write_text(batching, _BATCHING)
  return names


def versions(folder):
  """The versions of a model, as TF Serving finds them: sub-folders that are a number, sorted."""
  if not os.path.isdir(folder):
    return []
  return sorted(int(name) for name in os.listdir(folder)
                if name.isdigit() and os.path.exists(os.path.join(folder, name, "saved_model.pb")))
