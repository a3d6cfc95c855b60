"""The tour of the garden: every method once, on data that needs no download."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags  # noqa: E402

from garden.core import cli  # noqa: E402
from garden.core import demo  # noqa: E402
from garden.core import report  # noqa: E402


def _main():
  rows, page = demo.demo(cli.FLAGS.output_dir)
  print()
  print(report.markdown_table(*demo.summary(rows)))
  print(f"report: {os.path.abspath(page)}")


def main():
  """Entry point of garden-demo."""
  flags.DEFINE_string("output_dir", "demo_output",
                      "Folder of the runs and of the report.")
  cli.run(_main, __doc__)


if __name__ == "__main__":
  main()
