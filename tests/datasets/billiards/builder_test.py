"""Tests of the set of billiards: videos show what the states say, and numbers decide."""

import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds

from garden.datasets.billiards import billiards_dataset_builder as billiards

_TINY = billiards.Builder.BUILDER_CONFIGS[1]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
  builder = billiards.Builder(config="billiards_tiny",
                              data_dir=tmp_path_factory.mktemp("billiards"))
  builder.download_and_prepare()
  return builder


def test_the_set_has_its_splits_in_the_order_of_numbers(prepared):
  assert {name: split.num_examples for name, split in prepared.info.splits.items()} == _TINY.videos
  rows = list(tfds.as_numpy(prepared.as_dataset(split="test", shuffle_files=False)))
  assert [row["index"] for row in rows] == list(range(16))
  assert rows[0]["video"].shape == (6, 32, 32, 3) and rows[0]["video"].dtype == np.uint8


def test_what_is_read_is_what_was_made(prepared):
  read = list(tfds.as_numpy(prepared.as_dataset(split="validation", shuffle_files=False)))
  for made, row in zip(billiards.make(_TINY, seed=1, n=3), read):
    for name, value in made.items():
      np.testing.assert_array_equal(value, row[name], err_msg=name)


def test_a_video_is_the_same_in_any_batch():
  many = billiards.make(_TINY, seed=5, n=4)
  alone, = billiards.make(_TINY, seed=5, n=1, first=2)
  for name, value in alone.items():
    np.testing.assert_array_equal(value, many[2][name], err_msg=name)


def test_frames_show_the_balls_where_the_states_say():
  config = dataclasses.replace(_TINY, image_size=100)
  for row in billiards.make(config, seed=0, n=4):
    for t in (0, 5):
      for b in range(row["count"]):
        x, y = row["position"][t, b]
        pixel = row["video"][t, int((1.0 - y) * 50), int((1.0 + x) * 50)].astype(int)
        cloth = row["video"][t, 0, 0].astype(int)
        assert np.abs(pixel - cloth).max() > 60


def test_velocities_are_the_slopes_of_positions_away_from_collisions():
  config = dataclasses.replace(_TINY, frame_seconds=0.01)
  row = billiards.make(config, seed=0, n=1)[0]
  slope = np.diff(row["position"], axis=0) / 0.01
  steady = np.abs(np.diff(row["velocity"], axis=0)).max(axis=-1) < 1e-6
  assert steady.sum() > 5
  np.testing.assert_allclose(slope[steady], row["velocity"][:-1][steady], atol=1e-3)


@pytest.mark.parametrize("field, value, message", [
    ("image_size", 8, "image_size is 8; .* 16..512"), ("frames", 0, "frames is 0"),
    ("frame_seconds", 0.003, "frame_seconds is 0.003; .* multiple of 0.002 s"),
    ("frame_seconds", 0.0, "frame_seconds is 0.0"),
    ("videos", {"train": -1}, "videos of train is -1"),
    ("videos", {"more": 4}, "videos are .*; give one or more to the splits train, validation"),
    ("videos", {"train": 0}, "videos are .*; give one or more")])
def test_fields_outside_their_range_are_refused(field, value, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(_TINY, **{field: value})
