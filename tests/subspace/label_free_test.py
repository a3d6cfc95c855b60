"""Tests of the clustering in which nothing is chosen on labels."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import evaluate
from garden.core import export
from garden.core import run as run_lib
from garden.core import train
from garden.subspace import affinity
from garden.subspace import data
from garden.subspace import label_free
from garden.subspace import metrics
from garden.subspace import networks
from garden.subspace import settings
from garden.subspace import solvers

_GRID = {
  "ridge_weights": (0.01, 0.1), "alphas": (0.5,), "counts": (8,), "dims": (2, 3),
  "exponents": (1.0, 2.0),
}  # fmt: skip


def _points(count=36):
  """Points of three independent planes in R^36, and their labels."""
  rng = np.random.default_rng(3)
  labels = np.arange(count) % 3
  planes = np.zeros((3, 2, 36))
  for k in range(3):
    planes[k, :, 12 * k : 12 * k + 12] = rng.uniform(0.1, 1, (2, 12))
  return np.einsum("nr,nrd->nd", rng.uniform(0.1, 0.5, (count, 2)), planes[labels]), labels


@pytest.fixture(scope="module")
def source(tmp_path_factory):
  points, labels = _points()
  path = tmp_path_factory.mktemp("data") / "planes.npz"
  np.savez(path, images=points.reshape(-1, 6, 6).astype(np.float32), labels=labels)
  return data.Source(str(path), 3)


def _experiment(source, **changes):
  arguments = {"autoencoders": 2, "top_fraction": 0.5, **_GRID, **changes}
  return label_free.LabelFree(
    source, settings.Network((3,), (2,), code_activation="linear"),
    settings.Pretraining(steps=4, batch_size=12), **arguments,
  )  # fmt: skip


def _pool(count, optimizer):
  images = np.random.default_rng(0).uniform(size=(9, 6, 6, 1)).astype(np.float32)
  tf.keras.utils.set_random_seed(2)
  pairs = [networks.conv_autoencoder((6, 6, 1), (3,), (2,)) for _ in range(count)]
  pool = label_free.AutoencoderPool(pairs, images)
  pool.compile(optimizer)
  return pool


def test_the_grid_is_gone_through_once():
  points, labels = _points()
  features = settings.scale_features(points, "unit")
  found = list(label_free.candidates(features, 3, **_GRID))
  assert len(found) == 2 * 2 * 2 * 2
  assert len({tuple(sorted(options.items())) for _, options in found}) == 16
  errors = [metrics.clustering_error(labels, guess) for guess, _ in found]
  assert np.median(errors) == 0, errors


def test_a_candidate_is_the_recipe_run_by_itself():
  # The shortcuts (one factor for all dims) change nothing.
  points, _ = _points()
  features = settings.scale_features(points + 0.05, "unit")
  for labels, options in label_free.candidates(features, 3, **_GRID):
    c = solvers.ridge(features, lam=options["lam"], zero_diagonal=True)
    graph = affinity.published_affinity(
      c, 3, alpha=options.get("alpha", 1.0), count=options.get("count"), dim=options["dim"],
      exponent=options["exponent"], axis=1,
    )  # fmt: skip
    np.testing.assert_array_equal(labels, affinity.spectral_clustering(graph, 3))


def test_the_autoencoders_of_a_pool_do_not_meet():
  pool = _pool(2, tf.keras.optimizers.SGD(1e-3))
  alone = _pool(2, tf.keras.optimizers.SGD(1e-3))
  for kept in (0, 1):
    single = label_free.AutoencoderPool(
      [(alone.encoders[kept], alone.decoders[kept])], alone.images.numpy()
    )
    single.compile(tf.keras.optimizers.SGD(1e-3))
    batches = tf.data.Dataset.from_tensors(tf.range(5)).repeat()
    single.fit(batches, steps_per_epoch=3, verbose=0)
    if kept == 0:
      pool.fit(batches, steps_per_epoch=3, verbose=0)
    for a, b in zip(single.encoders[0].weights, pool.encoders[kept].weights):
      np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-7)
  first, second = pool.codes()
  assert first.shape == (9, 18) and np.abs(first - second).max() > 0.01


def test_planes_are_found_from_pixels_and_codes(source, tmp_path):
  run = run_lib.Run(experiment=_experiment(source), steps_per_epoch=2, tensorboard=False)
  train.train(run, str(tmp_path), "")
  rows = {row["metric"]: row["value"] for row in evaluate.evaluate(run, str(tmp_path))}
  assert rows["error_percent"] <= 6 and rows["nmi"] > 0.8
  model, _ = evaluate.load(run, str(tmp_path))
  features = run.experiment.features(model)
  assert [x.shape for x in features["pixels"]] == [(36, 36)]
  assert [x.shape for x in features["codes"]] == [(36, 18), (36, 18)]
  (pixels, codes), shares = run.experiment.labelings(model)
  assert shares.sum() == pytest.approx(1)
  assert pixels.shape == (16, 36) and codes.shape in ((16, 36), (32, 36))
  found = run.experiment.clusters(model)
  np.testing.assert_allclose(found.affinity, found.affinity.T)
  assert found.affinity.min() >= 0 and found.affinity.max() <= 1
  outputs = tf.saved_model.load(export.export(run, str(tmp_path))).signatures["serving_default"](
    images=tf.constant(run.experiment.images.pixels)
  )
  assert outputs["cluster"].shape == [36] and outputs["code"].shape == [36, 18]


def test_labels_are_not_looked_at(source):
  experiment = _experiment(source, autoencoders=0)
  model = experiment.build_model()
  blind = _experiment(source, autoencoders=0)
  images = experiment.images
  object.__setattr__(blind, "images", type(images)(images.pixels, None, (), images.names))
  np.testing.assert_array_equal(experiment.clusters(model).labels, blind.clusters(model).labels)
  assert {r["metric"] for r in blind.evaluate(model, None)} == {"normalized_cut", "eigengap"}


def test_pixels_or_autoencoders_are_needed(source):
  with pytest.raises(ValueError, match="needs autoencoders, pixels, or both"):
    _experiment(source, autoencoders=0, pixels=False)
