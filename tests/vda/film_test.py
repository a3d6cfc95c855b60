"""Tests of films: pictures at their times, strips, GIFs as they come back from disk."""

import numpy as np
import PIL.Image
import pytest

from garden.vda import engines
from garden.vda import film
from garden.vda import state as state_lib
from garden.vda import what_if
from garden.vda import what_if_figures
from garden.worlds.towers import renderer
from garden.worlds.towers import scene


@pytest.fixture(scope="module")
def towers():
  """Two towers of 2 and 3 blocks."""
  return scene.sample(2, seed=0)


@pytest.fixture(scope="module")
def motion(towers):
  """Where they go in three looks."""
  return engines.MuJoCoEngine().future(state_lib.of_towers(towers), (0.0, 0.5, 1.0))


def test_times_are_even_and_hold_both_ends():
  np.testing.assert_allclose(film.times(4.0, 5), [0, 1, 2, 3, 4])


def test_frames_are_what_the_renderer_draws_at_each_time(towers, motion):
  images = film.frames(towers, motion, image_size=(24, 32), supersampling=1)
  assert images.shape == (2, 3, 24, 32, 3) and images.dtype == np.float32
  for time in range(3):
    drawn = renderer.render(motion.at(towers, time).arrays(), (24, 32))["image"]
    np.testing.assert_allclose(images[:, time], drawn, atol=1e-6)


def test_frames_of_a_state_are_seen_by_the_camera_that_is_given(towers, motion):
  camera = np.array([[0.3, 0.2, 9.0, 38.0, 0.0, 0.0, 1.0], [0.9, 0.4, 9.0, 38.0, 0.0, 0.0, 1.0]])
  state = state_lib.of_towers(towers)
  images = film.frames(state, motion, camera, image_size=24, supersampling=1)
  drawn = renderer.render(state_lib.towers_of(state, camera).arrays(), 24)["image"]
  np.testing.assert_allclose(images[:, 0], drawn, atol=1e-6)
  other = film.frames(towers, motion, camera, image_size=24, supersampling=1)
  assert np.abs(other - film.frames(towers, motion, image_size=24, supersampling=1)).max() > 0.1


def test_a_long_film_that_is_drawn_in_pieces_is_in_order(towers):
  one = towers.take([0])
  motion = engines.MuJoCoEngine().future(state_lib.of_towers(one), film.times(0.8, 40))
  images = film.frames(one, motion, image_size=12, supersampling=1)
  for time in (0, 17, 39):
    drawn = renderer.render(motion.at(one, time).arrays(), 12)["image"]
    np.testing.assert_allclose(images[:, time], drawn, atol=1e-6)


def test_a_strip_holds_pictures_from_left_to_right_with_white_between():
  images = np.stack([np.zeros((2, 3, 3)), np.full((2, 3, 3), 0.5)])
  strip = film.film_strip(images, gap=1)
  assert strip[0, :, 0].tolist() == [0, 0, 0, 255, 128, 128, 128]
  assert film.film_strip(images, gap=0).shape == (2, 6, 3)


def test_a_gif_comes_back_with_its_frames_times_and_colours(tmp_path, towers, motion):
  images = film.frames(towers, motion, image_size=32)[1]
  film.write_gif(images, tmp_path / "new" / "a.gif", seconds_per_frame=0.25)
  with PIL.Image.open(tmp_path / "new" / "a.gif") as found:
    assert (found.n_frames, found.size, found.info["loop"]) == (3, (32, 32), 0)
    for number in range(3):
      found.seek(number)
      assert found.info["duration"] == 250
      back = np.asarray(found.convert("RGB")) / 255.0
      assert np.abs(back - images[number]).mean() < 0.02
  assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.gif"]


def test_a_gif_that_fails_leaves_the_old_one(tmp_path):
  path = tmp_path / "a.gif"
  path.write_bytes(b"old")
  with pytest.raises(ValueError, match=r"images have the shape \[2, 4, 4\]"):
    film.write_gif(np.zeros((2, 4, 4)), path)
  assert path.read_bytes() == b"old"


def test_what_stands_still_keeps_its_colours_through_the_film(tmp_path):
  rng = np.random.default_rng(0)
  images = np.repeat(rng.integers(0, 256, (1, 16, 16, 3), np.uint8), 3, axis=0)
  images[1, :4], images[2, :4] = 0, 255
  film.write_gif(images, tmp_path / "a.gif")
  with PIL.Image.open(tmp_path / "a.gif") as found:
    shown = []
    for number in range(3):
      found.seek(number)
      shown.append(np.asarray(found.convert("RGB"))[4:])
  np.testing.assert_array_equal(shown[0], shown[1])
  np.testing.assert_array_equal(shown[0], shown[2])


@pytest.mark.parametrize("call, message", [
    (lambda: film.times(0.01, 9), "count is 9; in 0.01 s there are at most 3 pictures"),
    (lambda: film.times(-1.0, 2), "seconds is -1.0; .* above 0"),
    (lambda: film.film_strip(np.full((1, 2, 2, 3), 1.5)), r"images are in \[1.5, 1.5\]; .*must"),
    (lambda: film.film_strip(np.full((1, 2, 2, 3), np.nan)), r"images are in \[nan, nan\]"),
    (lambda: film.film_strip(np.zeros((1, 2, 2, 3)), gap=-1), "gap is -1; .* at least 0"),
    (lambda: film.film_strip(np.zeros((2, 1, 2, 2, 3))), "of several scenes, give one at a time"),
    (lambda: film.write_gif(np.zeros((1, 2, 2, 3)), "a.gif", 0.01),
     "seconds_per_frame is 0.01; .* at least 0.02")])
def test_what_can_not_be_shown_is_told_with_its_limit(call, message):
  with pytest.raises(ValueError, match=message):
    call()


def test_a_motion_of_other_scenes_is_refused(towers, motion):
  with pytest.raises(ValueError, match="the motion is of 2 scenes .* the state of 1 with 4"):
    film.frames(towers.take([0]), motion)
  with pytest.raises(ValueError, match=r"camera has the shape \[7\]; it must be \[2, 7\]"):
    film.frames(towers, motion, np.zeros(7))


def test_figures_hold_a_panel_a_map_and_a_picture_a_time(towers, motion):
  found = what_if.heat_map(state_lib.of_towers(towers), 1, resolution=5)
  drawn = what_if_figures.heat_map_figure([found, found], ["left", "right"]).image
  assert [ax.get_title() for ax in drawn.axes[:2]] == ["left", "right"]
  films = film.frames(towers, motion, image_size=16)
  figure = what_if_figures.film_figure(films, motion.times, ["one", "two"]).image
  assert len(figure.axes) == 6 and figure.axes[1].get_title() == "0.5 s"
  with pytest.raises(ValueError, match="3 pictures, but there are 2 times"):
    what_if_figures.film_figure(films, motion.times[:2])
  with pytest.raises(ValueError, match="there are no maps; give at least 1"):
    what_if_figures.heat_map_figure([])
