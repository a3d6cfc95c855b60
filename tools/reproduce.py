"""Does the runs behind a table of results/ and writes the table."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags  # noqa: E402

from garden.core import cli  # noqa: E402
from garden.core import reproduce  # noqa: E402


def _main():
  flag = cli.FLAGS
  if flag.data_dir:
    os.environ["GARDEN_DATA_DIR"] = os.path.abspath(flag.data_dir)
  for room in flag.room or reproduce.rooms():
    table = reproduce.load(room)
    if flag.list:
      print("\n".join([f"{room}:", *reproduce.listing(table, flag.experiment)]))
      continue
    for path in reproduce.reproduce(table, flag.output_dir, flag.experiment):
      print(path)


def main():
  """Entry point of garden-reproduce."""
  flags.DEFINE_multi_string("room", [], "A room, like subspace; all when not "
                            "given. Repeatable.")
  flags.DEFINE_multi_string("experiment", [], "An experiment of the room; all "
                            "when not given. Repeatable.")
  flags.DEFINE_bool("list", False, "List the entries with their planned minutes.")
  flags.DEFINE_string("data_dir", None, "Folder of the real data; "
                      "$GARDEN_DATA_DIR when not given.")
  flags.DEFINE_string("output_dir", "results",
                      "Folder of the tables; the runs are in runs/ under it.")
  cli.run(_main, __doc__)


if __name__ == "__main__":
  main()
