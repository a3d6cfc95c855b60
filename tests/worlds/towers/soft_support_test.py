"""Tests of the differentiable support test: against the exact one, and its gradients."""

import numpy as np
import pytest
import tensorflow as tf

from garden.worlds.towers import scene
from garden.worlds.towers import soft_support
from garden.worlds.towers import support

_COUNTS = scene.Distribution(counts=(1, 2, 3, 4))


def _state(towers):
  return {"present": towers.present, "position": towers.position,
          "yaw": scene.yaw_of(towers.rotation).astype(np.float32), "size": towers.size}


def _pair(x, yaw=0.0, upper=0.5):
  """A block of 1 m and one of half-size `upper` on it, off by x."""
  return {"present": np.ones([1, 2], bool), "yaw": np.array([[0.0, yaw]], np.float32),
          "position": np.array([[[0, 0, 0.5], [x, 0, 1.0 + upper]]], np.float32),
          "size": np.array([[[0.5] * 3, [upper] * 3]], np.float32)}


def test_without_softness_it_is_the_support_test():
  towers = scene.sample(200, seed=3, distribution=_COUNTS)
  found = soft_support.SoftSupport(softness=0.0)(_state(towers))["margin"].numpy()
  np.testing.assert_allclose(found, support.margin(towers), atol=1e-5)


def test_it_is_the_support_test_for_blocks_of_other_sizes():
  towers = scene.sample(100, seed=4)
  rng = np.random.default_rng(0)
  size = rng.uniform(0.2, 0.7, towers.size.shape).astype(np.float32)
  size[..., 2] = 0.5
  towers = towers.replace(size=size)
  state = _state(towers)
  sides = soft_support.margins(*(state[name] for name in ("present", "position", "yaw", "size")))
  expected = np.minimum(support.margins(towers), 10.0)
  np.testing.assert_allclose(sides.numpy().min(axis=-1), expected, atol=1e-5)


@pytest.mark.parametrize("x, margin", [(0.0, 0.5), (0.3, 0.2), (0.5, 0.0), (0.8, -0.3)])
def test_a_block_on_a_block_by_hand(x, margin):
  found = soft_support.SoftSupport(softness=0.0, scale=0.1)(_pair(x))
  assert float(found["margin"][0]) == pytest.approx(margin, abs=1e-5)
  assert float(found["fall_probability"][0]) == pytest.approx(
      1.0 / (1.0 + np.exp(margin / 0.1)), abs=1e-4)


def test_a_lone_block_stands():
  towers = scene.sample(1, seed=0, distribution=scene.Distribution(counts=(1,)), max_blocks=3)
  found = soft_support.SoftSupport()(_state(towers))
  assert float(found["margin"][0]) == pytest.approx(0.5, abs=0.02)
  assert float(found["fall_probability"][0]) < 1e-6


def test_softness_lowers_the_margin_by_at_most_tau_log_of_the_sides():
  state = _state(scene.sample(60, seed=5))
  hard = soft_support.SoftSupport(softness=0.0)(state)["margin"].numpy()
  soft = soft_support.SoftSupport(softness=0.02)(state)["margin"].numpy()
  assert (soft <= hard + 1e-6).all() and (soft >= hard - 0.02 * np.log(13) - 1e-6).all()


@pytest.mark.parametrize("name", ["position", "yaw", "size"])
def test_gradients_are_those_of_finite_differences(name):
  towers = scene.sample(6, seed=6)
  # Unequal sides: the width is that of the shorter one, and has a kink where two are equal.
  scales = np.random.default_rng(0).uniform(0.8, 1.2, towers.size.shape)
  towers = towers.replace(size=(towers.size * scales).astype(np.float32))
  state = {key: tf.constant(value) for key, value in _state(towers).items()}
  layer = soft_support.SoftSupport(softness=0.05, scale=0.2)

  def total(value):
    return tf.reduce_sum(layer({**state, name: value})["fall_probability"])

  value = state[name]
  with tf.GradientTape() as tape:
    tape.watch(value)
    out = total(value)
  gradient = tape.gradient(out, value)
  step = 1e-3 * tf.random.stateless_normal(value.shape, [0, 3])
  change = float(total(value + step) - total(value - step)) / 2
  assert change == pytest.approx(float(tf.reduce_sum(gradient * step)), rel=0.02, abs=1e-5)


def test_the_gradient_points_to_where_it_stands_more_safely():
  state = {key: tf.constant(value) for key, value in _pair(0.45).items()}
  with tf.GradientTape() as tape:
    tape.watch(state["position"])
    p = soft_support.SoftSupport()(state)["fall_probability"]
  gradient = tape.gradient(p, state["position"]).numpy()[0]
  assert gradient[1, 0] > 0.0 > gradient[0, 0]  # less to the right, or the lower one more


def test_gradients_are_finite_where_a_centre_lies_on_an_axis():
  state = {key: tf.constant(value) for key, value in _pair(0.0).items()}
  with tf.GradientTape() as tape:
    tape.watch([state["position"], state["yaw"]])
    margin = soft_support.SoftSupport(softness=0.0)(state)["margin"]
  for gradient in tape.gradient(margin, [state["position"], state["yaw"]]):
    assert np.isfinite(gradient.numpy()).all()


def test_it_works_in_a_graph_of_any_batch_and_comes_back_from_its_config():
  layer = soft_support.SoftSupport(softness=0.03, scale=0.07)
  again = soft_support.SoftSupport.from_config(layer.get_config())
  graph = tf.function(again, reduce_retracing=True)
  for n in (1, 5):
    state = {key: tf.constant(value) for key, value in _state(scene.sample(
        n, seed=1, max_blocks=4)).items()}
    np.testing.assert_allclose(graph(state)["margin"], layer(state)["margin"], atol=1e-6)


@pytest.mark.parametrize("arguments, message", [
    ({"softness": -0.1}, "softness is -0.1; it must be at least 0"),
    ({"scale": 0.0}, "scale is 0.0; it must be above 0"),
    ({"scale": float("nan")}, "scale is nan")])
def test_numbers_outside_their_range_are_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    soft_support.SoftSupport(**arguments)
