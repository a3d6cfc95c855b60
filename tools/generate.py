"""Makes a set of block towers, or goes on where it was stopped."""

import difflib
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for _name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
  os.environ.setdefault(_name, "1")  # read by TF when it is imported; --processes shares the work

from absl import flags  # noqa: E402

from garden.core import cli  # noqa: E402


def _main():
  from garden.datasets.block_towers import block_towers_dataset_builder as builder_lib
  from garden.datasets.block_towers import configs

  if cli.FLAGS.list:
    for config in configs.CONFIGS.values():
      towers = ", ".join(f"{split} {count}" for split, count in config.towers.items())
      print(f"{config.name}: {config.description} {towers}")
    return
  config = cli.FLAGS.config
  if config not in configs.CONFIGS:
    near = difflib.get_close_matches(config, configs.CONFIGS, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    cli.usage_error(f"there is no config {config!r}: {hint}there are "
                    f"{', '.join(configs.CONFIGS)}")
  data_dir = os.path.expanduser(cli.FLAGS.data_dir or builder_lib.default_data_dir())
  towers = configs.parse_towers(cli.FLAGS.towers)
  builder = builder_lib.Builder(config=config, towers=towers, data_dir=data_dir)
  processes = cli.FLAGS.processes
  made = builder.download_and_prepare(
      processes=len(os.sched_getaffinity(0)) if processes is None else processes)
  for name, split in builder.info.splits.items():
    print(f"{name}: {split.num_examples} towers in {split.num_shards} files")
  print(f"{len(made)} files made, the others were there; {builder.data_dir}")
  print(f"load with tfds.builder_from_directory({str(builder.data_dir)!r}).as_dataset(split="
        f"{next(iter(builder.info.splits))!r})")


def main():
  """Entry point of garden-generate."""
  flags.DEFINE_string("config", "towers_64", "Name of a config; --list shows all.")
  flags.DEFINE_string("data_dir", None, "Folder of the data sets; TFDS's, $TFDS_DATA_DIR or "
                      "~/tensorflow_datasets, when not given.")
  flags.DEFINE_list("towers", [], "Numbers of towers in place of the config's, like "
                    "train=2000,test=200; 0 leaves a split out.")
  flags.DEFINE_integer("processes", None, "How many processes make towers; one a core when not "
                       "given.", lower_bound=1)
  flags.DEFINE_bool("list", False, "List the configs and stop.")
  cli.run(_main, __doc__)


if __name__ == "__main__":
  main()
