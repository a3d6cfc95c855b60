"""What holds for the order of any batches."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from garden.datasets import order

_some = settings(max_examples=25)


@st.composite
def _batches(draw):
  """Size of a batch, number of examples and a seed."""
  count = draw(st.integers(1, 40))
  return draw(st.integers(1, count)), count, draw(st.integers(0, 2**31))


def _at(step, batch_size, count, seed):
  return order.shuffled_positions(tf.constant(step, tf.int64), batch_size, count, seed).numpy()


@_some
@given(_batches())
def test_each_example_is_met_once_a_turn(drawn):
  batch_size, count, _ = drawn
  met = np.concatenate([_at(step, *drawn) for step in range(3 * count // batch_size + 1)])
  for turn in range(3):
    assert sorted(met[turn * count:(turn + 1) * count]) == list(range(count))
  assert len(met) >= 3 * count


@_some
@given(_batches(), st.integers(0, 2**40))
def test_a_batch_is_a_function_of_seed_and_step_alone(drawn, step):
  first = _at(step, *drawn)
  _at(step + 1, *drawn)
  np.testing.assert_array_equal(_at(step, *drawn), first)
  in_graph = tf.function(lambda s: order.shuffled_positions(s, *drawn))
  np.testing.assert_array_equal(in_graph(tf.constant(step, tf.int64)), first)
  assert first.min() >= 0 and first.max() < drawn[1] and len(first) == drawn[0]


@_some
@given(_batches())
def test_the_order_is_that_of_single_examples(drawn):
  batch_size, count, seed = drawn
  one_by_one = np.concatenate([_at(step, 1, count, seed) for step in range(2 * batch_size)])
  in_batches = np.concatenate([_at(step, *drawn) for step in range(2)])
  np.testing.assert_array_equal(in_batches, one_by_one)


def test_another_seed_is_another_order():
  orders = {tuple(_at(0, 40, 40, seed)) for seed in range(20)}
  assert len(orders) == 20


@given(st.integers(1, 500), st.integers(1, 500))
def test_even_positions_are_both_ends_and_evenly_between(count, most):
  found = order.evenly(count, most)
  assert len(found) == min(count, most) and (np.diff(found) > 0).all()
  assert found[0] == 0 and (found[-1] == count - 1 or most == 1)
  steps = np.diff(found)
  assert not len(steps) or steps.max() - steps.min() <= 1
