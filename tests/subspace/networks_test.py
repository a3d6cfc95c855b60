"""Tests of the encoders and decoders: published shapes, odd sizes, saving."""

import numpy as np
import pytest
import tensorflow as tf

from garden.subspace import networks

# image shape, kernels, channels, shape of the code, weights (facts of the method, section 2.1)
_PUBLISHED = {
  "yaleb": ((48, 42, 1), (5, 3, 3), (10, 20, 30), (6, 6, 30), 14991),
  "orl": ((32, 32, 1), (3, 3, 3), (3, 3, 5), (4, 4, 5), 504),
  "coil20": ((32, 32, 1), (3,), (15,), (16, 16, 15), 286),
  "coil100": ((32, 32, 1), (5,), (50,), (16, 16, 50), 2551),
}


def _pair(shape, kernels, channels, **more):
  encoder, decoder = networks.conv_autoencoder(shape, kernels, channels, **more)
  images = tf.random.stateless_uniform([2, *shape], [1, 2])
  return encoder, decoder, images


@pytest.mark.parametrize("name", _PUBLISHED)
def test_the_published_networks_have_their_shapes_and_weights(name):
  shape, kernels, channels, code, weights = _PUBLISHED[name]
  encoder, decoder, images = _pair(shape, kernels, channels)
  codes = encoder(images)
  assert codes.shape == (2, np.prod(code))
  assert decoder.reshape.target_shape == code
  assert decoder(codes).shape == images.shape
  assert encoder.count_params() + decoder.count_params() == weights


def test_the_sizes_of_yale_b_halve_upwards():
  assert networks.layer_sizes(48, 3) == [48, 24, 12, 6]
  assert networks.layer_sizes(42, 3) == [42, 21, 11, 6]
  assert networks.layer_sizes(7, 0) == [7]


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("size", [(4, 4), (5, 7), (9, 6), (13, 17), (8, 31)])
def test_the_decoder_gives_back_every_size(size, kernel):
  for depth in (1, 2, 3):
    shape = (*size, 3)
    encoder, decoder, images = _pair(shape, (kernel,) * depth, (2, 3, 4)[:depth])
    assert decoder(encoder(images)).shape == images.shape


def test_the_code_is_flattened_row_by_row():
  encoder, decoder, images = _pair((8, 6, 1), (3,), (2,))
  maps = encoder.convolutions[0](images)
  np.testing.assert_array_equal(encoder(images), tf.reshape(maps, [2, -1]))
  np.testing.assert_array_equal(decoder.reshape(encoder(images)), maps)


def test_activations_are_relu_as_published_or_linear():
  encoder, decoder, images = _pair((8, 8, 1), (3, 3), (4, 4))
  linear = _pair((8, 8, 1), (3, 3), (4, 4), code_activation="linear", output_activation="linear")
  codes, free = encoder(images), linear[0](images)
  assert tf.reduce_min(codes) == 0 and tf.reduce_min(decoder(codes)) >= 0
  assert tf.reduce_min(free) < 0 and tf.reduce_min(linear[1](free)) < 0
  # The layers between have a ReLU in both.
  assert tf.reduce_min(linear[0].convolutions[0](images)) == 0


def test_same_padding_is_that_of_a_convolution_by_hand():
  encoder = networks.ConvEncoder((3,), (1,), "linear")
  image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
  encoder(image)
  kernel = np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1)
  encoder.set_weights([kernel, np.array([0.5])])
  padded = np.pad(image[0, :, :, 0], ((0, 1), (0, 1)))  # TensorFlow pads below and to the right
  expected = [
    np.sum(padded[i : i + 3, j : j + 3] * kernel[..., 0, 0]) + 0.5 for i in (0, 2) for j in (0, 2)
  ]
  np.testing.assert_allclose(encoder(image)[0], expected)


def test_the_output_bias_is_where_the_output_starts():
  _, decoder = networks.conv_autoencoder((8, 8, 1), (3, 3), (2, 2), output_bias=0.25)
  np.testing.assert_allclose(decoder(tf.zeros([1, 8])), 0.25)


@pytest.mark.parametrize(
  ("size", "count", "expected"),
  [
    ((32, 32), 400, ((3, 3, 3), (3, 3, 5))),
    ((48, 42), 2432, ((3, 3, 3), (10, 20, 30))),
    ((16, 16), 400, ((3, 3), (3, 3))),
    ((8, 100), 5000, ((3,), (15,))),
    ((4, 4), 10, ((3,), (15,))),
  ],
)
def test_a_network_is_chosen_from_size_and_number(size, count, expected):
  assert networks.choose_layers(size, count) == expected


def test_what_cannot_be_a_network_is_refused():
  with pytest.raises(ValueError, match=r"3x9 are too small; the least side is 4"):
    networks.choose_layers((3, 9), 10)
  with pytest.raises(ValueError, match=r"kernel size 4 is even"):
    networks.ConvEncoder((3, 4), (2, 2))
  with pytest.raises(ValueError, match=r"\(3, 3\) and channels \(2,\) must have the same length"):
    networks.ConvDecoder((3, 3), (2,), (8, 8, 1))
  with pytest.raises(ValueError, match="at least 1"):
    networks.ConvEncoder((), ())


@pytest.mark.parametrize(
  "layer",
  [
    networks.ConvEncoder((5, 3), (2, 3), "linear", name="e"),
    networks.ConvDecoder((5, 3), (2, 3), (9, 7, 3), "linear", output_bias=0.5, name="d"),
  ],
)
def test_layers_come_back_from_their_config(layer):
  again = type(layer).from_config(layer.get_config())
  assert again.get_config() == layer.get_config()
  saved = tf.keras.layers.serialize(layer)
  assert saved["registered_name"].startswith("garden>")
  assert tf.keras.layers.deserialize(saved).get_config() == layer.get_config()


def test_a_functional_model_of_the_layers_is_saved_as_keras(tmp_path):
  encoder, decoder, images = _pair((9, 7, 1), (3, 3), (2, 3))
  inputs = tf.keras.Input((9, 7, 1))
  model = tf.keras.Model(inputs, decoder(encoder(inputs)))
  model.save(tmp_path / "a.keras")
  again = tf.keras.models.load_model(tmp_path / "a.keras")
  np.testing.assert_array_equal(model(images), again(images))


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_scaled_codes_give_the_same_images(activation):
  encoder, decoder = networks.conv_autoencoder((8, 6, 1), (3, 3), (4, 2), activation)
  images = tf.random.stateless_uniform([5, 8, 6, 1], [1, 2])
  decoder(encoder(images))
  encoder.convolutions[-1].bias.assign([0.1, -0.2])
  codes, copies = encoder(images), decoder(encoder(images))
  networks.scale_codes(encoder, decoder, 3.0)
  np.testing.assert_allclose(encoder(images), 3.0 * codes, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(decoder(encoder(images)), copies, rtol=1e-5, atol=1e-6)
  assert np.ptp(copies) > 0


def test_a_dense_autoencoder_mirrors_itself():
  encoder, decoder = networks.dense_autoencoder(20, (8, 3))
  codes = encoder(tf.ones([2, 20]))
  assert codes.shape == (2, 3) and decoder(codes).shape == (2, 20)
  assert [layer.units for layer in decoder.layers] == [8, 20]
  assert encoder.layers[-1].activation is tf.keras.activations.linear
