"""Writes a trained run as a SavedModel for TF Serving."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags  # noqa: E402

from garden.core import cli  # noqa: E402
from garden.core import export as export_lib  # noqa: E402
from garden.core import run as run_lib  # noqa: E402


def _main():
  model_dir = cli.require_model_dir()
  run = run_lib.from_model_dir(model_dir, cli.FLAGS.gin_bindings)
  print(export_lib.export(run, model_dir, cli.FLAGS.output_dir, cli.FLAGS.best))


def main():
  """Entry point of garden-export."""
  cli.define_binding_flags()
  cli.define_best_flag()
  flags.DEFINE_string("output_dir", None,
                      "Folder of the versions; MODEL_DIR/export when not given.")
  cli.run(_main, __doc__)


if __name__ == "__main__":
  main()
