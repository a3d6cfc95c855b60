"""Tests of garden.core.processes."""

import os

import pytest

from garden.core import processes


def _answer(name):
  """Run in the child."""
  if name == "fail":
    raise SystemExit(3)
  return os.environ[name]


def test_the_child_has_its_environment_and_the_parent_keeps_its_own(monkeypatch):
  monkeypatch.setenv("GARDEN_TEST_A", "7")
  monkeypatch.delenv("GARDEN_TEST_B", raising=False)
  child = {"GARDEN_TEST_A": "5", "GARDEN_TEST_B": "6"}
  assert processes.in_process("it", _answer, "GARDEN_TEST_A", environment=child) == "5"
  assert processes.in_process("it", _answer, "GARDEN_TEST_B", environment=child) == "6"
  assert os.environ["GARDEN_TEST_A"] == "7"
  assert "GARDEN_TEST_B" not in os.environ


def test_a_failure_is_named():
  with pytest.raises(ValueError, match="the run x ended with exit code 3; see its messages"):
    processes.in_process("the run x", _answer, "fail")
