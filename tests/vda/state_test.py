"""Tests of states: there and back, yaw, what floats or sticks."""

import numpy as np
import pytest

from garden.vda import state as state_lib
from garden.worlds.towers import physics
from garden.worlds.towers import renderer
from garden.worlds.towers import scene


@pytest.fixture
def stacked():
  """A state of two scenes of 3 blocks, as sampled."""
  return state_lib.of_towers(scene.sample(2, seed=1, distribution=scene.Distribution(counts=(3,))))


def _with_height(state, row, block, z):
  position = state["position"].copy()
  position[row, block, 2] = z
  return {**state, "position": position}


def test_towers_of_a_state_fall_as_those_it_was_made_of():
  towers = scene.sample(12, seed=3)
  made = state_lib.towers_of(state_lib.of_towers(towers))
  np.testing.assert_array_equal(physics.simulate(made).fall, physics.simulate(towers).fall)


def test_towers_of_a_state_are_seen_by_the_camera_that_is_given():
  towers = scene.sample(2, seed=0)
  camera = np.stack([towers.camera_azimuth, towers.camera_elevation, towers.camera_distance,
                     towers.camera_fovy, *towers.camera_target.T], axis=1)
  made = state_lib.towers_of(state_lib.of_towers(towers), camera)
  np.testing.assert_array_equal(renderer.render(made.arrays(), 32)["ids"],
                                renderer.render(towers.arrays(), 32)["ids"])
  far = renderer.render(state_lib.towers_of(state_lib.of_towers(towers)).arrays(), 64)["ids"]
  assert set(np.unique(far[1])) == {0, 1, 2, 3}


def test_yaw_and_rotation_are_inverse():
  yaw = np.linspace(-3.1, 3.1, 7).astype(np.float32)
  rotation = state_lib.rotation_of(yaw)
  np.testing.assert_allclose(rotation, scene.yaw_quaternion(yaw), atol=1e-6)
  np.testing.assert_allclose(state_lib.yaw_of(rotation), yaw, atol=1e-5)


def test_a_quarter_turn_is_no_error():
  yaw = np.array([0.1, -0.1, 0.7])
  for turns in range(-3, 4):
    np.testing.assert_allclose(state_lib.quarter(yaw + turns * np.pi / 2), yaw, atol=1e-9)


def test_sampled_towers_are_settled(stacked):
  np.testing.assert_allclose(state_lib.settled(stacked)["position"], stacked["position"],
                             atol=1e-6)
  state_lib.check(stacked)


@pytest.mark.parametrize("row, block, z, message", [
    (0, 2, 2.8, "block 2 of scene 0 floats 0.3 m above block 1; settled.*height of 2.5 m"),
    (1, 1, 1.2, "block 1 of scene 1 sticks 0.3 m deep in block 0.*height of 1.5 m"),
    (0, 0, 0.6, "block 0 of scene 0 floats 0.1 m above the floor.*height of 0.5 m")])
def test_what_floats_or_sticks_is_named_with_where_it_belongs(stacked, row, block, z, message):
  wrong = _with_height(stacked, row, block, z)
  with pytest.raises(ValueError, match=message):
    state_lib.check(wrong)
  state_lib.check(state_lib.settled(wrong))


def test_a_block_beside_the_tower_falls_to_the_floor(stacked):
  position = stacked["position"].copy()
  position[0, 2, :2] = position[0, 0, :2] + 3.0
  found = state_lib.settled({**stacked, "position": position})["position"]
  assert found[0, 2, 2] == 0.5 and found[0, 1, 2] == 1.5


def test_footprints_are_turned_squares_not_circles_or_boxes():
  state = state_lib.of_towers(scene.sample(1, seed=0, distribution=scene.Distribution(counts=(2,))))
  position = np.array([[[0, 0, 0.5], [1.1, 0, 1.5]]], np.float32)
  flat = np.stack([scene.yaw_quaternion([0.0, 0.0])]).astype(np.float32)
  turned = np.stack([scene.yaw_quaternion([0.0, np.pi / 4])]).astype(np.float32)
  low = state_lib.settled({**state, "position": position, "rotation": flat})
  high = state_lib.settled({**state, "position": position, "rotation": turned})
  assert low["position"][0, 1, 2] == 0.5 and high["position"][0, 1, 2] == 1.5


def test_empty_places_are_left_alone():
  state = state_lib.of_towers(scene.sample(1, seed=0, max_blocks=4))
  position = state["position"].copy()
  position[~state["present"]] = np.nan
  state_lib.check({**state, "position": position})


def test_a_number_that_is_not_finite_is_named(stacked):
  with pytest.raises(ValueError, match=r"position of block 1 of scene 0 is \[.*nan.*finite"):
    state_lib.check(_with_height(stacked, 0, 1, np.nan))
  with pytest.raises(ValueError, match="position of block 1 of scene 0"):
    state_lib.towers_of(_with_height(stacked, 0, 1, np.inf))
