"""Builds the API reference from the docstrings, as `make docs` does.

    python docs/build_api.py docs/api

What the reference generator warns of (a name that doesn't resolve, a module that can't be
imported) is an error.
"""

import argparse
import os
import pathlib
import pkgutil
import sys
import warnings

import pdoc
import pdoc.render

import garden
from garden import core
from garden import layers
from garden import subspace


def public_modules():
  """What pdoc is to be asked for: `garden`, and what a package hides by what it exports."""
  found = pkgutil.walk_packages(garden.__path__, "garden.")
  names = [module.name for module in found if "._" not in module.name]
  return ["garden", *(name for name in names
                      if hasattr(sys.modules[name.rpartition(".")[0]], "__all__"))]


def build(modules, output):
  """Writes the HTML pages of modules and of all below them.

  Args:
    modules: names, as pdoc takes them.
    output: folder to write to; it is made.

  Raises:
    UserWarning: what pdoc warns of.
  """
  # pdoc shows what a module holds, and these import some of it when it is asked for.
  for module in (core, layers, subspace):
    for name in module.__all__:
      getattr(module, name)
  pdoc.render.configure(docformat="google", show_source=False, footer_text=garden.__version__)
  with warnings.catch_warnings():
    warnings.filterwarnings("error", module=r"pdoc\b")
    # Of TFDS's configs, which builders inherit: it names what only type checkers import.
    warnings.filterwarnings("ignore", r"Error parsing type annotation .*VersionOrStr")
    pdoc.pdoc(*modules, output_directory=pathlib.Path(output))


def main():
  """Builds all pages into the folder named on the command line."""
  parser = argparse.ArgumentParser(description="Builds the API reference.")
  parser.add_argument("output", help="folder to write to")
  os.environ["PDOC_ALLOW_EXEC"] = "1"  # importing MuJoCo runs a program
  build(public_modules(), parser.parse_args().output)


if __name__ == "__main__":
  sys.exit(main())
