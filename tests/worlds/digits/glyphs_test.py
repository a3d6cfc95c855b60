"""The shapes of the ten digits: in their box, of one piece where they should be, all different."""

import itertools

import numpy as np
import pytest

from garden.worlds.digits import glyphs

_ALL = [(digit, variant) for digit in range(10) for variant in range(glyphs.VARIANTS[digit])]
_FORMS = list(itertools.product((1.5, 2.0, 5.0), (0.4, 0.5), (0.0, 1.0)))


def _same(a, b):
  return len(a) == len(b) and all(x.shape == y.shape and np.allclose(x, y) for x, y in zip(a, b))


@pytest.mark.parametrize("digit, variant", _ALL)
def test_strokes_stay_in_the_unit_box(digit, variant):
  for power, waist, tail in _FORMS:
    points = np.concatenate(glyphs.strokes(digit, variant, power, waist, tail))
    assert points.min() >= -1e-9 and points.max() <= 1 + 1e-9


@pytest.mark.parametrize("digit, variant", _ALL)
def test_strokes_are_as_high_as_the_box(digit, variant):
  for power, waist, tail in _FORMS:
    y = np.concatenate(glyphs.strokes(digit, variant, power, waist, tail))[:, 1]
    assert y.min() < 0.02 and y.max() > 0.98


@pytest.mark.parametrize("digit, variant", _ALL)
def test_no_two_neighbouring_points_are_one(digit, variant):
  for power, waist, tail in _FORMS:
    for path in glyphs.strokes(digit, variant, power, waist, tail):
      assert np.linalg.norm(np.diff(path, axis=0), axis=1).min() > 1e-7


def test_all_shapes_differ():
  for (a, i), (b, j) in itertools.combinations(_ALL, 2):
    assert not _same(glyphs.strokes(a, i), glyphs.strokes(b, j))


def test_round_bowls_are_ellipses():
  zero = glyphs.strokes(0, power=2.0)[0]
  np.testing.assert_allclose(np.linalg.norm(zero - 0.5, axis=1), 0.5)


def test_square_bowls_come_nearer_to_the_corner():
  def reach(power):
    return glyphs.strokes(0, power=power)[0].sum(axis=1).max()

  assert reach(2.0) < reach(3.0) < reach(6.0) < 2.0


def test_a_nine_is_a_six_upside_down():
  assert _same(glyphs.strokes(9), [1 - path for path in glyphs.strokes(6)])


@pytest.mark.parametrize("name, value", [
  ("digit", 10), ("digit", -1), ("digit", 2.5), ("variant", 3), ("variant", -1),
  ("power", 1.0), ("power", 9.0), ("waist", 0.1), ("waist", 0.9), ("tail", -0.1), ("tail", 1.5),
  ("tail", float("nan")),
])
def test_a_bad_argument_is_named_with_its_value(name, value):
  with pytest.raises(ValueError, match=f"{name} is {value}.*") as error:
    glyphs.strokes(**{"digit": 1, name: value})
  assert "0.." in str(error.value) or "must lie in" in str(error.value)
