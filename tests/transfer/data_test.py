"""Tests of the three streams: domains, the draw, what is refused, batches, replicas."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from garden.core import strategies
from garden.datasets import images as images_lib
from garden.transfer import data

# Domains.


def _npz(folder, name, labels, size=4, scale=1.0, top=255):
  """A .npz of grey images, each its own level; returns its path."""
  levels = np.linspace(0, top, len(labels)) * scale
  pixels = np.broadcast_to(levels[:, None, None], (len(labels), size, size))
  kind = np.uint8 if scale == 1.0 else np.float32
  path = folder / f"{name}.npz"
  arrays = {"images": pixels.astype(kind)}
  np.savez(path, **arrays, **({} if labels[0] is None else {"labels": np.array(labels)}))
  return str(path)


def _pngs(folder, classes, size=4):
  """A folder of grey PNG files, a sub-folder a class: `{"cat": 3, ...}`; returns its path."""
  for name, count in classes.items():
    (folder / name).mkdir(parents=True, exist_ok=True)
    for i in range(count):
      Image.fromarray(np.full((size, size), 10 * i, np.uint8)).save(folder / name / f"{i}.png")
  return str(folder)


def _svhn(folder, pixels):
  """Puts colour images where the named set `svhn` looks for them."""
  (folder / "svhn").mkdir()
  np.savez(folder / "svhn" / "svhn_test_first10000_32x32.npz", images=pixels,
           labels=np.arange(len(pixels)))  # fmt: skip
  return str(folder)


@pytest.fixture
def colours(tmp_path):
  """`svhn` with a red, a green and a blue image."""
  pixels = np.zeros((3, 32, 32, 3), np.uint8)
  pixels[range(3), :, :, range(3)] = 255
  return _svhn(tmp_path, pixels)


def test_a_domain_takes_all_of_a_file_unless_told(tmp_path):
  images = data.Domain(_npz(tmp_path, "a", ["cat", "dog", "cat"])).load()
  assert images.pixels.shape == (3, 4, 4, 1) and images.pixels.dtype == np.float32
  np.testing.assert_allclose(images.pixels[:, 0, 0, 0], np.array([0, 127, 255]) / 255)
  assert images.class_names == ("cat", "dog") and images.labels.tolist() == [0, 1, 0]


def test_classes_are_chosen_and_numbered_in_the_order_asked_for(tmp_path):
  path = _npz(tmp_path, "a", ["a", "b", "c", "d", "a", "d"])
  images = data.Domain(path, classes=("d", "a")).load()
  assert images.class_names == ("d", "a")
  assert images.labels.tolist() == [1, 0, 1, 0] and images.labels.dtype == np.int64
  assert images.names == ("a.npz:0", "a.npz:3", "a.npz:4", "a.npz:5")
  levels = np.linspace(0, 255, 6).astype(np.uint8)[[0, 3, 4, 5]] / 255
  np.testing.assert_allclose(images.pixels[:, 0, 0, 0], levels, rtol=1e-6)


def test_classes_may_be_given_as_numbers(tmp_path):
  images = data.Domain(_npz(tmp_path, "a", [0, 1, 2, 1]), classes=(2, 1)).load()
  assert images.class_names == ("2", "1") and images.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize("classes", [("cat", "cow"), ("cat", "cat"), ()], ids=str)
def test_unknown_repeated_and_no_classes_are_refused_with_those_there_are(tmp_path, classes):
  path = _npz(tmp_path, "a", ["cat", "dog"])
  with pytest.raises(ValueError, match=r"classes are \[.*a\.npz has cat, dog; name each once"):
    data.Domain(path, classes=classes).load()


def test_classes_of_images_without_labels_are_refused(tmp_path):
  with pytest.raises(ValueError, match=r"classes are \['a'\]; .* has no labels"):
    data.Domain(_pngs(tmp_path, {"": 3}), classes=("a",)).load()


def test_parts_are_contiguous_and_disjoint(tmp_path):
  path = _npz(tmp_path, "a", [0, 1] * 6 + [1])
  cuts = (0.0, 0.31, 0.85, 1.0)
  parts = [data.Domain(path, part=part).load() for part in itertools.pairwise(cuts)]
  assert [len(part) for part in parts] == [4, 7, 2]
  assert sum((part.names for part in parts), ()) == data.Domain(path).load().names


def test_a_part_is_of_the_chosen_classes(tmp_path):
  path = _npz(tmp_path, "a", [0, 0, 0, 0, 1, 1, 2, 2])
  images = data.Domain(path, classes=("1", "2"), part=(0.5, 1.0)).load()
  assert images.names == ("a.npz:6", "a.npz:7") and images.labels.tolist() == [1, 1]
  assert images.class_names == ("1", "2")


def test_colour_turns_grey_with_its_weights(colours):
  images = data.Domain("svhn", data_dir=colours).load()
  assert images.pixels.shape == (3, 32, 32, 1) and images.pixels.dtype == np.float32
  np.testing.assert_allclose(images.pixels[:, 5, 7, 0], [0.2989, 0.5870, 0.1140], rtol=1e-6)


def test_colour_stays_where_three_channels_are_asked_for(colours):
  images = data.Domain("svhn", data_dir=colours, channels=3).load()
  np.testing.assert_array_equal(images.pixels[:, 5, 7], np.eye(3))


def test_grey_becomes_three_equal_channels():
  grey = data.Domain("digits", part=(0, 0.01)).load()
  images = data.Domain("digits", part=(0, 0.01), channels=3).load()
  assert images.pixels.shape == (17, 8, 8, 3) and grey.pixels.std() > 0
  for channel in range(3):
    np.testing.assert_array_equal(images.pixels[..., channel], grey.pixels[..., 0])


def test_the_border_is_black_and_the_image_inside(tmp_path):
  path = _npz(tmp_path, "a", [0, 1])
  inside, images = data.Domain(path).load().pixels, data.Domain(path, padding=2).load().pixels
  assert images.shape == (2, 8, 8, 1)
  np.testing.assert_array_equal(images[:, 2:-2, 2:-2], inside)
  assert inside[1].sum() == images[1].sum() == 16


@pytest.mark.parametrize("kind", ["name", "file"])
def test_the_border_is_added_after_resizing(kind, colours, tmp_path):
  dataset = "svhn" if kind == "name" else _npz(tmp_path, "a", [0, 1, 2])
  images = data.Domain(dataset, image_size=(6, 10), padding=1, data_dir=colours).load().pixels
  assert images.shape == (3, 8, 12, 1)
  assert images[:, 0].max() == images[:, :, -1].max() == 0
  assert np.ptp(images[2, 1:-1, 1:-1]) < 1e-5 < images[2].max()


def test_resizing_stays_in_range(tmp_path):
  pixels = np.zeros((2, 32, 32, 3), np.uint8)
  pixels[:, :, 16:] = 255  # an edge, at which a bicubic filter overshoots
  folder = _svhn(tmp_path, pixels)
  images = data.Domain("svhn", image_size=[28, 24], channels=3, data_dir=folder).load().pixels
  assert images.shape == (2, 28, 24, 3) and images.min() == 0 and images.max() == 1


@pytest.mark.parametrize(("settings", "message"), [
  ({"part": (0.5, 0.5)}, r"part is \(0.5, 0.5\); .* 0 <= first < last <= 1"),
  ({"part": (0.8, 0.2)}, r"part is \(0.8, 0.2\)"),
  ({"part": (-0.1, 1.0)}, r"part is \(-0.1, 1.0\)"),
  ({"part": (0.0, 1.1)}, r"part is \(0.0, 1.1\)"),
  ({"part": (float("nan"), 1.0)}, r"part is \(nan, 1.0\)"),
  ({"part": (0.0, 0.5, 1.0)}, r"part is \(0.0, 0.5, 1.0\); it must be \(first, last\)"),
  ({"part": 0.5}, r"part is 0.5; it must be \(first, last\)"),
  ({"part": ("a", 1)}, r"part is \('a', 1\)"),
  ({"part": (0.0, 1e-4)}, r"part \(0.0, 0.0001\) of the 1797 images of digits holds none"),
  ({"padding": -1}, r"padding is -1; it must be a whole number of at least 0"),
  ({"padding": 1.5}, r"padding is 1.5"),
  ({"padding": True}, r"padding is True"),
  ({"channels": 2}, r"channels is 2; it must be 1 or 3"),
  ({"channels": None}, r"channels is None"),
  ({"image_size": (8,)}, r"image_size is \(8,\); it must be \(height, width\)"),
  ({"image_size": (0, 8)}, r"image_size is \(0, 8\)"),
  ({"image_size": (8.0, 8.0)}, r"image_size is \(8.0, 8.0\)"),
  ({"image_size": 8}, r"image_size is 8"),
], ids=str)  # fmt: skip
def test_a_bad_setting_of_a_domain_is_refused(settings, message):
  with pytest.raises(ValueError, match=message):
    data.Domain("digits", **settings).load()


def test_a_file_without_labels_is_read_by_its_keys(tmp_path):
  path = _npz(tmp_path, "a", [None] * 3)
  images = data.Domain(path, label_key="").load()
  assert len(images) == 3 and images.labels is None
  np.savez(tmp_path / "b.npz", x=np.zeros((2, 4, 4), np.uint8), y=np.array(["u", "v"]))
  named = data.Domain(str(tmp_path / "b.npz"), image_key="x", label_key="y").load()
  assert named.class_names == ("u", "v")


# Streams.


@pytest.fixture
def streams(tmp_path):
  """Makes `Streams` of 12 images of a, b to 15 of c, d, e with changes."""
  source = data.Domain(_npz(tmp_path, "source", ["a", "b"] * 6))
  target = data.Domain(_npz(tmp_path, "target", ["c", "d", "e"] * 5))

  def make(**changes):
    return data.Streams(**{"source": source, "target": target, "per_class": 2, **changes})

  return make


def test_streams_are_source_labelled_and_the_other_target_images(streams):
  split = streams().load()
  assert len(split.source) == 12 and split.source.class_names == ("a", "b")
  assert split.labeled.labels.tolist() == [0, 0, 1, 1, 2, 2]
  assert split.labeled.class_names == ("c", "d", "e")
  names = {f"target.npz:{row}" for row in range(15)}
  assert len(split.unlabeled) == 9
  assert set(split.unlabeled.names) | set(split.labeled.names) == names
  assert split.source_test is split.test is None


def test_the_subset_seed_chooses_the_labelled_images(streams):
  names = [streams(subset_seed=seed).load().labeled.names for seed in (0, 0, 1, 2)]
  assert names[0] == names[1] and len(set(names)) == 3


def test_at_most_so_many_unlabelled_images_are_kept_evenly_spread(streams):
  whole = streams().load().unlabeled.names
  assert streams(max_unlabeled=3).load().unlabeled.names == (whole[0], whole[4], whole[8])
  assert streams(max_unlabeled=100).load().unlabeled.names == whole
  with pytest.raises(ValueError, match="max_unlabeled is 0; it must be a whole number of at lea"):
    streams(max_unlabeled=0).load()


def test_unlabelled_images_may_have_no_labels(streams, tmp_path):
  unlabeled = data.Domain(_pngs(tmp_path / "plain", {"": 3}))
  split = streams(unlabeled=unlabeled, per_class=None).load()
  assert split.unlabeled.labels is None and len(split.unlabeled) == 3
  assert len(split.labeled) == 15  # all of the target


@pytest.mark.parametrize("folders", [("c", "d", "e"), ("clip1", "clip2")])
def test_folders_of_the_unlabelled_images_are_labels_only_where_they_are_the_targets(
    streams, tmp_path, folders):  # fmt: skip
  unlabeled = data.Domain(_pngs(tmp_path / "more", dict.fromkeys(folders, 2)))
  split = streams(unlabeled=unlabeled).load()
  assert len(split.unlabeled) == 2 * len(folders)
  if folders == ("c", "d", "e"):
    assert split.unlabeled.labels.tolist() == [0, 0, 1, 1, 2, 2]
  else:
    assert split.unlabeled.labels is None and split.unlabeled.class_names == ()


def test_test_images_are_loaded_with_the_classes_of_training(streams, tmp_path):
  tests = {"source_test": data.Domain(_npz(tmp_path, "s", ["a", "b", "b"])),
           "test": data.Domain(_npz(tmp_path, "t", ["x", "c", "d", "e"]),
                               classes=("c", "d", "e"))}  # fmt: skip
  split = streams(**tests).load()
  assert split.source_test.labels.tolist() == [0, 1, 1]
  assert split.test.labels.tolist() == [0, 1, 2]


def test_shared_and_any_label_sets_are_taken_where_declared(streams, tmp_path):
  same = data.Domain(_npz(tmp_path, "same", ["b", "a"] * 4), classes=("b", "a"))
  assert streams(target=same, label_sets="shared").load().labeled.class_names == ("b", "a")
  overlapping = data.Domain(_npz(tmp_path, "over", ["b", "c"] * 4))
  assert streams(target=overlapping, label_sets="any").load().labeled.class_names == ("b", "c")


@pytest.mark.parametrize(("labels", "declared", "message"), [
  ("bc", "disjoint", "classes b are in the source and in the target, .* is 'disjoint'; choose"),
  ("cd", "shared", "source has the classes a, b and the target c, d, .* is 'shared'; choose"),
  ("abc", "shared", "source has the classes a, b and the target a, b, c, .* is 'shared'"),
  ("cd", "same", "label_sets is 'same'; it must be one of disjoint, shared, any"),
])  # fmt: skip
def test_label_sets_that_are_not_what_was_declared_are_refused(
    streams, tmp_path, labels, declared, message):  # fmt: skip
  target = data.Domain(_npz(tmp_path, "t", list(labels) * 4))
  with pytest.raises(ValueError, match=message):
    streams(target=target, label_sets=declared).load()


def test_more_labelled_images_than_a_class_has_are_refused(streams):
  with pytest.raises(ValueError, match="per_class is 6 but class 'c' has 5 images; ask for fewer"):
    streams(per_class=6).load()


@pytest.mark.parametrize("stream", ["source", "target"])
def test_a_class_without_a_labelled_image_is_refused(streams, tmp_path, stream):
  domain = data.Domain(_pngs(tmp_path / "p", {"x": 6, "y": 2}), part=(0.0, 0.75))
  with pytest.raises(ValueError, match=f"class 'y' of the {stream} has no labelled image; each"):
    streams(**{stream: domain}).load()


@pytest.mark.parametrize("stream", ["source", "target"])
def test_streams_that_need_labels_say_so(streams, tmp_path, stream):
  domain = data.Domain(_pngs(tmp_path / "p", {"": 4}))
  with pytest.raises(ValueError, match=f"the {stream} has no labels; put the images of each clas"):
    streams(**{stream: domain}).load()


def test_a_single_class_is_refused(streams, tmp_path):
  domain = data.Domain(_npz(tmp_path, "one", ["c", "c", "d"]), classes=("c",))
  with pytest.raises(ValueError, match="the target has 1 class; at least 2 are needed"):
    streams(target=domain, per_class=1).load()


@pytest.mark.parametrize("stream", ["source_test", "target", "unlabeled", "test"])
def test_streams_of_different_image_size_are_refused(streams, tmp_path, stream):
  labels = ["a", "b"] * 3 if stream == "source_test" else ["c", "d", "e"] * 3
  domain = data.Domain(_npz(tmp_path, "large", labels, size=5))
  name = "labeled" if stream == "target" else stream
  with pytest.raises(ValueError, match=rf"images of {name} have the shape \(5, 5, 1\) but the "
                     r"source's \(4, 4, 1\); set image_size, padding"):  # fmt: skip
    streams(**{stream: domain}).load()


def test_streams_of_different_channels_are_refused(streams, tmp_path):
  target = data.Domain(_npz(tmp_path, "t", ["c", "d"] * 4), channels=3)
  with pytest.raises(ValueError, match=r"images of labeled have the shape \(4, 4, 3\)"):
    streams(target=target).load()


def test_floats_out_of_range_are_refused_unless_declared(streams, tmp_path):
  path = _npz(tmp_path, "f", ["c", "d"] * 4, scale=1 / 2)
  with pytest.raises(ValueError, match=r"pixel value 127.5 .*outside the declared range 0..1 "):
    streams(target=data.Domain(path)).load()
  split = streams(target=data.Domain(path, pixel_range=(0, 127.5))).load()
  pixels = np.concatenate([split.labeled.pixels, split.unlabeled.pixels])
  assert pixels.min() == 0 and pixels.max() == 1


@pytest.mark.parametrize("per_class", [5, None])
def test_an_empty_unlabelled_stream_is_refused(streams, per_class):
  with pytest.raises(ValueError, match="no unlabelled target image: .* set per_class, or give unl"):
    streams(per_class=per_class).load()


def test_an_empty_unlabelled_domain_is_refused(streams, tmp_path):
  unlabeled = data.Domain(_pngs(tmp_path / "p", {"": 3}), part=(0.0, 0.1))
  with pytest.raises(ValueError, match="of the 3 images of .* holds none"):
    streams(unlabeled=unlabeled).load()


@pytest.mark.parametrize(("stream", "labels", "message"), [
  ("test", ["c", "d", "x"], "test has the classes c, d, x but training has c, d, e; set classes"),
  ("test", ["c", "d"], "test has the classes c, d but training has c, d, e"),
  ("source_test", ["b", "c"], "source_test has the classes b, c but training has a, b"),
])  # fmt: skip
def test_test_classes_that_differ_are_refused(streams, tmp_path, stream, labels, message):
  domain = data.Domain(_npz(tmp_path, "t", labels))
  with pytest.raises(ValueError, match=message):
    streams(**{stream: domain}).load()


def test_test_images_without_labels_are_refused(streams, tmp_path):
  with pytest.raises(ValueError, match="test has the classes none but training has c, d, e"):
    streams(test=data.Domain(_pngs(tmp_path / "p", {"": 2}))).load()


# The draw.


_LABELS = np.array([1, 0, 2, 1, 0, 2, 1, 1, 0, 2, 0, 1])


def test_the_draw_has_k_of_each_class_sorted_and_apart_from_the_rest():
  drawn, rest = data.draw(_LABELS, "abc", 3, seed=0)
  assert _LABELS[drawn].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
  assert sorted([*drawn, *rest]) == list(range(12)) and rest.tolist() == sorted(rest)


def test_the_draw_is_a_function_of_its_seed():
  draws = [tuple(data.draw(_LABELS, "abc", 2, seed)[0]) for seed in (0, 0, 1, 2, 3)]
  assert draws[0] == draws[1] and len(set(draws)) > 2


def test_without_k_all_are_drawn():
  drawn, rest = data.draw(_LABELS, "abc", None, seed=0)
  assert sorted(drawn) == list(range(12)) and not rest.size
  assert _LABELS[drawn].tolist() == sorted(_LABELS)


@pytest.mark.parametrize(("per_class", "message"), [
  (4, "per_class is 4 but class 'c' has 3 images"),
  (0, "per_class is 0; it must be a whole number of at least 1"),
  (1.0, "per_class is 1.0"),
])  # fmt: skip
def test_a_draw_that_is_not_possible_is_refused(per_class, message):
  with pytest.raises(ValueError, match=message):
    data.draw(_LABELS, "abc", per_class, seed=0)


# Batches.


def _images(labels, first=0, size=3):
  """Images whose pixels are their number, from `first` on."""
  count = len(labels)
  numbers = np.arange(first, first + count, dtype=np.float32)
  pixels = np.broadcast_to(numbers[:, None, None, None], (count, size, size, 1))
  labels = np.array(labels, np.int64)
  return images_lib.Images(np.ascontiguousarray(pixels), labels, ("a", "b", "c"),
                           tuple(map(str, numbers)))  # fmt: skip


@pytest.fixture
def split():
  """Source images 0..17, labelled 100..102, unlabelled 200..212."""
  return data.Split(source=_images([0, 1, 2] * 6), source_test=None,
                    labeled=_images([0, 1, 2], 100), unlabeled=_images([0] * 13, 200),
                    test=None)  # fmt: skip


def _numbers(images):
  return np.asarray(images)[:, 0, 0, 0].astype(int).tolist()


def _plain(batch):
  """Numbers of a batch's images, and labels, as lists by stream."""
  return {name: [_numbers(value[0]), np.asarray(value[1]).tolist()]
          if isinstance(value, tuple) else _numbers(value)
          for name, value in batch.items()}  # fmt: skip


def _take(batches, first, count):
  return [_plain(batch) for batch in batches(first).take(count)]


_KINDS = {
  "source": lambda split, seed: data.source_batches(split, 4, seed),
  "episode": lambda split, seed: data.episode_batches(split, 4, seed),
  "adapt": lambda split, seed: data.adapt_batches(split, 4, 6, seed),
}


@pytest.mark.parametrize("kind", _KINDS)
def test_a_batch_is_a_function_of_seed_and_step(split, kind):
  whole = _take(_KINDS[kind](split, 7), 0, 6)
  assert _take(_KINDS[kind](split, 7), 3, 3) == whole[3:]
  assert _take(_KINDS[kind](split, 8), 0, 6) != whole
  assert whole[0] != whole[1]


@pytest.mark.parametrize("kind", _KINDS)
def test_labels_belong_to_their_images(split, kind):
  for batch in _take(_KINDS[kind](split, 0), 0, 5):
    numbers, labels = batch["source"]
    assert labels == [number % 3 for number in numbers]


def test_a_batch_on_the_source_is_a_dict_of_source_alone(split):
  (batch,) = data.source_batches(split, 5, 0)(0).take(1)
  assert list(batch) == ["source"]
  images, labels = batch["source"]
  assert images.shape == (5, 3, 3, 1) and images.dtype == tf.float32
  assert labels.shape == (5,) and labels.dtype == tf.int64


def test_a_batch_of_adaptation_has_three_streams(split):
  spec = data.adapt_batches(split, 4, 6, 0)(0).element_spec
  pixels, labels = tf.TensorSpec([4, 3, 3, 1]), tf.TensorSpec([4], tf.int64)
  assert spec == {"source": (pixels, labels),
                  "target_labeled": (tf.TensorSpec([3, 3, 3, 1]), tf.TensorSpec([3], tf.int64)),
                  "target_unlabeled": tf.TensorSpec([6, 3, 3, 1])}  # fmt: skip


def test_the_labelled_images_are_whole_in_each_batch(split):
  for batch in _take(data.adapt_batches(split, 4, 6, 0), 0, 4):
    assert batch["target_labeled"] == [[100, 101, 102], [0, 1, 2]]


def test_a_turn_meets_each_image_of_each_stream_once(split):
  batches = _take(data.adapt_batches(split, 6, 13, 0), 0, 3)
  assert sorted(sum((b["source"][0] for b in batches), [])) == list(range(18))
  assert all(sorted(b["target_unlabeled"]) == list(range(200, 213)) for b in batches)


def test_sets_smaller_than_a_batch_are_whole_in_it(split):
  (batch,) = _take(data.adapt_batches(split, 1000, 1000, 0), 0, 1)
  assert sorted(batch["source"][0]) == list(range(18))
  assert sorted(batch["target_unlabeled"]) == list(range(200, 213))


@pytest.mark.parametrize("size", [0, -2, 1.5])
def test_a_batch_size_out_of_its_range_is_refused(split, size):
  with pytest.raises(ValueError, match=f"batch size is {size}; it must be a whole number of at l"):
    data.source_batches(split, size, 0)
  with pytest.raises(ValueError, match=f"batch size is {size}"):
    data.adapt_batches(split, 4, size, 0)


def test_episodes_are_balanced_and_sorted_by_class(split):
  for batch in _take(data.episode_batches(split, 4, 0), 0, 5):
    numbers, labels = batch["source"]
    assert labels == [0] * 4 + [1] * 4 + [2] * 4 and len(set(numbers)) == 12


def test_the_classes_of_an_episode_are_drawn_apart(split):
  numbers = [n // 3 for n in _take(data.episode_batches(split, 6, 0), 0, 1)[0]["source"][0]]
  assert len({tuple(numbers[i : i + 6]) for i in (0, 6, 12)}) == 3


def test_too_few_images_for_an_episode_are_refused(split):
  with pytest.raises(ValueError, match="an episode needs 7 images a class, but class 'a' of the "
                     "source has 6; ask for fewer shots or queries"):  # fmt: skip
    data.episode_batches(split, 7, 0)


# Replicas.


def _dealt(batches, first, count):
  """For each step, the plain batch of each of two replicas."""
  strategy = strategies.get("mirrored")
  assert strategy.num_replicas_in_sync == 2
  with strategy.scope():
    dealt = batches(first)
  steps = []
  for batch in itertools.islice(dealt, count):
    shares = {name: [strategy.experimental_local_results(x) for x in tf.nest.flatten(value)]
              for name, value in batch.items()}  # fmt: skip
    steps.append([
      {name: [_numbers(parts[0][r]), parts[1][r].numpy().tolist()]
       if len(parts) == 2 else _numbers(parts[0][r]) for name, parts in shares.items()}
      for r in range(2)])  # fmt: skip
  return steps


def test_the_shares_of_the_replicas_make_up_the_batch_of_one_device(split):
  batches = data.adapt_batches(split, 4, 6, 7)
  for (one, two), whole in zip(_dealt(batches, 2, 3), _take(batches, 2, 3)):
    assert one["target_labeled"] == two["target_labeled"] == whole["target_labeled"]
    assert one["target_unlabeled"] + two["target_unlabeled"] == whole["target_unlabeled"]
    assert len(one["target_unlabeled"]) == 3 and len(one["source"][0]) == 2
    for part in range(2):  # images, labels
      assert one["source"][part] + two["source"][part] == whole["source"][part]


def test_an_episode_is_whole_on_each_replica(split):
  batches = data.episode_batches(split, 2, 0)
  ((one, two),), (whole,) = _dealt(batches, 1, 1), _take(batches, 1, 1)
  assert one == two == whole


@pytest.mark.parametrize(("sizes", "message"), [
  ((5, 6), "the source batch holds 5 images, which 2 replicas can't share evenly; .*multiple of 2"),
  ((4, 7), "the target_unlabeled batch holds 7 images"),
  ((4, 1000), "the target_unlabeled batch holds 13 images"),  # all that there are
])  # fmt: skip
def test_a_batch_that_replicas_cannot_share_evenly_is_refused(split, sizes, message):
  with strategies.get("mirrored").scope(), pytest.raises(ValueError, match=message):
    data.adapt_batches(split, *sizes, 0)(0)


# Videos.


def test_the_video_of_a_frame_is_its_folder():
  names = ["jump/clip3/007.png", "jump/clip3/008.png", "jump/clip4/007.png", "a/1.png"]
  assert data.video_names(names) == ["jump/clip3", "jump/clip3", "jump/clip4", "a"]


def test_a_frame_in_no_folder_is_refused():
  with pytest.raises(ValueError, match="frame '007.png' lies in no folder; video accuracy needs"):
    data.video_names(["a/006.png", "007.png"])
