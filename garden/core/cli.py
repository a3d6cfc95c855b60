"""The command line, one way for every binary.

Flags are defined here and nowhere else. What is wrong with a user's input ends
in one line on standard error and exit code 2; `--verbose` adds the traceback.
"""

import contextlib
import logging
import os
import signal
import sys

import tensorflow as tf
from absl import app
from absl import flags
from absl import logging as absl_logging

from garden.core import checkpoints
from garden.core import config

USAGE_ERROR = 2
#: Among them are all that a user can mend; `is_users` tells which.
ERRORS = (app.UsageError, ValueError, OSError, MemoryError,
          checkpoints.NotFiniteError, RuntimeError, tf.errors.OpError)
# What TensorFlow says of a disk, in the system's words.
_DISK = ("No space left on device", "Read-only file system", "Permission denied",
         "Not a directory", "File too large", "Disk quota exceeded")
FLAGS = flags.FLAGS


def define_config_flags():
  """Flags of the binaries that begin a run."""
  flags.DEFINE_multi_string(
      "gin_file", [], "A gin file, or the name of a shipped config like "
      "subspace/orl.gin. Repeatable; later ones win.")
  define_binding_flags()
  flags.DEFINE_bool(
      "dry_run", False, "Read and build the config, print it, and stop.")


def define_binding_flags():
  """Flags of every binary that reads a config."""
  flags.DEFINE_multi_string(
      "gin_bindings", [], 'A binding like "SEED = 1". Repeatable; wins over '
      "the files.")
  flags.DEFINE_string("model_dir", None, "Folder of the run.")


def define_best_flag():
  """Flag of the binaries that read a trained run."""
  flags.DEFINE_bool("best", False, "Use the best checkpoint, not the last.")


def usage_error(message):
  """Ends the binary with one line and exit code 2."""
  raise app.UsageError(message)


def cause(error, names):
  """One clause of several images that were left out: three by name, and the cause.

  Args:
    error: the text of the cause.
    names: of the images.
  """
  if names[0] in error:
    return error
  more = [f"{len(names) - 3} more"] if len(names) > 3 else []
  return f"{', '.join([*names[:3], *more])}: {error}"


def run(main, usage, positional=False):
  """Runs a binary.

  Args:
    main: a function that returns an exit code or None; without arguments, or of
      the list of those that aren't flags.
    usage: one line on what the binary does, shown by --help.
    positional: whether arguments that aren't flags are given to `main`; they are
      a mistake of the user's otherwise.
  """
  if "verbose" not in FLAGS:
    flags.DEFINE_bool("verbose", False, "Show the traceback of an error.")
  sys.modules["__main__"].__doc__ = usage
  _show_in_help()
  # A pipe closed by `head` is no error worth a traceback.
  with contextlib.suppress(ValueError):
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
  app.run(lambda argv: _guarded(main, argv, positional), flags_parser=_parse)


def _show_in_help():
  """Has --help list the flags of this module and of the binary's own.

  Absl lists those of the file that was started, which for an installed command
  is a stub without flags.
  """
  started = sys.argv[0]
  for module, defined in FLAGS.flags_by_module_dict().items():
    if module in (__name__, started) or module.startswith("garden.tools."):
      for flag in defined:
        FLAGS.register_key_flag_for_module(started, flag)


def _parse(argv):
  """Absl's parser, with its error as one line and exit code 2."""
  try:
    return FLAGS(argv)
  except SystemExit:
    sys.exit(0)  # --help and its kin, which absl ends with 1.
  except (flags.Error, ValueError) as error:  # a ValueError for --nodry_run=1
    _say(str(error).replace("\n", " "))
    sys.exit(USAGE_ERROR)


def _guarded(main, argv, positional=False):
  """Calls `main`; turns a user's mistake into one line."""
  absl_logging.set_verbosity(
      absl_logging.INFO if FLAGS.verbose else absl_logging.WARNING)
  absl_logging.get_absl_handler().setFormatter(
      logging.Formatter("%(levelname)s: %(message)s"))
  try:
    if positional:
      return main(argv[1:])
    if len(argv) > 1:
      usage_error(f"unexpected argument {argv[1]!r}; flags begin with --")
    return main()
  except KeyboardInterrupt:
    _say("interrupted; the same command goes on from the last save")
    return 130
  except ERRORS as error:
    if FLAGS.verbose or not is_users(error):
      raise
    # A checkpoint that didn't fit is otherwise told weight by weight, on exit.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    _say(one_line(error))
    return USAGE_ERROR


def is_users(error):
  """Whether one of `ERRORS` speaks of the user's input rather than of a defect here.

  TensorFlow's own errors and other RuntimeErrors are defects, but for those of a
  disk or of too little memory, and gin's message about a value that the config
  doesn't give.
  """
  if isinstance(error, tf.errors.OpError):
    return (isinstance(error, tf.errors.ResourceExhaustedError)
            or any(words in str(error) for words in _DISK))
  if isinstance(error, (checkpoints.NotFiniteError, checkpoints.SaveError)):
    return True
  if isinstance(error, RuntimeError):
    return "Required bindings" in str(error)
  return True


def one_line(error):
  """The message of an error on one line, without what gin appends to it."""
  text = str(error).split("\n  In call to configurable")[0]
  if isinstance(error, tf.errors.OpError):
    text = checkpoints.reason(error)
  if "OOM when allocating" in text:
    text += "; make the batches or the network smaller"
  if isinstance(error, OSError) and error.strerror and error.filename:
    text = f"{error.filename}: {error.strerror}"
  return " ".join(text.split()) or type(error).__name__


def _say(message):
  name = os.path.basename(sys.argv[0]).removesuffix(".py")
  print(f"{name}: {message}", file=sys.stderr, flush=True)


def load_config():
  """Reads `--gin_file` and `--gin_bindings`.

  Returns:
    The whole config as text.
  """
  return config.load(require_gin_files(), FLAGS.gin_bindings)


def require_gin_files():
  """Returns `--gin_file`, at least one."""
  if not FLAGS.gin_file:
    usage_error("give a config with --gin_file; shipped are "
                + ", ".join(n for n in config.shipped() if "/" in n
                            and not n.startswith("runtime/")))
  return FLAGS.gin_file


def require_model_dir():
  """Returns `--model_dir`."""
  if not FLAGS.model_dir:
    usage_error("give the folder of the run with --model_dir")
  return FLAGS.model_dir


