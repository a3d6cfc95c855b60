"""Tests of the benchmarks: both sides do the same."""

import numpy as np

from garden.core import config
from garden.core import run as run_lib
from garden.dagan import benchmark
from garden.dagan import plain_step


def _experiment(*bindings):
  config.load(["dagan/tiny.gin"], bindings)
  return run_lib.Run().experiment


def test_the_plain_step_makes_the_same_step():
  # Their draws differ.
  experiment = _experiment("dagan.Recipe.shift = 0", "dagan.Recipe.noise = 0.0")
  batch = next(iter(experiment.datasets().stages[-1].batches(0)))
  ours, theirs = experiment.build_model(), experiment.build_model()
  for a, b in zip(ours.get_weights(), theirs.get_weights()):
    np.testing.assert_array_equal(a, b)
  ours.train_step(batch)
  plain_step.step(theirs.refiner, theirs.autoencoder, theirs.agent, experiment.recipe)(batch)
  for layer in ("refiner", "autoencoder", "agent"):
    for a, b in zip(getattr(ours, layer).weights, getattr(theirs, layer).weights):
      np.testing.assert_allclose(a, b, atol=2e-5)


def test_a_step_is_timed_on_both_sides():
  pair = benchmark.step_benchmark(_experiment(), steps=2, steps_per_execution=1)
  assert (pair.count, pair.unit) == (2, "step")
  pair.ours(0)
  pair.theirs(0)


def test_faces_are_turned_on_both_sides():
  pair = benchmark.turn_benchmark(size=64, faces=2)
  assert (pair.count, pair.unit) == (2, "face")
  pair.ours(0)
  pair.theirs(0)
