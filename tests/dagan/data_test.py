"""Tests of the batches: who is in them, with which label, in front of what."""

import numpy as np
import pytest
import tensorflow as tf

from garden.dagan import data
from garden.datasets import faces


def _faces(n, value, first=0):
  """Images that tell of themselves: their number in the red, their set in the green."""
  image = np.zeros((n, 8, 8, 3), np.uint8)
  image[..., 0] = np.arange(n)[:, None, None]
  image[..., 1] = value
  image[:, :, :4, 2] = 255  # the left half
  mask = np.zeros((n, 8, 8, 1), np.uint8)
  mask[:, 2:6] = 255
  return faces.FaceSet(image, mask, mask // 5, first + np.arange(n), np.full(n, "profile"),
                        np.zeros(n, np.float32), np.arange(n))


@pytest.fixture(scope="module")
def stream():
  return data.batches(_faces(10, 10), _faces(9, 20, 100), _faces(8, 30, 200), 6, seed=1)


def _first(dataset, n=1):
  return list(dataset.take(n).as_numpy_iterator())


def _number(images, channel):
  """A channel in the middle of the images, where the mask is."""
  return np.round((images[:, 4, 4, channel] + 1) * 127.5).astype(int)


def test_half_of_the_simulated_images_have_a_label(stream):
  batch = _first(stream(0))[0]
  simulated = batch["simulated"]
  assert batch["real"]["image"].shape == (6, 8, 8, 3)
  assert simulated["image"].shape == (6, 8, 8, 3) and simulated["mask"].shape == (6, 8, 8, 1)
  assert (simulated["identity"][:3] >= 100).all() and (simulated["identity"][3:] == -1).all()
  assert _number(batch["real"]["image"], 1).tolist() == [10] * 6
  assert _number(simulated["image"], 1).tolist() == [20] * 3 + [30] * 3


def test_labels_are_of_their_images(stream):
  for batch in _first(stream(0), 5):
    np.testing.assert_array_equal(_number(batch["real"]["image"], 0), batch["real"]["identity"])
    np.testing.assert_array_equal(_number(batch["simulated"]["image"], 0)[:3] + 100,
                                  batch["simulated"]["identity"][:3])


def test_a_batch_is_a_function_of_its_step(stream):
  unbroken, resumed = _first(stream(0), 4)[3], _first(stream(3))[0]
  for a, b in zip(tf.nest.flatten(unbroken), tf.nest.flatten(resumed)):
    np.testing.assert_array_equal(a, b)


def test_masks_are_mirrored_with_their_images(stream):
  blue = np.concatenate([batch["real"]["image"][..., 2] for batch in _first(stream(0), 20)])
  left = (blue[:, 4, 0] > 0).mean()
  assert 0.3 < left < 0.7
  np.testing.assert_array_equal(blue[:, :, 0] > 0, blue[:, :, 7] < 0)


def test_only_backgrounds_of_simulated_images_change(stream):
  batch = _first(stream(0))[0]
  simulated, inside = batch["simulated"]["image"], batch["simulated"]["mask"] == 1
  assert set(_number(batch["real"]["image"][:, ::-1], 1)) == {10}
  outside = simulated[np.broadcast_to(~inside, simulated.shape)].reshape(6, -1)
  assert np.std(outside.mean(axis=1)) > 0.1  # each another one
  assert np.abs(simulated).max() <= 1.0
  np.testing.assert_allclose(batch["simulated"]["visible"], inside * 51 / 255, atol=1e-6)


def test_a_background_is_one_colour_in_a_row():
  images = tf.zeros([3, 8, 8, 3])
  painted = data.repaint(images, tf.zeros([3, 8, 8, 1]), [0, 1]).numpy()
  np.testing.assert_allclose(painted - painted[:, :, :1], 0.0, atol=1e-6)
  assert np.abs(painted[:, 0] - painted[:, -1]).max() <= 0.5 + 1e-6
  np.testing.assert_array_equal(data.repaint(images, tf.ones([3, 8, 8, 1]), [0, 1]), images)


def test_numbers_span_the_range():
  np.testing.assert_allclose(data.scaled(np.array([0, 255], np.uint8)), [-1.0, 1.0])


@pytest.mark.parametrize("size, message", [
    (5, "batch_size is 5; it must be even"), (0, "batch_size is 0"),
    (12, "there are 10 real images; it needs 12")])
def test_batches_that_cannot_be_are_refused(size, message):
  with pytest.raises(ValueError, match=message):
    data.batches(_faces(10, 0), _faces(10, 0), _faces(10, 0), size, seed=0)
