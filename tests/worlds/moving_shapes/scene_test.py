"""The random draw: repeatable, within its ranges, and with the gap between the domains."""

import numpy as np
import pytest

from garden.worlds.moving_shapes import scene as scenes

_PHOTOGRAPHS = [scenes.sample_photograph("star", np.random.default_rng([5, i])) for i in range(200)]
_CLIPS = [scenes.sample_clip("ring", np.random.default_rng([6, i])) for i in range(200)]


def _colors(scene):
  bars = [bar.color for bar in scene.bars]
  return np.array([scene.body.color, *scene.ground.colors, *bars])


@pytest.mark.parametrize("sample", [scenes.sample_photograph, scenes.sample_clip])
def test_the_same_generator_draws_the_same_scene(sample):
  first, again, other = (sample("ring", np.random.default_rng(seed)) for seed in (1, 1, 2))
  assert first == again != other


@pytest.mark.parametrize("many", [_PHOTOGRAPHS, _CLIPS])
def test_values_are_in_range(many):
  for scene in many:
    assert _colors(scene).min() >= 0 and _colors(scene).max() <= 1
    assert 0 <= scene.body.bend <= 1
    assert 0 < scene.body.squash <= 1
    assert 0 <= scene.exposure <= 1
    assert scene.ground.pattern in scenes.PATTERNS


@pytest.mark.parametrize(("many", "least"), [(_PHOTOGRAPHS, 0.15), (_CLIPS, 0.15)])
def test_a_shape_differs_from_its_ground_in_luminance(many, least):
  for scene in many:
    ground = np.array(scene.ground.colors) @ scenes.LUMINANCE
    assert np.abs(np.array(scene.body.color) @ scenes.LUMINANCE - ground).min() >= least


def test_photographs_are_still_and_clips_move():
  assert all(scene.body.velocity == (0, 0) and not scene.exposure for scene in _PHOTOGRAPHS)
  assert all(np.hypot(*scene.body.velocity) > 0.2 and scene.exposure for scene in _CLIPS)


def test_photographs_are_brighter_than_clips():
  bright, dark = (
    np.mean([np.array(scene.ground.colors) @ scenes.LUMINANCE for scene in many])
    for many in (_PHOTOGRAPHS, _CLIPS)
  )
  assert bright > 0.5 and dark < 0.25


def test_bars_are_there_at_times():
  assert not any(scene.bars for scene in _PHOTOGRAPHS)
  assert {len(scene.bars) for scene in _CLIPS} == {0, 1, 2}
