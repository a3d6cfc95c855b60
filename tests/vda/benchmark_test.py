"""Tests of the benchmarks: both sides run, checks agree."""

from garden.vda import benchmark


def test_stability_checks_run_on_models_built_anew():
  pair = benchmark.stability_benchmark(blocks=2, towers=2)
  assert pair.ours(0) is None and pair.theirs(0) is None and pair.count == 2
