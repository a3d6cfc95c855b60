"""The tour: every room's `demo.gin` trained, measured, exported, served, drawn.

A room joins it by shipping a `demo.gin`. A stop that is finished is not run
again, and a killed one goes on from its last save.
"""

import os
import time

from garden.core import config
from garden.core import processes
from garden.core import records
from garden.core import report
from garden.core import results_page

_DONE = "demo.json"


def stops():
  """The shipped configs of the tour, in order."""
  return [name for name in config.shipped() if name.endswith("/demo.gin")]


def demo(output_dir):
  """Runs the tour.

  Args:
    output_dir: folder of the runs and of the front page.

  Returns:
    `(rows of the summary, path of the front page)`.
  """
  rows = []
  for number, name in enumerate(stops(), 1):
    folder = os.path.join(output_dir, name.split("/")[0])
    done = os.path.join(folder, _DONE)
    if not os.path.exists(done):
      print(f"[{number}/{len(stops())}] {name}", flush=True)
      processes.in_process(f"the stop {name}", run_stop, name, folder)
    rows.append(records.read_json(done))
  return rows, front_page(rows, output_dir)


def run_stop(name, folder):
  """One stop: the whole path of a method."""
  from garden.core import evaluate as evaluate_lib  # TensorFlow, in the child.
  from garden.core import export as export_lib
  from garden.core import predict as predict_lib
  from garden.core import run as run_lib
  from garden.core import run_report
  from garden.core import train as train_lib
  start = time.monotonic()
  text = config.load([name])
  run = run_lib.Run()
  train_lib.train(run, folder, text)
  print("measuring …", flush=True)
  rows = evaluate_lib.evaluate(run, folder)
  print("exporting …", flush=True)
  saved = export_lib.export(run, folder)
  images = os.path.join(folder, "images")
  served = predict_lib.write_images(run.experiment.sample_images(), images)
  if served:
    print("predicting …", flush=True)
    predict_lib.predict(saved, [images],
                        os.path.join(folder, "predictions.csv"))
  print("drawing …", flush=True)
  page = run_report.report(run, folder)
  records.write_json(os.path.join(folder, _DONE), {
      "title": run.experiment.title, "config": name, "rows": rows,
      "report": os.path.relpath(page, os.path.dirname(folder)),
      "saved_model": os.path.relpath(saved, os.path.dirname(folder)),
      "served": served, "seconds": round(time.monotonic() - start, 1)})


def summary(rows):
  """The table that the tour ends with: `(columns, rows)`."""
  lines = []
  for stop in rows:
    for row in stop["rows"]:
      lines.append([stop["title"], row.get("method", "this run"),
                    results_page.setting_text(row.get("setting", {})), row["metric"],
                    f"{row['value']:.4g}"])
  return ["stop", "method", "setting", "metric", "value"], lines


def front_page(rows, output_dir):
  """Writes `index.html`, a page that leads to each stop's report."""
  columns, lines = summary(rows)
  sections = [report.Text("Stops", "\n".join(
      f"- [{stop['title']}]({stop['report']}): `{stop['config']}`, SavedModel in "
      f"`{stop['saved_model']}`, {stop['seconds']:.0f} seconds"
      for stop in rows))]
  sections.append(report.Table(
      "Results", columns, lines,
      "What each stop measured; its own page says what the metrics mean."))
  return report.write_report(
      os.path.join(output_dir, "index.html"), "The garden's tour", sections,
      "Each stop was trained, measured, exported, served and drawn on this "
      "machine by one config.")
