"""Tests of towers in MuJoCo: against what is known by hand, and against the support test."""

import mujoco
import numpy as np
import pytest

from garden.worlds.towers import physics
from garden.worlds.towers import scene
from garden.worlds.towers import support


def _tower(*positions):
  """One tower of unit blocks at (x, y, z)."""
  n = len(positions)
  one = scene.sample(1, seed=0, distribution=scene.Distribution(counts=(n,)))
  rotation = np.zeros((1, n, 4), np.float32)
  rotation[..., 0] = 1.0
  return one.replace(position=np.array([positions], np.float32), rotation=rotation)


_STABLE = ((0, 0, 0.5), (0.1, 0, 1.5), (0, 0.1, 2.5))
_UNSTABLE = ((0, 0, 0.5), (0.8, 0, 1.5))


@pytest.fixture(scope="module")
def sampled():
  towers = scene.sample(60, seed=5)
  return towers, physics.simulate(towers)


def test_a_stable_tower_stands():
  motion = physics.simulate(_tower(*_STABLE))
  moved = np.linalg.norm(motion.position - motion.position[:, :1], axis=-1)
  assert motion.fall.tolist() == [0] and moved.max() < 0.01


def test_an_unstable_tower_falls():
  motion = physics.simulate(_tower(*_UNSTABLE))
  assert motion.fall.tolist() == [1] and motion.fall.dtype == np.int64
  assert motion.position[0, -1, 1, 2] < 1.0  # it lies on the floor
  assert np.linalg.norm(motion.position[0, -1, 0] - motion.position[0, 0, 0]) < 0.5


def test_a_block_in_the_air_falls_by_g_t_squared_half():
  times = (0.0, 0.1, 0.2, 0.4, 0.6)
  motion = physics.simulate(_tower((0, 0, 10.0)), times)
  height = 10.0 - 9.81 * np.square(times) / 2
  # A semi-implicit step of 5 ms is ahead by g t dt / 2.
  np.testing.assert_allclose(motion.position[0, :, 0, 2], height, atol=9.81 * 0.6 * 0.005)
  np.testing.assert_allclose(motion.position[0, :, 0, :2], 0.0, atol=1e-6)
  assert motion.fall.tolist() == [1]


def test_at_time_0_everything_is_where_it_was(sampled):
  towers, motion = sampled
  np.testing.assert_allclose(motion.position[:, 0], towers.position, atol=1e-6)
  np.testing.assert_allclose(motion.rotation[:, 0], towers.rotation, atol=1e-6)


def test_motion_at_a_time_is_towers_again(sampled):
  towers, motion = sampled
  later = motion.at(towers, 3)
  np.testing.assert_array_equal(later.position, motion.position[:, 3])
  np.testing.assert_array_equal(later.rotation, motion.rotation[:, 3])
  np.testing.assert_array_equal(later.color, towers.color)


def test_physics_agrees_with_the_support_test_off_the_balance_point(sampled):
  towers, motion = sampled
  margin = support.margin(towers)
  clear = np.abs(margin) > 0.02
  assert clear.sum() > 50 and 10 < motion.fall.sum() < 50
  np.testing.assert_array_equal(motion.fall[clear], (margin < 0)[clear])


def test_a_tower_ends_alike_whatever_the_batch(sampled):
  towers, motion = sampled
  some = [7, 1, 30]
  again = physics.simulate(towers.take(some))
  np.testing.assert_array_equal(again.position, motion.position[some])
  np.testing.assert_array_equal(again.rotation, motion.rotation[some])
  alone = physics.simulate(towers.take(30))
  np.testing.assert_array_equal(alone.position[0], motion.position[30])


def test_places_for_blocks_do_not_change_the_motion(sampled):
  wide = physics.simulate(scene.sample(3, seed=5, max_blocks=6))
  np.testing.assert_array_equal(wide.position[:, :, :4], sampled[1].position[:3])


def test_times_on_the_way_do_not_change_the_end(sampled):
  towers, motion = sampled
  end = physics.simulate(towers.take(slice(0, 4)), (4.0,))
  np.testing.assert_allclose(end.position[:, 0], motion.position[:4, -1], atol=1e-3)
  np.testing.assert_array_equal(end.fall, motion.fall[:4])


def test_quaternions_stay_of_unit_length(sampled):
  np.testing.assert_allclose(np.linalg.norm(sampled[1].rotation, axis=-1), 1.0, atol=1e-5)


def test_no_block_sinks_into_the_floor(sampled):
  towers, motion = sampled
  # From the middle of a turned block down to its lowest corner.
  down = np.einsum("ntbj,nbj->ntb", np.abs(
      scene.rotation_matrix(motion.rotation)[..., 2, :]), towers.size)
  low = np.where(towers.present[:, None], motion.position[..., 2] - down, 0.0)
  assert low.min() > -0.05  # a corner on impact
  assert low[:, -1].min() > -0.01 and low[motion.fall == 0].min() > -0.001


def test_a_strong_force_brings_a_tower_down_in_its_direction():
  force = np.zeros((1, 3, 3))
  force[0, 2] = [0, 30_000, 0]
  motion = physics.simulate(_tower(*_STABLE), forces=force)
  assert motion.fall.tolist() == [1]
  moved = motion.position[0, 1, 2] - motion.position[0, 0, 2]
  assert moved[1] > 1.0 > 3 * abs(moved[0])


@pytest.mark.parametrize("direction", [(1, 0), (-1, 0), (0, -1)])
def test_a_force_pushes_to_its_own_side(direction):
  force = np.zeros((1, 1, 3))
  force[0, 0, :2] = 20_000 * np.array(direction)
  motion = physics.simulate(_tower((0, 0, 0.5)), (0.0, 0.5), forces=force)
  moved = motion.position[0, 1, 0] - motion.position[0, 0, 0]
  assert moved[:2] @ direction > 0.3


def test_a_small_force_does_not_bring_a_tower_down():
  force = np.zeros((1, 3, 3))
  force[0, 2] = [500, 0, 0]
  assert physics.simulate(_tower(*_STABLE), forces=force).fall.tolist() == [0]


def test_no_force_is_a_force_of_zero(sampled):
  towers = sampled[0].take(slice(0, 4))
  pushed = physics.simulate(towers, forces=np.zeros((4, 4, 3)))
  np.testing.assert_allclose(pushed.position, sampled[1].position[:4], atol=1e-3)


def test_a_force_ends_after_its_seconds():
  # In the air a force of F for s seconds gives the speed F s / m, whatever comes later.
  force = np.zeros((1, 1, 3))
  force[0, 0, 0] = 2_000.0
  motion = physics.simulate(_tower((0, 0, 30.0)), (0.0, 0.2, 0.7, 1.2), force, force_seconds=0.2)
  x = motion.position[0, :, 0, 0]
  speed = 2_000.0 * 0.2 / 1_000.0
  assert x[2] - x[1] == pytest.approx(0.5 * speed, rel=0.01)
  assert x[3] - x[2] == pytest.approx(0.5 * speed, rel=0.01)


def test_without_its_middle_block_a_tower_comes_down():
  less = scene.remove(_tower((0, 0, 0.5), (0, 0, 1.5), (0.2, 0, 2.5)), 1)
  motion = physics.simulate(less)
  assert motion.fall.tolist() == [1]
  assert motion.position[0, -1, 2, 2] == pytest.approx(1.5, abs=0.01)
  np.testing.assert_array_equal(motion.position[0, :, 1], [[0, 0, 1.5]] * 4)  # keeps its pose


def test_a_removed_block_carries_nothing_and_is_not_looked_at():
  apart = scene.remove(_tower((0, 0, 0.5), (0, 0, 1.5)), 1)
  assert physics.simulate(apart).fall.tolist() == [0]


def test_blocks_in_each_other_are_refused_by_name():
  towers = scene.sample(3, seed=5)
  position = towers.position.copy()
  position[2, 2, 2] -= 0.1
  with pytest.raises(ValueError, match="block 2 and block 1 of tower 2 interpenetrate by 0.1 m"):
    physics.simulate(towers.replace(position=position))


def test_names_of_blocks_are_those_of_their_places():
  towers = scene.remove(_tower((5, 0, 0.5), (0, 0, 0.5), (0, 0, 1.3)), 0)
  with pytest.raises(ValueError, match="block 2 and block 1 of tower 0 interpenetrate by 0.2 m"):
    physics.simulate(towers)


def test_a_block_in_the_floor_is_refused():
  with pytest.raises(ValueError, match="block 0 and the floor of tower 0 interpenetrate by 0.2 m"):
    physics.simulate(_tower((0, 0, 0.3)))


def test_a_pose_that_is_not_finite_is_refused():
  with pytest.raises(ValueError, match="position of block 1 of tower 0 is .*finite"):
    physics.simulate(_tower((0, 0, 0.5), (0, float("nan"), 1.5)))


@pytest.mark.parametrize("times", [
    (), (1.0, 1.0), (2.0, 1.0), (-1.0, 0.0), ((0.0, 1.0),), (0.0, float("nan")), (float("nan"),),
    (0.0, float("inf"))], ids=str)
def test_times_that_do_not_rise_are_refused(times):
  with pytest.raises(ValueError, match="times are .*; they must rise from 0 s or later"):
    physics.simulate(_tower((0, 0, 0.5)), times)


@pytest.mark.parametrize("positions, fall", [(_STABLE, 0), (_UNSTABLE, 1)])
def test_mjcf_loads_and_falls_as_the_simulation_does(positions, fall):
  towers = _tower(*positions)
  model = mujoco.MjModel.from_xml_string(physics.mjcf(towers))
  data = mujoco.MjData(model)
  assert model.nbody == 1 + len(positions)
  start = data.qpos.reshape(-1, 7)[:, :3].copy()
  np.testing.assert_allclose(start, towers.position[0], atol=1e-6)
  mujoco.mj_step(model, data, nstep=800)
  moved = np.linalg.norm(data.qpos.reshape(-1, 7)[:, :3] - start, axis=1)
  assert (moved.max() > 0.25) == fall == physics.simulate(towers).fall[0]


def test_mjcf_holds_the_blocks_that_are_there():
  towers = scene.remove(scene.sample(3, seed=0), 1)
  text = physics.mjcf(towers, 2)
  assert [f'body name="block{b}"' in text for b in range(4)] == [True, False, True, True]


def test_the_towers_that_were_given_are_not_changed():
  towers = _tower(*_UNSTABLE)
  before = {name: value.copy() for name, value in towers.arrays().items()}
  physics.simulate(towers, forces=np.zeros((1, 2, 3)))
  for name, value in towers.arrays().items():
    np.testing.assert_array_equal(value, before[name])


def test_falls_are_measured_in_widths_of_the_block():
  small = _tower((0, 0, 0.3)).replace(size=np.full((1, 1, 3), 0.1, np.float32))
  assert physics.simulate(small).fall.tolist() == [1]  # .2 m are a width
  large = _tower((0, 0, 1.2)).replace(size=np.full((1, 1, 3), 1.0, np.float32))
  assert physics.simulate(large).fall.tolist() == [0]  # .2 m are a tenth


def test_a_motion_goes_on_where_it_was_cut():
  tower = _tower(*_UNSTABLE)
  whole = physics.simulate(tower, (0.3, 0.6))
  later = physics.simulate(whole.at(tower, 0), (0.3,), velocity=whole.velocity[:, 0])
  np.testing.assert_allclose(later.position[0, 0], whole.position[0, 1], atol=0.01)
  rested = physics.simulate(whole.at(tower, 0), (0.3,))
  assert np.abs(rested.position[0, 0] - whole.position[0, 1]).max() > 0.05


def test_a_thrown_block_flies_as_it_should():
  velocity = np.zeros((1, 1, 6))
  velocity[0, 0, :3] = [2.0, 0.0, 3.0]
  motion = physics.simulate(_tower((0, 0, 30.0)), (0.5,), velocity=velocity)
  start, end = np.array([0, 0, 30.0]), motion.position[0, 0, 0]
  np.testing.assert_allclose(end - start, [1.0, 0.0, 1.5 - 9.81 / 8], atol=0.02)
  np.testing.assert_allclose(motion.velocity[0, 0, 0, :3], [2.0, 0.0, 3.0 - 9.81 / 2], atol=0.02)


def test_towers_that_stand_are_at_rest(sampled):
  motion = sampled[1]
  assert np.abs(motion.velocity[motion.fall == 0]).max() < 0.05
  assert np.abs(motion.velocity[motion.fall == 1, 1:3]).max() > 1.0


def test_whether_towers_fall_is_known_early_and_is_what_the_whole_simulation_tells():
  towers = scene.sample(40, seed=5)
  np.testing.assert_array_equal(physics.falls(towers),
                                physics.simulate(towers, physics.TIMES[-1:]).fall)


def test_a_block_in_another_is_refused_by_the_early_check_too():
  towers = scene.sample(1, seed=0)
  position = towers.position.copy()
  position[0, 1, 2] -= 0.3
  with pytest.raises(ValueError, match="interpenetrate"):
    physics.falls(towers.replace(position=position))
