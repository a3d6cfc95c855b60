"""Tests of the billiards' settings: what is refused, how the learning rate goes."""

import numpy as np
import pytest
import tensorflow as tf

from garden.vda import billiards_settings as settings


@pytest.mark.parametrize("kind, changes, message", [
    ("BilliardsNetwork", {"seen": 1}, "seen is 1; .* at least 2"),
    ("BilliardsNetwork", {"units": 0}, "units is 0"),
    ("BilliardsNetwork", {"engine_units": 1.5}, "engine_units is 1.5"),
    ("BilliardsNetwork", {"substeps": 0}, "substeps is 0"),
    ("BilliardsNetwork", {"reach": 0.0}, "reach is 0.0; .* above 0"),
    ("BilliardsNetwork", {"softness": -1}, "softness is -1"),
    ("BilliardsBaselineNetwork", {"seen": 1}, "seen is 1; .* at least 2"),
    ("BilliardsBaselineNetwork", {"units": 0}, "units is 0"),
    ("BilliardsBaselineNetwork", {"dense_units": 0}, "dense_units is 0"),
    ("BilliardsBaselineNetwork", {"layers": 0}, "layers is 0"),
    ("BilliardsRecipe", {"batch_size": 0}, "batch_size is 0"),
    ("BilliardsRecipe", {"states_batch_size": 2.5}, "states_batch_size is 2.5"),
    ("BilliardsRecipe", {"horizon": 0}, "horizon is 0"),
    ("BilliardsRecipe", {"future": 0}, "future is 0"),
    ("BilliardsRecipe", {"warm_up": -1}, "warm_up is -1"),
    ("BilliardsRecipe", {"collision_weight": -1}, "collision_weight is -1"),
    ("BilliardsRecipe", {"track_noise": float("nan")}, "track_noise is nan"),
    ("BilliardsRecipe", {"position_weight": -0.1}, "position_weight is -0.1"),
    ("BilliardsRecipe", {"learning_rate": 0.0}, "learning_rate is 0.0; .* above 0"),
    ("BilliardsRecipe", {"adapt_rate": 0}, "adapt_rate is 0; .* above 0"),
    ("BilliardsRecipe", {"clip_norm": 0}, "clip_norm is 0; .* above 0"),
], ids=str)
def test_a_setting_out_of_its_range_is_refused_by_name(kind, changes, message):
  with pytest.raises(ValueError, match="^" + message):
    getattr(settings, kind)(**changes)


def _rates(steps, peaks, warm_up=10):
  rate = settings.StagedCosine(steps, peaks, warm_up)
  return np.array([float(rate(step)) for step in range(sum(steps) + 1)])


def test_each_stage_rises_and_falls_to_0():
  rates = _rates((40, 20), (0.1, 0.01))
  assert rates[:40].argmax() == 10 and rates[10] == pytest.approx(0.1, rel=1e-3)
  assert rates[39] < 0.01 * 0.1 and rates[40] < 0.01 * 0.2
  assert rates[40:60].max() == pytest.approx(0.01, rel=1e-3) and rates[50] == rates[40:].max()
  assert rates[60] == 0.0
  assert (rates[:60] > 0).all()


def test_a_stage_without_steps_is_passed_over():
  np.testing.assert_array_equal(_rates((0, 20), (0.1, 0.01)), _rates((20,), (0.01,)))


def test_a_single_step_has_a_rate():
  assert _rates((1,), (0.1,))[0] > 0


def test_a_schedule_made_from_its_config_is_the_same():
  rate = settings.StagedCosine((40, 20), (0.1, 0.01), 10)
  again = tf.keras.optimizers.schedules.deserialize(
      tf.keras.optimizers.schedules.serialize(rate))
  assert float(again(45)) == float(rate(45))


@pytest.mark.parametrize("steps, peaks", [((10,), (0.1, 0.1)), ((0, 0), (0.1, 0.1))])
def test_stages_without_a_peak_or_a_step_are_refused(steps, peaks):
  with pytest.raises(ValueError, match="give each stage both"):
    settings.StagedCosine(steps, peaks)


def test_the_recipes_rates_reach_the_optimizer():
  optimizer = settings.BilliardsRecipe(learning_rate=0.1, adapt_rate=0.01, warm_up=0).optimizer(
      (10, 10, 10))
  rate = optimizer._learning_rate  # `learning_rate` is that of the last step taken
  for step, peak in ((0, 0.1), (10, 0.01), (20, 0.005)):
    assert float(rate(step)) == pytest.approx(peak)
