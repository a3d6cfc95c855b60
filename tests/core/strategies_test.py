"""Tests of the strategies by name."""

import types

import pytest
import tensorflow as tf

from garden.core import strategies


def _worker(kind, number, chief=True):
  """A strategy as a process of a cluster sees it."""
  jobs = ["worker", *(["chief"] if chief else [])]
  resolver = types.SimpleNamespace(
    task_type=kind, task_id=number, cluster_spec=lambda: types.SimpleNamespace(jobs=jobs)
  )
  return types.SimpleNamespace(cluster_resolver=resolver)


@pytest.mark.parametrize(
  ("name", "kind", "replicas"),
  [
    ("default", tf.distribute.Strategy, 1),
    ("one_device", tf.distribute.OneDeviceStrategy, 1),
    ("mirrored", tf.distribute.MirroredStrategy, 2),
  ],
)
def test_get_returns_the_strategy_of_a_name(name, kind, replicas):
  strategy = strategies.get(name)
  assert isinstance(strategy, kind)
  assert strategy.num_replicas_in_sync == replicas
  assert strategies.is_chief(strategy)
  assert strategies.write_path("a/b", strategy) == "a/b"


def test_a_process_has_one_mirrored_strategy():
  # Two would number their collectives alike, and abort each other's.
  assert strategies.get("mirrored") is strategies.get("mirrored")


def test_an_unknown_name_is_refused_with_the_known_ones():
  with pytest.raises(ValueError, match="'miror'.*default, one_device, mirrored, multi_worker"):
    strategies.get("miror")


@pytest.mark.parametrize(
  ("strategy", "chief"),
  [
    (_worker("chief", 0), True),
    (_worker("worker", 0), False),
    (_worker("worker", 0, chief=False), True),
    (_worker("worker", 1, chief=False), False),
    (_worker(None, None), True),
  ],
)
def test_one_process_of_a_cluster_is_the_chief(strategy, chief):
  assert strategies.is_chief(strategy) == chief


def test_other_workers_write_apart():
  assert strategies.write_path("a", _worker("worker", 1, chief=False)) == "a/workertemp_1"
