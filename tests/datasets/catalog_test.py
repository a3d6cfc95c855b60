"""load(): named sets, where their files are looked for, and the prepared copies."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.io
from PIL import Image

from garden.datasets import catalog
from garden.datasets import layouts

DATA = os.environ.get("GARDEN_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="GARDEN_DATA_DIR is not set")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path):
  """No data unless a test names them, and prepared copies under tmp_path."""
  monkeypatch.delenv("GARDEN_DATA_DIR", raising=False)
  monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "cache"))


def write_orl(root, people=2, shots=3, seed=0):
  folder = root / "orl"
  folder.mkdir(parents=True, exist_ok=True)
  rows = np.random.default_rng(seed).integers(0, 256, [people * shots, 1024], np.uint8)
  labels = np.repeat(np.arange(1, people + 1), shots)[:, None]
  scipy.io.savemat(folder / "ORL_32x32.mat", {"fea": rows, "gnd": labels})
  return rows


def prepared(tmp_path, name="orl"):
  return tmp_path / "cache" / "garden" / name / layouts.VERSION


def test_rows_come_upright_in_their_order_and_unchanged(tmp_path):
  rows = write_orl(tmp_path, people=4, shots=10)
  images = catalog.load("orl", data_dir=tmp_path)
  for k in (0, 17, 39):
    np.testing.assert_array_equal(
      np.rint(images.pixels[k, ..., 0] * 255), rows[k].reshape(32, 32).T
    )
  np.testing.assert_array_equal(images.labels, np.repeat(np.arange(4), 10))
  assert images.class_names == ("s1", "s2", "s3", "s4")
  assert images.names == tuple(f"ORL_32x32.mat:{k}" for k in range(40))
  assert (images.pixels.dtype, images.labels.dtype) == (np.float32, np.int64)


def test_second_load_reads_the_prepared_copy(tmp_path, monkeypatch):
  write_orl(tmp_path)
  first = catalog.load("orl", data_dir=tmp_path)
  monkeypatch.setattr(catalog, "_prepare", lambda *_: pytest.fail("prepared again"))
  monkeypatch.setattr(catalog, "_locked", lambda *_: pytest.fail("wrote to a finished copy"))
  second = catalog.load("orl", data_dir=tmp_path)
  np.testing.assert_array_equal(first.pixels, second.pixels)
  assert first.names == second.names


def test_changed_files_are_prepared_anew(tmp_path):
  write_orl(tmp_path, seed=0)
  catalog.load("orl", data_dir=tmp_path)
  rows = write_orl(tmp_path, people=3, seed=1)
  images = catalog.load("orl", data_dir=tmp_path)
  assert len(images) == 9
  np.testing.assert_array_equal(np.rint(images.pixels[8, ..., 0] * 255), rows[8].reshape(32, 32).T)


@pytest.mark.parametrize("damage", ["no_marker", "bad_marker", "truncated", "no_info", "empty"])
def test_half_written_copies_are_prepared_anew(tmp_path, damage):
  write_orl(tmp_path)
  whole = catalog.load("orl", data_dir=tmp_path)
  folder = prepared(tmp_path)
  record = next(folder.glob("*.tfrecord*"))
  if damage == "no_marker":
    (folder / catalog._MARKER).unlink()
    (folder / "dataset_info.json").write_text("{")
  elif damage == "bad_marker":
    (folder / catalog._MARKER).write_text('{"files": 3')
  elif damage == "truncated":
    record.write_bytes(record.read_bytes()[:100])
  elif damage == "no_info":
    (folder / "dataset_info.json").unlink()
  else:
    for path in folder.iterdir():
      path.unlink()
  left = folder.parent / f"{layouts.VERSION}.incompleteABC_orl"
  left.mkdir()  # as after kill -9
  again = catalog.load("orl", data_dir=tmp_path)
  np.testing.assert_array_equal(whole.pixels, again.pixels)
  assert json.loads((folder / catalog._MARKER).read_text())["files"]
  assert not left.exists()


def test_a_failed_preparation_leaves_no_copy(tmp_path):
  folder = tmp_path / "orl" / "s1"
  folder.mkdir(parents=True)
  (folder / "1.pgm").write_bytes(b"P5 92 112 255 too short")
  with pytest.raises(ValueError, match=r"s1/1\.pgm is not a readable image") as caught:
    catalog.load("orl", data_dir=tmp_path)
  assert "\n" not in str(caught.value)
  assert [path.name for path in prepared(tmp_path).parent.iterdir()] == [".lock"]


def test_garden_data_dir_and_the_set_s_own_folder(tmp_path, monkeypatch):
  write_orl(tmp_path)
  assert len(catalog.load("orl", data_dir=tmp_path / "orl")) == 6
  monkeypatch.setenv("GARDEN_DATA_DIR", str(tmp_path))
  assert len(catalog.load("orl", cache_dir=tmp_path / "other")) == 6
  assert (tmp_path / "other" / "garden" / "orl").is_dir()


def test_a_prepared_copy_serves_when_no_data_folder_is_named(tmp_path):
  write_orl(tmp_path)
  catalog.load("orl", data_dir=tmp_path)
  assert len(catalog.load("orl")) == 6
  (tmp_path / "empty").mkdir()
  with pytest.raises(ValueError, match="not found in"):  # named, so it must be there
    catalog.load("orl", data_dir=tmp_path / "empty")


def test_one_set_is_not_taken_for_another(tmp_path):
  folder = tmp_path / "coil20"
  folder.mkdir()
  rows = np.random.default_rng(0).integers(0, 256, [128, 128], np.uint8)
  Image.fromarray(rows).save(folder / "obj1__0.png")
  assert len(catalog.load("coil20", data_dir=tmp_path)) == 1
  with pytest.raises(ValueError, match=r"needs COIL100\.mat.*not found in .*/coil100$"):
    catalog.load("coil100", data_dir=tmp_path)


def test_missing_files_are_one_line(tmp_path, monkeypatch):
  with pytest.raises(ValueError, match=r"needs COIL20\.mat, or .*obj1__0\.png.*GARDEN_DATA_DIR"):
    catalog.load("coil20")
  monkeypatch.setenv("GARDEN_DATA_DIR", str(tmp_path / "nowhere"))
  with pytest.raises(ValueError, match=r"not found in .*nowhere/yaleb$") as caught:
    catalog.load("extended_yale_b")
  assert "\n" not in str(caught.value)
  assert not (tmp_path / "cache").exists()


def test_unwritable_cache_is_one_line(tmp_path, monkeypatch):
  write_orl(tmp_path)

  def refuse(*_args, **_kwargs):
    raise PermissionError(13, "Permission denied")

  monkeypatch.setattr(catalog, "_prepare", refuse)
  with pytest.raises(ValueError, match=r"can't be written \(Permission denied\): pass cache_dir="):
    catalog.load("orl", data_dir=tmp_path)
  (tmp_path / "file").write_text("")
  with pytest.raises(ValueError, match=r"can't be written \(Not a directory\)"):
    catalog.load("orl", data_dir=tmp_path, cache_dir=tmp_path / "file")


def test_two_processes_prepare_one_copy(tmp_path):
  write_orl(tmp_path, people=40, shots=10)
  code = (
    "import sys; from garden.datasets import load; "
    "print(load('orl', data_dir=sys.argv[1]).labels.sum())"
  )
  environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
  command = [sys.executable, "-c", code, str(tmp_path)]
  running = [
    subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)
  ]
  assert [process.communicate()[0] for process in running] == ["7800\n"] * 2


def test_unknown_name_suggests_the_nearest():
  with pytest.raises(ValueError, match="did you mean 'extended_yale_b'"):
    catalog.load("extended_yaleb")
  with pytest.raises(ValueError, match="the names are coil100, .*mnist"):
    catalog.load("imagenet")


def test_digits_are_scikit_learn_s():
  images = catalog.load("digits")
  assert images.pixels.shape == (1797, 8, 8, 1)
  assert (images.pixels.min(), images.pixels.max()) == (0.0, 1.0)
  np.testing.assert_array_equal(np.unique(np.round(images.pixels * 16, 6)), np.arange(17))
  np.testing.assert_array_equal(images.labels[:10], np.arange(10))


@pytest.mark.parametrize(("name", "part"), [("mnist", "test"), ("mnist_train", "train")])
def test_mnist_from_npz(tmp_path, name, part):
  (tmp_path / "mnist").mkdir()
  other = {"test": "train", "train": "test"}[part]
  pixels = np.random.default_rng(0).integers(0, 256, [20, 28, 28], np.uint8)
  arrays = {
    f"x_{other}": pixels[:1],
    f"y_{other}": [0],
    f"x_{part}": pixels,
    f"y_{part}": np.arange(20) % 10,
  }
  np.savez(tmp_path / "mnist" / "mnist.npz", **arrays)
  images = catalog.load(name, data_dir=tmp_path)
  np.testing.assert_array_equal(np.rint(images.pixels[..., 0] * 255), pixels)
  assert images.num_classes == 10
  assert images.names[17] == f"{name}:17"


@pytest.mark.parametrize("name", ["mnist", "mnist_train"])
def test_mnist_missing_says_both_ways(name):
  with pytest.raises(ValueError, match=r"needs mnist\.npz.*tensorflow_datasets\.load\('mnist'\)"):
    catalog.load(name)


@pytest.mark.parametrize(("name", "part"), [("mnist", "test"), ("mnist_train", "train")])
def test_mnist_prepared_by_tfds(tmp_path, monkeypatch, name, part):
  import tensorflow_datasets as tfds

  # TFDS's stand-in for MNIST, since the real one needs a download.
  builder = tfds.testing.DummyMnist(data_dir=str(tmp_path / "cache"))
  builder.download_and_prepare()
  asked = []
  read = builder.as_dataset

  def note(split, **kwargs):
    asked.append(split)
    return read(split=split, **kwargs)

  monkeypatch.setattr(builder, "as_dataset", note)
  monkeypatch.setattr(tfds, "builder", lambda name, data_dir: builder)
  images = catalog.load(name)
  assert images.pixels.shape == (20, 28, 28, 1)
  assert images.names == tuple(f"{name}:{row}" for row in range(20))
  assert asked == [part]


def write_svhn(root, mat=False, labels=None, shape=(32, 32, 3), seed=0):
  folder = root / "svhn"
  folder.mkdir(exist_ok=True)
  labels = np.array([5, 2, 1, 0, 6, 1, 3, 4, 7, 8, 9] if labels is None else labels)
  pixels = np.random.default_rng(seed).integers(0, 256, [len(labels), *shape], np.uint8)
  if mat:
    labels = np.where(labels == 0, 10, labels)[:, None].astype(np.uint8)
    arrays = {"X": np.moveaxis(pixels, 0, -1), "y": labels}
    scipy.io.savemat(folder / "train_32x32.mat", arrays)
  else:
    np.savez(folder / "svhn_test_first10000_32x32.npz", images=pixels, labels=labels)
  return pixels


@pytest.mark.parametrize("mat", [False, True])
def test_svhn_files_keep_their_order_and_0_is_the_digit_0(tmp_path, mat):
  pixels = write_svhn(tmp_path, mat)
  images = catalog.load("svhn", data_dir=tmp_path)
  np.testing.assert_array_equal(np.rint(images.pixels * 255), pixels)
  assert images.labels.tolist() == [5, 2, 1, 0, 6, 1, 3, 4, 7, 8, 9]
  assert images.class_names == tuple("0123456789")
  assert images.names == tuple(f"svhn:{row}" for row in range(11))
  assert images.pixels.flags.c_contiguous
  assert len(catalog.load("svhn", data_dir=tmp_path / "svhn")) == 11


def test_svhn_takes_the_npz_first(tmp_path):
  write_svhn(tmp_path, mat=True, seed=1)
  pixels = write_svhn(tmp_path)
  images = catalog.load("svhn", data_dir=tmp_path)
  np.testing.assert_array_equal(np.rint(images.pixels * 255), pixels)


def test_a_part_of_svhn_numbers_the_digits_it_has(tmp_path):
  write_svhn(tmp_path, mat=True, labels=[7, 0, 7])
  images = catalog.load("svhn", data_dir=tmp_path)
  assert (images.labels.tolist(), images.class_names) == ([1, 0, 1], ("0", "7"))
  write_svhn(tmp_path, mat=True, labels=[7])  # MATLAB has no last axis of one
  assert catalog.load("svhn", data_dir=tmp_path).pixels.shape == (1, 32, 32, 3)


@pytest.mark.parametrize(
  ("change", "message"),
  [({"labels": [3, 10]}, r"has the label 10, outside 0\.\.9"),
   ({"labels": [3, 0.5]}, r"has the label 0\.5, outside 0\.\.9"),
   ({"labels": ["a", "b"]}, r"has the label a, outside 0\.\.9"),
   ({"shape": (32, 32, 1)}, r"holds images \(11, 32, 32, 1\)"),
   ({"shape": (3, 32, 32), "mat": True}, r"holds X \(3, 32, 32, 11\) and y \(11, 1\)"),
   ({"labels": [3, 11], "mat": True}, r"has the label 11, outside 0\.\.10")],
)  # fmt: skip
def test_svhn_files_of_another_kind_are_one_line(tmp_path, change, message):
  write_svhn(tmp_path, **change)
  with pytest.raises(ValueError, match=message) as caught:
    catalog.load("svhn", data_dir=tmp_path)
  assert "\n" not in str(caught.value)


def test_svhn_missing_says_all_ways(tmp_path):
  with pytest.raises(
    ValueError,
    match=r"needs svhn_test_first10000_32x32\.npz or train_32x32\.mat.*"
    r"tensorflow_datasets\.load\('svhn_cropped'\)",
  ) as caught:
    catalog.load("svhn", data_dir=tmp_path)
  assert "\n" not in str(caught.value)


def test_svhn_prepared_by_tfds(tmp_path):
  import tensorflow_datasets as tfds

  # The real builder, with a small raw file in place of its downloads.
  builder = tfds.builder("svhn_cropped", data_dir=str(tmp_path / "cache"))
  write_svhn(tmp_path, mat=True)
  path = str(tmp_path / "svhn" / "train_32x32.mat")
  builder._split_generators = lambda _: [
    tfds.core.SplitGenerator(name="train", gen_kwargs={"filepath": path, "split_prefix": "x"})
  ]
  builder.download_and_prepare()
  images = catalog.load("svhn")
  assert images.pixels.shape == (11, 32, 32, 3)
  assert sorted(images.labels.tolist()) == [0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  assert images.names[10] == "svhn:10"


def test_street_digits_are_the_simulator_s(monkeypatch):
  digits = pytest.importorskip("garden.worlds.digits")
  made, make = [], digits.street_digits

  def make_few(n, seed):
    made.append((n, seed))
    return make(40, seed=seed)

  monkeypatch.setattr(digits, "street_digits", make_few)
  images = catalog.load("street_digits")
  assert made == [(6000, 0)]
  assert images.pixels.shape == (40, 32, 32, 1)
  assert (images.class_names, images.names[17]) == (tuple("0123456789"), "street_digits:17")


def test_tfds_names_go_to_tfds_s_folder(tmp_path):
  with pytest.raises(ValueError, match=r"not prepared 'cifar10' in .*/cache: .*load\('cifar10'\)"):
    catalog.load("tfds:cifar10")
  with pytest.raises(ValueError, match=r"not prepared 'cifar10' in .*/other:"):
    catalog.load("tfds:cifar10", cache_dir=tmp_path / "other")


def test_names_are_told_from_paths():
  assert all(map(catalog.is_name, catalog.NAMES))
  assert catalog.is_name("tfds:cifar10") and catalog.is_name("tfds:")  # load says what is wrong
  assert not any(map(catalog.is_name, ["faces", "./tfds:x", "orl/", "", None, 3]))


def test_importing_the_package_leaves_tfds_and_tensorflow_alone():
  code = (
    "import sys, garden.datasets as d; d.load('digits'); "
    "print([m for m in ('tensorflow', 'tensorflow_datasets', 'scipy.io') if m in sys.modules], "
    "[m for m in sys.modules if m.startswith('garden.') and 'datasets' not in m])"
  )
  found = subprocess.run(
    [sys.executable, "-c", code],
    capture_output=True,
    text=True,
    check=True,
    env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
  )
  assert "tensorflow" not in found.stdout
  assert found.stdout.strip().endswith("[]")


@needs_data
@pytest.mark.parametrize(
  ("name", "shape", "classes"),
  [("orl", (400, 32, 32, 1), 40), ("coil20", (1440, 32, 32, 1), 20),
   ("extended_yale_b", (2432, 48, 42, 1), 38)],
)  # fmt: skip
def test_real_sets(name, shape, classes):
  folder = os.path.join(DATA, layouts.ALL[name].folder)
  if not os.path.isdir(folder):
    pytest.skip(f"no {folder}")
  images = catalog.load(name, data_dir=DATA)
  assert (images.pixels.shape, images.num_classes) == (shape, classes)
  np.testing.assert_array_equal(images.labels, np.repeat(np.arange(classes), shape[0] // classes))
  if name == "extended_yale_b":
    archive = np.load(os.path.join(folder, "yaleb_cropped_48x42.npz"))
    expected = archive["images"].astype(np.float32) / np.float32(255)
    assert images.class_names[13] == "yaleB15"
  else:
    mat = scipy.io.loadmat(os.path.join(folder, layouts.ALL[name].arrays[0]))["fea"]
    scale = 255 if mat.dtype == np.uint8 else 1
    expected = (mat.astype(np.float32) / np.float32(scale)).reshape(-1, 32, 32).swapaxes(1, 2)
  np.testing.assert_array_equal(images.pixels[..., 0], expected)


@needs_data
def test_real_mnist():
  if not os.path.isfile(os.path.join(DATA, "mnist", "mnist.npz")):
    pytest.skip("no mnist.npz")
  images = catalog.load("mnist", data_dir=DATA)
  assert images.pixels.shape == (10000, 28, 28, 1)
  assert images.labels[:5].tolist() == [7, 2, 1, 0, 4]


@needs_data
def test_real_mnist_train():
  if not os.path.isfile(os.path.join(DATA, "mnist", "mnist.npz")):
    pytest.skip("no mnist.npz")
  images = catalog.load("mnist_train", data_dir=DATA)
  assert images.pixels.shape == (60000, 28, 28, 1)
  assert images.labels[:5].tolist() == [5, 0, 4, 1, 9]


@needs_data
def test_real_svhn():
  path = os.path.join(DATA, "svhn", "svhn_test_first10000_32x32.npz")
  if not os.path.isfile(path):
    pytest.skip("no svhn_test_first10000_32x32.npz")
  images = catalog.load("svhn", data_dir=DATA)
  archive = np.load(path)
  np.testing.assert_array_equal(images.labels, archive["labels"])
  np.testing.assert_array_equal(np.rint(images.pixels[::997] * 255), archive["images"][::997])
