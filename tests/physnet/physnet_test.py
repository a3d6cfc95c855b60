"""Tests of PhysNet and its siblings that see the whole image, or one crop of the tower."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import config
from garden.core import run
from garden.datasets.block_towers import stream
from garden.physnet import crop
from garden.physnet import settings
from garden.physnet.physnet import PhysNet
from garden.worlds.towers import windows

_SMALL = dict(filters=(8, 8, 16), squeeze=4, units=16, coarse=8, mask_filters=(8, 8, 8))


def _model(network=None, steps=20, **recipe):
  tf.keras.utils.set_random_seed(0)
  model = PhysNet(settings.Network(**{**_SMALL, **(network or {})}), settings.Recipe(**recipe),
                  image_size=56, steps=steps)
  model(tf.zeros([1, 56, 56, 3]))
  model.compile()
  model.optimizer.build(model.trainable_variables)
  return model


def test_outputs_have_their_shapes():
  outputs = _model()(tf.zeros([2, 56, 56, 3]))
  assert outputs["fall"].shape == (2,) and outputs["margin"].shape == (2,)
  assert outputs["masks"].shape == (2, 56, 56, 4, 5) and outputs["poses"].shape == (2, 3, 6)


def test_a_fall_only_net_has_no_masks():
  model = _model({"masks": "none"}, mask_weight=0.0)
  assert "masks" not in model(tf.zeros([1, 56, 56, 3]))
  assert set(model.predict_towers(tf.zeros([1, 64, 64, 3]))) == {"fall_probability"}


def test_the_low_rank_head_gives_masks_of_the_same_shape():
  model = _model({"masks": "low_rank", "rank": 4, "coarse_size": 14, "mask_squeeze": 2})
  assert model(tf.zeros([2, 56, 56, 3]))["masks"].shape == (2, 56, 56, 4, 5)


def test_training_lowers_the_loss(towers):
  model = _model(steps=40, learning_rate=3e-3, flip=False, noise=0.0)
  history = model.fit(stream.batches(towers.take(np.arange(16)), 16, 0)(0), steps_per_epoch=10,
                      epochs=4, verbose=0).history
  assert history["loss"][-1] < 0.7 * history["loss"][0]


def test_the_logged_terms_add_up(towers):
  model = _model(pose_weight=1.0, margin_weight=1.0, dice_weight=1.0)
  found = model.evaluate(stream.in_order(towers, 48), return_dict=True, verbose=0)
  terms = [found[name] for name in ("fall_loss", "mask_loss", "dice_loss", "margin_loss",
                                    "pose_loss")]
  assert all(value > 0 for value in terms)
  assert found["loss"] == pytest.approx(sum(terms), rel=1e-5)


def test_terms_without_weight_are_not_computed(towers):
  found = _model().evaluate(stream.in_order(towers, 48), return_dict=True, verbose=0)
  assert set(found) == {"loss", "accuracy", "fall_loss", "mask_loss"}


def test_interfaces_that_are_not_there_do_not_count(towers):
  model = _model(pose_weight=1.0)
  batch = next(iter(stream.in_order(towers, 12)))
  wrong = tf.where(batch["valid"][..., tf.newaxis], batch["poses"], 1e3)
  batch["image"] = model.shrink(batch["image"])
  terms, _ = model.losses_of(batch, training=False)
  changed, _ = model.losses_of({**batch, "poses": wrong}, training=False)
  assert float(terms["pose_loss"]) == float(changed["pose_loss"])


def test_a_step_is_a_function_of_the_seed(towers):
  def weights():
    model = _model()
    model.fit(stream.batches(towers, 8, 0)(0), steps_per_epoch=2, verbose=0)
    return model.get_weights()
  for a, b in zip(weights(), weights()):
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_images_of_any_size_are_shrunk_by_area():
  model = _model()
  images = tf.random.stateless_uniform([2, 112, 112, 3], [0, 0])
  small = tf.nn.avg_pool2d(images, 2, 2, "VALID")
  np.testing.assert_allclose(model.shrink(images), small, atol=1e-6)


def test_photometric_views_reach_the_network(towers):
  model = _model(photometric=0.5)
  assert len(model.views.all.layers) == 4 and model.views.background is None
  model.fit(stream.batches(towers, 8, 0)(0), steps_per_epoch=1, verbose=0)
  assert all(np.isfinite(w).all() for w in model.get_weights())


def test_it_trains_in_mixed_precision(towers):
  tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
  try:
    model = _model()
    history = model.fit(stream.batches(towers, 8, 0)(0), steps_per_epoch=2, verbose=0).history
    assert np.isfinite(history["loss"][0])
    assert model(tf.zeros([1, 56, 56, 3]))["masks"].dtype == tf.float32
  finally:
    tf.keras.mixed_precision.set_global_policy("float32")


def test_deepmask_and_physnet_of_the_table_have_as_many_parameters():
  def count(name):
    config.load([f"physnet/{name}.gin"])
    network = run.Run().experiment.model
    model = PhysNet(network, settings.Recipe())
    model(tf.zeros([1, 168, 168, 3]))
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)
  physnet, deepmask = count("physnet"), count("deepmask")
  assert abs(deepmask - physnet) / physnet < 0.01


@pytest.fixture
def cropped():
  """A network that sees a crop of 48x32 px, 10 px a block."""
  tf.keras.utils.set_random_seed(0)
  view = settings.Crop(size=(48, 32), pixels_per_block=10.0, segment_size=64)
  model = PhysNet(settings.Network(crop=view, filters=(8, 8, 16), squeeze=4, units=16, coarse=8,
                                   mask_filters=(8, 8)), settings.Recipe(), steps=40)
  model(tf.zeros([1, 64, 64, 3]))
  model.compile()
  model.optimizer.build(model.trainable_variables)
  return model


def test_a_crop_gives_masks_of_the_whole_image(cropped):
  outputs = cropped(tf.random.stateless_uniform([2, 64, 64, 3], [0, 1]))
  assert outputs["fall"].shape == (2,) and outputs["masks"].shape == (2, 56, 56, 4, 5)
  assert outputs["segments"].shape == (2, 64, 64, 5) and outputs["crop"].shape == (2, 4)


def test_what_is_far_from_the_crop_does_not_change_the_fall(cropped, towers):
  batch = next(iter(stream.in_order(towers, 4)))
  place = tf.constant([[0.3, 0.3, 0.7, 0.6]] * 4)
  outside = tf.pad(tf.zeros([4, 32, 24, 3]), [[0, 0], [16, 16], [18, 22], [0, 0]],
                   constant_values=0.5)
  before = cropped.look(batch["image"], place)["fall"]
  after = cropped.look(batch["image"] + outside, place)["fall"]
  np.testing.assert_allclose(before, after, atol=1e-5)


def test_training_on_crops_lowers_the_loss_and_teaches_the_segmenter(cropped, towers):
  history = cropped.fit(stream.batches(towers.take(np.arange(16)), 16, 0)(0), steps_per_epoch=10,
                        epochs=4, verbose=0).history
  assert history["loss"][-1] < 0.8 * history["loss"][0]
  assert history["segment_loss"][-1] < 0.8 * history["segment_loss"][0]


def test_training_cuts_at_the_true_boxes_and_use_at_the_segmenters(cropped, towers):
  batch = next(iter(stream.in_order(towers, 4)))
  truth = crop.place(batch["boxes"], batch["present"], (48, 32), 10.0)
  terms, _ = cropped.losses_of(batch, training=False)
  fall = cropped.look(batch["image"], truth)["fall"]
  expected = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(batch["fall"], tf.float32), fall)
  assert float(terms["fall_loss"]) == pytest.approx(float(tf.reduce_mean(expected)), rel=1e-4)
  used = cropped(batch["image"])["crop"]
  boxes, present = windows.boxes_of_masks(
      tf.argmax(cropped.segmenter(batch["image"]), -1), 5)
  np.testing.assert_allclose(used, crop.place(boxes, present, (48, 32), 10.0), atol=1e-5)
