"""Tests of windows: what they say, how they make a tower."""

import numpy as np
import pytest
import tensorflow as tf

from garden.physnet import windows

pytestmark = pytest.mark.usefixtures("seeded")


def _again(layer):
  return tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))


def test_a_pair_is_two_blocks_and_a_quarter_high():
  np.testing.assert_allclose(windows.block_height(tf.constant([[0.4, 0.1, 0.625, 0.5]])), [0.1],
                             rtol=1e-5)


def test_the_context_of_a_window_in_the_middle():
  found = windows.context(tf.constant([[0.25, 0.25, 0.75, 0.75], [0.0, 0.5, 0.5, 1.0]]))
  np.testing.assert_allclose(found, [[0.0, 0.0, 0.5], [-1.0, 1.0, 0.5]])


def test_a_towers_logit_is_the_logsumexp_of_its_interfaces():
  logits = tf.constant([[1.0, 2.0, -1.0]])
  found = windows.tower_logit(logits, tf.constant([[True, True, False]])).numpy()
  expected = np.log(np.exp(1.0) + np.exp(2.0) + np.exp(windows.STANDS))
  np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_a_lone_block_stands():
  found = windows.tower_logit(tf.constant([[9.0, 9.0]]), tf.constant([[False, False]]))
  np.testing.assert_allclose(found, [windows.STANDS])
  assert tf.sigmoid(found)[0] < 1e-5


def test_a_tower_without_places_for_interfaces_stands():
  np.testing.assert_allclose(
      windows.tower_logit(tf.zeros([2, 0]), tf.zeros([2, 0], tf.bool)), [windows.STANDS] * 2)


def test_raising_a_valid_interfaces_logit_raises_the_towers():
  logits = tf.constant([[1.0, 2.0, 5.0]])
  with tf.GradientTape() as tape:
    tape.watch(logits)
    found = windows.tower_logit(logits, tf.constant([[True, True, False]]))
  gradient = tape.gradient(found, logits).numpy()[0]
  assert 0 < gradient[0] < gradient[1] and gradient[2] == 0.0


@pytest.fixture
def head():
  head = windows.TopDownHead(units=16, state=8)
  features = tf.random.stateless_normal([2, 4, 5], [0, 1])
  valid = tf.constant([[True, True, True, False], [True, True, True, True]])
  head({"features": features, "valid": valid})
  return head, features.numpy(), valid


def test_the_head_says_something_of_each_interface_and_of_the_tower(head):
  head, features, valid = head
  found = head({"features": features, "valid": valid})
  assert {name: tuple(x.shape) for name, x in found.items()} == {
      "interfaces": (2, 4), "margins": (2, 4), "fall": (2,)}
  np.testing.assert_allclose(found["fall"], windows.tower_logit(found["interfaces"], valid))


def test_interfaces_that_are_not_there_change_nothing(head):
  head, features, valid = head
  before = head({"features": features, "valid": valid})
  features[0, 3] += 10.0
  after = head({"features": features, "valid": valid})
  np.testing.assert_array_equal(after["interfaces"][0, :3], before["interfaces"][0, :3])
  np.testing.assert_array_equal(after["margins"][0, :3], before["margins"][0, :3])
  np.testing.assert_array_equal(after["fall"], before["fall"])


def test_places_above_the_top_change_nothing(head):
  head, features, valid = head
  short = head({"features": features[:1, :3], "valid": valid[:1, :3]})
  long = head({"features": features[:1], "valid": valid[:1]})
  np.testing.assert_allclose(short["fall"], long["fall"], rtol=1e-5)


def test_what_is_above_changes_what_is_below_and_not_the_other_way_round(head):
  head, features, valid = head
  before = head({"features": features, "valid": valid})["interfaces"].numpy()
  moved = features.copy()
  moved[1, 2] += 1.0
  after = head({"features": moved, "valid": valid})["interfaces"].numpy()
  assert after[1, 3] == before[1, 3]  # above
  assert (after[1, :3] != before[1, :3]).all()  # itself and below
  np.testing.assert_array_equal(after[0], before[0])


def test_the_window_net_has_the_documented_outputs():
  net = windows.WindowNet((4, 6, 8))
  inputs = {"windows": tf.random.stateless_uniform([3, 32, 32, 3], [0, 0]), "context":
            tf.zeros([3, 3])}
  found = net(inputs)
  assert {name: tuple(x.shape) for name, x in found.items()} == {
      "h": (3, 128), "poses": (3, 6), "masks": (3, 8, 8, 4)}


@pytest.mark.parametrize("training", [False, True])
def test_the_window_net_takes_no_window(training):
  net = windows.WindowNet((4, 6, 8))
  nothing = {"windows": tf.zeros([0, 32, 32, 3]), "context": tf.zeros([0, 3])}
  for call in (net, tf.function(net)):
    found = call(nothing, training=training)
    assert {name: tuple(x.shape) for name, x in found.items()} == {
        "h": (0, 128), "poses": (0, 6), "masks": (0, 8, 8, 4)}


def test_windows_do_not_see_each_other():
  net = windows.WindowNet((4, 6, 8))
  x = tf.random.stateless_uniform([3, 16, 16, 3], [0, 0])
  together = net({"windows": x, "context": tf.ones([3, 3])})["h"]
  alone = net({"windows": x[1:2], "context": tf.ones([1, 3])})["h"]
  np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


def test_the_window_net_sees_the_context():
  net, images = windows.WindowNet((4, 6, 8)), tf.ones([2, 32, 32, 3])
  h = net({"windows": images, "context": tf.constant([[0.0, 0, 0], [1.0, -1, 1]])})["h"].numpy()
  assert np.abs(h[0] - h[1]).max() > 0.01


_LAYERS = {
    "window net": (lambda: windows.WindowNet((4, 6, 8), n_classes=3), lambda: {
        "windows": tf.random.stateless_uniform([2, 16, 16, 3], [0, 0]),
        "context": tf.ones([2, 3])}),
    "head": (lambda: windows.TopDownHead(units=5, state=3), lambda: {
        "features": tf.ones([2, 3, 4]), "valid": tf.constant([[True, True, False]] * 2)}),
}


@pytest.mark.parametrize("kind", _LAYERS)
def test_a_layer_made_from_its_config_is_the_same(kind):
  make, inputs = _LAYERS[kind]
  layer, x = make(), inputs()
  expected = layer(x)
  again = _again(layer)
  assert again.get_config() == layer.get_config()
  again(x)
  again.set_weights(layer.get_weights())
  tf.nest.map_structure(np.testing.assert_array_equal, expected, again(x))


@pytest.mark.parametrize("kind", _LAYERS)
def test_outputs_are_float32_in_bfloat16_too(kind):
  tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
  make, inputs = _LAYERS[kind]
  for y in tf.nest.flatten(make()(inputs())):
    assert y.dtype == tf.float32 and np.isfinite(y).all()


def test_a_window_net_in_a_keras_model_is_saved_and_loaded(tmp_path):
  inputs = {"windows": tf.keras.Input([16, 16, 3], name="windows"),
            "context": tf.keras.Input([3], name="context")}
  model = tf.keras.Model(inputs, windows.WindowNet((4, 6, 8))(inputs))
  x = {"windows": tf.random.stateless_uniform([2, 16, 16, 3], [0, 0]), "context": tf.ones([2, 3])}
  model.save(tmp_path / "model.keras")
  again = tf.keras.models.load_model(tmp_path / "model.keras")
  tf.nest.map_structure(np.testing.assert_array_equal, model(x), again(x))
