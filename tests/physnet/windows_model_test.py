"""Tests of PhysNet by windows."""

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets.block_towers import stream
from garden.physnet import settings
from garden.physnet.windows_model import PhysNetWindows

_SMALL = dict(filters=(8, 8, 16), size=32, pixels_per_block=12.0, segment_size=64)


def _model(steps=20, windows=None, **recipe):
  tf.keras.utils.set_random_seed(0)
  model = PhysNetWindows(settings.Windows(**{**_SMALL, **(windows or {})}), settings.Recipe(**{
      "pose_weight": 2.0, "margin_weight": 2.0, **recipe}), steps=steps)
  model(tf.zeros([1, 64, 64, 3]))
  model.look(tf.zeros([1, 64, 64, 3]), tf.constant([[[0.0, 0.0, 1.0, 1.0]] * 4]),
             tf.ones([1, 4], tf.bool))
  model.compile()
  return model


def _batch(towers, n):
  return next(iter(stream.in_order(towers, n)))


def test_outputs_have_their_shapes():
  found = _model()(tf.random.stateless_uniform([3, 64, 64, 3], [0, 1]))
  assert found["fall"].shape == (3,) and found["segments"].shape == (3, 64, 64, 5)
  assert found["boxes"].shape == (3, 4, 4) and found["interfaces"].shape == (3, 3)
  assert found["poses"].shape == (3, 3, 6)


def test_an_image_without_blocks_stands():
  found = _model().predict_towers(tf.fill([1, 64, 64, 3], 0.5))
  assert found["fall_probability"].shape == (1,)
  assert float(found["fall_probability"][0]) < 0.01 or int(found["count"][0]) > 1


def test_a_tower_is_the_sum_of_its_interfaces(towers):
  model, batch = _model(), _batch(towers, 6)
  found = model.look(batch["image"], batch["boxes"], batch["present"])
  logits = np.where(found["valid"], found["interfaces"], -np.inf)
  expected = np.logaddexp.reduce(np.concatenate([logits, np.full((6, 1), -12.0)], 1), axis=1)
  np.testing.assert_allclose(found["fall"], expected, rtol=1e-4)


def test_other_towers_in_the_batch_change_nothing(towers):
  model, batch = _model(), _batch(towers, 6)
  whole = model.look(batch["image"], batch["boxes"], batch["present"])["fall"]
  one = model.look(*(batch[name][4:5] for name in ("image", "boxes", "present")))["fall"]
  np.testing.assert_allclose(whole[4:5], one, rtol=1e-3, atol=1e-4)


def test_window_labels_are_the_lower_the_upper_and_other_blocks(towers):
  model, batch = _model(), _batch(towers, 12)
  found = model.look(batch["image"], batch["boxes"], batch["present"])
  labels = model.window_labels(batch["ids"], found["windows"], found["valid"]).numpy()
  assert labels.shape[1:] == (8, 8) and len(labels) == int(batch["valid"].numpy().sum())
  for picture in labels:
    rows = [np.nonzero(picture == k)[0].mean() for k in (1, 2)]
    assert rows[0] > rows[1]  # y points down: the lower block is below


def test_training_lowers_the_loss(towers):
  model = _model(steps=40, flip=False, noise=0.0)
  history = model.fit(stream.batches(towers.take(np.arange(16)), 16, 0)(0), steps_per_epoch=10,
                      epochs=4, verbose=0).history
  assert history["loss"][-1] < 0.8 * history["loss"][0]


def test_the_logged_terms_add_up(towers):
  model = _model()
  found = model.evaluate(stream.in_order(towers, 48), return_dict=True, verbose=0)
  terms = [value for name, value in found.items() if name.endswith("_loss")]
  assert len(terms) == 6 and found["loss"] == pytest.approx(sum(terms), rel=1e-5)


def test_the_segmenter_learns_from_its_share_of_the_batch(towers):
  batch = _batch(towers, 8)
  model = _model(windows={"segment_share": 0.25})
  terms, _ = model.losses_of(batch, training=False)
  changed = tf.concat([batch["segments"][:2], 1 + 0 * batch["segments"][2:]], axis=0)
  same, _ = model.losses_of({**batch, "segments": changed}, training=False)
  assert float(terms["segment_loss"]) == float(same["segment_loss"])


def test_towers_of_one_block_have_no_window():
  model = _model()
  present = tf.constant([[True, False, False, False]])
  found = model.look(tf.zeros([1, 64, 64, 3]), tf.zeros([1, 4, 4]), present)
  assert not found["valid"].numpy().any()
  assert float(found["fall"][0]) == pytest.approx(-12.0)
