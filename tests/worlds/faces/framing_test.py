"""Tests of photographs framed as the renderer frames heads."""

import numpy as np
import pytest

from garden.worlds.faces import framing
from garden.worlds.faces import heads
from garden.worlds.faces import points
from garden.worlds.faces import portrait
from garden.worlds.faces import renderer


def _photograph(yaw, size=120):
  head = heads.average()
  image, _ = renderer.render(head, renderer.views([yaw], 3, [0.0]), size)
  spots = {name: renderer.project(spot[np.newaxis], yaw, 0.0, size)[0, :2]
           for name, spot in points.on_head(head).items()}
  return image[0], spots


@pytest.mark.parametrize("yaw", [0.0, 75.0, -75.0])
def test_a_picture_of_the_template_is_framed_as_it_is(yaw):
  image, spots = _photograph(yaw)
  found = framing.frame(image, spots, 120, yaw)
  assert np.abs(found.astype(float) - image).mean() < 6.0


def test_a_photograph_that_is_turned_moved_and_larger_is_framed_alike():
  image, spots = _photograph(75.0)
  wide = np.kron(image, np.ones((2, 2, 1), np.uint8))  # twice as large
  wide = np.rot90(wide)  # counter-clockwise: (x, y) -> (y, w - x)
  turned = {name: np.array([2 * y, 240 - 2 * x]) for name, (x, y) in spots.items()}
  found = framing.frame(wide, turned, 120, 75.0)
  assert np.abs(found.astype(float) - image).mean() < 8.0


def test_points_of_one_half_are_those_that_are_seen():
  for yaw in (75.0, -75.0):
    image, spots = _photograph(yaw)
    side = "right_" if yaw > 0 else "left_"
    half = {name.replace("left_", "right_"): spot for name, spot in spots.items()
            if not name.startswith(("left_", "right_")) or name.startswith(side)}
    found = framing.frame(image, half, 120, yaw)
    assert np.abs(found.astype(float) - image).mean() < 8.0


def test_the_nose_tells_where_a_face_looks():
  assert framing.side(_photograph(60.0)[1]) == 1 and framing.side(_photograph(-60.0)[1]) == -1
  with pytest.raises(ValueError, match="have no nose_tip"):
    framing.side({"chin": np.zeros(2)})


def test_a_crop_holds_the_face():
  image, spots = _photograph(75.0)
  mask = np.zeros((120, 120, 1), np.uint8)
  for name in ("nose_tip", "chin", "right_eye_outer"):
    x, y = spots[name].astype(int)
    mask[y - 2:y + 3, x - 2:x + 3] = 255
  cut = framing.crop(mask, 75.0, 60)
  assert cut.shape == (60, 60, 1) and cut.max() > 200
  assert framing.crop(image, 75.0, 60).shape == (60, 60, 3)
  assert (cut > 128).sum() * (1.9 / 2.6 * 2) ** 2 == pytest.approx(3 * 25, rel=0.4)


def test_what_cannot_be_framed_is_refused():
  image, spots = _photograph(0.0)
  with pytest.raises(ValueError, match="2 of the named points are given"):
    framing.frame(image, {name: spots[name] for name in ("chin", "nose_tip")}, 64, 0.0)
  with pytest.raises(ValueError, match="outside of the image"):
    framing.frame(image, {name: spot + 500 for name, spot in spots.items()}, 64, 0.0)
  with pytest.raises(ValueError, match="at least 32"):
    framing.frame(image[:20], spots, 64, 0.0)
  assert portrait.as_rgb(image[..., 0]).shape == (120, 120, 3)
