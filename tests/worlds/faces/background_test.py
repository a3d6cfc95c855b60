"""Tests of filling in what a head hides."""

import numpy as np
import pytest

from garden.worlds.faces import background


def test_what_is_known_stays_and_a_flat_picture_stays_flat():
  rng = np.random.default_rng(0)
  image = rng.uniform(0, 255, (13, 9, 3))
  known = (rng.random((13, 9)) < 0.5).astype(float)
  filled = background.fill(image, known)
  np.testing.assert_allclose(filled[known == 1], image[known == 1])
  flat = background.fill(np.full((13, 9, 3), 7.0), known)
  np.testing.assert_allclose(flat, 7.0)


def test_a_hole_takes_colours_between_those_around_it():
  image = np.zeros((32, 32, 3)) + np.linspace(0, 100, 32)[None, :, None]
  known = np.ones((32, 32))
  known[8:24, 8:24] = 0.0
  filled = background.fill(image * known[..., None], known)[8:24, 8:24, 0]
  assert filled.min() >= 0 and filled.max() <= 100
  assert filled[:, -4:].mean() > filled[:, :4].mean() + 15


def test_nothing_known_is_black():
  assert not background.fill(np.ones((5, 4, 3)), np.zeros((5, 4))).any()


def test_behind_shows_nothing_of_what_was_covered():
  image = np.full((32, 32, 3), 50.0)
  mask = np.zeros((32, 32), bool)
  mask[10:20, 10:20] = True
  image[mask] = 255.0
  np.testing.assert_allclose(background.behind(image, mask), 50.0)


@pytest.mark.parametrize("shape", [(40, 32), (161, 97)])
def test_an_extended_photograph_holds_the_photograph(shape):
  image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
  large, (across, down) = background.extended(image)
  assert large.shape[0] == shape[0] + 2 * (shape[0] // 2)
  across, down = int(across), int(down)
  np.testing.assert_array_equal(large[down:down + shape[0], across:across + shape[1]], image)
  assert large[0].std() < image.std()  # what is made up is smooth
