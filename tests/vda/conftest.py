"""What the tests of the room share: one tiny run through the one path."""

import pytest


@pytest.fixture(scope="session")
def vda_run(measured_run):
  """`(run, folder, rows, model)` of a trained and measured `vda/tiny.gin`. Shared: read it."""
  return measured_run("vda/tiny.gin")
