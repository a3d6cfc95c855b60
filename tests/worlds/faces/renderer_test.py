"""Tests of pictures of heads."""

import numpy as np
import pytest

from garden.worlds.faces import heads
from garden.worlds.faces import renderer


def _views(yaw, **fields):
  made = renderer.views(yaw, seed=0, pitch=np.zeros(len(yaw)))
  return made.replace(**fields)


@pytest.fixture(scope="module")
def people():
  return heads.sample(3, seed=0)


def test_pictures_are_a_function_of_their_numbers(people):
  view = renderer.views([0, 40, 80], seed=5)
  images, masks = renderer.render(people, view, 32)
  assert images.shape == (3, 32, 32, 3) and images.dtype == np.uint8
  assert masks.shape == (3, 32, 32) and masks.dtype == np.float32
  again, _ = renderer.render(people.take(1), renderer.views([40], seed=5, first=1), 32)
  np.testing.assert_array_equal(images[1], again[0])


def test_the_background_is_seen_where_the_person_is_not(people):
  colors = np.tile([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]], (1, 1, 1))
  images, masks = renderer.render(people.take(0), _views([0], background=colors), 64)
  image, outside = images[0], masks[0] == 0
  assert outside.any() and (masks[0] == 1).any()
  assert (image[..., 1][outside] == 0).all()
  assert image[0, 0, 0] > 250 and image[0, 0, 2] < 5
  assert image[32, 0, 0] == pytest.approx(image[32, 0, 2], abs=8)


def test_yaw_turns_the_face_to_the_right():
  person = heads.average()
  _, masks = renderer.render(person, _views([0, 90, -90]), 96, index=[0, 0, 0])
  row = 96 // 2 + 2  # of the nose's tip
  right, left = (np.nonzero(mask[row])[0] for mask in masks[1:])
  assert right.max() - 48 > 48 - right.min() and left.max() - 48 < 48 - left.min()
  np.testing.assert_allclose(masks[1], masks[2][:, ::-1], atol=0.26)


def test_light_from_the_right_lights_the_right_side():
  light = np.array([[0.9, 0.0, np.sqrt(1 - 0.81)]])
  view = _views([0], light=light, ambient=np.array([0.3]), gloss=np.zeros(1))
  (image,), (mask,) = renderer.render(heads.average(), view, 64)
  face = image.mean(axis=-1) * (mask == 1)
  assert face[24:44, 36:44].mean() > 1.3 * face[24:44, 20:28].mean()


def test_ambient_light_alone_shows_the_paint():
  view = _views([0], ambient=np.ones(1), gloss=np.zeros(1), light_color=np.ones((1, 3)))
  person = heads.average()
  (image,), _ = renderer.render(person, view, 128)
  forehead = image[128 // 2 - 19, 64] / 255
  np.testing.assert_allclose(forehead, person.skin[0], atol=0.02)


def test_one_person_may_be_in_many_pictures(people):
  images, _ = renderer.render(people, _views([0, 0, 0]), 32, index=[1, 1, 2])
  assert (images[0] == images[1]).mean() < 1  # their lights differ
  assert np.abs(images[0].astype(int) - images[2]).mean() > 1


def test_points_are_projected_where_they_are_drawn():
  points = np.array([[0, 0, 0], [1.3, 0, 0], [0, 1.3, 0], [0, 0, 1.3]])
  np.testing.assert_allclose(renderer.project(points, 0, 0, 100),
                             [[50, 50, 0], [100, 50, 0], [50, 0, 0], [50, 50, 50]], atol=1e-9)
  np.testing.assert_allclose(renderer.project(points, 90, 0, 100)[3], [100, 50, 0], atol=1e-9)


def test_wrong_sizes_and_numbers_of_people_are_refused(people):
  with pytest.raises(ValueError, match="size is 4; .* at least 8"):
    renderer.render(people, _views([0, 0, 0]), 4)
  with pytest.raises(ValueError, match="2 views of 3 people"):
    renderer.render(people, _views([0, 0]), 32)
