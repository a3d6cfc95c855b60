"""Outlines: the shapes lie within the unit disc, each of its own form."""

import numpy as np
import pytest

from garden.worlds.moving_shapes import shapes

_ALL = shapes.SOURCE_CLASSES + shapes.TARGET_CLASSES


def _area(polygon):
  """Area of a closed polygon, by the shoelace formula."""
  x, y = polygon.T
  return 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def test_source_and_target_share_no_class():
  assert not set(shapes.SOURCE_CLASSES) & set(shapes.TARGET_CLASSES)
  assert len(set(_ALL)) == len(_ALL) == 15


def test_classes_are_in_the_order_in_which_folders_are_listed():
  for names in (shapes.SOURCE_CLASSES, shapes.TARGET_CLASSES):
    assert list(names) == sorted(names)


@pytest.mark.parametrize("name", _ALL)
@pytest.mark.parametrize("bend", [0.0, 0.5, 1.0])
def test_a_shape_fills_the_unit_disc_without_leaving_it(name, bend):
  radius = np.concatenate([np.hypot(*points.T) for points in shapes.outline(name, bend)])
  assert 0.9 < radius.max() < 1.15
  assert 0.6 < max(_area(points) for points in shapes.outline(name, bend)) <= np.pi


@pytest.mark.parametrize("name", _ALL)
def test_bend_changes_a_shape(name):
  low, high = shapes.outline(name, 0.0), shapes.outline(name, 1.0)
  assert max(np.abs(a - b).max() for a, b in zip(low, high)) > 0.1


def test_the_ring_and_the_frame_have_a_hole():
  assert {name for name in _ALL if len(shapes.outline(name)) > 1} == {"frame", "ring"}


@pytest.mark.parametrize(
  ("name", "area"),
  [("circle", 3.13), ("square", 2.0), ("triangle", 1.299), ("hexagon", 2.598)],
)
def test_areas_of_the_regular_forms(name, area):
  assert _area(shapes.outline(name, 1.0)[0]) == pytest.approx(area, abs=0.01)


def test_the_crescent_is_the_circle_without_another():
  points = shapes.outline("crescent", 0.0)[0] - [0.1, 0.0]
  on_circle = np.isclose(np.hypot(*points.T), 1.0)
  assert on_circle[:48].all()
  assert np.hypot(*points[49:].T).max() < 1.0
  tip = np.radians(40.0)
  np.testing.assert_allclose(points[[0, 48]], [[np.cos(tip), np.sin(tip)],
                                               [np.cos(tip), -np.sin(tip)]], atol=1e-9)  # fmt: skip


def test_bad_arguments():
  with pytest.raises(ValueError, match="shape is 'blob'; it must be one of arrow, circle"):
    shapes.outline("blob")
  with pytest.raises(ValueError, match=r"bend is 1.1; it must lie in \[0, 1\]"):
    shapes.outline("ring", 1.1)
