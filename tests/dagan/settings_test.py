"""Tests of settings: what is refused, and that the defaults stand."""

import pytest

from garden.dagan import settings


def test_the_defaults_are_the_papers_switches():
  recipe = settings.Recipe()
  assert (recipe.balance, recipe.identity_on, recipe.mask) == ("began", "both", "none")
  assert (recipe.gamma, recipe.k_rate, recipe.k_start, recipe.margin) == (0.5, 1e-3, 0.0, 0.0)
  assert (recipe.identity_weight, recipe.pixel_weight) == (0.1, 0.3)


@pytest.mark.parametrize("field, value, message", [
    ("balance", "wasserstein", "balance is 'wasserstein'; it must be one of began, constant"),
    ("identity_on", "refined", "identity_on is 'refined'"), ("mask", "face", "mask is 'face'"),
    ("generator_form", "hinge", "generator_form is 'hinge'"),
    ("identity_form", "arc", "identity_form is 'arc'"), ("gamma", 0.0, "gamma is 0.0"),
    ("gamma", 1.5, "gamma is 1.5 and margin 0.0; a gamma above 1 needs a margin above it"),
    ("margin_on", "face", "margin_on is 'face'"), ("k_start", 2.0, "k_start is 2.0"),
    ("margin", -1, "margin"), ("warm_up", -1, "warm_up is -1"),
    ("stall_floor", 0, "stall_floor is 0"),
    ("learning_rate", 0.0, "learning_rate is 0.0"), ("tail", 1.5, "tail is 1.5")])
def test_recipes_out_of_range_are_refused(field, value, message):
  with pytest.raises(ValueError, match=message):
    settings.Recipe(**{field: value})


@pytest.mark.parametrize("field, value, message", [
    ("size", 33, "size is 33"), ("filters", 0, "filters is 0"),
    ("vanishing", -1, "vanishing is -1"),
    ("refiner", "unet", "refiner is 'unet'; it must be one of residual, hourglass")])
def test_networks_out_of_range_are_refused(field, value, message):
  with pytest.raises(ValueError, match=message):
    settings.Network(**{field: value})


def test_a_ratio_above_one_is_taken_below_the_margin_alone():
  assert settings.Recipe(gamma=1.6, margin=2.0).gamma == 1.6
  with pytest.raises(ValueError, match="gamma is 2.0 and margin 2.0"):
    settings.BEGANRecipe(gamma=2.0, margin=2.0)
