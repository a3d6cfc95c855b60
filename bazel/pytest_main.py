"""Runs pytest on the files named on the command line; the entry point of each Bazel test."""

import sys

import pytest

if __name__ == "__main__":
  sys.exit(pytest.main(["--import-mode=importlib", "-m", "not torture", *sys.argv[1:]]))
