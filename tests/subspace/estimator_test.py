import copy
import random

import numpy as np
import pytest
import tensorflow as tf
from sklearn import datasets
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from garden.subspace import estimator as estimator_lib
from garden.subspace import metrics
from garden.subspace import settings
from garden.subspace import solvers
from garden.subspace.estimator import DeepSubspaceClustering

# Check -> why it can't apply. Every check does.
_EXPECTED_FAILURES = {}


@parametrize_with_checks(
    [DeepSubspaceClustering(n_clusters=3, pretrain_steps=3),
     DeepSubspaceClustering(n_clusters=3, pretrain_steps=3, solver="gradient",
                            finetune_steps=3)],
    expected_failed_checks=lambda _: _EXPECTED_FAILURES)
def test_scikit_learn_accepts_it(estimator, check):
  check(estimator)


def _subspaces(per_cluster=20):
  """Three random planes in R^20, and the numbers of the planes."""
  rng = np.random.RandomState(0)
  parts = []
  for _ in range(3):
    basis = np.linalg.qr(rng.normal(size=(20, 2)))[0]
    parts.append(rng.normal(size=(per_cluster, 2)) @ basis.T)
  return np.concatenate(parts), np.repeat(np.arange(3), per_cluster)


def _digits(classes=4, count=240):
  images, labels = datasets.load_digits(n_class=classes, return_X_y=True)
  return images[:count], labels[:count]


@pytest.fixture(scope="module")
def fitted():
  """A model of 160 digits; the other 80 are for `predict`."""
  images, _ = _digits()
  model = DeepSubspaceClustering(
      4, image_shape=(8, 8), pretrain_steps=300, random_state=0)
  return model.fit(images[:160])


def test_planes_are_found():
  samples, truth = _subspaces()
  model = DeepSubspaceClustering(
      3, pretrain_steps=20, dim=2, count=5, random_state=0)
  assert metrics.clustering_error(truth, model.fit_predict(samples)) == 0
  assert metrics.clustering_error(truth, model.predict(3 * samples)) < 10


def test_digits_are_clustered_and_new_ones_join_them(fitted):
  images, truth = _digits()
  assert metrics.clustering_error(truth[:160], fitted.labels_) < 15
  both = np.concatenate([fitted.labels_, fitted.predict(images[160:])])
  assert metrics.clustering_error(truth, both) < 15
  assert np.mean(fitted.predict(images[:160]) == fitted.labels_) > 0.9


def test_attributes(fitted):
  assert fitted.n_features_in_ == 64
  assert set(fitted.labels_) == {0, 1, 2, 3}
  assert fitted.embedding_.shape == (160, 4 * 4 * 15)
  assert fitted.coefficients_.shape == (160, 160)
  assert np.array_equal(fitted.affinity_matrix_, fitted.affinity_matrix_.T)
  assert fitted.affinity_matrix_.min() >= 0
  assert fitted.affinity_matrix_.max() <= 1
  assert fitted.subspaces_.shape[:2] == (4, 240)


def test_coefficients_are_the_closed_form_of_the_codes(fitted):
  codes = settings.scale_features(fitted.embedding_, "unit")
  expected = solvers.ridge(codes, lam=0.03 * 160 / 4)
  np.testing.assert_allclose(fitted.coefficients_, expected, atol=1e-6)


def test_the_recipe_of_standardized_codes_scales_new_samples_alike():
  images, _ = _digits()
  model = DeepSubspaceClustering(
      4, image_shape=(8, 8), pretrain_steps=20, random_state=0, lam=3.0,
      scaling="standardized", count=8, dim=3, exponent=1.0).fit(images[:160])
  alone = np.concatenate([model.predict(images[i:i + 1]) for i in range(10)])
  assert np.array_equal(alone, model.predict(images[:10]))
  assert np.mean(model.predict(images[:160]) == model.labels_) > 0.8


@pytest.mark.parametrize("p", [1, 2])
def test_gradient_trains_the_coefficients(p):
  samples, _ = _subspaces()
  kwargs = dict(solver="gradient", p=p, pretrain_steps=5, random_state=0)
  few = DeepSubspaceClustering(3, finetune_steps=1, **kwargs).fit(samples)
  more = DeepSubspaceClustering(3, finetune_steps=10, **kwargs).fit(samples)
  assert not np.any(np.diag(more.coefficients_))
  # Adam moves an entry by at most about its rate in a step.
  assert np.abs(few.coefficients_).max() < 1.2e-3
  assert 3e-3 < np.abs(more.coefficients_).max() < 1.2e-2


def test_the_seed_decides_and_other_generators_are_left_alone():
  images, _ = _digits()
  model = DeepSubspaceClustering(
      4, image_shape=(8, 8), pretrain_steps=40, random_state=3)
  tf.random.set_seed(5)
  expected = tf.random.uniform([2]).numpy()
  tf.random.set_seed(5)
  before = random.getstate(), np.random.get_state()[1].copy()
  first = model.fit(images[:100]).embedding_
  model.predict(images[:5])
  assert random.getstate() == before[0]
  assert np.array_equal(np.random.get_state()[1], before[1])
  np.testing.assert_array_equal(tf.random.uniform([2]), expected)
  np.testing.assert_array_equal(clone(model).fit(images[:100]).embedding_, first)
  other = clone(model).set_params(random_state=4).fit(images[:100])
  assert not np.allclose(other.embedding_, first)


def test_short_stages_run_eagerly_to_the_same_weights(monkeypatch):
  samples, _ = _subspaces()
  model = DeepSubspaceClustering(3, pretrain_steps=25, random_state=0)
  eager = model.fit(samples).embedding_
  monkeypatch.setattr(estimator_lib, "_EAGER_STEPS", 0)
  np.testing.assert_allclose(
      clone(model).fit(samples).embedding_, eager, atol=1e-5)


def test_a_pickle_holds_arrays_and_predicts_alike(fitted):
  images, _ = _digits()
  state = fitted.__getstate__()
  for name, value in state.items():
    for part in value if isinstance(value, list) else [value]:
      assert isinstance(part, (np.ndarray, int, float, str, tuple, type(None))), name
  # Through the same state as a pickle, which check_estimator writes and reads.
  other = copy.deepcopy(fitted)
  np.testing.assert_array_equal(other.predict(images), fitted.predict(images))


@pytest.mark.parametrize(("kwargs", "message"), [
    (dict(image_shape=(5, 5)), "makes 25 pixels, but X has 20"),
    (dict(image_shape=(20,)), r"must be \(h, w\)"),
    (dict(image_shape=(2, 10)), "too small"),
    (dict(n_clusters=61), "n_samples=60"),
    (dict(n_clusters=2.5), "whole number"),
    (dict(lam=0), "lam=0 must be above 0"),
    (dict(pretrain_steps=-1), "pretrain_steps=-1"),
    (dict(solver="exact"), "solver is 'exact'"),
    (dict(p=1), "closed_form' exists for p = 2 only"),
    (dict(scaling="max"), "scaling is 'max'"),
])
def test_wrong_parameters_are_refused(kwargs, message):
  samples, _ = _subspaces()
  with pytest.raises(ValueError, match=message):
    DeepSubspaceClustering(**{"pretrain_steps": 1, **kwargs}).fit(samples)


@pytest.mark.parametrize("image_shape", [None, (4, 5)])
def test_equal_samples_are_refused(image_shape):
  with pytest.raises(ValueError, match="all samples are equal"):
    DeepSubspaceClustering(2, image_shape=image_shape).fit(np.full((9, 20), 0.1))
