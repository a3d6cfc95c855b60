"""Tests of balls in MuJoCo: against what elastic collisions do by hand."""

import numpy as np
import pytest

from garden.worlds.billiards import physics
from garden.worlds.billiards import scene


def _table(*balls):
  """One table of balls at (x, y, vx, vy)."""
  one = scene.sample(1, seed=0, distribution=scene.Distribution(counts=(len(balls),)))
  state = np.array([balls], np.float32)
  return one.replace(position=state[..., :2], velocity=state[..., 2:])


def test_a_free_ball_rolls_straight_on():
  motion = physics.simulate(_table((-0.5, 0.2, 1.0, -0.5)), (0.0, 0.2, 0.6))
  expected = [[-0.5, 0.2], [-0.3, 0.1], [0.1, -0.1]]
  np.testing.assert_allclose(motion.position[0, :, 0], expected, atol=1e-5)
  np.testing.assert_allclose(motion.velocity[0, :, 0], [[1.0, -0.5]] * 3, atol=1e-5)


@pytest.mark.parametrize("velocity, after", [((1.5, 0.4), (-1.5, 0.4)), ((-1.5, 0.4), (1.5, 0.4)),
                                             ((0.4, 1.5), (0.4, -1.5)), ((0.4, -1.5), (0.4, 1.5))])
def test_a_cushion_mirrors_the_velocity(velocity, after):
  motion = physics.simulate(_table((0.0, 0.0, *velocity)), (1.0,))
  np.testing.assert_allclose(motion.velocity[0, 0, 0], after, rtol=0.03, atol=1e-4)


def test_a_head_on_collision_hands_the_velocity_over():
  motion = physics.simulate(_table((-0.5, 0.0, 1.0, 0.0), (0.2, 0.0, 0.0, 0.0)), (0.9,))
  np.testing.assert_allclose(motion.velocity[0, 0], [[0.0, 0.0], [1.0, 0.0]], atol=0.03)


def test_a_glancing_collision_keeps_momentum_and_parts_at_a_right_angle():
  motion = physics.simulate(_table((-0.5, 0.1, 1.0, 0.0), (0.1, 0.0, 0.0, 0.0)), (0.9,))
  first, second = motion.velocity[0, 0]
  np.testing.assert_allclose(first + second, [1.0, 0.0], atol=1e-4)
  assert abs(first @ second) < 0.05 and np.linalg.norm(second) > 0.5


def test_energy_is_kept_but_for_what_contacts_hold_for_a_moment():
  tables = scene.sample(40, seed=2)
  motion = physics.simulate(tables, np.arange(380, 400) * 0.01)
  energy = np.square(motion.velocity).sum(axis=(2, 3)).max(axis=1)
  share = energy / np.square(tables.velocity).sum(axis=(1, 2))
  assert 0.95 < np.median(share) < 1.05 and share.min() > 0.75 and share.max() < 1.25


def test_balls_stay_on_the_table_and_hardly_sink_into_each_other():
  motion = physics.simulate(scene.sample(20, seed=4), np.arange(1, 41) * 0.1)
  assert np.abs(motion.position).max() < scene.HALF_TABLE - scene.RADIUS + 0.04
  apart = np.linalg.norm(motion.position[:, :, :, None] - motion.position[:, :, None], axis=-1)
  assert apart[..., ~np.eye(3, dtype=bool)].min() > 2 * scene.RADIUS - 0.05


def test_a_table_rolls_alike_whatever_the_batch_and_the_times_on_the_way():
  tables = scene.sample(6, seed=5)
  motion = physics.simulate(tables, (0.5, 1.0, 2.0))
  alone = physics.simulate(tables.take(4), (2.0,))
  np.testing.assert_array_equal(alone.position[0, 0], motion.position[4, -1])


def test_motion_at_a_time_is_tables_again():
  tables = scene.sample(2, seed=5)
  motion = physics.simulate(tables, (0.0, 0.3))
  np.testing.assert_allclose(motion.at(tables, 0).position, tables.position)
  later = physics.simulate(motion.at(tables, 1), (0.3,))
  whole = physics.simulate(tables, (0.6,))
  np.testing.assert_allclose(later.position, whole.position, atol=1e-3)


def test_empty_places_do_not_change_the_motion():
  wide = physics.simulate(scene.sample(2, seed=5, max_balls=5), (1.0,))
  narrow = physics.simulate(scene.sample(2, seed=5), (1.0,))
  np.testing.assert_array_equal(wide.position[:, :, :3], narrow.position)
  assert not wide.position[:, :, 3:].any()


@pytest.mark.parametrize("times", [(), (1.0, 0.5), (-0.1, 1.0), (np.nan,)])
def test_times_must_rise(times):
  with pytest.raises(ValueError, match="times are .*; they must rise from 0 s or later"):
    physics.simulate(scene.sample(1, seed=0), times)


def test_what_the_check_refuses_is_not_simulated():
  tables = scene.sample(1, seed=0)
  with pytest.raises(ValueError, match="overlap"):
    physics.simulate(tables.replace(position=np.zeros_like(tables.position)), (1.0,))
