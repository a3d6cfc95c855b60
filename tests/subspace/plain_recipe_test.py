"""The yardstick of the benchmark does what the published scripts do."""

import numpy as np
import pytest
import tensorflow as tf

from garden.subspace import affinity
from garden.subspace import metrics
from garden.subspace import plain_recipe


def _two_subspaces(per_group=12, seed=0):
  """C of samples that express their own group alone."""
  rng = np.random.default_rng(seed)
  block = rng.uniform(0.5, 1.0, (per_group, per_group))
  return np.kron(np.eye(2), block).astype(np.float32)


def test_the_networks_have_the_published_sizes():
  encoder, decoder = plain_recipe.plain_autoencoder(
      (48, 42, 1), (5, 3, 3), (10, 20, 30))
  assert encoder.output_shape == (None, 1080)
  assert decoder.output_shape == (None, 48, 42, 1)
  assert encoder.count_params() + decoder.count_params() == 14991
  encoder, decoder = plain_recipe.plain_autoencoder(
      (32, 32, 1), (3, 3, 3), (3, 3, 5))
  assert encoder.count_params() + decoder.count_params() == 504


@pytest.mark.parametrize("alpha", [0.05, 0.4, 0.9, 1.0])
def test_the_threshold_is_the_gardens(alpha):
  c = np.random.default_rng(0).normal(size=(15, 15))
  np.testing.assert_array_equal(plain_recipe.plain_threshold(c, alpha),
                                affinity.threshold(c, alpha))


def test_a_zero_column_stays_zero():
  c = np.eye(3)
  c[:, 1] = 0.0
  np.testing.assert_array_equal(plain_recipe.plain_threshold(c, 0.5), c)


@pytest.mark.parametrize("eye", [False, True])
def test_blocks_are_the_groups(eye):
  np.random.seed(0)
  labels = plain_recipe.plain_clustering(
      _two_subspaces(), 2, dim=1, exponent=2, eye=eye)
  assert metrics.clustering_error(np.repeat([0, 1], 12), labels) == 0.0


def test_the_steps_lower_their_losses_and_fine_tuning_moves_c():
  images = np.random.default_rng(0).uniform(size=(6, 8, 8, 1))
  nets = plain_recipe.plain_autoencoder((8, 8, 1), (3,), (2,))
  step = plain_recipe.plain_pretrain_step(images, *nets)
  losses = [float(step()) for _ in range(5)]
  assert losses == sorted(losses, reverse=True)
  c = tf.Variable(0.1 * tf.ones([6, 6]))
  step = plain_recipe.plain_finetune_step(images, *nets, c)
  first = float(step())
  assert np.abs(c.numpy() - 0.1).min() > 0
  assert float(step()) < first


def test_the_fine_tuning_loss_is_the_published_sum():
  images = np.random.default_rng(0).uniform(size=(4, 8, 8, 1))
  encoder, decoder = plain_recipe.plain_autoencoder((8, 8, 1), (3,), (2,))
  c = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)
  z = encoder(images).numpy()
  x_hat = decoder(c @ z).numpy()
  expected = (0.7 * np.sum((images - x_hat) ** 2) + 2.0 * np.sum(c ** 2)
              + 3.0 / 2 * np.sum((z - c @ z) ** 2))
  step = plain_recipe.plain_finetune_step(
      images, encoder, decoder, tf.Variable(c), reconstruction_weight=0.7,
      norm_weight=2.0, expression_weight=3.0)
  np.testing.assert_allclose(float(step()), expected, rtol=1e-5)


def test_the_pipeline_gives_labels_that_depend_on_the_seed_alone():
  images = np.random.default_rng(0).uniform(size=(16, 8, 8, 1)).astype(
      np.float32)
  runs = [plain_recipe.plain_pipeline(
      images, 2, seed, kernels=(3,), channels=(2,), alpha=0.5, dim=2,
      exponent=1.0, initial=1e-4, pretrain_steps=3, finetune_steps=3)
          for seed in (3, 3)]
  assert runs[0].shape == (16,)
  assert runs[0].dtype == np.int64
  assert set(runs[0]) <= {0, 1}
  np.testing.assert_array_equal(*runs)
