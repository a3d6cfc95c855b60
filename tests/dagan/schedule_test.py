"""Tests of the rate: its tail, and its halving where a measure stalls."""

import pytest
import tensorflow as tf

from garden.dagan import schedule


def _factors(measures, window=2, floor=0.3):
  stalls = schedule.StallHalving(window, floor)
  found = []
  for measure in measures:
    stalls.update(tf.constant(measure))
    found.append(float(stalls.factor))
  return found


def test_a_measure_that_falls_keeps_the_rate():
  assert set(_factors([1.0, 0.9, 0.8, 0.7, 0.6, 0.5])) == {1.0}


def test_a_window_that_does_not_fall_halves_it_down_to_the_floor():
  assert _factors([1.0, 1.0, 2.0, 0.0, 1.5, 1.5, 0.1, 0.1, 1.0, 1.0]) == pytest.approx(
      [1, 1, 1, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3])


def test_a_window_of_zero_never_halves():
  assert set(_factors([1.0, 2.0, 3.0], window=0)) == {1.0}


@pytest.mark.parametrize("step, expected", [(0, 2.0), (60, 2.0), (80, 1.1), (100, 0.2), (500, 0.2)])
def test_the_tail_falls_in_a_line_to_a_tenth(step, expected):
  rate = schedule.Rate(2.0, 100, 0.4, tf.Variable(1.0))
  assert float(rate(step)) == pytest.approx(expected)


def test_the_factor_is_read_at_each_step():
  factor = tf.Variable(1.0)
  rate = schedule.Rate(2.0, 100, 0.0, factor)
  factor.assign(0.25)
  assert float(rate(99)) == pytest.approx(0.5)


def test_a_trained_step_is_shorter_after_halving():
  factor = tf.Variable(1.0)
  optimizer = tf.keras.optimizers.Adam(schedule.Rate(0.1, 10, 0.0, factor))
  x = tf.Variable(0.0)
  optimizer.apply_gradients([(tf.constant(1.0), x)])
  first = -float(x)
  factor.assign(0.5)
  optimizer.apply_gradients([(tf.constant(1.0), x)])
  assert -float(x) - first == pytest.approx(0.5 * first, rel=1e-3)
