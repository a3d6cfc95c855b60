"""Tests of balance: least distances, and moves and forces of stacks done by hand."""

import numpy as np
import pytest

from garden.vda import balance


def _stack(*offsets):
  """Unit cubes with their middles at some x, yaw 0."""
  n = len(offsets)
  position = np.stack([offsets, np.zeros(n), 0.5 + np.arange(n)], axis=1)
  return balance.Stack(position, np.zeros(n), np.full((n, 3), 0.5))


def test_the_shortest_vector_of_a_half_plane_is_its_normal():
  found = balance.least(np.array([[3.0, 4.0]]), np.array([10.0]))
  np.testing.assert_allclose(found, [1.2, 1.6], atol=1e-9)


def test_the_shortest_vector_of_nothing_asked_is_zero():
  np.testing.assert_array_equal(balance.least(np.eye(2), np.array([-1.0, 0.0])), 0.0)


def test_what_contradicts_itself_has_no_answer():
  assert balance.least(np.array([[1.0], [-1.0]]), np.array([1.0, 1.0])) is None


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_units_of_the_rows_do_not_matter(scale):
  found = balance.least(scale * np.array([[1.0, 0.0], [0.0, 1.0]]), scale * np.array([1.0, 2.0]))
  np.testing.assert_allclose(found, [1.0, 2.0], atol=1e-9)


def test_a_block_too_far_out_comes_back_by_what_is_missing_and_the_margin():
  move = balance.least_move(_stack(0.0, 0.6), 0.05, np.array([False, True]))
  np.testing.assert_allclose(move, [[0, 0], [-0.15, 0]], atol=1e-9)


def test_two_free_blocks_share_the_move():
  move = balance.least_move(_stack(0.0, 0.6), 0.0, np.array([True, True]))
  np.testing.assert_allclose(move, [[0.05, 0], [-0.05, 0]], atol=1e-9)


def test_a_counterweight_moves_when_the_overhang_may_not():
  # Blocks 1 and 2 press at .55 on block 0; block 1 alone has half their weight.
  move = balance.least_move(_stack(0.0, 0.4, 0.7), 0.0, np.array([False, True, False]))
  np.testing.assert_allclose(move[1], [-0.1, 0], atol=1e-9)


def test_a_move_that_breaks_another_interface_is_no_answer():
  assert balance.least_move(_stack(0.0, 0.4, 0.9), 0.1, np.array([False, True, False])) is None


def test_a_force_shifts_the_centre_of_pressure_by_its_height_over_the_weight():
  stack = _stack(0.0, 0.6)
  force = balance.least_force(stack, 0.0, 1.0, np.array([False, True]), False)
  # .1 m is missing, the middle is .5 m above the face: F = W .1 / .5.
  np.testing.assert_allclose(force, [[0, 0, 0], [-0.2 * stack.weight[1], 0, 0]], atol=1e-3)


def test_a_unit_block_weighs_what_it_weighs_in_the_simulation():
  np.testing.assert_allclose(_stack(0.0).weight, [9810.0])


def test_friction_limits_what_a_push_can_do():
  pushed = np.array([False, True])
  assert balance.least_force(_stack(0.0, 0.6), 0.0, 0.19, pushed, False) is None
  assert balance.least_force(_stack(0.0, 0.6), 0.0, 0.21, pushed, False) is not None


def test_pressing_a_counterweight_helps_where_friction_does_not():
  # Above block 0: W at .4 and W at .7, mean .55; a press D at .4 makes it (1.1 W + .4 D)/(2W + D).
  stack, pushed = _stack(0.0, 0.4, 0.7), np.array([False, True, False])
  assert balance.least_force(stack, 0.0, 1e-6, pushed, False) is None
  force = balance.least_force(stack, 0.0, 1e-6, pushed, True)
  np.testing.assert_allclose(force[1] / stack.weight[1], [0, 0, -1.0], atol=1e-3)


def test_a_push_that_would_tip_the_lowest_block_is_no_answer():
  # At the floor the lever is 2.5 m: the lightest push that holds block 2 tips the column.
  high = balance.Stack(np.array([[0, 0, 5.0], [0.6, 0, 10.5]]), np.zeros(2),
                       np.array([[0.1, 0.5, 5.0], [0.5, 0.5, 0.5]]))
  assert balance.least_force(high, 0.0, 1.0, np.array([False, True]), False) is None


def test_faces_that_are_turned_hold_further_along_their_diagonal():
  stack = _stack(0.0, 0.6)
  turned = balance.Stack(stack.position, np.full(2, np.pi / 4), stack.size)
  np.testing.assert_array_equal(
      balance.least_move(turned, 0.0, np.array([False, True])), np.zeros((2, 2)))


def test_a_tower_that_stands_needs_no_force():
  force = balance.least_force(_stack(0.0, 0.2), 0.02, 0.9, np.array([True, True]), True)
  np.testing.assert_array_equal(force, 0.0)
