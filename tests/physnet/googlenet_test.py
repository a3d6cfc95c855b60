"""Tests of GoogLeNet: the widths of its paper, shapes, saving."""

import numpy as np
import pytest
import tensorflow as tf

from garden.physnet import googlenet

pytestmark = pytest.mark.usefixtures("seeded")

# Table 1 of Szegedy et al. 2015: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj, output.
_TABLE = {
    "3a": (64, 96, 128, 16, 32, 32, 256), "3b": (128, 128, 192, 32, 96, 64, 480),
    "4a": (192, 96, 208, 16, 48, 64, 512), "4b": (160, 112, 224, 24, 64, 64, 512),
    "4c": (128, 128, 256, 24, 64, 64, 512), "4d": (112, 144, 288, 32, 64, 64, 528),
    "4e": (256, 160, 320, 32, 128, 128, 832), "5a": (256, 160, 320, 32, 128, 128, 832),
    "5b": (384, 192, 384, 48, 128, 128, 1024)}


def _images(n, side):
  return tf.random.stateless_uniform([n, side, side, 3], [0, 1])


@pytest.fixture(scope="module")
def full():
  """The published network, built on images that are as small as it takes."""
  network = googlenet.GoogLeNet()
  return network, network(tf.zeros([1, 32, 32, 3]))


def test_the_published_network_has_strides_16_and_32(full):
  assert [x.shape for x in full[1]] == [(1, 2, 2, 832), (1, 1, 1, 1024)]


def test_the_inception_blocks_are_those_of_the_paper(full):
  assert [block.filters for block in full[0].inceptions] == [row[:6] for row in _TABLE.values()]
  for one, _, three, _, five, pool, total in _TABLE.values():
    assert one + three + five + pool == total


def test_the_kernels_of_the_published_network_are_6_million(full):
  count, channels = 7 * 7 * 3 * 64 + 64 * 64 + 9 * 64 * 192, 192
  for one, reduce3, three, reduce5, five, pool, total in _TABLE.values():
    count += channels * (one + reduce3 + reduce5 + pool) + 9 * reduce3 * three + 25 * reduce5 * five
    channels = total
  found = sum(int(np.prod(v.shape)) for v in full[0].trainable_variables if len(v.shape) == 4)
  assert found == count == pytest.approx(5.97e6, rel=0.001)


def test_batch_norm_has_the_momentum_of_short_runs(full):
  norms = [m for m in full[0].submodules if isinstance(m, tf.keras.layers.BatchNormalization)]
  assert len(norms) == 3 + 9 * 6 and {norm.momentum for norm in norms} == {0.95}


def test_the_small_stem_ends_at_stride_8():
  fine, coarse = googlenet.GoogLeNet(0.1, "small")(_images(2, 32))
  assert fine.shape[:3] == (2, 8, 8) and coarse.shape[:3] == (2, 4, 4)


def test_the_width_scales_all_blocks_and_leaves_4_channels_at_least():
  network = googlenet.GoogLeNet(0.125, "small")
  assert network.inceptions[0].filters == (8, 12, 16, 4, 4, 4)
  assert network.inceptions[-1].filters == (48, 24, 48, 6, 16, 16)
  assert network.first[-1].filters == 24
  assert network(_images(1, 16))[1].shape == (1, 2, 2, 128)


def test_an_inception_block_joins_its_four_branches():
  block = googlenet.Inception((1, 2, 3, 4, 5, 6))
  x = tf.random.stateless_normal([2, 5, 5, 3], [0, 0])
  found = block(x)
  one, reduce3, three, reduce5, five, pool = block.convolutions
  expected = tf.concat([one(x), three(reduce3(x)), five(reduce5(x)),
                        pool(tf.nn.max_pool2d(x, 3, 1, "SAME"))], axis=-1)
  np.testing.assert_allclose(found, expected, atol=1e-6)
  assert [c.kernel for c in block.convolutions] == [1, 1, 3, 1, 5, 1]


@pytest.mark.parametrize("filters", [(1, 2, 3), ()])
def test_an_inception_block_needs_six_widths(filters):
  with pytest.raises(ValueError, match="filters are .*; an inception block has six widths"):
    googlenet.Inception(filters)


def test_an_unknown_stem_is_refused():
  with pytest.raises(ValueError, match="stem is 'huge'; it must be 'large' or 'small'"):
    googlenet.GoogLeNet(stem="huge")


_LAYERS = {
    "convolution": lambda: googlenet.ConvNorm(4, 3, 2),
    "inception": lambda: googlenet.Inception((1, 2, 3, 4, 5, 6)),
    "network": lambda: googlenet.GoogLeNet(0.1, "small")}


@pytest.mark.parametrize("kind", _LAYERS)
def test_a_layer_made_from_its_config_is_the_same(kind):
  layer, x = _LAYERS[kind](), _images(1, 16)
  expected = layer(x)
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert again.get_config() == layer.get_config()
  again(x)
  again.set_weights(layer.get_weights())
  tf.nest.map_structure(np.testing.assert_array_equal, expected, again(x))


def test_a_keras_model_with_it_is_saved_and_loaded(tmp_path):
  image = tf.keras.Input([16, 16, 3])
  model = tf.keras.Model(image, googlenet.GoogLeNet(0.1, "small")(image))
  model.save(tmp_path / "model.keras")
  again = tf.keras.models.load_model(tmp_path / "model.keras")
  x = _images(1, 16)
  tf.nest.map_structure(np.testing.assert_array_equal, model(x), again(x))


def test_it_works_in_bfloat16():
  tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
  for y in googlenet.GoogLeNet(0.1, "small")(_images(1, 16)):
    assert y.dtype == tf.bfloat16 and np.isfinite(tf.cast(y, tf.float32)).all()
