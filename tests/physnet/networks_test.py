"""Tests of the mask branch: shapes, what it can tell apart, saving, bfloat16."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import layers
from garden.physnet import networks

pytestmark = pytest.mark.usefixtures("seeded")


def _images(n, side, channels=3, seed=0):
  return tf.random.stateless_uniform([n, side, side, channels], [seed, 1])


def _again(layer):
  return tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))


def _small(**kwargs):
  return networks.MaskHead(3, 2, coarse=4, filters=(6,), **kwargs)


def test_the_mask_head_doubles_the_side_for_each_width():
  assert networks.MaskHead(3, 2, 4, (6,))(_images(2, 4, 5)).shape == (2, 8, 8, 2, 3)
  assert networks.MaskHead(5, 4, 4, (6, 4))(_images(2, 3, 5)).shape == (2, 12, 12, 4, 5)
  assert networks.MaskHead(2, 1, 4, ())(_images(2, 3, 5)).shape == (2, 3, 3, 1, 2)


def test_the_mask_head_moves_with_what_it_sees():
  head = networks.MaskHead(3, 2, coarse=4, filters=(6, 4))
  x = np.zeros([1, 16, 16, 5], np.float32)
  x[0, 6:8, 6:9] = np.random.default_rng(0).uniform(size=(2, 3, 5))
  moved = np.roll(x, (1, 2), axis=(1, 2))
  a, b = head(x, training=False).numpy(), head(moved, training=False).numpy()
  away = slice(20, 44)  # out of reach of the borders
  expected = np.roll(a, (4, 8), axis=(1, 2))
  np.testing.assert_allclose(b[:, away, away], expected[:, away, away], atol=1e-5)
  assert np.abs(a - b).max() > 0.01


def test_the_times_of_the_mask_head_are_told_apart():
  found = networks.MaskHead(3, 2, 4, (6,))(_images(1, 4, 5)).numpy()
  assert np.abs(found[..., 0, :] - found[..., 1, :]).max() > 0.01


@pytest.mark.parametrize("n_classes, n_times", [(1, 4), (0, 1), (5, 0)])
def test_a_mask_head_needs_background_a_class_and_a_time(n_classes, n_times):
  with pytest.raises(ValueError, match=f"n_classes is {n_classes} and n_times is {n_times}"):
    networks.MaskHead(n_classes, n_times)


def test_a_head_made_from_its_config_is_the_same():
  layer, x = _small(), _images(2, 16)
  expected = layer(x)
  again = _again(layer)
  assert again.get_config() == layer.get_config() and type(again) is type(layer)
  again(x)
  again.set_weights(layer.get_weights())
  tf.nest.map_structure(np.testing.assert_array_equal, expected, again(x))


def test_every_weight_gets_a_gradient():
  layer, x = _small(), _images(2, 16)
  with tf.GradientTape() as tape:
    found = tf.nest.flatten(layer(x, training=True))
    loss = tf.add_n([tf.reduce_sum(tf.square(y - 0.3)) for y in found])
  gradients = tape.gradient(loss, layer.trainable_variables)
  assert all(g is not None and np.isfinite(g).all() for g in gradients)


def test_layers_work_in_bfloat16_on_float32_weights():
  tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
  layer = _small()
  for y in tf.nest.flatten(layer(_images(2, 16))):
    assert y.dtype == tf.bfloat16  # callers cast logits, as the models do
    assert np.isfinite(tf.cast(y, tf.float32)).all()
  assert {v.dtype for v in layer.weights} == {tf.float32}


def test_a_layers_own_policy_is_that_of_its_parts():
  head = networks.MaskHead(3, 2, 4, (6,), dtype="mixed_bfloat16")
  assert head(_images(1, 4, 5)).dtype == tf.bfloat16
  assert {c.compute_dtype for c in head.convolutions} == {"bfloat16"}
  assert tf.keras.mixed_precision.global_policy().name == "float32"
  assert _again(head).compute_dtype == "bfloat16"


def test_bfloat16_is_near_float32():
  exact = _small()
  x = _images(2, 8, 5)
  exact(x)
  coarse = _small(dtype="mixed_bfloat16")
  coarse(x)
  coarse.set_weights(exact.get_weights())
  np.testing.assert_allclose(tf.cast(coarse(x), tf.float32), exact(x), atol=0.1)


def _functional():
  image = tf.keras.Input([16, 16, 3])
  maps = layers.Trunk((4, 6, 8), blocks=1)(image)
  return tf.keras.Model(image, {
      "masks": networks.MaskHead(3, 2, 4, (6,))(maps[-1]),
      "fall": tf.keras.layers.Dense(1)(layers.LayoutHead(2, 4)(maps[-1]))})


def test_the_heads_train_inside_a_plain_keras_model():
  model = _functional()
  assert model.output_shape["masks"] == (None, 4, 4, 2, 3)
  model.compile("sgd", loss={
      "masks": tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
      "fall": tf.keras.losses.BinaryCrossentropy(from_logits=True)})
  targets = {"masks": tf.ones([4, 4, 4, 2], tf.int32), "fall": tf.ones([4, 1])}
  before = [w.copy() for w in model.get_weights()]
  history = model.fit(_images(4, 16), targets, batch_size=4, epochs=2, verbose=0).history
  assert history["loss"][1] < history["loss"][0]
  assert any((a != b).any() for a, b in zip(before, model.get_weights()))


def test_a_plain_keras_model_is_saved_and_loaded(tmp_path):
  model, x = _functional(), _images(2, 16)
  model.save(tmp_path / "model.keras")
  again = tf.keras.models.load_model(tmp_path / "model.keras")
  tf.nest.map_structure(np.testing.assert_array_equal, model(x), again(x))


@pytest.mark.parametrize("side", [9, 12, 14])
def test_masks_have_the_size_that_is_asked_for_whatever_the_map(side):
  head = networks.MaskHead(n_classes=3, n_times=2, coarse=4, filters=(4, 4), size=56)
  assert head(tf.zeros([1, side, side, 2])).shape == (1, 56, 56, 2, 3)


def test_a_size_that_can_not_be_halved_is_refused():
  with pytest.raises(ValueError, match="size is 54; 2 upsamplings need a multiple of 4"):
    networks.MaskHead(filters=(4, 4), size=54)
