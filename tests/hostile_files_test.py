"""Files that somebody made to do harm: refused in one line, and nothing that they bring along runs.

Readers of a user's files are tried with pickles, Python code, decompression bombs and paths that
lead out of a folder. A file that was opened would leave a mark on the disk.
"""

import ast
import json
import pathlib
import pickle
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import scipy.io
import tensorflow as tf
from PIL import Image

from garden.core import keras_files
from garden.core import predict
from garden.dagan import extractor
from garden.datasets import files
from garden.datasets import images
from garden.datasets import photo_folder
from garden.datasets.face_folder import photographs
from garden.worlds.faces import morphable

_ROOT = pathlib.Path(__file__).resolve().parents[1]


class _Marks:
  """Makes a file where it is unpickled."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return pathlib.Path.touch, (self.path,)


@pytest.fixture
def mark(tmp_path):
  """The file that harm would make; it must not be there in the end."""
  path = tmp_path / "mark"
  yield path
  assert not path.exists()


@pytest.fixture
def refuses():
  """Asserts that a reader refuses in one line that says why: `refuses(message, read, path)`."""

  def check(message, read, *args, **kwargs):
    with pytest.raises(ValueError, match=message) as caught:
      read(*args, **kwargs)
    assert "\n" not in str(caught.value)
  return check


def test_no_module_loads_pickles_or_code():
  banned = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
  checked = 0
  for path in [*(_ROOT / "garden").rglob("*.py"), *(_ROOT / "tools").rglob("*.py")]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
      if isinstance(node, ast.Import | ast.ImportFrom):
        names = {alias.name.split(".")[0] for alias in node.names}
        names.add((getattr(node, "module", None) or "").split(".")[0])
        assert not names & banned, path
      if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load"):
        assert "allow_pickle=False" in ast.unparse(node), path
        checked += 1
      if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("load_model"):
        ours = "evaluate_lib", "keras_files"
        if not ast.unparse(node.func).startswith(ours):
          assert path.name == "keras_files.py", f"{path} must load through core.keras_files"
          checked += 1
  assert checked == 2


def test_a_pickle_in_an_npz_is_refused_and_not_run(tmp_path, mark, refuses):
  np.savez(tmp_path / "a.npz", images=np.array([_Marks(mark)], object), labels=[0])
  refuses("not a readable .npz file .*allow_pickle", images.read, tmp_path / "a.npz")


def test_a_pickle_by_another_name_is_refused_and_not_run(tmp_path, mark, refuses):
  for name in ("a.npz", "a.mat", "a.png"):
    (tmp_path / name).write_bytes(pickle.dumps(_Marks(mark)))
  refuses("not a readable .npz", images.read, tmp_path / "a.npz")
  refuses("not a readable .mat", images.read, tmp_path / "a.mat")
  refuses("not a readable image", files.read_image, tmp_path / "a.png")
  refuses("isn't a Basel Face Model", morphable.from_basel, tmp_path / "a.mat")
  refuses("isn't a Keras model", extractor.given, str(tmp_path / "a.mat"))


def _marking(mark):
  """A layer of code that makes a file when it is called."""
  # Its path is a constant of the code, so that it is saved with it.
  return tf.keras.layers.Lambda(eval(f"lambda x: (open({str(mark)!r}, 'w').close(), x)[1]"))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_lambda_layer_in_a_models_file_is_refused_and_not_run(
  tmp_path, mark, refuses, suffix, nested
):
  net = tf.keras.Sequential([tf.keras.layers.InputLayer([4, 4, 3]), _marking(mark)])
  if nested:
    net = tf.keras.Sequential([tf.keras.layers.InputLayer([4, 4, 3]), net])
  path = str(tmp_path / f"evil{suffix}")
  net.save(path)
  mark.unlink(missing_ok=True)
  refuses("isn't a Keras model .*has a Lambda layer, which is code", extractor.given, path)


def test_the_python_of_a_saved_model_is_not_run(tmp_path, mark):
  net = tf.keras.Sequential([tf.keras.layers.InputLayer([4, 4, 3]), _marking(mark),
                             tf.keras.layers.Flatten()])  # fmt: skip
  tf.keras.models.save_model(net, str(tmp_path / "saved"), save_format="tf")
  mark.unlink(missing_ok=True)
  found = extractor.given(str(tmp_path / "saved"))(np.zeros((2, 4, 4, 3), np.uint8))
  assert found.shape == (2, 48)


def _plain(path):
  tf.keras.Sequential([tf.keras.layers.InputLayer([4]), tf.keras.layers.Dense(2)]).save(path)


def _rewritten(path, change):
  """Changes the config of a `.keras` file."""
  with zipfile.ZipFile(path) as archive:
    parts = {name: archive.read(name) for name in archive.namelist()}
  parts["config.json"] = change(parts["config.json"])
  with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
    for name, data in parts.items():
      archive.writestr(name, data)


@pytest.mark.parametrize("outermost", [True, False])
def test_a_module_that_a_config_names_is_not_imported(
  tmp_path, mark, refuses, monkeypatch, outermost
):
  code = f"open({str(mark)!r}, 'w').close()\nDense = Sequential = object\n"
  (tmp_path / "evil_module.py").write_text(code)
  monkeypatch.syspath_prepend(str(tmp_path))
  path = tmp_path / "a.keras"
  _plain(path)

  def evil(config):
    config = json.loads(config)
    part = config if outermost else config["config"]["layers"][-1]
    part.update(module="evil_module", registered_name=None)
    return json.dumps(config)

  _rewritten(path, evil)
  refuses(r"names '\w+' of the module 'evil_module', which would be", extractor.given, str(path))


def test_a_config_that_unpacks_to_a_gigabyte_is_refused(tmp_path, refuses, monkeypatch):
  monkeypatch.setattr(keras_files, "_LONGEST", 10_000)
  path = tmp_path / "a.keras"
  _plain(path)
  _rewritten(path, lambda config: config + b" " * 20_000)
  assert path.stat().st_size < 20_000
  refuses(r"unpacks to \d+ bytes; at most 10000", extractor.given, str(path))


def test_what_holds_no_model_is_refused(tmp_path, refuses):
  with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
    archive.writestr("../../escaped.json", "{}")
  refuses("holds no config.json", extractor.given, str(tmp_path / "a.keras"))
  with h5py.File(tmp_path / "a.h5", "w") as file:
    file["weights"] = np.zeros(3)
  refuses("holds weights and no model", extractor.given, str(tmp_path / "a.h5"))


def _png(path, side):
  """A PNG of some hundred bytes that announces `side` x `side` pixels."""
  def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
  header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
  path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                   + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))  # fmt: skip


# Pillow warns of the first and refuses the second.
@pytest.mark.parametrize("side", [10_000, 60_000])
def test_an_image_that_unpacks_to_a_hundred_megapixels_is_refused(tmp_path, refuses, side):
  path = tmp_path / "bomb.png"
  _png(path, side)
  (tmp_path / "labels.csv").write_text("image,fall\nbomb.png,1\n")
  message = r"bomb\.png announces more than \d+ pixels"
  refuses(message, files.read_image, path)
  refuses(message, photographs.read, str(path))
  refuses(message, predict._read, str(path))
  refuses(message, photo_folder.read, photo_folder.rows(tmp_path)[0], 8)


def test_a_damaged_image_is_refused_before_it_is_served(tmp_path, refuses):
  Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.gif")
  data = (tmp_path / "a.gif").read_bytes()
  for name, content in (("cut.gif", data[:30]), ("text.png", b"text"), ("empty.jpg", b"")):
    (tmp_path / name).write_bytes(content)
    refuses(f"{name} isn't an image that can be decoded", predict._read, str(tmp_path / name))


def test_arrays_that_unpack_to_gigabytes_are_refused(tmp_path, refuses, monkeypatch):
  monkeypatch.setattr(files, "_MOST_BYTES", 50_000)
  bomb = np.zeros((100, 32, 32), np.uint8)
  np.savez_compressed(tmp_path / "a.npz", images=bomb, labels=np.zeros(100))
  scipy.io.savemat(tmp_path / "a.mat", {"fea": bomb.reshape(100, -1), "gnd": np.zeros(100)},
                   do_compression=True)  # fmt: skip
  for name in ("a.npz", "a.mat"):
    assert (tmp_path / name).stat().st_size < 5_000
    refuses(rf"{name} announces .* GiB of '\w+', above .* decompression", images.read,
            tmp_path / name)  # fmt: skip
  sparse = scipy.sparse.csc_matrix((2000, 2000))
  scipy.io.savemat(tmp_path / "b.mat", {"fea": sparse, "gnd": np.zeros(2000)})
  refuses("b.mat announces .* GiB of 'fea'", images.read, tmp_path / "b.mat")
  # What isn't asked for is not unpacked.
  assert files.read_arrays(tmp_path / "a.npz", ["labels"])["labels"].shape == (100,)


def test_an_npz_that_lies_about_its_arrays_is_refused(tmp_path, refuses):
  header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 8, 8), }"
  header += b" " * (-(len(header) + 11) % 64) + b"\n"
  with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
    archive.writestr(
      "images.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64))
    archive.writestr("../../labels.npy", b"")
  refuses("not a readable .npz file", images.read, tmp_path / "a.npz", label_key="")


def test_a_labels_file_cannot_lead_out_of_its_folder(tmp_path, refuses):
  inner = tmp_path / "towers"
  inner.mkdir()
  Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "secret.png")
  (inner / "link.png").symlink_to(tmp_path / "secret.png")
  for name in ("../secret.png", str(tmp_path / "secret.png"), "link.png", "a/../../secret.png"):
    (inner / "labels.csv").write_text(f"image,fall\n{name},1\n")
    refuses("is outside", photo_folder.rows, inner)


@pytest.mark.parametrize("content", ["a" * 200_000, 'image,fall\n"', "image,fall\n\x00,1\n",
                                     "image,fall\n" + "," * 100_000])
def test_a_labels_file_that_is_no_table_is_refused(tmp_path, refuses, content):
  (tmp_path / "labels.csv").write_text(content)
  refuses("labels.csv", photo_folder.rows, tmp_path)
