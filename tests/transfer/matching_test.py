"""Tests of matching nets: attention by hand, episodes, prediction by the nearest."""

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer.matching import MatchingNet
from garden.transfer.settings import Matching


@pytest.fixture
def model(make):
  # Of seed 0 the tiny encoder gives all images one embedding, and no episode can teach it.
  return make(MatchingNet, Matching(shots=1, queries=1, scale=2.0), seed=2)


def test_attention_is_the_softmax_of_the_cosines(model):
  support = tf.constant([[2.0, 0.0], [0.0, 3.0], [1.0, 0.0]])
  found = model.attention(tf.constant([[5.0, 0.0]]), support, tf.constant([0, 1, 1]), 2)
  weights = np.exp([2.0, 0.0, 2.0])
  weights /= weights.sum()
  np.testing.assert_allclose(found, [[weights[0], weights[1] + weights[2]]], rtol=1e-6)


def test_an_embedding_of_zeros_is_equally_far_from_all(model):
  found = model.attention(tf.zeros([1, 2]), tf.eye(2), tf.constant([0, 1]), 2)
  np.testing.assert_allclose(found, [[0.5, 0.5]])


def _sorted_source():
  rng = np.random.default_rng(1)
  images = tf.constant(rng.uniform(size=(6, 16, 16, 1)), tf.float32)
  return {"source": (images, tf.constant([0, 0, 1, 1, 2, 2], tf.int64))}


def test_an_episode_is_minus_log_p_of_the_queries(model):
  data = _sorted_source()
  features = model.embed_source(data["source"][0])
  support, queries = features[0::2], features[1::2]
  chances = model.attention(queries, support, tf.range(3), 3).numpy()
  logs = model.train_step(data)
  expected = -np.log(chances[np.arange(3), np.arange(3)]).mean()
  assert float(logs["loss"]) == pytest.approx(expected, rel=1e-4)
  assert float(logs["accuracy"]) == pytest.approx((chances.argmax(1) == np.arange(3)).mean())


def test_the_source_stage_lowers_its_loss(model):
  model.source_optimizer.learning_rate.assign(1e-2)
  data = _sorted_source()
  first = float(model.train_step(data)["loss"])
  for _ in range(30):
    model.train_step(data)
  model.reset_metrics()
  assert float(model.train_step(data)["loss"]) < 0.8 * first


def test_tuning_shuffles_within_classes_alone(model, batch):
  images = tf.reshape(tf.range(8.0), [8, 1, 1, 1])
  orders = set()
  for step in range(12):
    model.total_steps.assign(step)
    found = model._shuffled_within(images, 4).numpy().ravel()
    assert sorted(found[:4]) == [0, 1, 2, 3] and sorted(found[4:]) == [4, 5, 6, 7]
    orders.add(tuple(found))
  assert len(orders) > 6


def test_tuning_trains_the_targets_encoder_alone(model, batch):
  before = [[w.numpy() for w in part.weights] for part in (model.encoder, model.source_encoder)]
  model.train_step(batch)
  same = [all(np.array_equal(a, b) for a, b in zip(kept, part.weights))
          for kept, part in zip(before, (model.encoder, model.source_encoder))]
  assert same == [False, True]


def test_the_label_is_the_nearest_support_images(model, batch):
  images, labels = batch["target_labeled"]
  found = model.classify(images, model.embed(images), labels)
  np.testing.assert_array_equal(found["label"], labels)  # each is nearest to itself
  np.testing.assert_allclose(tf.reduce_sum(found["probabilities"], axis=1), 1.0, rtol=1e-5)
