"""Folders: the layout, names that tell nothing, and all or nothing on the disk."""

import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from garden.worlds import moving_shapes
from garden.worlds.moving_shapes import renderer

_SMALL = {"seed": 3, "size": 16, "source_per_class": 2, "clips_per_class": 4, "frames": 2,
          "labeled_clips": 1, "test_clips": 1}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
  """A small set of images, and what `write` returned; not to be changed."""
  folder = tmp_path_factory.mktemp("shapes") / "new" / "made"
  return folder, moving_shapes.write(folder, **_SMALL)


def _files(folder):
  """The paths of all files below a folder, split, sorted."""
  return sorted(p.relative_to(folder).parts for p in pathlib.Path(folder).rglob("*.*"))


def _read(*path):
  return np.asarray(Image.open(os.path.join(*path)))


def test_the_layout(written):
  folder, counts = written
  assert sorted(os.listdir(folder)) == ["labeled", "source", "test", "unlabeled"]
  assert _files(folder / "source") == [
    (name, f"{i:03d}.png") for name in moving_shapes.SOURCE_CLASSES for i in range(2)]  # fmt: skip
  for part in ("labeled", "test"):
    assert _files(folder / part) == [
      (name, "clip000", f"{k:03d}.png") for name in moving_shapes.TARGET_CLASSES for k in range(2)
    ]
  assert _files(folder / "unlabeled") == [
    (f"clip{i:03d}", f"{k:03d}.png") for i in range(10) for k in range(2)]  # fmt: skip
  assert counts == {part: len(_files(folder / part)) for part in counts}
  assert list(counts) == ["source", "labeled", "unlabeled", "test"]


def test_images_are_those_of_the_renderer_under_their_class(written):
  folder, _ = written
  for i in range(20):
    image, shape = moving_shapes.photograph(i, 3, 16)
    np.testing.assert_array_equal(_read(folder, "source", shape, f"{i // 10:03d}.png"), image)
  for i in range(5):
    film, shape = moving_shapes.clip("test", i, 3, 16, 2)
    for k in range(2):
      np.testing.assert_array_equal(_read(folder, "test", shape, "clip000", f"{k:03d}.png"),
                                    film[k])  # fmt: skip


def test_names_of_unlabeled_clips_do_not_tell_their_class(written):
  folder, _ = written
  names = "/".join("/".join(parts) for parts in _files(folder / "unlabeled"))
  assert not [shape for shape in moving_shapes.TARGET_CLASSES if shape in names]
  # Nor does a clip's number, by its remainder.
  shapes = [moving_shapes.clip("unlabeled", i, 3, 16, 1)[1] for i in range(10)]
  assert shapes[:5] != shapes[5:]


def test_more_clips_leave_the_others_as_they_are(written, tmp_path):
  folder, _ = written
  moving_shapes.write(tmp_path / "more", **{**_SMALL, "source_per_class": 3,
                                            "clips_per_class": 7, "labeled_clips": 2})  # fmt: skip
  more = _files(tmp_path / "more")
  for parts in _files(folder):
    assert parts in more
    np.testing.assert_array_equal(_read(folder, *parts), _read(tmp_path, "more", *parts))


def test_an_empty_folder_is_filled(tmp_path):
  (tmp_path / "empty").mkdir()
  moving_shapes.write(tmp_path / "empty", **_SMALL)
  assert len(os.listdir(tmp_path / "empty")) == 4
  assert os.listdir(tmp_path) == ["empty"]


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
  (tmp_path / "mine").mkdir()
  (tmp_path / "mine" / "a.txt").write_text("a", encoding="utf-8")
  with pytest.raises(ValueError, match="mine holds files already; give a new folder"):
    moving_shapes.write(tmp_path / "mine", **_SMALL)
  with pytest.raises(ValueError, match="a.txt is no folder; give a new one"):
    moving_shapes.write(tmp_path / "mine" / "a.txt", **_SMALL)
  assert _files(tmp_path) == [("mine", "a.txt")]


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_nothing_is_left_of_a_write_that_fails(tmp_path, monkeypatch, error):
  whole, calls = renderer.clip, []

  def clip(*args):
    calls.append(args)
    if len(calls) == 7:
      raise error
    return whole(*args)

  monkeypatch.setattr(renderer, "clip", clip)
  with pytest.raises(type(error)):
    moving_shapes.write(tmp_path / "shapes", **_SMALL)
  assert len(calls) == 7
  assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"seed": -1}, "seed is -1; it must be at least 0"),
    ({"size": 8}, "size is 8; it must be at least 16"),
    ({"frames": 0}, "frames is 0; it must be at least 1"),
    ({"source_per_class": 1.5}, "source_per_class is 1.5; it must be an integer of at least 1"),
    ({"labeled_clips": 0}, "labeled_clips is 0; it must be at least 1"),
    ({"test_clips": 0}, "test_clips is 0; it must be at least 1"),
    ({"clips_per_class": 2}, "clips_per_class is 2, .* it must be at least 3, so that some are"),
  ],
)
def test_bad_arguments_write_nothing(tmp_path, arguments, message):
  with pytest.raises(ValueError, match=message) as caught:
    moving_shapes.write(tmp_path / "a" / "b", **{**_SMALL, **arguments})
  assert "\n" not in str(caught.value)
  assert os.listdir(tmp_path) == []
