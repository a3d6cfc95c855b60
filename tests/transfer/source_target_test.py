"""Tests of what the room's models share."""

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer import networks
from garden.transfer import source_target
from garden.transfer.matching import MatchingNet
from garden.transfer.mme import MME
from garden.transfer.settings import Matching
from garden.transfer.settings import MinimaxEntropy
from garden.transfer.settings import Recipe
from garden.transfer.transfer_model import TransferModel


def test_the_embedding_is_the_last_activation_flattened():
  encoder = networks.LeNet(channels=(2, 3), units=5)
  activations = encoder(tf.zeros([2, 16, 16, 1]))
  assert source_target.embedding(encoder, activations).shape == (2, 5)


def test_cross_entropy_and_accuracy_of_known_logits():
  logits, labels = tf.constant([[0.0, 0.0], [9.0, 0.0]]), tf.constant([1, 0])
  expected = (np.log(2) + np.log1p(np.exp(-9))) / 2
  assert float(source_target.cross_entropy(logits, labels)) == pytest.approx(expected, rel=1e-5)
  assert float(source_target.accuracy(logits, labels)) == 0.5


def test_encoders_of_other_shapes_are_refused():
  encoders = networks.LeNet((2, 3), 4), networks.LeNet((2, 3), 5)
  with pytest.raises(ValueError, match="make both with the same settings"):
    TransferModel(*encoders, 2, 2, (16, 16, 1), Recipe())


def test_classify_agrees_with_the_head_and_names_the_nearest_prototype(make, batch):
  model = make(TransferModel, Recipe())
  images, labels = batch["target_labeled"]
  found = model.classify(images, model.embed(images), labels)
  np.testing.assert_allclose(found["probabilities"], tf.nn.softmax(model(images)), rtol=1e-5)
  np.testing.assert_array_equal(found["label"], np.argmax(model(images), axis=1))
  features = tf.math.l2_normalize(model.embed(images), axis=1).numpy()
  means = np.stack([features[:2].mean(axis=0), features[2:].mean(axis=0)])
  means /= np.linalg.norm(means, axis=1, keepdims=True)
  np.testing.assert_array_equal(found["prototype"], (features @ means.T).argmax(axis=1))


def test_the_optimizers_are_built_before_the_first_step(make):
  model = make(TransferModel, Recipe())
  for optimizer in model.optimizers().values():
    assert len(optimizer.variables) > 1


@pytest.mark.parametrize(("kind", "recipe"), [
  (TransferModel, Recipe.stable(hidden=(8,), layers=("fc3",))), (MME, MinimaxEntropy()),
  (MatchingNet, Matching(shots=1, queries=1)),
])  # fmt: skip
def test_a_keras_file_brings_the_model_back(make, batch, tmp_path, kind, recipe):
  model = make(kind, recipe)
  model.train_step(batch)
  model.save(tmp_path / "model.keras")
  again = tf.keras.models.load_model(tmp_path / "model.keras")
  assert type(again) is kind and again.recipe == recipe
  images = batch["target_unlabeled"]
  np.testing.assert_array_equal(model(images), again(images))
  again.train_step(batch)


def test_saved_weights_come_back(make, batch, tmp_path):
  model, other = make(TransferModel, Recipe()), make(TransferModel, Recipe(), seed=1)
  model.train_step(batch)
  model.save_weights(tmp_path / "weights")
  other.load_weights(tmp_path / "weights").expect_partial()
  images = batch["target_unlabeled"]
  np.testing.assert_array_equal(model(images), other(images))
