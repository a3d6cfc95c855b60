"""Tests of the z-buffer on triangles done by hand."""

import numpy as np
import pytest

from garden.worlds.faces import mesh
from garden.worlds.faces import rasterizer

_SQUARE = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [4, 4, 0.0]])
_TWO = mesh.grid(2, 2, closed=False)


def _at(depth, offset=0.0):
  return _SQUARE + [offset, offset, depth]


def test_a_square_covers_its_pixels_alone():
  mask = rasterizer.rasterize(_at(0, 2), _TWO, (8, 8)).mask
  expected = np.zeros((8, 8), bool)
  expected[2:6, 2:6] = True
  np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearest_is_seen_whatever_the_order(order):
  depths = [1.0, 3.0]
  points = np.concatenate([_at(depths[k]) for k in order])
  raster = rasterizer.rasterize(points, np.concatenate([_TWO, 4 + _TWO]), (4, 4))
  assert (raster.depth == 3.0).all()
  assert set((raster.triangle // 2).ravel()) == {order.index(1)}


def test_weights_find_the_pixels_middle_again():
  points = np.array([[0.3, 0.2, 5], [1.1, 9.4, -2], [8.7, 3.3, 1.0]])
  triangles = np.array([[0, 1, 2]])
  raster = rasterizer.rasterize(points, triangles, (10, 10))
  row, column = np.nonzero(raster.mask)
  assert len(row) > 20
  found = raster.interpolate(triangles, points)[raster.mask]
  np.testing.assert_allclose(found[:, 0], column + 0.5, atol=1e-9)
  np.testing.assert_allclose(found[:, 1], row + 0.5, atol=1e-9)
  np.testing.assert_allclose(found[:, 2], raster.depth[raster.mask], atol=1e-9)


def test_what_crosses_the_border_is_cut():
  raster = rasterizer.rasterize(_at(0, -2), _TWO, (3, 5))
  assert raster.mask.sum() == 4 and raster.mask[:2, :2].all()


def test_flat_triangles_and_empty_pictures_show_nothing():
  flat = np.array([[0, 0, 0], [4, 4, 0], [2, 2, 0.0]])
  raster = rasterizer.rasterize(flat, np.array([[0, 1, 2]]), (4, 4))
  assert not raster.mask.any() and (raster.depth == -np.inf).all()
  assert not raster.interpolate(np.array([[0, 1, 2]]), flat).any()


def test_closed_surfaces_show_no_backs():
  facing = mesh.grid(2, 2, closed=False)
  away = facing[:, ::-1]
  assert rasterizer.rasterize(_at(0), facing, (4, 4), closed=True).mask.all()
  assert not rasterizer.rasterize(_at(0), away, (4, 4), closed=True).mask.any()
  assert rasterizer.rasterize(_at(0), away, (4, 4)).mask.all()


def test_a_vertex_that_is_not_finite_is_refused():
  points = _SQUARE.copy()
  points[1, 2] = np.nan
  with pytest.raises(ValueError, match="isn't finite"):
    rasterizer.rasterize(points, _TWO, (4, 4))
