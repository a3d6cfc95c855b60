"""Tests of the metrics on states whose errors are known."""

import numpy as np
import pytest

from garden.vda import metrics
from garden.vda import state as state_lib
from garden.worlds.towers import scene


@pytest.fixture
def true():
  """Four towers of 3 blocks."""
  return state_lib.of_towers(scene.sample(4, seed=2, distribution=scene.Distribution(counts=(3,))))


def _moved(state, block, across, away, azimuth, turn=0.0):
  """The state with one block of each tower moved as the camera sees it, and turned."""
  position = state["position"].astype(np.float64)
  position[:, block, 0] += -np.sin(azimuth) * across - np.cos(azimuth) * away
  position[:, block, 1] += np.cos(azimuth) * across - np.sin(azimuth) * away
  yaw = scene.yaw_of(state["rotation"])
  yaw[:, block] += turn
  return {**state, "position": position, "rotation": scene.yaw_quaternion(yaw)}


def test_errors_are_by_direction_of_the_camera(true):
  azimuth = np.array([0.0, 1.0, -2.0, 3.0])
  found = metrics.pose_errors(_moved(true, 1, 0.1, -0.3, azimuth), true, azimuth)
  np.testing.assert_allclose(found["position_error"][:, 1], 0.1, atol=1e-6)
  np.testing.assert_allclose(found["depth_error"][:, 1], 0.3, atol=1e-6)
  np.testing.assert_allclose(found["position_error"][:, 2], 0.0, atol=1e-6)
  assert np.isnan(found["position_error"][:, 0]).all()


def test_a_tower_moved_as_a_whole_has_no_error(true):
  shifted = {**true, "position": true["position"] + np.float32([3.0, -2.0, 0.0])}
  found = metrics.pose_errors(shifted, true, np.zeros(4))
  assert np.nanmax(found["position_error"]) < 1e-5 and np.nanmax(found["depth_error"]) < 1e-5


@pytest.mark.parametrize("turn, degrees", [(0.1, 5.7296), (np.pi / 2 + 0.1, 5.7296), (np.pi, 0.0)])
def test_yaw_is_modulo_a_quarter_turn(true, turn, degrees):
  found = metrics.pose_errors(_moved(true, 2, 0.0, 0.0, np.zeros(4), turn), true, np.zeros(4))
  np.testing.assert_allclose(found["yaw_error"][:, 2], degrees, atol=1e-3)
  np.testing.assert_allclose(found["yaw_error"][:, 0], 0.0, atol=1e-4)


def test_towers_with_another_count_have_no_errors(true):
  present = true["present"].copy()
  present[1, 2] = False
  found = {**true, "present": present}
  assert metrics.counted(found, true).tolist() == [True, False, True, True]
  errors = metrics.pose_errors(found, true, np.zeros(4))
  assert np.isnan(errors["yaw_error"][1]).all() and np.isfinite(errors["yaw_error"][0]).all()


def test_states_of_other_shapes_are_refused(true):
  few = {name: value[:2] for name, value in true.items()}
  with pytest.raises(ValueError, match=r"positions are \(2, 3, 3\) and \(4, 3, 3\)"):
    metrics.pose_errors(few, true, np.zeros(4))


def test_a_tower_is_told_to_fall_by_the_sign_of_its_margin():
  found = {"margin": np.array([0.1, -0.1, 0.1, -0.1, 0.0])}
  right = metrics.told_right(found, np.array([0, 1, 1, 0, 1]))
  assert right.dtype == bool and right.tolist() == [True, True, False, False, True]


def test_the_paired_test_knows_luck_from_skill():
  base = np.arange(100) < 60
  better = base.copy()
  better[60:80] = True
  difference, p = metrics.paired_test(better, base)
  assert difference == pytest.approx(0.2) and p < 1e-4
  mixed = base.copy()
  mixed[55:65] = ~mixed[55:65]
  assert metrics.paired_test(mixed, base) == (pytest.approx(0.0), pytest.approx(1.0))
  assert metrics.paired_test(base, base) == (0.0, 1.0)
