"""Tests of the set of drawn faces: who is in it, and what each image shows."""

import collections

import numpy as np
import pytest

from garden.datasets.procedural_faces import arrays
from garden.datasets.procedural_faces import procedural_faces_dataset_builder as builders

_TINY = builders.Builder.BUILDER_CONFIGS[-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  return str(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def gallery(folder):
  return arrays.load_split("faces_tiny", "gallery", folder)


def test_each_person_has_its_images_of_each_kind(gallery):
  group = _TINY.groups["gallery"]
  assert set(gallery.identity) == set(range(group.people))
  for person in range(group.people):
    counts = collections.Counter(gallery.kind[gallery.identity == person])
    wanted = {kind: getattr(group, kind) for kind in builders.KINDS}
    wanted["truth"] = group.simulated * group.truth
    assert counts == {kind: count for kind, count in wanted.items() if count}
  assert gallery.image.shape[1:] == (32, 32, 3) and gallery.image.dtype == np.uint8


def test_what_is_read_is_what_was_made(gallery):
  made = builders.make(_TINY, "gallery", 1)
  read = gallery.take(gallery.identity == 1)
  for name in ("image", "mask", "visible", "yaw"):
    np.testing.assert_array_equal(np.stack([row[name] for row in made]), getattr(read, name))
  assert [row["kind"] for row in made] == list(read.kind)


def test_yaws_are_those_of_the_kinds(gallery):
  assert (gallery.of("frontal").yaw == 0).all()
  assert (np.abs(gallery.of("near").yaw) <= 20).all()
  turned = gallery.of("profile", "probe", "simulated").yaw
  assert (np.abs(turned) >= 60).all() and (np.abs(turned) <= 90).all()
  assert (turned > 0).any() and (turned < 0).any()


def test_only_simulated_images_have_a_part_that_the_photograph_shows(gallery):
  seen = gallery.visible.reshape(len(gallery), -1).max(axis=1)
  np.testing.assert_array_equal(seen > 0, gallery.kind == "simulated")
  assert (gallery.visible <= gallery.mask).all()
  assert (gallery.mask.reshape(len(gallery), -1).mean(axis=1) > 60).all()


def test_a_simulated_face_is_nearer_to_its_person_than_to_others():
  # The same light would give it away, so that skin and hair of true profiles are compared.
  config = builders.FacesConfig(name="few", size=32, groups={
      "train": builders.Group(people=6, frontal=1, profile=6, simulated=6)})
  rows = [builders.make(config, "train", person) for person in range(6)]

  def color(kind):
    found = []
    for person in rows:
      shown = [row for row in person if row["kind"] == kind]
      found.append(np.mean([row["image"][row["mask"][..., 0] == 255].mean(axis=0)
                            for row in shown], axis=0))
    return np.array(found)

  off = np.linalg.norm(color("simulated")[:, None] - color("profile")[None], axis=-1)
  assert np.diag(off).mean() < 0.8 * off.mean()


def test_the_truth_stands_beside_what_was_simulated(folder):
  heldout = arrays.load_split("faces_tiny", "heldout", folder)
  simulated, truth = heldout.of("simulated"), heldout.of("truth")
  np.testing.assert_array_equal(simulated.identity, truth.identity)
  np.testing.assert_array_equal(simulated.yaw, truth.yaw)
  one, two = simulated.mask.astype(float), truth.mask.astype(float)
  assert np.minimum(one, two).sum() > 0.75 * np.maximum(one, two).sum()
  both = (simulated.visible > 250) & (truth.mask == 255)

  def off(a, b):
    return np.abs(a.image.astype(float) - b.image)[both[..., 0]].mean()
  # The same person in the same light is nearer than another one.
  assert off(simulated, truth) < 0.6 * off(simulated, truth.take(np.roll(np.arange(len(truth)), 2)))


def test_splits_share_no_person(folder, gallery):
  others = [arrays.load_split("faces_tiny", split, folder) for split in ("train", "heldout")]
  assert [len(set(faces.identity)) for faces in others] == [8, 4]
  first = [faces.of("frontal").image[0] for faces in (gallery, *others)]
  assert not np.array_equal(first[0], first[1]) and not np.array_equal(first[1], first[2])


@pytest.mark.parametrize("fields, message", [
    ({"size": 8, "groups": {"train": builders.Group(people=1)}}, "size is 8"),
    ({"groups": {}}, "give people to one or more of gallery, train, heldout"),
    ({"groups": {"test": builders.Group(people=1)}}, "give people to one or more")])
def test_bad_configs_are_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    builders.FacesConfig(name="bad", **fields)


@pytest.mark.parametrize("fields, message", [
    ({"people": -1}, "people is -1"), ({"people": 1, "near": 1.5}, "near is 1.5"),
    ({"people": 1, "frontal": 0}, "frontal is 0: there is nothing to turn")])
def test_bad_groups_are_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    builders.Group(**fields)


def test_unknown_names_are_refused(folder, gallery):
  with pytest.raises(ValueError, match="no config 'faces_7' of procedural_faces; there are"):
    arrays.load_split("faces_7", "train", folder)
  with pytest.raises(ValueError, match="no split 'test'; it has gallery, train, heldout"):
    arrays.load_split("faces_tiny", "test", folder)
  with pytest.raises(ValueError, match="no split 'test'"):
    builders.make(_TINY, "test", 0)
  with pytest.raises(ValueError, match="no image of the kind 'sketch'; there are frontal"):
    gallery.of("sketch")
