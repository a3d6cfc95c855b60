"""Tests of the settings: what is refused, what they build, how the learning rate goes."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import layers
from garden.core import resnet
from garden.physnet import deepmask
from garden.physnet import googlenet
from garden.physnet import networks
from garden.physnet import settings

pytestmark = pytest.mark.usefixtures("seeded")

_NAN = float("nan")


@pytest.mark.parametrize("kind, changes, message", [
    ("Network", {"trunk": "vgg"}, "trunk is 'vgg'; .* residual, resnet, googlenet"),
    ("Network", {"masks": None}, "masks is None; .* convolutional, low_rank, none"),
    ("Network", {"fall_head": "max"}, "fall_head is 'max'; .* layout, pool"),
    ("Recipe", {"learning_rate": 0.0}, "learning_rate is 0.0; .* above 0"),
    ("Recipe", {"learning_rate": _NAN}, "learning_rate is nan"),
    ("Recipe", {"clip_norm": 0}, "clip_norm is 0; .* above 0"),
    ("Recipe", {"warm_up": -1}, "warm_up is -1; .* at least 0"),
    ("Recipe", {"warm_up": 1.5}, "warm_up is 1.5"),
    ("Recipe", {"mask_weight": -1}, "mask_weight is -1"),
    ("Recipe", {"dice_weight": "1"}, "dice_weight is '1'"),
    ("Recipe", {"background_weight": -0.1}, "background_weight is -0.1"),
    ("Recipe", {"margin_weight": None}, "margin_weight is None"),
    ("Recipe", {"pose_weight": _NAN}, "pose_weight is nan"),
    ("Recipe", {"weight_decay": -1e-3}, "weight_decay is -0.001"),
    ("Recipe", {"gain": -0.1}, "gain is -0.1"),
    ("Recipe", {"offset": -0.1}, "offset is -0.1"),
    ("Recipe", {"noise": True}, "noise is True"),
    ("Recipe", {"smoothing": 0.6}, "smoothing is 0.6; .* at most 0.5"),
    ("Recipe", {"photometric": 1.1}, "photometric is 1.1; .* at most 1"),
    ("Crop", {"size": (96,)}, "size is .96,.; give .height, width."),
    ("Crop", {"size": (96, 8)}, "size is 8; .* at least 16"),
    ("Crop", {"segment_size": 15}, "segment_size is 15; .* at least 16"),
    ("Crop", {"map_size": 0}, "map_size is 0; .* at least 1"),
    ("Crop", {"pixels_per_block": -1}, "pixels_per_block is -1; .* above 0"),
    ("Crop", {"segment_share": 2}, "segment_share is 2; .* at most 1"),
    ("Crop", {"box_noise": _NAN}, "box_noise is nan"),
    ("Crop", {"segment_weight": -1}, "segment_weight is -1"),
    ("Windows", {"size": 8}, "size is 8; .* at least 16"),
    ("Windows", {"segment_size": 15}, "segment_size is 15; .* at least 16"),
    ("Windows", {"pixels_per_block": 0}, "pixels_per_block is 0; .* above 0"),
    ("Windows", {"segment_share": 1.5}, "segment_share is 1.5; .* at most 1"),
    ("Windows", {"segment_share": 0.0}, "segment_share is 0.0"),
    ("Windows", {"box_noise": -0.1}, "box_noise is -0.1"),
    ("Windows", {"segment_weight": -1}, "segment_weight is -1"),
    ("Windows", {"interface_weight": _NAN}, "interface_weight is nan"),
    ("Windows", {"mask_weight": -0.3}, "mask_weight is -0.3"),
], ids=str)
def test_a_setting_out_of_its_range_is_refused_by_name(kind, changes, message):
  with pytest.raises(ValueError, match="^" + message):
    getattr(settings, kind)(**changes)


@pytest.mark.parametrize("trunk, kind", [
    ("residual", layers.Trunk), ("resnet", resnet.ResNetTrunk),
    ("googlenet", googlenet.GoogLeNet)])
def test_a_trunk_is_of_its_kind(trunk, kind):
  assert isinstance(settings.Network(trunk=trunk).build_trunk(), kind)


def test_trunks_get_their_settings():
  assert settings.Network(filters=[4, 6, 8]).build_trunk().filters == (4, 6, 8)
  found = settings.Network(trunk="resnet", depth=34, strides=[1, 2, 1, 1]).build_trunk()
  assert (found.depth, found.strides) == (34, (1, 2, 1, 1))
  found = settings.Network(trunk="googlenet", width=0.1, stem="small").build_trunk()
  assert (found.width, found.stem) == (0.1, "small")


def test_a_fall_head_is_of_its_kind():
  head = settings.Network(squeeze=3, units=7).build_fall_head()
  assert isinstance(head, layers.LayoutHead) and (head.squeeze, head.units) == (3, 7)
  pool = settings.Network(fall_head="pool").build_fall_head()
  np.testing.assert_allclose(pool(tf.ones([2, 3, 3, 5])), np.ones([2, 5]))


def test_a_mask_head_is_of_its_kind():
  found = settings.Network(coarse=4, mask_filters=[6]).build_mask_head(3, 2, 8)
  assert isinstance(found, networks.MaskHead)
  assert (found.n_classes, found.n_times, found.coarse, found.filters) == (3, 2, 4, (6,))
  found = settings.Network(masks="low_rank", rank=2, coarse_size=4, mask_squeeze=3
                           ).build_mask_head(3, 2, 8)
  assert isinstance(found, deepmask.LowRankMaskHead)
  assert (found.size, found.rank, found.coarse_size, found.squeeze) == (8, 2, 4, 3)
  assert (found.n_classes, found.n_times) == (3, 2)
  assert settings.Network(masks="none").build_mask_head(3, 2, 8) is None


@pytest.mark.parametrize("masks", ["convolutional", "low_rank"])
def test_the_defaults_fit_images_of_112_pixels(masks):
  network = settings.Network(masks=masks)
  coarse = network.build_trunk().compute_output_shape([2, 112, 112, 3])[-1]
  head = network.build_mask_head(5, 4, 56)
  assert head.compute_output_shape(coarse) == (2, 56, 56, 4, 5)


def _rates(steps, **changes):
  schedule = settings.Recipe(**changes).optimizer(steps)._learning_rate
  return np.array([float(schedule(step)) for step in range(steps + 1)])


def test_the_rate_warms_up_peaks_and_ends_at_0():
  rates = _rates(300, learning_rate=0.01, warm_up=100)
  assert rates[0] == pytest.approx(1e-4) and rates[-1] == pytest.approx(0.0, abs=1e-9)
  assert rates.argmax() == 100 and rates.max() == pytest.approx(0.01)
  assert (np.diff(rates[:101]) > 0).all() and (np.diff(rates[100:]) < 0).all()
  assert rates[200] == pytest.approx(0.005, rel=1e-3)  # half a cosine


def test_a_short_run_warms_up_for_half_of_its_steps():
  rates = _rates(10, learning_rate=0.01, warm_up=100)
  assert rates.argmax() == 5 and rates.max() == pytest.approx(0.01)
  assert rates[-1] == pytest.approx(0.0, abs=1e-9)


def test_without_warm_up_the_rate_begins_at_its_peak():
  rates = _rates(10, learning_rate=0.01, warm_up=0)
  assert rates[0] == pytest.approx(0.01) and (np.diff(rates) < 0).all()


def test_a_single_step_has_a_rate():
  assert np.isfinite(_rates(1)).all() and _rates(1)[0] > 0


def test_kernels_decay_and_biases_and_norms_do_not():
  layer = layers.ResidualBlock(4)
  dense = tf.keras.layers.Dense(3, bias_initializer="ones")
  layer(tf.zeros([1, 4, 4, 2])), dense(tf.zeros([1, 2]))
  variables = layer.trainable_variables + dense.trainable_variables
  before = [v.numpy() for v in variables]
  optimizer = settings.Recipe(learning_rate=0.1, warm_up=0, weight_decay=0.5).optimizer(10)
  optimizer.apply_gradients([(tf.zeros_like(v), v) for v in variables])
  for start, variable in zip(before, variables):
    factor = 1 - 0.1 * 0.5 if len(variable.shape) > 1 else 1.0
    np.testing.assert_allclose(variable, factor * start, rtol=1e-5, err_msg=variable.name)
