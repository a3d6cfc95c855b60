"""Tests of what is around a tower: targets, bounds, the light there and back."""

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets.block_towers import arrays
from garden.vda import graphics
from garden.vda import state as state_lib
from garden.vda import surroundings
from garden.worlds.towers import scene

pytestmark = pytest.mark.usefixtures("seeded")


def _camera(towers):
  return np.stack([towers.camera_azimuth, towers.camera_elevation, towers.camera_distance,
                   towers.camera_fovy, *towers.camera_target.T], axis=1)


def _layer():
  return surroundings.Surroundings(filters=(4, 6, 8), units=8)


def test_targets_of_sampled_scenes_are_about_1():
  towers = scene.sample(200, seed=0)
  for found in (surroundings.light_targets(tf.constant(arrays.light_numbers(towers))),
                surroundings.camera_targets(tf.constant(_camera(towers)))):
    assert found.shape == (200, 4)
    assert (np.abs(found).max(axis=0) < 1.6).all() and (np.std(found, axis=0) > 0.3).all()


def test_what_cannot_be_seen_of_a_camera_is_no_target():
  camera = tf.constant(_camera(scene.sample(3, seed=0)))
  other = camera + tf.constant([2.0, 0, 0, 0, 0.3, -0.2, 0])
  np.testing.assert_array_equal(surroundings.camera_targets(other),
                                surroundings.camera_targets(camera))


def test_a_net_that_tells_the_targets_tells_light_and_camera():
  towers = scene.sample(4, seed=0)
  camera, light = _camera(towers), arrays.light_numbers(towers)
  layer = _layer()
  layer(tf.zeros([1, 16, 16, 3]))
  layer.numbers = lambda _: tf.concat([
      surroundings.light_targets(tf.constant(light)),
      surroundings.camera_targets(tf.constant(camera))], axis=1)
  found = layer(tf.zeros([4, 16, 16, 3]))
  np.testing.assert_allclose(found["light"], light, atol=1e-5)
  np.testing.assert_allclose(found["camera"], camera * [0, 1, 1, 1, 0, 0, 1], atol=1e-4)


@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_a_camera_stays_where_geometry_holds(size):
  layer = _layer()
  layer(tf.zeros([1, 16, 16, 3]))
  layer.numbers = lambda _: tf.fill([2, 8], size)
  camera = layer(tf.zeros([2, 16, 16, 3]))["camera"].numpy()
  assert (np.abs(camera[:, 1]) < 0.7).all()  # radians: neither from above nor from below
  assert (camera[:, 2] > 7).all() and (camera[:, 2] < 12).all()
  assert (camera[:, 3] > 29).all() and (camera[:, 3] < 47).all()
  np.testing.assert_array_equal(camera[:, [0, 4, 5]], 0.0)


def test_an_image_has_a_light_and_a_camera():
  found = _layer()(tf.random.stateless_uniform([3, 24, 24, 3], [0, 0]))
  assert {name: tuple(value.shape) for name, value in found.items()} == {
      "light": (3, 4), "camera": (3, 7), "numbers": (3, 8)}


def test_the_layer_made_from_its_config_is_the_same():
  layer, images = _layer(), tf.random.stateless_uniform([2, 16, 16, 3], [0, 0])
  layer(images)
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert again.get_config() == layer.get_config()
  again(images)
  again.set_weights(layer.get_weights())
  np.testing.assert_array_equal(again(images)["numbers"], layer(images)["numbers"])


def _lit(direction, azimuth, ambient=0.4, diffuse=0.6, tile=1.2):
  direction = np.array([direction], np.float32)
  return scene.sample(1, seed=0).replace(
      light_direction=direction / np.linalg.norm(direction),
      camera_azimuth=np.float32([azimuth]), light_ambient=np.float32([ambient]),
      light_diffuse=np.float32([diffuse]), floor_scale=np.float32([tile]))


@pytest.mark.parametrize("direction", [(0.3, 0.0, -1.0), (0.0, -0.5, -1.0), (0.4, 0.2, -2.0)])
@pytest.mark.parametrize("azimuth", [0.0, 1.0, -2.5])
def test_a_light_in_the_world_comes_back_from_its_numbers(direction, azimuth):
  towers = _lit(direction, azimuth)
  fields = graphics.light_fields(tf.constant(arrays.light_numbers(towers)), [azimuth])
  np.testing.assert_allclose(fields["light_direction"], towers.light_direction, atol=1e-6)
  np.testing.assert_allclose(fields["light_ambient"], [0.4], rtol=1e-5)
  np.testing.assert_allclose(fields["light_diffuse"], [0.6], rtol=1e-5)
  np.testing.assert_allclose(fields["floor_scale"], [1.2], rtol=1e-5)


def test_light_to_the_right_of_the_camera_has_a_positive_slope_across():
  # From azimuth 0 the camera looks along -x: its right is +y, away is -x.
  np.testing.assert_allclose(arrays.light_numbers(_lit((0.0, 0.5, -1.0), 0.0))[0, :2], [0.5, 0.0],
                             atol=1e-6)
  np.testing.assert_allclose(arrays.light_numbers(_lit((-0.5, 0.0, -1.0), 0.0))[0, :2], [0.0, 0.5],
                             atol=1e-6)


def test_how_bright_a_light_is_does_not_change_its_numbers():
  a = arrays.light_numbers(_lit((0.1, 0.2, -1.0), 0.3, 0.2, 0.3))
  b = arrays.light_numbers(_lit((0.1, 0.2, -1.0), 0.3, 0.4, 0.6))
  np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_light_out_of_its_range_is_brought_back():
  fields = graphics.light_fields(tf.constant([[0.0, 0.0, 3.0, 9.0], [0.0, 0.0, -3.0, -9.0]]),
                                 tf.zeros([2]))
  np.testing.assert_allclose(fields["light_ambient"], [0.95, 0.05])
  np.testing.assert_allclose(fields["light_diffuse"], [0.05, 0.95], rtol=1e-5)
  np.testing.assert_allclose(fields["floor_scale"], np.exp([2.0, -2.0]), rtol=1e-5)


def test_steps_as_seen_and_from_seen_are_inverse():
  rng = np.random.default_rng(0)
  steps = tf.constant(rng.normal(size=(5, 2)).astype(np.float32))
  azimuth = tf.constant(rng.uniform(-3, 3, 5).astype(np.float32))
  seen = state_lib.as_seen(steps, azimuth)
  np.testing.assert_allclose(seen, scene.as_seen(steps.numpy(), azimuth.numpy()), atol=1e-6)
  back = state_lib.from_seen(seen[:, tf.newaxis], azimuth)[:, 0]
  np.testing.assert_allclose(back, steps, atol=1e-6)
