"""Tests of photographs that are turned: on drawn heads, of which the truth is known."""

import numpy as np
import pytest

from garden.worlds.faces import heads
from garden.worlds.faces import points
from garden.worlds.faces import portrait
from garden.worlds.faces import renderer
from garden.worlds.faces import templates

_SIZE = 96


def _photograph(person, yaw=0.0, pitch=0.0, size=_SIZE):
  """A picture of a person and its true points."""
  view = renderer.views([yaw], seed=1, pitch=[pitch])
  (image,), _ = renderer.render(person, view, size)
  spots = points.on_head(person)
  turned = renderer.project(np.stack(list(spots.values())), yaw, pitch, size)
  return image, dict(zip(spots, turned[:, :2]))


@pytest.fixture(scope="module")
def average():
  return _photograph(heads.average())


@pytest.mark.parametrize("yaw, pitch", [(0, 0), (15, 0), (-20, 8), (0, -10)])
def test_the_pose_of_the_average_head_is_found(yaw, pitch):
  image, spots = _photograph(heads.average(), yaw, pitch)
  found = portrait.fit(image, spots)
  # The pull ahead takes a little of it.
  np.testing.assert_allclose(found.pose, [yaw, pitch, 0], atol=2.5)
  assert found.scale == pytest.approx(_SIZE / renderer.SPAN, rel=0.03)


def test_the_front_of_the_average_head_is_the_photograph(average):
  image, spots = average
  picture, mask, visible = portrait.fit(image, spots).render(0.0, size=_SIZE)
  inside = visible == 1
  assert inside.mean() > 0.15 and (mask >= visible).all()
  off = np.abs(picture.astype(float) - image)[inside]
  assert off.mean() < 6.0


def test_a_warped_head_goes_through_the_points():
  person = heads.sample(1, seed=5)
  image, spots = _photograph(person)
  warped, rigid = (portrait.fit(image, spots, fit=fit) for fit in ("warp", "rigid"))
  template = templates.built_in()
  vertex = {name: np.linalg.norm(template.mesh.vertices - spot, axis=1).argmin()
            for name, spot in template.points.items()}

  def project(places):
    return (rigid.offset - _SIZE // 2
            + rigid.scale * (places @ rigid.turn.T)[:, :2] * [1, -1])

  # No vertex is just where a point is, but those nearest to it move with it.
  anchors = project(np.stack([template.points[name] for name in spots]))
  true = np.stack(list(spots.values())) - anchors
  moves = [project(made.mesh.vertices)[[vertex[name] for name in spots]]
           for made in (rigid, warped)]
  left = np.linalg.norm(moves[1] - moves[0] - true, axis=1).mean()
  assert left < 0.35 * np.linalg.norm(true, axis=1).mean()
  moved = np.linalg.norm(warped.mesh.vertices - rigid.mesh.vertices, axis=1)
  assert moved.max() > 0.03
  np.testing.assert_array_equal(rigid.mesh.vertices, templates.built_in().mesh.vertices)


def test_the_turned_head_is_nearer_to_the_truth_than_the_photograph():
  person = heads.sample(1, seed=6)
  image, spots = _photograph(person)
  view = renderer.views([60], seed=1, pitch=[0])
  (true,), (mask,) = renderer.render(person, view, _SIZE)
  picture, found, _ = portrait.fit(image, spots).render(60.0, size=_SIZE)
  cover = np.minimum(found, mask).sum() / np.maximum(found, mask).sum()
  assert cover > 0.85
  both = (mask == 1) & (found == 1)
  off = [np.abs(x.astype(float) - true)[both].mean() for x in (picture, image)]
  assert off[0] < off[1]


def test_what_the_photograph_shows_shrinks_as_the_head_turns(average):
  made = portrait.fit(*average)
  shares = [made.render(yaw, size=_SIZE)[2].mean() for yaw in (0, 45, 90)]
  assert shares[0] > shares[1] > shares[2] > 0


def test_the_photograph_of_the_other_side_turns_the_other_way(average):
  made = portrait.fit(*average)
  right, left = (made.render(yaw, size=_SIZE, background=[0, 0, 0])[1] for yaw in (70, -70))
  np.testing.assert_allclose(right, left[:, ::-1], atol=0.3)


def test_a_background_is_laid_behind(average):
  picture, mask, _ = portrait.fit(*average).render(30, size=64, background=[10, 200, 30])
  np.testing.assert_array_equal(picture[mask == 0], [[10, 200, 30]] * int((mask == 0).sum()))


def test_the_photographs_own_background_is_kept_where_it_was_seen(average):
  image, spots = average
  picture, _, _ = portrait.fit(image, spots).render(90, size=_SIZE)
  np.testing.assert_allclose(picture[:8, :8].astype(float), image[:8, :8], atol=8)


def test_half_of_the_points_are_mirrored(average):
  image, spots = average
  half = {name: spot for name, spot in spots.items() if not name.startswith("left_")}
  made = portrait.fit(image, half)
  assert abs(made.pose[0]) < 3
  x = made.mesh.vertices[:, 0]
  assert x.max() == pytest.approx(-x.min(), abs=0.05)


def test_depth_of_the_points_moves_the_head(average):
  image, spots = average
  depth = {name: [*spot, 0.0] for name, spot in spots.items()}
  for name, place in points.on_head(heads.average()).items():
    depth[name][2] = -place[2] * _SIZE / renderer.SPAN
  longer = {name: list(spot) for name, spot in depth.items()}
  longer["nose_tip"][2] -= 8.0  # pixels nearer
  noses = [portrait.fit(image, spots).mesh.vertices[:, 2].max() for spots in (depth, longer)]
  assert noses[1] > noses[0] + 0.08


@pytest.mark.parametrize("shape, message", [
    ((31, 64, 3), "31 pixels; both sides must have at least 32"), ((64, 64, 2), "grey or RGBA"),
    ((64,), "grey or RGBA")])
def test_images_that_are_none_are_refused(shape, message):
  with pytest.raises(ValueError, match=message):
    portrait.as_rgb(np.zeros(shape, np.uint8))
  with pytest.raises(ValueError, match="float64"):
    portrait.as_rgb(np.zeros((64, 64, 3)))


def test_grey_and_rgba_images_are_converted():
  grey = np.full((40, 40), 90, np.uint8)
  np.testing.assert_array_equal(portrait.as_rgb(grey), np.full((40, 40, 3), 90))
  clear = np.zeros((40, 40, 4), np.uint8)
  clear[:20, :, 3] = 255
  found = portrait.as_rgb(clear)
  assert (found[:20] == 0).all() and (found[20:] == 255).all()


def test_bad_points_are_refused(average):
  image, spots = average
  with pytest.raises(ValueError, match="landmark nose_tip is at .* outside of the image of 96"):
    portrait.fit(image, {**spots, "nose_tip": [300.0, 50.0]})
  with pytest.raises(ValueError, match="2 of the named points are given"):
    portrait.fit(image, {name: spots[name] for name in ("chin", "nose_tip")})
  with pytest.raises(ValueError, match="lie on a line"):
    portrait.fit(image, {name: [50.0, 50.0] for name in spots})
  with pytest.raises(ValueError, match="fit is 'soft'"):
    portrait.fit(image, spots, fit="soft")


def test_a_face_in_profile_is_refused():
  image, spots = _photograph(heads.average(), yaw=75)
  with pytest.raises(ValueError, match="already turned by .* from the front, at most 40"):
    portrait.fit(image, spots)


@pytest.mark.parametrize("degrees,refused", [(25, False), (-50, True), (50, True)])
def test_depth_tells_a_turn_that_the_plane_does_not(average, degrees, refused):
  image, spots = average
  deep = {name: [*spot, np.tan(np.radians(degrees)) * spot[0]] for name, spot in spots.items()}
  if not refused:
    portrait.fit(image, deep)
    return
  with pytest.raises(ValueError, match=f"already turned by {degrees / 0.88:.0f} degrees"):
    portrait.fit(image, deep)
