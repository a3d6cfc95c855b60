"""Writes trained runs as SavedModels for TF Serving: one, or all below a folder."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags  # noqa: E402

from garden.core import cli  # noqa: E402
from garden.core import export as export_lib  # noqa: E402
from garden.core import run as run_lib  # noqa: E402
from garden.core import serving_layout  # noqa: E402


def _main():
  flag = cli.FLAGS
  if flag.all is None:
    model_dir = cli.require_model_dir()
    run = run_lib.from_model_dir(model_dir, flag.gin_bindings)
    print(export_lib.export(run, model_dir, flag.output_dir, flag.best))
    return
  if flag.model_dir:
    cli.usage_error("give --all or --model_dir, not both")
  if not flag.output_dir:
    cli.usage_error("give the folder of the models with --output_dir")
  for path in serving_layout.export_all(flag.all, flag.output_dir, flag.gin_bindings, flag.best):
    print(path, flush=True)
  print(os.path.join(flag.output_dir, "models.config"))


def main():
  """Entry point of garden-export."""
  cli.define_binding_flags()
  cli.define_best_flag()
  flags.DEFINE_string("all", None, "A folder whose trained runs are all exported, as "
                      "OUTPUT_DIR/<name>/<version>, with models.config for TF Serving.")
  flags.DEFINE_string("output_dir", None,
                      "Folder of the versions; MODEL_DIR/export when not given. With --all, folder "
                      "of the models.")
  cli.run(_main, __doc__)


if __name__ == "__main__":
  main()
