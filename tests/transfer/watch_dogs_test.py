"""Tests of the label-free signs: their values, and when each warning appears."""

import math

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer import watch_dogs

_HEALTHY = {"largest_class_share": 0.3, "mean_entropy": 1.5, "discriminator_accuracy": 0.6,
            "discriminator": 1.3, "source_norm": 3.0, "target_norm": 2.0}  # fmt: skip


def _values(logits, features=((1.0, 0.0),), source=((1.0, 0.0),)):
  found = watch_dogs.values(tf.constant(logits), tf.constant(features), tf.constant(source))
  return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize("classes", [2, 100])
def test_equally_predicted_classes_have_the_largest_entropy(classes):
  found = _values(50 * np.eye(classes, dtype=np.float32))
  assert found["mean_entropy"] == pytest.approx(math.log(classes), rel=1e-5)
  assert found["largest_class_share"] == pytest.approx(1 / classes)


def test_a_collapse_has_no_entropy_and_one_class():
  found = _values([[0.0, 200.0, 0.0]] * 4)
  assert found["mean_entropy"] == 0 and found["largest_class_share"] == 1


def test_the_entropy_is_soft_and_the_share_is_hard():
  found = _values([[math.log(3.0), 0.0]] * 3 + [[0.0, math.log(3.0)]])  # mean .625, .375
  expected = -0.625 * math.log(0.625) - 0.375 * math.log(0.375)
  assert found["mean_entropy"] == pytest.approx(expected, rel=1e-5)
  assert found["largest_class_share"] == 0.75


def test_norms_are_mean_lengths_by_domain():
  found = _values([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]], [[0.0, 2.0]])
  assert found["target_norm"] == 3 and found["source_norm"] == 2


def test_what_a_step_logs_is_among_the_names():
  assert {*_values([[0.0, 1.0]]), "discriminator_accuracy"} == set(watch_dogs.NAMES)


def test_half_precision_is_measured_in_full():
  found = watch_dogs.values(*[tf.constant([[300.0, 300.0]], tf.float16)] * 3)  # 300^2 overflows
  assert all(value.dtype == tf.float32 for value in found.values())
  assert float(found["target_norm"]) == pytest.approx(300 * math.sqrt(2))


def test_the_discriminators_accuracy_counts_examples_of_both_domains():
  source, target = tf.constant([1.0, -1.0]), tf.constant([-1.0, 1.0, -2.0])
  assert float(watch_dogs.discriminator_accuracy(source, target)) == pytest.approx(3 / 5)
  assert float(watch_dogs.discriminator_accuracy(-source, -target)) == pytest.approx(2 / 5)


@pytest.mark.parametrize("logs", [_HEALTHY, {}, {"loss": 5.0, "accuracy": 0.1}], ids=str)
def test_healthy_logs_and_other_stages_warn_of_nothing(logs):
  assert watch_dogs.warnings(logs, 5) == {}


@pytest.mark.parametrize(
  ("classes", "share", "entropy", "warns"),
  [
    # Of two classes: a share above .4 + .6 / 2 = .7, an entropy below .6 ln 2 = .416.
    (2, 0.71, 0.41, True),
    (2, 0.69, 0.41, False),
    (2, 0.71, 0.42, False),
    # Of a hundred: .406, and .6 ln 100 = 2.763.
    (100, 0.41, 2.75, True),
    (100, 0.40, 2.75, False),
    (100, 0.41, 2.77, False),
    # The ends: one class alone, and classes that are equally met.
    (2, 1.0, 0.0, True),
    (100, 1.0, 0.0, True),
    (2, 0.5, math.log(2), False),
    (100, 0.01, math.log(100), False),
  ],
)
def test_a_collapse_is_a_large_share_and_a_small_entropy(classes, share, entropy, warns):
  logs = {"largest_class_share": share, "mean_entropy": entropy}
  assert list(watch_dogs.warnings(logs, classes)) == ["collapse"] * warns


def test_the_collapse_names_share_and_entropy_and_a_remedy():
  logs = {**_HEALTHY, "largest_class_share": 0.97, "mean_entropy": 0.134}
  text = watch_dogs.warnings(logs, 5)["collapse"]
  assert "97% of the unlabelled predictions" in text and "0.13 of 1.61" in text
  assert "use a diversity term" in text


@pytest.mark.parametrize(("accuracy", "warns"), [(0.5, False), (0.95, False), (0.96, True)])
def test_the_discriminator_has_won_above_95_percent(accuracy, warns):
  found = watch_dogs.warnings({**_HEALTHY, "discriminator_accuracy": accuracy}, 5)
  assert list(found) == ["discriminator"] * warns
  if warns:
    assert "the discriminator has won" in found["discriminator"]
    assert "96% of the images" in found["discriminator"]


@pytest.mark.parametrize(("loss", "warns"), [(1.39, False), (2.77, False), (2.78, True)])
def test_the_encoder_has_won_at_twice_a_coins_loss(loss, warns):
  found = watch_dogs.warnings({**_HEALTHY, "discriminator": loss}, 5)
  assert list(found) == ["encoder"] * warns
  if warns:
    assert "the encoder has won" in found["encoder"] and "loss is 2.8" in found["encoder"]


def test_every_sign_has_its_own_warning():
  logs = {"largest_class_share": 1.0, "mean_entropy": 0.0, "discriminator_accuracy": 1.0,
          "discriminator": 9.0}  # fmt: skip
  assert set(watch_dogs.warnings(logs, 2)) == {"collapse", "discriminator", "encoder"}
