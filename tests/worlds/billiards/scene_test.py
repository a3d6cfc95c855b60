"""Tests of sampled tables: nothing overlaps, seeds decide, and what can't be is refused."""

import numpy as np
import pytest

from garden.worlds.billiards import scene

_MIXED = scene.Distribution(counts=(1, 4, 6))


def test_table_i_of_a_seed_is_the_same_one_in_any_batch():
  tables = scene.sample(5, seed=3, distribution=_MIXED)
  for index in range(5):
    alone = scene.sample(1, seed=3, first=index, distribution=_MIXED, max_balls=6)
    for name, value in alone.arrays().items():
      np.testing.assert_array_equal(value[0], getattr(tables, name)[index], err_msg=name)


def test_another_seed_has_other_tables():
  a, b = (scene.sample(2, seed=seed) for seed in (0, 1))
  assert (a.position != b.position).all()


def test_counts_take_turns_and_empty_places_are_zero():
  tables = scene.sample(6, seed=0, distribution=_MIXED)
  assert tables.count.tolist() == [1, 4, 6, 1, 4, 6]
  empty = ~tables.present
  assert not tables.color_class[empty].any() and not tables.velocity[empty].any()
  assert all(len(set(row[row > 0])) == (row > 0).sum() for row in tables.color_class)


def test_sampled_tables_pass_the_check_with_room_between_all():
  tables = scene.sample(100, seed=1, distribution=scene.Distribution(counts=(6,)))
  scene.check(tables)
  apart = np.linalg.norm(tables.position[:, :, None] - tables.position[:, None], axis=-1)
  assert apart[:, ~np.eye(6, dtype=bool)].min() > 2.2 * scene.RADIUS - 1e-6
  assert np.abs(tables.position).max() < scene.HALF_TABLE - scene.RADIUS


def test_speeds_are_in_their_range_and_directions_all_around():
  tables = scene.sample(300, seed=0, distribution=scene.Distribution(speed=(1.0, 1.5)))
  speed = np.linalg.norm(tables.velocity, axis=-1)
  assert 1.0 <= speed.min() < 1.01 and 1.49 < speed.max() <= 1.5 + 1e-6
  assert np.abs(tables.velocity.mean(axis=(0, 1))).max() < 0.1


def _with(name, value):
  tables = scene.sample(2, seed=0)
  array = getattr(tables, name).copy()
  array[1, 2] = value
  return tables.replace(**{name: array})


@pytest.mark.parametrize("tables, message", [
    (_with("position", np.nan), r"position of ball 2 of table 1 is \[nan, nan\]; .* finite"),
    (_with("velocity", np.inf), "velocity of ball 2 of table 1 .* finite"),
    (_with("radius", 0.0), "ball 2 of table 1 has no radius above 0"),
    (_with("position", [0.95, 0.0]), "ball 2 of table 1 sticks in a cushion; .* 1 m"),
    (_with("position", scene.sample(2, seed=0).position[1, 0] + 0.05),
     "balls 0 and 2 of table 1 overlap: their middles are 0.0707 m apart"),
])
def test_what_can_not_be_simulated_is_named(tables, message):
  with pytest.raises(ValueError, match=message):
    scene.check(tables)


def test_a_table_without_a_ball_is_refused():
  tables = scene.sample(2, seed=0)
  with pytest.raises(ValueError, match="table 0 has 0 balls; it must have 1 to 6"):
    scene.check(tables.replace(present=np.zeros_like(tables.present)))


@pytest.mark.parametrize("make, message", [
    (lambda: scene.Distribution(counts=(7,)), r"counts are \(7,\); .* 1\.\.6"),
    (lambda: scene.Distribution(speed=(2.0, 1.0)), r"speed is \(2.0, 1.0\)"),
    (lambda: scene.Distribution(cloth=((0, 1), (0.5, 0.1), (0, 1))), "cloth of green"),
    (lambda: scene.sample(0, seed=0), "n is 0; .* at least 1"),
    (lambda: scene.sample(1, seed=-1), "seed is -1; .* at least 0"),
    (lambda: scene.sample(1, seed=0, max_balls=2), "max_balls is 2, but tables have up to 3"),
])
def test_numbers_outside_their_range_are_refused(make, message):
  with pytest.raises(ValueError, match=message):
    make()
