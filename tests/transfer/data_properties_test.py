"""What holds for the draw and the batches of any streams."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from garden.datasets import images as images_lib
from garden.transfer import data

_few = settings(max_examples=5)


@st.composite
def _draws(draw):
  """Labels of K classes, k of each to be drawn (None for all), and a seed."""
  classes = draw(st.integers(1, 5))
  more = draw(st.lists(st.integers(0, classes - 1), max_size=30))
  labels = np.random.default_rng(draw(st.integers(0))).permutation([*range(classes), *more])
  most = int(np.bincount(labels).min())
  return labels, draw(st.none() | st.integers(1, most)), draw(st.integers(0, 1000))


@given(_draws())
def test_the_drawn_and_the_others_are_a_partition(drawn):
  labels, per_class, seed = drawn
  names = tuple(f"class {k}" for k in range(labels.max() + 1))
  chosen, rest = data.draw(labels, names, per_class, seed)
  assert sorted([*chosen, *rest]) == list(range(len(labels)))
  counts = np.bincount(labels[chosen], minlength=len(names))
  assert (counts == (np.bincount(labels) if per_class is None else per_class)).all()
  assert (np.diff(labels[chosen]) >= 0).all()
  for one, other in zip(data.draw(labels, names, per_class, seed), (chosen, rest)):
    np.testing.assert_array_equal(one, other)


@given(_draws())
def test_more_than_a_class_has_is_refused(drawn):
  labels, _, seed = drawn
  names = tuple(f"class {k}" for k in range(labels.max() + 1))
  with pytest.raises(ValueError, match="ask for fewer"):
    data.draw(labels, names, int(np.bincount(labels).min()) + 1, seed)


def _images(first, count, classes):
  """Images whose pixels are their numbers, so that a batch tells which it holds."""
  numbers = np.arange(first, first + count, dtype=np.float32)
  pixels = np.broadcast_to(numbers[:, None, None, None] / 1000, (count, 2, 2, 1)).copy()
  return images_lib.Images(pixels, np.arange(count, dtype=np.int64) % classes,
                           tuple(f"{first}-{k}" for k in range(classes)),
                           tuple(map(str, range(count))))  # fmt: skip


@st.composite
def _splits(draw):
  """A split of images whose pixels are numbers from 0, 300 and 600, and two sizes of batches."""
  classes = draw(st.integers(1, 3))
  source, labeled, rest = (_images(first, draw(st.integers(classes, 12)), classes)
                           for first in (0, 300, 600))
  split = data.Split(source, None, labeled, rest, None)
  return split, draw(st.integers(1, 15)), draw(st.integers(1, 15)), draw(st.integers(0, 1000))


def _numbers(pixels):
  return np.round(pixels[:, 0, 0, 0].numpy() * 1000).astype(int)


@_few
@given(_splits(), st.integers(0, 20))
def test_a_batch_is_a_function_of_seed_and_step_alone(drawn, skipped):
  split, size, other, seed = drawn
  for make in (lambda: data.adapt_batches(split, size, other, seed),
               lambda: data.source_batches(split, size, seed),
               lambda: data.episode_batches(split, 1, seed)):
    walked = list(make()(0).take(skipped + 2))[-1]
    (jumped,) = make()(skipped + 1).take(1)
    assert walked.keys() == jumped.keys()
    for name in walked:
      for a, b in zip(walked[name], jumped[name]):
        np.testing.assert_array_equal(a, b)


@_few
@given(_splits())
def test_each_stream_holds_its_own_images_with_their_own_labels(drawn):
  split, size, other, seed = drawn
  seen = []
  for batch in data.adapt_batches(split, size, other, seed)(0).take(12):
    pixels, labels = batch["source"]
    numbers = _numbers(pixels)
    assert len(numbers) == min(size, len(split.source))
    np.testing.assert_array_equal(split.source.labels[numbers], labels)
    pixels, labels = batch["target_labeled"]
    np.testing.assert_array_equal(_numbers(pixels) - 300, np.arange(len(split.labeled)))
    np.testing.assert_array_equal(labels, split.labeled.labels)
    unlabeled = _numbers(batch["target_unlabeled"]) - 600
    assert set(unlabeled) <= set(range(len(split.unlabeled)))
    assert len(unlabeled) == min(other, len(split.unlabeled))
    seen.extend(unlabeled)
  turns = len(seen) // len(split.unlabeled)
  counts = np.bincount(seen[:turns * len(split.unlabeled)], minlength=len(split.unlabeled))
  assert (counts == turns).all()


@_few
@given(_splits())
def test_an_episode_has_as_many_of_each_class(drawn):
  split, _, _, seed = drawn
  most = int(np.bincount(split.source.labels).min())
  for batch in data.episode_batches(split, most, seed)(3).take(2):
    pixels, labels = batch["source"]
    np.testing.assert_array_equal(labels, np.repeat(np.arange(split.source.num_classes), most))
    np.testing.assert_array_equal(split.source.labels[_numbers(pixels)], labels)
