"""Tests of what refinement is worth: coarse starts, batches, gains."""

import numpy as np
import pytest

from garden.vda import metrics
from garden.vda import refine
from garden.vda import trials


@pytest.fixture(scope="module")
def known(towers):
  few = towers.take(np.arange(3))
  true = {"present": few.present, "position": few.position[:, 0], "rotation": few.rotation[:, 0],
          "size": np.full([*few.present.shape, 3], 0.5, np.float32)}
  return few, true


def test_a_coarse_start_is_off_by_its_noise_and_a_function_of_the_seed(towers):
  true = {"present": towers.present, "position": towers.position[:, 0],
          "rotation": towers.rotation[:, 0],
          "size": np.full([*towers.present.shape, 3], 0.5, np.float32)}
  start, again, other = (trials.coarse(true, towers.boxes, towers.camera, seed)
                         for seed in (0, 0, 1))
  np.testing.assert_array_equal(start["position"], again["position"])
  assert (start["position"] != other["position"]).any()
  errors = metrics.pose_errors(start, true, towers.camera[:, 0])
  # Mean of |normal|, and of sums of neighbours' offsets.
  assert 0.03 < np.nanmean(errors["position_error"]) < 0.09
  assert 0.09 < np.nanmean(errors["depth_error"]) < 0.27
  assert 5.0 < np.nanmean(errors["yaw_error"]) < 9.0


def test_refined_states_have_a_margin_each_and_no_greater_error(known):
  few, true = known
  start = trials.coarse(true, few.boxes, few.camera)
  images = np.full([3, 64, 64, 3], 0.5, np.float32)
  found = trials.refined(refine.Refinement(size=(24, 16), softness=(1.0,)),
                         {**start, "light": np.zeros([3, 4], np.float32)}, images, few.camera)
  assert found["margin"].shape == (3,) and found["position"].shape == true["position"].shape
  assert (found["reconstruction_error"] <= found["error_before"]).all()


def test_the_gain_is_after_minus_before():
  fall = np.array([1, 1, 0, 0])
  assert trials.gain({"margin": np.array([-1.0, -1, 1, 1])}, {"margin": np.array([-1.0, 1, 1, 1])},
                     fall) == pytest.approx(0.25)
