"""tfds:NAME: sets prepared by TFDS, made here by tiny builders; no network."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from garden.datasets import catalog
from garden.datasets import tfds_sets

_CLASS_NAMES = ("cat", "dog", "emu")


class TinyPets(tfds.core.GeneratorBasedBuilder):
  """Six images; `shape` is what the features declare, `sizes` what is written."""

  VERSION = tfds.core.Version("1.0.0")
  KEYS = ("image", "label")
  SHAPE = (4, 5, 3)
  DTYPE = np.uint8
  LABELS = (0, 2, 2, 0, 2, 0)
  COUNTS = {"train": 6, "test": 2}  # noqa: RUF012

  def _info(self):
    image = tfds.features.Image(shape=self.SHAPE, dtype=self.DTYPE, encoding_format="png")
    label = tfds.features.ClassLabel(names=_CLASS_NAMES)
    return tfds.core.DatasetInfo(
      builder=self,
      features=tfds.features.FeaturesDict(
        {
          self.KEYS[0]: image,
          self.KEYS[1]: label,
          # Of another length for each example: it must not be read along.
          "boxes": tfds.features.Sequence(np.int64),
        }
      ),
      disable_shuffling=True,
    )

  def _split_generators(self, dl_manager):
    return {split: self._generate_examples(split, count) for split, count in self.COUNTS.items()}

  def _generate_examples(self, split, count):
    for row in range(count):
      values = (picture(row, self.height(row), self.DTYPE), self.LABELS[row])
      yield row, {**dict(zip(self.KEYS, values)), "boxes": list(range(row))}

  def height(self, row):
    return 4


class TinyFreeSize(TinyPets):
  """Declares no size, but has one."""

  SHAPE = (None, None, 3)


class TinyMixedSizes(TinyFreeSize):
  """Has two sizes."""

  def height(self, row):
    return 4 if row < 3 else 6


class TinyDeep(TinyPets):
  """16-bit images."""

  DTYPE = np.uint16


class TinyUnlabelled(TinyPets):
  """Has images without a label, which TFDS writes as -1."""

  LABELS = (0, -1, -1, 1, 2, 0)


class TinyOtherKeys(TinyPets):
  """Names its features otherwise."""

  KEYS = ("photo", "species")


def picture(row, height=4, dtype=np.uint8):
  high = np.iinfo(dtype).max
  return np.random.default_rng(row).integers(0, high, [height, 5, 3], dtype, endpoint=True)


@pytest.fixture
def load(tmp_path, monkeypatch):
  monkeypatch.delenv("GARDEN_DATA_DIR", raising=False)
  monkeypatch.setattr(
    tfds.download.DownloadManager, "download", lambda *_: pytest.fail("tried to download")
  )
  tfds.disable_progress_bar()

  def prepare_and_load(builder_class, split=""):
    name = builder_class.name
    if not (tmp_path / name).exists():
      builder_class(data_dir=str(tmp_path)).download_and_prepare()
    return catalog.load(f"tfds:{name}{split}", cache_dir=tmp_path)

  return prepare_and_load


def test_a_prepared_set(load):
  images = load(TinyPets)
  np.testing.assert_array_equal(
    np.rint(images.pixels * 255), np.stack([picture(row) for row in range(6)])
  )
  assert images.labels.tolist() == [0, 1, 1, 0, 1, 0]
  assert images.class_names == ("cat", "emu")  # no dog occurs
  assert images.names == tuple(f"tfds:tiny_pets:train:{row}" for row in range(6))


def test_splits_slices_and_versions(load):
  assert len(load(TinyPets, ":test")) == 2
  assert load(TinyPets, ":train[2:5]").names[0] == "tfds:tiny_pets:train[2:5]:0"
  assert len(load(TinyPets, ":train+test")) == 8
  assert len(load(TinyPets, ":1.0.0")) == 6
  assert len(load(TinyPets, ":1.0.0:test")) == 2


@pytest.mark.parametrize("split", ["valid", "train[", "train+valid", "train[:x]"])
def test_an_unknown_split_names_those_there_are(load, split):
  with pytest.raises(ValueError, match="has no split '.*': there are .*train") as caught:
    load(TinyPets, f":{split}")
  assert "test" in str(caught.value) and "\n" not in str(caught.value)


def test_an_empty_slice_is_one_line(load):
  with pytest.raises(ValueError, match=r"the split 'train\[2:2\]' of 'tiny_pets' is empty"):
    load(TinyPets, ":train[2:2]")


def test_images_whose_size_is_not_declared(load):
  np.testing.assert_array_equal(load(TinyFreeSize).pixels, load(TinyPets).pixels)
  with pytest.raises(ValueError, match=r"images 0 and 3 .*\(4, 5, 3\) and \(6, 5, 3\).*one size"):
    load(TinyMixedSizes)
  assert len(load(TinyMixedSizes, ":train[3:]")) == 3


def test_16_bit_images(load):
  expected = np.stack([picture(row, dtype=np.uint16) for row in range(6)]) / 65535
  np.testing.assert_allclose(load(TinyDeep).pixels, expected, rtol=1e-6)


def test_images_without_a_label_are_refused(load):
  with pytest.raises(ValueError, match="2 images of 'tiny_unlabelled', split 'train', have no"):
    load(TinyUnlabelled)


def test_other_features_are_named(load):
  message = r"needed, its features are boxes \(Sequence\), photo \(Image\), species \(ClassLabel\)"
  with pytest.raises(ValueError, match=message) as caught:
    load(TinyOtherKeys)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_files_are_one_line(load, tmp_path, damage):
  load(TinyPets)
  record = next((tmp_path / "tiny_pets").glob("*/*train.tfrecord*"))
  if damage == "cut":
    record.write_bytes(record.read_bytes()[:100])
  else:
    record.unlink()
  with pytest.raises(ValueError, match=r"tiny_pets/1\.0\.0 can't be read \(.*remove it") as caught:
    load(TinyPets)
  assert "\n" not in str(caught.value)


def test_a_set_that_is_not_prepared_says_the_command(tmp_path):
  message = r"not prepared 'tiny_pets' in .*: run tensorflow_datasets\.load\('tiny_pets'\) once"
  with pytest.raises(ValueError, match=message) as caught:
    catalog.load("tfds:tiny_pets:test", cache_dir=tmp_path)
  assert "\n" not in str(caught.value)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  ("name", "message"),
  [("cifar_10", "no data set 'cifar_10'.*did you mean 'cifar10'"),
   ("qqqqqqqq", r"no data set 'qqqqqqqq'.*list_builders\(\)"),
   ("mnist/none", "can't find 'mnist/none'"),
   ("mnist:9.9.9", "can't find 'mnist:9.9.9'"),
   ("../mnist", "can't find '../mnist'"),
   ("", "write tfds:NAME"),
   ("mnist:", "write tfds:NAME"),
   (":test", "write tfds:NAME"),
   ("a b", "write tfds:NAME")],
)  # fmt: skip
def test_unknown_names_are_one_line(tmp_path, name, message):
  with pytest.raises(ValueError, match=message) as caught:
    catalog.load(f"tfds:{name}", cache_dir=tmp_path)
  assert "\n" not in str(caught.value)


def test_classes_that_occur():
  labels, names = tfds_sets.occurring(np.array([2, 0, 2], np.int32), ["a", "b", "c"])
  assert (labels.tolist(), names, labels.dtype) == ([1, 0, 1], ("a", "c"), np.int64)
