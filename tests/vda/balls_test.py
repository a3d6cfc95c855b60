"""Tests of perception of billiards: places by heat maps, velocities by tracks, colours by discs."""

import numpy as np
import pytest
import tensorflow as tf

from garden.vda import balls
from garden.worlds.billiards import renderer
from garden.worlds.billiards import scene

pytestmark = pytest.mark.usefixtures("seeded")


def _tables(n=4, seed=0, **kwargs):
  return scene.sample(n, seed, **kwargs)


def _bright():
  """A `BallHeatMaps` of one class whose scores are high where a pixel is white, low where black."""
  layer = balls.BallHeatMaps(1, (4, 4))
  layer(tf.zeros([1, 8, 8, 3]))
  for part in (layer.near, layer.around, layer.scores):
    part.set_weights([0 * weight for weight in part.get_weights()])
  kernel, bias = layer.near.get_weights()
  kernel[1, 1, 0, 0], bias[0] = 1.0, 1.0  # red, from -1..1 to 0..2
  layer.near.set_weights([kernel, bias])
  kernel, bias = layer.scores.get_weights()
  kernel[0, 0, 0, 0], bias[0] = 15.0, -20.0
  layer.scores.set_weights([kernel, bias])
  return layer


def _track(tables, frames=4, seconds=0.1):
  """Free balls: `[n, S, K, 2]`, the last frame where the tables say."""
  ago = seconds * np.arange(1 - frames, 1, dtype=np.float32)[None, :, None, None]
  return tf.constant(tables.position[:, None] + ago * tables.velocity[:, None])


def test_pixel_middles_are_those_of_the_renderer():
  spots = balls.pixel_middles(8, 8).numpy()
  np.testing.assert_allclose(spots[0, 0], [-0.875, 0.875], atol=1e-6)
  np.testing.assert_allclose(spots[7, 3], [-0.125, -0.875], atol=1e-6)


def test_a_ball_is_where_the_scores_are_to_a_fraction_of_a_pixel():
  layer = _bright()
  spot = np.array([[[0.237, -0.411]], [[-0.52, 0.783]]], np.float32)
  image = renderer.render({
      "present": np.ones([2, 1], bool), "position": spot, "radius": np.full([2, 1], 0.1),
      "color": np.ones([2, 1, 3]), "cloth_color": np.zeros([2, 3])}, 64)["image"]
  found, logits = layer(image)
  np.testing.assert_allclose(found, spot, atol=0.15 * 2 / 64)
  assert logits.numpy().min() > 0
  assert float(layer(0 * image)[1][0, 0]) < 0


def test_a_place_has_a_finite_gradient_that_moves_it_the_right_way():
  layer, image = balls.BallHeatMaps(2, (4, 4)), tf.random.stateless_uniform([3, 16, 16, 3], [0, 1])
  layer(image)
  optimizer, before = tf.keras.optimizers.SGD(0.01), layer(image)[0][..., 0]
  with tf.GradientTape() as tape:
    loss = -tf.reduce_mean(layer(image)[0][..., 0])  # to the right
  gradients = tape.gradient(loss, layer.trainable_variables)
  assert all(np.isfinite(g).all() for g in gradients)
  optimizer.apply_gradients(zip(gradients, layer.trainable_variables))
  assert float(tf.reduce_mean(layer(image)[0][..., 0] - before)) > 0


def test_untrained_velocities_are_the_last_differences():
  tables = _tables()
  found = balls.BallVelocity(units=8)(_track(tables), tables.present, tables.radius)
  np.testing.assert_allclose(found, tables.velocity, atol=1e-4)


def _velocity(scale=0.3):
  """A layer whose last layers aren't 0 any more."""
  layer, tables = balls.BallVelocity(units=8), _tables()
  layer(_track(tables), tables.present, tables.radius)
  for kernel in (layer.correction.layers[-1].kernel, layer.linear.kernel):
    kernel.assign(scale * tf.random.stateless_normal(kernel.shape, [0, 1]))
  return layer


def test_the_order_of_balls_does_not_matter():
  layer, tables = _velocity(), _tables()
  found = layer(_track(tables), tables.present, tables.radius).numpy()
  turned = tables.replace(**{name: getattr(tables, name)[:, [2, 0, 1]]
                             for name in ("position", "velocity", "present", "radius")})
  np.testing.assert_allclose(layer(_track(turned), turned.present, turned.radius),
                             found[:, [2, 0, 1]], atol=1e-5)


def test_empty_places_change_nothing_and_have_no_velocity():
  layer, narrow, wide = _velocity(), _tables(), _tables(max_balls=4)
  found = layer(_track(wide), wide.present, wide.radius).numpy()
  np.testing.assert_allclose(
      found[:, :3], layer(_track(narrow), narrow.present, narrow.radius), atol=1e-5)
  np.testing.assert_array_equal(found[:, 3], 0.0)


def test_colours_are_those_of_the_discs_and_of_the_cloth():
  tables = _tables(8, distribution=scene.Distribution(counts=(2, 3)))
  image = renderer.render(tables.arrays(), 64)["image"]
  color, cloth = balls.colors_of(image, tf.constant(tables.position), tables.present,
                                 tf.constant(tables.radius))
  np.testing.assert_allclose(cloth, tables.cloth_color, atol=1e-4)
  np.testing.assert_allclose(color.numpy()[tables.present], tables.color[tables.present],
                             atol=1e-4)
  np.testing.assert_array_equal(color.numpy()[~tables.present], 0.0)


def test_no_gradient_goes_through_colours():
  tables = _tables(2)
  image = renderer.render(tables.arrays(), 32)["image"]
  position = tf.Variable(tables.position)
  with tf.GradientTape() as tape:
    color, cloth = balls.colors_of(image, position, tables.present, tf.constant(tables.radius))
    loss = tf.reduce_sum(color) + tf.reduce_sum(cloth)
  assert tape.gradient(loss, position) is None


def test_a_state_has_its_shapes_and_what_is_absent_is_0():
  layer = balls.BallPerception(seen=3, filters=(4, 4), units=8)
  state = layer(tf.random.stateless_uniform([2, 3, 16, 16, 3], [0, 0]))
  assert state["track"].shape == (2, 3, 4, 2) and state["logits"].shape == (2, 4)
  assert state["position"].shape == state["velocity"].shape == (2, 4, 2)
  assert state["color"].shape == (2, 4, 3) and state["cloth_color"].shape == (2, 3)
  absent = ~state["present"].numpy()
  for name in ("radius", "velocity", "color"):
    assert not state[name].numpy()[absent].any()


@pytest.mark.parametrize("call, message", [
    (lambda: balls.BallHeatMaps(0), "classes is 0"),
    (lambda: balls.BallHeatMaps(4, (8,)), r"filters are \(8,\)"),
    (lambda: balls.BallVelocity(seconds=0.0), "seconds is 0.0"),
    (lambda: balls.BallPerception(seen=1), "seen is 1"),
    (lambda: balls.BallPerception(radius=0.0), "radius is 0.0"),
    (lambda: balls.BallPerception(seen=3)(tf.zeros([1, 4, 16, 16, 3])), "frames are 4.* for 3")])
def test_what_it_was_not_made_for_is_refused(call, message):
  with pytest.raises(ValueError, match=message):
    call()


# Made in the test: TensorFlow's devices are set up after collection.
@pytest.mark.parametrize("make, shapes", [
    (lambda: balls.BallHeatMaps(2, (4, 6)), [[1, 8, 8, 3]]),
    (lambda: balls.BallVelocity(0.2, 8), [[1, 3, 2, 2], [1, 2], [1, 2]]),
    (lambda: balls.BallPerception(3, 2, (4, 6), 8, 0.2, 0.08), [[1, 3, 8, 8, 3]])],
    ids=["heat_maps", "velocity", "perception"])
def test_a_layer_made_from_its_config_is_the_same(make, shapes):
  layer = make()
  inputs = [tf.random.stateless_uniform(shape, [0, k]) for k, shape in enumerate(shapes)]
  if len(inputs) == 3:
    inputs[1] = inputs[1] > 0.0
  expected = layer(*inputs)
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert again.get_config() == layer.get_config()
  again(*inputs)
  again.set_weights(layer.get_weights())
  tf.nest.map_structure(np.testing.assert_array_equal, again(*inputs), expected)
