"""Tests of videos in memory: fields, places by colour, frames."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets.billiards import arrays
from garden.worlds.billiards import scene


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
  return arrays.load_split("billiards_tiny", "test", str(tmp_path_factory.mktemp("billiards")))


@pytest.fixture(scope="module")
def tables():
  # Seed 12 is that of the test split.
  return scene.sample(16, seed=12, distribution=scene.Distribution(counts=(2, 3)))


def test_places_are_colour_classes(videos, tables):
  assert len(videos) == 16 and videos.n_frames == 6 and videos.image_size == 32
  for video in range(16):
    for place in np.flatnonzero(tables.present[video]):
      home = tables.color_class[video, place] - 1
      assert videos.present[video, home]
      assert videos.radius[video, home] == tables.radius[video, place]
      for name in ("position", "velocity"):
        np.testing.assert_allclose(getattr(videos, name)[video, 0, home],
                                   getattr(tables, name)[video, place], atol=1e-6)
  np.testing.assert_array_equal(videos.present.sum(axis=1), tables.count)


def test_places_without_a_ball_are_zeros(videos):
  assert not videos.position[~np.repeat(videos.present[:, None], 6, axis=1)].any()
  assert not videos.radius[~videos.present].any()


def test_balls_are_seen_where_they_are_said_to_be(videos):
  frame = arrays.videos_of(videos, [3])[0, -1]
  for place in np.flatnonzero(videos.present[3]):
    x, y = videos.position[3, -1, place]
    seen = frame[int((1 - y) * 16), int((1 + x) * 16)]
    np.testing.assert_allclose(seen, scene.BASE_COLORS[place], atol=0.06)


def test_videos_of_decodes_as_many_frames_as_asked(videos):
  some = arrays.videos_of(videos, [5, 2], frames=4)
  assert some.shape == (2, 4, 32, 32, 3) and some.dtype == np.float32
  expected = tf.io.decode_png(videos.frames[2, 3]).numpy() / 255
  np.testing.assert_allclose(some[1, 3], expected, atol=1e-6)


def test_take_keeps_every_field_in_order(videos):
  some = videos.take(np.array([5, 2]))
  assert some.seconds == videos.seconds == 0.1
  for field in dataclasses.fields(videos):
    if field.name != "seconds":
      np.testing.assert_array_equal(getattr(some, field.name),
                                    getattr(videos, field.name)[[5, 2]])


@pytest.mark.parametrize("arguments, message", [
    (("billiards_63", "test"), "no config 'billiards_63'.*billiards_64"),
    (("billiards_64", "tests"), "no split 'tests'; it has train, validation, test")])
def test_an_unknown_config_or_split_is_told_with_the_known_ones(arguments, message, tmp_path):
  with pytest.raises(ValueError, match=message):
    arrays.load_split(*arguments, str(tmp_path))
