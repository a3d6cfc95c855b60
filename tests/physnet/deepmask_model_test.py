"""Tests of DeepMask as a model of its own."""

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets.block_towers import stream
from garden.physnet import deepmask_model
from garden.physnet import patches
from garden.physnet import settings

_NETWORK = settings.Network(filters=(8, 8, 16), rank=8, coarse_size=14, mask_squeeze=4)
_PATCHES = patches.Patches(size=32, mask_size=28, per_tower=1)


def _model(steps=20, recipe=None, **more):
  tf.keras.utils.set_random_seed(0)
  model = deepmask_model.DeepMask(
      _NETWORK, settings.Recipe(**(recipe or {})), _PATCHES, score_units=(16, 16), steps=steps,
      **more)
  model(tf.zeros([1, 32, 32, 3]))
  model.compile()
  model.optimizer.build(model.trainable_variables)
  return model


def _values(layer):
  return [v.numpy() for v in layer.trainable_variables]


def _moved(before, layer):
  return [bool((a != b).any()) for a, b in zip(before, _values(layer))]


@pytest.fixture(scope="module")
def fitted(towers):
  """`(model, batches, history, measured before, after)` of 16 towers learned for 80 steps."""
  model = _model(steps=100, recipe=dict(learning_rate=5e-3, flip=False, noise=0.0, warm_up=5))
  some = towers.take(np.arange(16))
  batches = stream.batches(some, 16, 0)
  before = model.evaluate(stream.in_order(some, 16), return_dict=True, verbose=0)
  history = model.fit(batches(0), steps_per_epoch=20, epochs=4, verbose=0).history
  after = model.evaluate(stream.in_order(some, 16), return_dict=True, verbose=0)
  return model, batches, history, before, after


def test_outputs_have_their_shapes():
  found = _model()(tf.zeros([3, 32, 32, 3]))
  assert found["masks"].shape == (3, 28, 28) and found["scores"].shape == (3,)


def test_probabilities_are_of_the_same_features():
  model = _model()
  images = tf.random.stateless_uniform([3, 32, 32, 3], [0, 0])
  features = model.look(images)
  logits = model(images)
  np.testing.assert_allclose(model.score(features), tf.sigmoid(logits["scores"]), atol=1e-6)
  np.testing.assert_allclose(model.mask(features), tf.sigmoid(logits["masks"]), atol=1e-6)


def test_iou_of_masks():
  masks = np.zeros((4, 4, 4), bool)
  told = masks.copy()
  masks[0, :2], told[0, 1:3] = True, True  # one of three rows
  masks[1, 0], told[1, 3] = True, True
  masks[2, 1], told[2, 1] = True, True
  np.testing.assert_allclose(deepmask_model.binary_iou(
      tf.constant(masks), tf.constant(told)), [1 / 3, 0, 1, 1])


def test_the_heads_are_trained_in_turns(fitted):
  model, batches, *_ = fitted
  first = int(model.total_steps)
  assert first % 2 == 0
  for step, (moves, rests) in enumerate([(model.mask_head, model.score_head),
                                         (model.score_head, model.mask_head)] * 2):
    moving, resting, trunk = _values(moves), _values(rests), _values(model.trunk)
    model.fit(batches(first + step), steps_per_epoch=1, verbose=0)
    assert not any(_moved(resting, rests)) and any(_moved(trunk, model.trunk))
    assert any(_moved(moving, moves))


def test_together_both_heads_move(towers):
  model = _model(alternate=False)
  model.run_eagerly = True  # few steps are faster than a trace
  before = _values(model.mask_head), _values(model.score_head)
  model.fit(stream.batches(towers, 8, 0)(0), steps_per_epoch=2, verbose=0)
  assert any(_moved(before[0], model.mask_head)) and any(_moved(before[1], model.score_head))


def test_training_lowers_both_losses(fitted):
  *_, history, before, after = fitted
  assert history["mask_loss"][-1] < 0.7 * history["mask_loss"][0]
  assert history["score_loss"][-1] < 0.9 * history["score_loss"][0]
  assert after["mask_iou"] > max(before["mask_iou"], 0.6)


def test_what_is_measured_is_the_papers_sum(towers):
  found = _model().evaluate(stream.in_order(towers, 48), return_dict=True, verbose=0)
  assert found["loss"] == pytest.approx(found["mask_loss"] + found["score_loss"] / 32, rel=1e-5)
  assert 0 <= found["mask_iou"] <= 1 and 0 <= found["score_accuracy"] <= 1


def test_a_step_is_a_function_of_the_seed(towers):
  def weights():
    model = _model()
    model.run_eagerly = True
    model.fit(stream.batches(towers, 8, 0)(0), steps_per_epoch=2, verbose=0)
    return model.get_weights()
  for a, b in zip(weights(), weights()):
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_dropout_is_a_function_of_its_seed():
  head = deepmask_model.SeededScoreHead((40, 50))
  x = tf.random.stateless_normal([3, 4, 4, 6], [0, 0])
  one, two = tf.constant([0, 1]), tf.constant([0, 2])
  np.testing.assert_array_equal(head(x, seed=one), head(x, seed=one))
  assert (head(x, seed=one) != head(x, seed=two)).numpy().any()
  np.testing.assert_array_equal(head(x), head(x))
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(head))
  assert again.get_config() == head.get_config()


def test_another_trunk_is_refused():
  with pytest.raises(ValueError, match="trunk is 'resnet'"):
    deepmask_model.DeepMask(settings.Network(trunk="resnet"), settings.Recipe(), _PATCHES)


def test_a_crop_of_the_tower_is_refused():
  with pytest.raises(ValueError, match="crop is Crop.* leave it at None"):
    deepmask_model.DeepMask(settings.Network(crop=settings.Crop()), settings.Recipe(), _PATCHES)


def test_it_trains_in_mixed_precision(towers):
  tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
  try:
    model = _model()
    model.run_eagerly = True
    history = model.fit(stream.batches(towers, 8, 0)(0), steps_per_epoch=2, verbose=0).history
    assert np.isfinite(history["loss"][0])
    assert model(tf.zeros([1, 32, 32, 3]))["scores"].dtype == tf.float32
  finally:
    tf.keras.mixed_precision.set_global_policy("float32")


def test_turns_on_two_replicas_are_refused(towers):
  strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
  batch = next(iter(stream.in_order(towers, 2)))
  with strategy.scope():
    model = _model()
    with pytest.raises(ValueError, match="alternate is True on 2 replicas; it needs 1"):
      tf.function(lambda: strategy.run(model.train_step, args=(batch,)))()
