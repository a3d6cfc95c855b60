"""The fast transposed convolution equals TensorFlow's, forward and backward."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from garden.subspace import transposed


def _random(*shape, seed=0):
  return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


@pytest.mark.parametrize(
    ("kernel", "height", "width"),
    list(itertools.product((1, 3, 5, 7), (6, 7), (10, 9))))
def test_it_equals_conv2d_transpose_with_all_gradients(kernel, height, width):
  x = _random(2, -(-height // 2), -(-width // 2), 4)
  weights = _random(kernel, kernel, 3, 4, seed=1)
  bias = _random(3, seed=2)
  upstream = _random(2, height, width, 3, seed=3)
  results = []
  for f in (
      lambda: transposed.conv2d_transpose(x, weights, bias, (height, width)),
      lambda: tf.nn.bias_add(tf.nn.conv2d_transpose(
          x, weights, [2, height, width, 3], 2, "SAME"), bias)):
    with tf.GradientTape() as tape:
      tape.watch([x, weights, bias])
      y = f()
    results.append([y, *tape.gradient(y, [x, weights, bias], upstream)])
  for fast, usual in zip(*results):
    np.testing.assert_allclose(fast, usual, rtol=1e-4, atol=1e-4)


def _layers(filters, **kwargs):
  """Our layer and Keras's, with the same weights, built for [4, 3, 5] inputs."""
  settings = dict(strides=2, padding="same", output_padding=(1, 0),
                  activation="relu", bias_initializer="ones", **kwargs)
  ours = transposed.Conv2DTranspose(filters, 3, **settings)
  keras = tf.keras.layers.Conv2DTranspose(filters, 3, **settings)
  for layer in (ours, keras):
    layer.build((None, 4, 3, 5))
  ours.set_weights(keras.get_weights())
  return ours, keras


@pytest.mark.parametrize("filters", [1, 3, 4])
@pytest.mark.parametrize("kwargs", [{}, {"use_bias": False}])
def test_the_layer_equals_keras(filters, kwargs):
  ours, keras = _layers(filters, **kwargs)
  x = _random(2, 4, 3, 5)
  assert ours(x).shape == (2, 8, 5, filters)
  np.testing.assert_allclose(ours(x), keras(x), rtol=1e-5, atol=1e-5)


def test_few_channels_take_the_fast_way_and_many_do_not(monkeypatch):
  calls = []
  monkeypatch.setattr(transposed, "conv2d_transpose",
                      lambda x, *_: calls.append(1) or x)
  x = _random(2, 4, 3, 5)
  _layers(transposed.FEW_CHANNELS)[0](x)
  assert len(calls) == 1
  _layers(transposed.FEW_CHANNELS + 1)[0](x)
  transposed.Conv2DTranspose(1, 3, strides=1, padding="same")(x)
  transposed.Conv2DTranspose(1, 3, strides=2, padding="valid")(x)
  transposed.Conv2DTranspose(1, 3, strides=2, padding="same",
                             dtype="mixed_float16")(x)
  assert len(calls) == 1


def test_an_odd_output_padding_is_keras_to_the_pixel():
  # output_padding 0 gives 2h - 1, 1 gives 2h.
  for padding in itertools.product((0, 1), repeat=2):
    settings = dict(strides=2, padding="same", output_padding=padding)
    ours = transposed.Conv2DTranspose(1, 5, **settings)
    keras = tf.keras.layers.Conv2DTranspose(1, 5, **settings)
    x = _random(1, 3, 4, 2)
    keras.build(x.shape)
    ours.build(x.shape)
    ours.set_weights(keras.get_weights())
    np.testing.assert_allclose(ours(x), keras(x), rtol=1e-5, atol=1e-5)


def test_it_saves_loads_and_takes_any_batch(tmp_path):
  ours, _ = _layers(1)
  copy = tf.keras.layers.deserialize(tf.keras.layers.serialize(ours))
  assert isinstance(copy, transposed.Conv2DTranspose)
  module = tf.Module()
  module.layer = ours
  module.f = tf.function(
      ours, input_signature=[tf.TensorSpec([None, 4, 3, 5], tf.float32)])
  tf.saved_model.save(module, str(tmp_path))
  loaded = tf.saved_model.load(str(tmp_path))
  for batch in (1, 3):
    x = _random(batch, 4, 3, 5)
    np.testing.assert_allclose(loaded.f(x), ours(x), rtol=1e-5, atol=1e-6)
