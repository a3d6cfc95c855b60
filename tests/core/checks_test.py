"""Tests of what a setting must be: ends of ranges, kinds, and the words of a refusal."""

import pytest

from garden.core import checks


@pytest.mark.parametrize(("value", "good"), [(0.0, True), (1, True), (1.1, False), (-0.1, False)])
def test_a_closed_range_holds_its_ends(value, good):
  if good:
    checks.check_number("share", value, 0, 1)
  else:
    with pytest.raises(ValueError, match=f"share is {value}; .* at least 0 and at most 1"):
      checks.check_number("share", value, 0, 1)


@pytest.mark.parametrize("value", [0, 1, -1e-9, 1.1, float("nan"), True, "0.5", None])
def test_an_open_range_leaves_its_ends_out(value):
  with pytest.raises(ValueError, match="above 0 and below 1"):
    checks.check_number("share", value, 0, 1, open_=True)


@pytest.mark.parametrize("value", [2.0, True, "3", None, 0])
def test_a_count_is_a_whole_number(value):
  with pytest.raises(ValueError, match="steps is .* a whole number of at least 1"):
    checks.check_count("steps", value, 1)


@pytest.mark.parametrize("value", [0, -1, 2, float("nan"), True, "1"])
def test_a_positive_number_may_have_an_upper_end(value):
  with pytest.raises(ValueError, match="alpha is .* above 0 and at most 1"):
    checks.check_positive("alpha", value, most=1)
  checks.check_positive("alpha", 1, most=1)
