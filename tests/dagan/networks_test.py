"""Tests of the networks: shapes, what is linear, what is nothing at first."""

import numpy as np
import pytest
import tensorflow as tf

from garden.dagan import networks


def _images(size, n=2):
  return tf.random.stateless_uniform([n, size, size, 3], [1, 2], -1.0, 1.0)


@pytest.mark.parametrize("size, sizes", [
    (32, (32, 16, 8)), (224, (224, 112, 56, 28, 14, 7)), (40, (40, 20, 10, 5)), (8, (8,))])
def test_sizes_halve_to_eight_or_seven(size, sizes):
  assert networks.sizes_of(size) == sizes


@pytest.mark.parametrize("size", [36, 33, 4, 9])
def test_other_sizes_are_refused(size):
  with pytest.raises(ValueError, match=f"size is {size}; it must be 5 to 8 times"):
    networks.sizes_of(size)


@pytest.mark.parametrize("options", [
    {}, {"skip": True}, {"vanishing": 10}, {"channels": 3}, {"detail": True}])
def test_an_autoencoder_has_a_code_and_an_image(options):
  net = networks.BEGANAutoencoder(32, filters=4, hidden=6, **options)
  images = _images(32)
  assert net.encode(images).shape == (2, 6)
  assert net(images).shape == (2, 32, 32, 3)
  np.testing.assert_allclose(net(images), net.decode(net.encode(images), images), rtol=1e-5)


def test_224_pixels_start_from_seven():
  net = networks.Decoder(224, filters=2)
  assert net(tf.zeros([1, 3])).shape == (1, 224, 224, 3)
  assert net.start.units == 7 * 7 * 2


def test_filters_grow_by_n_at_each_size_as_published():
  net = networks.Encoder(32, filters=4, hidden=6)
  net(_images(32))
  shapes = [block.layers[1].kernel.shape[-1] for block in net.blocks]
  assert shapes == [4, 8, 12]
  # conv 3x3 of a to b filters has 9ab + b numbers.
  pairs = [(3, 4), (4, 4), (4, 4), (4, 8), (8, 8), (8, 8), (8, 12), (12, 12), (12, 12)]
  expected = sum(9 * a * b + b for a, b in pairs) + (8 * 8 * 12 + 1) * 6
  assert net.count_params() == expected


def test_nothing_is_bent_around_the_code():
  net = networks.BEGANAutoencoder(8, filters=4, hidden=3)
  net(_images(8))
  weights = net.encoder.code
  assert weights.activation is tf.keras.activations.linear
  assert net.decoder.start.activation is tf.keras.activations.linear
  # The image is linear in its last layer: it may leave [-1, 1].
  net.decoder.image.bias.assign([5.0, 0.0, 0.0])
  assert float(tf.reduce_max(net(_images(8)))) > 3.0


def test_a_carry_of_one_lets_layers_of_one_width_be_skipped():
  block = networks._Convolutions(3)
  x = _images(8)
  np.testing.assert_allclose(block(x, 1.0), x)
  np.testing.assert_allclose(block(x, 0.0), block(x), atol=1e-6)
  np.testing.assert_allclose(networks._Convolutions(5)(x, 1.0).shape, (2, 8, 8, 5))


def test_the_carry_vanishes_in_its_steps():
  net = networks.BEGANAutoencoder(8, filters=2, hidden=2, vanishing=10)
  found = []
  for step in (0, 5, 10, 20):
    net.vanish(step)
    found.append(float(net.carry))
  assert found == [1.0, 0.5, 0.0, 0.0]
  assert net.carry.name.startswith("carry") and net.carry not in net.trainable_weights


def test_an_autoencoder_is_made_again_from_its_config():
  net = networks.BEGANAutoencoder(16, filters=4, hidden=3, skip=True, detail=True)
  again = networks.BEGANAutoencoder.from_config(net.get_config())
  images = _images(16)
  net(images), again(images)
  again.set_weights(net.get_weights())
  np.testing.assert_allclose(net(images), again(images), atol=1e-6)


def test_half_precision_tells_images_in_float32():
  policy = tf.keras.mixed_precision.Policy("mixed_float16")
  net = networks.BEGANAutoencoder(8, filters=4, hidden=3, dtype=policy)
  assert net.encode(_images(8)).dtype == tf.float16 and net(_images(8)).dtype == tf.float32
  agent = networks.IdentityAgent(5, dtype=policy)
  assert agent(net.encode(_images(8))).dtype == tf.float32


def test_detail_past_the_code_is_what_an_average_of_two_by_two_takes_away():
  net = networks.BEGANAutoencoder(8, filters=2, hidden=2, detail=True)
  images, same_code = _images(8), tf.zeros([2, 2])
  first = net.decode(same_code, images)
  # Averages of 2 x 2 that move alone leave the detail as it is; anything finer doesn't.
  coarse = tf.repeat(tf.repeat(_images(4), 2, axis=1), 2, axis=2)
  np.testing.assert_allclose(net.decode(same_code, images + coarse), first, atol=1e-5)
  finer = images + tf.reshape(tf.tile([0.1, -0.1], [32]), [1, 8, 8, 1])
  assert np.abs(net.decode(same_code, finer) - first).max() > 1e-3


def test_without_detail_a_reconstruction_is_a_function_of_the_code():
  net = networks.BEGANAutoencoder(8, filters=2, hidden=2)
  code = tf.ones([2, 2])
  np.testing.assert_array_equal(net.decode(code, _images(8)), net.decode(code, -_images(8)))


def test_detail_of_an_odd_size_is_refused():
  with pytest.raises(ValueError, match="size is 7; with detail"):
    networks.BEGANAutoencoder(7, detail=True)


def test_an_agent_is_linear_or_tells_cosines():
  codes = tf.constant([[3.0, 4.0], [0.0, -2.0]])
  linear, cosine = networks.IdentityAgent(2), networks.IdentityAgent(2, cosine=True)
  linear(codes), cosine(codes)
  people = np.diag([2.0, 1.0])
  linear.set_weights([people, np.array([0.5, 0.0])])
  cosine.set_weights([people])
  np.testing.assert_allclose(linear(codes), [[6.5, 4.0], [0.5, -2.0]], rtol=1e-6)
  np.testing.assert_allclose(cosine(codes), [[0.6, 0.8], [0.0, -1.0]], atol=1e-6)


def test_an_agent_is_made_again_from_its_config():
  agent = networks.IdentityAgent(3, cosine=True)
  assert networks.IdentityAgent.from_config(agent.get_config()).cosine
