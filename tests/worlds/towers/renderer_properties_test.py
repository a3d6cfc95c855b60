"""What holds for the pictures of any tower."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from garden.worlds.towers import renderer
from garden.worlds.towers import scene

_SIZE = 24
_few = settings(max_examples=12)


@st.composite
def _towers(draw):
  """Two drawn towers, and a generator for what is drawn besides."""
  count, seed = draw(st.integers(1, 5)), draw(st.integers(0, 10**6))
  found = scene.sample(2, seed, distribution=scene.Distribution(counts=(count,)))
  return found, np.random.default_rng(seed)


def _mostly(close):
  """Whether pictures agree but for pixels at an edge, which round-off may give to either side."""
  return np.mean(close) > 0.98


def _assert_same(a, b):
  for name, tolerance in (("image", 0.02), ("ids", 0), ("depth", 0.02)):
    assert _mostly(np.abs(a[name].numpy() - b[name].numpy()) <= tolerance), name


@_few
@given(_towers(), st.sampled_from([0.0, 1.0]))
def test_a_picture_is_in_its_range_and_shows_blocks_that_are_there(drawn, softness):
  towers, _ = drawn
  found = renderer.render(towers.arrays(), _SIZE, softness=softness)
  image, ids, depth = (found[name].numpy() for name in ("image", "ids", "depth"))
  assert np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
  assert ids.min() >= 0 and depth.min() > 0 and depth.max() <= renderer.FAR
  for tower in range(2):
    assert set(np.unique(ids[tower])) - {0} <= set(np.flatnonzero(towers.present[tower]) + 1)
  assert (depth[ids > 0] < renderer.FAR).all()


@_few
@given(_towers())
def test_the_masks_are_the_classes_of_the_blocks_seen(drawn):
  towers, _ = drawn
  ids = renderer.render(towers.arrays(), _SIZE)["ids"].numpy()
  classes = np.take_along_axis(
    np.pad(towers.color_class, [(0, 0), (1, 0)]), ids.reshape(2, -1), axis=1)
  found = renderer.masks(towers.arrays(), _SIZE).numpy()
  np.testing.assert_array_equal(found.reshape(2, -1), classes)


@_few
@given(_towers())
def test_one_scene_is_drawn_as_in_a_batch(drawn):
  towers, _ = drawn
  both = renderer.render(towers.arrays(), _SIZE)
  for tower in range(2):
    alone = renderer.render(towers.take(tower).arrays(), _SIZE)
    np.testing.assert_allclose(alone["image"][0], both["image"][tower], atol=1e-5)


@_few
@given(_towers())
def test_the_order_of_the_blocks_doesn_t_matter(drawn):
  towers, rng = drawn
  order = rng.permutation(towers.present.shape[1])
  names = ("present", "position", "rotation", "size", "color", "color_class")
  other = towers.replace(**{name: getattr(towers, name)[:, order] for name in names})
  a, b = (renderer.render(t.arrays(), _SIZE) for t in (towers, other))
  assert _mostly(np.abs(a["image"].numpy() - b["image"].numpy()) < 0.02)
  named = np.append(0, order + 1)[b["ids"].numpy()]  # their places in the first
  assert _mostly(named == a["ids"].numpy())


@_few
@given(_towers(), st.floats(-3.2, 3.2))
def test_a_world_turned_with_its_camera_and_light_shows_the_same_blocks(drawn, angle):
  towers, _ = drawn
  turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0],
                   [0, 0, 1]])  # fmt: skip
  yaw = scene.yaw_of(towers.rotation) + angle
  other = towers.replace(
    position=towers.position @ turn.T, rotation=scene.yaw_quaternion(yaw),
    camera_azimuth=towers.camera_azimuth + np.float32(angle),
    camera_target=towers.camera_target @ turn.T,
    light_direction=towers.light_direction @ turn.T)  # fmt: skip
  a, b = (renderer.render(t.arrays(), _SIZE) for t in (towers, other))
  # The floor's tiles stay where they are.
  seen = a["ids"].numpy() > 0
  assert _mostly(a["ids"].numpy() == b["ids"].numpy())
  assert _mostly((np.abs(a["image"].numpy() - b["image"].numpy()).max(axis=-1) < 0.02) | ~seen)


@_few
@given(_towers(), st.floats(0.3, 3))
def test_a_world_of_another_scale_looks_the_same(drawn, scale):
  towers, _ = drawn
  scale = np.float32(scale)
  fields = ("position", "size", "camera_distance", "camera_target", "floor_scale")
  other = towers.replace(**{name: getattr(towers, name) * scale for name in fields})
  a, b = (renderer.render(t.arrays(), _SIZE) for t in (towers, other))
  near = (a["depth"].numpy() < renderer.FAR / 4) & (b["depth"].numpy() < renderer.FAR / 4)
  assert _mostly(a["ids"].numpy() == b["ids"].numpy())
  assert _mostly(np.abs(a["image"].numpy() - b["image"].numpy()).max(axis=-1)[near] < 0.02)
  ratio = b["depth"].numpy()[near] / a["depth"].numpy()[near]
  assert _mostly(np.abs(ratio / scale - 1) < 0.02)


@_few
@given(_towers())
def test_less_light_darkens_and_never_lightens(drawn):
  towers, _ = drawn
  dark = towers.replace(light_diffuse=towers.light_diffuse / 2)
  a, b = (renderer.render(t.arrays(), _SIZE)["image"] for t in (towers, dark))
  assert (b.numpy() <= a.numpy() + 1e-5).all()
  lit = renderer.render(towers.arrays(), _SIZE, shadows=False)["image"]
  assert (a.numpy() <= lit.numpy() + 1e-5).all()
  tf.debugging.assert_all_finite(lit, "")
