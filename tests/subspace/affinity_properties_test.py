"""What holds for the affinity of any coefficients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from garden.subspace import affinity
from garden.subspace import metrics


@st.composite
def _coefficients(draw, least=3):
  """`[N, N]` coefficients, some of them zero, with a generator for what is drawn besides."""
  size = draw(st.integers(least, 24))
  rng = np.random.default_rng(draw(st.integers(0)))
  c = rng.normal(size=(size, size)) * (rng.uniform(size=(size, size)) < draw(st.floats(0.2, 1)))
  return c + np.eye(size) * draw(st.sampled_from([0.0, 1.0])), rng


def _published(c):
  """The published affinity of all entries.

  A thresholded matrix may have eigenvalues of one size, between which its low rank is no function
  of the matrix.
  """
  return affinity.published_affinity(c, 2, alpha=1.0, dim=1, exponent=2.0)


def _affinities(c):
  """An affinity of each kind, by its name."""
  kinds = {f"plain {n}": affinity.plain_affinity(c, n) for n in (None, "max", "l2")}
  return {**kinds, "published": _published(c + 0.1)}


@given(_coefficients())
def test_an_affinity_is_symmetric_and_never_negative(drawn):
  for name, found in _affinities(drawn[0]).items():
    np.testing.assert_array_equal(found, found.T, err_msg=name)
    assert (found >= 0).all() and np.isfinite(found).all(), name


@given(_coefficients())
def test_samples_in_another_order_have_the_affinity_in_that_order(drawn):
  c, rng = drawn
  c = c + 0.01 * rng.normal(size=c.shape)
  order = rng.permutation(len(c))
  ours, theirs = _affinities(c[order][:, order]), _affinities(c)
  for name, found in ours.items():
    np.testing.assert_allclose(found, theirs[name][order][:, order], atol=1e-6, err_msg=name)


@given(_coefficients(), st.floats(0.05, 1), st.sampled_from([0, 1]))
def test_a_threshold_keeps_the_share_with_the_fewest_entries(drawn, alpha, axis):
  c, _ = drawn
  kept = affinity.threshold(c, alpha, axis)
  assert ((kept == c) | (kept == 0)).all()
  size, rest = np.abs(c), np.abs(kept)
  mass = size.sum(axis=axis)
  assert (rest.sum(axis=axis) >= alpha * mass - 1e-9).all()
  # Without the smallest that is left, it would be no more than the share.
  least = np.where(kept != 0, rest, np.inf).min(axis=axis, initial=np.inf)
  some = np.isfinite(least) & (alpha < 1)
  assert (rest.sum(axis=axis) - least <= alpha * mass + 1e-9)[some].all()
  np.testing.assert_array_equal(kept, affinity.threshold(c.T, alpha, 1 - axis).T)


@given(_coefficients(), st.integers(1, 30), st.sampled_from([0, 1]))
def test_the_largest_entries_are_kept(drawn, count, axis):
  c, _ = drawn
  kept = affinity.keep_largest(c, count, axis)
  assert ((kept == c) | (kept == 0)).all()
  assert ((kept != 0).sum(axis=axis) == np.minimum((c != 0).sum(axis=axis), count)).all()
  dropped = np.where(kept == 0, np.abs(c), 0).max(axis=axis)
  least = np.where(kept != 0, np.abs(kept), np.inf).min(axis=axis)
  assert (dropped <= least).all()


@given(_coefficients(least=4), st.floats(0.1, 10))
def test_a_scale_changes_no_published_affinity(drawn, scale):
  _, rng = drawn
  c = rng.normal(size=drawn[0].shape)
  np.testing.assert_allclose(_published(scale * c), _published(c), atol=1e-6)


@given(st.lists(st.integers(2, 6), min_size=2, max_size=5), st.integers(0),
       st.sampled_from(["cluster_qr", "kmeans"]))
def test_groups_without_affinity_between_them_are_found_in_any_order(sizes, seed, assign):
  rng = np.random.default_rng(seed)
  labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
  weight = rng.uniform(0.5, 1, (len(labels), len(labels)))
  found = affinity.spectral_clustering(
    (weight + weight.T) * (labels[:, None] == labels), len(sizes), assign)
  assert metrics.clustering_error(labels, found) == 0
  assert found[0] == 0 and (np.diff([list(found).index(k) for k in range(len(sizes))]) > 0).all()


@given(_coefficients(), st.floats(0.5, 8))
def test_cosines_don_t_see_the_length_of_a_row(drawn, exponent):
  factor, rng = drawn
  factor = np.abs(factor) + 0.1
  stretched = factor * rng.uniform(0.1, 10, (len(factor), 1))
  found = affinity.cosine_affinity(factor, exponent)
  np.testing.assert_allclose(affinity.cosine_affinity(stretched, exponent), found, atol=1e-9)
  assert found.max() == pytest.approx(1) and found.min() >= 0
