"""The self-expressive network: its objective, its closed form, and samples it hasn't seen."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import strategies
from garden.subspace import metrics
from garden.subspace import senet
from garden.subspace import sparse_affinity


def _subspaces(per=40, groups=3, dim=2, width=12, seed=0):
  """Unit rows in random subspaces through the origin, and whose they are."""
  rng = np.random.default_rng(seed)
  rows = np.concatenate([rng.normal(size=(per, dim)) @ rng.normal(size=(dim, width))
                         for _ in range(groups)])
  rows += 0.01 * rng.normal(size=rows.shape)
  return ((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32),
          np.repeat(np.arange(groups), per))


def _model(features, start="ridge", **settings):
  settings = {"units": (16,), "embedding": 8, "keys": 60, "seed": 1, **settings}
  tf.keras.utils.set_random_seed(0)
  model = senet.SENet(features, start=start, **settings)
  model.compile(tf.keras.optimizers.Adam(1e-2))
  return model


def _train(model, steps, batch=20):
  data = tf.data.Dataset.range(len(model.features)).shuffle(1000, seed=0).repeat().batch(batch)
  return model.fit(data, steps_per_epoch=steps, epochs=1, verbose=0).history


def _objective(c, samples, dictionary, fidelity=200.0, share=0.9):
  error = np.square(samples - c @ dictionary).sum()
  return (0.5 * fidelity * error + share * np.abs(c).sum()
          + 0.5 * (1 - share) * np.square(c).sum()) / len(samples)


def test_coefficients_are_the_thresholded_products():
  features, _ = _subspaces()
  model = _model(features, start="noise")
  model.threshold.assign(0.03)
  samples, keys = features[:5], features[5:15]
  queries, _ = model.embed(samples)
  _, told = model.embed(keys)
  products = model.query(samples).numpy() @ model.key(keys).numpy().T
  expected = np.sign(products) * np.maximum(np.abs(products) - 0.03, 0) / 8
  np.testing.assert_allclose(model.coefficients(queries, told), expected, atol=1e-6)
  assert 0 < np.mean(expected == 0) < 1


def test_the_ridge_start_is_the_closed_form():
  features, _ = _subspaces()
  model = _model(features, keys=120, ridge=1e-3)
  gram = features @ features.T
  expected = gram @ np.linalg.inv(gram + 1e-3 * 120 * np.eye(120))
  np.testing.assert_allclose(model.rows(features, model.all_keys()), expected, atol=1e-3)


def test_nobody_expresses_himself_in_a_batch():
  features, _ = _subspaces()
  assert not np.diag(_model(features)(features[:10])).any()


def test_a_step_leaves_out_a_sample_that_is_among_its_keys():
  """With one sample and all keys equal to it, nothing is expressed."""
  features = np.tile(_subspaces()[0][:1], (2, 1))
  model = _model(features, keys=2)
  history = _train(model, 1, batch=2)
  # Each key is either of the two; where both draws are the sample itself its error is 1.
  chosen = tf.random.stateless_uniform([2], [1, 0], 0, 2, tf.int64).numpy()
  c = np.array([[float(k != i) for k in chosen] for i in range(2)]) * _first_coefficient(features)
  expected = np.square(features - c @ features).sum(axis=1).mean()
  assert history["expression"][0] == pytest.approx(expected, rel=1e-3)


def _first_coefficient(features):
  """The coefficient of the two equal samples before the step."""
  model = _model(features, keys=2)
  return float(model.rows(features[:1], model.all_keys())[0, 0])


def test_training_lowers_the_objective_from_noise():
  features, _ = _subspaces()
  model = _model(features, start="noise")
  before = _objective(model(features).numpy(), features, features)
  _train(model, 150)
  assert _objective(model(features).numpy(), features, features) < 0.5 * before


def test_training_lowers_the_objective_from_the_closed_form():
  features, _ = _subspaces()
  model = _model(features, keys=120, ridge=1e-4)
  before = _objective(model(features).numpy(), features, features)
  _train(model, 150)
  assert _objective(model(features).numpy(), features, features) < before


def test_a_weight_on_the_l1_norm_makes_coefficients_sparse():
  features, _ = _subspaces()
  shares = []
  for fidelity in (200.0, 0.5):
    model = _model(features, fidelity=fidelity, l1_share=1.0)
    shares.append(_train(model, 200)["nonzero"][0])
  assert shares[1] < 0.8 * shares[0]


def test_the_gradient_of_the_threshold_has_the_sign_of_the_l1_norm():
  """Where nothing is to be expressed, a higher threshold lowers the loss."""
  features, _ = _subspaces()
  model = _model(features, fidelity=1e-6, l1_share=1.0)
  _train(model, 5)
  assert model.threshold > 0


def test_subspaces_are_found_and_new_samples_with_them():
  features, truth = _subspaces(per=60)
  seen = np.arange(len(features)) % 3 > 0
  model = _model(features[seen])
  _train(model, 50)
  keys = model.all_keys()
  found = sparse_affinity.largest_coefficients(
      lambda i: model.rows(features[seen][i], keys), seen.sum(), 5)
  labels = sparse_affinity.spectral_clustering(sparse_affinity.symmetric_affinity(found), 3)
  assert metrics.clustering_error(truth[seen], labels) == 0
  # Of a sample that wasn't there most weight is on its own subspace.
  weight = np.abs(model.rows(features[~seen], keys).numpy())
  votes = np.stack([weight[:, labels == k].sum(axis=1) for k in range(3)], axis=1)
  assert metrics.clustering_error(truth[~seen], votes.argmax(axis=1)) == 0


def test_no_variable_grows_with_the_number_of_samples():
  small, large = (_model(_subspaces(per)[0]) for per in (20, 80))
  assert [v.shape for v in small.variables] == [v.shape for v in large.variables]


def test_two_replicas_make_the_step_of_one():
  features, _ = _subspaces()
  weights = []
  for name in ("one_device", "mirrored"):
    with strategies.get(name).scope():
      model = _model(features)
    data = tf.data.Dataset.range(20).batch(20).repeat()
    model.fit(data, steps_per_epoch=3, epochs=1, verbose=0)
    weights.append([v.numpy() for v in model.trainable_variables])
  for one, two in zip(*weights):
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("settings,message", [
    ({"embedding": 0}, "embedding is 0"), ({"keys": 0}, "keys is 0"),
    ({"fidelity": 0.0}, "fidelity is 0"), ({"l1_share": 1.5}, "l1_share is 1.5"),
    ({"ridge": 0.0}, "ridge is 0"), ({"start": "zero"}, "start is 'zero'; .* ridge, noise")])
def test_a_setting_out_of_its_range_is_refused(settings, message):
  with pytest.raises(ValueError, match=message):
    senet.SENet(_subspaces()[0], **settings)


def test_features_that_are_not_finite_are_refused():
  features = _subspaces()[0]
  features[3, 1] = np.inf
  with pytest.raises(ValueError, match="finite numbers"):
    senet.SENet(features)
