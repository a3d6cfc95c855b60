"""What the tests of the room share: one tiny run of each experiment through the one path."""

import pytest

from garden.core import config
from garden.core import evaluate
from garden.core import run as run_lib
from garden.core import train


def _run(folder, gin_file):
  text = config.load([gin_file])
  run = run_lib.Run()
  train.train(run, str(folder), text)
  loaded, load = [], evaluate.load
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(evaluate, "load", lambda *args: loaded.append(load(*args)) or loaded[-1])
    rows = evaluate.evaluate(run, str(folder))
  return run, folder, rows, loaded[0][0]


@pytest.fixture(scope="session")
def dagan_run(tmp_path_factory):
  """`(run, folder, rows, model)` of a trained and measured `dagan/tiny.gin`. Shared: read it."""
  return _run(tmp_path_factory.mktemp("dagan") / "run", "dagan/tiny.gin")


@pytest.fixture(scope="session")
def began_run(tmp_path_factory):
  """The same of `dagan/began_tiny.gin`."""
  return _run(tmp_path_factory.mktemp("began") / "run", "dagan/began_tiny.gin")
