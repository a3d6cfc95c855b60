"""The report of one run: its results, what the method draws, its config."""

import os
import platform

import tensorflow as tf

from garden.core import evaluate as evaluate_lib
from garden.core import records
from garden.core import report as report_lib


def report(run, model_dir, output=None, best=False):
  """Writes the HTML report of a trained run.

  Args:
    run: the `Run`.
    model_dir: folder of the run.
    output: path of the page; `model_dir/report.html` when None.
    best: report on the best checkpoint rather than the last.

  Returns:
    The path of the page.
  """
  model, data = evaluate_lib.load(run, model_dir, best)
  sections = list(run.experiment.figures(model, data))
  with open(records.config_path(model_dir), encoding="utf-8") as file:
    sections.append(report_lib.Text("Configuration", file.read(), code=True))
  return report_lib.write_report(
      output or os.path.join(model_dir, "report.html"),
      run.experiment.title, sections, facts=facts(run))


def facts(run):
  """The environment line of a report."""
  return {"seed": str(run.seed), "strategy": run.strategy,
          "precision": run.precision, "TensorFlow": tf.__version__,
          "Python": platform.python_version(),
          "processor": f"{os.cpu_count()} x {platform.machine()}"}
