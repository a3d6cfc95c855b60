"""Tests of the settings: what is refused by name, and the optimizer."""

import dataclasses

import pytest
import tensorflow as tf

from garden.datasets.block_towers import views
from garden.vda import settings

_NAN = float("nan")


@pytest.mark.parametrize("kind, changes, message", [
    ("Network", {"size": 15}, "size is 15; .* at least 16"),
    ("Network", {"size": 32.0}, "size is 32.0"),
    ("Network", {"proposal_size": 8}, "proposal_size is 8; .* at least 16"),
    ("Network", {"picture_size": 8}, "picture_size is 8; .* at least 16"),
    ("Network", {"places": 1}, "places is 1; .* at least 2"),
    ("Network", {"pixels_per_block": 0}, "pixels_per_block is 0; .* above 0"),
    ("Network", {"softness": 0.0}, "softness is 0.0; .* above 0"),
    ("Network", {"softness": "1"}, "softness is '1'"),
    ("Network", {"scale": -0.1}, "scale is -0.1; .* above 0"),
    ("Network", {"scale": _NAN}, "scale is nan"),
    ("Recipe", {"learning_rate": 0.0}, "learning_rate is 0.0; .* above 0"),
    ("Recipe", {"learning_rate": _NAN}, "learning_rate is nan"),
    ("Recipe", {"clip_norm": 0}, "clip_norm is 0; .* above 0"),
    ("Recipe", {"sigma": 0.0}, "sigma is 0.0; .* above 0"),
    ("Recipe", {"warm_up": -1}, "warm_up is -1; .* at least 0"),
    ("Recipe", {"warm_up": 1.5}, "warm_up is 1.5"),
    ("Recipe", {"samples": 1}, "samples is 1; .* at least 2"),
    ("Recipe", {"proposal_share": 0.0}, "proposal_share is 0.0; .* above 0"),
    ("Recipe", {"proposal_share": 1.1}, "proposal_share is 1.1; .* at most 1"),
    ("Recipe", {"pose_weight": -1}, "pose_weight is -1"),
    ("Recipe", {"proposal_weight": None}, "proposal_weight is None"),
    ("Recipe", {"around_weight": _NAN}, "around_weight is nan"),
    ("Recipe", {"box_noise": -0.01}, "box_noise is -0.01"),
    ("Recipe", {"reconstruction_weight": "10"}, "reconstruction_weight is '10'"),
    ("Recipe", {"completion_weight": -0.3}, "completion_weight is -0.3"),
    ("Recipe", {"physics_weight": True}, "physics_weight is True"),
    ("Recipe", {"weight_decay": -1e-3}, "weight_decay is -0.001"),
    ("Recipe", {"reconstruction": "mujoco"},
     "reconstruction is 'mujoco'; .* engine, reinforce"),
    ("Recipe", {"physics": None}, "physics is None; .* engine, reinforce"),
    ("Recipe", {"gain": -0.1}, "gain is -0.1"),
    ("Recipe", {"background": 1.1}, "background is 1.1; .* at most 1"),
], ids=str)
def test_a_setting_out_of_its_range_is_refused_by_name(kind, changes, message):
  with pytest.raises(ValueError, match="^" + message):
    getattr(settings, kind)(**changes)


def test_a_recipe_is_one_of_views_too():
  recipe = settings.Recipe(repaint=1.0, background=0.8)
  assert isinstance(recipe, views.Recipe) and recipe.repaint == 1.0
  names = [field.name for field in dataclasses.fields(recipe)]
  assert len(names) == len(set(names))


def test_the_optimizer_follows_the_recipe():
  optimizer = settings.Recipe(learning_rate=0.01, warm_up=20, weight_decay=0.3).optimizer(100)
  assert isinstance(optimizer, tf.keras.optimizers.AdamW) and optimizer.weight_decay == 0.3
  rate = optimizer._learning_rate
  assert float(rate(20)) == pytest.approx(0.01) and float(rate(100)) == pytest.approx(0, abs=1e-9)


def test_settings_are_not_changed_by_accident():
  with pytest.raises(dataclasses.FrozenInstanceError):
    settings.Network().size = 32
