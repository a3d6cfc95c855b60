"""What holds for the support test of any tower."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from garden.worlds.towers import scene
from garden.worlds.towers import soft_support
from garden.worlds.towers import support


@st.composite
def _towers(draw):
  """A few drawn towers of 2 to 6 blocks, and a generator for what is drawn besides."""
  count, seed = draw(st.integers(2, 6)), draw(st.integers(0, 10**6))
  found = scene.sample(3, seed, distribution=scene.Distribution(counts=(count,)))
  return found, np.random.default_rng(seed)


def _turned(towers, angle):
  """Towers turned about the vertical."""
  turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
  position = towers.position.copy()
  position[..., :2] = position[..., :2] @ turn.T
  yaw = scene.yaw_of(towers.rotation) + angle
  return towers.replace(position=position, rotation=scene.yaw_quaternion(yaw))


def _same(a, b):
  np.testing.assert_allclose(support.margins(a), support.margins(b), atol=1e-4)


@given(_towers(), st.floats(-3, 3), st.floats(-3, 3))
def test_a_tower_elsewhere_stands_as_well(drawn, x, y):
  towers, _ = drawn
  moved = towers.replace(position=towers.position + np.float32([x, y, 0]))
  _same(moved, towers)
  np.testing.assert_allclose(support.margin(moved), support.margin(towers), atol=1e-4)


@given(_towers(), st.floats(-3.2, 3.2))
def test_a_tower_turned_stands_as_well(drawn, angle):
  _same(_turned(drawn[0], angle), drawn[0])


@given(_towers(), st.floats(0.2, 5))
def test_a_larger_tower_has_the_margins_in_its_own_widths(drawn, scale):
  towers, _ = drawn
  # A gap of a millimetre is air, whatever the tower's size.
  scale = np.float32(scale)
  _same(towers.replace(position=towers.position * scale, size=towers.size * scale), towers)


@given(_towers())
def test_a_mirrored_tower_stands_as_well(drawn):
  towers, _ = drawn
  mirrored = towers.replace(position=towers.position * np.float32([-1, 1, 1]),
                            rotation=scene.yaw_quaternion(-scene.yaw_of(towers.rotation)))
  _same(mirrored, towers)


@given(_towers())
def test_a_quarter_turn_of_a_block_with_its_sides_changed_is_the_same_block(drawn):
  towers, rng = drawn
  chosen = rng.uniform(size=towers.present.shape) < 0.5
  yaw = scene.yaw_of(towers.rotation) + np.where(chosen, np.pi / 2, 0)
  size = np.where(chosen[..., None], towers.size[..., [1, 0, 2]], towers.size)
  _same(towers.replace(size=size, rotation=scene.yaw_quaternion(yaw)), towers)


@given(_towers())
def test_empty_places_among_the_blocks_change_nothing(drawn):
  towers, rng = drawn
  places = towers.present.shape[1] + 2
  spots = np.sort(rng.permutation(places)[:places - 2])

  def spread(value, empty):
    wide = np.full((len(towers), places, *value.shape[2:]), empty, value.dtype)
    wide[:, spots] = value
    return wide

  wide = towers.replace(
    present=spread(towers.present, False), position=spread(towers.position, 9.0),
    rotation=spread(towers.rotation, 0.5), size=spread(towers.size, 0.1),
    color=spread(towers.color, 0.0), color_class=spread(towers.color_class, 0))  # fmt: skip
  np.testing.assert_allclose(support.margin(wide), support.margin(towers), atol=1e-6)


@given(_towers())
def test_a_straight_tower_has_half_a_width_and_one_pushed_off_falls(drawn):
  towers, rng = drawn
  position = towers.position.copy()
  position[..., :2] = position[:, :1, :2]
  straight = towers.replace(position=position)
  # The centre of mass is in the middle of each face; the smaller half-width of two is the nearest.
  np.testing.assert_allclose(support.margins(straight), 0.5, atol=1e-4)
  assert (support.falls(straight) == 0).all()
  top = rng.integers(1, towers.present.shape[1])
  position = position.copy()
  position[:, top:, 0] += 3 * towers.size.max()
  assert (support.falls(towers.replace(position=position)) == 1).all()


@given(_towers())
def test_the_soft_test_is_the_test(drawn):
  towers, _ = drawn
  soft = soft_support.margins(towers.present, towers.position, scene.yaw_of(towers.rotation),
                              towers.size)
  np.testing.assert_allclose(soft.numpy().min(axis=2), support.margins(towers), atol=1e-3)
