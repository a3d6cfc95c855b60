"""Tests of the residual network: activations, sizes, saving, and who imports KerasCV."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer import resnet
from garden.transfer import source_target


def _images():
  return tf.random.stateless_uniform([2, 32, 32, 3], [0, 1])


@pytest.fixture(scope="module")
def small():
  """A network of two stages, built; its weights are not to be changed."""
  layer = resnet.ResNet((64, 8), (1, 1))
  layer(_images())
  return layer


def test_the_activations_are_the_means_of_the_stages_from_the_input_upwards(small):
  activations = small(_images())
  assert small.layer_names == ("stage1", "stage2") == tuple(activations)
  assert {name: tuple(x.shape) for name, x in activations.items()} == {
    "stage1": (2, 64), "stage2": (2, 8)}  # fmt: skip
  pooled = [x for x in small.network.layers
            if isinstance(x, tf.keras.layers.GlobalAveragePooling2D)]  # fmt: skip
  maps = tf.keras.Model(small.network.input,
                        [pooled[0].get_input_at(i) for i in (0, 1)])(_images())  # fmt: skip
  assert [tuple(x.shape[1:3]) for x in maps] == [(8, 8), (4, 4)]  # of 32x32
  for name, x in zip(small.layer_names, maps):
    np.testing.assert_allclose(activations[name], tf.reduce_mean(x, axis=[1, 2]), rtol=1e-5)


def test_the_last_activation_is_the_embedding(small):
  activations = small(_images())
  np.testing.assert_array_equal(
    source_target.embedding(small, activations), activations["stage2"])  # fmt: skip
  assert np.ptp(activations["stage2"], axis=0).max() > 0  # images differ


def test_blocks_add_weights(small):
  deeper = resnet.ResNet((64, 8), (1, 2))
  deeper(tf.keras.Input((32, 32, 3)))
  # A basic block: two 3x3 convolutions without bias, each with a batch norm.
  assert deeper.count_params() - small.count_params() == 2 * (9 * 8 * 8 + 4 * 8)


def test_it_comes_back_from_its_config():
  layer = resnet.ResNet([64, 8], [1, 2], name="e")
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert type(again) is resnet.ResNet and again.get_config() == layer.get_config()
  assert (again.channels, again.blocks, again.name) == ((64, 8), (1, 2), "e")


def test_the_default_is_resnet_18():
  layer = resnet.ResNet()
  assert (layer.channels, layer.blocks) == ((64, 128, 256, 512), (2, 2, 2, 2))
  assert layer.layer_names[-1] == "stage4"


def test_the_least_image_has_one_pixel_left():
  layer = resnet.ResNet((64, 4), (1, 1))
  assert layer(tf.keras.Input((8, 8, 1)))["stage2"].shape == (None, 4)
  with pytest.raises(ValueError, match=r"images are \(7, 8, 1\); 2 stages need a known size of at "
                     "least 8x8 pixels"):  # fmt: skip
    resnet.ResNet((64, 4), (1, 1))(tf.keras.Input((7, 8, 1)))


def test_images_of_no_known_size_are_refused():
  with pytest.raises(ValueError, match="2 stages need a known size"):
    resnet.ResNet((64, 4), (1, 1))(tf.keras.Input((None, 32, 3)))


@pytest.mark.parametrize(
  ("channels", "blocks"), [((64, 8), (1,)), ((64, 8), (1, 1, 1)), ((64,), (1,)), ((), ())]
)
def test_channels_and_blocks_must_match(channels, blocks):
  with pytest.raises(ValueError, match="give one of each for at least two stages"):
    resnet.ResNet(channels, blocks)


def test_the_first_stage_has_the_channels_of_the_stem():
  with pytest.raises(ValueError, match=r"channels are \(8, 16\); .* so begin with 64"):
    resnet.ResNet((8, 16), (1, 1))


def test_a_functional_model_is_saved_with_all_its_state(tmp_path):
  inputs = tf.keras.Input((32, 32, 3))
  activations = resnet.ResNet((64, 8), (1, 1))(inputs)
  model = tf.keras.Model(inputs, {**activations, "logits": tf.keras.layers.Dense(3)(
    activations["stage2"])})  # fmt: skip
  before = model(_images())
  model(_images(), training=True)  # moves the statistics of the batch norms
  after = model(_images())
  assert not np.allclose(before["logits"], after["logits"], rtol=1e-3)
  model.save(tmp_path / "a.keras")
  again = tf.keras.models.load_model(tmp_path / "a.keras")
  for name, value in again(_images()).items():
    np.testing.assert_allclose(value, after[name], rtol=1e-6, err_msg=name)


def test_keras_cv_is_imported_late_and_says_nothing():
  script = """
import sys
import garden.transfer.experiment
from garden.transfer import settings
layer = settings.Network("resnet", (64, 4), blocks=(1, 1)).build()
early = sorted({"keras_cv", "tensorflow_addons"} & set(sys.modules))
import tensorflow as tf
layer(tf.keras.Input((8, 8, 1)))
print(early, "keras_cv" in sys.modules)
"""
  done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
  assert done.returncode == 0, done.stderr
  assert done.stdout == "[] True\n"
