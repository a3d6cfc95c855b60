"""Tests of the refiner: it begins as its image, learns everywhere, stays in its range."""

import numpy as np
import pytest
import tensorflow as tf

from garden.dagan import refiner


def _images(size, n=2):
  return tf.random.stateless_uniform([n, size, size, 3], [1, 2], -1.0, 1.0)


_REFINERS = [{"form": "residual", "filters": 4, "blocks": 2},
             {"form": "hourglass", "filters": (4, 6, 8)}]


@pytest.mark.parametrize("options", _REFINERS)
def test_a_refiner_begins_as_the_image(options):
  images = _images(16)
  np.testing.assert_array_equal(refiner.Refiner(**options)(images), images)


@pytest.mark.parametrize("options", _REFINERS)
def test_without_its_input_a_refiner_stays_in_the_range(options):
  found = refiner.Refiner(add_input=False, **options)(_images(16)).numpy()
  assert found.shape == (2, 16, 16, 3) and np.abs(found).max() < 1 and found.std() > 0


@pytest.mark.parametrize("options", _REFINERS)
def test_a_refiner_learns_something_at_every_layer(options):
  net = refiner.Refiner(**options)
  images = _images(16)
  net(images)
  net.image.kernel.assign(0.1 * tf.ones_like(net.image.kernel))
  with tf.GradientTape() as tape:
    loss = tf.reduce_mean(tf.square(net(images) - 0.3))
  for gradient, variable in zip(tape.gradient(loss, net.trainable_variables),
                                net.trainable_variables):
    assert gradient is not None and np.abs(gradient).max() > 0, variable.name


@pytest.mark.parametrize("options", [
    *_REFINERS, {"form": "residual", "filters": 4, "blocks": 1, "add_input": False}])
def test_a_refiner_is_made_again_from_its_config(options):
  net = refiner.Refiner(**options)
  again = refiner.Refiner.from_config(net.get_config())
  images = _images(16)
  net(images), again(images)
  again.set_weights(net.get_weights())
  np.testing.assert_allclose(net(images), again(images))


@pytest.mark.parametrize("options, message", [
    ({"form": "unet"}, "form is 'unet'"), ({"form": "hourglass", "filters": 8}, "a number a size"),
    ({"form": "residual", "filters": (8, 8)}, "takes one number")])
def test_other_refiners_are_refused(options, message):
  with pytest.raises(ValueError, match=message):
    refiner.Refiner(**options)


def test_images_that_do_not_halve_are_refused():
  with pytest.raises(ValueError, match="10 x 10; an hourglass of 3 sizes needs multiples of 4"):
    refiner.Refiner("hourglass", filters=(4, 4, 4))(_images(10))


def test_half_precision_refines_in_float32():
  policy = tf.keras.mixed_precision.Policy("mixed_float16")
  net = refiner.Refiner("hourglass", filters=(4, 4), dtype=policy)
  assert net(_images(8)).dtype == tf.float32


@pytest.mark.parametrize(("form", "filters"), [("residual", 4), ("hourglass", (4, 6, 8))])
def test_a_keras_file_holds_every_weight(form, filters, tmp_path):
  images = tf.keras.Input([16, 16, 3])
  model = tf.keras.Model(images, refiner.Refiner(form, filters, blocks=2)(images))
  for weight in model.weights:
    weight.assign(tf.random.stateless_normal(weight.shape, [len(weight.shape), 1]))
  model.save(tmp_path / "a.keras")
  again = tf.keras.models.load_model(tmp_path / "a.keras")
  for ours, theirs in zip(model.weights, again.weights):
    np.testing.assert_array_equal(ours, theirs)
