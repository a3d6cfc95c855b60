"""Tests of CFP: its protocol, what is made of its photographs, who is in which split."""

import collections

import numpy as np
import pytest

from garden.datasets import face_pictures
from garden.datasets.cfp import cfp_dataset_builder as builders
from garden.datasets.cfp import protocol
from garden.datasets.cfp import source


def test_pairs_name_people_and_images_from_zero(small_cfp):
  pairs = protocol.read(str(small_cfp), "FP", (9, 10))
  assert set(pairs.fold) == {9, 10} and pairs.kinds == ("frontal", "profile")
  assert len(pairs) == 2 * (2 * 3 * 2 * 2)
  np.testing.assert_array_equal(pairs.same, pairs.first[:, 0] == pairs.second[:, 0])
  assert set(pairs.first[:, 0]) == {400, 401, 450, 451} and set(pairs.first[:, 1]) == {0, 1, 2}
  assert set(pairs.second[:, 1]) == {0, 1}


def test_folds_share_no_people():
  people = [set(protocol.people_of([fold])) for fold in range(1, 11)]
  assert set.union(*people) == set(range(500)) and sum(map(len, people)) == 500


def test_a_broken_protocol_is_refused(small_cfp, tmp_path):
  with pytest.raises(ValueError, match="kind is 'PP'"):
    protocol.read(str(small_cfp), "PP")
  with pytest.raises(ValueError, match="there is no .*Pair_list_F.txt; unpack the whole of CFP"):
    protocol.read(str(tmp_path))
  split = tmp_path / "Protocol" / "Split" / "FP" / "01"
  split.mkdir(parents=True)
  for letter, kind in (("F", "frontal"), ("P", "profile")):
    (tmp_path / "Protocol" / f"Pair_list_{letter}.txt").write_text(
        f"1 ../Data/Images/001/{kind}/01.jpg\n")
  (split / "same.txt").write_text("1,7\n")
  with pytest.raises(ValueError, match="the line '1,7' isn't two numbers of the lists"):
    protocol.read(str(tmp_path), folds=(1,))
  (tmp_path / "Protocol" / "Pair_list_F.txt").write_text("1 face.png\n")
  with pytest.raises(ValueError, match="isn't a number and a path"):
    protocol.read(str(tmp_path), folds=(1,))


def test_each_photograph_from_the_front_is_turned(small_cfp):
  rows = builders.make(small_cfp / "Data", "002", 32)
  assert collections.Counter(row["kind"] for row in rows) == {
      "frontal": 3, "profile": 2, "simulated": 3}
  assert {row["identity"] for row in rows} == {1}
  yaws = {kind: [row["yaw"] for row in rows if row["kind"] == kind] for kind in face_pictures.KINDS}
  assert yaws["frontal"] == [0, 0, 0] and yaws["profile"] == [75, -75]
  assert all(60 <= abs(yaw) <= 90 for yaw in yaws["simulated"])
  for row in rows:
    assert row["image"].shape == (32, 32, 3) and row["mask"].shape == (32, 32, 1)
    assert (row["visible"] <= row["mask"]).all()
    assert (row["visible"].max() > 0) == (row["kind"] == "simulated")


def test_profiles_lie_where_simulated_ones_do(small_cfp):
  # Faces stand out from what is around them on the same side.
  rows = builders.make(small_cfp / "Data", "003", 32)
  for row in rows:
    if row["kind"] == "simulated":
      share = row["mask"][..., 0].mean(axis=0) / 255.0
      ahead = share[-8:].mean() if row["yaw"] > 0 else share[:8].mean()
      behind = share[:8].mean() if row["yaw"] > 0 else share[-8:].mean()
      assert ahead < behind


def test_an_image_that_cannot_be_used_is_named(small_cfp, tmp_path):
  import shutil
  shutil.copytree(small_cfp / "Data", tmp_path / "Data")
  path = tmp_path / "Data" / "Fiducials" / "001" / "frontal" / "02.txt"
  path.write_text("900,900\n" * 30)
  with pytest.raises(ValueError, match="001/frontal/02.jpg: landmark .* outside of the image"):
    builders.make(tmp_path / "Data", "001", 32)


def test_splits_are_by_folds_and_pairs_fit_them(small_cfp, tmp_path):
  faces = source.CFP("cfp_32", str(small_cfp), str(tmp_path))
  train, heldout = faces.load("train"), faces.load("heldout")
  assert set(train.identity) == {0, 1, 2, 3} and set(heldout.identity) == {0, 1, 50, 51}
  pairs = faces.pairs()
  for side, kind in ((pairs.first, "frontal"), (pairs.second, "profile")):
    known = set(zip(heldout.of(kind).identity, heldout.of(kind).number))
    assert {tuple(pair) for pair in side} <= known
  with pytest.raises(ValueError, match="no split 'test'; it has train, heldout"):
    faces.load("test")
  with pytest.raises(ValueError, match="no config 'cfp_7' of CFP; there are cfp_32"):
    source.CFP("cfp_7", str(small_cfp), str(tmp_path)).load("train")


def test_without_a_folder_it_says_where_to_put_it(monkeypatch, tmp_path):
  monkeypatch.delenv("GARDEN_DATA_DIR", raising=False)
  with pytest.raises(ValueError, match="set GARDEN_DATA_DIR to the folder above cfp"):
    source.CFP().load("train")
  monkeypatch.setenv("GARDEN_DATA_DIR", str(tmp_path))
  with pytest.raises(ValueError, match="CFP isn't in .*cfp"):
    source.CFP().load("train")
