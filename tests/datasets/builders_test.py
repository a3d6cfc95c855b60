"""The TFDS builders, used as TFDS's own users do: builder, manual_dir, as_dataset."""

import importlib

import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds
from PIL import Image

from garden.datasets import layouts


def builder_class(name):
  return importlib.import_module(f"garden.datasets.{name}.{name}_dataset_builder").Builder


def prepare(name, manual_dir, data_dir):
  builder = builder_class(name)(data_dir=str(data_dir))
  builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual_dir))
  return builder


@pytest.mark.parametrize("name", sorted(layouts.ALL))
def test_name_features_and_metadata(name, tmp_path):
  builder = builder_class(name)(data_dir=str(tmp_path))
  layout = layouts.ALL[name]
  assert builder.name == name
  assert builder.info.features["image"].shape == (*layout.size, 1)
  assert builder.info.features["image"].np_dtype == np.dtype(layout.dtype)
  assert builder.info.features["label"].names == list(layout.class_names)
  assert builder.info.disable_shuffling
  assert layout.arrays[0] in builder.MANUAL_DOWNLOAD_INSTRUCTIONS
  assert builder.info.citation.startswith("@") and builder.info.homepage.startswith("http")


def test_published_sizes():
  classes = {name: len(layout.ids) for name, layout in layouts.ALL.items()}
  assert classes == {"orl": 40, "coil20": 20, "coil100": 100, "extended_yale_b": 38}


@pytest.mark.parametrize("name", ["coil20", "coil100"])
def test_float_images_come_back_bit_for_bit(name, tmp_path):
  rows = np.random.default_rng(0).uniform(size=[30, 1024])
  (tmp_path / "in").mkdir()
  scipy.io.savemat(
    tmp_path / "in" / f"{name.upper()}.mat", {"fea": rows, "gnd": np.repeat([1, 2, 3], 10)[:, None]}
  )
  builder = prepare(name, tmp_path / "in", tmp_path / "out")
  found = list(tfds.as_numpy(builder.as_dataset(split="train")))
  np.testing.assert_array_equal(
    [item["image"][..., 0] for item in found],
    rows.astype(np.float32).reshape(-1, 32, 32).swapaxes(1, 2),
  )
  assert [item["label"] for item in found] == [0] * 10 + [1] * 10 + [2] * 10
  assert found[7]["name"] == f"{name.upper()}.mat:7".encode()


@pytest.mark.parametrize(
  ("name", "file", "shape"),
  [("orl", "s{}/{}.pgm", (112, 92)), ("coil20", "obj{}__{}.png", (128, 128)),
   ("coil100", "obj{}__{}.png", (128, 128)),
   ("extended_yale_b", "yaleB{:02d}/yaleB{:02d}_P00A+000E+{:02d}.pgm", (192, 168))],
)  # fmt: skip
def test_original_folders_keep_their_order(name, file, shape, tmp_path):
  rng = np.random.default_rng(0)
  for person in (1, 2, 11):
    for shot in range(1, 13):
      numbers = (person, person, shot) if name == "extended_yale_b" else (person, shot)
      path = tmp_path / "in" / file.format(*numbers)
      path.parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)
  builder = prepare(name, tmp_path / "in", tmp_path / "out")
  assert builder.info.splits["train"].num_examples == 36
  found = list(tfds.as_numpy(builder.as_dataset(split="train")))
  expected = list(layouts.examples(layouts.ALL[name], tmp_path / "in"))
  assert [item["name"].decode() for item in found] == [item[0] for item in expected]
  assert [item["label"] for item in found] == [0] * 12 + [1] * 12 + [10] * 12
  np.testing.assert_array_equal([item["image"] for item in found], [item[1] for item in expected])


def test_registered_with_tfds_but_for_coil100(tmp_path):
  for name in layouts.ALL:
    builder_class(name)
  assert tfds.builder("orl", data_dir=str(tmp_path)).info.features["image"].shape == (32, 32, 1)
  # TFDS has its own colour coil100, which must still load beside ours.
  theirs = tfds.builder("coil100", data_dir=str(tmp_path))
  assert theirs.info.features["image"].shape == (128, 128, 3)


def test_no_lookup_on_the_network(tmp_path, monkeypatch):
  import socket

  def refuse(*_args, **_kwargs):
    raise AssertionError("the network was asked")

  monkeypatch.setattr(socket.socket, "connect", refuse)
  monkeypatch.setattr(socket, "getaddrinfo", refuse)
  (tmp_path / "in").mkdir()
  scipy.io.savemat(
    tmp_path / "in" / "ORL_32x32.mat", {"fea": np.zeros([2, 1024], np.uint8), "gnd": [[1], [2]]}
  )
  assert prepare("orl", tmp_path / "in", tmp_path / "out").info.splits["train"].num_examples == 2
