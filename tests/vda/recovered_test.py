"""Tests of recovered scenes: their look, their numbers, what is written of them."""

import dataclasses
import json
import pathlib

import mujoco
import numpy as np
import PIL.Image
import pytest

from garden.vda import recovered
from garden.vda import state as state_lib
from garden.worlds.towers import physics
from garden.worlds.towers import scene


def _recovered(towers):
  return recovered.Recovered(
      towers, np.zeros([32, 32, 3], np.float32), np.zeros([16, 16], int), np.zeros([0, 4]), 0.1,
      0.5, 0.02, True, False, None)


@pytest.mark.parametrize("index", range(4))
def test_mujoco_opens_what_is_written_and_the_same_blocks_fall(tmp_path, index):
  towers = scene.sample(4, seed=11).take([index])
  told = recovered.write(_recovered(towers), str(tmp_path), "tower", seconds=4.0)
  model = mujoco.MjModel.from_xml_path(str(tmp_path / "tower.xml"))
  data = mujoco.MjData(model)
  start = data.qpos.reshape(-1, 7)[:, :3].copy()
  mujoco.mj_step(model, data, nstep=round(4.0 / physics.TIMESTEP))
  moved = np.linalg.norm(data.qpos.reshape(-1, 7)[:, :3] - start, axis=1) > 0.25
  motion = physics.simulate(towers, (4.0,))
  there = towers.present[0]
  expected = np.linalg.norm(motion.position[0, 0] - towers.position[0], axis=1)[there] > 0.25
  np.testing.assert_array_equal(moved, expected)
  assert told["future"]["falls"] == bool(motion.fall[0]) == expected.any()


def test_the_known_towers_both_fall_and_stand():
  assert set(physics.simulate(scene.sample(4, seed=11), (4.0,)).fall) == {0, 1}


def test_all_files_are_written_and_nothing_else(tmp_path):
  towers = scene.sample(1, seed=0)
  told = recovered.write(_recovered(towers), str(tmp_path / "new"), "tower", seconds=0.5)
  names = {"tower.json", "tower.xml", "tower_reconstruction.png", "tower_future.gif",
           "tower_future.png"}
  assert {path.name for path in (tmp_path / "new").iterdir()} == names
  assert {pathlib.Path(path).name for path in told["files"]} == names
  assert json.loads((tmp_path / "new" / "tower.json").read_text()) == told
  with PIL.Image.open(tmp_path / "new" / "tower_reconstruction.png") as image:
    assert image.width > 3 * image.height
  with PIL.Image.open(tmp_path / "new" / "tower_future.gif") as image:
    assert image.info["duration"] == 100


def test_a_scene_that_fails_half_way_leaves_what_was_there(tmp_path, monkeypatch):
  found = _recovered(scene.sample(1, seed=0))
  recovered.write(found, str(tmp_path), "tower", seconds=0.2)
  before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
  monkeypatch.setattr(physics, "mjcf", None)
  with pytest.raises(TypeError):
    recovered.write(dataclasses.replace(found, fall_probability=0.9), str(tmp_path), "tower",
                    seconds=0.2)
  assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_summary_has_the_scene_in_plain_numbers():
  towers = scene.sample(2, seed=0).take([1])  # 3 blocks
  told = _recovered(towers).summary()
  assert [block["color_name"] for block in told["blocks"]] == [
      scene.COLOR_NAMES[c - 1] for c in towers.color_class[0, :3]]
  np.testing.assert_allclose([b["position"] for b in told["blocks"]], towers.position[0, :3],
                             atol=1e-4)
  yaw = np.array([b["yaw_degrees"] for b in told["blocks"]])
  assert ((yaw >= 0) & (yaw < 90)).all()
  off = state_lib.quarter(np.radians(yaw) - scene.yaw_of(towers.rotation[0, :3]))
  np.testing.assert_allclose(off, 0.0, atol=1e-3)
  assert told["blocks"][0]["size"] == [1.0, 1.0, 1.0]
  assert told["camera"]["given"] and told["margin"] == 0.1
  json.dumps(told)


@pytest.mark.parametrize("seconds", [0.0, float("nan"), 61.0])
def test_a_future_must_have_a_length(tmp_path, seconds):
  with pytest.raises(ValueError, match="seconds is"):
    recovered.write(_recovered(scene.sample(1, seed=0)), str(tmp_path), "tower", seconds)
  assert not list(tmp_path.iterdir())


def test_recovered_towers_have_their_look_and_paint_within_its_range():
  towers = scene.sample(4, seed=0, max_blocks=4)
  found = recovered.towers({
      **state_lib.of_towers(towers), "color_class": towers.color_class,
      "camera": np.tile(np.float32([0.4, 0.3, 9.5, 38.0, 0.0, 0.0, 1.0]), (4, 1)),
      "light": np.tile(np.float32([0.1, 0.2, 0.4, 0.0]), (4, 1)),
      "floor_color": np.full([4, 2, 3], -0.01), "sky_color": np.full([4, 3], 1.02)})
  np.testing.assert_array_equal(found.sky_color, 1.0)
  np.testing.assert_array_equal(found.floor_color, 0.0)
  np.testing.assert_allclose(np.linalg.norm(found.light_direction, axis=-1), 1.0, atol=1e-6)
  np.testing.assert_allclose(found.light_ambient, 0.4)
  np.testing.assert_array_equal(found.color_class, towers.color_class)
  np.testing.assert_allclose(found.camera_azimuth, 0.4)
  scene.check(found)
