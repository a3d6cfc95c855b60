"""Trains and measures a config at every point of a grid of bindings."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags  # noqa: E402

from garden.core import cli  # noqa: E402
from garden.core import sweep  # noqa: E402


def _main():
  flag = cli.FLAGS
  axes = [sweep.axis(text) for text in flag.grid]
  settings = cli.require_gin_files(), flag.gin_bindings, axes, cli.require_model_dir()
  if flag.dry_run:
    for folder, point in sweep.plan(*settings).items():
      print(f"{folder}: {', '.join(point)}")
    return 0
  failed = sweep.sweep(*settings)
  with open(os.path.join(flag.model_dir, "summary.md"), encoding="utf-8") as file:
    print(file.read(), end="")
  return 1 if failed else 0


def main():
  """Entry point of garden-sweep."""
  cli.define_config_flags()
  flags.DEFINE_multi_string(
      "grid", [], 'A binding with several values, like "SEED = 0, 1, 2". Repeatable; all '
      "combinations are run.")
  cli.run(_main, __doc__)


if __name__ == "__main__":
  main()
