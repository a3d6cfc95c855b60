"""Wavelet scattering: features of small images that no data were needed to learn.

Bruna and Mallat, *Invariant Scattering Convolution Networks*, PAMI 2013. With Morlet
wavelets psi of 2^j pixels turned by L angles, and a Gaussian phi of 2^J pixels,

    S0 = x * phi        S1 = |x * psi_1| * phi        S2 = ||x * psi_1| * psi_2| * phi,   j_1 < j_2

sampled every 2^J pixels: stable under shifts and small deformations, which leaves images of one
digit near a subspace of few dimensions.

All convolutions are products of discrete Fourier transforms. After the modulus a signal of scale j
is smooth at 2^j pixels and is kept at every 2^j-th alone, which is a mean of its spectrum's
aliases. The image is padded by its mirror, 2^J pixels on each side, which are cut off again.
"""

import numpy as np
import tensorflow as tf

from garden.core import checks

# Of the mother wavelet: Gaussian of .8 pixels, frequency 3/4 pi, as wide across as 4 / L of along.
_SIGMA = 0.8
_FREQUENCY = 0.75 * np.pi


@tf.keras.utils.register_keras_serializable(package="garden")
class Scattering(tf.keras.layers.Layer):
  """`[n, h, w, c]` images -> `[n, h / 2^J, w / 2^J, c (1 + J L + L^2 J (J - 1) / 2)]` coefficients.

  Has no weights. Coefficients are >= 0 but for those of order 0 of negative pixels; the channels
  of an image follow each other, of each channel first order 0, then 1, then 2.

  Args:
    scales: J >= 1; 2^J must divide the height and the width.
    angles: L >= 1, of the half circle.
    **kwargs: of `tf.keras.layers.Layer`.

  Raises:
    ValueError: scales or angles below 1; images whose size 2^J doesn't divide, or that are
      smaller than two of its steps.

  Example:
    >>> images = tf.keras.Input([32, 32, 1])
    >>> maps = Scattering(scales=3, angles=8)(images)
    >>> tf.keras.Model(images, maps).output_shape
    (None, 4, 4, 217)
  """

  def __init__(self, scales=3, angles=8, **kwargs):
    super().__init__(**kwargs)
    checks.check_count("scales", scales, 1)
    checks.check_count("angles", angles, 1)
    self.scales = scales
    self.angles = angles
    self._lows = self._bands = None

  def build(self, shape):
    """Computes the filters' spectra for this size of images."""
    height, width = shape[1:3]
    step = 2 ** self.scales
    if height is None or width is None or height % step or width % step or (
        min(height, width) < 2 * step):
      raise ValueError(
          f"images are {height} x {width}; with {self.scales} scales both sides must be multiples "
          f"of {step}, {2 * step} at least: pad them, or take fewer scales")
    size = height + 2 * step, width + 2 * step
    low = _spectrum(_gabor(size, _SIGMA * 2 ** (self.scales - 1), 0.0, 0.0, 1.0))
    bands = np.stack([
        np.stack([_spectrum(morlet(size, scale, np.pi * angle / self.angles, 4 / self.angles))
                  for angle in range(self.angles)])
        for scale in range(self.scales)])
    # [resolution] and [resolution][scale]: at resolution r every 2^r-th pixel is kept.
    self._lows = [_complex(_aliased(low, 2 ** r)) for r in range(self.scales)]
    self._bands = [[_complex(_aliased(bands[j], 2 ** r)) for j in range(self.scales)]
                   for r in range(self.scales)]
    super().build(shape)

  def call(self, images):
    """`[n, h, w, c]` -> coefficients `[n, h / 2^J, w / 2^J, channels]`."""
    step = 2 ** self.scales
    images = tf.cast(images, tf.float32)
    padded = tf.pad(images, [[0, 0], [step, step], [step, step], [0, 0]], "REFLECT")
    image = _transform(tf.transpose(padded, [0, 3, 1, 2])[:, :, None])  # [n, c, 1, h, w]
    orders = [[self._smooth(image, 0)], [], []]
    for first in range(self.scales):
      waves = self._filter(image, first, 0)
      orders[1].append(self._smooth(waves, first))
      for second in range(first + 1, self.scales):
        orders[2].append(self._smooth(self._filter(waves, second, first), second))
    maps = tf.concat(sum(orders, []), axis=2)
    maps = maps[..., 1:-1, 1:-1]  # the padding, one step a side
    shape = tf.shape(maps)
    channels = maps.shape[1] * maps.shape[2]
    maps = tf.reshape(maps, [shape[0], channels, *maps.shape[3:]])
    return tf.cast(tf.transpose(maps, [0, 2, 3, 1]), self.compute_dtype)

  def _filter(self, spectra, scale, resolution):
    """Spectra `[n, c, m, h, w]` -> those of their moduli at `scale`, `[n, c, m L, h', w']`."""
    bands = spectra[:, :, :, None] * self._bands[resolution][scale]
    shape = bands.shape
    bands = tf.reshape(bands, [-1, shape[1], shape[2] * shape[3], *shape[4:]])
    fewer = _subsampled(bands, 2 ** (scale - resolution))
    return _transform(tf.abs(tf.signal.ifft2d(fewer)))

  def _smooth(self, spectra, resolution):
    """Spectra `[n, c, m, h, w]` -> their signals at 2^J pixels, real."""
    low = _subsampled(spectra * self._lows[resolution], 2 ** (self.scales - resolution))
    return tf.math.real(tf.signal.ifft2d(low))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "scales": self.scales, "angles": self.angles}


def morlet(size, scale, angle, slant):
  """A Morlet wavelet: a wave under a Gaussian, with a mean of exactly 0.

  Args:
    size: (height, width) of the torus it lives on.
    scale: j >= 0; its width and its wave's length grow with 2^j.
    angle: of the wave, in radians.
    slant: width along the wave to width across it.

  Returns:
    Complex array of `size`, centred on pixel (0, 0).
  """
  shape = size, _SIGMA * 2 ** scale, angle
  wave = _gabor(*shape, _FREQUENCY / 2 ** scale, slant)
  bump = _gabor(*shape, 0.0, slant)
  return wave - wave.sum() / bump.sum() * bump


def _gabor(size, sigma, angle, frequency, slant):
  """A wave under a Gaussian of integral 1, wrapped around the torus."""
  height, width = size
  result = np.zeros(size, complex)
  for turn_y in range(-2, 3):
    for turn_x in range(-2, 3):
      y, x = np.mgrid[turn_y * height:(turn_y + 1) * height, turn_x * width:(turn_x + 1) * width]
      along = y * np.cos(angle) + x * np.sin(angle)
      across = -y * np.sin(angle) + x * np.cos(angle)
      result += np.exp(-(along ** 2 + (slant * across) ** 2) / (2 * sigma ** 2)
                       + 1j * frequency * along)
  return result * slant / (2 * np.pi * sigma ** 2)


def _spectrum(kernel):
  """Fourier transform of a kernel whose transform is real."""
  return np.fft.fft2(kernel).real


def _aliased(spectra, step):
  """Spectra of kernels for signals kept at every `step`-th pixel."""
  *front, height, width = spectra.shape
  folds = spectra.reshape(*front, step, height // step, step, width // step)
  return folds.sum(axis=(-4, -2))


def _subsampled(spectra, step):
  """Spectra of signals `[a, b, m, h, w]` of which every `step`-th pixel is kept."""
  if step == 1:
    return spectra
  _, b, m, height, width = spectra.shape
  folds = tf.reshape(spectra, [-1, b, m, step, height // step, step, width // step])
  return tf.reduce_mean(folds, axis=[3, 5])


def _transform(signals):
  return tf.signal.fft2d(tf.cast(signals, tf.complex64))


def _complex(array):
  return tf.constant(array, tf.complex64)
