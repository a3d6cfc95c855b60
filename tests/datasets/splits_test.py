"""Tests of what streams share: how many examples there may be."""

import numpy as np
import pytest

from garden.datasets import splits


class _Examples(list):
  def take(self, index):
    return [self[i] for i in index]


def test_the_first_ones_are_taken_and_without_a_number_all():
  examples = _Examples("abc")
  assert splits.Split("some", n=2).first(examples, "letters") == ["a", "b"]
  assert splits.Split("some").first(examples, "letters") is examples


def test_more_than_there_are_is_told_with_what_they_are():
  with pytest.raises(ValueError, match="n is 4, but the split test of some has 3 letters"):
    splits.Split("some", "test", n=4).first(_Examples("abc"), "letters")


@pytest.mark.parametrize("n", [0, -1, 1.5, np.float32(2)])
def test_a_number_is_whole_and_at_least_1(n):
  with pytest.raises(ValueError, match="whole number of at least 1"):
    splits.Split("some", n=n)
