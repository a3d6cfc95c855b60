"""Tests of named points: where they lie, and how files of them are read."""

import os

import numpy as np
import pytest

from garden.worlds.faces import heads
from garden.worlds.faces import points


def test_points_lie_on_the_head():
  person = heads.sample(1, seed=2)
  surface = heads.surface(person).mesh.vertices
  for name, spot in points.on_head(person).items():
    assert np.linalg.norm(surface - spot, axis=1).min() < 0.07, name


def test_left_is_the_persons_own_and_both_sides_are_alike():
  found = points.on_head(heads.average())
  assert list(found) == list(points.NAMES)
  for name, spot in found.items():
    if name.startswith("left_"):
      assert spot[0] > 0
      np.testing.assert_allclose(found["right_" + name[5:]] * [-1, 1, 1], spot, atol=1e-9)


def test_points_stand_in_the_order_of_a_face():
  found = points.on_head(heads.average())
  order = ("left_brow_middle", "left_eye_upper", "left_eye_lower", "nose_tip", "subnasale",
           "upper_lip", "left_mouth_corner", "lower_lip", "chin")
  heights = [found[name][1] for name in order]
  assert heights == sorted(heights, reverse=True)


@pytest.mark.parametrize("count", [30, 68, 468, 478])
def test_numbers_of_points_have_names(count):
  spots = np.stack([np.arange(count), np.zeros(count)], axis=1)
  found = points.named(spots)
  assert set(found) <= set(points.NAMES) and len(found) >= 15
  numbers = [spot[0] for spot in found.values()]
  assert len(set(numbers)) == len(numbers) and max(numbers) < count


@pytest.mark.parametrize("spots, message", [
    (np.zeros((5, 2)), r"landmarks are \(5, 2\); give 30"),
    (np.zeros((68, 4)), "give 30"), (np.full((68, 2), np.nan), "isn't finite")])
def test_other_points_are_refused(spots, message):
  with pytest.raises(ValueError, match=message):
    points.named(spots)


@pytest.mark.parametrize("name, text", [
    ("a.txt", "1,2\n3.5,4\n"), ("a.txt", "1 2\n\n3.5 4\n"),
    ("a.pts", "version: 1\nn_points: 2\n{\n1 2\n3.5 4\n}\n")])
def test_files_of_points_are_read(tmp_path, name, text):
  (tmp_path / name).write_text(text)
  np.testing.assert_allclose(points.read(str(tmp_path / name)), [[1, 2], [3.5, 4]])


@pytest.mark.parametrize("text, message", [
    ("1,2\n3\n", "the line '3' isn't two numbers"), ("1,two\n", "isn't two numbers"),
    ("", "has no point")])
def test_bad_files_of_points_are_refused(tmp_path, text, message):
  (tmp_path / "a.txt").write_text(text)
  with pytest.raises(ValueError, match=message):
    points.read(str(tmp_path / "a.txt"))


def test_the_numbers_of_cfp_are_those_of_its_photographs():
  folder = os.environ.get("GARDEN_DATA_DIR")
  if not folder:
    pytest.skip("GARDEN_DATA_DIR is unset")
  found = points.named(points.read(os.path.join(
      folder, "cfp", "Data", "Fiducials", "001", "frontal", "01.txt")))
  assert found["right_eye_outer"][0] < found["right_eye_inner"][0] < found["nose_tip"][0]
  assert found["nose_tip"][1] < found["upper_lip"][1] < found["lower_lip"][1] < found["chin"][1]
