"""Measures a trained run and writes results.json in its folder."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from garden.core import cli  # noqa: E402
from garden.core import evaluate as evaluate_lib  # noqa: E402
from garden.core import run as run_lib  # noqa: E402


def _main():
  model_dir = cli.require_model_dir()
  run = run_lib.from_model_dir(model_dir, cli.FLAGS.gin_bindings)
  rows = evaluate_lib.evaluate(run, model_dir, cli.FLAGS.best)
  for row in rows:
    method = f"{row['method']}  " if "method" in row else ""
    setting = "".join(f"  {name}={value}" for name, value in row.get("setting", {}).items())
    print(f"{method}{row['metric']}  {row['value']:.4g}{setting}")
  print(f"written to {os.path.join(model_dir, 'results.json')}")


def main():
  """Entry point of garden-evaluate."""
  cli.define_binding_flags()
  cli.define_best_flag()
  cli.run(_main, __doc__)


if __name__ == "__main__":
  main()
