"""What holds for the batches of any faces."""

import numpy as np
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from garden.dagan import data
from garden.datasets import faces

_few = settings(max_examples=5)


@st.composite
def _sets(draw):
  """Real, simulated and new faces of 1 x 1 pixels of three levels each, a batch size and a seed."""
  rng = np.random.default_rng(draw(st.integers(0)))
  size = 2 * draw(st.integers(1, 4))

  def some(level, people):
    count = draw(st.integers(size, 12))
    identity = rng.choice(people, count)
    image = np.broadcast_to(np.uint8(level + identity)[:, None, None, None], (count, 4, 4, 3))
    whole = np.full((count, 4, 4, 1), 255, np.uint8)
    return faces.FaceSet(image.copy(), whole, whole, identity, np.full(count, "x"),
                         np.zeros(count, np.float32), np.arange(count))  # fmt: skip

  return (some(0, [0, 1, 2]), some(100, [0, 1, 2]), some(200, [7, 8])), size, draw(
    st.integers(0, 1000))


def _levels(image):
  return data.as_pixels(image)[:, 0, 0, 0].astype(int)


@_few
@given(_sets(), st.integers(0, 20), st.booleans())
def test_a_batch_is_a_function_of_seed_and_step_alone(drawn, skipped, with_new):
  (real, simulated, new), size, seed = drawn

  def make():
    return data.batches(real, simulated, new if with_new else None, size, seed)

  walked = list(make()(0).take(skipped + 2))[-1]
  (jumped,) = make()(skipped + 1).take(1)
  for part in ("real", "simulated"):
    for name, value in walked[part].items():
      np.testing.assert_array_equal(value, jumped[part][name], err_msg=f"{part} {name}")


@_few
@given(_sets())
def test_images_keep_their_people_and_new_ones_have_no_label(drawn):
  (real, simulated, new), size, seed = drawn
  for batch in data.batches(real, simulated, new, size, seed)(0).take(6):
    assert _levels(batch["real"]["image"]).tolist() == batch["real"]["identity"].numpy().tolist()
    levels, identity = _levels(batch["simulated"]["image"]), batch["simulated"]["identity"].numpy()
    half = size // 2
    assert len(levels) == size and (levels[:half] - 100 == identity[:half]).all()
    assert (identity[half:] == -1).all() and set(levels[half:]) <= {207, 208}
    assert (np.abs(batch["simulated"]["image"]) <= 1).all()


@given(st.integers(0))
def test_pixels_survive_the_way_there_and_back(seed):
  images = np.random.default_rng(seed).integers(0, 256, (2, 3, 3, 3)).astype(np.uint8)
  np.testing.assert_array_equal(data.as_pixels(data.scaled(images).numpy()), images)
