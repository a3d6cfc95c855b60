"""Trains the experiment of a gin file, or goes on where it was stopped."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from garden.core import cli  # noqa: E402
from garden.core import train as train_lib  # noqa: E402
from garden.core.run import Run  # noqa: E402


def _main():
  text = cli.load_config()
  run = Run()
  if cli.FLAGS.dry_run:
    print(text)
    return
  model_dir = cli.require_model_dir()
  train_lib.train(run, model_dir, text)
  print(f"trained; evaluate with --model_dir={model_dir}")


def main():
  """Entry point of garden-train."""
  cli.define_config_flags()
  cli.run(_main, __doc__)


if __name__ == "__main__":
  main()
