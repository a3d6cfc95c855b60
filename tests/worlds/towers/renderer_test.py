"""The ray-caster against geometry done by hand, and its gradients against differences."""

import math

import numpy as np
import pytest
import tensorflow as tf

from garden.worlds.towers import camera
from garden.worlds.towers import renderer
from garden.worlds.towers import scene


def _scene(position, size=0.5, color=((1, 0, 0), (0, 1, 0), (0, 0, 1)), **fields):
  """One scene of a few blocks, seen from +x at a height of 1 m, 10 m away, sun overhead."""
  count = len(position)
  base = {
      "present": [[True] * count], "position": [position],
      "rotation": [[[1, 0, 0, 0]] * count], "size": np.full((1, count, 3), size),
      "color": [color[:count]], "color_class": [[3, 1, 2][:count]],
      "camera_azimuth": [0], "camera_elevation": [0], "camera_distance": [10],
      "camera_fovy": [math.degrees(2 * math.atan(0.2))], "camera_target": [[0, 0, 1]],
      "light_direction": [[0, 0, -1]], "light_diffuse": [0.5], "light_ambient": [0.4],
      "floor_color": [[[1, 1, 1], [0.5, 0.5, 0.5]]], "floor_scale": [1],
      "sky_color": [[0.2, 0.3, 0.9]]} | fields
  dtypes = {"present": bool, "color_class": np.int32}
  return {name: np.array(value, dtypes.get(name, np.float32)) for name, value in base.items()}


@pytest.fixture(scope="module")
def sampled():
  """Six towers with 2 to 4 blocks, one of them lying about."""
  towers = scene.sample(6, seed=5)
  position, rotation = towers.position.copy(), towers.rotation.copy()
  position[0, 1] = [1.2, 0.4, 0.7]
  rotation[0, 1] = np.array([0.8, 0.5, 0.2, 0.27]) / np.linalg.norm([0.8, 0.5, 0.2, 0.27])
  return towers.replace(position=position, rotation=rotation).arrays()


def test_a_block_from_the_side_is_a_known_rectangle():
  """Its near face is 9.5 m away, where 40 pixels are 3.8 m: 1 m is 10.53 of them."""
  out = renderer.render(_scene([[0, 0, 0.5]]), 40)
  half = 0.5 * 40 / 3.8
  middles = np.arange(40) + 0.5
  columns = np.abs(middles - 20) < half
  rows = (middles > 20) & (middles < 20 + 2 * half)
  np.testing.assert_array_equal(out["ids"][0], rows[:, None] & columns)
  # Overhead light doesn't reach the side: ambient alone.
  np.testing.assert_allclose(np.asarray(out["image"])[0][np.ix_(rows, columns)],
                             np.broadcast_to([0.4, 0, 0], (rows.sum(), columns.sum(), 3)),
                             atol=1e-6)


def test_depth_is_along_the_ray():
  fields = _scene([[0, 0, 0.5]])
  out = renderer.render(fields, 40)
  _, directions = camera.rays(fields, 40)
  block = np.asarray(out["ids"])[0] == 1
  along = -np.asarray(directions)[0, ..., 0]
  np.testing.assert_allclose(np.asarray(out["depth"])[0][block], (9.5 / along)[block], rtol=1e-5)
  floor = (np.asarray(out["ids"])[0] == 0) & (np.asarray(directions)[0, ..., 2] < -1e-3)
  np.testing.assert_allclose(np.asarray(out["depth"])[0][floor],
                             (-1.0 / np.asarray(directions)[0, ..., 2])[floor], rtol=1e-4)
  assert (np.asarray(out["depth"])[0, :20] == renderer.FAR).all()


def test_sky():
  image = renderer.render(_scene([[0, 0, 0.5]]), 40)["image"]
  want = np.broadcast_to([0.2, 0.3, 0.9], (20, 40, 3))
  np.testing.assert_allclose(image[0, :20], want, atol=1e-6)


def test_the_nearer_block_hides_the_farther():
  for order in ([[2, 0, 0.5], [0, 0, 0.5]], [[0, 0, 0.5], [2, 0, 0.5]]):
    ids = np.asarray(renderer.render(_scene(order), 40)["ids"])[0]
    assert set(np.unique(ids)) == {0, order.index([2, 0, 0.5]) + 1}


def test_an_absent_block_is_not_there():
  fields = _scene([[2, 0, 0.5], [0, 0, 0.5]], present=[[False, True]])
  for softness in (0.0, 1.0):
    out = renderer.render(fields, 24, softness)
    alone = renderer.render(_scene([[0, 0, 0.5]], color=((0, 1, 0),)), 24, softness)
    np.testing.assert_allclose(out["image"], alone["image"], atol=1e-5)
    np.testing.assert_array_equal(out["ids"] // 2, alone["ids"])


def test_lambert():
  """Light from the camera's side falls at 45 degrees on the near face and on the top."""
  fields = _scene([[0, 0, 0.5]], light_direction=[[-math.sqrt(0.5), 0, -math.sqrt(0.5)]],
                  camera_elevation=[0.4], camera_target=[[0, 0, 0.5]])
  out = renderer.render(fields, 40)
  colors = np.asarray(out["image"])[0][np.asarray(out["ids"])[0] == 1]
  np.testing.assert_allclose(colors[:, 0], 0.4 + 0.5 * math.sqrt(0.5), atol=1e-5)
  turned = renderer.render(fields | {"light_direction": np.float32([[0.6, 0, -0.8]])}, 40)
  reds = np.asarray(turned["image"])[0][..., 0][np.asarray(turned["ids"])[0] == 1]
  np.testing.assert_allclose(np.unique(reds.round(4)), [0.4, 0.8], atol=1e-4)


def _above(**fields):
  """A block seen from straight above the origin, 20 m up; rows are x and columns y."""
  return _scene([[0, 0, 2.5]], camera_elevation=[math.pi / 2], camera_distance=[20],
                camera_target=[[0, 0, 0]], floor_color=[[[1, 1, 1]] * 2], **fields)


def test_the_shadow_falls_where_geometry_says():
  """Light at 45 degrees: a block at height 2 to 3 darkens x from 1.5 to 3.5, y within .5."""
  fields = _above(light_direction=[[math.sqrt(0.5), 0, -math.sqrt(0.5)]])
  out = renderer.render(fields, 80)
  origin, directions = camera.rays(fields, 80)
  depth = np.asarray(out["depth"])[0, ..., None]
  points = np.asarray(origin)[0] + depth * np.asarray(directions)[0]
  floor = np.asarray(out["ids"])[0] == 0
  dark = (points[..., 0] > 1.5) & (points[..., 0] < 3.5) & (np.abs(points[..., 1]) < 0.5)
  assert (dark & floor).sum() > 50
  want = np.where(dark, 0.4, 0.4 + 0.5 * math.sqrt(0.5))
  np.testing.assert_allclose(np.asarray(out["image"])[0, ..., 0][floor], want[floor], atol=1e-5)
  bare = np.asarray(renderer.render(fields, 80, shadows=False)["image"])[0, ..., 0]
  np.testing.assert_allclose(bare[floor], 0.4 + 0.5 * math.sqrt(0.5), atol=1e-5)


def test_a_block_shades_the_one_below():
  fields = _scene([[0, 0, 0.5], [0, 0, 3]], camera_elevation=[0.5])
  out = renderer.render(fields, 60)
  lower = np.asarray(out["image"])[0, ..., 0][np.asarray(out["ids"])[0] == 1]
  np.testing.assert_allclose(lower, 0.4, atol=1e-5)


def test_the_checker():
  """Colours at tiles' middles; the tile in 0 < x, y < scale is of the first kind."""
  fields = _scene([[30, 0, 0.5]], camera_elevation=[math.pi / 2], camera_distance=[8],
                  camera_target=[[0, 0, 0]], floor_scale=[0.4])
  image = np.asarray(renderer.render(fields, 64)["image"])[0, ..., 0]
  tiles = np.array([[i, j] for i in range(-3, 3) for j in range(-3, 3)])
  points = np.concatenate([(tiles + 0.5) * 0.4, np.zeros((36, 1))], axis=1)
  pixels = np.floor(np.asarray(camera.project(fields, points[None], 64)[0])[0]).astype(int)
  want = np.where(tiles.sum(axis=1) % 2 == 0, 0.9, 0.45)
  np.testing.assert_allclose(image[pixels[:, 1], pixels[:, 0]], want, atol=1e-5)


def test_far_tiles_are_averaged():
  fields = _scene([[0, 30, 0.5]], camera_elevation=[0.05], floor_scale=[0.3])
  image = np.asarray(renderer.render(fields, 64)["image"])[0, ..., 0]
  horizon = int(np.flatnonzero(np.abs(image[:, 0] - 0.2) > 1e-3)[0])
  assert np.abs(image[horizon + 1] - 0.675).max() < 0.05


def test_scenes_of_a_batch_do_not_mix(sampled):
  whole = renderer.render(sampled, 24)
  for n in (0, 3, 5):
    one = renderer.render({name: value[n:n + 1] for name, value in sampled.items()}, 24)
    for name in whole:
      np.testing.assert_allclose(whole[name][n], one[name][0], atol=2e-5, err_msg=name)


@pytest.mark.parametrize("softness, jit", [(0.0, False), (0.0, True), (1.0, True)])
def test_compiled_is_plain(sampled, softness, jit):
  # XLA takes 4 s for soft shadows of four blocks.
  few = {name: value[:, :2] if name in ("present", "position", "rotation", "size", "color")
         else value for name, value in sampled.items()} if jit and softness else sampled
  plain = renderer.render(few, (20, 28), softness)
  draw = tf.function(lambda fields: renderer.render(fields, (20, 28), softness), jit_compile=jit)
  compiled = draw(few)
  # A pixel on an edge may be rounded to the other side.
  assert np.mean(np.asarray(compiled["ids"]) != plain["ids"]) < 1e-3
  assert np.mean(np.abs(compiled["image"] - plain["image"]).max(-1) > 1e-3) < 2e-3


def test_the_batch_may_be_of_unknown_size(sampled):
  spec = {name: tf.TensorSpec([None, *value.shape[1:]], value.dtype)
          for name, value in sampled.items()}
  draw = tf.function(lambda fields: renderer.render(fields, 16), input_signature=[spec])
  assert draw(sampled)["image"].shape == (6, 16, 16, 3)
  assert draw({name: value[:2] for name, value in sampled.items()})["ids"].shape == (2, 16, 16)


@pytest.mark.parametrize("softness", [0.0, 0.7])
def test_supersampling_is_the_mean_of_a_finer_picture(sampled, softness):
  out = renderer.render(sampled, 16, softness, supersampling=3)
  fine = np.asarray(renderer.render(sampled, 48, 3 * softness)["image"])
  np.testing.assert_allclose(out["image"], fine.reshape(6, 16, 3, 16, 3, 3).mean((2, 4)),
                             atol=1e-5)
  np.testing.assert_array_equal(out["ids"], renderer.render(sampled, 16)["ids"])


def test_soft_pictures_become_hard(sampled):
  hard = renderer.render(sampled, 48)
  errors = []
  for softness in (1.0, 0.1, 0.01):
    soft = renderer.render(sampled, 48, softness)
    np.testing.assert_array_equal(soft["ids"], hard["ids"])
    np.testing.assert_array_equal(soft["depth"], hard["depth"])
    errors.append(float(np.abs(soft["image"] - hard["image"]).mean()))
  assert errors[1] < 0.2 * errors[0] and errors[2] < 0.2 * errors[1] and errors[2] < 5e-4


def test_softness_may_be_a_tensor(sampled):
  draw = tf.function(lambda softness: renderer.render(sampled, 16, softness)["image"])
  np.testing.assert_allclose(draw(tf.constant(0.8)),
                             renderer.render(sampled, 16, 0.8)["image"], atol=1e-5)
  assert np.isfinite(draw(tf.constant(0.0))).all()


@pytest.fixture(scope="module")
def loss():
  """A smooth scalar of soft pictures, compiled, and its gradients."""
  pattern = np.random.default_rng(0).uniform(-1, 1, (1, 6, 6, 3)).astype(np.float32)
  pattern = tf.image.resize(pattern, (20, 20))

  def value(fields):
    image = renderer.render(fields, 20, 1.0)["image"]
    return tf.reduce_sum(image * pattern, axis=(1, 2, 3)) + tf.reduce_sum(
        image ** 2, axis=(1, 2, 3))

  @tf.function
  def gradients(fields, constant):
    with tf.GradientTape() as tape:
      tape.watch(fields)
      total = tf.reduce_sum(value({**constant, **fields}))
    return tape.gradient(total, fields)

  compiled = tf.function(value)

  def values(fields):
    """Of up to 24 scenes; always as many at once, since tracing takes seconds."""
    count = len(fields["position"])
    padded = {name: np.resize(array, (24, *array.shape[1:])) for name, array in fields.items()}
    return np.asarray(compiled(padded), np.float64)[:count]

  def slopes(fields):
    """Of up to 7 scenes, the same way."""
    count = len(fields["position"])
    padded = {name: tf.constant(np.resize(array, (7, *array.shape[1:])))
              for name, array in fields.items()}
    constant = {name: padded.pop(name) for name in ("present", "color_class")}
    return {name: np.asarray(value)[:count]
            for name, value in gradients(padded, constant).items()}

  return values, slopes


def _leaning():
  """Three blocks, one in front of another and one askew; the sun throws shadows on all."""
  turn = np.array([0.9, 0.3, -0.1, 0.3])
  return _scene([[1.2, 0.35, 0.55], [0, -0.2, 0.6], [0.1, 0.15, 1.7]],
                color=((0.7, 0.2, 0.1), (0.1, 0.6, 0.3), (0.3, 0.2, 0.8)),
                rotation=[[scene.yaw_quaternion(0.3), scene.yaw_quaternion(1.0),
                           turn / np.linalg.norm(turn)]],
                camera_azimuth=[0.2], camera_elevation=[0.3], camera_distance=[9],
                camera_fovy=[26], light_direction=[[0.36, -0.48, -0.8]])


_PARTS = ("position", "rotation", "size", "color", "camera_azimuth", "camera_elevation",
          "camera_distance", "camera_fovy", "camera_target", "light_direction", "light_diffuse",
          "light_ambient", "floor_color", "floor_scale", "sky_color")


def test_gradients_are_those_of_differences(loss):
  """Every number of a scene, one copy of the scene a difference, all in one batch."""
  value, gradients = loss
  fields = _leaning()
  tape = gradients(fields)
  for name in _PARTS:
    # Far tiles turn up and down within a few mm of the camera's way.
    step = 2e-4 if name.startswith(("camera", "floor_scale")) else 2e-3
    flat = fields[name].reshape(-1)
    moved = np.stack([flat + sign * step * np.eye(flat.size)[k]
                      for k in range(flat.size) for sign in (1, -1)])
    batch = {key: np.repeat(array, len(moved), axis=0) for key, array in fields.items()}
    batch[name] = moved.reshape(len(moved), *fields[name].shape[1:]).astype(np.float32)
    values = value(batch).reshape(-1, 2)
    want = (values[:, 0] - values[:, 1]) / (2 * step)
    got = tape[name].reshape(-1)
    assert np.abs(want).max() > 0.05, name
    np.testing.assert_allclose(got, want, rtol=0.03, atol=0.03 * np.abs(want).max() + 0.05,
                               err_msg=name)


def test_gradient_while_one_block_passes_in_front_of_another(loss):
  """The near block crosses the far one's outline: the edge between two blocks moves."""
  value, gradients = loss
  ways = np.linspace(-1.0, 1.0, 7)
  # The third block is absent: the compiled functions have three.
  fields = _scene([[1.5, 0, 0.9], [0, 0, 0.9], [0, 0, 9]], present=[[True, True, False]],
                  camera_elevation=[0.1], light_direction=[[-0.6, 0, -0.8]])
  fields = {name: np.repeat(array, 7, axis=0) for name, array in fields.items()}
  fields["position"][:, 0, 1] = ways
  got = gradients(fields)["position"]
  step = np.float32([[[0, 2e-3, 0], [0, 0, 0], [0, 0, 0]]])
  low, high = (value(fields | {"position": fields["position"] + sign * step})
               for sign in (-1, 1))
  want = (high - low) / 4e-3
  assert np.ptp(want) > 10
  np.testing.assert_allclose(got[:, 0, 1], want, atol=0.02 * np.ptp(want))


def test_gradients_point_the_right_way():
  """More red for a block that is redder, larger, or nearer to the camera."""
  fields = _scene([[0, 0, 1]], light_direction=[[-0.6, 0, -0.8]])
  names = ("color", "size", "camera_distance", "position")
  parts = {name: tf.constant(fields[name]) for name in names}
  with tf.GradientTape() as tape:
    tape.watch(parts)
    image = renderer.render({**fields, **parts}, 32, 0.7, shadows=False)["image"]
    red = tf.reduce_sum((image[..., 0] - image[..., 2]) * tf.cast(image[..., 1] < 0.29, tf.float32))
  slope = tape.gradient(red, parts)
  assert slope["color"][0, 0, 0] > 0 and slope["size"][0, 0, 1] > 0
  assert slope["position"][0, 0, 0] > 0 and slope["camera_distance"][0] < 0


def test_no_gradient_is_lost_to_infinity():
  """A camera that looks along the axes of blocks meets zeros in every slab."""
  fields = _scene([[0, 0, 0.5], [0, 0, 1.5]])
  for softness in (0.0, 1e-2, 1.0):
    parts = {name: tf.constant(fields[name]) for name in _PARTS}
    with tf.GradientTape() as tape:
      tape.watch(parts)
      total = tf.reduce_sum(renderer.render({**fields, **parts}, 21, softness)["image"] ** 2)
    found = tape.gradient(total, parts, unconnected_gradients="zero")
    for name, gradient in found.items():
      assert np.isfinite(gradient).all(), (name, softness)


@pytest.mark.parametrize("softness", [0.0, 1.0])
def test_a_colour_may_have_any_number_of_channels(sampled, softness):
  more = {name: np.concatenate([sampled[name], sampled[name][..., ::-1], sampled[name][..., :1]],
                               axis=-1) for name in ("color", "floor_color", "sky_color")}
  found = renderer.render(sampled | more, 24, softness)["image"]
  want = np.asarray(renderer.render(sampled, 24, softness)["image"])
  assert found.shape == (6, 24, 24, 7)
  np.testing.assert_allclose(found, np.concatenate([want, want[..., ::-1], want[..., :1]], -1),
                             atol=1e-6)


_WINDOWS = np.tile(np.float32([[0.25, 0.5, 0.75, 0.75]]), (6, 1))  # rows 8:24, columns 16:24 of 32


@pytest.mark.parametrize("softness", [0.0, 1.0])
def test_a_window_is_that_part_of_the_picture(sampled, softness):
  whole = renderer.render(sampled, 32, softness)
  part = renderer.render(sampled, (16, 8), softness, window=_WINDOWS)
  assert (np.asarray(part["ids"]) > 0).any()
  np.testing.assert_array_equal(part["ids"], whole["ids"][:, 8:24, 16:24])
  np.testing.assert_allclose(part["depth"], whole["depth"][:, 8:24, 16:24], rtol=1e-4)
  np.testing.assert_allclose(part["image"], whole["image"][:, 8:24, 16:24], atol=2e-3)


def test_a_window_of_more_pixels_is_a_finer_picture(sampled):
  fine = renderer.render(sampled, 64)
  part = renderer.render(sampled, (32, 16), window=_WINDOWS)
  np.testing.assert_array_equal(part["ids"], fine["ids"][:, 16:48, 32:48])
  soft = renderer.render(sampled, (32, 16), 1.0, window=_WINDOWS)["image"]
  want = renderer.render(sampled, 64, 1.0)["image"][:, 16:48, 32:48]
  np.testing.assert_allclose(soft, want, atol=2e-3)  # softness is in pixels of the window


def test_each_scene_has_a_window_of_its_own(sampled):
  windows = np.tile(np.float32([[0.0, 0.0, 0.5, 0.5]]), (6, 1))
  windows[3] += np.float32([0.5, 0.25, 0.5, 0.25])
  part = np.asarray(renderer.render(sampled, 16, window=windows)["ids"])
  whole = np.asarray(renderer.render(sampled, 32)["ids"])
  np.testing.assert_array_equal(part[3], whole[3, 16:, 8:24])
  np.testing.assert_array_equal(part[4], whole[4, :16, :16])


def test_masks_are_the_classes_of_ids(sampled):
  ids = np.asarray(renderer.render(sampled, 32)["ids"])
  classes = np.pad(sampled["color_class"], ((0, 0), (1, 0)))
  want = np.take_along_axis(classes, ids.reshape(6, -1), axis=1).reshape(ids.shape)
  np.testing.assert_array_equal(renderer.masks(sampled, 32), want)
  assert (want > 0).any(axis=(1, 2)).all()


def test_masks_at_times(sampled):
  shift = np.float32([[0, 0, 0], [0.3, -0.2, 0], [0, 0.6, 0.1]])
  position = sampled["position"][:, None] + shift[None, :, None]
  rotation = np.repeat(sampled["rotation"][:, None], 3, axis=1)
  found = renderer.masks_at(sampled, position, rotation, (20, 24))
  assert found.shape == (6, 20, 24, 3)
  for t in range(3):
    want = renderer.masks(sampled | {"position": position[:, t]}, (20, 24))
    np.testing.assert_array_equal(found[..., t], want)


def test_the_layer_is_render_and_comes_back_from_its_config(sampled):
  layer = renderer.TowerRenderer((12, 16), softness=0.5, supersampling=2, shadows=False)
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert again.get_config() == layer.get_config()
  want = renderer.render(sampled, (12, 16), 0.5, 2, shadows=False)
  for name in want:
    np.testing.assert_array_equal(layer(sampled)[name], want[name])
    np.testing.assert_array_equal(again(sampled)[name], want[name])


def test_saved_model(sampled, tmp_path):
  layer = renderer.TowerRenderer(16)
  spec = {name: tf.TensorSpec([None, *value.shape[1:]], value.dtype, name)
          for name, value in sampled.items()}
  module = tf.Module()
  module.layer = layer
  module.draw = tf.function(layer.call, input_signature=[spec])
  tf.saved_model.save(module, str(tmp_path))
  loaded = tf.saved_model.load(str(tmp_path)).draw(
      {name: tf.constant(value) for name, value in sampled.items()})
  for name, value in module.draw(sampled).items():
    np.testing.assert_array_equal(loaded[name], value)


@pytest.mark.parametrize("arguments, message", [
    ({"image_size": 0}, "image_size is 0"),
    ({"softness": -0.1}, "softness is -0.1; it must be at least 0"),
    ({"softness": math.nan}, "softness is nan"),
    ({"supersampling": 0}, "supersampling is 0"),
    ({"supersampling": 1.5}, "supersampling is 1.5")])
def test_bad_arguments(sampled, arguments, message):
  arguments = {"image_size": 8} | arguments
  with pytest.raises(ValueError, match=message):
    renderer.render(sampled, **arguments)
  with pytest.raises(ValueError, match=message):
    renderer.TowerRenderer(**arguments)


@pytest.mark.parametrize("name", ["present", "color", "sky_color", "camera_azimuth"])
def test_a_scene_that_lacks_a_field(sampled, name):
  fields = {key: value for key, value in sampled.items() if key != name}
  with pytest.raises(ValueError, match=f"scene lacks {name}"):
    renderer.render(fields, 8)
