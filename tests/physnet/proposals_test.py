"""Tests of proposals: grids, cuts, boxes of masks, suppression; models are planted."""

import numpy as np
import pytest
import tensorflow as tf

from garden.physnet import proposals


class _Bright:
  """Looks for white on black: the mask is what is white, the score how well it is centred."""

  def look(self, patches):
    """The patches themselves."""
    return patches[..., 0]

  def mask(self, features):
    """What is white."""
    return tf.cast(features > 0.5, tf.float32)

  def score(self, features):
    """1 for a centred object of the right size, 0 from a tenth of the patch off."""
    boxes, valid = proposals.boxes_of_masks(
        self.mask(features), tf.tile([[0.0, 0.0, 1.0, 1.0]], [tf.shape(features)[0], 1]))
    middle = tf.reduce_max(tf.abs(0.5 * (boxes[:, :2] + boxes[:, 2:]) - 0.5), axis=-1)
    longer = tf.reduce_max(boxes[:, 2:] - boxes[:, :2], axis=-1)
    off = tf.maximum(middle, tf.abs(longer - proposals.OBJECT_SHARE))
    return tf.where(valid, tf.maximum(1.0 - 10.0 * off, 0.0), 0.0)


def _image(*boxes, side=64):
  image = np.zeros((side, side, 3), np.float32)
  for y0, x0, y1, x1 in boxes:
    image[y0:y1, x0:x1] = 1.0
  return image


def test_the_grid_covers_the_image_at_each_size():
  places = proposals.grid([0.2, 0.4], 1 / 7)
  side, middle = places[:, 2] - places[:, 0], 0.5 * (places[:, :2] + places[:, 2:])
  np.testing.assert_allclose(sorted(set(np.round(side, 4))), [0.35, 0.7])
  for s in (0.35, 0.7):
    line = np.unique(middle[np.isclose(side, s), 0].round(5))
    assert line[0] == 0 and line[-1] == 1 and np.diff(line).max() <= s / 7 + 1e-4


@pytest.mark.parametrize("sizes, step, message", [
    ([], 0.1, "object_sizes is empty"), ([0.0], 0.1, "object_sizes is 0.0"),
    ([0.2], 0.0, "step is 0.0"), ([0.2], 2, "step is 2")])
def test_bad_grids_are_refused(sizes, step, message):
  with pytest.raises(ValueError, match=message):
    proposals.grid(sizes, step)


def test_a_cut_of_the_whole_image_is_the_image():
  image = tf.random.stateless_uniform([1, 16, 16, 3], [0, 0])
  np.testing.assert_allclose(
      proposals.cut(image, tf.constant([[0.0, 0.0, 1.0, 1.0]]), tf.constant([0]), 16), image,
      atol=1e-5)
  quarter = proposals.cut(image, tf.constant([[0.5, 0.25, 1.0, 0.75]]), tf.constant([0]), 8)
  np.testing.assert_allclose(quarter, image[:, 8:, 4:12], atol=1e-5)


def test_a_cut_beyond_the_image_is_grey_there():
  found = proposals.cut(tf.ones([1, 8, 8, 1]), tf.constant([[-1.0, 0.0, 1.0, 2.0]]),
                        tf.constant([0]), 16)[0, ..., 0].numpy()
  expected = np.full((16, 16), 0.5)
  expected[8:, :8] = 1.0
  np.testing.assert_allclose(found, expected)


def test_the_box_of_a_mask_is_in_the_image():
  masks = np.zeros((3, 8, 8), np.float32)
  masks[0, 2:4, 1:7] = 0.9
  masks[1, 0, 0] = 0.9  # too few
  masks[2, :4] = 0.9  # outside of the image
  places = tf.constant([[0.2, 0.4, 0.6, 0.8], [0, 0, 1, 1], [-0.5, 0, 0.5, 1]], tf.float32)
  boxes, valid = proposals.boxes_of_masks(tf.constant(masks), places)
  np.testing.assert_array_equal(valid, [True, False, False])
  np.testing.assert_allclose(boxes[0], [0.3, 0.45, 0.4, 0.75], atol=1e-6)
  np.testing.assert_array_equal(boxes[1:], 0.0)


def test_overlaps():
  boxes = tf.constant([[[0, 0, 2, 2], [0, 1, 2, 3], [5, 5, 6, 6], [0, 0, 0, 0]]], tf.float32)
  np.testing.assert_allclose(proposals.overlaps(boxes, boxes)[0], [
      [1, 1 / 3, 0, 0], [1 / 3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]], atol=1e-6)


def test_suppression_drops_duplicates_and_low_scores():
  boxes = tf.constant([[[0, 0, .5, .5], [0, .02, .5, .52], [.5, .5, 1, 1], [0, .5, .5, 1]],
                       [[0, 0, 0, 0]] * 4], tf.float32)
  scores = tf.constant([[0.8, 0.9, 0.7, 0.3], [-1.0] * 4])
  index, valid = proposals.suppress(boxes, scores, most=3)
  np.testing.assert_array_equal(valid, [[True, True, False], [False] * 3])
  np.testing.assert_array_equal(index, [[1, 2, 0], [0, 0, 0]])
  index, valid = proposals.suppress(boxes, scores, most=6, overlap=0.99, least_score=0.0)
  np.testing.assert_array_equal(index[0], [1, 0, 2, 3, 0, 0])
  assert int(tf.reduce_sum(tf.cast(valid, tf.int32))) == 4


def test_a_planted_model_gives_the_planted_boxes():
  planted = [[(4, 6, 20, 22), (40, 30, 56, 44)], [(24, 24, 40, 40)], []]
  images = tf.constant(np.stack([_image(*boxes) for boxes in planted]))
  found = proposals.propose(_Bright(), images, proposals.grid([0.25]), size=32, most=4,
                            least_score=0.3)
  np.testing.assert_array_equal(tf.reduce_sum(tf.cast(found["valid"], tf.int32), 1), [2, 1, 0])
  assert found["boxes"].shape == (3, 4, 4) and found["masks"].shape == (3, 4, 32, 32)
  for number, boxes in enumerate(planted[:2]):
    told = found["boxes"][number][:len(boxes)].numpy() * 64
    told = told[np.argsort(told[:, 0])]
    np.testing.assert_allclose(told, boxes, atol=1.0)
  for name in ("boxes", "scores", "masks", "places"):
    np.testing.assert_array_equal(found[name].numpy()[~found["valid"].numpy()], 0.0)
  scores = found["scores"].numpy()
  assert (np.diff(scores, axis=1) <= 0).all()


def test_masks_are_pasted_where_they_were_seen():
  image = _image((4, 6, 20, 22), (40, 30, 56, 44))
  found = proposals.propose(_Bright(), tf.constant(image)[tf.newaxis], proposals.grid([0.25]),
                            size=32, most=4, least_score=0.3)
  painted = proposals.paste(found["masks"][0], found["places"][0], 64)
  assert painted.shape == (4, 64, 64)
  wrong = (tf.reduce_max(painted, 0).numpy() > 0.5) != (image[..., 0] > 0.5)
  assert wrong.mean() < 0.01
