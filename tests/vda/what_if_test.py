"""Tests of what-if questions: towers by hand, answers that hold in MuJoCo, bad input."""

import numpy as np
import pytest

from garden.vda import engines
from garden.vda import state as state_lib
from garden.vda import what_if
from garden.worlds.towers import physics
from garden.worlds.towers import scene
from garden.worlds.towers import support


def _tower(*offsets, places=None):
  """A state of one tower of unit cubes with their middles at some x, yaw 0."""
  n = len(offsets)
  counts = scene.Distribution(counts=(n,))
  state = state_lib.of_towers(scene.sample(1, seed=0, distribution=counts, max_blocks=places))
  state["position"][0, :n] = np.stack([offsets, np.zeros(n), 0.5 + np.arange(n)], axis=1)
  state["rotation"][0] = (1.0, 0.0, 0.0, 0.0)
  return state


def _falls(state):
  return engines.MuJoCoEngine().stability(state)["fall"].tolist()


@pytest.fixture(scope="module")
def falling():
  """16 towers of 2 to 4 blocks that fall."""
  return what_if.falling(16, seed=4)


def test_a_new_block_rests_on_the_top_one_and_the_state_grows():
  state = _tower(0.0, 0.2)
  more = what_if.add(state, (0.1, -0.2))
  assert more["present"].tolist() == [[True, True, True]]
  np.testing.assert_allclose(more["position"][0, 2], [0.3, -0.2, 2.5], atol=1e-6)
  np.testing.assert_array_equal(more["position"][0, :2], state["position"][0])
  assert state["present"].shape == (1, 2)


def test_a_new_block_takes_a_free_place():
  more = what_if.add(_tower(0.0, 0.2, places=4), (0.0, 0.0))
  assert more["present"].tolist() == [[True, True, True, False]]


def test_a_new_block_beside_the_tower_falls_to_the_floor_and_is_in_order():
  more = what_if.add(_tower(0.0, 0.0), (2.0, 0.0))
  assert more["position"][0, :, 2].tolist() == [0.5, 0.5, 1.5]
  assert more["position"][0, 1, 0] == 2.0


def test_a_new_block_has_the_size_and_colour_it_is_given_and_else_a_new_colour():
  small = what_if.add(_tower(0.0), (0.0, 0.0), size=(0.2, 0.2, 0.1), color=(0.0, 0.5, 1.0))
  np.testing.assert_allclose(small["size"][0, 1], [0.2, 0.2, 0.1])
  np.testing.assert_allclose(small["position"][0, 1, 2], 1.1)
  np.testing.assert_allclose(small["color"][0, 1], [0.0, 0.5, 1.0])
  own = what_if.add(_tower(0.0, 0.0, 0.0), (0.0, 0.0))["color"][0]
  assert np.linalg.norm(own[:3] - own[3], axis=1).min() > 0.3


def test_a_block_too_far_out_brings_the_tower_down():
  assert _falls(what_if.add(_tower(0.0), (0.4, 0.0))) == [0]
  assert _falls(what_if.add(_tower(0.0), (0.6, 0.0))) == [1]


def test_without_the_top_of_an_overhang_the_tower_stands():
  state = _tower(0.0, 0.4, 0.85)
  less = what_if.remove(state, 2)
  assert _falls(state) == [1] and _falls(less) == [0]
  assert less["present"].tolist() == [[True, True, False]]


def test_what_stood_on_a_removed_block_hangs_or_is_set_down():
  state = _tower(0.0, 0.1, 0.2)
  hangs, set_down = what_if.remove(state, 1), what_if.remove(state, 1, settled=True)
  assert hangs["position"][0, 1].tolist() == state["position"][0, 2].tolist()
  assert set_down["position"][0, 1, 2] == 1.5
  assert _falls(hangs) == [1] and _falls(set_down) == [0]


def test_the_least_move_brings_the_block_back_by_what_is_missing_and_the_margin():
  answer = what_if.stabilize_by_position(_tower(0.0, 0.6), margin=0.05)
  np.testing.assert_allclose(answer.move[0], [[0, 0, 0], [-0.15, 0, 0]], atol=1e-6)
  assert answer.stands.tolist() == [True]


def test_moved_towers_have_the_margin_and_stand(falling):
  answer = what_if.stabilize_by_position(falling, margin=0.05)
  assert answer.found.all() and answer.stands.all()
  np.testing.assert_allclose(support.margin(state_lib.towers_of(answer.state)), 0.05, atol=1e-4)
  np.testing.assert_allclose(answer.state["position"] - answer.move, falling["position"],
                             atol=1e-5)


def test_a_tower_with_the_margin_is_not_moved():
  assert not what_if.stabilize_by_position(_tower(0.0, 0.2)).move.any()


def test_blocks_that_can_not_help_are_told_to_be_no_answer():
  state = _tower(0.0, 0.9, 0.9)
  answer = what_if.stabilize_by_position(state, blocks=[2])
  assert (answer.found.tolist(), answer.stands.tolist()) == ([False], [False])
  np.testing.assert_array_equal(answer.state["position"], state["position"])


def test_the_least_force_is_that_of_the_lever():
  pushed = what_if.stabilize_by_force(_tower(0.0, 0.6), margin=0.05, blocks=[1])
  # .15 m are missing at a height of .5 m.
  np.testing.assert_allclose(pushed.forces[0], [[0, 0, 0], [-0.3 * 9810, 0, 0]], atol=0.1)
  assert pushed.stands.tolist() == [True]


def test_forces_hold_towers_up_while_they_act(falling):
  pushed = what_if.stabilize_by_force(falling)
  towers = state_lib.towers_of(falling)
  held = physics.simulate(towers, (4.0,), pushed.forces, force_seconds=4.0).fall == 0
  np.testing.assert_array_equal(held, pushed.stands)
  assert pushed.stands.mean() >= 0.9
  assert physics.simulate(towers, (5.0,), pushed.forces, force_seconds=0.0).fall.all()


def test_a_block_that_does_not_lie_on_another_can_not_be_held_by_a_push():
  pushed = what_if.stabilize_by_force(_tower(0.0, 1.2))
  assert not pushed.found.any() and not pushed.stands.any() and not pushed.forces.any()


def test_empty_places_below_blocks_are_no_hindrance():
  state = _tower(0.0, 0.0, 0.6)
  state["present"][0, 0] = False
  state["position"][0, 1:, 2] -= 1.0
  answer = what_if.stabilize_by_position(state)
  np.testing.assert_allclose(answer.move[0], [[0, 0, 0], [0, 0, 0], [-0.15, 0, 0]], atol=1e-6)
  assert what_if.stabilize_by_force(state).stands.all()


def test_the_heat_map_of_one_block_is_its_face():
  found = what_if.heat_map(_tower(0.0), resolution=9, reach=1.2)
  x, y = np.meshgrid(found.x, found.y)
  face = np.maximum(np.abs(x), np.abs(y))
  np.testing.assert_array_equal(np.isnan(found.fall_probability), face > 1.0)
  assert (found.fall_probability[face < 0.4] < 0.05).all()
  assert (found.fall_probability[(face > 0.55) & (face < 1.0)] > 0.8).all()


def test_the_heat_map_by_simulation_agrees_away_from_the_border():
  state = _tower(0.0, 0.3)
  soft = what_if.heat_map(state, resolution=5, reach=0.8)
  hard = what_if.heat_map(state, resolution=5, reach=0.8, engine=engines.MuJoCoEngine())
  clear = np.abs(soft.fall_probability - 0.5) > 0.2
  assert clear.sum() >= 15
  np.testing.assert_array_equal(soft.fall_probability[clear] > 0.5,
                                hard.fall_probability[clear] > 0.5)


def test_the_heat_map_has_rows_by_y_and_columns_by_x():
  state = _tower(0.0, 0.45)
  p = what_if.heat_map(state, resolution=5, reach=0.8).fall_probability
  assert p[2, 1] < 0.1 < 0.9 < p[2, 3]
  np.testing.assert_allclose(p, p[::-1], atol=1e-5)


def test_the_safest_place_of_one_block_is_its_middle():
  assert what_if.heat_map(_tower(0.0), resolution=11).safest() == pytest.approx((0.0, 0.0))


def test_what_falls_is_found_in_the_order_of_the_seed(falling):
  towers = scene.sample(16, seed=4)
  fall = physics.simulate(towers, (4.0,)).fall == 1
  np.testing.assert_array_equal(falling["position"][:fall.sum()], towers.position[fall])
  assert len(falling["present"]) == 16 and all(_falls(falling))


def _changed(name, index, value):
  state = _tower(0.0, 0.2)
  state[name][index] = value
  return state


_TWO, _SIX = _tower(0.0, 0.2), _tower(*[0.0] * 6)


@pytest.mark.parametrize("call, message", [
    (lambda: what_if.add(_SIX, (0, 0)), "scene 0 has 6 blocks; a tower has at most 6: remove one"),
    (lambda: what_if.add(_TWO, (0, np.nan)), r"offset is \(0, nan\); it must be finite metres"),
    (lambda: what_if.add(_TWO, (0, 0, 0)), r"offset is .*\[2\] or \[1, 2\]"),
    (lambda: what_if.add(_TWO, (0, 0), size=(1, 1, 0)), r"size is \[1.*; half.*above 0 m"),
    (lambda: what_if.add(_TWO, (0, 0), color=(0, 0, 2)), r"color is .*; RGB must be in \[0, 1\]"),
    (lambda: what_if.remove(_TWO, 2), r"block is 2; scene 0 has the blocks \[0, 1\]"),
    (lambda: what_if.remove(_TWO, 0.5), "block is 0.5; it must be a whole number"),
    (lambda: what_if.remove(_tower(0.0), 0), "block 0 is the only one of scene 0; leave at least"),
    (lambda: what_if.stabilize_by_position(_TWO, margin=0.5), "margin is 0.5; it must be below"),
    (lambda: what_if.stabilize_by_position(_TWO, margin=-0.1), "margin is -0.1; .* at least 0"),
    (lambda: what_if.stabilize_by_position(_TWO, blocks=[2]), r"blocks are \[2\]; .* in 0\.\.1"),
    (lambda: what_if.stabilize_by_force(_TWO, friction=0), "friction is 0; .* above 0"),
    (lambda: what_if.stabilize_by_force(_changed("position", (0, 1, 2), 2.0)),
     "block 1 of scene 0 is 0.5 m off the top of block 0; .* use state.settled"),
    (lambda: what_if.stabilize_by_force(_changed("rotation", (0, 1), (0.9, 0.43, 0, 0))),
     "block 1 of scene 0 is tilted; .* before it falls"),
    (lambda: what_if.stabilize_by_force(_changed("position", (0, 1, 0), np.inf)),
     "position of block 1 of scene 0 is .*finite"),
    (lambda: what_if.stabilize_by_force(_changed("present", 0, False)), "scene 0 has no block"),
    (lambda: what_if.heat_map(_TWO, row=1), "row is 1; the state has scenes 0 to 0"),
    (lambda: what_if.heat_map(_TWO, resolution=1), "resolution is 1; .* at least 2"),
    (lambda: what_if.falling(1, 0, scene.Distribution(counts=(1,))), r"counts are \(1,\); .*2$")])
def test_what_can_not_be_is_told_with_its_limit(call, message):
  with pytest.raises(ValueError, match=message):
    call()


@pytest.mark.torture
@pytest.mark.parametrize("counts", [(2, 3, 4), (5, 6)])
def test_most_of_a_hundred_falling_towers_are_made_to_stand(counts):
  state = what_if.falling(100, seed=31, distribution=scene.Distribution(counts=counts))
  assert what_if.stabilize_by_position(state).stands.mean() >= 0.95
  assert what_if.stabilize_by_force(state).stands.mean() >= 0.95
