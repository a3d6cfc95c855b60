"""Tests of the neural engine: what it can't change, what it must not mix up, that it learns."""

import numpy as np
import pytest
import tensorflow as tf

from garden.vda import interaction
from garden.worlds.billiards import physics
from garden.worlds.billiards import scene

pytestmark = pytest.mark.usefixtures("seeded")


def _tensors(tables):
  return {name: tf.constant(getattr(tables, name))
          for name in ("present", "position", "velocity", "radius")}


def _tables(n=4, seed=0, **kwargs):
  return _tensors(scene.sample(n, seed, **kwargs))


def _engine(scale=0.3, **kwargs):
  """An engine whose last layer isn't 0 any more."""
  engine = interaction.InteractionNetwork(units=8, **kwargs)
  engine(_tables())
  last = engine.update.layers[-1].kernel
  last.assign(scale * tf.random.stateless_normal(last.shape, [0, 1]))
  return engine


def test_untrained_balls_roll_on_straight():
  tables = _tables()
  later = interaction.InteractionNetwork(seconds=0.1)(tables)
  np.testing.assert_allclose(later["position"], tables["position"] + 0.1 * tables["velocity"],
                             atol=1e-6)
  np.testing.assert_array_equal(later["velocity"], tables["velocity"])


def test_the_order_of_balls_does_not_matter():
  engine, tables = _engine(), _tables()
  turned = {name: tf.gather(value, [2, 0, 1], axis=1) for name, value in tables.items()}
  later = engine(tables)["position"]
  np.testing.assert_allclose(engine(turned)["position"], tf.gather(later, [2, 0, 1], axis=1),
                             atol=1e-6)


def test_empty_places_change_nothing_and_stay():
  engine = _engine()
  narrow, wide = _tables(), _tables(max_balls=5)
  later = engine(wide)
  np.testing.assert_allclose(later["position"][:, :3], engine(narrow)["position"], atol=1e-6)
  np.testing.assert_array_equal(later["position"][:, 3:], wide["position"][:, 3:])


def _two(gap):
  x = 0.2 + gap
  return {"present": tf.ones([1, 2], tf.bool), "position": tf.constant([[[0.0, 0.0], [x, 0.0]]]),
          "velocity": tf.constant([[[1.0, 0.0], [0.0, 0.0]]]), "radius": tf.fill([1, 2], 0.1)}


@pytest.mark.parametrize("gap, felt", [(0.05, True), (0.3, False)])
def test_only_near_balls_are_felt(gap, felt):
  engine, pair = _engine(reach=0.2, substeps=1), _two(gap)
  lone = {**pair, "present": tf.constant([[True, False]])}
  change = np.abs((engine(pair)["velocity"] - engine(lone)["velocity"]).numpy()[0, 0]).max()
  assert (change > 1e-4) == felt


def test_a_rollout_is_one_step_after_another():
  engine, tables = _engine(scale=0.05), _tables()
  position, velocity = interaction.rollout(engine, tables, 3)
  assert position.shape == velocity.shape == (4, 3, 3, 2)
  whole = engine.step(tables, seconds=0.3)
  np.testing.assert_allclose(position[:, -1], whole["position"], atol=1e-5)


def test_it_is_differentiable_in_where_balls_start():
  engine, tables = _engine(), _two(0.05)
  x = tf.Variable(tables["position"])

  def far(value):
    return tf.reduce_sum(engine({**tables, "position": value})["position"][0, 1])

  with tf.GradientTape() as tape:
    loss = far(x)
  step = np.zeros([1, 2, 2], np.float32)
  step[0, 0, 0] = 1e-3
  slope = (far(x + step) - far(x - step)) / 2e-3
  np.testing.assert_allclose(tape.gradient(loss, x)[0, 0, 0], slope, rtol=0.05, atol=1e-4)


def test_it_learns_that_cushions_throw_balls_back():
  towards = scene.sample(256, seed=1, distribution=scene.Distribution(counts=(1,)))
  motion = physics.simulate(towards, (0.1,))
  tables = _tensors(towards)
  engine, optimizer = interaction.InteractionNetwork(units=32), tf.keras.optimizers.Adam(3e-3)

  @tf.function
  def train():
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean(tf.square(engine(tables)["velocity"] - motion.velocity[:, 0]))
    optimizer.apply_gradients(zip(tape.gradient(loss, engine.trainable_variables),
                                  engine.trainable_variables))
    return loss

  losses = [float(train()) for _ in range(150)]
  assert losses[0] > 0.05  # those that meet a cushion
  assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize("call, message", [
    (lambda e: e.step(_tables(), seconds=0.25), "seconds is 0.25; it must be a multiple of 0.1"),
    (lambda e: e.step(_tables(), forces=1.0), "forces are given"),
    (lambda e: interaction.InteractionNetwork(seconds=0.0), "seconds is 0.0"),
    (lambda e: interaction.InteractionNetwork(substeps=0), "substeps is 0")])
def test_what_it_was_not_made_for_is_refused(call, message):
  with pytest.raises(ValueError, match=message):
    call(interaction.InteractionNetwork())


def test_a_layer_made_from_its_config_is_the_same():
  engine, tables = _engine(), _tables()
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(engine))
  assert again.get_config() == engine.get_config()
  again(tables)
  again.set_weights(engine.get_weights())
  np.testing.assert_array_equal(again(tables)["position"], engine(tables)["position"])
