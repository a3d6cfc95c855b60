"""What holds for the overlaps of any boxes, and for what suppression leaves of them."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from garden.physnet import proposals


@st.composite
def _boxes(draw):
  """`[1, n, 4]` boxes with an area, and a score of each, all different."""
  rng = np.random.default_rng(draw(st.integers(0)))
  count = draw(st.integers(1, 12))
  low = rng.uniform(0, 0.8, (count, 2))
  boxes = np.concatenate([low, low + rng.uniform(0.05, 0.2, (count, 2))], axis=1)
  scores = (rng.permutation(count) + 1) / (count + 1)
  return boxes[None].astype(np.float32), scores[None].astype(np.float32), rng


@given(_boxes())
def test_an_overlap_is_symmetric_in_0_1_and_1_with_itself(drawn):
  boxes, _, _ = drawn
  found = proposals.overlaps(boxes, boxes).numpy()[0]
  np.testing.assert_allclose(found, found.T, atol=1e-6)
  np.testing.assert_allclose(found.diagonal(), 1, atol=1e-5)
  assert (found >= 0).all() and (found <= 1 + 1e-5).all()


@given(_boxes())
def test_an_overlap_is_that_of_moved_stretched_and_mirrored_boxes(drawn):
  boxes, _, rng = drawn
  found = proposals.overlaps(boxes, boxes).numpy()
  stretch, shift = rng.uniform(0.5, 2, 2), rng.uniform(-1, 1, 2)
  moved = (boxes.reshape(-1, 2, 2) * stretch + shift).reshape(boxes.shape).astype(np.float32)
  mirrored = np.stack([boxes[..., 0], -boxes[..., 3], boxes[..., 2], -boxes[..., 1]], axis=-1)
  for other in (moved, mirrored):
    np.testing.assert_allclose(proposals.overlaps(other, other).numpy(), found, atol=1e-3)


@settings(max_examples=15)
@given(_boxes(), st.floats(0.1, 0.9), st.integers(1, 12))
def test_suppression_leaves_the_best_of_what_overlaps(drawn, overlap, most):
  boxes, scores, _ = drawn
  index, valid = proposals.suppress(tf.constant(boxes), tf.constant(scores), most, overlap, 0.0)
  kept = index.numpy()[0][valid.numpy()[0]]
  assert len(set(kept)) == len(kept) and kept[0] == scores[0].argmax()
  assert (np.diff(scores[0][kept]) < 0).all()
  each = proposals.overlaps(boxes, boxes).numpy()[0]
  among = each[kept][:, kept] - np.eye(len(kept))
  assert (among <= overlap + 1e-5).all()
  if len(kept) < most:  # all others overlap a better one
    for gone in set(range(len(scores[0]))) - set(kept):
      better = kept[scores[0][kept] > scores[0][gone]]
      assert (each[gone, better] > overlap - 1e-5).any()
