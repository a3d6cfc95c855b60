"""Tests of minimax entropy: which way the head and the encoder move."""

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer import semantic
from garden.transfer.mme import MME
from garden.transfer.settings import MinimaxEntropy
from garden.transfer.source_target import cross_entropy


def _gradients(model, batch, weight):
  """The encoder's and the head's change of one plain step of rate 1."""
  model.recipe = MinimaxEntropy(weight=weight)
  model.compile(tf.keras.optimizers.SGD(1.0))
  kept = [w.numpy() for w in model.target_variables()]
  model.train_step(batch)
  moved = [before - w.numpy() for before, w in zip(kept, model.target_variables())]
  for w, before in zip(model.target_variables(), kept):
    w.assign(before)
  count = len(model.encoder.trainable_variables)
  return moved[:count], moved[count:]


def test_the_encoder_lowers_the_entropy_and_the_head_raises_it(make, batch):
  model = make(MME, MinimaxEntropy())
  with tf.GradientTape(persistent=True) as tape:
    supervised = cross_entropy(model(batch["target_labeled"][0]), batch["target_labeled"][1])
    spread = semantic.entropy(model(batch["target_unlabeled"]))
  ce, h = (tape.gradient(x, model.target_variables()) for x in (supervised, spread))
  encoder, head = _gradients(model, batch, weight=0.3)
  count = len(encoder)
  for found, a, b in zip(encoder, ce[:count], h[:count], strict=True):
    np.testing.assert_allclose(found, a + 0.3 * b, atol=1e-5)
  for found, a, b in zip(head, ce[count:], h[count:], strict=True):
    np.testing.assert_allclose(found, a - 0.3 * b, atol=1e-5)


def test_the_loss_is_ce_minus_the_weighted_entropy(make, batch):
  logs = make(MME, MinimaxEntropy(weight=0.25)).train_step(batch)
  expected = float(logs["supervised"]) - 0.25 * float(logs["target_entropy"])
  assert float(logs["loss"]) == pytest.approx(expected, rel=1e-5)


def test_it_logs_the_watch_dogs_and_warns_of_a_collapse(make, batch):
  model = make(MME, MinimaxEntropy())
  logs = model.train_step(batch)
  assert {"mean_entropy", "largest_class_share", "source_norm", "target_norm"} <= set(logs)
  assert "collapse" in model.epoch_warnings({"largest_class_share": 0.99, "mean_entropy": 0.01})


def test_labelled_views_repeat_the_labels_too(make, batch):
  model = make(MME, MinimaxEntropy(labeled_views=3, augment=True))
  assert np.isfinite(float(model.train_step(batch)["loss"]))
