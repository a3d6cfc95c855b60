"""Tests of turns, normals and OBJ files."""

import os

import numpy as np
import pytest

from garden.worlds.faces import mesh


def _obj(tmp_path, text):
  path = tmp_path / "mesh.obj"
  path.write_text(text)
  return str(path)


@pytest.mark.parametrize("angles, sees", [
    ((90.0,), [1, 0, 0]), ((-90.0,), [-1, 0, 0]), ((0.0, 90.0), [0, -1, 0]),
    ((0.0, 0.0, 90.0), [0, 0, 1])])
def test_yaw_turns_to_the_right_and_pitch_down(angles, sees):
  np.testing.assert_allclose(mesh.rotation(*angles) @ [0, 0, 1], sees, atol=1e-12)


def test_roll_is_counter_clockwise():
  np.testing.assert_allclose(mesh.rotation(0, 0, 90) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_a_turn_keeps_lengths_and_hands():
  turn = mesh.rotation(20.0, -30.0, 40.0)
  np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
  assert np.linalg.det(turn) == pytest.approx(1.0)


def test_normals_of_a_sphere_are_its_radii():
  a, e = np.meshgrid(np.linspace(-np.pi, np.pi, 64, endpoint=False),
                     np.linspace(1.5, -1.5, 48))
  points = np.stack([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], -1).reshape(-1, 3)
  found = mesh.normals(points, mesh.grid(48, 64))
  assert (found * points).sum(axis=1)[64:-64].min() > 0.999


def test_a_vertex_without_a_triangle_has_no_normal():
  points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5.0]])
  np.testing.assert_allclose(mesh.normals(points, np.array([[0, 1, 2]])),
                             [[0, 0, 1]] * 3 + [[0, 0, 0]])


def test_an_obj_is_read_with_its_texture(tmp_path):
  text = "# a square\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
  found = mesh.read_obj(_obj(tmp_path, text + "f 1/1 2/2/1 3/3\nf -4/-4 -2/-2 -1/-1\n"))
  assert found.triangles.shape == (2, 3) and found.vertices.shape == (4, 3)
  np.testing.assert_allclose(found.vertices[:, :2], found.uv)
  np.testing.assert_allclose(found.normals, [[0, 0, 1]] * 4)


def test_a_vertex_with_two_places_in_the_texture_becomes_two(tmp_path):
  text = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\n"
  found = mesh.read_obj(_obj(tmp_path, text + "f 1/1 2/2 3/3\nf 1/2 3/3 4/1\n"))
  assert len(found.vertices) == 5


@pytest.mark.parametrize("text, message", [
    ("v 0 0 0\nvt 0 0\nf 1/1 1/1 1/1 1/1\n", "line 3.*4 corners; split it into triangles"),
    ("v 0 0 0\nf 1 1 1\n", "no place in the texture"),
    ("v 0 0 0\nf 1//1 1//1 1//1\n", "no place in the texture"),
    ("v 0 0 0\nvt 0 0\nf 1/1 2/1 1/1\n", "names number 2 of 1"),
    ("v 0 0 0\nvt 0 0\nf 1/1 0/1 1/1\n", "names number 0 of 1"),
    ("v 0 0\nvt 0 0\nf 1/1 1/1 1/1\n", "'v' line with too few"),
    ("v 0 0 zero\n", "line 1"), ("", "has no face")])
def test_a_bad_obj_is_refused_with_its_line(tmp_path, text, message):
  with pytest.raises(ValueError, match=message):
    mesh.read_obj(_obj(tmp_path, text))


def test_the_canonical_face_is_read():
  folder = os.environ.get("GARDEN_DATA_DIR")
  if not folder:
    pytest.skip("GARDEN_DATA_DIR is unset")
  found = mesh.read_obj(os.path.join(folder, "face_mesh", "canonical_face_model.obj"))
  assert found.vertices.shape == (468, 3) and found.triangles.shape == (898, 3)
  assert found.uv.min() >= 0 and found.uv.max() <= 1
  assert found.normals[:, 2].mean() > 0  # it looks at the viewer
