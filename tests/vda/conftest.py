"""What the tests of the room share: one tiny run through the one path."""

import pytest

from garden.core import config
from garden.core import evaluate
from garden.core import run as run_lib
from garden.core import train


@pytest.fixture(scope="session")
def vda_run(tmp_path_factory):
  """`(run, folder, rows, model)` of a trained and measured `vda/tiny.gin`. Shared: read it."""
  folder = tmp_path_factory.mktemp("vda") / "run"
  text = config.load(["vda/tiny.gin"])
  run = run_lib.Run()
  train.train(run, str(folder), text)
  loaded, load = [], evaluate.load
  with pytest.MonkeyPatch.context() as patch:
    # The very model that was measured: its graphs are traced, which takes longer than all else.
    patch.setattr(evaluate, "load", lambda *args: loaded.append(load(*args)) or loaded[-1])
    rows = evaluate.evaluate(run, str(folder))
  return run, folder, rows, loaded[0][0]
