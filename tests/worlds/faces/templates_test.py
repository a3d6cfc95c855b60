"""Tests of a user's own head: where it is brought to, and what is refused."""

import json
import os
import pathlib

import numpy as np
import pytest

from garden.worlds.faces import heads
from garden.worlds.faces import mesh
from garden.worlds.faces import points
from garden.worlds.faces import portrait
from garden.worlds.faces import renderer
from garden.worlds.faces import templates


def _write(folder, vertices, triangles, named):
  lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
  lines += ["vt 0.5 0.5"]
  lines += ["f " + " ".join(f"{k + 1}/1" for k in corners) for corners in triangles]
  (folder / "head.obj").write_text("\n".join(lines))
  (folder / "points.json").write_text(json.dumps(named))
  return str(folder / "head.obj"), str(folder / "points.json")


@pytest.fixture
def own(tmp_path):
  """The average head in centimetres, turned and moved, with the vertices nearest to its points."""
  template = templates.built_in()
  spots = template.mesh.vertices
  named = {name: int(np.linalg.norm(spots - spot, axis=1).argmin())
           for name, spot in template.points.items()}
  moved = 12.0 * spots @ mesh.rotation(30.0, 10.0).T + [3.0, -40.0, 5.0]
  return _write(tmp_path, moved, template.mesh.triangles, named)


def test_it_is_brought_to_the_built_in_head(own):
  found, known = templates.from_obj(*own), templates.built_in()
  assert np.abs(found.mesh.vertices.max(axis=0) - known.mesh.vertices.max(axis=0)).max() < 0.1
  for name, spot in found.points.items():
    assert np.linalg.norm(spot - known.points[name]) < 0.12
  assert not found.closed


def test_a_photograph_can_be_laid_on_it(own):
  head = heads.average()
  image, _ = renderer.render(head, renderer.views([0.0], 1, [0.0]), 96)
  spots = {name: renderer.project(spot[np.newaxis], 0.0, 0.0, 96)[0, :2]
           for name, spot in points.on_head(head).items()}
  for yaw in (0.0, 60.0):
    _, mask, _ = portrait.fit(image[0], spots, templates.from_obj(*own)).render(yaw, size=64)
    _, expected, _ = portrait.fit(image[0], spots).render(yaw, size=64)
    assert np.minimum(mask, expected).sum() > 0.9 * np.maximum(mask, expected).sum()


@pytest.mark.skipif("GARDEN_DATA_DIR" not in os.environ, reason="needs the canonical face")
def test_mediapipes_face_needs_no_points():
  path = pathlib.Path(os.environ["GARDEN_DATA_DIR"], "face_mesh", "canonical_face_model.obj")
  if not path.exists():
    pytest.skip("needs the canonical face")
  found = templates.from_obj(str(path))
  assert found.points["nose_tip"][2] > found.points["left_jaw"][2]
  assert found.points["left_eye_outer"][0] > 0 > found.points["right_eye_outer"][0]
  assert found.points["nose_bridge"][1] > found.points["chin"][1]


@pytest.mark.parametrize("named, message", [
    ({"beak": 1}, "there is no point 'beak'; there are nose_bridge"),
    ({"chin": 10**6}, "chin is vertex 1000000; the mesh has 0.."),
    ({"chin": "low"}, "chin is vertex 'low'"),
    ({"chin": 1, "nose_tip": 2}, "2 of the named points are on the mesh"),
    ([1, 2], "must hold names and vertices")])
def test_bad_points_are_refused(own, named, message):
  pathlib.Path(own[1]).write_text(json.dumps(named))
  with pytest.raises(ValueError, match=message):
    templates.from_obj(*own)


def test_a_mesh_whose_points_are_not_told_is_refused(own, tmp_path):
  with pytest.raises(ValueError, match="it isn't told which are the points"):
    templates.from_obj(own[0])
  with pytest.raises(ValueError, match="none.json"):
    templates.from_obj(own[0], str(tmp_path / "none.json"))
  (tmp_path / "bad.json").write_text("{")
  with pytest.raises(ValueError, match="bad.json: Expecting"):
    templates.from_obj(own[0], str(tmp_path / "bad.json"))
