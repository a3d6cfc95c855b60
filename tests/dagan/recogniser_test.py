"""Tests of the recogniser: its margin, and that it learns people."""

import numpy as np
import pytest
import tensorflow as tf

from garden.dagan import recogniser


def _people(n, seed=0):
  """Images of three people: a colour each, and noise."""
  rng = np.random.default_rng(seed)
  labels = np.arange(n) % 3
  colors = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])
  images = colors[labels][:, None, None] + rng.integers(-50, 50, (n, 16, 16, 3))
  return np.clip(images, 0, 255).astype(np.uint8), labels


def test_the_right_person_must_win_by_the_margin():
  cosines = tf.constant([[0.5, 0.3, 0.0]])
  expected = 16 * np.array([0.5 - 0.2, 0.3, 0.0])
  expected = -expected[0] + np.log(np.exp(expected).sum())
  assert float(recogniser.margin_loss([0], cosines)[0]) == pytest.approx(expected, rel=1e-5)


def test_the_loss_raises_the_right_cosine_alone():
  cosines = tf.constant([[0.5, 0.3, 0.0]])
  with tf.GradientTape() as tape:
    tape.watch(cosines)
    loss = tf.reduce_sum(recogniser.margin_loss([1], cosines))
  gradient = tape.gradient(loss, cosines).numpy()[0]
  assert gradient[1] < 0 < min(gradient[0], gradient[2])


def test_cosines_do_not_depend_on_lengths():
  net = recogniser.Recogniser(3, filters=(4, 6))
  images = tf.random.stateless_uniform([2, 16, 16, 3], [0, 1], -1.0, 1.0)
  before = net(images).numpy()
  assert np.abs(before).max() <= 1.0 + 1e-6
  net.people.assign(7.0 * net.people)
  np.testing.assert_allclose(net(images), before, atol=1e-6)
  assert net.features(images).shape == (2, 6)


def test_it_learns_people():
  images, labels = _people(96)
  net = recogniser.train(images, labels, 3, seed=0, epochs=6, examples=0, batch_size=16)
  images, labels = _people(60, seed=1)
  assert (recogniser.told(net, images) == labels).mean() > 0.9
  found = recogniser.features(net, images[:5], batch_size=2)
  np.testing.assert_allclose(found, net.features(recogniser.data.scaled(images[:5])), atol=1e-5)


@pytest.mark.parametrize("labels, message", [
    ([0, 0, 1, 3], "from 0 to 3 of 4 images; give each image one in 0..2"),
    ([0, 0, 1, -1], "from -1 to 1"), ([0, 0, 1, 1], "identity 2 has 0 images"),
    ([0, 0, 1, 2], "identity 1 has 1 images")])
def test_labels_that_cannot_be_learnt_are_refused(labels, message):
  with pytest.raises(ValueError, match=message):
    recogniser.train(np.zeros((4, 16, 16, 3), np.uint8), labels, 3, seed=0)
