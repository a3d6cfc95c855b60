"""Tests of the pseudo-labels: the alignment, the threshold, the loss and its gradient."""

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer import pseudo_labels


def test_alignment_is_a_division_and_a_renormalisation():
  q = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], np.float32)
  mean = np.array([0.5, 0.3, 0.2], np.float32)
  aligned = pseudo_labels.align(q, mean).numpy()
  np.testing.assert_allclose(aligned[0], 1 / 3, rtol=1e-6)  # what is predicted on the mean
  expected = np.array([0.2, 1 / 3, 4.0]) / (0.2 + 1 / 3 + 4.0)
  np.testing.assert_allclose(aligned[1], expected, rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 100])
def test_an_equal_mean_changes_nothing(classes):
  q = np.random.default_rng(0).dirichlet(np.ones(classes), 6).astype(np.float32)
  aligned = pseudo_labels.align(q, np.full(classes, 1 / classes, np.float32))
  np.testing.assert_allclose(aligned, q, rtol=1e-5)


def test_a_class_predicted_too_often_loses_examples():
  q, mean = tf.constant([[0.6, 0.4]]), tf.constant([0.9, 0.1])
  labels, _ = pseudo_labels.choose(q, 0.5)
  aligned, _ = pseudo_labels.choose(pseudo_labels.align(q, mean), 0.5)
  assert (labels.numpy().tolist(), aligned.numpy().tolist()) == ([0], [1])


def test_labels_are_the_largest_and_count_above_the_threshold():
  q = tf.constant([[0.75, 0.25, 0.0], [0.0, 0.2, 0.8], [0.4, 0.5, 0.1]])
  labels, mask = pseudo_labels.choose(q, 0.75)  # at the threshold isn't above it
  assert labels.numpy().tolist() == [0, 2, 1] and labels.dtype == tf.int64
  assert mask.numpy().tolist() == [0.0, 1.0, 0.0] and mask.dtype == tf.float32


def test_the_loss_is_over_the_size_of_the_whole_batch():
  logits = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 0.0]], np.float32)
  loss = pseudo_labels.masked_cross_entropy(logits, [0, 0, 1, 1], tf.constant([1.0, 1, 0, 0]))
  expected = (np.log1p(np.exp(-2)) + np.log1p(np.exp(1))) / 4
  assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_the_loss_is_zero_where_none_counts():
  assert float(pseudo_labels.masked_cross_entropy(tf.ones([3, 2]), [0, 1, 0], tf.zeros([3]))) == 0


def test_the_loss_pulls_those_that_count_to_their_labels_alone():
  logits = tf.zeros([2, 2])
  with tf.GradientTape() as tape:
    tape.watch(logits)
    loss = pseudo_labels.masked_cross_entropy(logits, [1, 1], tf.constant([1.0, 0.0]))
  gradient = tape.gradient(loss, logits).numpy()
  np.testing.assert_allclose(gradient, [[0.25, -0.25], [0, 0]])


def test_half_precision_logits_give_a_full_precision_loss():
  logits = tf.constant([[12.0, 0.0]], tf.float16)
  loss = pseudo_labels.masked_cross_entropy(logits, [0], tf.ones([1]))
  assert loss.dtype == tf.float32
  assert float(loss) == pytest.approx(np.log1p(np.exp(-12)), rel=1e-2)  # not 0
