"""What holds for the measures of any grouping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from garden.subspace import metrics


@st.composite
def _groupings(draw):
  """Two groupings of one set of samples, and a generator for what is drawn besides."""
  size = draw(st.integers(1, 40))
  label = st.lists(st.integers(0, 6), min_size=size, max_size=size)
  return np.array(draw(label)), np.array(draw(label)), np.random.default_rng(draw(st.integers(0)))


_MEASURES = pytest.mark.parametrize(
  "measure", [metrics.clustering_error, metrics.nmi, metrics.ari], ids=lambda m: m.__name__)


@_MEASURES
@given(_groupings())
def test_new_names_and_another_order_change_nothing(measure, drawn):
  a, b, rng = drawn
  names, order = rng.permutation(100)[:7] - 50, rng.permutation(len(a))
  expected = pytest.approx(measure(a, b), abs=1e-9)
  assert measure(a, names[b]) == expected
  assert measure(names[a].astype(str), b) == expected
  assert measure(a[order], b[order]) == expected


@_MEASURES
@given(_groupings())
def test_the_two_groupings_may_change_places(measure, drawn):
  a, b, _ = drawn
  assert measure(a, b) == pytest.approx(measure(b, a), abs=1e-9)


@given(_groupings())
def test_the_bounds_are_met_by_the_same_grouping_alone(drawn):
  a, b, _ = drawn
  error = metrics.clustering_error(a, b)
  # The best matching gets at least the largest class in its largest part.
  assert 0 <= error <= 100 * (1 - metrics.contingency(a, b).max() / len(a)) + 1e-9
  assert 0 <= metrics.nmi(a, b) <= 1 + 1e-9 and -0.5 <= metrics.ari(a, b) <= 1 + 1e-9
  same = np.array_equal(a[:, None] == a, b[:, None] == b)
  assert (error == 0) == same
  assert metrics.clustering_error(a, a) == 0 and metrics.nmi(a, a) == pytest.approx(1)
  assert metrics.ari(a, a) == pytest.approx(1)


@given(_groupings())
def test_one_sample_elsewhere_moves_the_error_by_one_sample_at_most(drawn):
  a, b, rng = drawn
  moved = b.copy()
  moved[rng.integers(len(b))] = rng.integers(8)
  step = abs(metrics.clustering_error(a, b) - metrics.clustering_error(a, moved))
  assert step <= 100 / len(a) + 1e-9


@given(_groupings())
def test_a_normalized_cut_is_of_the_grouping_and_lowest_of_one_group(drawn):
  labels, _, rng = drawn
  half = rng.uniform(size=(len(labels), len(labels)))
  affinity, order = half + half.T, rng.permutation(len(labels))
  cut = metrics.normalized_cut(affinity, labels)
  assert -1e-9 <= cut <= len(np.unique(labels)) + 1e-9
  assert metrics.normalized_cut(affinity[order][:, order], 9 - labels[order]) == pytest.approx(cut)
  assert metrics.normalized_cut(3 * affinity, labels) == pytest.approx(cut)
  if len(labels) > 1:  # a lone sample has no affinity but to itself
    assert metrics.normalized_cut(affinity, 0 * labels) == pytest.approx(0, abs=1e-9)
