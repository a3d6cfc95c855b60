"""The published sets in both of their forms, tiny and made up."""

import numpy as np
import pytest
import scipy.io
from PIL import Image

from garden.datasets import layouts


def save(path, pixels):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path, format="PPM" if path.suffix != ".png" else "PNG")


def noise(shape, seed=0):
  return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def read(layout, folder):
  names, pixels, labels = zip(*layouts.examples(layout, folder), strict=True)
  return list(names), np.stack(pixels), list(labels)


def test_orl_folders_in_number_order_and_upright(tmp_path):
  top_bright = np.zeros([112, 92], np.uint8)
  top_bright[:56] = 200
  for person in (10, 2, 1):
    for shot in (10, 9):
      save(tmp_path / "orl_faces" / f"s{person}" / f"{shot}.pgm", top_bright)
  (tmp_path / "orl_faces" / "README").write_text("not an image")
  names, pixels, labels = read(layouts.ORL, tmp_path)
  assert names == [f"orl_faces/s{p}/{s}.pgm" for p in (1, 2, 10) for s in (9, 10)]
  assert labels == [0, 0, 1, 1, 9, 9]
  assert (pixels.shape, pixels.dtype) == ((6, 32, 32, 1), np.uint8)
  assert pixels[0, :15].min() > 190 > 10 > pixels[0, 17:].max()


def test_coil20_mat_keeps_its_floats(tmp_path):
  rows = np.random.default_rng(0).uniform(size=[4, 1024])
  rows[0, 0] = 1.0
  scipy.io.savemat(tmp_path / "COIL20.mat", {"fea": rows, "gnd": np.array([[1], [1], [2], [20]])})
  _, pixels, labels = read(layouts.COIL20, tmp_path)
  np.testing.assert_array_equal(
    pixels[..., 0], rows.astype(np.float32).reshape(-1, 32, 32).swapaxes(1, 2)
  )
  assert labels == [0, 0, 1, 19]


def test_coil_folders_shrink_without_rounding(tmp_path):
  ramp = np.tile(np.arange(128, dtype=np.uint8), (128, 1))
  for name in ("obj2__0", "obj1__10", "obj1__9"):
    save(tmp_path / "coil-20-proc" / f"{name}.png", ramp)
  names, pixels, labels = read(layouts.COIL20, tmp_path)
  assert [name.split("/")[-1] for name in names] == ["obj1__9.png", "obj1__10.png", "obj2__0.png"]
  assert labels == [0, 0, 1]
  assert pixels.dtype == np.float32
  # Away from the edges a linear ramp shrunk by 4 is the ramp at the centres 4k + 1.5.
  centres = (4 * np.arange(4, 28) + 1.5) / 255
  np.testing.assert_allclose(pixels[0, 16, 4:28, 0], centres, atol=1e-6)


def test_coil100_colour_turns_grey_and_bytes_survive(tmp_path):
  rgb = np.zeros([128, 128, 3], np.uint8)
  rgb[..., 1] = 255
  rgb[0, 0] = 255
  save(tmp_path / "folder" / "obj100__355.png", rgb)
  _, pixels, labels = read(layouts.COIL100, tmp_path / "folder")
  assert labels == [99]
  np.testing.assert_allclose(pixels[0, 20, 20, 0], 150 / 255, atol=1e-6)
  rows = noise([2, 1024])
  scipy.io.savemat(tmp_path / "COIL100.mat", {"fea": rows, "gnd": [[1], [100]]})
  _, pixels, _ = read(layouts.COIL100, tmp_path)
  np.testing.assert_array_equal(
    np.rint(pixels[..., 0] * 255), rows.reshape(-1, 32, 32).swapaxes(1, 2)
  )


def test_yale_folders_skip_ambient_and_keep_bad(tmp_path):
  for name in ("yaleB15_P00A+000E+00.pgm", "yaleB13_P00A-005E+10.pgm.bad",
               "yaleB13_P00_Ambient.pgm", "yaleB13_P00A+000E+00.pgm"):  # fmt: skip
    save(tmp_path / "CroppedYale" / name[:7] / name, noise([192, 168]))
  names, pixels, labels = read(layouts.YALE_B, tmp_path)
  assert names == ["yaleB13_P00A+000E+00", "yaleB13_P00A-005E+10", "yaleB15_P00A+000E+00"]
  assert labels == [12, 12, 13]  # there is no 14
  assert (pixels.shape, pixels.dtype) == ((3, 48, 42, 1), np.uint8)


def test_yale_npz_and_authors_mat(tmp_path):
  images = noise([4, 48, 42])
  np.savez(
    tmp_path / "yaleb_cropped_48x42.npz",
    images=images,
    labels=np.array([1, 13, 15, 39]),
    names=np.array(["yaleB01_P00A+000E+00.pgm", "a", "b", "yaleB39_x.pgm.bad"]),
  )
  names, pixels, labels = read(layouts.YALE_B, tmp_path)
  assert labels == [0, 12, 13, 37]
  assert (names[0], names[3]) == ("yaleB01_P00A+000E+00", "yaleB39_x")
  np.testing.assert_array_equal(pixels[..., 0], images)

  # Y[:, light, person], a column an image, column-major.
  stack = np.zeros([2016, 2, 2], np.uint8)
  for k, (person, light) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
    stack[:, light, person] = images[k].ravel(order="F")
  (tmp_path / "mat").mkdir()
  scipy.io.savemat(tmp_path / "mat" / "YaleBCrop025.mat", {"Y": stack})
  _, pixels, labels = read(layouts.YALE_B, tmp_path / "mat")
  assert labels == [0, 0, 1, 1]
  np.testing.assert_array_equal(pixels[..., 0], images)


def test_uncropped_yale_is_refused(tmp_path):
  save(tmp_path / "yaleB11_P00A+000E+00.pgm", noise([480, 640]))
  with pytest.raises(ValueError, match="is 480x640, but .* 192x168: use the cropped version"):
    list(layouts.examples(layouts.YALE_B, tmp_path))


def test_a_set_unpacked_twice_is_refused(tmp_path):
  for copy in ("a", "b"):
    save(tmp_path / copy / "s1" / "1.pgm", noise([112, 92]))
  with pytest.raises(ValueError, match=r"a/s1/1\.pgm and .*b/s1/1\.pgm are the same image"):
    layouts.find(layouts.ORL, tmp_path)


def test_another_set_s_images_are_refused(tmp_path):
  save(tmp_path / "obj21__0.png", noise([128, 128]))
  with pytest.raises(ValueError, match=r"number 21, but coil20 has the numbers 1\.\.20"):
    list(layouts.examples(layouts.COIL20, tmp_path))


@pytest.mark.parametrize(
  ("arrays", "message"),
  [({"fea": noise([2, 1024])}, "has no key 'gnd'; the keys it has are: fea"),
   ({"fea": noise([2, 1000]), "gnd": [[1], [2]]}, "has 1024 pixels but the rows have 1000"),
   ({"fea": noise([2, 1024]), "gnd": [[1]]}, "1 labels and 2 names"),
   ({"fea": np.full([1, 1024], np.nan), "gnd": [[1]]}, "NaN or infinite pixels"),
   ({"fea": np.full([1, 1024], 300.0), "gnd": [[1]]}, r"300.0, outside 0\.\.255"),
   ({"fea": noise([1, 1024]), "gnd": [[41]]}, "belongs to number 41")],
)  # fmt: skip
def test_damaged_mat(tmp_path, arrays, message):
  scipy.io.savemat(tmp_path / "ORL_32x32.mat", arrays)
  with pytest.raises(ValueError, match=message):
    list(layouts.examples(layouts.ORL, tmp_path))


def test_nothing_there(tmp_path):
  assert layouts.find(layouts.ORL, tmp_path / "missing") == []
  with pytest.raises(ValueError, match=r"holds no orl: put ORL_32x32\.mat, or the original"):
    list(layouts.examples(layouts.ORL, tmp_path))


def test_fingerprint_follows_the_files(tmp_path):
  save(tmp_path / "s1" / "1.pgm", noise([112, 92]))

  def mark():
    return layouts.fingerprint(layouts.ORL, tmp_path, layouts.find(layouts.ORL, tmp_path))

  first = mark()
  assert mark() == first
  save(tmp_path / "s1" / "2.pgm", noise([112, 92]))
  assert mark() != first
