"""Times what the garden does against what a user would pick instead."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from garden.core import benchmark
from garden.core import cli


def _main():
  flag = cli.FLAGS
  if flag.data_dir:
    os.environ["GARDEN_DATA_DIR"] = os.path.abspath(flag.data_dir)
  for room in flag.room or benchmark.rooms():
    if flag.list:
      table = benchmark.load(room, flag.gin_bindings)
      print("\n".join([f"{room}:", *benchmark.listing(table, flag.benchmark)]))
      continue
    for path in benchmark.benchmark(room, flag.output_dir, flag.benchmark,
                                    flag.gin_bindings):
      print(path)


def main():
  """Entry point of garden-benchmark."""
  flags.DEFINE_multi_string("room", [], "A room, like subspace; all when not "
                            "given. Repeatable.")
  flags.DEFINE_multi_string("benchmark", [], "A benchmark of the room; all when "
                            "not given. Repeatable.")
  flags.DEFINE_multi_string("gin_bindings", [], "A binding like "
                            '"Benchmarks.threads = 1". Repeatable; wins over the '
                            "file of the room.")
  flags.DEFINE_bool("list", False, "List the benchmarks with their planned "
                    "minutes.")
  flags.DEFINE_string("data_dir", None, "Folder of the real data; "
                      "$GARDEN_DATA_DIR when not given.")
  flags.DEFINE_string("output_dir", "results", "Folder of the tables.")
  cli.run(_main, __doc__)


if __name__ == "__main__":
  main()
