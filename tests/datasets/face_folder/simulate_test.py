"""Tests of turning a folder of photographs: files, landmarks, resume, what is left out."""

import pathlib
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from garden.datasets.face_folder import photographs
from garden.datasets.face_folder import simulate
from garden.worlds.faces import heads
from garden.worlds.faces import landmarks
from garden.worlds.faces import points
from garden.worlds.faces import renderer

_TOOL = pathlib.Path(__file__).parents[3] / "tools" / "simulate_profiles.py"
_SIZE = 96


def _draw(folder, *names, yaw=0.0):
  """Photographs with 68 points beside each."""
  for k, name in enumerate(names):
    head = heads.sample(1, 3, k)
    image, _ = renderer.render(head, renderer.views([yaw], k, [0.0]), _SIZE)
    path = folder / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(image[0]).save(path)
    spots = points.on_head(head)
    found = np.tile(spots["nose_tip"], (68, 1))
    for point, number in points.SETS[68].items():
      found[number] = spots[point]
    np.savetxt(path.with_suffix(".txt"), renderer.project(found, yaw, 0.0, _SIZE)[:, :2], "%.2f")


def test_photographs_are_turned_beside_their_names(tmp_path):
  _draw(tmp_path / "in", "anna/01", "ben/01")
  names = simulate.find(str(tmp_path / "in"))
  assert names == ["anna/01.png", "ben/01.png"]
  for name in names:
    assert simulate.simulate(str(tmp_path / "in"), name, str(tmp_path / "out"), [60.0, -90.0],
                             48) == 1
  made = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*"))
  assert made == ["anna/01_yaw+60.png", "anna/01_yaw-90.png", "ben/01_yaw+60.png",
                  "ben/01_yaw-90.png"]
  assert PIL.Image.open(tmp_path / "out" / made[0]).size == (48, 48)


def test_what_is_there_stays(tmp_path):
  _draw(tmp_path / "in", "a")
  out = tmp_path / "out"
  simulate.simulate(str(tmp_path / "in"), "a.png", str(out), [60.0], 32)
  before = (out / "a_yaw+60.png").read_bytes()
  (out / "a_yaw+60.png").write_bytes(b"mine")
  assert simulate.simulate(str(tmp_path / "in"), "a.png", str(out), [60.0], 32) == 0
  assert simulate.simulate(str(tmp_path / "in"), "a.png", str(out), [60.0, 75.0], 32) == 1
  assert (out / "a_yaw+60.png").read_bytes() == b"mine" != before
  assert (out / "a_yaw+75.png").exists()


def test_without_a_file_faces_are_looked_for(tmp_path):
  _draw(tmp_path / "in", "a")
  mesh = np.zeros((468, 3))
  given = points.named(points.read(str(tmp_path / "in" / "a.txt")))
  for name, number in points.SETS[468].items():
    mesh[number, :2] = given.get(name, given["nose_tip"])
  (tmp_path / "in" / "a.txt").unlink()
  found = photographs.read(str(tmp_path / "in" / "a.png"),
                           lambda image: landmarks.Found(mesh, np.zeros(4), 0.9, 3))
  assert found.faces == 3 and set(found.points) == set(points.NAMES)
  np.testing.assert_allclose(found.points["chin"][:2], given["chin"])


def test_a_photograph_that_cannot_be_turned_leaves_nothing(tmp_path):
  _draw(tmp_path / "in", "side", yaw=60.0)
  with pytest.raises(ValueError, match="already turned"):
    simulate.simulate(str(tmp_path / "in"), "side.png", str(tmp_path / "out"), [60.0], 32)
  (tmp_path / "in" / "text.png").write_text("no image")
  with pytest.raises(ValueError, match="is not a readable image"):
    simulate.simulate(str(tmp_path / "in"), "text.png", str(tmp_path / "out"), [60.0], 32)
  assert not (tmp_path / "out").exists()


def test_folders_without_images_are_refused(tmp_path):
  with pytest.raises(ValueError, match="there is no folder"):
    simulate.find(str(tmp_path / "none"))
  with pytest.raises(ValueError, match="holds no image; .jpg"):
    simulate.find(str(tmp_path))


def test_the_tool_goes_on_after_bad_images_and_tells_of_them(tmp_path):
  _draw(tmp_path / "in", "a", "b")
  (tmp_path / "in" / "broken.png").write_text("no image")
  command = [sys.executable, str(_TOOL), "in", "--yaw", "60", "--yaw", "-75", "--size", "48"]
  done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
  assert done.returncode == 2
  assert "1/3 a.png: turned" in done.stdout and "2/3 b.png: turned" in done.stdout
  last = done.stderr.strip().splitlines()[-1]
  assert last.startswith("simulate_profiles: left out 1 of 3 images: ") and "broken.png" in last
  sheet = PIL.Image.open(tmp_path / "in_profiles" / simulate.SHEET)
  assert sheet.size[0] > sheet.size[1] / 2
  again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
  assert "1/3 a.png: was there" in again.stdout
