"""Writes the HTML report of a trained run."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags  # noqa: E402

from garden.core import cli  # noqa: E402
from garden.core import run as run_lib  # noqa: E402
from garden.core import run_report  # noqa: E402


def _main():
  model_dir = cli.require_model_dir()
  run = run_lib.from_model_dir(model_dir, cli.FLAGS.gin_bindings)
  print(run_report.report(run, model_dir, cli.FLAGS.output, cli.FLAGS.best))


def main():
  """Entry point of garden-report."""
  cli.define_binding_flags()
  cli.define_best_flag()
  flags.DEFINE_string("output", None,
                      "Path of the page; MODEL_DIR/report.html when not given.")
  cli.run(_main, __doc__)


if __name__ == "__main__":
  main()
