"""Tests of towers in memory: fields, poses by the camera, pictures."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets.block_towers import arrays
from garden.worlds.towers import scene


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
  return arrays.load_split("towers_tiny", "test", str(tmp_path_factory.mktemp("towers")))


def test_fields_belong_to_the_same_towers(towers):
  assert len(towers) == 32 and set(towers.count) == {2, 3, 4}
  np.testing.assert_array_equal(towers.present.sum(axis=1), towers.count)
  # Seed 2 is that of the test split.
  expected = scene.sample(32, seed=2, max_blocks=4)
  np.testing.assert_allclose(towers.position[:, 0], expected.position, atol=1e-6)
  np.testing.assert_allclose(towers.camera[:, 0], expected.camera_azimuth, atol=1e-6)
  np.testing.assert_allclose(towers.camera[:, 4:], expected.camera_target, atol=1e-6)
  moved = np.linalg.norm(towers.position[:, -1] - towers.position[:, 0], axis=-1).max(axis=1)
  np.testing.assert_array_equal(moved > 0.25, towers.fall == 1)


def test_a_margin_is_its_weakest_interface(towers):
  weakest = np.where(towers.valid, towers.margins, np.inf).min(axis=1)
  np.testing.assert_allclose(np.minimum(weakest, 0.5), towers.margin, atol=1e-6)
  assert (towers.margins[~towers.valid] == 10).all()


def test_poses_are_seen_from_the_camera():
  position = np.array([[[0.0, 0, 0.5], [0.3, 0.1, 1.5]]])
  rotation = scene.yaw_quaternion(np.array([[0.2, 0.5]]))
  # From azimuth 0 the camera looks along -x: its right is +y, away is -x.
  poses = arrays.interface_poses(position, rotation, np.array([0.0]))[0, 0]
  np.testing.assert_allclose(poses[:2], [0.1, -0.3], atol=1e-6)
  np.testing.assert_allclose(poses[2:], [np.cos(0.8), np.sin(0.8), np.cos(2), np.sin(2)],
                             atol=1e-5)


def test_poses_do_not_change_when_world_and_camera_turn_together():
  rng = np.random.default_rng(0)
  position, yaw, turn = rng.normal(size=(5, 3, 3)), rng.uniform(-3, 3, (5, 3)), 0.7
  azimuth = rng.uniform(-3, 3, 5)
  matrix = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0],
                     [0, 0, 1]])
  a = arrays.interface_poses(position, scene.yaw_quaternion(yaw), azimuth)
  b = arrays.interface_poses(position @ matrix.T, scene.yaw_quaternion(yaw + turn), azimuth + turn)
  np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_quarter_turn_of_a_block_is_not_seen_in_its_pose():
  position = np.zeros((1, 2, 3))
  a = arrays.interface_poses(position, scene.yaw_quaternion([[0.3, 0.4]]), np.zeros(1))
  b = arrays.interface_poses(position, scene.yaw_quaternion([[0.3, 0.4 + np.pi / 2]]), np.zeros(1))
  np.testing.assert_allclose(a, b, atol=1e-5)


def test_take_keeps_every_field_in_order(towers):
  some = towers.take(np.array([5, 2]))
  for field in dataclasses.fields(towers):
    whole, part = getattr(towers, field.name), getattr(some, field.name)
    np.testing.assert_array_equal(part, whole[[5, 2]])


def test_images_of_are_the_pictures(towers):
  np.testing.assert_allclose(arrays.images_of(towers, [3])[0],
                             tf.io.decode_png(towers.images[3]).numpy() / 255, atol=1e-6)


def test_scenes_drawn_again_are_those_of_the_split(towers):
  scenes = arrays.scenes_of("towers_tiny", "test")
  assert len(scenes) == len(towers)
  np.testing.assert_allclose(scenes.position, towers.position[:, 0], atol=1e-6)
  np.testing.assert_array_equal(scenes.present, towers.present)
  np.testing.assert_array_equal(scenes.color_class, towers.color_class)
  camera = np.stack([scenes.camera_azimuth, scenes.camera_elevation, scenes.camera_distance,
                     scenes.camera_fovy, *scenes.camera_target.T], axis=1)
  np.testing.assert_allclose(camera, towers.camera, atol=1e-6)


def test_the_first_scenes_are_drawn_alone():
  few, all_ = (arrays.scenes_of("towers_tiny", "train", n) for n in (5, None))
  assert len(few) == 5 and len(all_) == 64
  np.testing.assert_array_equal(few.light_direction, all_.light_direction[:5])


def test_scenes_of_a_shifted_set_are_its_own():
  scenes = arrays.scenes_of("shifted_168", "test", 40)
  assert np.abs(scenes.light_direction[:, :2] / scenes.light_direction[:, 2:]).max() > 0.7


def test_light_numbers_are_slopes_as_seen_the_ambient_share_and_the_tile():
  scenes = arrays.scenes_of("towers_tiny", "test", 8)
  found = arrays.light_numbers(scenes)
  assert found.shape == (8, 4) and found.dtype == np.float32
  direction, azimuth = scenes.light_direction, scenes.camera_azimuth
  right = np.stack([-np.sin(azimuth), np.cos(azimuth), 0 * azimuth], axis=-1)
  away = np.stack([-np.cos(azimuth), -np.sin(azimuth), 0 * azimuth], axis=-1)
  for k, axis in enumerate((right, away)):
    np.testing.assert_allclose(found[:, k], (direction * axis).sum(-1) / -direction[:, 2],
                               atol=1e-5)
  share = scenes.light_ambient / (scenes.light_ambient + scenes.light_diffuse)
  np.testing.assert_allclose(found[:, 2], share, rtol=1e-5)
  np.testing.assert_allclose(np.exp(found[:, 3]), scenes.floor_scale, rtol=1e-5)
