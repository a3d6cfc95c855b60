"""Tests of the engines: one interface, motions in pieces, gradients, agreement."""

import numpy as np
import pytest
import tensorflow as tf

from garden.vda import engines
from garden.vda import state as state_lib
from garden.worlds.towers import physics
from garden.worlds.towers import scene
from garden.worlds.towers import support


@pytest.fixture(scope="module")
def sampled():
  """60 towers of 2 to 4 blocks."""
  return scene.sample(60, seed=11)


def test_mujoco_in_two_steps_goes_where_one_step_goes(sampled):
  state, engine = state_lib.of_towers(sampled.take(slice(0, 6))), engines.MuJoCoEngine()
  half = engine.step(engine.step(state, seconds=0.2), seconds=0.2)
  whole = engine.step(state, seconds=0.4)
  np.testing.assert_allclose(half["position"], whole["position"], atol=0.03)
  fell = physics.simulate(sampled.take(slice(0, 6)), (0.4,))
  np.testing.assert_allclose(whole["position"], fell.position[:, 0], atol=1e-6)


def test_stability_is_that_of_the_simulation_and_of_the_support_test(sampled):
  state = state_lib.of_towers(sampled)
  fall = engines.MuJoCoEngine().stability(state)["fall"]
  np.testing.assert_array_equal(fall, physics.simulate(sampled).fall)
  soft = engines.SupportEngine(softness=0.0)(state)
  margin = support.margin(sampled)
  np.testing.assert_allclose(soft["margin"], margin, atol=1e-4)
  clear = np.abs(margin) > 0.02
  assert clear.sum() > 40
  np.testing.assert_array_equal((soft["fall_probability"].numpy() > 0.5)[clear], fall[clear] == 1)


def test_a_force_moves_what_it_pushes(sampled):
  state = state_lib.of_towers(sampled.take([2]))
  top = int(sampled.count[2]) - 1
  forces = np.zeros((1, state["present"].shape[1], 3))
  forces[0, top, 0] = 30_000.0
  engine = engines.MuJoCoEngine()
  pushed, left = engine.step(state, forces, 0.3), engine.step(state, seconds=0.3)
  assert pushed["position"][0, top, 0] - left["position"][0, top, 0] > 0.5


def test_empty_places_stay_as_they_are(sampled):
  state = state_lib.of_towers(scene.sample(1, seed=0, max_blocks=4))
  later = engines.MuJoCoEngine().step(state)
  empty = ~state["present"]
  np.testing.assert_array_equal(later["position"][empty], state["position"][empty])
  np.testing.assert_array_equal(later["velocity"][empty], 0.0)


def test_the_support_engine_has_the_gradient_of_finite_differences(sampled):
  state = {name: tf.constant(value) for name, value
           in state_lib.of_towers(sampled.take(slice(0, 8))).items()}
  engine = engines.SupportEngine(scale=0.1)

  def falls(shift):
    moved = state["position"] + shift * tf.constant([[0, 0, 0], [1.0, 0, 0], [0, 0, 0], [0, 0, 0]])
    return engine({**state, "position": moved})["fall_probability"]

  shift = tf.Variable(0.0)
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(falls(shift))
  slope = (tf.reduce_sum(falls(1e-3)) - tf.reduce_sum(falls(-1e-3))) / 2e-3
  np.testing.assert_allclose(tape.gradient(loss, shift), slope, rtol=0.02)


def test_moving_a_block_inwards_makes_a_tower_safer():
  towers = scene.sample(1, seed=0, distribution=scene.Distribution(counts=(2,)))
  position = np.array([[[0, 0, 0.5], [0.45, 0, 1.5]]], np.float32)
  state = {**state_lib.of_towers(towers), "position": position,
           "rotation": scene.yaw_quaternion(np.zeros((1, 2))).astype(np.float32)}
  x = tf.Variable(position)
  with tf.GradientTape() as tape:
    p = engines.SupportEngine()({**state, "position": x})["fall_probability"]
  gradient = tape.gradient(p, x).numpy()[0]
  assert gradient[1, 0] > 0.0 > gradient[0, 0]


def test_the_support_engine_refuses_to_step(sampled):
  with pytest.raises(ValueError, match="no step; use MuJoCoEngine"):
    engines.SupportEngine().step(state_lib.of_towers(sampled))


@pytest.mark.parametrize("change, message", [
    ({"seconds": 0.0}, "seconds is 0.0"), ({"nan": True}, "position of block 1 of scene 0"),
    ({"sink": True}, "block 1 and block 0 of tower 0 interpenetrate")])
def test_what_can_not_be_simulated_is_told(change, message):
  state = state_lib.of_towers(scene.sample(1, seed=0))
  if "nan" in change:
    state["position"][0, 1, 0] = np.nan
  if "sink" in change:
    state["position"][0, 1, 2] = 1.2
  with pytest.raises(ValueError, match=message):
    engines.MuJoCoEngine().step(state, seconds=change.get("seconds", 1.0))


def test_the_support_layer_made_from_its_config_is_the_same():
  layer = engines.SupportEngine(softness=0.02, scale=0.05)
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert again.get_config() == layer.get_config()
