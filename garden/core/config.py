"""Gin at the edges: finding files, reading them, and refusing mistakes.

A config is composed of files (`include`) and bindings; public knobs are
UPPER_CASE macros. Nothing is skipped: an unknown file, name, parameter or macro
and a macro that nobody uses are errors, each with the nearest name.
"""

import contextlib
import difflib
import importlib
import inspect
import logging
import os
import re
import tokenize

import gin

import garden
from garden.core import bindings as bindings_lib

_PACKAGE = os.path.dirname(os.path.abspath(garden.__file__))
_MACRO = re.compile(r"^([A-Za-z_][\w./]*) *= *", re.MULTILINE)
_REFERENCE = re.compile(r"%([A-Za-z_][\w./]*)")
_ROOM = re.compile(r"^ *import +(garden\.\w+) *(?:#.*)?$", re.MULTILINE)
_STRING = re.compile(r"'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"")


def root():
  """The folder of the shipped configs.

  `garden/configs` where the package was installed from a wheel; the
  repository's `gin/` in a checkout and in an editable install, which can't map
  folders.
  """
  installed = os.path.join(_PACKAGE, "configs")
  if os.path.isdir(installed):
    return installed
  return os.path.join(os.path.dirname(_PACKAGE), "gin")


def shipped():
  """The names of the shipped configs, like `subspace/orl.gin`, sorted."""
  names = []
  for folder, _, files in os.walk(root()):
    for name in files:
      if name.endswith(".gin"):
        path = os.path.relpath(os.path.join(folder, name), root())
        names.append(path.replace(os.sep, "/"))
  return sorted(names)


def resolve(name):
  """Finds a gin file.

  Args:
    name: a path, or the name of a shipped config with or without `.gin`.

  Returns:
    An absolute path.

  Raises:
    FileNotFoundError: no such file; offers the nearest shipped names.
  """
  for candidate in (name, f"{name}.gin"):
    for path in (candidate, os.path.join(root(), candidate)):
      if os.path.isfile(path):
        return os.path.abspath(path)
  raise FileNotFoundError(
      f"no gin file {name!r} here or in the shipped configs"
      + suggestion(name if name.endswith(".gin") else f"{name}.gin", shipped()))


def suggestion(name, names):
  """Returns "; did you mean …?" with the nearest names, or an empty string."""
  near = difflib.get_close_matches(name, list(names), n=2, cutoff=0.6)
  if not near:  # Dotted names: the last part alone may be what was meant.
    short = {n.rsplit(".", 1)[-1].rsplit("/", 1)[-1]: n for n in names}
    tail = name.rsplit(".", 1)[-1].rsplit("/", 1)[-1]
    near = [short[n] for n in difflib.get_close_matches(tail, short, n=2)]
  return f"; did you mean {' or '.join(near)}?" if near else ""


def load(gin_files=(), bindings=()):
  """Reads a config into gin, replacing what was there.

  Args:
    gin_files: paths or shipped names, in order.
    bindings: strings like `SEED = 1`, which win over the files.

  Returns:
    The whole config as text that gin reads back.

  Raises:
    FileNotFoundError: a file, or a file that one includes, isn't there.
    ValueError: anything else that is wrong, in one line.
  """
  # The root of every config, registered on import; it imports this module.
  from garden.core import run  # noqa: F401
  paths = [resolve(name) for name in gin_files]
  gin.clear_config()
  with _includes_from_root():
    for path in paths:
      _parse(lambda path=path: _read_file(path), path)
    for binding in bindings:
      _parse(lambda binding=binding: _read(binding), f"--gin_bindings={binding!r}")
  with full_names():
    text = gin.config_str()
  lint_macros(text)
  bindings_lib.check()
  return text


@contextlib.contextmanager
def full_names():
  """Makes gin print `transfer.Network` where `Network` would do.

  Which short names do depends on the rooms that happen to be imported; a config
  that is written down must be read where others are.
  """
  # gin offers no switch for it; its printers all ask this one method.
  registry = gin.config._REGISTRY
  registry.minimal_selector = lambda selector: selector
  try:
    yield
  finally:
    del registry.minimal_selector


def lint_macros(text):
  """Refuses macros that nobody uses, and uses of macros that nobody set.

  Args:
    text: a whole config as `gin.config_str` prints it.

  Raises:
    ValueError: names the macro and the nearest one.
  """
  code = "\n".join(line for line in _STRING.sub("''", text).splitlines()
                   if not line.lstrip().startswith("#"))
  defined = {m for m in _MACRO.findall(code) if "." not in m}
  used = {m for m in _REFERENCE.findall(code) if m != "gin.REQUIRED"}
  for name in sorted(used - defined):
    raise ValueError(f"macro %{name} is used but never set"
                     + suggestion(name, defined - used or defined))
  for name in sorted(defined - used):
    raise ValueError(f"macro {name} is set but nothing uses it"
                     + suggestion(name, used))
  required = re.findall(r"^([\w./]+) = \\?\s*%gin\.REQUIRED", code,
                        re.MULTILINE)
  required = [name.removeprefix("garden.") for name in required]
  if required:
    raise ValueError(
        f"this config needs a value for {', '.join(sorted(set(required)))}; "
        f"give --gin_bindings=\"{required[0]} = ...\"")


def _read_file(path):
  with open(path, encoding="utf-8") as file:
    _import_rooms(file.read())
  gin.parse_config_file(path)


def _read(text):
  _import_rooms(text)
  gin.parse_config(text)


def _import_rooms(text):
  """Makes `import garden.<room>` bring all that a room offers, its experiments too.

  Shipped files name the modules of experiments. Those of users and of earlier runs
  may name the room, which imports its experiments only when they are asked for.
  """
  for name in _ROOM.findall(text):
    room = importlib.import_module(name)
    for offered in getattr(room, "__all__", ()):
      getattr(room, offered)


def _parse(read, where):
  """Runs one of gin's parsers and turns what it raises into one line."""
  try:
    read()
  except SyntaxError as error:
    raise ValueError(f"{where}: not gin syntax: {error.msg}"
                     f"{f' in line {error.lineno}' if error.lineno else ''}"
                     f": {(error.text or '').strip()}") from error
  except tokenize.TokenError as error:
    raise ValueError(f"{where}: not gin syntax: {error.args[0]}: a bracket or a "
                     "string isn't closed") from error
  except (ImportError, NameError) as error:
    raise ValueError(f"{where}: {_first_line(error)}") from error
  except OSError as error:
    missing = re.search(r"Unable to open file: (\S+?)\. ", str(error))
    if not missing:
      raise
    raise FileNotFoundError(
        f"{where} includes {missing.group(1)!r}, which isn't here or in the "
        "shipped configs" + suggestion(missing.group(1), shipped())) from error
  except (ValueError, TypeError, RuntimeError, AttributeError) as error:
    raise ValueError(f"{where}: {_explain(_first_line(error))}") from error


def _first_line(error):
  lines = [line.strip() for line in str(error).splitlines() if line.strip()]
  return lines[0] if lines else type(error).__name__


def _explain(message):
  """Adds the nearest known name to gin's message about an unknown one."""
  unknown = re.search(r"No configurable matching (?:reference )?'@?([\w./]+)",
                      message)
  if unknown:
    return (message.rstrip(".")
            + suggestion(unknown.group(1).split("/")[-1], registered()))
  parameter = re.search(
      r"Configurable '([\w.]+)' doesn't have a parameter named '(\w+)'", message)
  if parameter:
    # The class itself: gin's wrapper of one takes *args and **kwargs.
    target = gin.config._REGISTRY.get_match(parameter.group(1)).wrapped
    names = list(inspect.signature(target).parameters)
    return (message.rstrip(".") + suggestion(parameter.group(2), names)
            + f" (it has {', '.join(names)})")
  return message


def registered():
  """The names that a config may use."""
  # gin offers no public list of what was registered with it.
  selectors = gin.config._REGISTRY._selector_map
  return sorted(s for s in selectors if not s.startswith("gin."))


@contextlib.contextmanager
def _includes_from_root():
  """Lets `include 'subspace/base.gin'` find the shipped configs, quietly.

  gin logs "Path not found" as an error for each place that it looks in before
  it finds the file; that line has been reported as the bug more than once.
  """
  if root() not in gin.config._LOCATION_PREFIXES:
    gin.add_config_file_search_path(root())
  logger = logging.getLogger()

  def quiet(record):
    return "Path not found" not in record.getMessage()

  absl_logger = logging.getLogger("absl")
  for target in (logger, absl_logger):
    target.addFilter(quiet)
  try:
    yield
  finally:
    for target in (logger, absl_logger):
      target.removeFilter(quiet)
