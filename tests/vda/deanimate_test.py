"""Tests of taking a user's images apart: what is written, and what is refused."""

import json
import pathlib
import shutil

import numpy as np
import PIL.Image
import pytest

from garden.vda import deanimate
from garden.vda import recovered
from garden.worlds.towers import physics
from garden.worlds.towers import renderer
from garden.worlds.towers import scene


@pytest.fixture(scope="session")
def folder(vda_run):
  """Folder of a trained `vda/tiny.gin`. Shared: read it."""
  return vda_run[1]


@pytest.fixture(scope="session")
def model(folder):
  return deanimate.load(str(folder))[1]


@pytest.fixture(scope="session")
def looked(model):
  """What the tiny model sees in `_image`, by a given camera."""
  camera = deanimate.parse_camera("0.5,0.3,9,36,0.1,-0.2,1.4")
  found = deanimate.DeAnimator(model, camera)._look(
      {"image": _image()[None], "camera": camera[None]})
  return {name: value.numpy() for name, value in found.items()}


@pytest.fixture
def patched(model, looked, monkeypatch):
  """A `DeAnimator` of the tiny model that sees what it is told: fields of `_looked`."""
  def make(settle=False, refiner=None, **fields):
    take_apart = deanimate.DeAnimator(model, settle=settle, refiner=refiner)
    told = looked | {name: np.asarray(value, looked[name].dtype)[None]
                     for name, value in fields.items()}
    monkeypatch.setattr(take_apart, "_look", lambda inputs: {
        name: _Numbers(value) for name, value in told.items()})
    return take_apart
  return make


class _Numbers:
  def __init__(self, value):
    self._value = value

  def numpy(self):
    return self._value


def _stack(offsets):
  """Fields of a found state: blocks on each other with these offsets along y, of 4 places."""
  n = len(offsets)
  position = np.zeros([4, 3])
  position[:n, 1] = offsets
  position[:, 2] = np.arange(4) + 0.5
  rotation = np.tile([1.0, 0.0, 0.0, 0.0], (4, 1))
  return {"present": np.arange(4) < n, "position": position, "rotation": rotation,
          "size": np.full([4, 3], 0.5), "color": np.full([4, 3], 0.4),
          "color_class": np.where(np.arange(4) < n, np.arange(1, 5), 0),
          "boxes": np.stack([[0.75 - 0.16 * k, 0.4, 0.91 - 0.16 * k, 0.56] for k in range(4)])}


def _image(side=64):
  towers = scene.sample(1, seed=3)
  return renderer.render(towers.arrays(), side)["image"][0].numpy()


def _recovered(towers):
  return recovered.Recovered(
      towers, np.zeros([32, 32, 3], np.float32), np.zeros([16, 16], int), np.zeros([0, 4]), 0.1,
      0.5, 0.02, True, False, None)


def test_a_picture_is_taken_apart(patched):
  fields = _stack([0.0, 0.1, 0.9])
  found = patched(**fields)(_image())
  assert found.towers.count.tolist() == [3] and len(found.boxes) == 3
  assert found.margin < 0.0 and found.fall_probability > 0.5
  assert physics.simulate(found.towers, (4.0,)).fall.tolist() == [1]
  assert not found.camera_given and not found.refined and found.settled is None


def test_a_state_is_refined_and_drawn_again(patched):
  def shifted(state, camera, light, images):
    moved = np.array(state["position"])
    moved[:, 2, 1] -= 0.8
    state = {**state, "position": moved}
    return {name: _Numbers(np.asarray(value)) for name, value in {**state, "light": light}.items()}
  found = patched(refiner=shifted, **_stack([0.0, 0.1, 0.9]))(_image())
  assert found.refined and found.margin > 0.0
  np.testing.assert_allclose(found.towers.position[0, :3, 1], [0.0, 0.1, 0.1], atol=1e-6)
  assert np.isfinite(found.reconstruction_error)


def test_a_given_camera_is_that_of_the_scene(looked, patched):
  camera = [0.5, 0.3, 9.0, 36.0, 0.1, -0.2, 1.4]
  np.testing.assert_allclose(looked["camera"][0], camera)
  towers = patched(**_stack([0.0, 0.1]))(_image()).towers
  np.testing.assert_allclose(towers.camera_target[0], camera[4:])
  assert towers.camera_azimuth[0] == 0.5


@pytest.mark.parametrize(("fields", "message"), [
    ({"present": [False] * 4}, "no block was found; the image must show a stack of blocks"),
    ({"present": [True] * 4, "crowded": True},
     "more blocks than the model has places for, 4; cut the image down, or bind "
     "vda.Network.places = 6"),
    ({**_stack([0.0, 0.1]), "boxes": np.tile([0.5, 0.4, 0.66, 0.6], (4, 1))},
     "red and green are seen beside each other; the model knows stacks of one block a level"),
    ({"score": [np.nan] * 4}, "the numbers of the proposals aren't finite"),
    ({**_stack([0.0, np.nan])}, "position of block 1 of scene 0 is .*nan.* must be finite"),
    ({**_stack([0.0, 1.7])}, "block 1 of scene 0 floats 1 m above the floor; settled it would be "
     "at a height of 0.5 m.*--settle goes on")])
def test_what_cannot_be_a_scene_is_refused(patched, fields, message):
  with pytest.raises(ValueError, match=message):
    patched(**fields)(_image())


def test_a_floating_block_is_settled_if_that_is_wanted(patched):
  found = patched(settle=True, **_stack([0.0, 1.7]))(_image())
  assert found.settled.startswith("block 1 of scene 0 floats 1 m")
  np.testing.assert_allclose(found.towers.position[0, :2, 2], 0.5)
  assert found.margin is None and found.fall_probability == 0.0


@pytest.mark.parametrize(("text", "message"), [
    ("0,.3,9", "give seven numbers: azimuth,elevation,distance,fovy,x,y,z"),
    ("0,.3,9,a,0,0,1", "give seven numbers"),
    ("0,.3,-9,38,0,0,1", r"distance of the camera is -9; it must be in \[1, 1000\]"),
    ("nan,.3,9,38,0,0,1", "azimuth of the camera is nan"),
    ("0,.3,9,380,0,0,1", "fovy of the camera is 380")])
def test_a_camera_that_cannot_be_is_refused(text, message):
  with pytest.raises(ValueError, match=message):
    deanimate.parse_camera(text)


# The binary.


def _refused(result, *parts):
  code, _, err = result
  lines = [line for line in err.splitlines() if line]
  assert code == 2 and len(lines) == 1, err
  assert lines[0].startswith("deanimate: ")
  for part in parts:
    assert part in lines[0]


@pytest.fixture
def pictures(tmp_path):
  """A folder of a picture and of a file that is none."""
  where = tmp_path / "pictures"
  where.mkdir()
  PIL.Image.fromarray(np.round(255 * _image(80)).astype(np.uint8)).save(where / "a.png")
  (where / "b.png").write_bytes(b"no picture")
  return where


def test_the_binary_goes_on_after_an_image_that_cannot_be_read(
    binary, folder, pictures, tmp_path, monkeypatch):
  monkeypatch.setattr(deanimate.DeAnimator, "__call__",
                      lambda self, image: _recovered(scene.sample(1, seed=len(image))))
  code, out, err = binary("deanimate", f"--model_dir={folder}", f"--output={tmp_path / 'out'}",
                          "--seconds=0.2", "--camera=0,.3,9,38,0,0,1", str(pictures))
  assert code == 2 and "left out 1 of 2 images" in err and "b.png is not a readable" in err
  told = json.loads(out)
  assert told["image"].endswith("a.png") and len(told["blocks"]) == 2
  assert len(list((tmp_path / "out").iterdir())) == 5


def test_the_binary_tells_a_cause_once_with_its_first_images(
    binary, folder, pictures, tmp_path, monkeypatch):
  def nothing(self, image):
    raise ValueError("no block was found")
  monkeypatch.setattr(deanimate.DeAnimator, "__call__", nothing)
  for name in "cdef":
    shutil.copy(pictures / "a.png", pictures / f"{name}.png")
  code, out, err = binary("deanimate", f"--model_dir={folder}", f"--output={tmp_path / 'out'}",
                          str(pictures))
  assert code == 2 and not out and "left out 6 of 6 images" in err
  assert err.count("no block was found") == 1 and "d.png, 2 more: no block was found" in err


def test_the_untrained_model_sees_no_scene_or_writes_it(binary, folder, pictures, tmp_path):
  code, out, err = binary("deanimate", f"--model_dir={folder}", f"--output={tmp_path / 'out'}",
                          "--seconds=0.2", str(pictures / "a.png"))
  assert (code, bool(out)) in ((0, True), (2, False)), err
  assert out or "a.png: " in err


def test_mistakes_of_the_command_are_one_line(binary, folder, pictures, tiny_run, tmp_path):
  model_dir = f"--model_dir={folder}"
  _refused(binary("deanimate"), "--model_dir")
  _refused(binary("deanimate", model_dir), "give image files or folders")
  _refused(binary("deanimate", model_dir, str(tmp_path / "none.png")), "no image or folder",
           "none.png")
  _refused(binary("deanimate", model_dir, "--camera=1,2", str(pictures)), "camera is '1,2'")
  _refused(binary("deanimate", model_dir, "--seconds=0", str(pictures)), "seconds")
  _refused(binary("deanimate", model_dir, str(pictures / "b.png")), "b.png is not a readable")
  _refused(binary("deanimate", f"--model_dir={tmp_path}", str(pictures)), "holds no config.gin")
  _refused(binary("deanimate", f"--model_dir={tiny_run}", str(pictures)),
           "is a run of Clustering of garden/subspace", "vda/init.gin")


def test_a_checkpoint_of_another_stage_is_one_line(binary, folder, pictures, tmp_path):
  other = pathlib.Path(shutil.copytree(folder, tmp_path / "other"))
  text = (other / "config.gin").read_text()
  (other / "config.gin").write_text(
      text + "\nvda.Towers.stage = 'joint'\nvda.Towers.target = @train/towers.Stream()\n")
  _refused(binary("deanimate", f"--model_dir={other}", str(pictures)),
           "the checkpoint in", "is of 'init'", "its config is of stage 'joint'")
