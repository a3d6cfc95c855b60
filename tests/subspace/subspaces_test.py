"""Tests of the clusters' subspaces and of images that were not clustered."""

import numpy as np
import pytest
import tensorflow as tf

from garden.subspace import subspaces


def _three_subspaces(count, seed=0, noise=0.0):
  """Points of three independent planes in R^10, and their labels."""
  planes = np.random.default_rng(42).normal(size=(3, 2, 10))
  rng = np.random.default_rng(seed)
  labels = np.arange(count) % 3
  weights = rng.normal(size=(count, 2)) + 3 * rng.choice([-1, 1], size=(count, 1))
  points = np.einsum("nr,nrd->nd", weights, planes[labels])
  return (points + noise * rng.normal(size=points.shape)).astype(np.float32), labels


def test_bases_are_orthonormal_and_span_the_members():
  codes, labels = _three_subspaces(30)
  bases = subspaces.cluster_bases(codes, labels, 2)
  assert bases.shape == (3, 10, 2) and bases.dtype == np.float32
  for k in range(3):
    np.testing.assert_allclose(bases[k].T @ bases[k], np.eye(2), atol=1e-5)
    members = codes[labels == k]
    np.testing.assert_allclose(members @ bases[k] @ bases[k].T, members, atol=1e-4)


def test_missing_directions_are_zero_columns():
  codes, labels = _three_subspaces(9)
  bases = subspaces.cluster_bases(codes, labels, 5)  # planes have two directions
  assert np.all(bases[:, :, 2:] == 0)
  one = subspaces.cluster_bases(codes[:1], np.array([1]), 2)  # one member, and an empty cluster 0
  assert one.shape == (2, 10, 2) and np.all(one[0] == 0) and np.all(one[1, :, 1] == 0)
  assert np.linalg.norm(one[1, :, 0]) == pytest.approx(1)


def test_distances_are_squared_sines():
  bases = np.zeros((2, 3, 2), np.float32)
  bases[0, 0, 0] = bases[1, 1, 0] = bases[1, 2, 1] = 1  # the x axis, the y-z plane
  angle = 0.3
  codes = tf.constant([[5.0, 0, 0], [0, 2.0, 2.0], [np.cos(angle), np.sin(angle), 0]], tf.float32)
  expected = [[0, 1], [1, 0], [np.sin(angle) ** 2, np.cos(angle) ** 2]]
  np.testing.assert_allclose(subspaces.distances(codes, bases), expected, atol=1e-6)


def test_distances_do_not_depend_on_brightness_or_sign():
  codes, labels = _three_subspaces(6, noise=0.3)
  bases = subspaces.cluster_bases(codes, labels, 1)
  np.testing.assert_allclose(
    subspaces.distances(codes, bases), subspaces.distances(-250 * codes, bases), atol=1e-5
  )


def test_a_zero_code_is_far_from_nothing_and_is_no_nan():
  codes, labels = _three_subspaces(6)
  away = subspaces.distances(tf.zeros([1, 10]), subspaces.cluster_bases(codes, labels, 1)).numpy()
  assert np.all(np.isfinite(away))


@pytest.fixture
def classifier():
  codes, labels = _three_subspaces(30)
  bases = subspaces.cluster_bases(codes, labels, 2)
  flat = tf.keras.layers.Flatten()

  def decode(codes):
    return 0.5 * tf.reshape(codes, [-1, 2, 5, 1])

  return subspaces.SubspaceClassifier(flat, decode, bases, [flat])


def test_new_images_go_to_the_nearest_subspace(classifier):
  codes, labels = _three_subspaces(60, seed=7, noise=0.05)
  outputs = classifier(tf.reshape(codes, [-1, 2, 5, 1]))
  assert outputs["cluster"].dtype == tf.int64
  np.testing.assert_array_equal(outputs["cluster"], labels)
  np.testing.assert_array_equal(np.argmin(outputs["distance"], axis=1), labels)
  assert outputs["code"].shape == (60, 10) and outputs["distance"].shape == (60, 3)
  error = np.mean((0.5 * codes) ** 2, axis=1)
  np.testing.assert_allclose(outputs["reconstruction_error"], error, rtol=1e-4)


def test_half_precision_codes_are_taken(classifier):
  classifier._encode = lambda x: tf.cast(tf.reshape(x, [-1, 10]), tf.float16)
  codes, labels = _three_subspaces(12, seed=3)
  outputs = classifier(tf.reshape(codes, [-1, 2, 5, 1]))
  np.testing.assert_array_equal(outputs["cluster"], labels)
  assert outputs["distance"].dtype == outputs["code"].dtype == tf.float32
