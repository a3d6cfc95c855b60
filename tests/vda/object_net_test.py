"""Tests of the paper's form: states of objects, and the pairs that follow."""

import numpy as np
import pytest
import tensorflow as tf

from garden.vda import object_net

pytestmark = pytest.mark.usefixtures("seeded")


def test_pairs_are_differences_and_both_turns():
  states = tf.constant([[[0.0, 0.0, 1.0, 2.0], [0.3, -0.2, 3.0, 4.0], [0.1, 0.1, 5.0, 6.0]]])
  np.testing.assert_allclose(object_net.pairs_of(states)[0], [
      [0.3, -0.2, 1, 2, 3, 4], [-0.2, 0.3, 3, 4, 5, 6]], rtol=1e-6)


def test_each_object_has_four_numbers_and_none_has_none():
  net = object_net.ObjectNet()
  for n in (2, 0):
    images = tf.zeros([n, 32, 32, 3])
    found = net({"crops": images, "whole": images, "camera": tf.zeros([n, 5])})
    assert found.shape == (n, 4)


def test_a_layer_made_from_its_config_is_the_same():
  config = object_net.ObjectNet(18, (1, 2, 1, 1)).get_config()
  assert object_net.ObjectNet.from_config(config).get_config() == config
