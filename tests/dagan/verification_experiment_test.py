"""Tests of DA-GAN on photographs: a tiny run on a small CFP through the one path."""

import importlib.util
import pathlib

import numpy as np
import pytest

from garden.core import config
from garden.core import evaluate
from garden.core import run as run_lib
from garden.core import train

_SMALL = ["STEPS = 4", "BATCH_SIZE = 4", "Run.steps_per_epoch = 2", "Run.steps_per_execution = 1",
          "dagan.Network.filters = 4", "dagan.Network.hidden = 8",
          "dagan.Network.refiner_filters = (4, 8)", "dagan.Recipe.warm_up = 2",
          "dagan.Verification.shown = 4", "dagan.Judges.epochs = 1", "dagan.Judges.examples = 16",
          "dagan.Judges.seeds = 1"]


@pytest.fixture(scope="module")
def cfp_run(tmp_path_factory):
  """`(experiment, folder, rows, model)`."""
  path = pathlib.Path(__file__).parents[1] / "datasets" / "cfp" / "conftest.py"
  spec = importlib.util.spec_from_file_location("small_cfp", path)
  small = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(small)
  root = tmp_path_factory.mktemp("cfp")
  small.draw(root / "cfp")
  text = config.load(["dagan/cfp.gin"], [*_SMALL, f"faces.CFP.folder = {str(root / 'cfp')!r}",
                                         f"faces.CFP.data_dir = {str(root / 'tfds')!r}"])
  run, folder = run_lib.Run(), root / "run"
  train.train(run, str(folder), text)
  model, data = evaluate.load(run, str(folder))
  return run.experiment, folder, run.experiment.evaluate(model, data), model


def test_each_method_is_verified(cfp_run):
  found = {}
  for row in cfp_run[2]:
    found.setdefault(row["method"], set()).add(row["metric"])
    assert np.isfinite(row["value"])
  protocol = {"fp_accuracy", "fp_auc", "fp_eer", "fp_tar_at_far_0.1", "fp_tar_at_far_0.01", "rank1"}
  quality = {"fid", "kid", "fid_masked", "identity_heldout", "identity_cosine"}
  assert found == {"frontal_only": protocol, "true": protocol, "raw": protocol | quality,
                   "refined": protocol | quality}


def test_no_person_that_is_measured_on_is_learnt(cfp_run):
  experiment = cfp_run[0]
  learnt = {image.tobytes() for image in experiment.train.image}
  assert not learnt & {image.tobytes() for image in experiment.heldout.image}
  assert experiment.new is None
  batch = next(iter(experiment.datasets().stages[1].batches(0)))
  assert (batch["simulated"]["identity"].numpy() >= 0).all()


def test_predictions_and_figures(cfp_run):
  experiment, _, _, model = cfp_run
  columns = experiment.predictions(model, None)
  assert {len(values) for values in columns.values()} == {4 * len(experiment.pairs)}
  titles = [section.title for section in experiment.figures(model, None)]
  assert titles[:4] == ["Frontal against profile", "Likeness", "Before and after",
                        "True against false acceptance"]
  assert "Features of real and refined faces" in titles

