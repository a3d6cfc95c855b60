"""Tests of the batches of towers: targets, order, decoding."""

import numpy as np
import pytest

from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import stream as stream_lib


def _first(dataset, n=1):
  return [{name: value.numpy() for name, value in batch.items()} for batch in dataset.take(n)]


def test_a_batch_has_pictures_and_targets_of_one_tower_each(towers):
  batch = _first(stream_lib.in_order(towers, 6))[0]
  assert batch["image"].shape == (6, 64, 64, 3) and batch["image"].dtype == np.float32
  assert 0 <= batch["image"].min() and batch["image"].max() <= 1
  assert batch["masks"].shape == (6, 56, 56, 4) and batch["ids"].shape == (6, 64, 64)
  np.testing.assert_array_equal(batch["fall"], towers.fall[:6])
  np.testing.assert_array_equal(batch["poses"], towers.poses[:6])


def test_segments_are_the_colours_of_the_places(towers):
  batch = _first(stream_lib.in_order(towers, 12))[0]
  for row in range(12):
    for place in range(4):
      seen = batch["ids"][row] == place + 1
      if seen.any():
        assert (batch["segments"][row][seen] == towers.color_class[row, place]).all()
    assert (batch["segments"][row][batch["ids"][row] == 0] == 0).all()


def test_boxes_enclose_what_is_seen(towers):
  batch = _first(stream_lib.in_order(towers, 12))[0]
  for row in range(12):
    for place in np.flatnonzero(batch["present"][row]):
      ys, xs = np.nonzero(batch["ids"][row] == place + 1)
      found = np.array([ys.min(), xs.min(), ys.max() + 1, xs.max() + 1]) / 64
      np.testing.assert_allclose(batch["boxes"][row, place], found, atol=1e-6)


def test_a_batch_is_a_function_of_seed_and_step(towers):
  batches = stream_lib.batches(towers, 8, seed=3)
  straight, resumed = _first(batches(0), 5), _first(batches(3), 2)
  for a, b in zip(straight[3:], resumed):
    np.testing.assert_array_equal(a["image"], b["image"])
  other = _first(stream_lib.batches(towers, 8, seed=4)(0))[0]
  assert (other["image"] != straight[0]["image"]).any()


def test_each_tower_is_met_once_a_turn(towers):
  margins = np.concatenate([b["margin"] for b in _first(stream_lib.batches(towers, 12, 0)(0), 4)])
  np.testing.assert_array_equal(np.sort(margins), np.sort(towers.margin))


def test_the_last_batch_in_order_may_be_short(towers):
  assert [len(b["fall"]) for b in _first(stream_lib.in_order(towers, 20), 5)] == [20, 20, 8]


def test_a_batch_larger_than_the_set_is_refused(towers):
  with pytest.raises(ValueError, match="batch_size is 49, but there are 48 towers"):
    stream_lib.batches(towers, 49, 0)


def test_a_stream_is_made_on_first_use_and_read_after(tmp_path):
  stream = stream_lib.Stream("towers_tiny", "test", 8, str(tmp_path))
  first = stream.load()
  arrays.load_split.cache_clear()
  again = stream.load()
  assert len(first) == 8
  np.testing.assert_array_equal(first.images, again.images)
  np.testing.assert_array_equal(first.poses, again.poses)
  assert len(stream_lib.Stream("towers_tiny", "train", None, str(tmp_path)).load()) == 64
  with pytest.raises(ValueError, match="n is 33, but the split test of towers_tiny has 32"):
    stream_lib.Stream("towers_tiny", "test", 33, str(tmp_path)).load()


def test_a_batch_has_the_camera_and_further_targets_of_the_same_towers(towers):
  number = np.arange(48, dtype=np.float32)
  batch = _first(stream_lib.batches(towers, 8, 0, number=number)(0))[0]
  rows = batch["number"].astype(int)
  assert len(set(rows)) == 8
  np.testing.assert_array_equal(batch["camera"], towers.camera[rows])
  np.testing.assert_array_equal(batch["poses"], towers.poses[rows])


def test_light_of_a_stream_is_that_of_its_towers():
  whole = stream_lib.Stream("towers_tiny", "test").light()
  assert whole.shape == (32, 4)
  np.testing.assert_array_equal(stream_lib.Stream("towers_tiny", "test", 5).light(), whole[:5])
  expected = arrays.light_numbers(arrays.scenes_of("towers_tiny", "test"))
  np.testing.assert_array_equal(whole, expected)


@pytest.mark.parametrize("settings, message", [
    ({"config": "towers_63"}, "no config 'towers_63'.*towers_64"),
    ({"config": "towers_64", "split": "tests"}, "no split 'tests'.*train"),
    ({"config": "towers_demo", "split": "validation"},
     "no split 'validation'; it has train, test"),
])
def test_an_unknown_config_or_split_is_told_with_the_known_ones(settings, message, tmp_path):
  with pytest.raises(ValueError, match=message):
    stream_lib.Stream(**{"data_dir": str(tmp_path), **settings}).load()


def test_a_stream_needs_a_tower():
  with pytest.raises(ValueError, match="n is 0"):
    stream_lib.Stream(n=0)
