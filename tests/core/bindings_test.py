"""Tests of the kinds of what a config binds."""

import pytest

from garden.core import config

_TINY = ["transfer/tiny.gin"]


@pytest.mark.parametrize("name", [n for n in config.shipped() if n.endswith("tiny.gin")])
def test_a_shipped_config_has_values_of_the_right_kinds(name):
  assert config.load([name])


@pytest.mark.parametrize(
  "binding",
  [
    "Run.ema_decay = None",
    "Run.ema_decay = 0.5",
    "Run.profile_steps = [1, 2]",
    "transfer.Recipe.gamma = 1",  # a whole number is a number
    "transfer.Recipe.hidden = []",
    "transfer.Recipe.layers = 'a'",
    "transfer.Recipe.layers = ('a', 'b')",
    "transfer.Streams.test = None",
    "SEED = 3",
    "A = 3\nSEED = %A",
  ],
)
def test_a_value_of_the_right_kind_passes(binding):
  assert config.load(_TINY, [binding])


@pytest.mark.parametrize(
  ("binding", "message"),
  [
    ("Run.ema_decay = (1, 2)", "Run.ema_decay is (1, 2); it must be a number or None"),
    ("Run.seed = 1.0", "Run.seed is 1.0; it must be a whole number"),
    ("Run.seed = True", "Run.seed is True; it must be a whole number"),
    ("Run.tensorboard = 1", "Run.tensorboard is 1; it must be True or False"),
    ("Run.profile_steps = (1, None)", "it must be a list, each a whole number or None"),
    ("Run.best_mode = @Run()", "Run.best_mode is @Run(); it must be a string"),
    ("transfer.Recipe.gamma = 1j", "transfer.Recipe.gamma is 1j; it must be a number"),
    ("transfer.Network.channels = 20", "it must be a list, each a whole number"),
    ("transfer.Transfer.seed = ('a', 'b')", "transfer.Transfer.seed is ('a', 'b')"),
    ("SEED = 'x'", ".seed is 'x'; it must be a whole number"),
    ("A = 'x'\nSEED = %A", ".seed is 'x'; it must be a whole number"),
    ("A = %SEED\nSEED = %A", "stands for itself; give it a value"),
    ("test/transfer.Domain.padding = ''", "test/transfer.Domain.padding is ''"),
    ("transfer.Streams.test = 0", "it must be one like @transfer.Domain() or None"),
    ("transfer.Streams.test = @transfer.Network()", "is @transfer.Network(); it must be one like"),
    ("transfer.Transfer.recipe = @transfer.Recipe", "is @transfer.Recipe; it must be one like"),
    ("Run.experiment = 3", "Run.experiment is 3; it must be one like @"),
  ],
)
def test_a_value_of_another_kind_is_told_with_what_it_must_be(binding, message):
  with pytest.raises(ValueError) as caught:
    config.load(_TINY, [binding])
  assert message in str(caught.value)
