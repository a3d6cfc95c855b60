"""Runs an exported model on image files and writes a CSV."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags  # noqa: E402

from garden.core import cli  # noqa: E402
from garden.core import predict as predict_lib  # noqa: E402


def _main():
  model_dir = cli.require_model_dir()
  if not cli.FLAGS.images:
    cli.usage_error("give image files or folders with --images")
  output = cli.FLAGS.output or os.path.join(model_dir, "predictions.csv")
  count = predict_lib.predict(model_dir, cli.FLAGS.images, output)
  print(f"{count} images, written to {output}")


def main():
  """Entry point of garden-predict."""
  flags.DEFINE_string("model_dir", None, "Folder of the run, or a SavedModel.")
  flags.DEFINE_multi_string("images", [], "An image file or a folder of them. "
                            "Repeatable.")
  flags.DEFINE_string("output", None,
                      "Path of the CSV; MODEL_DIR/predictions.csv when not given.")
  cli.run(_main, __doc__)


if __name__ == "__main__":
  main()
