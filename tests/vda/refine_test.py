"""Tests of refinement: unknowns there and back, the window, nearer to the truth than the start."""

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets.block_towers import arrays
from garden.vda import refine
from garden.vda import state as state_lib
from garden.worlds.towers import camera as camera_lib
from garden.worlds.towers import renderer
from garden.worlds.towers import scene

_SETTINGS = refine.Refinement(size=(40, 32), softness=(1.0, 0.6), sigma=(0.1, 0.05, 0.1),
                              noise=0.05)


@pytest.fixture(scope="module")
def seen():
  """Three towers of two blocks: `(state with boxes, camera, light, images)`."""
  towers = scene.sample(3, seed=7, distribution=scene.Distribution(
      counts=(2,), light_ambient=(0.3, 0.4), light_diffuse=(0.4, 0.5)))
  camera = np.stack([towers.camera_azimuth, towers.camera_elevation, towers.camera_distance,
                     towers.camera_fovy, *towers.camera_target.T], axis=1)
  state = {**state_lib.of_towers(towers), "boxes": camera_lib.boxes(towers.arrays(), 1)}
  images = renderer.render(towers.arrays(), 64, supersampling=2)["image"]
  state = {name: tf.constant(value) for name, value in state.items()}
  return state, tf.constant(camera), tf.constant(arrays.light_numbers(towers)), images


def _moved(state, camera, across, away=0.0, turn=0.0):
  """The state with the upper blocks moved as the camera sees it, and turned."""
  step = state_lib.from_seen(tf.constant([[[across, away]]] * len(camera)), camera[:, 0])
  position = state["position"] + tf.pad(step, [[0, 0], [1, 0], [0, 1]])
  yaw = state_lib.yaw_of(state["rotation"]) + tf.constant([0.0, turn])
  return {**state, "position": position, "rotation": state_lib.rotation_of(yaw)}


def _offsets(state, camera):
  """Offsets `[N, 2]` of the upper blocks, as the camera sees them."""
  return state_lib.as_seen(state["position"][:, 1, :2] - state["position"][:, 0, :2],
                           camera[:, 0]).numpy()


@pytest.fixture(scope="module")
def refined(seen):
  """`(start, what became of it)`: upper blocks .1 to the right of the truth and turned by .08."""
  state, camera, light, images = seen
  start = _moved(state, camera, 0.1, turn=0.08)
  return start, refine.Refiner(_SETTINGS)(start, camera, light, images)


def test_unpacking_undoes_packing(seen):
  state, camera, light, _ = seen
  x = refine.pack(state, camera, light)
  assert x.shape == (3, 3 * 2 + 4)
  fixed = {"present": state["present"], "size": state["size"], "camera": camera,
           "base": state["position"][:, 0], "height": state["position"][..., 2]}
  found, its_light = refine.unpack(x, fixed)
  np.testing.assert_allclose(found["position"], state["position"], atol=1e-5)
  np.testing.assert_allclose(np.abs(np.sum(found["rotation"] * state["rotation"], -1)), 1.0,
                             atol=1e-5)
  np.testing.assert_array_equal(its_light, light)


def test_packing_undoes_unpacking(seen):
  state, camera, light, _ = seen
  fixed = {"present": state["present"], "size": state["size"], "camera": camera,
           "base": state["position"][:, 0], "height": state["position"][..., 2]}
  x = np.random.default_rng(0).uniform(-0.4, 0.4, (3, 10)).astype(np.float32)
  x[:, 4:6] = 0.0  # the base's place is where it is
  found, its_light = refine.unpack(tf.constant(x), fixed)
  np.testing.assert_allclose(refine.pack(found, camera, its_light), x, atol=1e-5)


def test_the_numbers_are_offsets_as_the_camera_sees_them(seen):
  state, camera, light, _ = seen
  x = refine.pack(state, camera, light).numpy()
  np.testing.assert_allclose(x[:, :2], _offsets(state, camera), atol=1e-6)
  moved = refine.pack(_moved(state, camera, 0.2, -0.1), camera, light).numpy()
  np.testing.assert_allclose(moved - x, np.tile([0.2, -0.1] + [0.0] * 8, (3, 1)), atol=1e-5)


def test_empty_places_do_not_move_the_blocks(seen):
  state, camera, light, _ = seen
  wide = {name: tf.concat([value, 7 * tf.cast(tf.ones_like(value), value.dtype)], axis=1)
          for name, value in state.items() if name not in ("present", "boxes")}
  wide["present"] = tf.pad(state["present"], [[0, 0], [0, 2]])
  x = refine.pack(wide, camera, light).numpy()
  np.testing.assert_array_equal(x[:, [1, 2, 4, 5]], 0.0)
  np.testing.assert_allclose(x[:, [0, 3]], _offsets(state, camera), atol=1e-6)


@pytest.mark.parametrize("size", [(40, 32), (32, 32), (24, 48)])
def test_the_window_contains_the_tower_and_has_the_shape_of_its_size(seen, size):
  state, camera, _, _ = seen
  window = refine.window_of(state["boxes"], state["present"], camera, size).numpy()
  boxes = state["boxes"].numpy()
  assert (window[:, None, :2] < boxes[..., :2]).all()
  assert (window[:, None, 2:] > boxes[..., 2:]).all()
  sides = window[:, 2:] - window[:, :2]
  np.testing.assert_allclose(sides[:, 0] / sides[:, 1], size[0] / size[1], rtol=1e-5)
  # A third of a block around the tower and no more, on one axis at least.
  room = (sides - (boxes[..., 2:].max(1) - boxes[..., :2].min(1))).min(axis=1)
  height = (boxes[..., 2] - boxes[..., 0]).mean(axis=1)
  assert (room < height).all()


def test_a_window_without_a_tower_is_finite(seen):
  _, camera, _, _ = seen
  window = refine.window_of(tf.zeros([3, 2, 4]), tf.zeros([3, 2], tf.bool), camera, (40, 32))
  assert np.isfinite(window).all() and (window[:, 2:] > window[:, :2]).numpy().all()


def test_a_refined_state_is_nearer_to_the_truth(seen, refined):
  state, camera, _, _ = seen
  start, found = refined
  before, after = (np.abs(_offsets(s, camera) - _offsets(state, camera)) for s in refined)
  assert (after[:, 0] < 0.5 * before[:, 0]).all()
  yaw = [np.abs(state_lib.quarter(state_lib.yaw_of(s["rotation"])
                                  - state_lib.yaw_of(state["rotation"]))) for s in refined]
  assert yaw[1][:, 1].mean() < yaw[0][:, 1].mean()
  np.testing.assert_array_equal(found["position"][..., 2], start["position"][..., 2])


def test_a_refined_picture_is_nearer_to_its_image(refined):
  _, found = refined
  assert (found["reconstruction_error"].numpy() < 0.8 * found["error_before"].numpy()).all()


def test_all_else_of_a_state_stays(seen, refined):
  start, found = refined
  for name in ("present", "size", "color", "boxes"):
    np.testing.assert_array_equal(found[name], start[name])
  assert found["light"].shape == (3, 4)


def test_a_start_whose_picture_gets_no_better_is_kept(seen):
  state, camera, light, images = seen
  refiner = refine.Refiner(_SETTINGS)
  # A step that spoils the first and the last one.
  spoil = tf.constant([[1.0], [0.0], [1.0]])
  refiner._step = lambda x, *_: x + 0.2 * spoil
  refiner._error = refiner._cost
  found = refiner(state, camera, light, images)
  np.testing.assert_allclose(found["position"], state["position"], atol=1e-5)
  np.testing.assert_array_equal(found["light"], light)
  np.testing.assert_array_equal(found["reconstruction_error"], found["error_before"])


@pytest.mark.parametrize("settings, message", [
    ({"size": (112,)}, "size is .112,."), ({"sigma": (0.1, 0.1)}, "sigma .0.1, 0.1."),
    ({"softness": ()}, "softness ..; .*one softness or more"),
    ({"size": (112, 8)}, "size is 8; .* at least 16"), ({"size": (32.5, 32)}, "size is 32.5"),
    ({"softness": (1.0, 0.0)}, "softness is 0.0; .* above 0"),
    ({"sigma": (0.1, -0.1, 0.1)}, "sigma is -0.1; .* above 0"),
    ({"noise": 0.0}, "noise is 0.0"), ({"noise": float("nan")}, "noise is nan"),
    ({"longest": -1}, "longest is -1")], ids=str)
def test_settings_out_of_their_range_are_refused(settings, message):
  with pytest.raises(ValueError, match=message):
    refine.Refinement(**settings)
