"""Evaluation: measures a trained run and records it in its folder."""

import csv
import os
import time

from garden.core import callbacks as callbacks_lib
from garden.core import checkpoints
from garden.core import records


def load(run, model_dir, best=False):
  """Builds a run's model and restores its weights.

  Args:
    run: the `Run` the folder was trained with.
    model_dir: folder of the run.
    best: take the best checkpoint rather than the last.

  Returns:
    `(model, data)`, with the moving averages in the model where the run keeps
    them.
  """
  strategy = run.set_up()
  data = run.experiment.datasets()
  return _restored(run, strategy, model_dir, best), data


def load_model(run, model_dir, best=False):
  """The model of `load` alone: for what needs none of the training data."""
  return _restored(run, run.set_up(), model_dir, best)


def _restored(run, strategy, model_dir, best):
  """The model, built, with the weights of the run."""
  model = run.build(strategy)
  average = (callbacks_lib.MovingAverage(model, run.ema_decay)
             if run.ema_decay is not None and not best else None)
  plateau = callbacks_lib.PlateauStop()
  extra = {"plateau": plateau.state}
  if average:
    extra["ema"] = average.state
  if run.best_metric is not None and not best:
    extra["best"] = callbacks_lib.BestCheckpoint(
        model_dir, run.best_metric, run.best_mode).state
  checkpoints.load_weights(model, model_dir, best, extra)
  if average:
    average.apply(model)
  model.training_log = records.read_metrics(model_dir)
  return model


def evaluate(run, model_dir, best=False):
  """Measures a run and writes `results.json` (and `assignments.csv`-like tables).

  Args:
    run: the `Run`.
    model_dir: folder of the run.
    best: measure the best checkpoint rather than the last.

  Returns:
    The rows: dicts with at least `metric` and `value`.
  """
  start = time.monotonic()
  model, data = load(run, model_dir, best)
  rows = [dict(row) for row in run.experiment.evaluate(model, data)]
  write_predictions(run.experiment, model, data, model_dir)
  records.write_json(os.path.join(model_dir, "results.json"), {
      "rows": rows, "seed": run.seed, "step": int(model.total_steps.numpy()),
      "evaluate_seconds": round(time.monotonic() - start, 2)})
  return rows


def write_predictions(experiment, model, data, model_dir):
  """Writes the experiment's per-image table, if it has one.

  Returns:
    The path of the CSV, or None.
  """
  columns = experiment.predictions(model, data)
  if not columns:
    return None
  path = os.path.join(model_dir, experiment.predictions_file)
  with records.atomic(path) as file:
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
  return path
