"""Tests of the network that judges: trained once, kept, or a user's."""

import numpy as np
import pytest
import tensorflow as tf

from garden.dagan import extractor
from garden.dagan import recogniser
from garden.datasets import faces


def _faces():
  rng = np.random.default_rng(0)
  people = np.arange(12) % 3
  image = rng.integers(0, 256, (12, 16, 16, 3)).astype(np.uint8)
  mask = np.full((12, 16, 16, 1), 255, np.uint8)
  return faces.FaceSet(image, mask, mask, people, np.full(12, "frontal"), np.zeros(12, np.float32),
                       np.arange(12) // 3)


def test_it_is_trained_once_and_kept(tmp_path):
  path = str(tmp_path / "folder" / "extractor.keras")
  calls = []

  def train():
    calls.append(1)
    return _faces()
  first = extractor.fixed(path, train, epochs=1, examples=12)
  again = extractor.fixed(path, train, epochs=1, examples=12)
  assert len(calls) == 1 and list((tmp_path / "folder").iterdir()) == [tmp_path / "folder"
                                                                      / "extractor.keras"]
  images = _faces().image
  np.testing.assert_array_equal(recogniser.features(first, images),
                                recogniser.features(again, images))


def test_a_killed_training_leaves_nothing(tmp_path):
  def train():
    raise KeyboardInterrupt
  with pytest.raises(KeyboardInterrupt):
    extractor.fixed(str(tmp_path / "extractor.keras"), train)
  assert not list(tmp_path.iterdir())


def test_another_model_in_its_place_is_refused(tmp_path):
  path = str(tmp_path / "extractor.keras")
  tf.keras.Sequential([tf.keras.layers.InputLayer([4])]).save(path)
  with pytest.raises(ValueError, match="holds a Sequential; .* remove the file"):
    extractor.fixed(path, _faces)


def test_a_users_model_gives_its_features(tmp_path):
  net = tf.keras.Sequential([tf.keras.layers.InputLayer([16, 16, 3]),
                             tf.keras.layers.GlobalAveragePooling2D()])
  net.save(tmp_path / "mine.keras")
  images = _faces().image
  found = extractor.given(str(tmp_path / "mine.keras"))(images)
  np.testing.assert_allclose(found, (images / 127.5 - 1).mean(axis=(1, 2)), atol=1e-5)


def test_a_users_model_must_be_one_and_give_vectors(tmp_path):
  with pytest.raises(ValueError, match="there is no extractor"):
    extractor.given(str(tmp_path / "none.keras"))
  (tmp_path / "text.keras").write_text("no model")
  with pytest.raises(ValueError, match="isn't a Keras model"):
    extractor.given(str(tmp_path / "text.keras"))
  tf.keras.Sequential([tf.keras.layers.InputLayer([16, 16, 3])]).save(tmp_path / "maps.keras")
  with pytest.raises(ValueError, match=r"features are \(12, 16, 16, 3\)"):
    extractor.given(str(tmp_path / "maps.keras"))(_faces().image)
