"""Tests of a user's own people: which photographs are taken, who is learnt, what is refused."""

import shutil

import numpy as np
import PIL.Image
import pytest

from garden.datasets.face_folder import face_folder_dataset_builder as builders
from garden.datasets.face_folder import source
from garden.worlds.faces import heads
from garden.worlds.faces import points
from garden.worlds.faces import renderer

_SIZE = 96


def _draw(path, person, yaw):
  """A photograph with 30 points beside it."""
  head = heads.sample(1, 5, person)
  image, _ = renderer.render(head, renderer.views([yaw], person, [0.0]), _SIZE)
  path.parent.mkdir(parents=True, exist_ok=True)
  PIL.Image.fromarray(image[0]).save(path)
  side = "right" if yaw >= 0 else "left"
  spots = points.on_head(head)
  found = np.tile(spots["nose_tip"], (30, 1))
  for name, number in points.SETS[30].items():
    found[number] = spots[name.replace("right", side)]
  np.savetxt(path.with_suffix(".txt"), renderer.project(found, yaw, 0.0, _SIZE)[:, :2], "%.2f", ",")


@pytest.fixture
def folder(tmp_path):
  """Five people with two photographs from the front and two from the side; a sixth without."""
  for number, name in enumerate(("ann", "ben", "cat", "dan", "eva", "fay")):
    for k in range(2):
      _draw(tmp_path / "people" / name / f"{k}.png", number, 0.0)
      if name != "fay":
        _draw(tmp_path / "people" / name / "profile" / f"{k}.png", number, 78.0 * (-1) ** k)
  return tmp_path / "people"


def test_people_with_profiles_are_learnt_and_measured_on(folder, tmp_path):
  faces = source.Folder(str(folder), 32, str(tmp_path / "tfds"))
  train, heldout = faces.load("train"), faces.load("heldout")
  assert set(train.identity) == {0, 1, 2} and set(heldout.identity) == {0, 1}
  for part, people in ((train, 3), (heldout, 2)):
    assert [(part.kind == kind).sum() for kind in ("frontal", "profile", "simulated")] == [
        2 * people] * 3
  pairs = faces.pairs()
  assert pairs.same.sum() == 8 and (~pairs.same).sum() == 8 and set(pairs.fold) == {0, 1}
  np.testing.assert_array_equal(pairs.same, pairs.first[:, 0] == pairs.second[:, 0])
  with pytest.raises(ValueError, match="no split 'test'; it has train, heldout"):
    faces.load("test")
  with pytest.raises(ValueError, match="kind is 'FF'"):
    faces.pairs("FF")


def test_a_change_in_the_folder_makes_a_new_set(folder):
  before = builders.FolderConfig.of(folder, 32).name
  assert builders.FolderConfig.of(folder, 32).name == before
  assert builders.FolderConfig.of(folder, 64).name != before
  _draw(folder / "ann" / "9.png", 0, 0.0)
  assert builders.FolderConfig.of(folder, 32).name != before


def test_a_photograph_that_cannot_be_used_is_left_out_and_told_of(folder, capsys):
  (folder / "ann" / "broken.png").write_text("no image")
  images = builders.people(folder)["ann"]
  rows = builders.make(images, 0, 32)
  assert "left out" in capsys.readouterr().out
  assert [row["kind"] for row in rows].count("frontal") == 2


def test_a_person_without_a_usable_front_is_refused(tmp_path):
  _draw(tmp_path / "ann" / "profile" / "0.png", 0, 78.0)
  _draw(tmp_path / "ann" / "profile" / "1.png", 0, 78.0)
  with pytest.raises(ValueError, match="no photograph from the front .*profiles alone"):
    builders.make(builders.people(tmp_path)["ann"], 0, 32)


def test_folders_that_are_none_of_people_are_refused(tmp_path):
  with pytest.raises(ValueError, match="there is no folder"):
    builders.people(tmp_path / "none")
  with pytest.raises(ValueError, match="holds no folder with images"):
    builders.people(tmp_path)
  _draw(tmp_path / "ann" / "0.png", 0, 0.0)
  with pytest.raises(ValueError, match="ann has a single image, 0.png; a person needs two or more"):
    builders.people(tmp_path)


def test_too_few_people_with_profiles_are_refused(folder, tmp_path):
  for name in ("ann", "ben"):
    shutil.rmtree(folder / name / "profile")
  with pytest.raises(ValueError, match="has 3 people with photographs in a folder `profile`"):
    source.Folder(str(folder), 32, str(tmp_path / "tfds")).load("train")
