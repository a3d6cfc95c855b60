"""Tests of the order of batches: turns, and that a step needs no other."""

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets import order


def _batch(step, size, count, seed=0):
  return order.shuffled_positions(tf.constant(step, tf.int64), size, count, seed).numpy().tolist()


def _places(steps, size, count, seed=0):
  return [place for step in range(steps) for place in _batch(step, size, count, seed)]


@pytest.mark.parametrize(("size", "count"), [(1, 1), (1, 5), (4, 12), (4, 10), (7, 7), (9, 10)])
def test_each_turn_meets_each_example_once(size, count):
  places = _places(4 * count, size, count)
  for turn in range(4 * size):
    assert sorted(places[turn * count : (turn + 1) * count]) == list(range(count))


def test_each_turn_has_an_order_of_its_own():
  turns = [tuple(_batch(step, 10, 10)) for step in range(6)]
  assert len(set(turns)) == 6 and tuple(range(10)) not in turns


def test_a_step_alone_is_the_same_as_in_a_sequence():
  steps = tf.data.Dataset.range(8).map(lambda i: order.shuffled_positions(i, 4, 10, 3))
  for step, batch in enumerate(steps.as_numpy_iterator()):
    assert batch.tolist() == _batch(step, 4, 10, 3)


def test_a_batch_across_two_turns_ends_one_and_begins_the_next():
  across = _batch(2, 4, 10)  # places 8 to 11
  first, second = _places(2, 4, 10), _batch(3, 4, 10) + _batch(4, 4, 10)
  assert set(first).isdisjoint(across[:2]) and set(first) | set(across[:2]) == set(range(10))
  assert set(second).isdisjoint(across[2:]) and set(second) | set(across[2:]) == set(range(10))


def test_seeds_have_other_orders():
  orders = {tuple(_batch(0, 10, 10, seed)) for seed in range(6)}
  assert len(orders) == 6


def test_places_are_equally_likely():
  first = np.bincount([_batch(0, 1, 4, seed)[0] for seed in range(200)], minlength=4)
  assert first.min() > 30  # 50 each, four standard deviations are 24


def test_far_steps_do_not_overflow():
  batch = _batch(10**14, 50, 1000)
  assert len(set(batch)) == 50 and 0 <= min(batch) and max(batch) < 1000


def test_positions_have_a_known_shape_and_type():
  data = tf.data.Dataset.range(1).map(lambda i: order.shuffled_positions(i, 3, 5, 0))
  assert data.element_spec == tf.TensorSpec([3], tf.int64)


@pytest.mark.parametrize("size", [0, -1, 6])
def test_a_batch_longer_than_a_turn_or_empty_is_refused(size):
  with pytest.raises(ValueError, match=f"batch_size is {size}; it must be from 1 to the 5 exam"):
    _batch(0, size, 5)


@pytest.mark.parametrize(("count", "most", "expected"), [
  (9, 3, [0, 4, 8]), (3, 9, [0, 1, 2]), (5, 1, [0]), (0, 4, []),
])  # fmt: skip
def test_evenly_spreads_positions_with_both_ends(count, most, expected):
  assert order.evenly(count, most).tolist() == expected
