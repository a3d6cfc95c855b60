"""Tests of the settings: what is refused, and that the presets are those of the gin files."""

import dataclasses

import pytest

from garden.core import config
from garden.core import run as run_lib
from garden.transfer import networks
from garden.transfer import resnet
from garden.transfer import settings

_NAN = float("nan")


@pytest.mark.parametrize(("kind", "changes", "message"), [
  ("Network", {"backbone": "vgg"}, r"backbone is 'vgg'; it must be one of lenet, resnet"),
  ("Recipe", {"alpha": -0.1}, r"alpha is -0.1; it must be a number at least 0"),
  ("Recipe", {"alpha": "0.1"}, r"alpha is '0.1'"),
  ("Recipe", {"beta": _NAN}, r"beta is nan"),
  ("Recipe", {"beta": None}, r"beta is None"),
  ("Recipe", {"pseudo_weight": True}, r"pseudo_weight is True"),
  ("Recipe", {"warm_up": -1}, r"warm_up is -1; it must be a whole number of at least 0"),
  ("Recipe", {"warm_up": 2.0}, r"warm_up is 2.0"),
  ("Recipe", {"labeled_views": 0}, r"labeled_views is 0; .* at least 1"),
  ("Recipe", {"labeled_views": True}, r"labeled_views is True"),
  ("Recipe", {"pseudo_threshold": 1.0}, r"pseudo_threshold is 1.0; .* above 0 and below 1"),
  ("Recipe", {"pseudo_threshold": 0}, r"pseudo_threshold is 0"),
  ("Recipe", {"pseudo_decay": 1}, r"pseudo_decay is 1; .* above 0 and below 1"),
  ("Recipe", {"pseudo_decay": 0.0}, r"pseudo_decay is 0.0"),
  ("Recipe", {"pseudo_votes": "all"}, r"pseudo_votes is 'all'; .* head, prototypes, both"),
  ("Recipe", {"learning_rate": 0.0}, r"learning_rate is 0.0; .* above 0"),
  ("Recipe", {"source_learning_rate": -1}, r"source_learning_rate is -1"),
  ("Recipe", {"discriminator_learning_rate": 0}, r"discriminator_learning_rate is 0"),
  ("MinimaxEntropy", {"weight": -1.0}, r"weight is -1.0; .* at least 0"),
  ("MinimaxEntropy", {"temperature": 0.0}, r"temperature is 0.0; .* above 0"),
  ("MinimaxEntropy", {"labeled_views": 1.5}, r"labeled_views is 1.5"),
  ("MinimaxEntropy", {"learning_rate": _NAN}, r"learning_rate is nan"),
  ("MinimaxEntropy", {"source_learning_rate": 0}, r"source_learning_rate is 0"),
  ("Matching", {"shots": 0}, r"shots is 0; it must be a whole number of at least 1"),
  ("Matching", {"queries": 0.5}, r"queries is 0.5"),
  ("Matching", {"scale": 0}, r"scale is 0; .* above 0"),
  ("Matching", {"learning_rate": -1e-3}, r"learning_rate is -0.001"),
  ("Matching", {"source_learning_rate": "fast"}, r"source_learning_rate is 'fast'"),
], ids=str)  # fmt: skip
def test_a_setting_out_of_its_range_is_refused_by_name(kind, changes, message):
  with pytest.raises(ValueError, match="^" + message):
    getattr(settings, kind)(**changes)


@pytest.mark.parametrize(
  "changes",
  [{"alpha": 0}, {"beta": 0.0}, {"warm_up": 0}, {"labeled_views": 1}, {"pseudo_threshold": 0.99}],
  ids=str,
)
def test_the_ends_of_a_range_that_belong_to_it_are_taken(changes):
  recipe = dataclasses.asdict(settings.Recipe(**changes))
  assert changes.items() <= recipe.items()


def _recipe_of(name):
  config.load([f"transfer/{name}.gin"])
  return run_lib.Run().experiment.recipe


@pytest.mark.parametrize(
  ("name", "make"),
  [
    ("full_paper", settings.Recipe),
    ("full_stable", settings.Recipe.stable),
    ("fixmatch", settings.Recipe.fixmatch),
  ],
)
def test_a_preset_is_that_of_its_gin_file(name, make):
  assert dataclasses.asdict(_recipe_of(name)) == dataclasses.asdict(make())


@pytest.mark.parametrize("make", [settings.Recipe.stable, settings.Recipe.fixmatch])
def test_a_preset_may_be_changed(make):
  changes = {"alpha": 0.5, "labeled_views": 7, "learning_rate": 0.25}
  assert dataclasses.asdict(make(**changes)) == {**dataclasses.asdict(make()), **changes}


def test_a_preset_is_checked_like_any_recipe():
  with pytest.raises(ValueError, match="alpha is -1"):
    settings.Recipe.stable(alpha=-1)


def test_a_network_is_as_set():
  lenet = settings.Network(channels=(2, 3), units=7).build()
  assert isinstance(lenet, networks.LeNet) and (lenet.channels, lenet.units) == ((2, 3), 7)
  net = settings.Network("resnet", channels=(64, 8), blocks=(1, 3)).build()
  assert isinstance(net, resnet.ResNet) and (net.channels, net.blocks) == ((64, 8), (1, 3))


def test_each_build_is_a_network_of_its_own():
  network = settings.Network()
  assert network.build() is not network.build()
