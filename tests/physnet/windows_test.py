"""Tests of windows: where they are cut, what they hold, how they make a tower."""

import numpy as np
import pytest
import tensorflow as tf

from garden.physnet import windows


@pytest.fixture(autouse=True)
def seeded():
  """The same first weights, whatever was tested before."""
  tf.keras.utils.set_random_seed(0)


def _again(layer):
  return tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))


def test_blocks_are_put_in_the_order_of_their_levels():
  boxes = tf.constant([[[0.2, 0, 0.4, 1], [0.0, 0, 0.0, 0], [0.6, 0, 0.8, 1], [0.4, 0, 0.6, 1]]])
  present = tf.constant([[True, False, True, True]])
  ordered, there = windows.level_order(boxes, present)
  np.testing.assert_allclose(ordered[0, :3, 0], [0.6, 0.4, 0.2])  # y points down
  assert there.numpy().tolist() == [[True, True, True, False]]


def test_the_order_of_levels_is_each_towers_own():
  boxes = tf.constant([[[0.1, 0, 0.2, 1], [0.5, 0, 0.6, 1]], [[0.5, 0, 0.6, 1], [0.1, 0, 0.2, 1]]])
  ordered, _ = windows.level_order(boxes, tf.ones([2, 2], tf.bool))
  np.testing.assert_array_equal(ordered[0], ordered[1])


def test_a_pair_is_the_box_around_both():
  boxes = tf.constant([[[0.5, 0.2, 0.8, 0.5], [0.3, 0.3, 0.6, 0.7], [0.0, 0.0, 0.0, 0.0]]])
  union, valid = windows.pairs(boxes, tf.constant([[True, True, False]]))
  np.testing.assert_allclose(union[0, 0], [0.3, 0.2, 0.8, 0.7])
  assert valid.numpy().tolist() == [[True, False]]


def test_a_window_is_square_around_the_pair_at_its_scale():
  # Heights of 2.25 blocks: a block is .1; 48 pixels of 24 a block are two blocks.
  found = windows.place(tf.constant([[0.4, 0.1, 0.625, 0.5]]), size=48, pixels_per_block=24.0)
  middle_y, middle_x = 0.5125, 0.3
  np.testing.assert_allclose(
      found, [[middle_y - 0.1, middle_x - 0.1, middle_y + 0.1, middle_x + 0.1]], atol=1e-6)


def test_a_windows_size_does_not_depend_on_the_pairs_width():
  found = windows.place(tf.constant([[0.4, 0.1, 0.6, 0.5], [0.4, 0.2, 0.6, 0.4]]))
  np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_twice_as_large_a_pair_has_twice_as_large_a_window():
  found = windows.place(tf.constant([[0.4, 0.4, 0.5, 0.5], [0.4, 0.4, 0.6, 0.6]])).numpy()
  side = found[:, 2:] - found[:, :2]
  np.testing.assert_allclose(side[1], 2 * side[0], rtol=1e-5)
  np.testing.assert_allclose(side[:, 0], side[:, 1], rtol=1e-5)


def test_what_is_painted_is_in_its_place_in_the_window():
  image = np.zeros([1, 65, 65, 3], np.float32)
  image[0, 16:33, 24:41] = [1.0, 0.0, 0.5]  # corners (16, 24), (32, 40) of 64
  box = tf.constant([[[0.25, 0.375, 0.5, 0.625]]])
  cut = windows.crop(tf.constant(image), box, tf.constant([[True]]), 17).numpy()
  np.testing.assert_allclose(cut[0], np.broadcast_to([1.0, 0.0, 0.5], (17, 17, 3)), atol=1e-5)
  wide = windows.crop(tf.constant(image), tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
                      tf.constant([[True]]), 65).numpy()
  np.testing.assert_allclose(wide, image, atol=1e-5)


def test_outside_of_the_image_a_window_is_grey():
  cut = windows.crop(tf.ones([1, 33, 33, 3]), tf.constant([[[-0.5, 0.0, 0.5, 1.0]]]),
                     tf.constant([[True]]), 33).numpy()
  np.testing.assert_allclose(cut[0, :16], 0.5)
  np.testing.assert_allclose(cut[0, 16:], 1.0, atol=1e-6)


def test_only_valid_windows_are_cut_each_from_its_own_image():
  images = tf.reshape(tf.constant([0.1, 0.2, 0.3]), [3, 1, 1, 1]) * tf.ones([3, 8, 8, 1])
  boxes = tf.tile(tf.constant([[[0.0, 0.0, 1.0, 1.0]]]), [3, 2, 1])
  valid = tf.constant([[True, False], [False, False], [True, True]])
  cut = windows.crop(images, boxes, valid, 4)
  np.testing.assert_allclose(cut[:, 0, 0, 0], [0.1, 0.3, 0.3], rtol=1e-5)


def test_no_valid_window_gives_an_empty_batch():
  cut = windows.crop(tf.ones([2, 8, 8, 3]), tf.zeros([2, 3, 4]), tf.zeros([2, 3], tf.bool), 4)
  assert cut.shape == (0, 4, 4, 3)


def test_the_context_of_a_window_in_the_middle():
  found = windows.context(tf.constant([[0.25, 0.25, 0.75, 0.75], [0.0, 0.5, 0.5, 1.0]]))
  np.testing.assert_allclose(found, [[0.0, 0.0, 0.5], [-1.0, 1.0, 0.5]])


def test_scatter_undoes_boolean_mask():
  values = tf.random.stateless_normal([3, 2, 5], [0, 0])
  valid = tf.constant([[True, False], [False, False], [True, True]])
  back = windows.scatter(tf.boolean_mask(values, valid), valid).numpy()
  np.testing.assert_array_equal(back, np.where(valid[..., None], values, 0.0))
  empty = windows.scatter(tf.zeros([0, 5]), tf.zeros([3, 2], tf.bool))
  np.testing.assert_array_equal(empty, np.zeros([3, 2, 5]))


def _mask():
  mask = np.zeros([2, 20, 10], np.int32)
  mask[0, 4:10, 0:5] = 1
  mask[0, 10:20, 5:10] = 3
  mask[1, 0:5, 0:10] = 2
  return mask


def test_boxes_of_painted_masks():
  boxes, present = windows.boxes_of_masks(tf.constant(_mask()), 5)
  assert present.numpy().tolist() == [[True, False, True, False], [False, True, False, False]]
  np.testing.assert_allclose(boxes[0, 0], [0.2, 0.0, 0.5, 0.5], rtol=1e-6)
  np.testing.assert_allclose(boxes[0, 2], [0.5, 0.5, 1.0, 1.0], rtol=1e-6)
  np.testing.assert_allclose(boxes[1, 1], [0.0, 0.0, 0.25, 1.0], rtol=1e-6)


def test_the_box_of_an_absent_class_is_zeros():
  boxes, present = windows.boxes_of_masks(tf.constant(_mask()), 5)
  np.testing.assert_array_equal(boxes[~present.numpy()], 0.0)


def test_single_pixels_of_noise_are_left_out_of_a_box():
  clean, noisy = _mask(), _mask()
  noisy[0, 0, 9], noisy[0, 18, 0] = 1, 1
  np.testing.assert_array_equal(windows.boxes_of_masks(tf.constant(noisy), 5)[0],
                                windows.boxes_of_masks(tf.constant(clean), 5)[0])


@pytest.mark.parametrize("height, there", [(4, False), (5, True)])
def test_a_class_too_thin_for_the_square_is_not_there(height, there):
  mask = np.zeros([1, 20, 20], np.int32)
  mask[0, 6:6 + height, 3:17] = 1
  assert windows.boxes_of_masks(tf.constant(mask), 2)[1].numpy().tolist() == [[there]]


def test_a_speck_far_away_does_not_widen_a_box():
  mask = np.zeros([1, 40, 40], np.int32)
  mask[0, 20:30, 20:30] = 1
  mask[0, 2:6, 2:6] = 1
  boxes, _ = windows.boxes_of_masks(tf.constant(mask), 2)
  np.testing.assert_allclose(boxes[0, 0], [0.5, 0.5, 0.75, 0.75])


def test_what_is_solid_keeps_its_corners():
  y, x = np.mgrid[:31, :31]
  diamond = (np.abs(y - 15) + np.abs(x - 15) <= 10).astype(np.float32)
  found = windows.solid(tf.constant(diamond[None, ..., None])).numpy()[0, ..., 0]
  assert found.sum() >= diamond.sum() - 8 and (found <= diamond).all()
  assert found[15, 5] == found[5, 15] == 1.0  # the tips


def test_noise_alone_is_no_block():
  mask = np.zeros([1, 20, 20], np.int32)
  mask[0, np.arange(20), np.arange(20)] = 1  # no row and no column has two
  boxes, present = windows.boxes_of_masks(tf.constant(mask), 2)
  assert present.numpy().tolist() == [[False]]
  np.testing.assert_array_equal(boxes, 0.0)


def test_a_towers_logit_is_the_logsumexp_of_its_interfaces():
  logits = tf.constant([[1.0, 2.0, -1.0]])
  found = windows.tower_logit(logits, tf.constant([[True, True, False]])).numpy()
  expected = np.log(np.exp(1.0) + np.exp(2.0) + np.exp(windows.STANDS))
  np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_a_lone_block_stands():
  found = windows.tower_logit(tf.constant([[9.0, 9.0]]), tf.constant([[False, False]]))
  np.testing.assert_allclose(found, [windows.STANDS])
  assert tf.sigmoid(found)[0] < 1e-5


def test_a_tower_without_places_for_interfaces_stands():
  np.testing.assert_allclose(
      windows.tower_logit(tf.zeros([2, 0]), tf.zeros([2, 0], tf.bool)), [windows.STANDS] * 2)


def test_raising_a_valid_interfaces_logit_raises_the_towers():
  logits = tf.constant([[1.0, 2.0, 5.0]])
  with tf.GradientTape() as tape:
    tape.watch(logits)
    found = windows.tower_logit(logits, tf.constant([[True, True, False]]))
  gradient = tape.gradient(found, logits).numpy()[0]
  assert 0 < gradient[0] < gradient[1] and gradient[2] == 0.0


@pytest.fixture
def head():
  head = windows.TopDownHead(units=16, state=8)
  features = tf.random.stateless_normal([2, 4, 5], [0, 1])
  valid = tf.constant([[True, True, True, False], [True, True, True, True]])
  head({"features": features, "valid": valid})
  return head, features.numpy(), valid


def test_the_head_says_something_of_each_interface_and_of_the_tower(head):
  head, features, valid = head
  found = head({"features": features, "valid": valid})
  assert {name: tuple(x.shape) for name, x in found.items()} == {
      "interfaces": (2, 4), "margins": (2, 4), "fall": (2,)}
  np.testing.assert_allclose(found["fall"], windows.tower_logit(found["interfaces"], valid))


def test_interfaces_that_are_not_there_change_nothing(head):
  head, features, valid = head
  before = head({"features": features, "valid": valid})
  features[0, 3] += 10.0
  after = head({"features": features, "valid": valid})
  np.testing.assert_array_equal(after["interfaces"][0, :3], before["interfaces"][0, :3])
  np.testing.assert_array_equal(after["margins"][0, :3], before["margins"][0, :3])
  np.testing.assert_array_equal(after["fall"], before["fall"])


def test_places_above_the_top_change_nothing(head):
  head, features, valid = head
  short = head({"features": features[:1, :3], "valid": valid[:1, :3]})
  long = head({"features": features[:1], "valid": valid[:1]})
  np.testing.assert_allclose(short["fall"], long["fall"], rtol=1e-5)


def test_what_is_above_changes_what_is_below_and_not_the_other_way_round(head):
  head, features, valid = head
  before = head({"features": features, "valid": valid})["interfaces"].numpy()
  moved = features.copy()
  moved[1, 2] += 1.0
  after = head({"features": moved, "valid": valid})["interfaces"].numpy()
  assert after[1, 3] == before[1, 3]  # above
  assert (after[1, :3] != before[1, :3]).all()  # itself and below
  np.testing.assert_array_equal(after[0], before[0])


def test_the_window_net_has_the_documented_outputs():
  net = windows.WindowNet((4, 6, 8))
  inputs = {"windows": tf.random.stateless_uniform([3, 32, 32, 3], [0, 0]), "context":
            tf.zeros([3, 3])}
  found = net(inputs)
  assert {name: tuple(x.shape) for name, x in found.items()} == {
      "h": (3, 128), "poses": (3, 6), "masks": (3, 8, 8, 4)}


@pytest.mark.parametrize("training", [False, True])
def test_the_window_net_takes_no_window(training):
  net = windows.WindowNet((4, 6, 8))
  nothing = {"windows": tf.zeros([0, 32, 32, 3]), "context": tf.zeros([0, 3])}
  for call in (net, tf.function(net)):
    found = call(nothing, training=training)
    assert {name: tuple(x.shape) for name, x in found.items()} == {
        "h": (0, 128), "poses": (0, 6), "masks": (0, 8, 8, 4)}


def test_windows_do_not_see_each_other():
  net = windows.WindowNet((4, 6, 8))
  x = tf.random.stateless_uniform([3, 16, 16, 3], [0, 0])
  together = net({"windows": x, "context": tf.ones([3, 3])})["h"]
  alone = net({"windows": x[1:2], "context": tf.ones([1, 3])})["h"]
  np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


def test_the_window_net_sees_the_context():
  net, images = windows.WindowNet((4, 6, 8)), tf.ones([2, 32, 32, 3])
  h = net({"windows": images, "context": tf.constant([[0.0, 0, 0], [1.0, -1, 1]])})["h"].numpy()
  assert np.abs(h[0] - h[1]).max() > 0.01


def test_the_segmenter_keeps_the_size():
  assert windows.Segmenter(3)(tf.zeros([2, 9, 11, 3])).shape == (2, 9, 11, 3)


def test_the_segmenter_sees_what_is_around_a_pixel():
  segmenter = windows.Segmenter(3)
  image = np.full([1, 96, 96, 3], 0.5, np.float32)
  before = segmenter(image).numpy()
  image[0, 48, 48] = 1.0
  rows = np.flatnonzero(np.abs(segmenter(image).numpy() - before)[0].max(axis=(1, 2)) > 1e-6)
  assert 20 < np.ptp(rows) and rows.min() >= 48 - 40 and rows.max() <= 48 + 40


_LAYERS = {
    "segmenter": (lambda: windows.Segmenter(3), lambda: tf.ones([1, 8, 8, 3])),
    "window net": (lambda: windows.WindowNet((4, 6, 8), n_classes=3), lambda: {
        "windows": tf.random.stateless_uniform([2, 16, 16, 3], [0, 0]),
        "context": tf.ones([2, 3])}),
    "head": (lambda: windows.TopDownHead(units=5, state=3), lambda: {
        "features": tf.ones([2, 3, 4]), "valid": tf.constant([[True, True, False]] * 2)}),
}


@pytest.mark.parametrize("kind", _LAYERS)
def test_a_layer_made_from_its_config_is_the_same(kind):
  make, inputs = _LAYERS[kind]
  layer, x = make(), inputs()
  expected = layer(x)
  again = _again(layer)
  assert again.get_config() == layer.get_config()
  again(x)
  again.set_weights(layer.get_weights())
  tf.nest.map_structure(np.testing.assert_array_equal, expected, again(x))


@pytest.mark.parametrize("kind", _LAYERS)
def test_outputs_are_float32_in_bfloat16_too(kind):
  tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
  make, inputs = _LAYERS[kind]
  for y in tf.nest.flatten(make()(inputs())):
    assert y.dtype == tf.float32 and np.isfinite(y).all()


def test_a_window_net_in_a_keras_model_is_saved_and_loaded(tmp_path):
  inputs = {"windows": tf.keras.Input([16, 16, 3], name="windows"),
            "context": tf.keras.Input([3], name="context")}
  model = tf.keras.Model(inputs, windows.WindowNet((4, 6, 8))(inputs))
  x = {"windows": tf.random.stateless_uniform([2, 16, 16, 3], [0, 0]), "context": tf.ones([2, 3])}
  model.save(tmp_path / "model.keras")
  again = tf.keras.models.load_model(tmp_path / "model.keras")
  tf.nest.map_structure(np.testing.assert_array_equal, model(x), again(x))
