"""Every method under `mirrored`: the step of one device with the same global batch.

Each case is a shipped tiny config with its own data, trained for a step of each stage on one device
and on all of this process: 2, and 4 in a process of their own, since TensorFlow takes its number of
devices once and two strategies of one process number their collectives alike. What each replica
draws for its own rows is off, or taken from one table; docs/scale.md says what can't be exact. SGD
is in place of the methods' optimizers: Adam's first step is the sign of a gradient, which rounding
turns where it is small.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from garden.core import config
from garden.core import replicas
from garden.core import run as run_lib
from garden.core import strategies
from garden.vda import proposals


def _bound(owner, *bindings):
  return tuple(f"{owner}.{binding}" for binding in bindings)


def _plain_views(recipe):
  return _bound(recipe, "flip = False", "gain = 0.0", "offset = 0.0", "noise = 0.0")


_VDA = (*_plain_views("vda.Recipe"), *_bound(
  "vda.Recipe", "repaint = 0.0", "texture = 0.0", "box_noise = 0.0", "proposal_share = 1.0"))
_VDA_FULL = (
  *_VDA, *_bound("vda.Towers", "stage = 'full'", "target = @target/towers.Stream()",
                 "target_batch_size = 4"),
  *_bound("target/towers.Stream", "config = 'towers_tiny'", "split = 'train'"))

#: Gin file and bindings. Those of `_SLOW` take a minute or more to trace.
_QUICK = {
  "autoencoders": ("subspace/digits_label_free.gin", (
    "PER_CLASS = 4", "FIRST_CLASS = 0", "subspace.LabelFree.autoencoders = 2",
    "subspace.Pretraining.batch_size = 20",
    *_bound("subspace.Network", "kernels = (3,)", "channels = (2,)"))),
  "matching": ("transfer/tiny.gin", (
    "transfer.Transfer.recipe = @transfer.Matching()",
    *_bound("transfer.Matching", "shots = 2", "queries = 2"))),
  "mme": ("transfer/tiny.gin", ("transfer.Transfer.recipe = @transfer.MinimaxEntropy()",)),
}
_SLOW = {
  "dsc": ("subspace/tiny.gin", ()),
  "transfer": ("transfer/tiny.gin", _bound("transfer.Recipe", "warm_up = 0",
                                           "pseudo_threshold = 0.2")),
  "transfer_with_source": ("transfer/tiny.gin", _bound("transfer.Recipe", "warm_up = 0",
                                                       "train_source = True")),
  "physnet": ("physnet/tiny.gin", (*_plain_views("physnet.Recipe"), *_bound(
    "physnet.Recipe", "dice_weight = 0.5", "background_weight = 0.3", "margin_weight = 1.0",
    "pose_weight = 1.0"))),
  "windows": ("physnet/tiny.gin", (
    *_plain_views("physnet.Recipe"),
    *_bound("physnet.Recipe", "pose_weight = 2.0", "margin_weight = 2.0"),
    "physnet.BlockTowers.model = @physnet.Windows()",
    *_bound("physnet.Windows", "filters = (8, 8, 8)", "size = 32", "box_noise = 0.0",
            "segment_share = 1.0"))),
  "vda_init": ("vda/tiny.gin", _VDA),
  "vda_full": ("vda/tiny.gin", _VDA_FULL),
  "billiards": ("vda/billiards_tiny.gin", ("vda.BilliardsRecipe.track_noise = 0.0",)),
  "billiards_baseline": ("vda/billiards_tiny.gin", (
    "JOINT_STEPS = 0", "FULL_STEPS = 0", "vda.BilliardsRecipe.track_noise = 0.0",
    "vda.BilliardsScene.model = @vda.BilliardsBaselineNetwork()",
    *_bound("vda.BilliardsBaselineNetwork", "filters = (8, 8)", "units = 16",
            "dense_units = 16"))),
  "began": ("dagan/began_tiny.gin", ()),
  "dagan": ("dagan/tiny.gin", _bound("dagan.Recipe", "shift = 0", "balance = 'began'",
                                     "k_rate = 0.1", "k_start = 0.3")),
}


def _one_noise(model):
  """Draws BEGAN's noise as one device does, each replica its rows of it."""
  def noise(count, number):
    seed = tf.random.experimental.stateless_fold_in(model.step_seed(), number)
    shape = [count * replicas.count(), model.network.hidden]
    every = tf.random.stateless_uniform(shape, seed, -1.0, 1.0)
    return every[replicas.number() * count:][:count]
  model.noise = noise


def _trained(run, data, strategy):
  """Trains a step of each stage.

  Returns:
    `(variables, their values before, logs by stage)`; the running means of a log aren't among them.
  """
  tf.keras.utils.set_random_seed(0)
  model = run.build(strategy)
  means = {id(v) for metric in model.metrics for v in metric.variables}
  variables = [v for v in model.variables if id(v) not in means]
  before = [v.numpy().astype(np.float64) for v in variables]
  if hasattr(model, "noise") and callable(model.noise):
    _one_noise(model)
  with strategy.scope():
    if hasattr(model, "begun"):  # this stage goes on from weights of the one before
      model.begun.assign(("init", "joint", "full").index(data.stages[0].name))
    for name in model.optimizers():
      setattr(model, name, tf.keras.optimizers.SGD(0.05))
  logs = []
  for stage in data.stages:
    model.stage_name = stage.name
    model.make_train_function(force=True)
    with strategy.scope():
      model.begin_stage(stage.name)
      batches = strategies.deal(stage.batches(0), strategy) if isinstance(
        stage.batches(0), tf.data.Dataset) else stage.batches(0)
    logs.append(model.fit(batches, steps_per_epoch=1, verbose=0).history)
  return variables, before, logs


def _assert_replicas_make_the_step_of_one(method, monkeypatch):
  gin_file, bindings = {**_QUICK, **_SLOW}[method]
  for name in ("_SHIFT", "_SCALE"):  # of the squares that vda's proposals see
    monkeypatch.setattr(proposals, name, 0.0)
  config.load([gin_file], [*bindings, "Run.steps_per_execution = 1"])
  run = run_lib.Run()
  data = run.experiment.datasets()
  one, first, logs = _trained(run, data, strategies.get("one_device"))
  many, start, others = _trained(run, data, strategies.get("mirrored"))
  moved = 0
  for alone, shared, old, new in zip(one, many, first, start, strict=True):
    np.testing.assert_array_equal(old, new)
    values = [value.numpy() for value in shared.values]
    for value in values[1:]:
      np.testing.assert_array_equal(value, values[0], err_msg=f"{shared.name} of two replicas")
    finite = np.isfinite(old)  # a least value so far begins at infinity
    step = np.abs(alone.numpy()[finite] - old[finite]).max(initial=0.0)
    moved += step > 0
    # What batch norm keeps of a variance is divided by n - 1 on one device, whose kernel is fused,
    # and by n where it is synchronised.
    least = 2e-3 * np.abs(old).max() if "moving_variance" in alone.name else 1e-6
    np.testing.assert_allclose(values[0], alone.numpy(), rtol=0, atol=1e-3 * step + least,
                               err_msg=alone.name)
  assert moved > 2
  for stage, other in zip(logs, others, strict=True):
    assert stage.keys() == other.keys()
    for name, value in stage.items():
      np.testing.assert_allclose(other[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("method", _QUICK)
def test_replicas_make_the_step_of_one_device(method, monkeypatch):
  _assert_replicas_make_the_step_of_one(method, monkeypatch)


@pytest.mark.torture
@pytest.mark.parametrize("method", _SLOW)
def test_replicas_of_a_large_method_make_the_step_of_one_device(method, monkeypatch):
  _assert_replicas_make_the_step_of_one(method, monkeypatch)


@pytest.mark.torture
@pytest.mark.skipif("GARDEN_TEST_DEVICES" in os.environ, reason="this is the inner process")
def test_four_replicas_make_the_step_of_one_device():
  done = subprocess.run(
    [sys.executable, "-m", "pytest", "-q", "-m", "torture or not torture", __file__],
    env={**os.environ, "GARDEN_TEST_DEVICES": "4"}, capture_output=True, text=True)
  assert done.returncode == 0, done.stdout[-4000:]
  assert f"{len(_QUICK) + len(_SLOW)} passed, 1 skipped" in done.stdout
