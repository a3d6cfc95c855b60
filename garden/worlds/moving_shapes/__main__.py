"""Writes moving shapes into a folder: `python -m garden.worlds.moving_shapes FOLDER`."""

import argparse
import sys

from garden.worlds.moving_shapes import folders
from garden.worlds.moving_shapes import shapes

_PROGRAM = "moving_shapes"
_USAGE_ERROR = 2


class _Parser(argparse.ArgumentParser):
  """A parser whose errors are one line."""

  def error(self, message):
    """Ends the program."""
    self.exit(_USAGE_ERROR, f"{_PROGRAM}: {message}\n")


def main(argv=None):
  """Runs the program.

  Args:
    argv: list of arguments; those of the command line when None.

  Returns:
    The exit code.
  """
  parser = _Parser(
    prog="python -m garden.worlds.moving_shapes",
    description="Writes photographs and clips of shapes: FOLDER/source, labeled, unlabeled, test.")
  parser.add_argument("folder", metavar="FOLDER", help="a new folder, or an empty one")
  parser.add_argument("--seed", type=int, default=0, help="of all pictures, at least 0")
  args = parser.parse_args(argv)
  try:
    counts = folders.write(args.folder, seed=args.seed)
  except (ValueError, OSError) as error:
    print(f"{_PROGRAM}: {' '.join(str(error).split())}", file=sys.stderr)
    return _USAGE_ERROR
  for part, count in counts.items():
    names = shapes.SOURCE_CLASSES if part == "source" else shapes.TARGET_CLASSES
    print(f"{args.folder}/{part}: {count} images of {', '.join(names)}")
  return 0


if __name__ == "__main__":
  sys.exit(main())
