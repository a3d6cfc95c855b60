"""What holds for the pictures of any table."""

import numpy as np
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from garden.worlds.billiards import renderer
from garden.worlds.billiards import scene

_SIZE = 24
_few = settings(max_examples=20)


@st.composite
def _tables(draw):
  count, seed = draw(st.integers(1, 6)), draw(st.integers(0, 10**6))
  return scene.sample(2, seed, distribution=scene.Distribution(counts=(count,)))


@_few
@given(_tables(), st.floats(0.1, 6))
def test_a_picture_is_a_mix_of_the_colours_that_are_there(tables, softness):
  found = renderer.render(tables.arrays(), _SIZE, softness)
  image = found["image"].numpy()
  paints = np.concatenate([tables.color, tables.cloth_color[:, None]], axis=1)
  assert (image >= paints.min(axis=1)[:, None, None] - 1e-5).all()
  assert (image <= paints.max(axis=1)[:, None, None] + 1e-5).all()
  assert set(np.unique(found["ids"])) <= set(range(tables.present.shape[1] + 1))


@_few
@given(_tables())
def test_a_mirrored_or_turned_table_has_the_mirrored_or_turned_picture(tables):
  image = renderer.render(tables.arrays(), _SIZE)["image"].numpy()
  x, y = tables.position[..., 0], tables.position[..., 1]
  for position, expected in (
    ((-x, y), image[:, :, ::-1]), ((x, -y), image[:, ::-1]),
    ((y, x), image[:, ::-1, ::-1].swapaxes(1, 2)),
  ):  # fmt: skip
    other = tables.replace(position=np.stack(position, axis=-1))
    found = renderer.render(other.arrays(), _SIZE)["image"].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


@_few
@given(_tables())
def test_a_ball_covers_about_its_area(tables):
  size = 96
  ids = renderer.render(tables.arrays(), size)["ids"].numpy()
  pixel = (2 * scene.HALF_TABLE / size) ** 2
  for table, ball in np.argwhere(tables.present):
    area = np.pi * tables.radius[table, ball] ** 2
    assert abs((ids[table] == ball + 1).sum() * pixel / area - 1) < 0.15
