"""Readers of a user's own images: what they accept, and what they say when they refuse."""

import os
import struct
import zlib

import numpy as np
import pytest
import scipy.io
from PIL import Image

from garden.datasets import images


def noise(shape, seed=0):
  return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path, pixels):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path)
  return path


def refuses(message, call, *args, **kwargs):
  """The call must raise one line that matches."""
  with pytest.raises(ValueError, match=message) as caught:
    call(*args, **kwargs)
  assert "\n" not in str(caught.value)


# Images


def test_images_checks_its_parts():
  pixels = np.zeros([2, 3, 4, 1], np.float32)
  good = images.Images(pixels, np.array([0, 1]), ("a", "b"), ("x", "y"))
  assert (len(good), good.size, good.num_classes) == (2, (3, 4), 2)
  refuses("float32", images.Images, pixels.astype(np.float64), None, (), ("x", "y"))
  refuses("1 names for 2 images", images.Images, pixels, None, (), ("x",))
  refuses(r"int64 \[2\] is needed", images.Images, pixels, np.zeros(3, int), ("a",), ("x", "y"))
  refuses("0 to 2 but there are 2", images.Images, pixels, np.array([0, 2]), ("a", "b"), ("x", "y"))


def test_take_keeps_order_and_class_numbers():
  pixels = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1)
  whole = images.Images(pixels, np.array([0, 1, 1]), ("a", "b"), ("x", "y", "z"))
  part = whole.take([2, 0])
  assert (part.names, part.labels.tolist(), part.pixels.ravel().tolist()) == (
    ("z", "x"), [1, 0], [2.0, 0.0])  # fmt: skip
  assert whole.take(np.array([False, True, True])).names == ("y", "z")
  assert whole.take(slice(1)).names == ("x",)


# Folders


def test_folder_of_classes(tmp_path):
  for name in ("s10/1.png", "s2/10.png", "s2/9.png"):
    save(tmp_path / name, noise([5, 6]))
  (tmp_path / "notes.txt").write_text("no image")
  (tmp_path / ".DS_Store").write_text("")
  (tmp_path / "s2" / "._9.png").write_bytes(b"what macOS adds to archives")
  found = images.read(tmp_path)
  assert found.names == ("s2/9.png", "s2/10.png", "s10/1.png")
  assert found.class_names == ("s2", "s10")
  assert found.labels.tolist() == [0, 0, 1]
  np.testing.assert_array_equal(np.rint(found.pixels[0, ..., 0] * 255), noise([5, 6]))


def test_folder_in_a_folder_and_flat_folder(tmp_path):
  for name in ("all/x/1.png", "all/y/1.png"):
    save(tmp_path / name, noise([4, 4]))
  assert images.read_folder(tmp_path).class_names == ("x", "y")
  flat = images.read_folder(tmp_path / "all" / "x")
  assert (flat.labels, flat.class_names) == (None, ())
  save(tmp_path / "all" / "loose.png", noise([4, 4]))
  assert images.read_folder(tmp_path).labels is None


def test_folder_links_are_followed_once(tmp_path):
  save(tmp_path / "real" / "1.png", noise([4, 4]))
  (tmp_path / "set").mkdir()
  os.symlink(tmp_path / "real", tmp_path / "set" / "a")
  os.symlink(tmp_path / "set", tmp_path / "set" / "loop")
  assert images.read_folder(tmp_path / "set").names == ("a/1.png",)


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "bmp", "gif", "pgm"])
def test_formats_and_resize(tmp_path, suffix):
  block = np.zeros([40, 20], np.uint8)
  block[:20] = 255
  save(tmp_path / f"a.{suffix}", block)
  found = images.read(tmp_path, size=(8, 4))
  assert found.pixels.shape == (1, 8, 4, 1)
  assert found.pixels[0, :3].min() > 0.9 and found.pixels[0, 5:].max() < 0.1


def test_channels(tmp_path):
  rgb = np.zeros([4, 4, 3], np.uint8)
  rgb[0] = 255
  rgb[1:, :, 0] = 255
  save(tmp_path / "a.png", rgb)
  grey = images.read_folder(tmp_path)
  assert grey.pixels[0, 2, 2, 0] == np.float32(76) / np.float32(255)  # 0.299 red
  np.testing.assert_array_equal(images.read_folder(tmp_path, channels=3).pixels[0] * 255, rgb)
  refuses("channels=2: pass 1", images.read_folder, tmp_path, channels=2)
  refuses(r"size=\(4,\): pass \(height, width\)", images.read_folder, tmp_path, size=(4,))


def test_camera_orientation_is_obeyed(tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6  # turned by 90 degrees
  Image.fromarray(noise([6, 4])).save(tmp_path / "a.jpg", exif=exif)
  assert images.read_folder(tmp_path).size == (4, 6)


def test_sixteen_bits_need_their_range(tmp_path):
  deep = np.array([[0, 65535], [300, 1000]], np.uint16)
  Image.fromarray(deep).save(tmp_path / "a.png")
  found = images.read_folder(tmp_path, pixel_range=(0, 65535))
  np.testing.assert_allclose(found.pixels[0, ..., 0] * 65535, deep, rtol=1e-6)
  refuses(r"65535 in a\.png is outside the declared range 0\.\.255", images.read, tmp_path)
  save(tmp_path / "b.png", noise([2, 2]))
  refuses(r"a\.png is int32 but .*b\.png is uint8", images.read, tmp_path)


def test_mixed_sizes_name_two_files_and_the_fix(tmp_path):
  save(tmp_path / "a.png", noise([4, 5]))
  save(tmp_path / "b.png", noise([6, 5]))
  refuses(r"a\.png is 4x5 but .*b\.png is 6x5 .*resize them with size=", images.read, tmp_path)
  assert images.read(tmp_path, size=(4, 5)).pixels.shape == (2, 4, 5, 1)


def test_missing_empty_and_wrong_paths(tmp_path):
  refuses("nowhere does not exist", images.read, tmp_path / "nowhere")
  refuses("nowhere does not exist", images.read_folder, tmp_path / "nowhere")
  refuses(r"a\.mat does not exist", images.read, tmp_path / "a.mat")
  refuses("holds no image: put files with the suffix .jpg", images.read, tmp_path)
  (tmp_path / "x.csv").write_text("1,2")
  refuses("suffix '.csv': pass a folder", images.read, tmp_path / "x.csv")
  refuses(r"x\.csv is a file, but a folder is needed", images.read_folder, tmp_path / "x.csv")
  refuses("is a folder, but a file is needed", images.read_mat, tmp_path)
  refuses("image_key can't apply", images.read, tmp_path, image_key="fea")


def test_unreadable_images_are_named(tmp_path):
  whole = save(tmp_path / "a.png", noise([64, 64])).read_bytes()
  for damaged in (b"", b"not an image", whole[: len(whole) // 2]):
    (tmp_path / "b.png").write_bytes(damaged)
    refuses(r"b\.png is not a readable image .*repair or remove", images.read, tmp_path)


def test_every_truncation_and_flip_is_one_line(tmp_path):
  rng = np.random.default_rng(0)
  path = tmp_path / "a.png"
  for suffix in ("png", "jpg", "gif", "bmp", "pgm"):
    source = save(tmp_path / "whole" / f"a.{suffix}", noise([16, 16])).read_bytes()
    for _ in range(60):
      damaged = bytearray(source[: rng.integers(1, len(source))])
      for spot in rng.integers(0, len(damaged), 3):
        damaged[spot] = rng.integers(0, 256)
      path.write_bytes(damaged)
      try:
        images.read_folder(path.parent, size=(4, 4), allow_constant=True)
      except ValueError as error:
        assert "a.png" in str(error) and "\n" not in str(error)
  (tmp_path / "whole").rename(tmp_path / ".whole")


def test_decompression_bomb(tmp_path):
  def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

  for side in (10_000, 60_000):  # Pillow warns of the first and refuses the second
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    (tmp_path / "bomb.png").write_bytes(
      b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    )
    refuses(r"bomb\.png announces more than \d+ pixels", images.read, tmp_path, size=(4, 4))


def test_constant_images_are_counted(tmp_path):
  save(tmp_path / "a.png", noise([4, 4]))
  for name in ("b.png", "c.png"):
    save(tmp_path / name, np.full([4, 4], 7, np.uint8))
  refuses(r"2 of 3 images are constant .*first is b\.png: remove", images.read, tmp_path)
  assert len(images.read(tmp_path, allow_constant=True)) == 3


# Arrays


def test_mat_rows_are_column_major_and_labels_start_at_one(tmp_path):
  upright = noise([6, 4, 3])
  rows = upright.transpose(0, 2, 1).reshape(6, 12)
  path = tmp_path / "a.mat"
  scipy.io.savemat(path, {"fea": rows, "gnd": np.array([[1, 1, 2, 2, 3, 3]]).T})
  found = images.read(path, image_size=(4, 3))
  np.testing.assert_array_equal(np.rint(found.pixels[..., 0] * 255), upright)
  assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
  assert found.class_names == ("1", "2", "3")
  assert found.names[5] == "a.mat:5"
  other = images.read(path, image_size=(4, 3), column_major=False)
  np.testing.assert_array_equal(np.rint(other.pixels[..., 0] * 255), rows.reshape(6, 4, 3))
  refuses("12 pixels are not square: pass image_size", images.read, path)
  refuses("has 20 pixels but the rows have 12", images.read, path, image_size=(4, 5))


def test_colour_rows_are_column_major_planes(tmp_path):
  upright = noise([2, 4, 3, 3])
  rows = np.stack([image.ravel(order="F") for image in upright])  # MATLAB's x(:)
  scipy.io.savemat(tmp_path / "a.mat", {"fea": rows})
  found = images.read(tmp_path / "a.mat", image_size=(4, 3, 3), channels=3, label_key="")
  np.testing.assert_array_equal(np.rint(found.pixels * 255), upright)
  assert found.labels is None


def test_npz_shapes_channels_and_size(tmp_path):
  rgb = noise([2, 8, 8, 3])
  np.savez(tmp_path / "a.npz", images=rgb, labels=[0, 1], flat=rgb[..., 0].reshape(2, 64))
  kept = images.read_npz(tmp_path / "a.npz")
  np.testing.assert_array_equal(np.rint(kept.pixels * 255), rgb)
  grey = images.read(tmp_path / "a.npz", size=(4, 4))
  assert grey.pixels.shape == (2, 4, 4, 1)
  full = images.read(tmp_path / "a.npz")
  np.testing.assert_allclose(full.pixels[..., 0] * 255, rgb @ [0.299, 0.587, 0.114], atol=1e-3)
  flat = images.read_npz(tmp_path / "a.npz", image_key="flat", channels=3)
  np.testing.assert_array_equal(np.rint(flat.pixels[..., 2] * 255), rgb[..., 0])
  refuses(r"image_size=\(4, 4\) but 'images'", images.read, tmp_path / "a.npz", image_size=(4, 4))


def test_text_labels_and_no_labels(tmp_path):
  np.savez(tmp_path / "a.npz", images=noise([3, 4, 4]), labels=["dog", "cat", "dog"])
  found = images.read(tmp_path / "a.npz")
  assert (found.class_names, found.labels.tolist()) == (("cat", "dog"), [1, 0, 1])
  assert images.read(tmp_path / "a.npz", label_key="").labels is None


def test_missing_keys_list_those_there(tmp_path):
  scipy.io.savemat(tmp_path / "a.mat", {"X": noise([2, 16]), "y": [[1], [2]]})
  refuses("no key 'fea', 'gnd'; the keys it has are: X, y", images.read, tmp_path / "a.mat")
  assert len(images.read(tmp_path / "a.mat", image_key="X", label_key="y")) == 2
  np.savez(tmp_path / "a.npz", images=noise([2, 4, 4]))
  refuses("no key 'labels'; .*are: images", images.read, tmp_path / "a.npz")


def test_hdf5_mat_is_refused_with_the_fix(tmp_path):
  head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
  for body in (head.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(600),
               head + bytes(600)):  # fmt: skip
    (tmp_path / "a.mat").write_bytes(body)
    refuses(r"a\.mat is an HDF5 file .*'-v7'", images.read, tmp_path / "a.mat")


def test_damaged_array_files(tmp_path):
  scipy.io.savemat(
    tmp_path / "a.mat", {"fea": noise([9, 64]), "gnd": np.ones([9, 1])}, do_compression=True
  )
  np.savez_compressed(tmp_path / "a.npz", images=noise([9, 8, 8]), labels=np.ones(9, int))
  rng = np.random.default_rng(0)
  for path in (tmp_path / "a.mat", tmp_path / "a.npz"):
    whole = path.read_bytes()
    path.write_bytes(b"")
    refuses("is not a readable", images.read, path)
    path.write_bytes(whole[: len(whole) // 2])
    refuses(f"{path.name} is not a readable {path.suffix} file", images.read, path)
    for _ in range(60):
      damaged = bytearray(whole)
      for spot in rng.integers(0, len(damaged), 4):
        damaged[spot] = rng.integers(0, 256)
      path.write_bytes(damaged)
      try:
        images.read(path, allow_constant=True)
      except ValueError as error:
        assert "\n" not in str(error)


def test_pickles_and_npy_are_refused(tmp_path):
  np.savez(tmp_path / "a.npz", images=np.array([{}, None], object), labels=[0, 1])
  refuses("not a readable .npz file .*allow_pickle", images.read, tmp_path / "a.npz")
  with open(tmp_path / "b.npz", "wb") as file:
    np.save(file, noise([2, 4, 4]))
  refuses("holds a single array", images.read, tmp_path / "b.npz")


@pytest.mark.parametrize("shape", [(0, 4, 4), (16,), (2, 4, 4, 1, 1)])
def test_shapes_that_are_no_images(tmp_path, shape):
  np.savez(tmp_path / "a.npz", images=np.zeros(shape), labels=[])
  refuses("with at least one image is needed", images.read, tmp_path / "a.npz")
