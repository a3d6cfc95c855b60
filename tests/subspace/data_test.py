"""Tests of the images to cluster and of the batches."""

import itertools

import numpy as np
import pytest

from garden.subspace import data


@pytest.fixture
def path(tmp_path):
  """A .npz of 12 images of 4 classes, each image its own grey."""
  pixels = np.repeat(np.arange(12) / 24 + 0.25, 16).reshape(12, 4, 4)
  pixels[:, 0, 0] = 0.0  # not constant
  labels = np.array([0, 1, 2, 3] * 3)
  np.savez(tmp_path / "a.npz", images=pixels.astype(np.float32), labels=labels)
  return str(tmp_path / "a.npz")


def _numbers(images, scale=1.0):
  """Which of the 12 images these are."""
  return np.round((images.pixels[:, 3, 3, 0] / scale - 0.25) * 24).astype(int).tolist()


def test_all_images_are_read_in_order(path):
  images = data.Source(path, 4).load()
  assert images.pixels.shape == (12, 4, 4, 1) and images.pixels.dtype == np.float32
  assert _numbers(images) == list(range(12))


def test_pixels_are_scaled_to_the_declared_range(path):
  images = data.Source(path, 4, pixel_max=255.0).load()
  assert images.pixels.dtype == np.float32
  np.testing.assert_allclose(images.pixels, 255 * data.Source(path, 4).load().pixels, rtol=1e-6)


def test_a_window_of_classes_is_renumbered(path):
  images = data.Source(path, 2, first_class=1).load()
  assert _numbers(images) == [1, 2, 5, 6, 9, 10]
  assert images.labels.tolist() == [0, 1] * 3 and images.labels.dtype == np.int64
  assert len(images.class_names) == 2 and images.names[0].endswith(":1")


def test_the_first_images_of_each_class_are_taken(path):
  images = data.Source(path, 4, per_class=2).load()
  assert _numbers(images) == list(range(8))
  assert _numbers(data.Source(path, 2, first_class=2, per_class=1).load()) == [2, 3]


def test_fewer_groups_than_classes_keep_all_images(path):
  assert len(data.Source(path, 3).load().pixels) == 12


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"n_clusters": 1}, r"n_clusters is 1; clustering needs at least 2"),
    ({"n_clusters": 0}, r"n_clusters is 0"),
    ({"n_clusters": 13}, r"12 images can't make 13 groups"),
    ({"n_clusters": 3, "first_class": 2}, r"first_class 2 and n_clusters 3 .*class 4; .*0 to 3"),
    ({"n_clusters": 4, "first_class": -1}, r"first_class is -1"),
    ({"n_clusters": 4, "per_class": 0}, r"per_class is 0"),
    ({"n_clusters": 4, "pixel_max": 0.0}, r"pixel_max is 0"),
  ],
)
def test_what_cannot_be_clustered_is_refused(path, settings, message):
  with pytest.raises(ValueError, match=message):
    data.Source(path, **settings).load()


def test_classes_need_labels(tmp_path):
  pixels = np.random.default_rng(0).uniform(size=(4, 5, 5)).astype(np.float32)
  from PIL import Image

  for i, image in enumerate(pixels):
    Image.fromarray((255 * image).astype(np.uint8)).save(tmp_path / f"{i}.png")
  assert data.Source(str(tmp_path), 2).load().labels is None
  with pytest.raises(ValueError, match="has no labels to choose classes by"):
    data.Source(str(tmp_path), 2, per_class=1).load()


def test_a_folder_is_resized_and_given_its_channels(tmp_path):
  from PIL import Image

  for i in range(3):
    pixels = np.random.default_rng(i).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"{i}.png")
  images = data.Source(str(tmp_path), 2, image_size=(8, 4), channels=3).load()
  assert images.pixels.shape == (3, 8, 4, 3)


def test_a_source_loads_nothing_until_asked():
  source = data.Source("nowhere/", 2)
  with pytest.raises((ValueError, FileNotFoundError), match="nowhere"):
    source.load()


def test_digits_need_no_download():
  images = data.Source("digits", 10, per_class=3).load()
  assert images.pixels.shape == (30, 8, 8, 1)
  assert 0 <= images.pixels.min() < images.pixels.max() <= 1


def _take(batches, first, count):
  return [b.tolist() for b in itertools.islice(batches(first).as_numpy_iterator(), count)]


@pytest.mark.parametrize(("n_images", "size"), [(12, 4), (10, 4), (7, 7), (5, 50), (9, 2)])
def test_each_turn_visits_all_images_once(n_images, size):
  batches = data.shuffled(n_images, size, seed=3)
  steps = _take(batches, 0, 4 * n_images)
  assert {len(batch) for batch in steps} == {min(size, n_images)}
  places = list(itertools.chain(*steps))
  turns = [places[i : i + n_images] for i in range(0, len(places) - n_images + 1, n_images)]
  assert all(sorted(turn) == list(range(n_images)) for turn in turns)
  assert len({tuple(turn) for turn in turns}) > 1  # in a new order each time


def test_a_batch_is_a_function_of_seed_and_step():
  batches = data.shuffled(10, 4, seed=5)
  whole = _take(batches, 0, 12)
  for first in (1, 2, 7):
    assert _take(batches, first, 5) == whole[first : first + 5]
  assert _take(data.shuffled(10, 4, seed=5), 0, 12) == whole
  assert _take(data.shuffled(10, 4, seed=6), 0, 12) != whole


def test_far_steps_do_not_overflow():
  (batch,) = _take(data.shuffled(1000, 50, seed=0), 10**12, 1)
  assert len(set(batch)) == 50 and 0 <= min(batch) and max(batch) < 1000


def test_every_image_comes_in_order_at_every_step():
  assert _take(data.every_image(5), 3, 2) == [[0, 1, 2, 3, 4]] * 2
