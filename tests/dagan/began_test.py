"""Tests of BEGAN: what its step changes, its balance, its noise."""

import numpy as np
import pytest
import tensorflow as tf

from garden.dagan import began
from garden.dagan import losses
from garden.dagan import settings

_NETWORK = settings.Network(size=16, filters=4, hidden=6)


def _model(**recipe):
  tf.keras.utils.set_random_seed(0)
  model = began.BEGAN(_NETWORK, settings.BEGANRecipe(**recipe), shown=3)
  model.build()
  model.compile()
  return model


def _images(n=4):
  return tf.random.stateless_uniform([n, 16, 16, 3], [0, 1], -1.0, 1.0)


def test_images_have_the_size_of_the_network():
  assert _model()(tf.zeros([5, 6])).shape == (5, 16, 16, 3)


def test_a_step_is_one_of_each_and_k_takes_the_errors_before_it():
  model = _model(k_rate=0.1)
  images = _images()
  real = float(tf.reduce_mean(model.error_maps(images)))
  fake = float(tf.reduce_mean(model.error_maps(model(model.noise(4, 0)))))
  before = [v.numpy() for v in model.trainable_variables]
  logs = model.train_step(images)
  assert float(model.k_t) == pytest.approx(
      float(losses.next_k(0.0, real, fake, 0.5, 0.1)), rel=1e-4)
  assert float(logs["convergence"]) == pytest.approx(
      float(losses.convergence(real, fake, 0.5)), rel=1e-4)
  changed = [not np.array_equal(a, b.numpy()) for a, b in zip(before, model.trainable_variables)]
  assert all(changed)
  assert int(model.optimizer.iterations) == int(model.generator_optimizer.iterations) == 1


def test_the_generator_makes_images_easier_to_reconstruct():
  model = _model(learning_rate=2e-3)
  noise = model.noise(16, 1)

  def error():
    return float(tf.reduce_mean(model.error_maps(model(noise))))
  before = error()
  for _ in range(5):
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean(model.error_maps(model(noise)))
    model.minimize(tape, loss, model.generator.trainable_variables, model.generator_optimizer)
  assert error() < before


def test_noise_is_in_its_range_and_differs_by_step_and_by_draw():
  model = _model()
  first = model.noise(50, 0).numpy()
  assert first.min() < -0.8 and first.max() > 0.8 and np.abs(first).max() <= 1.0
  np.testing.assert_array_equal(first, model.noise(50, 0))
  assert not np.array_equal(first, model.noise(50, 1))
  model.total_steps.assign_add(1)
  assert not np.array_equal(first, model.noise(50, 0))


def test_validation_keeps_images_of_the_same_noise():
  model = _model()
  model.step.assign(1000)
  noise = tf.zeros([3, 6])
  model.test_step(noise)
  expected = np.round((np.clip(model(noise), -1, 1) + 1) * 127.5)
  np.testing.assert_array_equal(model.album.pictures.numpy()[-1], expected)
  assert model.album.kept.numpy().tolist() == [0] * 9 + [1000]


def test_a_stuck_balance_is_told():
  model = _model()
  assert "k_0" in model.epoch_warnings({"k_t": 0.0})
  assert "k_1" in model.epoch_warnings({"k_t": 1.0})
  assert not model.epoch_warnings({"k_t": 0.3})
  assert not _model(balance="constant", k_start=1.0).epoch_warnings({"k_t": 1.0})
