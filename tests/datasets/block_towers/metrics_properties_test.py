"""What holds for the measures of any masks and probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from garden.datasets.block_towers import metrics

_CLASSES = 5


@st.composite
def _masks(draw):
  """Two `[N, h, w]` masks, and a generator for what is drawn besides."""
  rng = np.random.default_rng(draw(st.integers(0)))
  shape = draw(st.tuples(*[st.integers(1, 6)] * 3))
  most = draw(st.integers(1, _CLASSES))
  return rng.integers(0, most, shape), rng.integers(0, _CLASSES, shape), rng


@given(_masks())
def test_an_iou_is_in_0_1_and_1_of_the_mask_alone(drawn):
  masks, told, _ = drawn
  found, seen = metrics.mask_iou(masks, told, _CLASSES), masks.any(axis=(1, 2))
  assert (np.isnan(found) == ~seen).all()
  assert ((found >= 0) & (found <= 1))[seen].all()
  assert (metrics.mask_iou(masks, masks, _CLASSES)[seen] == 1).all()
  # 1 where each class that is there is told where it is, and nowhere else.
  right = np.array([all(((m == c) == (t == c)).all() for c in np.unique(m[m > 0]))
                    for m, t in zip(masks, told)])
  assert ((found == 1) == right)[seen].all()


@given(_masks())
def test_an_iou_is_of_pixels_and_classes_wherever_they_are(drawn):
  masks, told, rng = drawn
  found = metrics.mask_iou(masks, told, _CLASSES)
  names = np.append(0, 1 + rng.permutation(_CLASSES - 1))
  for change in (lambda m: m[:, ::-1], lambda m: m.swapaxes(1, 2), lambda m: names[m],
                 lambda m: np.repeat(m, 2, axis=1)):  # fmt: skip
    np.testing.assert_allclose(metrics.mask_iou(change(masks), change(told), _CLASSES), found)


@given(_masks())
def test_a_pixel_told_right_more_never_lowers_the_iou(drawn):
  masks, told, rng = drawn
  better = np.where(rng.uniform(size=masks.shape) < 0.5, masks, told)
  seen = masks.any(axis=(1, 2))
  before, after = (metrics.mask_iou(masks, t, _CLASSES)[seen] for t in (told, better))
  assert (after >= before - 1e-12).all()


@given(_masks())
def test_a_log_likelihood_is_at_most_0_and_blind_to_a_constant(drawn):
  masks, _, rng = drawn
  logits = rng.normal(scale=5, size=(*masks.shape, _CLASSES))
  found = metrics.log_likelihood(masks, logits)
  assert (found <= 0).all()
  np.testing.assert_allclose(metrics.log_likelihood(masks, logits + 1000), found, atol=1e-9)


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=50),
       st.integers(1, 12))
def test_each_tower_is_in_one_bin_of_the_reliability(told, bins):
  fall, probability = np.array(told).T
  mean, share, count = metrics.reliability(fall, probability, bins)
  assert count.sum() == len(fall) and (count > 0).all()
  assert (np.diff(mean) > 0).all() and ((share >= 0) & (share <= 1)).all()
  assert (mean * count).sum() == pytest.approx(probability.sum())
  assert (share * count).sum() == pytest.approx(fall.sum())
  assert 0 <= metrics.calibration_error(fall, probability, bins) <= 1
  assert 0 <= metrics.fall_accuracy(fall, probability) <= 1
