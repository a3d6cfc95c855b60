"""Every method under `mirrored`: the step of one device with the same global batch.

Each case is a shipped tiny config with its own data, trained for one step of each stage. Draws that
each replica makes for its own rows are off, or taken from one table; what can't be exact is in
docs/scale.md. SGD in place of the methods' optimizers: Adam's first step is the sign of a gradient,
which rounding turns where it is small.
"""

import dataclasses
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from garden.core import config
from garden.core import replicas
from garden.core import run as run_lib
from garden.core import strategies

_PLAIN_VIEWS = ("flip = False", "gain = 0.0", "offset = 0.0", "noise = 0.0")


def _views(recipe, *more):
  return [f"{recipe}.{binding}" for binding in (*_PLAIN_VIEWS, *more)]


_TOWERS_TARGET = (
  "vda.Towers.target = @target/towers.Stream()", "target/towers.Stream.config = 'towers_tiny'",
  "target/towers.Stream.split = 'train'", "vda.Towers.target_batch_size = 4")
_VDA = _views("vda.Recipe", "repaint = 0.0", "texture = 0.0", "box_noise = 0.0",
              "proposal_share = 1.0")
_WINDOWS = [*_views("physnet.Recipe", "pose_weight = 2.0", "margin_weight = 2.0"),
            "physnet.BlockTowers.model = @physnet.Windows()", "physnet.Windows.filters = (8, 8, 8)",
            "physnet.Windows.size = 32", "physnet.Windows.box_noise = 0.0",
            "physnet.Windows.segment_share = 1.0"]
_DEEPMASK = [*_views("physnet.Recipe"), "Run.experiment = @physnet.Proposals()",
             "import garden.physnet.proposals_experiment"]

#: name -> gin file and bindings.
_METHODS = {
  "dsc": ("subspace/tiny.gin", ()),
  "autoencoders": ("subspace/digits_label_free.gin", (
    "PER_CLASS = 4", "FIRST_CLASS = 0", "subspace.LabelFree.autoencoders = 2",
    "subspace.Network.kernels = (3,)", "subspace.Network.channels = (2,)",
    "subspace.Pretraining.batch_size = 20")),
  "transfer": ("transfer/tiny.gin", ("transfer.Recipe.warm_up = 0",
                                     "transfer.Recipe.pseudo_threshold = 0.2")),
  "transfer_source_too": ("transfer/tiny.gin", (
    "transfer.Recipe.warm_up = 0", "transfer.Recipe.train_source = True")),
  "mme": ("transfer/tiny.gin", ("transfer.Transfer.recipe = @transfer.MinimaxEntropy()",)),
  "matching": ("transfer/tiny.gin", ("transfer.Transfer.recipe = @transfer.Matching()",
                                     "transfer.Matching.shots = 2",
                                     "transfer.Matching.queries = 2")),
  "physnet": ("physnet/tiny.gin", _views(
    "physnet.Recipe", "dice_weight = 0.5", "background_weight = 0.3", "margin_weight = 1.0",
    "pose_weight = 1.0")),
  "windows": ("physnet/tiny.gin", _WINDOWS),
  "vda_init": ("vda/tiny.gin", _VDA),
  "vda_full": ("vda/tiny.gin", [*_VDA, *_TOWERS_TARGET, "vda.Towers.stage = 'full'"]),
  "billiards": ("vda/billiards_tiny.gin", ("vda.BilliardsRecipe.track_noise = 0.0",)),
  "billiards_baseline": ("vda/billiards_tiny.gin", (
    "vda.BilliardsScene.model = @vda.BilliardsBaselineNetwork()",
    "vda.BilliardsBaselineNetwork.filters = (8, 8)", "vda.BilliardsBaselineNetwork.units = 16",
    "vda.BilliardsBaselineNetwork.dense_units = 16",
    "JOINT_STEPS = 0", "FULL_STEPS = 0",
    "vda.BilliardsRecipe.track_noise = 0.0")),
  "began": ("dagan/began_tiny.gin", ()),
  "dagan": ("dagan/tiny.gin", ("dagan.Recipe.shift = 0", "dagan.Recipe.balance = 'began'",
                               "dagan.Recipe.k_rate = 0.1")),
}


def _sgd(model, rate=0.05):
  """SGD for each of a model's optimizers."""
  for name in model.optimizers():
    setattr(model, name, tf.keras.optimizers.SGD(rate))


def _one_noise(model):
  """BEGAN's noise as one device would draw it, each replica its rows."""
  def noise(count, number):
    seed = tf.random.experimental.stateless_fold_in(model.step_seed(), number)
    every = tf.random.stateless_uniform(
      [count * replicas.count(), model.network.hidden], seed, -1.0, 1.0)
    return every[replicas.number() * count:][:count]
  model.noise = noise


def _trained(run, data, strategy, prepare=lambda model: None):
  """Values by name after a step of each stage, before them, and what was logged."""
  tf.keras.utils.set_random_seed(0)
  model = run.build(strategy)
  before = [v.numpy() for v in model.variables]
  with strategy.scope():
    _sgd(model)
  prepare(model)
  logs = []
  for stage in data.stages:
    model.stage_name = stage.name
    model.step.assign(0)
    with strategy.scope():
      if getattr(model, "begun", None) is None:
        model.begin_stage(stage.name)
      batches = stage.batches(0)
    model.make_train_function(force=True)
    logs.append(model.fit(batches, steps_per_epoch=1, verbose=0).history)
  return before, model.variables[:len(before)], logs


@pytest.mark.parametrize("method", _METHODS)
def test_replicas_make_the_step_of_one_device(method, monkeypatch):
  from garden.vda import proposals
  monkeypatch.setattr(proposals, "_SHIFT", 0.0)
  monkeypatch.setattr(proposals, "_SCALE", 0.0)
  gin_file, bindings = _METHODS[method]
  config.load([gin_file], [*bindings, "Run.steps_per_execution = 1"])
  run = run_lib.Run()
  data = run.experiment.datasets()
  prepare = _one_noise if method == "began" else lambda model: None
  first, one, logs = _trained(run, data, strategies.get("one_device"), prepare)
  start, many, others = _trained(run, data, strategies.get("mirrored"), prepare)
  moved = 0
  bad = []
  for old, new, alone, shared in zip(first, start, one, many, strict=True):
    np.testing.assert_array_equal(old, new)
    scale = np.abs(alone.numpy().astype(float) - old).max()
    moved += scale > 0
    off = np.abs(alone.numpy().astype(float) - shared.numpy()).max()
    if off > 1e-3 * scale + 1e-6:
      bad.append((alone.name, scale, off))
  print(method, moved, len(one))
  for stage, other in zip(logs, others, strict=True):
    for name in stage:
      if abs(stage[name][0] - other[name][0]) > 1e-4 * abs(stage[name][0]) + 1e-6:
        bad.append((name, stage[name], other[name]))
  assert not bad, "\n".join(map(str, bad[:25]))
  assert moved
