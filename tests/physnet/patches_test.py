"""Tests of the patches that DeepMask learns from."""

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets.block_towers import stream
from garden.physnet import patches

_STILL = patches.Patches(shift=0.0, scale=0.0, mask_size=64)


@pytest.fixture(scope="module")
def batch(towers):
  """24 towers."""
  return next(iter(stream.in_order(towers, 24)))


def _sample(batch, number=0, settings=None):
  return patches.sample(batch, tf.constant([0, number]), settings or patches.Patches())


def _clearance(batch, found):
  places = tf.reshape(found["places"], [2, 24, -1, 4])
  return [patches.clearance(p, batch["boxes"], batch["present"], 16 / 224) for p in
          tf.unstack(places)]


def test_shapes_and_labels_are_balanced(batch):
  found = _sample(batch)
  assert found["image"].shape == (96, 64, 64, 3) and found["masks"].shape == (96, 56, 56)
  np.testing.assert_array_equal(found["objects"], [1] * 48 + [0] * 48)
  np.testing.assert_array_equal(found["tower"], np.tile(np.repeat(np.arange(24), 2), 2))


def test_without_jitter_the_block_is_in_the_middle_and_of_the_right_size(batch):
  found = _sample(batch, settings=_STILL)
  for mask in found["masks"].numpy()[:48]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    middle = (rows[[0, -1]].mean(), columns[[0, -1]].mean())
    np.testing.assert_allclose(middle, 31.5, atol=1.6)
    longer = max(np.ptp(rows), np.ptp(columns)) + 1
    assert longer == pytest.approx(64 * 128 / 224, abs=3.2)
    y, x = np.nonzero(mask)
    np.testing.assert_allclose([y.mean(), x.mean()], 31.5, atol=8)  # a block may hide another


def test_the_mask_is_of_the_chosen_block_alone(batch):
  found = _sample(batch, settings=_STILL)
  boxes = tf.gather_nd(batch["boxes"], tf.stack([found["tower"], found["block"]], axis=1)[:48])
  middle = 0.5 * (boxes[:, :2] + boxes[:, 2:])
  np.testing.assert_allclose(
      0.5 * (found["places"][:48, :2] + found["places"][:48, 2:]), middle, atol=1e-6)
  block = found["block"].numpy()
  assert (block[:48] >= 0).all() and (block[48:] == -1).all()
  present = batch["present"].numpy()[found["tower"].numpy()[:48], block[:48]]
  assert present.all()


def test_the_patch_shows_what_the_mask_is_of():
  ids = np.zeros((1, 64, 64), np.int32)
  ids[0, 16:32, 20:36] = 1
  image = np.full((1, 64, 64, 3), 0.25, np.float32) + 0.5 * (ids == 1)[..., None]
  batch = {"image": tf.constant(image, tf.float32), "ids": tf.constant(ids),
           "boxes": tf.constant([[[16, 20, 32, 36], [0, 0, 0, 0]]], tf.float32) / 64,
           "present": tf.constant([[True, False]])}
  found = _sample(batch, settings=_STILL)
  same = (found["image"][0, ..., 0].numpy() > 0.5) == (found["masks"][0].numpy() > 0.5)
  assert same.mean() > 0.98


@pytest.mark.parametrize("number", range(3))
def test_positives_are_within_the_jitter_and_negatives_off_every_block(batch, number):
  near, off = _clearance(batch, _sample(batch, number))
  assert np.max(near) <= 0.5 + 1e-5
  assert np.min(off) >= 1.0 - 1e-5


def test_clearance_is_the_shift_and_the_scale():
  boxes = tf.constant([[[0.4, 0.4, 0.6, 0.6], [0.0, 0.0, 0.0, 0.0]]])
  seen = tf.constant([[True, False]])
  side = 0.2 * 224 / 128

  def of(dy, dx, octaves):
    half = 0.5 * side * 2.0 ** octaves
    y, x = 0.5 + dy * side, 0.5 + dx * side
    return float(patches.clearance(
        tf.constant([[[y - half, x - half, y + half, x + half]]]), boxes, seen, 0.1)[0, 0])

  assert of(0, 0, 0) == pytest.approx(0, abs=1e-5)
  assert of(0.2, 0.1, 0) == pytest.approx(1, abs=1e-5)
  assert of(0, -0.1, 0) == pytest.approx(0.5, abs=1e-5)
  np.testing.assert_allclose([of(0, 0, 1), of(0, 0, -1), of(0.1, 0, -2)], [1, 1, 2], atol=1e-5)


def test_the_same_seed_gives_the_same_patches(batch):
  one, again, other = _sample(batch), _sample(batch), _sample(batch, 1)
  for name in one:
    np.testing.assert_array_equal(one[name], again[name])
  assert (one["places"] != other["places"]).numpy().any()


def test_outside_of_the_image_it_is_grey(batch):
  big = {**batch, "boxes": tf.tile(tf.constant([[[0.0, 0.0, 0.5, 0.5]]]), [24, 4, 1])}
  found = _sample(big, settings=_STILL)
  np.testing.assert_array_equal(found["image"][:48, 0, 0], 0.5)


@pytest.mark.parametrize("name, value", [("size", 8), ("mask_size", 0), ("per_tower", 0),
                                         ("shift", 0.5), ("scale", -1.0)])
def test_bad_settings_are_refused_by_name(name, value):
  with pytest.raises(ValueError, match=f"^{name} is {value}"):
    patches.Patches(**{name: value})
