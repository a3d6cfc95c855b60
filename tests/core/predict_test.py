"""Tests of running a SavedModel on image files."""

import csv

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from garden.core import export
from garden.core import predict

_PIXELS = np.arange(16, dtype=np.uint8).reshape(4, 4) * 17


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
  """A SavedModel of 4 x 4 grey images: mean, a short and a long vector, an image."""

  def outputs(x):
    return {
      "mean": tf.reduce_mean(x, axis=[1, 2, 3]),
      "label": tf.argmax(tf.reshape(x, [-1, 16]), axis=1),
      "rows": tf.reduce_mean(x, axis=[2, 3]),
      "long": tf.zeros([tf.shape(x)[0], 65]),
      "copy": 1.5 * x,
    }

  module = export.ServingModule(tf.Module(), outputs, (4, 4), 1, (0, 1))
  path = tmp_path_factory.mktemp("saved") / "export" / "12"
  tf.saved_model.save(module, str(path), signatures=module.signatures())
  (path.parent / "9").mkdir()  # an older version
  return path


def _read(path):
  with open(path, encoding="utf-8", newline="") as file:
    return list(csv.DictReader(file))


def _save(folder, *names, pixels=_PIXELS):
  for name in names:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_a_row_an_image(saved, tmp_path):
  _save(tmp_path, "a.png", "b.png")
  _save(tmp_path, "b.png", pixels=_PIXELS[::-1].copy())
  output = tmp_path / "out" / "p.csv"
  count = predict.predict(str(saved.parent.parent), [str(tmp_path)], str(output))
  rows = _read(output)
  assert count == len(rows) == 2
  assert [row["image"] for row in rows] == [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
  assert list(rows[0]) == ["image", "copy", "label", "mean", *(f"rows_{i}" for i in range(4))]
  assert float(rows[0]["mean"]) == pytest.approx(0.5)
  assert [row["label"] for row in rows] == ["15", "3"]
  assert [float(rows[1][f"rows_{i}"]) for i in range(4)] == pytest.approx(
    list(_PIXELS[::-1].mean(axis=1) / 255)
  )


def test_images_that_the_model_returns_are_written_beside_the_table(saved, tmp_path):
  _save(tmp_path, "a.png")
  output = tmp_path / "out" / "p.csv"
  predict.predict(str(saved), [str(tmp_path / "a.png")], str(output))
  (row,) = _read(output)
  assert row["copy"] == str(tmp_path / "out" / "a_copy.png")
  expected = np.clip(np.round(1.5 * _PIXELS.astype(float)), 0, 255)
  np.testing.assert_allclose(np.asarray(Image.open(row["copy"])), expected, atol=1)


def test_images_of_one_name_in_two_folders_keep_apart(saved, tmp_path):
  _save(tmp_path, "x/a.png")
  _save(tmp_path, "y/a.png", pixels=_PIXELS[::-1].copy())
  output = tmp_path / "out" / "p.csv"
  predict.predict(str(saved), [str(tmp_path / "x"), str(tmp_path / "y")], str(output))
  first, second = (np.asarray(Image.open(row["copy"])) for row in _read(output))
  assert not np.array_equal(first, second)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "pgm"])
def test_every_listed_format_is_read(saved, tmp_path, suffix):
  _save(tmp_path, f"a.{suffix}", pixels=np.full((8, 8), 51, np.uint8))
  predict.predict(str(saved), [str(tmp_path)], str(tmp_path / "p.csv"))
  (row,) = _read(tmp_path / "p.csv")
  assert float(row["mean"]) == pytest.approx(0.2, abs=0.01)


def test_more_images_than_a_batch_keep_their_order(saved, tmp_path):
  for i in range(70):
    _save(tmp_path, f"{i:02}.png", pixels=np.full((4, 4), 3 * i, np.uint8))
  assert predict.predict(str(saved), [str(tmp_path)], str(tmp_path / "p.csv")) == 70
  means = [float(row["mean"]) * 85 for row in _read(tmp_path / "p.csv")]
  np.testing.assert_allclose(means, np.arange(70), atol=1e-3)


def test_find_images_looks_through_folders_in_order(tmp_path):
  _save(tmp_path, "b/2.png", "b/1.PNG", "a.jpg")
  (tmp_path / "notes.txt").write_text("no image")
  found = predict.find_images([str(tmp_path / "b"), str(tmp_path / "a.jpg")])
  assert found == [str(tmp_path / name) for name in ("b/1.PNG", "b/2.png", "a.jpg")]


def test_what_is_no_image_is_told(saved, tmp_path):
  with pytest.raises(FileNotFoundError, match=r"no image or folder 'gone\.png'"):
    predict.find_images(["gone.png"])
  with pytest.raises(ValueError, match=r"holds no image; \.jpg"):
    predict.find_images([str(tmp_path)])
  (tmp_path / "a.png").write_bytes(b"no image")
  with pytest.raises(ValueError, match=r"a\.png isn't an image.*PNG or JPEG"):
    predict.predict(str(saved), [str(tmp_path)], str(tmp_path / "p.csv"))
  assert not (tmp_path / "p.csv").exists()


def test_the_newest_version_is_taken(saved, tmp_path):
  assert predict.saved_model(str(saved.parent.parent)) == str(saved)
  assert predict.saved_model(str(saved)) == str(saved)
  with pytest.raises(FileNotFoundError, match="holds no SavedModel; export it first"):
    predict.saved_model(str(tmp_path))


def test_a_cmyk_jpeg_is_read_in_grey(saved, tmp_path):
  # The signature of grey images refuses it, so it becomes a PNG first.
  picture = Image.new("RGB", (4, 4), (120, 120, 120)).convert("CMYK")
  picture.save(tmp_path / "a.jpg", quality=95)
  predict.predict(str(saved), [str(tmp_path / "a.jpg")], str(tmp_path / "p.csv"))
  (row,) = _read(tmp_path / "p.csv")
  assert float(row["mean"]) == pytest.approx(120 / 255, abs=0.02)


@pytest.mark.parametrize("name", ["a.png", "a.bmp"])
def test_an_image_of_too_many_pixels_is_told(saved, tmp_path, monkeypatch, name):
  monkeypatch.setattr(predict.serving_inputs, "MOST_PIXELS", 63)
  Image.new("L", (8, 8)).save(tmp_path / name)
  with pytest.raises(ValueError, match=rf"{name} announces more than 63 pixels, .*shrink"):
    predict.predict(str(saved), [str(tmp_path / name)], str(tmp_path / "p.csv"))
