"""Tests of the graphics engine: linear in paint, paint recovered, gradients of the error."""

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets.block_towers import arrays
from garden.vda import graphics
from garden.vda import losses
from garden.vda import state as state_lib
from garden.worlds.towers import camera as camera_lib
from garden.worlds.towers import renderer
from garden.worlds.towers import scene

_SIDE = 40
_COUNTS = (2, 3, 4)


def _sample(n=3, seed=3, total=1.0, counts=_COUNTS):
  """Towers whose ambient and diffuse light add up to `total`."""
  towers = scene.sample(n, seed, distribution=scene.Distribution(counts=counts))
  ambient = towers.light_ambient / (towers.light_ambient + towers.light_diffuse)
  return towers.replace(light_ambient=total * ambient, light_diffuse=total * (1.0 - ambient))


def _seen(towers):
  """The `(state, camera, light)` of towers, as tensors."""
  camera = np.stack([towers.camera_azimuth, towers.camera_elevation, towers.camera_distance,
                     towers.camera_fovy, *towers.camera_target.T], axis=1)
  state = {name: tf.constant(value) for name, value in state_lib.of_towers(towers).items()}
  return state, tf.constant(camera), tf.constant(arrays.light_numbers(towers))


def _paint(towers):
  """`[N, B + 3, 3]`, as `graphics.shares` orders it."""
  return np.concatenate([towers.color, towers.floor_color, towers.sky_color[:, None]], axis=1)


def _seen_well(share):
  """`[N, B + 3]` bool: what gives something to many pixels; the sky isn't in every picture."""
  return np.mean(np.square(share), axis=(1, 2)) > 0.003


def _moved(state, block, across, camera):
  """The state with one block moved to the camera's right by `across` metres."""
  step = state_lib.from_seen(tf.stack([across, 0.0])[tf.newaxis, tf.newaxis]
                             * tf.ones([len(camera), 1, 1]), camera[:, 0])
  one = tf.one_hot(block, state["present"].shape[1])[tf.newaxis, :, tf.newaxis]
  return {**state, "position": state["position"] + one * tf.pad(step, [[0, 0], [0, 0], [0, 1]])}


@pytest.mark.parametrize("softness", [0.0, 1.0])
def test_shares_add_up_to_the_picture_of_a_paint(softness):
  towers = _sample()
  share, ids = graphics.shares(*_seen(towers), _SIDE, softness)
  drawn = renderer.render(towers.arrays(), _SIDE, softness)
  assert share.shape == (3, _SIDE, _SIDE, 7)
  np.testing.assert_allclose(np.einsum("nhwk,nkc->nhwc", share, _paint(towers)), drawn["image"],
                             atol=1e-4)
  np.testing.assert_array_equal(ids, drawn["ids"])


def test_shares_do_not_depend_on_how_things_are_painted():
  state, camera, light = _seen(_sample())
  share, _ = graphics.shares(state, camera, light, 16)
  other, _ = graphics.shares({**state, "color": 1.0 - state["color"]}, camera, light, 16)
  np.testing.assert_array_equal(share, other)


def test_shares_of_a_window_are_those_of_the_whole_picture():
  state, camera, light = _seen(_sample())
  whole, _ = graphics.shares(state, camera, light, 32)
  window = tf.constant([[0.25, 0.5, 0.75, 0.75]] * 3)
  part, _ = graphics.shares(state, camera, light, (16, 8), window=window)
  np.testing.assert_allclose(part, whole[:, 8:24, 16:24], atol=1e-3)


@pytest.mark.parametrize("total", [1.0, 0.7])
def test_fitted_paint_is_the_true_paint_up_to_the_scale_of_the_light(total):
  towers = _sample(total=total)
  share, _ = graphics.shares(*_seen(towers), _SIDE)
  images = renderer.render(towers.arrays(), _SIDE)["image"]
  found = graphics.fit_paint(share, images, tf.ones([3, _SIDE, _SIDE])).numpy()
  true = _paint(towers) * np.array([total] * 6 + [1.0])[:, None]  # the sky gives its own light
  seen = _seen_well(share)
  assert seen.any(axis=0).all()
  np.testing.assert_allclose(found[seen], true[seen], atol=0.03)


def test_what_is_not_seen_is_painted_grey():
  towers = _sample()
  share, _ = graphics.shares(*_seen(towers), _SIDE)
  images = renderer.render(towers.arrays(), _SIDE)["image"]
  found = graphics.fit_paint(share, images, tf.ones([3, _SIDE, _SIDE])).numpy()
  np.testing.assert_allclose(found[:, :4][~towers.present], 0.5, atol=1e-5)


def test_pixels_without_focus_do_not_change_the_paint():
  towers = _sample()
  share, _ = graphics.shares(*_seen(towers), _SIDE)
  images = np.array(renderer.render(towers.arrays(), _SIDE)["image"])
  focus = np.ones([3, _SIDE, _SIDE], np.float32)
  focus[:, :, :8] = 0.0
  before = graphics.fit_paint(share, images, focus)
  images[:, :, :8] = 0.9
  np.testing.assert_allclose(graphics.fit_paint(share, images, focus), before, atol=1e-6)


def test_paint_fits_better_than_any_other():
  towers = _sample()
  share, _ = graphics.shares(*_seen(towers), 16)
  images = tf.random.stateless_uniform([3, 16, 16, 3], [0, 0])
  found = graphics.fit_paint(share, images, tf.ones([3, 16, 16]))

  def error(paint):
    # What `fit_paint` minimises, its ridge included.
    left = tf.einsum("nhwk,nkc->nhwc", share, paint) - images
    return np.mean(np.square(left), axis=(1, 2)).sum() + 1e-4 * np.square(paint - 0.5).sum()

  rng = np.random.default_rng(0)
  for _ in range(5):
    assert error(found) < error(found + 0.05 * rng.normal(size=found.shape).astype(np.float32))


def test_paint_has_the_gradient_of_finite_differences():
  rng = np.random.default_rng(0)
  share = tf.constant(rng.uniform(size=(1, 3, 3, 2)).astype(np.float32))
  images = tf.constant(rng.uniform(size=(1, 3, 3, 3)).astype(np.float32))
  direction = rng.normal(size=share.shape).astype(np.float32)
  size = tf.Variable(0.0)

  def value(size):
    paint = graphics.fit_paint(share + size * direction, images, tf.ones([1, 3, 3]))
    return tf.reduce_sum(tf.square(paint))

  with tf.GradientTape() as tape:
    found = value(size)
  slope = (value(1e-2) - value(-1e-2)) / 2e-2
  np.testing.assert_allclose(tape.gradient(found, size), slope, rtol=0.02)


def test_focus_is_on_the_tower_and_half_a_block_around_it():
  # Two blocks of .2 x .2: from .3 to .7 down, .4 to .6 across; room of .1.
  boxes = tf.constant([[[0.5, 0.4, 0.7, 0.6], [0.3, 0.4, 0.5, 0.6], [0.0, 0.0, 0.0, 0.0]]])
  found = graphics.focus_of(boxes, tf.constant([[True, True, False]]), 20, background=0.2)[0]
  middle = (np.arange(20) + 0.5) / 20
  near = ((np.abs(middle - 0.5) < 0.3)[:, None] & (np.abs(middle - 0.5) < 0.2)[None])
  np.testing.assert_allclose(found, np.where(near, 1.0, 0.2), atol=1e-6)


def test_focus_without_a_tower_is_alike_everywhere():
  found = graphics.focus_of(tf.zeros([1, 4, 4]), tf.zeros([1, 4], tf.bool), 8)
  assert len(np.unique(found)) == 1 and np.min(found) > 0


def _inputs(towers, images, size=_SIDE):
  state, camera, light = _seen(towers)
  boxes = camera_lib.boxes(towers.arrays(), 1)
  return {"state": state, "camera": camera, "light": light, "image": images,
          "focus": graphics.focus_of(boxes, state["present"], size)}


def _error(engine, inputs):
  return losses.reconstruction_error(engine(inputs)["image"], inputs["image"], inputs["focus"])


@pytest.mark.parametrize("softness, most", [(0.0, 0.025), (1.0, 0.035)])
def test_the_true_state_explains_its_image_and_a_moved_one_worse(softness, most):
  towers = _sample(6, seed=4, total=0.9)
  inputs = _inputs(towers, renderer.render(towers.arrays(), _SIDE, supersampling=2)["image"])
  engine = graphics.Graphics(_SIDE, softness)
  found = _error(engine, inputs).numpy()
  moved = {**inputs, "state": _moved(inputs["state"], 1, 0.25, inputs["camera"])}
  assert found.max() < most and (_error(engine, moved).numpy() > 1.15 * found).all()


def test_a_picture_has_the_colours_that_were_fitted():
  towers = _sample()
  inputs = _inputs(towers, renderer.render(towers.arrays(), _SIDE)["image"])
  found = graphics.Graphics(_SIDE, softness=0.0)(inputs)
  assert found["color"].shape == (3, 4, 3) and found["floor_color"].shape == (3, 2, 3)
  assert found["sky_color"].shape == (3, 3)
  paint = np.concatenate([found["color"], found["floor_color"], found["sky_color"][:, None]], 1)
  seen = _seen_well(found["shares"])
  np.testing.assert_allclose(paint[seen], _paint(towers)[seen], atol=0.03)
  assert np.min(found["image"]) >= 0.0 and np.max(found["image"]) <= 1.0


def test_the_error_pulls_a_block_to_where_it_is_seen():
  towers = _sample(4, seed=5, counts=(2,))
  inputs = _inputs(towers, renderer.render(towers.arrays(), _SIDE)["image"])
  engine, signs = graphics.Graphics(_SIDE, 1.0), []
  for offset in (-0.15, 0.15):
    across = tf.Variable(offset)
    with tf.GradientTape() as tape:
      error = tf.reduce_sum(_error(engine, {
          **inputs, "state": _moved(inputs["state"], 1, across, inputs["camera"])}))
    signs.append(np.sign(tape.gradient(error, across)))
  assert signs == [-1, 1]


def test_the_error_has_the_gradient_of_finite_differences():
  towers = _sample(2, seed=5)
  inputs = _inputs(towers, renderer.render(towers.arrays(), _SIDE)["image"])
  engine = graphics.Graphics(_SIDE, 1.0)

  def error(across):
    return tf.reduce_sum(_error(engine, {
        **inputs, "state": _moved(inputs["state"], 1, across, inputs["camera"])}))

  for offset in (0.1, -0.2):
    across = tf.Variable(offset)
    with tf.GradientTape() as tape:
      found = error(across)
    slope = (error(offset + 5e-3) - error(offset - 5e-3)) / 1e-2
    np.testing.assert_allclose(tape.gradient(found, across), slope, rtol=0.05)


def test_the_error_has_finite_gradients_to_light_and_camera():
  towers = _sample(2, seed=5)
  inputs = _inputs(towers, renderer.render(towers.arrays(), 24)["image"], 24)
  camera, light = tf.Variable(inputs["camera"]), tf.Variable(inputs["light"] + 0.1)
  with tf.GradientTape() as tape:
    error = tf.reduce_sum(_error(graphics.Graphics(24, 1.0), {
        **inputs, "camera": camera, "light": light}))
  for gradient in tape.gradient(error, [camera, light]):
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def test_the_layer_made_from_its_config_is_the_same():
  layer = graphics.Graphics(16, softness=0.5, shadows=False)
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert again.get_config() == layer.get_config()
  inputs = _inputs(_sample(), tf.random.stateless_uniform([3, 16, 16, 3], [0, 0]), 16)
  np.testing.assert_array_equal(again(inputs)["image"], layer(inputs)["image"])


@pytest.mark.parametrize("size", [0, 2.5])
def test_a_size_that_is_none_is_refused(size):
  with pytest.raises(ValueError, match=f"image_size is {size}"):
    graphics.Graphics(size)
