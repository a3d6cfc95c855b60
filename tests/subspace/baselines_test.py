"""Tests of the classical methods as an experiment."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import evaluate
from garden.core import export
from garden.core import run as run_lib
from garden.core import train
from garden.subspace import baselines
from garden.subspace import data
from garden.subspace import settings

_METHODS = {
  "ridge": ("ridge", {"lam": 0.01}),
  "ssc_omp": ("ssc_omp", {"nnz": 2}),
  "kmeans": ("kmeans", {}),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
  """36 positive images in three independent planes of R^36.

  With this seed each plane is one connected part of the graph of SSC-OMP, too. With most others
  a plane falls apart, the leading eigenvectors aren't unique, and labels hang on the machine's
  linear algebra.
  """
  rng = np.random.default_rng(8)
  labels = np.arange(36) % 3
  planes = np.zeros((3, 2, 36))
  for k in range(3):
    planes[k, :, 12 * k : 12 * k + 12] = rng.uniform(0.1, 1, (2, 12))
  pixels = np.einsum("nr,nrd->nd", rng.uniform(0.1, 0.5, (36, 2)), planes[labels])
  path = tmp_path_factory.mktemp("data") / "planes.npz"
  np.savez(path, images=pixels.reshape(-1, 6, 6).astype(np.float32), labels=labels)
  return data.Source(str(path), 3)


def _pixels(source, methods=None):
  return baselines.Baselines(source, methods or _METHODS, settings.Affinity(alpha=1.0, dim=2))


def _network(source):
  return baselines.Baselines(
    source, _METHODS, settings.Affinity(alpha=1.0, dim=2), settings.Network((3,), (2,)),
    settings.Pretraining(steps=4, batch_size=12),
  )  # fmt: skip


def _train(experiment, folder):
  run = run_lib.Run(experiment=experiment, steps_per_epoch=2, tensorboard=False)
  train.train(run, str(folder), "")
  return run


def test_methods_on_pixels_find_planes_without_training(source, tmp_path):
  run = _train(_pixels(source), tmp_path)
  rows = evaluate.evaluate(run, str(tmp_path))
  values = {(row["method"], row["metric"]): row["value"] for row in rows}
  assert {method for method, _ in values} == set(_METHODS)
  assert values["ridge", "error_percent"] == 0
  assert values["ridge", "error_percent_plain"] == 0
  assert values["ssc_omp", "error_percent"] == 0
  assert values["kmeans", "error_percent"] == values["kmeans", "error_percent_plain"]
  assert not (tmp_path / "metrics.jsonl").exists()


def test_methods_on_codes_train_an_autoencoder_first(source, tmp_path):
  run = _train(_network(source), tmp_path)
  model, inputs = evaluate.load(run, str(tmp_path))
  assert [x["stage"] for x in model.training_log] == ["pretrain"] * 2
  codes = run.experiment.codes(model)
  assert codes.shape == (36, 3 * 3 * 2)
  np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1)
  assert len({row["method"] for row in run.experiment.evaluate(model, inputs)}) == 3


def test_a_method_runs_once(source, monkeypatch):
  experiment = _pixels(source)
  model = experiment.build_model()
  found = experiment.solve(model, "ridge")
  monkeypatch.setattr(baselines.solvers, "get", None)
  assert experiment.solve(model, "ridge") is found
  assert experiment.clusters(model) is found  # of the first method


@pytest.mark.parametrize("kind", [_pixels, _network])
def test_a_trained_run_is_exported(source, tmp_path, kind, served_alike):
  run = _train(kind(source), tmp_path)
  path = export.export(run, str(tmp_path))
  served_alike(path)
  serve = tf.saved_model.load(path).signatures["serving_default"]
  outputs = serve(images=tf.constant(run.experiment.images.pixels))
  assert outputs["cluster"].shape == [36]
  if kind is _pixels:
    model, _ = evaluate.load(run, str(tmp_path))
    np.testing.assert_array_equal(outputs["cluster"], run.experiment.clusters(model).labels)


def test_figures_are_drawn_without_a_network(source):
  experiment = _pixels(source)
  sections = experiment.figures(experiment.build_model(), experiment.datasets())
  assert len(sections[0].rows) == 6 * len(_METHODS)


def test_what_cannot_be_asked_is_refused(source):
  with pytest.raises(ValueError, match="unknown solver 'rigde'"):
    _pixels(source, {"a": ("rigde", {})})
  with pytest.raises(ValueError, match="both a network and its pretraining"):
    baselines.Baselines(source, _METHODS, settings.Affinity(), settings.Network())
