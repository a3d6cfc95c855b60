"""Scattering coefficients: cases whose answer is known, and what they are invariant under."""

import numpy as np
import pytest
import tensorflow as tf

from garden.subspace import scattering
from garden.subspace.scattering import Scattering


def _noise(n=2, size=32, channels=1, seed=0):
  return np.random.default_rng(seed).uniform(0, 1, (n, size, size, channels)).astype(np.float32)


@pytest.mark.parametrize("scales,angles,channels,expected", [
    (3, 8, 1, (4, 4, 217)), (2, 4, 1, (8, 8, 1 + 8 + 16)), (1, 2, 3, (16, 16, 9))])
def test_the_shape_is_that_of_the_orders(scales, angles, channels, expected):
  assert Scattering(scales, angles)(_noise(channels=channels)).shape == (2, *expected)


def test_an_even_image_has_its_value_in_order_0_and_nothing_else():
  found = Scattering(3, 4)(np.full((1, 32, 32, 1), 0.7, np.float32)).numpy()
  np.testing.assert_allclose(found[..., 0], 0.7, rtol=1e-5)
  np.testing.assert_allclose(found[..., 1:], 0, atol=1e-5)


def test_a_factor_of_the_image_is_one_of_the_coefficients():
  layer, images = Scattering(2, 4), _noise()
  np.testing.assert_allclose(layer(3 * images), 3 * layer(images), rtol=1e-4, atol=1e-5)


def test_order_1_equals_convolutions_written_out():
  """On a 16 x 16 image whose mirrored borders are made by hand."""
  image = _noise(1, 16)[0, :, :, 0]
  padded = np.pad(image, 4, "reflect")
  size = padded.shape
  kernel = scattering.morlet(size, 0, np.pi / 4, 1.0)
  bump = scattering._gabor(size, 0.8 * 2, 0.0, 0.0, 1.0)

  def convolve(signal, kernel):
    out = np.zeros(size, complex)
    for y, x in np.ndindex(size):
      out += signal[y, x] * np.roll(kernel, (y, x), (0, 1))
    return out

  modulus = np.abs(convolve(padded, kernel))
  expected = convolve(modulus, bump).real[4:-4, 4:-4][::4, ::4]
  found = Scattering(2, 4)(image[None, :, :, None])[0].numpy()
  # At scale 0 no pixel is left out before the end, so that this is exact. Angle 1 follows order 0
  # and angle 0.
  np.testing.assert_allclose(found[:, :, 1 + 1], expected, rtol=1e-4)


def test_a_wave_answers_at_its_own_scale_and_angle():
  y, x = np.mgrid[:64, :64]
  for scale in range(3):
    for angle in range(4):
      direction = np.pi * angle / 4
      wave = np.cos(0.75 * np.pi / 2 ** scale * (y * np.cos(direction) + x * np.sin(direction)))
      found = Scattering(3, 4)(wave[None, :, :, None].astype(np.float32)).numpy()
      strongest = found[0, 3:5, 3:5, 1:13].mean(axis=(0, 1)).argmax()
      assert strongest == 4 * scale + angle


def test_a_shift_changes_coefficients_less_than_pixels():
  images = np.zeros((1, 32, 32, 1), np.float32)
  images[:, 8:24, 14:18] = 1
  moved = np.roll(images, 1, axis=2)
  layer = Scattering(3, 8)
  far = np.linalg.norm(layer(images) - layer(moved)) / np.linalg.norm(layer(images))
  assert far < 0.25 < 0.5 * np.linalg.norm(images - moved) / np.linalg.norm(images) + 0.1


def test_coefficients_hold_no_more_energy_than_images():
  images = _noise(4) - 0.5
  layer = Scattering(3, 8)
  # One coefficient stands for 8 x 8 pixels.
  assert 64 * np.sum(np.square(layer(images))) < 1.3 * np.sum(np.square(images))


def test_a_quarter_turn_permutes_the_angles():
  image = np.zeros((1, 32, 32, 1), np.float32)
  image[0, 8:25, 8:25] = _noise(1, 17)
  # About pixel (16, 16), which is kept: (y, x) goes to (x, 32 - y).
  turned = np.zeros_like(image)
  turned[0, 8:25, 8:25] = np.rot90(image[0, 8:25, 8:25], k=-1)
  layer = Scattering(2, 4)
  a, b = (layer(v).numpy()[0, 4, 4] for v in (image, turned))
  for scale in range(2):
    first = 1 + 4 * scale
    np.testing.assert_allclose(b[first:first + 4], np.roll(a[first:first + 4], 2), rtol=1e-3)


def test_wavelets_have_no_mean():
  for scale in range(3):
    for angle in (0.0, 0.4, 2.0):
      assert abs(scattering.morlet((40, 48), scale, angle, 0.5).sum()) < 1e-12


def test_channels_are_scattered_one_by_one():
  images, layer = _noise(channels=2), Scattering(1, 2)
  both = layer(images).numpy()
  alone = Scattering(1, 2)(images[..., 1:]).numpy()
  np.testing.assert_allclose(both[..., 3:], alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [28, 8])
def test_a_size_that_does_not_fit_is_refused(size):
  with pytest.raises(ValueError, match=f"{size} x {size}.*multiples of 8, 16 at least"):
    Scattering(3)(_noise(1, size))


@pytest.mark.parametrize("name", ["scales", "angles"])
def test_less_than_one_is_refused(name):
  with pytest.raises(ValueError, match=f"{name} is 0"):
    Scattering(**{name: 0})


def test_a_saved_model_gives_the_same(tmp_path):
  images = tf.keras.Input([16, 16, 1])
  model = tf.keras.Model(images, Scattering(2, 4)(images))
  model.save(tmp_path / "model.keras")
  loaded = tf.keras.models.load_model(tmp_path / "model.keras")
  noise = _noise(2, 16)
  np.testing.assert_allclose(loaded(noise), model(noise), rtol=1e-5)
