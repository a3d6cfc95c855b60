"""Tests of batches of clips and of states: views, order, windows, draws."""

import numpy as np
import pytest

from garden.datasets.billiards import arrays
from garden.datasets.billiards import stream as stream_lib
from garden.worlds.billiards import renderer


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
  return stream_lib.Stream("billiards_tiny", "train",
                           data_dir=str(tmp_path_factory.mktemp("billiards"))).load()


def _first(dataset, n=1):
  return [{name: value.numpy() for name, value in batch.items()} for batch in dataset.take(n)]


def test_a_clip_has_frames_and_states_of_one_video(videos):
  batch = _first(stream_lib.in_order(videos, 6))[0]
  assert batch["video"].shape == (6, 6, 32, 32, 3) and batch["video"].dtype == np.float32
  np.testing.assert_allclose(batch["video"], arrays.videos_of(videos, range(6)), atol=1e-6)
  for name in ("present", "radius", "position", "velocity"):
    np.testing.assert_array_equal(batch[name], getattr(videos, name)[:6])


@pytest.mark.parametrize("views", [False, True])
def test_views_of_pictures_and_of_states_are_the_same(videos, views):
  batch = _first(stream_lib.batches(videos, 24, 0, frames=2, views=views)(0))[0]
  for clip in range(24):
    there = batch["present"][clip]
    drawn = renderer.render({
        "present": there[None], "position": batch["position"][clip, 1][None],
        "radius": batch["radius"][clip][None], "color": np.ones([1, 4, 3], np.float32),
        "cloth_color": np.zeros([1, 3], np.float32)}, 32)["image"].numpy()[0, ..., 0]
    # The red of the cloth is at most .2; all balls but the blue one are redder.
    seen, middle = batch["video"][clip, 1], drawn > 0.99
    apart = np.abs(seen - np.median(seen[drawn < 0.01], axis=0)).max(axis=-1)
    assert apart[middle].min() > 0.15
    assert apart[drawn == 0].max() < 0.02


@pytest.mark.parametrize("kind", ["clips", "states"])
def test_a_batch_is_a_function_of_seed_and_step(videos, kind):
  make = {"clips": lambda seed: stream_lib.batches(videos, 8, seed, frames=3),
          "states": lambda seed: stream_lib.states(videos, 8, seed, frames=3)}[kind]
  straight, resumed = _first(make(3)(0), 5), _first(make(3)(3), 2)
  for a, b in zip(straight[3:], resumed):
    for name in a:
      np.testing.assert_array_equal(a[name], b[name])
  other = _first(make(4)(0))[0]
  assert (other["position"] != straight[0]["position"]).any()


def test_each_video_is_met_once_a_turn(videos):
  met = np.concatenate([np.abs(b["position"]).sum((1, 2, 3)) for b in _first(
      stream_lib.batches(videos, 12, 0)(0), 4)])
  np.testing.assert_allclose(np.sort(met), np.sort(np.abs(videos.position).sum((1, 2, 3))),
                             rtol=1e-5)


def test_the_last_batch_in_order_may_be_short(videos):
  batches = _first(stream_lib.in_order(videos, 20, frames=2), 5)
  assert [b["video"].shape[:2] for b in batches] == [(20, 2), (20, 2), (8, 2)]


def test_without_views_clips_are_as_they_are(videos):
  batch = _first(stream_lib.batches(videos, 24, 0, views=False)(0))[0]
  for clip in range(24):
    (video,) = np.flatnonzero((videos.position == batch["position"][clip]).all((1, 2, 3)))
    np.testing.assert_array_equal(batch["velocity"][clip], videos.velocity[video])
    np.testing.assert_allclose(batch["video"][clip], arrays.videos_of(videos, [video])[0],
                               atol=1e-6)


def test_only_as_many_pictures_as_asked_for_are_decoded(videos):
  whole = _first(stream_lib.batches(videos, 8, 0)(0))[0]
  some = _first(stream_lib.batches(videos, 8, 0, seen=2)(0))[0]
  np.testing.assert_array_equal(some["video"], whole["video"][:, :2])
  np.testing.assert_array_equal(some["position"], whole["position"])


@pytest.mark.parametrize("kind", ["clips", "states"])
def test_states_move_as_their_velocities_say_also_backwards(videos, kind):
  make = {"clips": lambda: stream_lib.batches(videos, 48, 0, frames=2),
          "states": lambda: stream_lib.states(videos, 64, 0, frames=2)}[kind]
  batch = _first(make()(0))[0]
  step = batch["position"][:, 1] - batch["position"][:, 0]
  straight = np.linalg.norm(batch["velocity"][:, 1] - batch["velocity"][:, 0], axis=-1) < 1e-3
  assert straight.sum() > 50
  np.testing.assert_allclose(step[straight], 0.1 * batch["velocity"][:, 0][straight], atol=2e-3)


def test_windows_in_which_balls_meet_are_drawn_more_often(videos):
  def share(weight):
    batch = _first(stream_lib.states(videos, 2000, 0, 3, collision_weight=weight)(0))[0]
    speed = np.linalg.norm(batch["velocity"], axis=-1)
    return (np.abs(np.diff(speed, axis=1)) > 0.05).any(axis=(1, 2)).mean()

  plain = share(0.0)
  assert 0.02 < plain < 0.5
  assert share(9.0) == pytest.approx(10 * plain / (1 + 9 * plain), rel=0.15)


def test_a_stream_takes_the_first_videos(videos, tmp_path):
  assert len(stream_lib.Stream("billiards_tiny", "test", 5, str(tmp_path)).load()) == 5
  with pytest.raises(ValueError, match="n is 17, but the split test of billiards_tiny has 16"):
    stream_lib.Stream("billiards_tiny", "test", 17, str(tmp_path)).load()


@pytest.mark.parametrize("call, message", [
    (lambda v: stream_lib.batches(v, 49, 0), "batch_size is 49, but there are 48 videos"),
    (lambda v: stream_lib.batches(v, 8, 0, frames=7), "frames is 7, but the videos have 6"),
    (lambda v: stream_lib.states(v, 8, 0, frames=1), "frames is 1"),
    (lambda v: stream_lib.states(v, 8, 0, 2, collision_weight=-1), "collision_weight is -1"),
    (lambda v: stream_lib.Stream(n=0), "n is 0")])
def test_arguments_out_of_their_range_are_refused(videos, call, message):
  with pytest.raises(ValueError, match=message):
    call(videos)
