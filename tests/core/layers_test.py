"""Tests of the shared layers: shapes, what they can tell apart, saving, bfloat16."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import layers

pytestmark = pytest.mark.usefixtures("seeded")


def _images(n, side, channels=3, seed=0):
  return tf.random.stateless_uniform([n, side, side, channels], [seed, 1])


def _again(layer):
  return tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))


_SMALL = {
    "block": lambda: layers.ResidualBlock(6, stride=2),
    "trunk": lambda: layers.Trunk((4, 6, 8), blocks=1),
    "layout": lambda: layers.LayoutHead(squeeze=3, units=7),
    "segmenter": lambda: layers.Segmenter(3),
}


def test_the_trunk_has_maps_at_strides_4_and_8():
  fine, coarse = layers.Trunk((4, 6, 8), blocks=1)(_images(2, 32))
  assert fine.shape == (2, 8, 8, 6) and coarse.shape == (2, 4, 4, 8)


def test_the_trunk_has_as_many_blocks_as_asked_for():
  trunk = layers.Trunk((4, 6, 8), blocks=3)
  trunk(_images(1, 16))
  kernels = [v for v in trunk.trainable_variables if len(v.shape) == 4]
  # Stem, first block of two; in each stage 3 blocks of two and one shortcut.
  assert len(kernels) == 1 + 2 + 2 * (3 * 2 + 1)


def test_the_trunks_defaults_are_those_documented():
  trunk = layers.Trunk()
  assert trunk.compute_output_shape((8, 112, 112, 3)) == [
      tf.TensorShape([8, 28, 28, 64]), tf.TensorShape([8, 14, 14, 128])]


@pytest.mark.parametrize("filters, blocks", [((4,), 2), ((4, 6, 8, 8), 2), ((), 2), ((4, 6, 8), 0)])
def test_a_trunk_needs_three_widths_and_a_block(filters, blocks):
  with pytest.raises(ValueError, match=f"filters are .* and blocks is {blocks}; .*two stages"):
    layers.Trunk(filters, blocks)


def test_coordinates_are_x_and_y_from_minus_1_to_1():
  found = layers.add_coordinates(tf.zeros([2, 3, 5, 1])).numpy()
  assert found.shape == (2, 3, 5, 3)
  np.testing.assert_allclose(found[1, 0, :, 1], [-1, -0.5, 0, 0.5, 1])  # x
  np.testing.assert_allclose(found[1, :, 4, 2], [-1, 0, 1])  # y, downwards


def test_a_block_of_the_same_shape_has_a_plain_shortcut():
  plain, projected = layers.ResidualBlock(4), layers.ResidualBlock(5)
  x = _images(1, 8, 4)
  plain(x), projected(x)
  count = [sum(len(v.shape) == 4 for v in block.trainable_variables)
           for block in (plain, projected)]
  assert count == [2, 3]


def test_a_block_without_residual_is_the_relu_of_its_input():
  block = layers.ResidualBlock(4)
  x = _images(2, 8, 4) - 0.5
  block(x)
  block.norms[1].gamma.assign(tf.zeros([4]))
  np.testing.assert_allclose(block(x), tf.nn.relu(x), atol=1e-6)


@pytest.mark.parametrize("stride, side", [(1, 8), (2, 4)])
def test_a_block_divides_the_side_by_its_stride(stride, side):
  assert layers.ResidualBlock(6, stride)(_images(2, 8, 4)).shape == (2, side, side, 6)


def test_batch_norm_has_the_momentum_of_short_runs():
  trunk = _SMALL["trunk"]()
  trunk(_images(1, 16))
  norms = [m for m in trunk.submodules if isinstance(m, tf.keras.layers.BatchNormalization)]
  assert len(norms) == 1 + 3 * 2 and {norm.momentum for norm in norms} == {0.95}
  assert not any(getattr(norm, "synchronized", False) for norm in norms)  # one replica


def test_batch_norm_is_synchronized_on_several_replicas():
  strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
  with strategy.scope():
    assert layers.normalization("float32").synchronized


def test_training_moves_the_averages_and_inference_does_not():
  trunk, x = _SMALL["trunk"](), _images(2, 16)
  trunk(x, training=False)
  before = [v.numpy() for v in trunk.non_trainable_variables]
  trunk(x, training=False)
  for a, b in zip(before, trunk.non_trainable_variables):
    np.testing.assert_array_equal(a, b)
  trunk(x, training=True)
  assert all((a != b.numpy()).any() for a, b in zip(before, trunk.non_trainable_variables))


def test_the_layout_head_learns_on_after_its_biases_were_thrown_far_down():
  head = layers.LayoutHead(3, 7)
  x = _images(2, 4, 5) - 0.5
  assert head(x).shape == (2, 7)
  head.dense.bias.assign([-100.0] * 7)  # a ReLU would be 0 here, and its gradient too
  with tf.GradientTape() as tape:
    vector = head(x, training=True)
    loss = tf.reduce_sum(vector * tf.range(1.0, 8.0))
  assert (vector.numpy() < 0.0).all()
  for gradient in tape.gradient(loss, [head.convolution.kernel, head.dense.kernel]):
    assert np.abs(gradient.numpy()).max() > 0.0


def test_the_layout_head_knows_where_things_are():
  head = layers.LayoutHead(16, 32)
  x = np.zeros([2, 6, 6, 3], np.float32)
  x[0, 1, 1], x[1, 4, 3] = 1.0, 1.0  # the same spot at two places
  vectors = head(x).numpy()
  assert np.abs(vectors[0] - vectors[1]).max() > 0.01
  np.testing.assert_allclose(x[0].mean(axis=(0, 1)), x[1].mean(axis=(0, 1)))  # pooling doesn't


@pytest.mark.parametrize("kind", _SMALL)
def test_a_layer_made_from_its_config_is_the_same(kind):
  layer, x = _SMALL[kind](), _images(2, 16)
  expected = layer(x)
  again = _again(layer)
  assert again.get_config() == layer.get_config() and type(again) is type(layer)
  again(x)
  again.set_weights(layer.get_weights())
  tf.nest.map_structure(np.testing.assert_array_equal, expected, again(x))


@pytest.mark.parametrize("kind", _SMALL)
def test_every_weight_gets_a_gradient(kind):
  layer, x = _SMALL[kind](), _images(2, 16)
  with tf.GradientTape() as tape:
    found = tf.nest.flatten(layer(x, training=True) if kind != "layout" else layer(x))
    loss = tf.add_n([tf.reduce_sum(tf.square(y - 0.3)) for y in found])
  gradients = tape.gradient(loss, layer.trainable_variables)
  assert all(g is not None and np.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize("kind", _SMALL)
def test_layers_work_in_bfloat16_on_float32_weights(kind):
  tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
  layer = _SMALL[kind]()
  for y in tf.nest.flatten(layer(_images(2, 16))):
    assert y.dtype == (tf.float32 if kind == "segmenter" else tf.bfloat16)
    assert np.isfinite(tf.cast(y, tf.float32)).all()
  assert {v.dtype for v in layer.weights} == {tf.float32}


def test_the_segmenter_keeps_the_size():
  assert layers.Segmenter(3)(tf.zeros([2, 9, 11, 3])).shape == (2, 9, 11, 3)


def test_the_segmenter_sees_what_is_around_a_pixel():
  segmenter = layers.Segmenter(3)
  image = np.full([1, 96, 96, 3], 0.5, np.float32)
  before = segmenter(image).numpy()
  image[0, 48, 48] = 1.0
  rows = np.flatnonzero(np.abs(segmenter(image).numpy() - before)[0].max(axis=(1, 2)) > 1e-6)
  assert 20 < np.ptp(rows) and rows.min() >= 48 - 40 and rows.max() <= 48 + 40


def test_the_segmenters_labels_are_brought_to_its_size():
  segments = np.zeros([1, 8, 8], np.int32)
  segments[:, :4] = 2
  right = 20.0 * tf.one_hot(segments[:, ::2, ::2], 3)
  assert layers.segment_loss(right, segments) < 1e-6
  np.testing.assert_allclose(layers.segment_loss(tf.zeros([1, 4, 4, 3]), segments), np.log(3),
                             rtol=1e-6)
