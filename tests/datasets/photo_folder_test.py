"""Photographs with labels.csv: what is read, and one clear line for what can't be."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from garden.datasets import photo_folder
from garden.datasets.labeled_photos import labeled_photos_dataset_builder


@pytest.fixture
def folder(tmp_path):
  root = tmp_path / "photos"
  (root / "shots").mkdir(parents=True)
  rng = np.random.default_rng(0)
  Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).save(root / "shots/a.png")
  Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(root / "b.jpg")
  (root / "labels.csv").write_text("image,fall,count\nshots/a.png,1,4\nb.jpg,0,\n")
  return root


def _write(folder, text):
  (folder / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())


def test_rows_in_their_order(folder):
  found = photo_folder.rows(folder)
  assert [(p.name, p.fall, p.count) for p in found] == [("shots/a.png", 1, 4), ("b.jpg", 0, 0)]


@pytest.mark.parametrize("text", [
    "\ufeffimage,fall\r\nb.jpg,1\r\n", "note,fall,image\n\"x, y\",1,b.jpg\n",
    " image , fall\n b.jpg , 1 \n\n", "image,fall\nshots/../b.jpg,1"])
def test_other_forms_of_the_same(folder, text):
  _write(folder, text)
  photo, = photo_folder.rows(folder)
  assert photo.path == (folder / "b.jpg").resolve() and photo.fall == 1 and photo.count == 0


def test_the_middle_square(folder):
  photo = photo_folder.rows(folder)[0]
  pixels = np.asarray(Image.open(folder / "shots/a.png"))
  np.testing.assert_array_equal(photo_folder.read(photo, 40), pixels[:, 10:50])
  assert photo_folder.read(photo, 16).shape == (16, 16, 3)


def test_sixteen_bits_of_grey_become_eight(folder):
  Image.fromarray(np.full((8, 8), 65535, np.uint16)).save(folder / "deep.png")
  _write(folder, "image,fall\ndeep.png,0\n")
  image = next(photo_folder.examples(folder, 8))["image"]
  assert image.dtype == np.uint8 and (image == 255).all()


@pytest.mark.parametrize(("text", "message"), [
    ("", "is empty: it must have the header image,fall"),
    ("image,fall\n", "has a header but no row"),
    ("image,label\nb.jpg,1\n", "has no column fall; its header is image,label"),
    ("b.jpg;1\n", "has no column image and fall"),
    ("image,fall\nb.jpg,2\n", "line 2: fall is '2'; it must be 0"),
    ("image,fall\nb.jpg,\n", "line 2: fall is ''"),
    ("image,fall\nb.jpg\n", "line 2: fall is ''"),
    ("image,fall\nb.jpg,1\nc.jpg,1\n", "line 3: there is no image c.jpg in"),
    ("image,fall\nshots,1\n", "there is no image shots"),
    ("image,fall\n,1\n", "line 2 names no image"),
    ("image,fall\n../out.png,1\n", "line 2: ../out.png is outside"),
    ("image,fall\n/etc/passwd,1\n", "line 2: /etc/passwd is outside"),
    ("image,fall\nlink.png,1\n", "line 2: link.png is outside"),
    ("image,fall\n" + "x" * 5000 + ",1\n", "can't be a path"),
    ("image,fall\na\0b,1\n", "line 2"),
    ("image,fall\nb.jpg,1\nb.jpg,0\n", "line 3: b.jpg is in line 2 already"),
    ("image,fall,count\nb.jpg,1,many\n", "line 2: count is 'many'"),
    ("image,fall,count\nb.jpg,1,0\n", "line 2: count is '0'"),
    ("image,fall\nb.jpg,1,2,3\n", "line 2 has more fields than the header"),
    ("image,fall\n\"b.jpg,1\n", "save it as CSV"),
    (b"image,fall\n\xff\xfe,1\n", "is not UTF-8 (byte 11)"),
])  # fmt: skip
def test_a_mistake_is_one_line(folder, text, message):
  (folder.parent / "out.png").write_bytes(b"")
  (folder / "link.png").symlink_to(folder.parent / "out.png")
  _write(folder, text)
  with pytest.raises(ValueError) as caught:
    photo_folder.rows(folder)
  assert message in str(caught.value) and "\n" not in str(caught.value)


def test_no_folder_no_labels(tmp_path):
  with pytest.raises(ValueError, match="nowhere does not exist"):
    photo_folder.rows(tmp_path / "nowhere")
  with pytest.raises(ValueError, match="labels.csv does not exist"):
    photo_folder.rows(tmp_path)


def test_what_is_no_image_is_named(folder):
  (folder / "b.jpg").write_bytes(b"not an image")
  with pytest.raises(ValueError, match="b.jpg is not a readable image"):
    list(photo_folder.examples(folder, 16))


def test_the_builder(folder, tmp_path):
  builder = labeled_photos_dataset_builder.Builder(config="photos_64", data_dir=tmp_path / "out")
  builder.download_and_prepare(
      download_config=tfds.download.DownloadConfig(manual_dir=folder, try_download_gcs=False))
  again = tfds.builder_from_directory(str(builder.data_dir))
  found = list(tfds.as_numpy(again.as_dataset(split="test")))
  expected = list(photo_folder.examples(folder, 64))
  for one, other in zip(found, expected, strict=True):
    np.testing.assert_array_equal(one["image"], other["image"])
    assert (one["fall"], one["count"]) == (other["fall"], other["count"])
    assert one["name"].decode() == other["name"]


def test_a_size_out_of_range():
  with pytest.raises(ValueError, match="size is 0"):
    labeled_photos_dataset_builder.PhotosConfig(name="none", size=0)
