"""Features by scattering: length 1, maps of one size, leading directions."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from garden.subspace.scattering_features import Centered
from garden.subspace.scattering_features import ScatteringFeatures

_SMALL = dict(scales=1, angles=4, directions=20)


@pytest.fixture(scope="module")
def digits():
  return (load_digits().images[:300, :, :, None] / 16).astype(np.float32)


def test_features_have_length_1_and_the_directions_asked_for(digits):
  features = ScatteringFeatures(**_SMALL).fit(digits).of_all(digits)
  assert features.shape == (300, 20) and features.dtype == np.float32
  np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)


def test_all_directions_keep_the_angles_of_the_maps_at_one_size(digits):
  settings = ScatteringFeatures(scales=1, angles=4, directions=10 ** 6)
  mapped = settings.fit(digits)
  maps = mapped.scatter(digits).numpy()
  scaled = (maps / np.sqrt(np.mean(maps ** 2, axis=(0, 1, 2)))).reshape(300, -1)
  scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
  features = mapped.of_all(digits)
  np.testing.assert_allclose(features @ features.T, scaled @ scaled.T, atol=1e-3)


def test_the_first_direction_holds_most(digits):
  features = ScatteringFeatures(**_SMALL).fit(digits).of_all(digits)
  held = np.square(features).mean(axis=0)
  assert held[0] > 0.5 and (np.diff(held[:5]) < 0).all()


def test_blocks_do_not_change_the_features(digits):
  mapped = ScatteringFeatures(**_SMALL).fit(digits)
  np.testing.assert_allclose(mapped.of_all(digits)[205:207], mapped(digits[205:207]), atol=1e-5)


def test_the_moment_of_some_images_serves_all(digits):
  few = ScatteringFeatures(**_SMALL, moment_images=150).fit(digits)
  features, others = few.of_all(digits), ScatteringFeatures(**_SMALL).fit(digits).of_all(digits)
  # Directions may turn; angles between images stay.
  close = np.abs(features @ features.T - others @ others.T)
  assert close.max() < 0.1


@pytest.mark.parametrize("side,multiple,expected", [
    (28, 8, 32), (8, 8, 16), (32, 8, 32), (9, 2, 10)])
def test_images_are_padded_to_what_scattering_takes(side, multiple, expected):
  found = Centered(multiple)(tf.ones([1, side, side, 1]))
  assert found.shape == (1, expected, expected, 1)
  assert tf.reduce_sum(found) == side ** 2


def test_black_images_are_refused():
  with pytest.raises(ValueError, match="all images are black"):
    ScatteringFeatures(**_SMALL).fit(np.zeros((5, 8, 8, 1), np.float32))


def test_a_black_image_among_others_stays_zero(digits):
  images = np.concatenate([digits[:20], np.zeros_like(digits[:1])])
  assert not ScatteringFeatures(**_SMALL).fit(images).of_all(images)[-1].any()


def test_a_single_image_is_refused(digits):
  with pytest.raises(ValueError, match="1 image has no directions"):
    ScatteringFeatures().fit(digits[:1])


def test_settings_below_1_are_refused():
  with pytest.raises(ValueError, match="ScatteringFeatures.directions is 0"):
    ScatteringFeatures(directions=0)
