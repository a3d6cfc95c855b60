"""The camera against the scene's own NumPy, and against geometry done by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from garden.worlds.towers import camera
from garden.worlds.towers import scene


@pytest.fixture(scope="module")
def towers():
  return scene.sample(6, seed=1)


def test_a_blocks_height_is_that_of_a_metre_where_the_camera_looks(towers):
  numbers = np.stack([getattr(towers, name) for name in camera.FIELDS[:-1]], axis=1)
  numbers = np.concatenate([numbers, towers.camera_target], axis=1).astype(np.float32)
  numbers[:, 1] = 0.0  # looks along the floor
  ends = numbers[:, np.newaxis, 4:7] + [[[0.0, 0.0, -0.5], [0.0, 0.0, 0.5]]]
  pixels, _ = camera.project(camera.unpack(numbers), ends, 100)
  np.testing.assert_allclose(camera.block_height(numbers),
                             (pixels[:, 0, 1] - pixels[:, 1, 1]) / 100, rtol=1e-4)


def test_rays_start_at_the_camera_and_are_unit_vectors(towers):
  origin, directions = camera.rays(towers.arrays(), (5, 7))
  np.testing.assert_allclose(origin, scene.camera_position(towers), atol=1e-5)
  assert directions.shape == (6, 5, 7, 3)
  np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1.0, atol=1e-5)


def test_the_middle_ray_meets_the_target(towers):
  origin, directions = camera.rays(towers.arrays(), (5, 7))
  met = origin + towers.camera_distance[:, None] * directions[:, 2, 3]
  np.testing.assert_allclose(met, towers.camera_target, atol=1e-5)


def test_points_on_rays_project_to_the_middles_of_their_pixels(towers):
  origin, directions = camera.rays(towers.arrays(), (4, 6))
  points = origin[:, None] + tf.reshape(directions, [6, 24, 3]) * 7.0
  pixels, depth = camera.project(towers.arrays(), points, (4, 6))
  rows, columns = np.divmod(np.arange(24), 6)
  np.testing.assert_allclose(pixels[0], np.stack([columns + 0.5, rows + 0.5], -1), atol=1e-3)
  assert (np.asarray(depth) <= 7.0).all() and (np.asarray(depth) > 5.0).all()


def test_directions_of_the_picture():
  """From +x, y is to the right and z up; fovy is the angle between the upper and lower edge."""
  towers = scene.sample(1, seed=0)
  fields = towers.arrays() | {
      "camera_azimuth": [0.0], "camera_elevation": [0.0], "camera_distance": [10.0],
      "camera_fovy": [60.0], "camera_target": [[0.0, 0.0, 2.0]]}
  edge = 10 * math.tan(math.pi / 6)
  points = np.array([[[0, 0, 2], [0, edge, 2], [0, 0, 2 + edge], [0, 0, 2 - edge], [20, 0, 2]]])
  pixels, depth = camera.project(fields, points, (40, 80))
  np.testing.assert_allclose(pixels[0, :4], [[40, 20], [60, 20], [40, 0], [40, 40]], atol=1e-3)
  np.testing.assert_allclose(depth[0], [10, 10, 10, 10, -10], atol=1e-5)


def test_straight_down_is_no_exception():
  fields = scene.sample(1, seed=0).arrays() | {"camera_elevation": [math.pi / 2]}
  assert np.isfinite(camera.rays(fields, 4)[1]).all()


def test_rotation_matrix_is_the_scenes_and_takes_any_length(towers):
  want = scene.rotation_matrix(towers.rotation)
  np.testing.assert_allclose(camera.rotation_matrix(towers.rotation), want, atol=1e-6)
  np.testing.assert_allclose(camera.rotation_matrix(3.0 * towers.rotation), want, atol=1e-6)


def test_boxes_are_around_the_corners(towers):
  found = np.asarray(camera.boxes(towers.arrays(), 64))
  corners = np.asarray(camera.corners(towers.arrays()))
  assert found.shape == (6, 4, 4)
  for n in range(6):
    for b in range(4):
      if not towers.present[n, b]:
        np.testing.assert_array_equal(found[n, b], 0)
        continue
      fields = towers.take(n).arrays()
      pixels = np.asarray(camera.project(fields, corners[n, b][None], 64)[0])[0]
      want = [*pixels.min(0)[::-1], *pixels.max(0)[::-1]]
      np.testing.assert_allclose(found[n, b], want, atol=1e-3)


def test_corners_of_a_turned_block():
  fields = {"position": [[[0.0, 0, 1]]], "rotation": [[scene.yaw_quaternion(math.pi / 2)]],
            "size": [[[1.0, 2, 3]]]}
  extent = np.ptp(np.asarray(camera.corners(fields))[0, 0], axis=0)
  np.testing.assert_allclose(extent, [4, 2, 6], atol=1e-5)


def test_gradient_reaches_the_camera(towers):
  values = {name: tf.constant(value) for name, value in towers.arrays().items()
            if name in camera.FIELDS}
  with tf.GradientTape() as tape:
    tape.watch(values)
    pixels, depth = camera.project(values, towers.position + 0.1, 64)
    loss = tf.reduce_sum(pixels ** 2) + tf.reduce_sum(depth)
  for name, gradient in tape.gradient(loss, values).items():
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, name


@pytest.mark.parametrize("size", [0, -3, (4, 0), 2.5, (1, 2, 3), "64", None])
def test_bad_sizes(towers, size):
  with pytest.raises(ValueError, match="image_size is .*at least 1"):
    camera.rays(towers.arrays(), size)


def test_a_scene_that_lacks_a_field(towers):
  fields = towers.arrays()
  del fields["camera_fovy"]
  with pytest.raises(ValueError, match="lacks camera_fovy; give all fields"):
    camera.rays(fields, 4)
  with pytest.raises(ValueError, match="scene is a Towers; give a dict"):
    camera.rays(towers, 4)


def test_offsets_are_the_middles_of_the_pixels():
  u, v = camera.offsets(tf.constant([0.5]), (2, 4))
  assert u.shape == (1, 1, 4) and v.shape == (1, 2, 1)
  np.testing.assert_allclose(u[0, 0], [-0.75, -0.25, 0.25, 0.75])
  np.testing.assert_allclose(v[0, :, 0], [0.25, -0.25])


def test_offsets_of_a_window_are_those_of_its_part_of_the_picture():
  slope = tf.constant([0.3, 0.5])
  u, v = camera.offsets(slope, (16, 16))
  window = tf.constant([[0.25, 0.5, 0.75, 0.75]] * 2)  # rows 4:12, columns 8:12
  part_u, part_v = camera.offsets(slope, (8, 4), window)
  np.testing.assert_allclose(part_u, u[:, :, 8:12], atol=1e-6)
  np.testing.assert_allclose(part_v, v[:, 4:12], atol=1e-6)


def test_a_window_on_the_whole_is_no_window():
  slope = tf.constant([0.3])
  for a, b in zip(camera.offsets(slope, (8, 8), tf.constant([[0.0, 0.0, 1.0, 1.0]])),
                  camera.offsets(slope, (8, 8))):
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_seven_numbers_are_a_camera(towers):
  numbers = np.stack([towers.camera_azimuth, towers.camera_elevation, towers.camera_distance,
                      towers.camera_fovy, *towers.camera_target.T], axis=1)
  for name, value in camera.unpack(numbers).items():
    np.testing.assert_array_equal(value, getattr(towers, name))
