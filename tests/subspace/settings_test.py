"""Tests of the settings that gin names."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import optimizers
from garden.subspace import affinity
from garden.subspace import settings


def test_unit_rows_have_length_one():
  rng = np.random.default_rng(0)
  images = rng.normal(size=(5, 2, 3, 1)).astype(np.float32)
  scaled = settings.scale_features(images, "unit")
  assert scaled.shape == (5, 6) and scaled.dtype == np.float64
  np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), 1)
  np.testing.assert_allclose(scaled * np.linalg.norm(images.reshape(5, -1), axis=1)[:, None],
                             images.reshape(5, -1), rtol=1e-6)  # fmt: skip


def test_none_flattens_alone():
  images = np.arange(12.0).reshape(2, 2, 3, 1)
  np.testing.assert_array_equal(settings.scale_features(images, "none"), images.reshape(2, 6))


def test_standardized_columns_are_centred_and_a_dead_unit_stays_small():
  rng = np.random.default_rng(1)
  features = rng.normal(size=(50, 4)) * [1, 10, 100, 0] + [5, 5, 5, 3]
  features[0, 3] += 1e-9  # all but dead
  scaled = settings.scale_features(features, "standardized")
  np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), 1)
  assert np.abs(scaled[:, 3]).max() < 1e-8
  sd = features.std(axis=0)
  expected = (features - features.mean(axis=0)) / np.sqrt(sd**2 + 0.01 * np.mean(sd**2))
  expected /= np.linalg.norm(expected, axis=1, keepdims=True)
  np.testing.assert_allclose(scaled, expected, rtol=1e-6, atol=1e-10)


def test_a_zero_row_stays_zero():
  assert np.all(settings.scale_features(np.zeros((2, 3)), "unit") == 0)


def test_an_unknown_scaling_is_refused():
  with pytest.raises(ValueError, match="scaling is 'max'; it must be one of"):
    settings.scale_features(np.zeros((2, 3)), "max")


def test_the_plateau_rule_watches_the_reconstruction_of_its_own_optimizer():
  plan = settings.Pretraining(min_improvement=0.02, patience=7, floor=1e-5)
  rule = plan.plateau()
  assert (rule.monitor, rule.optimizer) == ("reconstruction", "pretrain_optimizer")
  assert (rule.min_improvement, rule.patience, rule.floor) == (0.02, 7, 1e-5)
  optimizer = settings.Pretraining(learning_rate=0.003).optimizer()
  assert isinstance(optimizer, optimizers.FusedAdam)
  assert float(optimizer.learning_rate) == pytest.approx(0.003)


def test_the_cosine_warms_up_and_ends_at_zero():
  plan = settings.Pretraining(steps=100, learning_rate=0.02, cosine=True, warm_up_steps=20)
  assert plan.plateau() is None
  rate = plan.optimizer()._learning_rate  # the schedule
  rates = [float(rate(step)) for step in range(101)]
  assert rates[0] == 0 and rates[20] == pytest.approx(0.02) == max(rates)
  assert rates[10] == pytest.approx(0.01)
  assert rates[60] == pytest.approx(0.01) and rates[100] == pytest.approx(0, abs=1e-9)


def test_a_budget_shorter_than_the_warm_up_still_warms_up():
  rate = settings.Pretraining(steps=10, learning_rate=0.02, cosine=True).optimizer()._learning_rate
  assert float(rate(5)) == pytest.approx(0.02) and float(rate(10)) == pytest.approx(0, abs=1e-9)


def test_a_network_is_as_set_or_chosen():
  images = np.zeros((400, 32, 32, 1), np.float32)
  encoder, _ = settings.Network().build(images)
  assert encoder.channels == (3, 3, 5)
  encoder, decoder = settings.Network((5,), (7,), "linear", "linear", 0.5).build(images)
  assert (encoder.kernels, encoder.channels, encoder.code_activation) == ((5,), (7,), "linear")
  assert decoder.image_shape == (32, 32, 1) and decoder.output_activation == "linear"
  assert decoder.output_bias == 0.5
  assert decoder(encoder(tf.constant(images[:2]))).shape == (2, 32, 32, 1)


@pytest.mark.parametrize(
  "changes",
  [{}, {"alpha": 0.9}, {"dim": 2}, {"exponent": 3.0}, {"eye": True}, {"by_row": True},
   {"count": 2}, {"zero_diagonal": True}],
  ids=str,
)  # fmt: skip
def test_every_parameter_of_the_affinity_arrives(changes):
  c = np.random.default_rng(2).normal(size=(12, 12))
  recipe = settings.Affinity(**{"alpha": 0.4, "dim": 1, **changes})
  arguments = {"alpha": 0.4, "dim": 1, "exponent": 1.0, **changes}
  by_row = arguments.pop("by_row", False)
  expected = affinity.published_affinity(c, 3, axis=int(by_row), **arguments)
  got = recipe.apply(c, 3)
  np.testing.assert_array_equal(got, expected)
  if changes:
    assert not np.array_equal(got, settings.Affinity(alpha=0.4, dim=1).apply(c, 3))


@pytest.mark.parametrize(("make", "message"), [
  (lambda: settings.Affinity(alpha="x"), r"Affinity.alpha is 'x'; .* above 0 and at most 1"),
  (lambda: settings.Affinity(alpha=0.0), r"Affinity.alpha is 0.0"),
  (lambda: settings.Affinity(dim=2.5), r"Affinity.dim is 2.5; .* whole number of at least 1"),
  (lambda: settings.Affinity(exponent=-1.0), r"Affinity.exponent is -1.0"),
  (lambda: settings.Affinity(count=0), r"Affinity.count is 0"),
  (lambda: settings.Pretraining(steps=-5), r"Pretraining.steps is -5; .* at least 0"),
  (lambda: settings.Pretraining(learning_rate=float("nan")), r"learning_rate is nan"),
  (lambda: settings.Pretraining(restarts=True), r"restarts is True"),
])  # fmt: skip
def test_a_setting_out_of_its_range_is_refused_before_training(make, message):
  with pytest.raises(ValueError, match=message):
    make()
