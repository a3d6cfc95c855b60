"""Pixels: a scene's shape lies where it says, and pictures are a function of seed and index."""

import collections
import dataclasses

import numpy as np
import pytest

from garden.worlds import moving_shapes
from garden.worlds.moving_shapes import renderer
from garden.worlds.moving_shapes import scene as scenes

_BODY = scenes.Body("circle", bend=1.0, radius=0.3)


def _dark(picture):
  """The pixels `[s, s]` that the shape, black on white, covers more than half."""
  return picture.mean(axis=-1) < 128


def test_a_circle_has_its_area_and_place():
  dark = _dark(renderer.render(scenes.Scene(dataclasses.replace(_BODY, center=(0.4, 0.6))), 64)[0])
  assert dark.mean() == pytest.approx(np.pi * 0.3**2, rel=0.03)
  y, x = np.argwhere(dark).mean(axis=0) + 0.5
  assert (x / 64, y / 64) == pytest.approx((0.4, 0.6), abs=0.01)


def test_a_ring_has_a_hole():
  dark = _dark(renderer.render(scenes.Scene(scenes.Body("ring", bend=0.0)), 48)[0])
  assert not dark[24, 24] and dark[24, 24 + round(0.75 * 0.3 * 48)]


def test_a_shape_is_the_same_at_every_size():
  scene = scenes.Scene(scenes.Body("heart", rotation=0.3))
  small, large = (renderer.render(scene, size)[0].astype(float) for size in (32, 64))
  shrunk = large.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
  assert np.abs(small - shrunk).mean() < 3


def test_a_body_moves_along_its_velocity_and_turns():
  scene = scenes.Scene(dataclasses.replace(_BODY, radius=0.1, velocity=(0.6, 0.0)))
  x = [np.argwhere(_dark(picture)).mean(axis=0)[1] for picture in renderer.render(scene, 48, 3)]
  assert np.diff(x) == pytest.approx([0.2 * 48] * 2, abs=0.5)
  scene = scenes.Scene(scenes.Body("arrow", spin=np.pi))
  first, second = renderer.render(scene, 48, 2)
  # A quarter turn apart, clockwise as the picture is seen.
  assert np.abs(np.rot90(first, -1).astype(float) - second).mean() < 12


def test_exposure_blurs_what_moves_alone():
  moving = scenes.Scene(dataclasses.replace(_BODY, velocity=(0.8, 0.0)))
  for scene, blurs in ((moving, True), (scenes.Scene(_BODY), False)):
    sharp = renderer.render(scene, 48)
    soft = renderer.render(dataclasses.replace(scene, exposure=0.3), 48)
    assert (np.abs(sharp.astype(float) - soft).mean() > 5) == blurs


def test_a_bar_hides_the_shape():
  bar = scenes.Bar(color=(1.0, 1.0, 1.0), angle=0.0, width=0.8, offset=0.0, speed=0.0)
  assert not _dark(renderer.render(scenes.Scene(_BODY, bars=(bar,)))[0]).any()


def test_noise_differs_from_frame_to_frame():
  first, second = renderer.render(scenes.Scene(_BODY, noise=0.1, noise_seed=3), frames=2)
  assert (first != second).mean() > 0.3


@pytest.mark.parametrize("pattern", scenes.PATTERNS)
def test_every_pattern_uses_both_colors(pattern):
  ground = scenes.Ground(colors=((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), pattern=pattern, angle=0.3)
  picture = renderer.render(scenes.Scene(dataclasses.replace(_BODY, radius=0.01), ground), 32)
  assert picture.min() < 60 and picture.max() > 195


def test_pictures_depend_on_seed_and_index():
  image, shape = moving_shapes.photograph(3, seed=1, size=16)
  again, same = moving_shapes.photograph(3, seed=1, size=16)
  assert shape == same
  np.testing.assert_array_equal(image, again)
  for other in ({"index": 3, "seed": 2}, {"index": 4, "seed": 1}):
    assert (moving_shapes.photograph(**other, size=16)[0] != image).any()


def test_clips_depend_on_split_and_index():
  film, _ = moving_shapes.clip("test", 2, seed=1, size=16, frames=2)
  assert film.shape == (2, 16, 16, 3) and film.dtype == np.uint8
  np.testing.assert_array_equal(film, moving_shapes.clip("test", 2, 1, 16, 2)[0])
  assert (film != moving_shapes.clip("labeled", 2, 1, 16, 2)[0]).any()
  assert (film != moving_shapes.clip("test", 3, 1, 16, 2)[0]).any()


def test_classes_are_balanced_in_an_order_that_varies():
  shapes = [moving_shapes.clip("unlabeled", i, size=16, frames=1)[1] for i in range(20)]
  assert collections.Counter(shapes) == dict.fromkeys(moving_shapes.TARGET_CLASSES, 4)
  assert len({tuple(shapes[i:i + 5]) for i in range(0, 20, 5)}) > 1


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"split": "source"}, "split is 'source'; it must be one of labeled, unlabeled, test"),
    ({"index": -1}, "index is -1; it must be at least 0"),
    ({"seed": 0.5}, "seed is 0.5; it must be an integer of at least 0"),
    ({"size": 15}, "size is 15; it must be at least 16"),
    ({"frames": 0}, "frames is 0; it must be at least 1"),
  ],
)
def test_bad_arguments(arguments, message):
  with pytest.raises(ValueError, match=message):
    moving_shapes.clip(**{"split": "test", "index": 0, **arguments})
