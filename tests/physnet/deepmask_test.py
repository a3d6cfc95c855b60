"""Tests of DeepMask: its loss as published, its bottleneck, its sizes."""

import numpy as np
import pytest
import tensorflow as tf

from garden.physnet import deepmask

pytestmark = pytest.mark.usefixtures("seeded")


def _again(layer):
  return tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))


def _head(**changes):
  return deepmask.LowRankMaskHead(**{"size": 8, "rank": 3, "coarse_size": 4, "squeeze": 5,
                                     "n_classes": 3, "n_times": 2, **changes})


def _x(n=2, side=4, seed=0):
  return tf.random.stateless_normal([n, side, side, 6], [seed, 1])


@pytest.mark.parametrize("changes, shape", [
    ({}, (2, 8, 8, 2, 3)), ({"size": 4}, (2, 4, 4, 2, 3)), ({"size": 7}, (2, 7, 7, 2, 3)),
    ({"n_classes": 1, "n_times": 1}, (2, 8, 8, 1, 1))], ids=str)
def test_masks_have_the_size_that_was_asked_for(changes, shape):
  assert _head(**changes)(_x()).shape == shape


def test_the_published_head_has_the_published_sizes():
  head = deepmask.LowRankMaskHead()
  head.build([None, 14, 14, 512])
  head(tf.zeros([1, 14, 14, 512]))
  assert {tuple(v.shape) for v in head.trainable_variables if len(v.shape) > 1} == {
      (1, 1, 512, 128), (14 * 14 * 128, 512), (512, 56 * 56)}


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_the_masks_of_all_patches_are_in_a_space_of_the_rank(rank):
  logits = _head(rank=rank, size=4)(_x(20)).numpy().reshape(20, -1)
  assert np.linalg.matrix_rank(logits[1:] - logits[0], tol=1e-4) == rank


def test_a_rank_above_that_of_the_patches_does_not_bind():
  logits = _head(rank=60, size=4)(_x(20)).numpy().reshape(20, -1)
  assert np.linalg.matrix_rank(logits[1:] - logits[0], tol=1e-4) == 19


def test_there_is_nothing_but_linear_maps_after_the_code():
  head, x = _head(size=4), _x(3)
  head(x)
  flat = head.flatten(head.convolution(x))
  (w1, b1), (w2, b2) = head.code.get_weights(), head.masks.get_weights()
  np.testing.assert_allclose(tf.reshape(head(x), [3, -1]), (flat @ w1 + b1) @ w2 + b2, atol=1e-4)


def test_the_large_mask_is_the_coarse_one_interpolated():
  head, x = _head(), _x()
  large = head(x)
  coarse = _head(size=4)
  coarse(x)
  coarse.set_weights(head.get_weights())
  flat = tf.reshape(coarse(x), [2, 4, 4, 6])
  np.testing.assert_allclose(large, tf.reshape(tf.image.resize(flat, [8, 8]), large.shape),
                             atol=1e-5)


@pytest.mark.parametrize("name", ["size", "rank", "coarse_size", "squeeze", "n_classes", "n_times"])
def test_sizes_below_1_are_refused_by_name(name):
  with pytest.raises(ValueError, match=f"^{name} is 0; it must be at least 1"):
    _head(**{name: 0})


def test_the_score_is_a_logit_a_patch():
  head = deepmask.ScoreHead((4, 5))
  assert head(_x(3)).shape == (3,)
  assert [tuple(v.shape) for v in head.trainable_variables] == [
      (2 * 2 * 6, 4), (4,), (4, 5), (5,), (5, 1), (1,)]


def test_dropout_is_for_training_alone():
  head, x = deepmask.ScoreHead((40, 50)), _x(3)
  np.testing.assert_array_equal(head(x), head(x, training=False))
  assert (head(x, training=True) != head(x)).numpy().any()
  still = deepmask.ScoreHead((4, 5), dropout=0.0)
  np.testing.assert_array_equal(still(x, training=True), still(x))


@pytest.mark.parametrize("dropout", [-0.1, 1.5])
def test_a_dropout_that_is_none_is_refused(dropout):
  with pytest.raises(ValueError, match=str(dropout)):
    deepmask.ScoreHead(dropout=dropout)


@pytest.mark.parametrize("make", [_head, lambda: deepmask.ScoreHead((4, 5), 0.2)],
                         ids=["masks", "score"])
def test_a_layer_made_from_its_config_is_the_same(make):
  layer, x = make(), _x()
  expected = layer(x)
  again = _again(layer)
  assert again.get_config() == layer.get_config()
  again(x)
  again.set_weights(layer.get_weights())
  np.testing.assert_array_equal(again(x), expected)


@pytest.mark.parametrize("make", [_head, lambda: deepmask.ScoreHead((4, 5))],
                         ids=["masks", "score"])
def test_heads_work_in_bfloat16(make):
  tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
  found = make()(_x())
  assert found.dtype in (tf.bfloat16, tf.float32) and np.isfinite(tf.cast(found, tf.float32)).all()


_RNG = np.random.default_rng(0)
_F = _RNG.normal(size=(4, 3, 3)).astype(np.float32)
_SCORES = _RNG.normal(size=4).astype(np.float32)
_MASKS = _RNG.integers(0, 2, (4, 3, 3))
_OBJECTS = np.array([1, 0, 1, 0])


def _loss(f=_F, scores=_SCORES, **kwargs):
  return deepmask.deepmask_loss(tf.constant(f), tf.constant(scores), tf.constant(_MASKS),
                                tf.constant(_OBJECTS), **kwargs)


def test_the_loss_is_the_papers_with_labels_of_plus_and_minus_1():
  m, y = 2.0 * _MASKS - 1.0, 2.0 * _OBJECTS - 1.0
  mask = np.mean([(1 + y[k]) / 2 * np.mean(np.log1p(np.exp(-m[k] * _F[k]))) for k in range(4)])
  score = np.mean(np.log1p(np.exp(-y * _SCORES)))
  np.testing.assert_allclose(_loss(), [mask, score / 32], rtol=1e-5)
  np.testing.assert_allclose(_loss(score_weight=2.0), [mask, 2 * score], rtol=1e-5)


def _gradients():
  f, scores = tf.constant(_F), tf.constant(_SCORES)
  with tf.GradientTape() as tape:
    tape.watch([f, scores])
    loss = tf.add_n(_loss(f, scores))
  return [g.numpy() for g in tape.gradient(loss, [f, scores])]


def test_masks_without_an_object_have_no_gradient():
  f, scores = _gradients()
  np.testing.assert_array_equal(f[_OBJECTS == 0], 0.0)
  assert (f[_OBJECTS == 1] != 0).all() and (scores != 0).all()


def test_gradients_push_logits_towards_their_labels():
  f, scores = _gradients()
  np.testing.assert_array_equal(np.sign(scores), 1 - 2 * _OBJECTS)
  seen = _OBJECTS == 1
  np.testing.assert_array_equal(np.sign(f[seen]), 1 - 2 * _MASKS[seen])


def test_gradients_are_the_finite_differences():
  f, scores = _gradients()
  for place in [(0, 1, 2), (2, 0, 0), (3, 2, 1)]:
    up, down = _F.copy(), _F.copy()
    up[place] += 1e-2
    down[place] -= 1e-2
    slope = (tf.add_n(_loss(f=up)) - tf.add_n(_loss(f=down))) / 2e-2
    assert f[place] == pytest.approx(float(slope), abs=1e-4)
  up, down = _SCORES.copy(), _SCORES.copy()
  up[1] += 0.1
  down[1] -= 0.1
  slope = (tf.add_n(_loss(scores=up)) - tf.add_n(_loss(scores=down))) / 0.2
  assert scores[1] == pytest.approx(float(slope), abs=1e-4)


def test_extreme_logits_have_a_finite_loss():
  mask, score = _loss(f=1e4 * np.ones_like(_F), scores=-1e4 * np.ones_like(_SCORES))
  assert np.isfinite(mask) and np.isfinite(score)
