"""Tests of the ResNet trunks: depth, strides, batch norm, saving."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import resnet

pytestmark = pytest.mark.usefixtures("seeded")


@pytest.fixture(scope="module")
def small():
  """ResNet-18 at stride 8, and what it says of some images."""
  network = resnet.ResNetTrunk(18, (1, 2, 1, 1))
  images = tf.random.stateless_uniform([2, 32, 32, 3], [0, 1])
  return network, images, network(images)


def _kernels(network):
  return [v for v in network.trainable_variables if len(v.shape) == 4]


def test_small_strides_keep_a_map_of_stride_8(small):
  assert [x.shape for x in small[2]] == [(2, 4, 4, 256), (2, 4, 4, 512)]


def test_resnet_18_has_18_layers_and_its_published_kernels(small):
  # 11.69 million with the classifier (513 x 1000) and batch norm.
  kernels = _kernels(small[0])
  assert sum(v.shape[0] > 1 for v in kernels) == 17  # and the classifier; shortcuts are 1x1
  count = sum(int(np.prod(v.shape)) for v in small[0].trainable_variables)
  assert count == pytest.approx(11.69e6 - 513_000, rel=0.002)


def test_batch_norm_has_the_momentum_of_short_runs(small):
  norms = [m for m in small[0].submodules if isinstance(m, tf.keras.layers.BatchNormalization)]
  assert len(norms) == 20 and {norm.momentum for norm in norms} == {0.95}


def test_inference_is_the_default(small):
  network, images, expected = small
  np.testing.assert_array_equal(network(images, training=False)[1], expected[1])
  before = [v.numpy() for v in network.non_trainable_variables]
  network(images)
  for a, b in zip(before, network.non_trainable_variables):
    np.testing.assert_array_equal(a, b)


def test_a_network_made_from_its_config_is_the_same(small):
  network, images, expected = small
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(network))
  assert again.get_config() == network.get_config()
  again(images)
  again.set_weights(network.get_weights())
  tf.nest.map_structure(np.testing.assert_array_equal, expected, again(images))


def test_a_keras_model_with_it_is_saved_and_loaded(small, tmp_path):
  image = tf.keras.Input([32, 32, 3])
  model = tf.keras.Model(image, small[0](image))
  model.save(tmp_path / "model.keras")
  again = tf.keras.models.load_model(tmp_path / "model.keras")
  tf.nest.map_structure(np.testing.assert_array_equal, list(small[2]), list(again(small[1])))


def test_shortcuts_that_slice_have_the_numbers_of_strided_convolutions():
  strided = tf.keras.layers.Conv2D(5, 1, strides=2, use_bias=False)
  x = tf.random.stateless_uniform([2, 7, 6, 3], [0, 2])
  expected = strided(x)
  sliced = resnet._by_slices(strided)
  assert sliced.strides == (1, 1)
  sliced.build(x.shape)
  sliced.set_weights(strided.get_weights())
  np.testing.assert_allclose(sliced(x), expected, atol=1e-6)


def test_no_1x1_convolution_has_a_stride(small):
  pointwise = [m for m in small[0].submodules if isinstance(m, tf.keras.layers.Conv2D)
               and m.kernel_size == (1, 1)]
  assert len(pointwise) >= 3 and {m.strides for m in pointwise} == {(1, 1)}


def test_resnet_34_has_34_layers_and_published_strides():
  network = resnet.ResNetTrunk(34)
  network.build([None, 64, 64, 3])
  assert [x.shape[1:] for x in network.network.outputs] == [(4, 4, 256), (2, 2, 512)]
  assert sum(v.shape[0] > 1 for v in _kernels(network)) == 33


@pytest.mark.parametrize("depth", [50, 17, "18"])
def test_an_unknown_depth_is_refused(depth):
  with pytest.raises(ValueError, match=rf"depth is {depth!r}; it must be one of \[18, 34\]"):
    resnet.ResNetTrunk(depth)


@pytest.mark.parametrize("strides", [(1, 2, 2), (1, 2, 3, 1), (0, 1, 1, 1)])
def test_strides_that_are_not_four_of_1_or_2_are_refused(strides):
  with pytest.raises(ValueError, match="strides are .*; give four, each 1 or 2"):
    resnet.ResNetTrunk(18, strides)


def test_images_of_no_known_size_are_refused():
  with pytest.raises(ValueError, match="their size must be known"):
    resnet.ResNetTrunk()(tf.keras.Input([None, 32, 3]))
