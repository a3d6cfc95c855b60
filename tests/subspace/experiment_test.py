"""Tests of the glue: metrics of the tiny run, serving, figures."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import evaluate
from garden.core import report as report_lib
from garden.core import run as run_lib
from garden.subspace import data
from garden.subspace import experiment
from garden.subspace import metrics
from garden.subspace import settings
from garden.subspace import solvers


@pytest.fixture(scope="module")
def trained(tiny_run):
  """The experiment, the model and the data of the tiny run."""
  run = run_lib.from_model_dir(str(tiny_run))
  model, inputs = evaluate.load(run, str(tiny_run))
  return run.experiment, model, inputs


def _blocks():
  """C of three groups of six, and the groups."""
  truth = np.repeat(np.arange(3), 6)
  c = (truth[:, None] == truth).astype(float)
  np.fill_diagonal(c, 0)
  return c, truth


def test_cluster_reads_both_affinities_of_c():
  c, truth = _blocks()
  found = experiment.cluster(c, 3, settings.Affinity(alpha=1.0, dim=1))
  assert found.labels.dtype == np.int64
  assert metrics.clustering_error(truth, found.labels) == 0
  assert metrics.clustering_error(truth, found.plain_labels) == 0
  np.testing.assert_allclose(found.plain_affinity, 2 * c)
  assert not np.array_equal(found.affinity, found.plain_affinity)


def test_measure_has_the_label_free_metrics_alone_without_labels():
  c, truth = _blocks()
  found = experiment.cluster(c, 3, settings.Affinity(alpha=1.0, dim=1))
  rows = {r["metric"]: r["value"] for r in experiment.measure(found, truth, 3)}
  assert rows["error_percent"] == rows["error_percent_plain"] == 0
  assert rows["nmi"] == rows["ari"] == pytest.approx(1)
  blind = {r["metric"]: r["value"] for r in experiment.measure(found, None, 3)}
  assert blind == {k: rows[k] for k in ("normalized_cut", "eigengap")}


def test_the_stages_are_pretraining_and_fine_tuning(trained):
  stages = trained[0].datasets().stages
  assert [(s.name, s.steps) for s in stages] == [("pretrain", 40), ("finetune", 20)]
  assert stages[0].plateau.optimizer == "pretrain_optimizer" and stages[1].plateau is None
  assert next(iter(stages[0].batches(0))).shape == [40]
  assert next(iter(stages[1].batches(0))).shape == [120]


def test_evaluation_prints_the_plain_number_and_the_pixel_ridge_beside(trained):
  rows = trained[0].evaluate(*trained[1:])
  names = [(row.get("method"), row["metric"]) for row in rows]
  for method in (None, "ridge_pixels"):
    assert {(method, "error_percent"), (method, "error_percent_plain")} <= set(names)
  assert len(names) == len(set(names)) == 12


def test_the_pixel_ridge_is_what_it_says(trained):
  subject = trained[0]
  pixels = settings.scale_features(subject.images.pixels, "unit")
  c = solvers.ridge(pixels, lam=1.0, zero_diagonal=True)
  expected = experiment.cluster(c, 10, subject.affinity)
  np.testing.assert_array_equal(subject.pixel_baseline().labels, expected.labels)


def test_clusters_are_those_of_the_networks_c_and_are_found_once(trained):
  subject, model, _ = trained
  found = subject.clusters(model)
  expected = experiment.cluster(model.coefficients(), 10, subject.affinity)
  np.testing.assert_array_equal(found.labels, expected.labels)
  assert subject.clusters(model) is found


def test_predictions_name_each_image_and_its_cluster(trained):
  columns = trained[0].predictions(*trained[1:])
  assert list(columns) == ["image", "cluster"]
  assert len(columns["image"]) == len(set(columns["image"])) == len(columns["cluster"]) == 120


def test_serving_is_the_nearest_subspace_of_the_codes(trained):
  subject, model, _ = trained
  module = subject.signatures(model)
  assert module.image_size == (8, 8) and module.channels == 1 and module.pixel_range == (0, 1)
  outputs = module.serving_default(tf.constant(subject.images.pixels))
  np.testing.assert_allclose(outputs["code"], model.codes(), rtol=1e-4, atol=1e-5)
  # The subspaces are fitted to the clusters, so most images are nearest to their own.
  assert np.mean(outputs["cluster"].numpy() == subject.clusters(model).labels) > 0.7


def test_figures_are_sections_with_the_errors_and_the_paper(trained):
  subject, model, inputs = trained
  sections = subject.figures(model, inputs)
  kinds = (report_lib.Table, report_lib.Figure, report_lib.Text)
  assert all(isinstance(s, kinds) for s in sections) and len(sections) >= 5
  table = sections[0]
  assert ["Deep subspace clustering", "error_percent"] in [row[:2] for row in table.rows]
  assert "error_percent_plain" in table.caption
  subject.published_error = 14.0
  try:
    assert "The paper reports 14.0 %" in subject.results_caption()
    assert "tuned on labels" in subject.results_caption()
  finally:
    subject.published_error = None


def test_too_many_images_are_refused_before_anything_is_made(trained, monkeypatch):
  monkeypatch.setattr("garden.subspace.memory.available_bytes", lambda: 10**5)
  with pytest.raises(ValueError, match="120 images need .* GiB"):
    trained[0].build_model()


def test_a_constructor_loads_no_data():
  source = data.Source("nowhere/", 2)
  subject = experiment.Clustering(
    source, settings.Network(), settings.Pretraining(), settings.Affinity()
  )
  with pytest.raises((ValueError, FileNotFoundError), match="nowhere"):
    _ = subject.images
