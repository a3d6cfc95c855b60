"""The random draw: repeatable, within its ranges, and as varied as it says."""

import dataclasses

import numpy as np
import pytest

from garden.worlds.digits import glyphs
from garden.worlds.digits import scene as scenes

_MANY = [scenes.sample(i % 10, np.random.default_rng([5, i])) for i in range(400)]


def _colors(paint):
  edges = [edge.color for edge in paint.edges]
  return np.array([paint.ink, paint.wall, *edges] + ([paint.outline] if paint.outline else []))


def _contrast(scene):
  return (np.array(scene.paint.ink) - np.array(scene.paint.wall)) @ scenes.LUMINANCE


def test_the_same_generator_draws_the_same_scene():
  assert scenes.sample(3, np.random.default_rng(1)) == scenes.sample(3, np.random.default_rng(1))


def test_scenes_differ():
  assert len({repr(dataclasses.replace(scene, digit=0)) for scene in _MANY}) == len(_MANY)


def test_the_label_is_kept():
  assert [scene.digit for scene in _MANY] == [i % 10 for i in range(400)]


def test_both_polarities_are_frequent():
  lighter = np.mean([_contrast(scene) > 0 for scene in _MANY])
  assert 0.4 < lighter < 0.6


def test_ink_and_wall_differ_in_luminance():
  assert min(abs(_contrast(scene)) for scene in _MANY) > 0.149


def test_colors_are_in_range():
  for scene in _MANY:
    colors = _colors(scene.paint)
    assert colors.min() >= 0 and colors.max() <= 1


def test_every_variant_of_every_digit_is_drawn():
  for digit, count in enumerate(glyphs.VARIANTS):
    assert {scene.typeface.variants[digit] for scene in _MANY} == set(range(count))


@pytest.mark.parametrize("part", ["outline", "shadow", "shade", "edges"])
def test_extras_are_there_at_times(part):
  share = np.mean([bool(getattr(scene.paint, part)) for scene in _MANY])
  assert 0.05 < share < 0.6


def test_neighbours_are_any_digit_on_either_side_or_none():
  for side in ("left", "right"):
    strings = [getattr(scene, side) for scene in _MANY]
    assert {len(string) for string in strings} == {0, 1, 2}
    assert {digit for string in strings for digit in string} == set(range(10))


def test_the_digit_stays_in_the_picture():
  for scene in _MANY:
    half = 0.5 * scene.pose.height * (1 + scene.typeface.weight)
    assert half < 0.55 and np.abs(np.array(scene.pose.center) - 0.5).max() <= 0.1


@pytest.mark.parametrize("digit", [-1, 10, 1.5, "3"])
def test_a_bad_digit_is_named(digit):
  with pytest.raises(ValueError, match=f"digit is {digit!r}; it must be an integer in 0..9"):
    scenes.sample(digit, np.random.default_rng(0))
