"""What holds for distances of any features, and for the scores of any pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from garden.dagan import metrics


@st.composite
def _features(draw):
  """Two sets of features of one width, and a generator for what is drawn besides."""
  rng = np.random.default_rng(draw(st.integers(0)))
  width, scale = draw(st.integers(1, 6)), draw(st.floats(0.01, 100))
  first, second = (scale * rng.normal(rng.normal(size=width), rng.uniform(0.1, 2, width),
                                      (draw(st.integers(2, 30)), width)) for _ in range(2))
  return first, second, rng


@given(_features())
def test_a_frechet_distance_is_symmetric_and_nothing_to_itself(drawn):
  a, b, rng = drawn
  size = np.square(a).mean() + np.square(b).mean()
  tolerance = 1e-6 * size
  assert metrics.frechet_distance(a, b) == pytest.approx(
    metrics.frechet_distance(b, a), abs=tolerance)
  assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=tolerance)
  assert metrics.frechet_distance(a, rng.permutation(a)) == pytest.approx(0, abs=tolerance)
  away = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
  assert metrics.frechet_distance(a, b) >= away - tolerance


@given(_features())
def test_a_frechet_distance_is_that_of_turned_and_moved_features(drawn):
  a, b, rng = drawn
  turn, _ = np.linalg.qr(rng.normal(size=(a.shape[1], a.shape[1])))
  shift = rng.normal(size=a.shape[1])
  found = metrics.frechet_distance(a @ turn + shift, b @ turn + shift)
  scale = np.square(a).mean() + np.square(b).mean()
  assert found == pytest.approx(metrics.frechet_distance(a, b), abs=1e-6 * scale + 1e-9)


@given(_features())
def test_a_frechet_distance_of_moved_features_is_the_way_squared(drawn):
  a, _, rng = drawn
  shift = np.abs(a).mean() * rng.normal(size=a.shape[1])
  tolerance = 1e-6 * (np.square(a).mean() + np.square(shift).sum())
  assert metrics.frechet_distance(a, a + shift) == pytest.approx(
    np.square(shift).sum(), abs=tolerance)


@given(_features())
def test_a_kernel_distance_is_symmetric_and_doesn_t_see_the_order(drawn):
  a, b, rng = drawn
  found = metrics.kernel_distance(a, b)
  scale = (np.square(a).sum(axis=1).max() + np.square(b).sum(axis=1).max() + 1) ** 3
  assert metrics.kernel_distance(b, a) == pytest.approx(found, abs=1e-9 * scale)
  other = metrics.kernel_distance(rng.permutation(a), rng.permutation(b))
  assert other == pytest.approx(found, abs=1e-9 * scale)
  # Of a set with itself: unbiased, so at most zero, as the diagonal is in the mean of both alone.
  assert metrics.kernel_distance(a, a) <= 1e-9 * scale


@st.composite
def _pairs(draw):
  """Scores, some of them equal, and whether pairs are of one person; both kinds occur."""
  size = draw(st.integers(2, 40))
  scores = draw(st.lists(st.integers(-20, 20), min_size=size, max_size=size))
  same = draw(st.lists(st.booleans(), min_size=size, max_size=size))
  return np.array(scores) / 10, np.array([True, False, *same[2:]])


@given(_pairs())
def test_rates_rise_from_0_to_1_and_lie_in_it(drawn):
  far, tar = metrics.roc(*drawn)
  for rate in (far, tar):
    assert rate[0] == 0 and rate[-1] == 1 and (np.diff(rate) >= 0).all()
  assert 0 <= metrics.equal_error_rate(*drawn) <= 1
  accepted = [metrics.tar_at_far(*drawn, each) for each in np.linspace(0, 1, 9)]
  assert (np.diff(accepted) >= 0).all() and accepted[-1] == 1


@given(_pairs())
def test_the_area_is_the_share_of_pairs_of_pairs_in_order(drawn):
  scores, same = drawn
  more = np.sign(scores[same][:, None] - scores[~same])
  area = metrics.area(scores, same)
  assert area == pytest.approx((1 + more.mean()) / 2)
  assert metrics.area(-scores, same) == pytest.approx(1 - area)
  assert metrics.area(scores, ~same) == pytest.approx(1 - area)
  assert metrics.area(np.exp(scores), same) == pytest.approx(area)  # the order alone counts


@given(_features())
def test_a_cosine_is_of_directions_alone(drawn):
  a, b, rng = drawn
  a, b = a[:2], b[:2]
  found = metrics.cosine(a, b)
  assert (np.abs(found) <= 1 + 1e-9).all()
  np.testing.assert_allclose(metrics.cosine(b, a), found)
  np.testing.assert_allclose(metrics.cosine(rng.uniform(0.1, 9) * a, b), found, atol=1e-9)
  np.testing.assert_allclose(metrics.cosine(-a, b), -found, atol=1e-9)


@given(_features())
def test_each_of_a_gallery_finds_itself_first(drawn):
  gallery, _, rng = drawn
  gallery = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
  if gallery.shape[1] == 1:
    return  # there are two directions
  people = rng.permutation(len(gallery))
  assert metrics.rank_1(3 * gallery, people, gallery, people).all()
