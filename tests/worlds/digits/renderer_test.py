"""Pictures of scenes: what a scene says is seen, and `street_digits` keeps its promises."""

import dataclasses

import numpy as np
import pytest
from PIL import ImageFont

from garden.worlds.digits import renderer
from garden.worlds.digits import scene as scenes
from garden.worlds.digits import street_digits


def _clean(digit, **typeface):
  """Black on white, upright, by a perfect camera: `[32, 32]` floats, 1 is ink."""
  picture = renderer.render(scenes.Scene(digit, typeface=scenes.Typeface(**typeface)))
  return 1.0 - picture[..., 0] / 255.0


def _sampled(count, seed):
  """Clean digits, `count` of each class, each in a typeface of its own."""
  images, labels = [], []
  for i in range(10 * count):
    typeface = scenes.sample_typeface(np.random.default_rng([seed, i]))
    images.append(_clean(i % 10, **dataclasses.asdict(typeface)).ravel())
    labels.append(i % 10)
  return np.array(images), np.array(labels)


def test_shape_dtype_and_range():
  for channels in (1, 3):
    images, labels = street_digits(12, seed=0, size=24, channels=channels)
    assert images.shape == (12, 24, 24, channels) and images.dtype == np.float32
    assert labels.shape == (12,) and labels.dtype == np.int64
    assert images.min() >= 0 and images.max() <= 1 and np.ptp(images) > 0.5


def test_a_picture_does_not_depend_on_how_many_are_made():
  few, few_labels = street_digits(7, seed=3)
  many, many_labels = street_digits(25, seed=3)
  np.testing.assert_array_equal(few, many[:7])
  np.testing.assert_array_equal(few_labels, many_labels[:7])


def test_seeds_give_other_pictures_and_another_order():
  a, a_labels = street_digits(20, seed=0)
  b, b_labels = street_digits(20, seed=1)
  assert np.abs(a - b).max(axis=(1, 2, 3)).min() > 0.02
  assert (a_labels != b_labels).any()


def test_classes_are_balanced_in_every_prefix():
  labels = street_digits(47, seed=2, size=16)[1]
  for end in range(1, 48):
    counts = np.bincount(labels[:end], minlength=10)
    assert np.ptp(counts) <= 1


def test_labels_are_in_no_fixed_order():
  labels = street_digits(40, seed=0, size=16)[1].reshape(4, 10)
  assert len({tuple(block) for block in labels}) == 4


def test_only_the_classes_asked_for_in_any_order():
  images, labels = street_digits(9, seed=0, classes=(8, 1, 4))
  assert set(labels) == {1, 4, 8} and set(np.bincount(labels)[[1, 4, 8]]) == {3}
  np.testing.assert_array_equal(images, street_digits(9, seed=0, classes=(1, 4, 8))[0])


def test_grey_is_the_luminance_of_the_colors():
  grey, color = (street_digits(6, seed=4, channels=channels)[0] for channels in (1, 3))
  np.testing.assert_allclose(grey[..., 0], color @ [0.2989, 0.5870, 0.1140], atol=1e-6)


def test_colors_are_seen():
  assert np.ptp(street_digits(20, seed=0, channels=3)[0], axis=3).max() > 0.2


def test_both_polarities_are_seen():
  signs = []
  for i in range(30):
    scene = scenes.sample(8, np.random.default_rng([0, i]))
    bare = dataclasses.replace(scene.paint, shadow=None, outline=None)
    black = dataclasses.replace(bare, ink=(0.0, 0.0, 0.0), wall=(1.0, 1.0, 1.0), edges=())
    ink = 255.0 - renderer.render(dataclasses.replace(scene, paint=black)).mean(axis=2)
    grey = renderer.render(scene) @ scenes.LUMINANCE
    signs.append(np.corrcoef(ink.ravel(), grey.ravel())[0, 1] > 0)
  assert 5 < sum(signs) < 25


def test_clean_digits_differ():
  pictures = np.array([_clean(digit).ravel() for digit in range(10)])
  apart = np.abs(pictures[:, None] - pictures[None]).sum(axis=2)
  ink = pictures.sum(axis=1)
  assert (apart + 1e9 * np.eye(10) > 0.2 * ink).all()


def test_clean_digits_of_unseen_typefaces_are_told_apart_by_their_neighbour():
  seen, seen_labels = _sampled(20, seed=0)
  new, new_labels = _sampled(6, seed=1)
  nearest = (np.square(new[:, None] - seen[None]).sum(axis=2)).argmin(axis=1)
  assert np.mean(seen_labels[nearest] == new_labels) > 0.9


def test_the_ink_is_where_the_strokes_are():
  one = _clean(1, weight=0.2)  # a stem of height 0.75 and width 0.15 in the picture's middle
  assert one[10:22, 15:17].min() == 1 and one[:, :12].max() == 0 and one[:, 20:].max() == 0
  assert one.mean() == pytest.approx(0.15 * (0.75 + 0.15), rel=0.08)


def test_contrast_thins_level_strokes_alone():
  even, thin = _clean(7, weight=0.2), _clean(7, weight=0.2, contrast=0.5)
  middle = slice(13, 17)
  assert thin[:10, middle].sum() < 0.7 * even[:10, middle].sum()
  one, other = _clean(1, weight=0.2), _clean(1, weight=0.2, contrast=0.5)
  np.testing.assert_allclose(other[16], one[16], atol=0.02)


def test_neighbours_are_seen_at_their_side_alone():
  alone = _clean(3)
  for side, there, elsewhere in (("left", slice(0, 5), slice(8, 32)),
                                 ("right", slice(27, 32), slice(0, 24))):
    scene = scenes.Scene(3, **{side: (8, 8)})
    beside = 1.0 - renderer.render(scene)[..., 0] / 255.0
    assert beside[:, there].sum() > alone[:, there].sum() + 5
    np.testing.assert_array_equal(beside[:, elsewhere], alone[:, elsewhere])


@pytest.mark.parametrize("change", [
  {"paint": scenes.Paint(outline=(1.0, 0.0, 0.0), outline_width=0.05)},
  {"paint": scenes.Paint(shadow=(0.06, 0.06), shadow_depth=0.5)},
  {"paint": scenes.Paint(edges=(scenes.Edge(0.0, 0.4, (0.0, 0.5, 0.0)),))},
  {"paint": scenes.Paint(slope=(-0.4, 0.0))},
  {"paint": scenes.Paint(shade=(0.0, 0.1, 0.4))},
  {"paint": scenes.Paint(texture=((-0.3,) * 4,) * 4)},
  {"pose": scenes.Pose(rotation=0.2)},
  {"pose": scenes.Pose(shear=0.2)},
  {"pose": scenes.Pose(perspective=(0.2, 0.2))},
  {"typeface": scenes.Typeface(slant=0.3)},
  {"typeface": scenes.Typeface(round_ends=True)},
  {"camera": scenes.Camera(blur=(0.03, 0.03))},
  {"camera": scenes.Camera(resolution=0.5)},
  {"camera": scenes.Camera(noise=0.05)},
  {"camera": scenes.Camera(jpeg_quality=40)},
])
def test_every_part_of_a_scene_is_seen(change):
  plain = renderer.render(scenes.Scene(5)).astype(int)
  changed = renderer.render(scenes.Scene(5, **change)).astype(int)
  assert np.abs(plain - changed).max() > 20


def test_a_scene_looks_alike_at_every_size():
  scene = scenes.Scene(2, left=(4,), right=(9,), pose=scenes.Pose(rotation=0.1))
  small, large = renderer.render(scene, 32), renderer.render(scene, 64)
  shrunk = large.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
  assert np.abs(small - shrunk).mean() < 6


def test_no_font_is_used(monkeypatch):
  def fail(*args, **kwargs):
    raise AssertionError("a font was asked for")

  for name in ("truetype", "load", "load_default", "load_path", "FreeTypeFont"):
    monkeypatch.setattr(ImageFont, name, fail)
  assert len(street_digits(10, seed=0)[0]) == 10


@pytest.mark.parametrize("change, message", [
  ({"n": 0}, "n is 0; it must be at least 1"),
  ({"n": -3}, "n is -3; it must be at least 1"),
  ({"n": 2.5}, "n is 2.5; it must be an integer"),
  ({"seed": -1}, "seed is -1; it must be at least 0"),
  ({"size": 15}, "size is 15; it must be at least 16: draw larger"),
  ({"size": "32"}, "size is '32'; it must be an integer"),
  ({"classes": ()}, "classes is empty; name at least one"),
  ({"classes": (3, 10, -1)}, r"classes has \[10, -1\]; they must be integers in 0..9"),
  ({"classes": (3, 4.5)}, r"classes has \[4.5\]; they must be integers in 0..9"),
  ({"classes": (3, 4, 3)}, r"classes is \[3, 4, 3\]; name each digit once"),
  ({"classes": 3}, "classes is 3; give a list"),
  ({"channels": 2}, r"channels is 2; use 1 \(grey\) or 3 \(RGB\)"),
])
def test_a_bad_argument_is_named_with_its_limit(change, message):
  with pytest.raises(ValueError, match=message):
    street_digits(**{"n": 1, "seed": 0, **change})


def test_render_checks_its_size():
  with pytest.raises(ValueError, match="size is 8; it must be at least 16"):
    renderer.render(scenes.Scene(0), size=8)
