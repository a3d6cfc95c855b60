"""Tests of the batches of the stages: what is in them, what is kept out, order by the seed."""

import numpy as np
import pytest

from garden.datasets.block_towers import arrays
from garden.vda import data

_LIGHT = np.arange(48 * 4, dtype=np.float32).reshape(48, 4)


def _first(batches, first=0, n=1):
  return list(batches(first).take(n).as_numpy_iterator())


def _batches(towers, test_towers, stage, seed=0):
  return data.batches(towers, _LIGHT, 6, seed, stage,
                      None if stage == "init" else test_towers, 4)


@pytest.mark.parametrize("stage, fields", [
    ("init", None), ("joint", {"image", "camera"}), ("full", {"image", "camera", "fall"})])
def test_a_stage_sees_no_more_of_its_target_than_it_may(towers, test_towers, stage, fields):
  batch = _first(_batches(towers, test_towers, stage))[0]
  assert set(batch) == ({"source"} if fields is None else {"source", "target"})
  if fields is not None:
    assert set(batch["target"]) == fields
    assert {len(value) for value in batch["target"].values()} == {4}


def test_simulated_scenes_come_with_their_state_and_their_own_light(towers, test_towers):
  source = _first(_batches(towers, test_towers, "joint"))[0]["source"]
  assert {"image", "camera", "boxes", "present", "poses", "valid", "segments", "light"} <= set(
      source)
  assert {len(value) for value in source.values()} == {6}
  # Which towers these are, by their cameras.
  rows = [int(np.flatnonzero((towers.camera == camera).all(axis=1))[0])
          for camera in source["camera"]]
  assert len(set(rows)) == 6
  np.testing.assert_array_equal(source["light"], _LIGHT[rows])
  np.testing.assert_array_equal(source["poses"], towers.poses[rows])


def test_images_of_a_target_are_its_own(towers, test_towers):
  target = _first(_batches(towers, test_towers, "full"))[0]["target"]
  rows = [int(np.flatnonzero((test_towers.camera == camera).all(axis=1))[0])
          for camera in target["camera"]]
  np.testing.assert_allclose(target["image"], arrays.images_of(test_towers, rows), atol=1e-6)
  np.testing.assert_array_equal(target["fall"], test_towers.fall[rows])


@pytest.mark.parametrize("stage", ["init", "full"])
def test_a_batch_is_a_function_of_seed_and_step(towers, test_towers, stage):
  batches = _batches(towers, test_towers, stage)
  straight, resumed = _first(batches, n=4)[2:], _first(batches, first=2, n=2)
  for a, b in zip(straight, resumed):
    for part in a:
      for name, value in a[part].items():
        np.testing.assert_array_equal(value, b[part][name], err_msg=f"{part} {name}")
  other = _first(_batches(towers, test_towers, stage, seed=1))[0]
  assert (other["source"]["image"] != _first(batches)[0]["source"]["image"]).any()


def test_simulated_scenes_are_the_same_in_every_stage(towers, test_towers):
  a, b = (_first(_batches(towers, test_towers, stage))[0]["source"]["camera"]
          for stage in ("init", "full"))
  np.testing.assert_array_equal(a, b)


def test_source_and_target_are_in_orders_of_their_own(towers):
  batch = _first(data.batches(towers, _LIGHT, 8, 0, "joint", towers, 8))[0]
  assert (batch["source"]["camera"] != batch["target"]["camera"]).any()


def test_a_batch_larger_than_its_towers_is_refused(towers, test_towers):
  with pytest.raises(ValueError, match="batch_size is 25, but there are 24 towers"):
    data.batches(towers, _LIGHT, 6, 0, "joint", test_towers, 25)
