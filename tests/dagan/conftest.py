"""What the tests of the room share: one tiny run of each experiment through the one path."""

import pytest


@pytest.fixture(scope="session")
def dagan_run(measured_run):
  """`(run, folder, rows, model)` of a trained and measured `dagan/tiny.gin`. Shared: read it."""
  return measured_run("dagan/tiny.gin")


@pytest.fixture(scope="session")
def began_run(measured_run):
  """The same of `dagan/began_tiny.gin`."""
  return measured_run("dagan/began_tiny.gin")
