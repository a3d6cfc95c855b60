"""Tests of LeNet and the head: the published sizes, the activations, saving."""

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer import networks


@pytest.fixture
def images():
  return tf.random.stateless_uniform([3, 32, 32, 1], [0, 1])


def test_lenet_has_addas_sizes_and_weights(images):
  lenet = networks.LeNet()
  activations = lenet(images)
  assert {name: tuple(x.shape) for name, x in activations.items()} == {
    "pool1": (3, 14, 14, 20), "pool2": (3, 5, 5, 50), "fc3": (3, 500)}  # fmt: skip
  assert lenet.count_params() == (25 * 20 + 20) + (500 * 50 + 50) + (1250 * 500 + 500)
  # ADDA's own images.
  assert networks.LeNet()(images[:, :28, :28])["pool2"].shape == (3, 4, 4, 50)


def test_the_names_go_from_the_input_upwards(images):
  lenet = networks.LeNet((2, 3), 4)
  activations = lenet(images)
  assert lenet.layer_names == ("pool1", "pool2", "fc3") == tuple(activations)
  with tf.GradientTape() as tape:
    low = tf.reduce_sum(lenet(images)["pool1"])
  gradients = tape.gradient(low, lenet.trainable_variables)
  assert [g is not None for g in gradients] == [True, True, False, False, False, False]


def test_the_activations_are_those_of_the_layers_by_hand(images):
  lenet = networks.LeNet((2, 3), 4)
  activations = lenet(images)
  w1, b1, w2, b2, w3, b3 = lenet.weights

  def block(x, w, b):
    x = tf.nn.relu(tf.nn.conv2d(x, w, 1, "VALID") + b)
    return tf.nn.max_pool2d(x, 2, 2, "VALID")

  first = block(images, w1, b1)
  second = block(first, w2, b2)
  third = tf.nn.relu(tf.reshape(second, [3, -1]) @ w3 + b3)
  for name, expected in (("pool1", first), ("pool2", second), ("fc3", third)):
    np.testing.assert_allclose(activations[name], expected, atol=1e-5)


def test_lenet_starts_from_another_ones_weights(images):
  source = networks.LeNet((2, 3), 4)
  source(images)
  target = networks.LeNet.from_config(source.get_config())
  assert not np.allclose(target(images)["fc3"], source(images)["fc3"])
  target.set_weights(source.get_weights())
  np.testing.assert_array_equal(target(images)["fc3"], source(images)["fc3"])


def test_the_least_image_has_one_pixel_left():
  assert networks.LeNet().smallest_side() == 16
  assert networks.LeNet((2, 3), 4)(tf.zeros([1, 16, 17, 1]))["pool2"].shape == (1, 1, 1, 3)
  with pytest.raises(ValueError, match="15x32 are too small for LeNet; the least side is 16"):
    networks.LeNet((2, 3), 4)(tf.zeros([1, 15, 32, 1]))


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 32, None, 1)])
def test_images_of_no_known_size_are_refused(shape):
  with pytest.raises(ValueError, match="LeNet needs .batch, h, w, c., all but the batch known"):
    networks.LeNet()(tf.keras.Input(batch_shape=shape))


def test_a_head_is_linear_glorot_and_without_bias():
  head = networks.Head(5)
  logits = head(tf.eye(500))
  kernel, bias = head.weights
  np.testing.assert_array_equal(bias, 0)
  np.testing.assert_allclose(logits, kernel)
  limit = np.sqrt(6 / 505)
  assert 0.98 * limit < np.abs(kernel).max() <= limit
  assert np.std(kernel) == pytest.approx(limit / np.sqrt(3), rel=0.1)


def test_a_cosine_heads_logits_are_those_of_directions():
  head = networks.CosineHead(2, temperature=0.5)
  embeddings = tf.constant([[3.0, 4.0], [0.0, -7.0]])
  head(embeddings)
  (kernel,) = head.weights  # no bias
  kernel.assign([[1.0, 0.0], [2.0, 10.0]])  # columns of other lengths, which stay as they are
  expected = [[(0.6 + 0.8 * 2) / 0.5, 0.8 * 10 / 0.5], [-2 / 0.5, -10 / 0.5]]
  np.testing.assert_allclose(head(embeddings), expected, rtol=1e-5)


def test_a_cosine_head_does_not_see_the_length_of_an_embedding():
  head = networks.CosineHead(5)
  embeddings = tf.random.stateless_normal([4, 7], [0, 1])
  np.testing.assert_allclose(head(100 * embeddings), head(embeddings), rtol=1e-4)
  np.testing.assert_array_equal(head(tf.zeros([1, 7])), np.zeros([1, 5]))  # no direction


def test_a_cosine_heads_temperature_is_the_published_one():
  head = networks.CosineHead(3)
  logits = head(tf.eye(4))
  np.testing.assert_allclose(logits, head.weights[0] / 0.05, rtol=1e-5)


@pytest.mark.parametrize(("arguments", "message"), [
  ((1,), "n_classes is 1; a classifier needs at least 2"),
  ((2, 0.0), "temperature is 0.0; it must be above 0"),
  ((2, -1), "temperature is -1; it must be above 0"),
  ((2, float("nan")), "temperature is nan; it must be above 0"),
])  # fmt: skip
def test_bad_arguments_of_a_cosine_head_are_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    networks.CosineHead(*arguments)


def test_a_cosine_head_comes_back_from_its_config():
  head = networks.CosineHead(4, temperature=0.3, name="h")
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(head))
  assert type(again) is networks.CosineHead and again.get_config() == head.get_config()
  assert (again.n_classes, again.temperature, again.name) == (4, 0.3, "h")


def test_a_functional_model_with_a_cosine_head_is_saved(tmp_path):
  inputs = tf.keras.Input((7,))
  model = tf.keras.Model(inputs, networks.CosineHead(3)(inputs))
  model.save(tmp_path / "a.keras")
  again = tf.keras.models.load_model(tmp_path / "a.keras")
  embeddings = tf.random.stateless_normal([4, 7], [0, 1])
  np.testing.assert_array_equal(again(embeddings), model(embeddings))


def test_bad_sizes_are_refused():
  with pytest.raises(ValueError, match=r"channels are \(20,\); LeNet has two convolutions"):
    networks.LeNet((20,))
  with pytest.raises(ValueError, match="n_classes is 1; a classifier needs at least 2"):
    networks.Head(1)


@pytest.mark.parametrize(
  "layer", [networks.LeNet((2, 3), 7, 3, name="e"), networks.Head(4, name="h")],
  ids=lambda layer: layer.name,
)
def test_they_come_back_from_their_configs(layer):
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert type(again) is type(layer) and again.get_config() == layer.get_config()
  assert {"units": 7, "kernel": 3}.items() <= again.get_config().items() or again.n_classes == 4


def test_a_functional_model_with_both_is_saved(images, tmp_path):
  inputs = tf.keras.Input((32, 32, 1))
  activations = networks.LeNet((2, 3), 4)(inputs)
  logits = networks.Head(5)(activations["fc3"])
  model = tf.keras.Model(inputs, {"logits": logits, "maps": activations["pool1"]})
  model.save(tmp_path / "a.keras")
  again = tf.keras.models.load_model(tmp_path / "a.keras")
  for name in ("logits", "maps"):
    np.testing.assert_array_equal(again(images)[name], model(images)[name])


def test_a_head_keeps_its_own_precision():
  tf.keras.mixed_precision.set_global_policy("mixed_float16")
  images = tf.zeros([1, 16, 16, 1])
  embeddings = networks.LeNet((2, 3), 4)(images)["fc3"]
  assert embeddings.dtype == tf.float16
  assert networks.Head(5, dtype="float32")(embeddings).dtype == tf.float32
