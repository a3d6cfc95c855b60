"""Tests of object proposals: squares, targets, the loss, local maxima."""

import numpy as np
import pytest
import tensorflow as tf

from garden.vda import proposals
from garden.worlds.towers import camera as camera_lib

pytestmark = pytest.mark.usefixtures("seeded")

_BOXES = np.array([[[0.6, 0.4, 0.8, 0.6], [0.42, 0.46, 0.62, 0.66]]], np.float32)


def test_a_square_is_so_many_blocks_high_around_the_middle(towers):
  found = proposals.squares(tf.constant(towers.camera)).numpy()
  np.testing.assert_allclose(0.5 * (found[:, :2] + found[:, 2:]), 0.5, atol=1e-6)
  np.testing.assert_allclose((found[:, 2] - found[:, 0]) / camera_lib.block_height(towers.camera),
                             proposals.SPAN, rtol=1e-5)


def test_squares_of_training_are_moved_by_their_seed(towers):
  camera = tf.constant(towers.camera)
  plain, one, again, other = (proposals.squares(camera, seed).numpy() for seed in (
      None, [0, 1], [0, 1], [0, 2]))
  np.testing.assert_array_equal(one, again)
  assert np.abs(one - other).max() > 0.01
  middle = 0.5 * (one[:, :2] + one[:, 2:])
  side = (one[:, 2] - one[:, 0]) / (plain[:, 2] - plain[:, 0])
  assert np.abs(middle - 0.5).max() <= 0.0601 and 0.86 < side.min() < side.max() < 1.17


def test_what_lies_in_a_square_is_cut_out_and_grey_outside():
  image = np.zeros([1, 40, 40, 3], np.float32)
  image[0, :20] = 1.0
  found = proposals.cut(tf.constant(image), tf.constant([[-0.5, 0.0, 1.5, 1.0]]), 16).numpy()[0]
  np.testing.assert_allclose(found[[1, 14]], 0.5, atol=1e-6)
  np.testing.assert_allclose(found[6], 1.0, atol=1e-6)
  np.testing.assert_allclose(found[10], 0.0, atol=1e-6)


def test_boxes_go_into_a_square_and_back():
  squares = tf.constant([[-0.5, 0.1, 1.5, 0.9]])
  inside = proposals.into(tf.constant(_BOXES), squares)
  np.testing.assert_allclose(inside[0, 0], [0.55, 0.375, 0.65, 0.625], atol=1e-6)
  np.testing.assert_allclose(proposals.out_of(inside, squares), _BOXES, atol=1e-6)


def test_targets_are_at_the_middles():
  near, middles, sides, classes = (value.numpy()[0] for value in proposals.targets(
      tf.constant(_BOXES), tf.constant([[True, True]]), tf.constant([[3, 1]]), 20))
  assert sorted(map(tuple, np.argwhere(middles))) == [(10, 11), (14, 10)]
  assert near[14, 10] > 0.45 and near[0, 0] < 1e-6 and near.max() <= 1.0
  np.testing.assert_allclose(sides[14, 10], [2.5, 2.5, 1.5, 1.5], atol=1e-4)
  assert classes[14, 10] == 3 and classes[10, 11] == 1


def test_a_block_that_is_not_there_has_no_target():
  near, middles, _, _ = proposals.targets(
      tf.constant(_BOXES), tf.constant([[True, False]]), tf.constant([[3, 0]]), 20)
  assert np.sum(middles) == 1.0 and near[0, 10, 11] < 0.1


def _perfect(boxes, present, classes, side=20, sure=9.0):
  _, middles, sides, kinds = proposals.targets(boxes, present, classes, side)
  return tf.concat([sure * (2.0 * middles - 1.0)[..., tf.newaxis], sides,
                    sure * tf.one_hot(kinds - 1, 4)], axis=-1)


def _both():
  return tf.constant(_BOXES), tf.constant([[True, True]]), tf.constant([[3, 1]])


def test_cells_that_tell_the_truth_are_decoded_to_it_and_cost_nothing():
  boxes, present, classes = _both()
  cells = _perfect(boxes, present, classes)
  found = proposals.decode(cells, 4)
  order = np.argsort(-found["boxes"][0, :2, 0].numpy())
  np.testing.assert_allclose(found["boxes"].numpy()[0, order], _BOXES[0], atol=1e-5)
  np.testing.assert_array_equal(found["color_class"].numpy()[0, order], [3, 1])
  np.testing.assert_array_equal(found["present"], [[True, True, False, False]])
  assert float(proposals.loss(cells, boxes, present, classes)[0]) < 1e-3


@pytest.mark.parametrize("channel", range(9))
def test_each_number_of_a_wrong_cell_costs(channel):
  boxes, present, classes = _both()
  cells = _perfect(boxes, present, classes).numpy()
  cells[0, 14, 10, channel] = -cells[0, 14, 10, channel] + (4.0 if channel in (5, 6, 8) else 0.0)
  worse = proposals.loss(tf.constant(cells), boxes, present, classes)
  assert float(worse[0]) > 1e-2 or channel in (5, 6, 8) and float(worse[0]) > 1e-4


def test_the_losses_gradient_raises_middles_and_lowers_the_rest():
  boxes, present, classes = _both()
  cells = tf.zeros([1, 20, 20, 9])
  with tf.GradientTape() as tape:
    tape.watch(cells)
    loss = proposals.loss(cells, boxes, present, classes)
  slope = tape.gradient(loss, cells)[0, ..., 0].numpy()
  assert slope[14, 10] < 0.0 and slope[10, 11] < 0.0 and slope[2, 2] > 0.0
  step = 1e-2
  for row, column in ((14, 10), (2, 2)):
    change = np.zeros([1, 20, 20, 9], np.float32)
    change[0, row, column, 0] = step
    up, down = (float(proposals.loss(cells + sign * change, boxes, present, classes)[0])
                for sign in (1.0, -1.0))
    assert (up - down) / (2 * step) == pytest.approx(slope[row, column], rel=0.02)


def test_an_image_without_a_block_has_a_finite_loss():
  boxes, _, _ = _both()
  found = proposals.loss(tf.zeros([1, 20, 20, 9]), boxes, tf.constant([[False, False]]),
                         tf.constant([[0, 0]]))
  assert np.isfinite(found).all() and float(found[0]) > 0.0


def test_only_the_best_of_neighbouring_cells_is_a_proposal():
  cells = np.full([1, 8, 8, 9], 0.0, np.float32)
  cells[..., 0] = -9.0
  cells[0, 3, 3, 0], cells[0, 3, 4, 0], cells[0, 6, 3, 0] = 4.0, 3.0, 2.0
  found = proposals.decode(tf.constant(cells), 4)
  np.testing.assert_array_equal(found["present"], [[True, True, False, False]])
  np.testing.assert_allclose(found["score"][0, :2], tf.nn.sigmoid([4.0, 2.0]), atol=1e-6)


def test_more_blocks_than_places_are_told():
  cells = np.full([2, 8, 8, 9], 0.0, np.float32)
  cells[..., 0] = -9.0
  for column in (1, 4, 6):
    cells[0, 3, column, 0] = 4.0
  cells[1, 3, 1, 0] = 4.0
  found = proposals.decode(tf.constant(cells), 2)
  np.testing.assert_array_equal(found["crowded"], [True, False])
  assert found["present"].shape == (2, 2)


def test_weights_that_are_not_finite_show_in_the_score():
  assert np.isnan(proposals.decode(tf.fill([1, 8, 8, 9], np.nan), 2)["score"]).any()


def test_a_layer_made_from_its_config_is_the_same():
  layer, images = proposals.Proposals(3, (4, 6, 8)), tf.random.stateless_uniform([2, 32, 32, 3],
                                                                                 [0, 0])
  assert layer(images).shape == (2, 8, 8, 8)
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  again(images)
  again.set_weights(layer.get_weights())
  np.testing.assert_array_equal(again(images), layer(images))
