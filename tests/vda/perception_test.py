"""Tests of perception: pairs put together, the base placed, windows by the camera."""

import numpy as np
import pytest
import tensorflow as tf

from garden.vda import perception
from garden.vda import state as state_lib
from garden.worlds.towers import camera as camera_lib
from garden.worlds.towers import scene
from garden.worlds.towers import windows

pytestmark = pytest.mark.usefixtures("seeded")


def _state(towers):
  """What `assemble` makes of the true poses."""
  return perception.assemble(tf.constant(towers.poses), tf.constant(towers.valid),
                             tf.constant(towers.present), tf.constant(towers.camera[:, 0]))


def _full_boxes(towers, position, rotation):
  """Boxes around whole blocks, in [0, 1]."""
  return camera_lib.boxes({
      **camera_lib.unpack(towers.camera), "present": towers.present, "position": position,
      "rotation": rotation, "size": np.full_like(position, 0.5)}, 1)


def test_true_pairs_make_the_true_tower(towers):
  found = _state(towers)
  there = towers.present
  moved = found["position"].numpy() - found["position"][:, :1].numpy()
  true = towers.position[:, 0] - towers.position[:, 0, :1]
  np.testing.assert_allclose(moved[there], true[there], atol=1e-5)
  np.testing.assert_allclose(found["position"].numpy()[there][:, 2],
                             towers.position[:, 0][there][:, 2], atol=1e-5)
  yaw = state_lib.quarter(state_lib.yaw_of(found["rotation"]).numpy()
                          - scene.yaw_of(towers.rotation[:, 0]))
  np.testing.assert_allclose(yaw[there], 0.0, atol=1e-4)


def test_a_blocks_yaw_is_the_mean_of_what_its_pairs_say():
  poses = np.zeros([1, 2, 6], np.float32)
  for pair, (lower, upper) in enumerate([(0.0, 0.1), (0.3, 0.2)]):
    poses[0, pair, 2:] = [np.cos(4 * lower), np.sin(4 * lower), np.cos(4 * upper),
                          np.sin(4 * upper)]
  found = perception.assemble(poses, tf.ones([1, 2], tf.bool), tf.ones([1, 3], tf.bool),
                              tf.zeros([1]))
  np.testing.assert_allclose(state_lib.yaw_of(found["rotation"])[0], [0.0, 0.2, 0.2], atol=1e-6)


def test_a_lone_block_has_a_pose_and_a_finite_gradient():
  poses = tf.Variable(tf.zeros([1, 3, 6]))
  with tf.GradientTape() as tape:
    found = perception.assemble(poses, tf.zeros([1, 3], tf.bool),
                                tf.constant([[True, False, False, False]]), tf.constant([0.4]))
    loss = tf.reduce_sum(found["position"]) + tf.reduce_sum(found["rotation"])
  np.testing.assert_allclose(found["position"][0, 0], [0, 0, 0.5], atol=1e-6)
  np.testing.assert_allclose(tape.gradient(loss, poses), 0.0)


def test_the_base_is_placed_where_whole_boxes_are(towers):
  boxes = _full_boxes(towers, towers.position[:, 0], towers.rotation[:, 0])
  found = perception.place_base(_state(towers), boxes, tf.constant(towers.camera), steps=8)
  error = np.abs(found["position"].numpy() - towers.position[:, 0])[towers.present]
  assert error.max() < 0.05 and np.median(error) < 0.01


def test_the_base_is_placed_by_what_is_seen_of_blocks(towers):
  found = perception.place_base(_state(towers), tf.constant(towers.boxes),
                                tf.constant(towers.camera))
  azimuth = towers.camera[:, 0]
  error = (found["position"].numpy() - towers.position[:, 0])[:, 0]
  across = np.cos(azimuth) * error[:, 1] - np.sin(azimuth) * error[:, 0]
  away = -np.cos(azimuth) * error[:, 0] - np.sin(azimuth) * error[:, 1]
  assert np.median(np.abs(across)) < 0.03  # half a pixel of 64
  assert np.median(np.abs(away)) < 0.3


def test_the_place_has_the_gradient_of_finite_differences(towers):
  some = towers.take(np.arange(4))
  state, camera = _state(some), tf.constant(some.camera)
  boxes = _full_boxes(some, some.position[:, 0], some.rotation[:, 0])

  def across(value):
    return perception.place_base(state, boxes + value * tf.constant([0.0, 1.0, 0.0, 1.0]), camera,
                                 steps=8)["position"][:, 0, :2]

  value = tf.Variable(0.0)
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(across(value) ** 2)
  slope = (tf.reduce_sum(across(1e-3) ** 2) - tf.reduce_sum(across(-1e-3) ** 2)) / 2e-3
  # The steps' directions are taken as constant.
  np.testing.assert_allclose(tape.gradient(loss, value), slope, rtol=0.15)


def test_camera_numbers_know_the_rays_elevation(towers):
  side = 10
  _, rays = camera_lib.rays(camera_lib.unpack(towers.camera), side)
  row, column = 7, 2
  middle = np.array([(row + 0.5) / side, (column + 0.5) / side], np.float32)
  places = np.tile(np.concatenate([middle - 0.1, middle + 0.1]), (len(towers), 1, 1))
  found = perception.camera_numbers(places.astype(np.float32), towers.camera).numpy()[:, 0]
  np.testing.assert_allclose(found[:, 0], 2.0 * rays[:, row, column, 2], atol=1e-4)
  assert np.abs(found).max() < 3.0


def _tiny():
  return perception.Perception(filters=(4, 6, 8), size=32, pixels_per_block=12.0,
                               proposal_size=32)


def test_an_image_becomes_a_state(towers):
  layer = _tiny()
  images = tf.random.stateless_uniform([3, 64, 64, 3], [0, 0])
  found = layer({"image": images, "camera": tf.constant(towers.camera[:3])})
  shapes = {name: tuple(value.shape) for name, value in found.items()}
  assert shapes == {
      "present": (3, 4), "position": (3, 4, 3), "rotation": (3, 4, 4), "size": (3, 4, 3),
      "color": (3, 4, 3), "color_class": (3, 4), "score": (3, 4), "boxes": (3, 4, 4),
      "crowded": (3,), "poses": (3, 3, 6), "valid": (3, 3)}
  for value in found.values():
    assert value.dtype in (tf.bool, tf.int32) or np.isfinite(value).all()


def test_the_order_of_proposals_changes_nothing(towers):
  layer = _tiny()
  one = towers.take(np.flatnonzero(towers.count == 3)[:1])
  image = tf.random.stateless_uniform([1, 64, 64, 3], [0, 0])
  boxes, present = tf.constant(one.boxes), tf.constant(one.present)
  shuffled = tf.constant([2, 0, 3, 1])
  found = []
  for b, p in ((boxes, present), (tf.gather(boxes, shuffled, axis=1),
                                  tf.gather(present, shuffled, axis=1))):
    order = windows.level_order(b, p)
    b, p = (tf.gather(x, order, batch_dims=1) for x in (b, p))
    found.append(layer.look(image, tf.constant(one.camera), b, p))
  for name in ("position", "rotation", "present"):
    np.testing.assert_array_equal(found[0][name], found[1][name])


def _cells(boxes, classes, side=10, n_colors=4):
  """Cells `[1, c, c, 5 + K]` that tell of boxes in shares of the square, the first the surest."""
  cells = np.zeros([1, side, side, 5 + n_colors], np.float32)
  cells[..., 0] = -8.0
  for number, ((y0, x0, y1, x1), color) in enumerate(zip(boxes, classes)):
    row, column = int(side * (y0 + y1) / 2), int(side * (x0 + x1) / 2)
    middle = np.array([row, column]) + 0.5
    cells[0, row, column, 0] = 5.0 - number
    cells[0, row, column, 1:3] = middle - side * np.array([y0, x0])
    cells[0, row, column, 3:5] = side * np.array([y1, x1]) - middle
    cells[0, row, column, 4 + color] = 3.0
  return tf.constant(cells)


def test_blocks_are_proposed_from_the_lowest_up():
  boxes = [(0.2, 0.25, 0.45, 0.5), (0.7, 0.35, 0.95, 0.6), (0.45, 0.3, 0.7, 0.55)]
  image = np.zeros([1, 40, 40, 3], np.float32)
  image[0, 26:32, 12:18] = [0.9, 0.1, 0.2]
  square = tf.constant([[0.0, 0.0, 1.0, 1.0]])
  found = _tiny().propose(tf.constant(image), _cells(boxes, (4, 2, 1)), square)
  np.testing.assert_array_equal(found["color_class"], [[2, 1, 4, 0]])
  np.testing.assert_array_equal(found["present"], [[True, True, True, False]])
  np.testing.assert_allclose(found["boxes"][0], [boxes[1], boxes[2], boxes[0], [0.0] * 4],
                             atol=1e-5)
  assert not found["crowded"][0]
  np.testing.assert_array_equal(found["color"][0, 2:], 0.0)


def test_proposals_stand_in_the_image_not_in_their_square():
  box, square = (0.4, 0.4, 0.6, 0.6), tf.constant([[-0.5, -0.5, 1.5, 1.5]])
  found = _tiny().propose(tf.zeros([1, 40, 40, 3]), _cells([box], [1]), square)
  np.testing.assert_allclose(found["boxes"][0, 0], [0.3, 0.3, 0.7, 0.7], atol=1e-5)


def test_places_may_be_set_after_training(towers):
  layer = _tiny()
  inputs = {"image": tf.random.stateless_uniform([2, 64, 64, 3], [0, 0]),
            "camera": tf.constant(towers.camera[:2])}
  layer(inputs)
  before = layer.get_weights()
  layer.places = 6
  found = layer(inputs)
  assert found["position"].shape == (2, 6, 3) and len(layer.get_weights()) == len(before)


def test_true_pairs_and_boxes_build_the_true_tower_where_it_stands(towers):
  boxes = _full_boxes(towers, towers.position[:, 0], towers.rotation[:, 0])
  found = perception.build(tf.constant(towers.poses), tf.constant(towers.valid),
                           tf.constant(towers.present), boxes, tf.constant(towers.camera))
  assert set(found) == {"present", "position", "rotation", "size"}
  error = np.abs(found["position"].numpy() - towers.position[:, 0])[towers.present]
  assert np.median(error) < 0.02 and error.max() < 0.2


def test_standardized_images_do_not_depend_on_brightness_and_contrast():
  images = tf.random.stateless_uniform([3, 8, 8, 3], [0, 0])
  found = perception.standardized(images)
  np.testing.assert_allclose(np.mean(found, axis=(1, 2, 3)), 0.5, atol=1e-5)
  np.testing.assert_allclose(np.std(found, axis=(1, 2, 3)), 0.2, rtol=1e-2)
  np.testing.assert_allclose(perception.standardized(0.5 * images + 0.1), found, atol=5e-3)


def test_a_plain_image_is_standardized_to_grey():
  np.testing.assert_allclose(perception.standardized(tf.fill([1, 8, 8, 3], 0.9)), 0.5, atol=1e-4)


def test_colors_are_those_of_the_middles_of_boxes():
  images = np.zeros([1, 40, 40, 3], np.float32)
  images[0, 20:30, 10:20] = [0.9, 0.1, 0.2]
  boxes = tf.constant([[[0.45, 0.2, 0.8, 0.55], [0.0, 0.0, 0.2, 0.2]]])
  found = perception._mean_colors(tf.constant(images), boxes).numpy()
  np.testing.assert_allclose(found[0], [[0.9, 0.1, 0.2], [0, 0, 0]], atol=1e-5)


def test_a_layer_made_from_its_config_is_the_same(towers):
  layer = _tiny()
  inputs = {"image": tf.random.stateless_uniform([2, 64, 64, 3], [0, 0]),
            "camera": tf.constant(towers.camera[:2])}
  layer(inputs)
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert again.get_config() == layer.get_config()
  again(inputs)
  again.set_weights(layer.get_weights())
  np.testing.assert_array_equal(again(inputs)["position"], layer(inputs)["position"])


def test_poses_and_place_have_a_gradient_to_every_weight_of_the_pair_net(towers):
  layer, some = _tiny(), towers.take(np.arange(6))
  images = tf.random.stateless_uniform([6, 64, 64, 3], [0, 0])
  with tf.GradientTape() as tape:
    found = layer.look(images, tf.constant(some.camera), tf.constant(some.boxes),
                       tf.constant(some.present), training=True)
    loss = tf.reduce_sum(tf.square(found["position"])) + tf.reduce_sum(found["rotation"][..., 3])
  for gradient in tape.gradient(loss, layer.pair_net.trainable_variables):
    assert gradient is not None and np.isfinite(gradient).all()
