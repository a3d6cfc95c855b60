"""Tests of morphable models: read from files in the layout of theirs, and fitted to a face."""

import json

import h5py
import numpy as np
import pytest

from garden.worlds.faces import heads
from garden.worlds.faces import mesh
from garden.worlds.faces import morphable
from garden.worlds.faces import points
from garden.worlds.faces import portrait
from garden.worlds.faces import renderer
from garden.worlds.faces import templates

_ROWS, _COLUMNS = 24, 32
_MEASURES = list(heads.SHAPE)


def _person(**changes):
  """The average head with some measures changed by standard deviations: vertices, and points."""
  person = heads.average()
  shape = person.shape.copy()
  for name, change in changes.items():
    shape[0, _MEASURES.index(name)] += change * heads.SHAPE[name][1]
  person = heads.Heads(**{**{name: getattr(person, name) for name in person.__dataclass_fields__},
                          "shape": shape})
  surface = heads.surface(person, rows=_ROWS, columns=_COLUMNS)
  return surface.mesh, points.on_head(person)


def _moved(spots):
  """In other units, turned and moved."""
  return 11.0 * spots @ mesh.rotation(20.0, 5.0).T + [1.0, 2.0, -3.0]


def _ict_vertices(named, **changes):
  """All vertices of a head in the model's order: its named points are vertices of it."""
  found, spots = _person(**changes)
  vertices = np.zeros([26_719, 3])
  first = 9_409  # of the head and neck: the grid; the face's vertices are its points alone
  vertices[first:first + len(found.vertices)] = found.vertices
  for name, vertex in named.items():
    vertices[vertex] = spots[name]
  return _moved(vertices), found.triangles + first


def _write_obj(path, vertices, polygons=()):
  lines = [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in vertices]
  lines += ["vt 0.5 0.5"] + ["f " + " ".join(f"{k + 1}/1" for k in corners) for corners in polygons]
  path.write_text("\n".join(lines))


@pytest.fixture(scope="module")
def ict(tmp_path_factory):
  """A folder in the layout of ICT-FaceKit: a wider head, and one with a longer nose."""
  folder = tmp_path_factory.mktemp("facekit") / "FaceXModel"
  folder.mkdir()
  named = morphable._ICT_POINTS
  vertices, triangles = _ict_vertices(named)
  quads = [(0, 1, 2, 3), (15_000, 15_001, 15_002)]  # one of a face, one of the teeth
  _write_obj(folder / "generic_neutral_mesh.obj", vertices, [*triangles, *quads])
  for number, changes in enumerate(({"width": 1.0, "eye_x": 1.0}, {"nose_length": 1.0})):
    _write_obj(folder / f"identity{number:03}.obj", _ict_vertices(named, **changes)[0])
  return folder


@pytest.fixture
def basel(tmp_path):
  """A file in the layout of the Basel Face Models: a mode of a longer head."""
  found, spots = _person()
  longer, _ = _person(height=4.0)
  mean = _moved(found.vertices)
  marks = [{"id": mark, "coordinates": _moved(spots[name]).tolist()}
           for name, mark in morphable._BASEL_POINTS.items()]
  path = tmp_path / "model.h5"
  with h5py.File(path, "w") as file:
    file["shape/model/mean"] = mean.ravel().astype(np.float32)
    file["shape/model/pcaBasis"] = ((_moved(longer.vertices) - mean) / 2.0).reshape(-1, 1)
    file["shape/model/pcaVariance"] = np.array([4.0])
    file["shape/representer/cells"] = found.triangles.T.astype(np.int32)
    file["metadata/landmarks/json"] = json.dumps(marks)
  return path


def test_ict_is_brought_to_the_built_in_head(ict):
  found = morphable.from_ict(str(ict))
  known = templates.built_in()
  assert found.mean.shape == (11_248 + 3_140, 3) and found.modes.shape[0] == 2
  for name, spot in found.head([0.0, 0.0]).points.items():
    assert np.linalg.norm(spot - known.points[name]) < 0.02, name


def test_the_folder_above_is_taken_too(ict):
  np.testing.assert_array_equal(morphable.from_ict(str(ict.parent)).mean,
                                morphable.from_ict(str(ict)).mean)


def test_polygons_are_split_and_those_of_other_parts_left_out(ict):
  found = morphable.from_ict(str(ict))
  count = len(_person()[0].triangles)
  assert len(found.triangles) == count + 2
  assert found.triangles[-2:].tolist() == [[0, 1, 2], [0, 2, 3]]


def test_a_mode_moves_what_it_is_of(ict):
  found = morphable.from_ict(str(ict))
  nose = found.head([0.0, 2.0]).points["nose_tip"] - found.head([0.0, 0.0]).points["nose_tip"]
  expected = _person(nose_length=2.0)[1]["nose_tip"] - _person()[1]["nose_tip"]
  np.testing.assert_allclose(nose, expected, atol=0.02)


def _marked(yaw=0.0, **changes):
  """Points of a head in a photograph of 224 px."""
  _, spots = _person(**changes)
  return {name: renderer.project(spot[np.newaxis], yaw, 0.0, 224)[0, :2]
          for name, spot in spots.items()}


@pytest.mark.parametrize("name, yaw, changes, least", [
    ("nose_tip", 25.0, {"nose_length": 2.0}, 0.1),  # told by one point, which isn't trusted
    ("left_eye_outer", 0.0, {"width": 2.0, "eye_x": 2.0}, 0.3)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_it_takes_the_shape_of_a_face(ict, name, yaw, changes, least, sign):
  model = morphable.from_ict(str(ict))
  changes = {measure: sign * change for measure, change in changes.items()}
  found = model.fitted(_marked(yaw, **changes)).points[name] - model.fitted(
      _marked(yaw)).points[name]
  expected = _person(**changes)[1][name] - _person()[1][name]
  assert least < found @ expected / (expected @ expected) < 1.2


def test_the_mean_face_is_fitted_by_the_mean_head(ict):
  model = morphable.from_ict(str(ict))
  np.testing.assert_allclose(model.fitted(_marked()).mesh.vertices, model.mean, atol=0.02)


def test_a_photograph_can_be_laid_on_it(ict):
  head = heads.average()
  image, _ = renderer.render(head, renderer.views([0.0], 1, [0.0]), 96)
  spots = {name: spot * 96 / 224 for name, spot in _marked().items()}
  _, mask, _ = portrait.fit(image[0], spots, templates.read(str(ict))).render(60.0, size=64)
  _, expected, _ = portrait.fit(image[0], spots).render(60.0, size=64)
  assert np.minimum(mask, expected).sum() > 0.9 * np.maximum(mask, expected).sum()


def test_basel_is_read(basel):
  found = templates.read(str(basel))
  known = templates.built_in()
  assert len(found.named) == 21
  for name, spot in found.head([0.0]).points.items():
    assert np.linalg.norm(spot - known.points[name]) < 0.15, name


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_basel_model_finds_a_head_of_its_own(basel, sign):
  model = templates.read(str(basel))
  spots = {name: renderer.project(spot[np.newaxis], 0.0, 0.0, 224)[0, :2]
           for name, spot in model.head([sign]).points.items()}
  moved = (model.fitted(spots).mesh.vertices - model.mean).ravel()
  mode = model.modes[0].ravel()
  assert 0.4 < sign * (moved @ mode) / (mode @ mode) < 1.1


def test_folders_of_something_else_are_refused(tmp_path, ict):
  with pytest.raises(ValueError, match="has no generic_neutral_mesh.obj; give the folder"):
    templates.read(str(tmp_path))
  (tmp_path / "generic_neutral_mesh.obj").write_text("v 0 0 0\n")
  with pytest.raises(ValueError, match="has no identity000.obj"):
    templates.read(str(tmp_path))
  (tmp_path / "identity000.obj").write_text("v 0 0 0\n")
  with pytest.raises(ValueError, match="has 1 vertices; ICT-FaceKit's have 26719"):
    templates.read(str(tmp_path))
  (tmp_path / "generic_neutral_mesh.obj").write_text("v 0 zero 0\n")
  with pytest.raises(ValueError, match="line 1: 'v 0 zero 0'"):
    templates.read(str(tmp_path))


@pytest.mark.parametrize("content", [b"no model", None])
def test_files_of_something_else_are_refused(tmp_path, content):
  path = tmp_path / "model.h5"
  if content:
    path.write_bytes(content)
  else:
    with h5py.File(path, "w") as file:
      file["color"] = [1.0]
  with pytest.raises(ValueError, match="isn't a Basel Face Model of 2017 or 2019"):
    templates.read(str(path))


def test_a_path_that_is_not_there_is_refused(tmp_path):
  with pytest.raises(ValueError, match="there is no mesh"):
    templates.read(str(tmp_path / "none.obj"))
