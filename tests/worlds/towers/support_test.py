"""Tests of the support test: by hand, and against polygons clipped by another way."""

import math

import numpy as np
import pytest

from garden.worlds.towers import scene
from garden.worlds.towers import support


def _tower(offsets, yaws=None, sizes=None):
  """One tower of blocks at `offsets` (x, y), each on the one before."""
  n = len(offsets)
  size = np.array(sizes if sizes is not None else [[0.5, 0.5, 0.5]] * n, np.float32)
  height = 2 * size[:, 2]
  z = np.cumsum(height) - height / 2
  position = np.concatenate([np.array(offsets, float).reshape(n, 2), z[:, None]], axis=1)
  one = scene.sample(1, seed=0, distribution=scene.Distribution(counts=(n,)))
  return one.replace(position=position[None].astype(np.float32), size=size[None],
                     rotation=scene.yaw_quaternion(
                         np.array([yaws if yaws is not None else [0.0] * n])))


def _corners(position, size, yaw):
  signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])  # counterclockwise
  turn = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
  return position[:2] + (signs * size[:2]) @ turn.T


def _clip(polygon, by):
  """Sutherland and Hodgman: the part of a polygon that is inside of a convex one."""
  for a, b in zip(by, np.roll(by, -1, axis=0)):
    normal = np.array([-(b - a)[1], (b - a)[0]])  # to the left: inside
    kept = []
    for p, q in zip(polygon, [*polygon[1:], *polygon[:1]]):
      here, there = normal @ (p - a), normal @ (q - a)
      if here >= 0:
        kept.append(p)
      if (here > 0 > there) or (here < 0 < there):
        kept.append(p + (q - p) * here / (here - there))
    polygon = kept
    if not polygon:
      break
  return polygon


def _signed_distance(polygon, point):
  """Distance from the border of a convex polygon, below 0 outside; -inf if it's empty."""
  if len(polygon) < 3:
    return -np.inf
  least = np.inf
  for a, b in zip(polygon, [*polygon[1:], *polygon[:1]]):
    edge = b - a
    if (length := np.linalg.norm(edge)) > 1e-9:
      least = min(least, (edge[0] * (point - a)[1] - edge[1] * (point - a)[0]) / length)
  return least


def _by_polygons(towers, index):
  position, size = (getattr(towers, name)[index].astype(float) for name in ("position", "size"))
  yaw = scene.yaw_of(towers.rotation[index].astype(float))
  count, least = towers.count[index], np.inf
  for i in range(count - 1):
    overlap = _clip(list(_corners(position[i], size[i], yaw[i])),
                    _corners(position[i + 1], size[i + 1], yaw[i + 1]))
    mass = size[i + 1:count].prod(axis=1)
    com = mass @ position[i + 1:count, :2] / mass.sum()
    width = 2 * min(size[i, :2].min(), size[i + 1, :2].min())
    least = min(least, _signed_distance(overlap, com) / width)
  return least


@pytest.mark.parametrize("offset, expected", [
    ((0.0, 0.0), 0.5), ((0.3, 0.0), 0.2), ((0.0, -0.3), 0.2), ((0.6, 0.0), -0.1),
    ((0.3, 0.4), 0.1), ((0.49, 0.49), 0.01)])
def test_two_aligned_blocks(offset, expected):
  assert support.margin(_tower([(0, 0), offset]))[0] == pytest.approx(expected, abs=1e-6)


def test_beyond_a_corner_it_is_the_distance_to_the_further_line():
  assert support.margin(_tower([(0, 0), (0.6, 0.7)]))[0] == pytest.approx(-0.2, abs=1e-6)


def test_an_empty_overlap_is_negative():
  towers = _tower([(0, 0), (1.5, 0.0)])
  assert support.margin(towers)[0] < 0 and support.falls(towers)[0] == 1


def test_both_faces_bound_the_overlap_of_turned_blocks():
  # The lower face ends at x = .5; the upper one, turned by 45 degrees about (.2, 0), has its
  # sides at sqrt(.5) from its middle along x, at .5 along the diagonals.
  towers = _tower([(0, 0), (0.2, 0)], yaws=[0.0, math.pi / 4])
  assert support.margin(towers)[0] == pytest.approx(0.3, abs=1e-6)
  # And turned the other way round: the middle (.2, 0) is .5 - .2 / sqrt 2 from the diamond's side.
  towers = _tower([(0, 0), (0.2, 0)], yaws=[math.pi / 4, 0.0])
  assert support.margin(towers)[0] == pytest.approx(0.5 - 0.2 / math.sqrt(2), abs=1e-6)


def test_a_quarter_turn_changes_nothing():
  plain = support.margin(_tower([(0, 0), (0.3, 0.1)]))
  turned = support.margin(_tower([(0, 0), (0.3, 0.1)], yaws=[math.pi / 2, -math.pi / 2]))
  np.testing.assert_allclose(plain, turned, atol=1e-6)


def test_a_counterweight_holds_an_overhang():
  alone = support.margins(_tower([(0, 0), (0.55, 0)]))[0]
  assert alone[0] == pytest.approx(-0.05, abs=1e-6)
  held = support.margins(_tower([(0, 0), (0.55, 0), (0.15, 0)]))[0]  # com of both: .35
  np.testing.assert_allclose(held, [0.15, 0.1], atol=1e-6)


def test_a_third_block_brings_an_overhang_down():
  assert support.margin(_tower([(0, 0), (0.3, 0)]))[0] == pytest.approx(0.2, abs=1e-6)
  down = support.margins(_tower([(0, 0), (0.3, 0), (0.75, 0)]))[0]  # com of both: .525
  np.testing.assert_allclose(down, [-0.025, 0.05], atol=1e-6)


def test_bigger_blocks_weigh_more():
  offsets, big = [(0, 0), (0, 0), (0.4, 0)], [0.5, 0.5, 0.5 * 3]
  light = support.margins(_tower(offsets))[0, 0]
  heavy = support.margins(_tower(offsets, sizes=[[0.5] * 3, [0.5] * 3, big]))[0, 0]
  assert light == pytest.approx(0.5 - 0.2, abs=1e-6)
  assert heavy == pytest.approx(0.5 - 0.3, abs=1e-6)


def test_margins_are_in_widths_of_the_smaller_face():
  small = _tower([(0, 0), (0.1, 0)], sizes=[[0.5] * 3, [0.25] * 3])
  assert support.margin(small)[0] == pytest.approx((0.25 / 0.5), abs=1e-6)
  edge = _tower([(0, 0), (0.4, 0)], sizes=[[0.5] * 3, [0.25] * 3])
  assert support.margin(edge)[0] == pytest.approx(0.1 / 0.5, abs=1e-6)


def test_a_single_block_has_half_a_width():
  one = scene.sample(3, seed=0, distribution=scene.Distribution(counts=(1,)))
  np.testing.assert_allclose(support.margin(one), 0.5)
  assert support.falls(one).tolist() == [0, 0, 0]


def test_there_is_no_interface_above_the_top():
  towers = scene.sample(3, seed=0)  # 2, 3, 4 blocks
  assert np.isinf(support.margins(towers)).sum(axis=1).tolist() == [2, 1, 0]


def test_the_margin_is_that_of_clipped_polygons():
  towers = scene.sample(200, seed=1, distribution=scene.Distribution(counts=(2, 3, 4, 5, 6)))
  found = support.margin(towers)
  expected = np.minimum([_by_polygons(towers, i) for i in range(200)], 0.5)
  np.testing.assert_array_equal(np.sign(found), np.sign(expected))
  stands = expected > 0
  assert 60 < stands.sum() < 140  # about half
  np.testing.assert_allclose(found[stands], expected[stands], atol=1e-6)


def test_the_margin_is_that_of_clipped_polygons_of_blocks_of_all_sizes():
  towers = scene.sample(200, seed=2)
  rng = np.random.default_rng(0)
  size = rng.uniform(0.3, 0.8, towers.size.shape).astype(np.float32)
  height = np.cumsum(2 * size[..., 2], axis=1) - size[..., 2]
  position = towers.position.copy()
  position[..., 2] = height
  towers = towers.replace(size=size, position=position)
  expected = np.minimum([_by_polygons(towers, i) for i in range(200)], 0.5)
  found = support.margin(towers)
  np.testing.assert_array_equal(np.sign(found), np.sign(expected))
  np.testing.assert_allclose(found[expected > 0], expected[expected > 0], atol=1e-6)


def test_margins_do_not_depend_on_the_batch():
  towers = scene.sample(9, seed=3)
  alone = [support.margin(towers.take(i))[0] for i in range(9)]
  np.testing.assert_allclose(support.margin(towers), alone, atol=1e-12)


def test_what_stood_on_a_removed_block_hangs():
  towers = _tower([(0, 0), (0, 0), (0, 0)])
  assert support.margin(towers)[0] == pytest.approx(0.5)
  assert support.margin(scene.remove(towers, 1))[0] < 0
  assert support.falls(scene.remove(towers, 1)).tolist() == [1]


def test_a_tower_whose_lowest_block_was_removed_hangs():
  assert support.margin(scene.remove(_tower([(0, 0), (0, 0), (0, 0)]), 0))[0] < 0
  assert support.margin(scene.remove(_tower([(0, 0), (0, 0)]), 0))[0] < 0


def test_a_tower_without_its_top_block_is_that_of_the_others():
  offsets = [(0, 0), (0.3, 0), (0.75, 0)]
  removed = support.margin(scene.remove(_tower(offsets), 2))
  np.testing.assert_allclose(removed, support.margin(_tower(offsets[:2])))


def test_places_between_blocks_do_not_change_the_margin():
  towers = _tower([(0, 0), (9, 9), (0.3, 0)])
  low = towers.position.copy()
  low[0, 2, 2] = 1.5  # the third block on the first
  packed = support.margin(scene.remove(towers.replace(position=low), 1))
  assert packed[0] == pytest.approx(0.2, abs=1e-6)


def test_tilted_blocks_are_refused_by_name():
  towers = scene.sample(3, seed=0)
  rotation = towers.rotation.copy()
  rotation[2, 1] = [math.cos(0.1), math.sin(0.1), 0, 0]
  with pytest.raises(ValueError, match="block 1 of tower 2 is tilted; .*simulate instead"):
    support.margin(towers.replace(rotation=rotation))


def test_about_half_of_the_sampled_towers_stand():
  for count in range(2, 7):
    towers = scene.sample(300, seed=0, distribution=scene.Distribution(counts=(count,)))
    assert 0.38 < support.falls(towers).mean() < 0.62
