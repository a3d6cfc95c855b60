"""Features of images for clustering: scattering, each map alike, in its leading directions.

    s = scattering of an image;  s_m / (root mean square of map m);  P^T s;  to length 1

P spans the leading directions of the second moment, through the origin since subspaces are. The
maps of order 2 are a tenth as large as those of order 0, and tell digits apart better.

You, Li, Robinson, Vidal (EnSC, CVPR 2016) cluster MNIST so, with 3472 coefficients in 500
directions; they don't bring the maps to one size.
"""

import dataclasses

import gin
import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.datasets import order
from garden.subspace.scattering import Scattering

_BLOCK = 200  # images scattered at once: 150 MB


@gin.register(module="subspace")
@dataclasses.dataclass(frozen=True)
class ScatteringFeatures:
  """How features are made; nothing of it is learnt with labels.

  Attributes:
    scales: J of the scattering.
    angles: L of the scattering.
    directions: of the second moment that are kept, at most.
    moment_images: images that its moment is of, evenly chosen.
  """
  scales: int = 3
  angles: int = 8
  directions: int = 500
  moment_images: int = 10000

  def __post_init__(self):
    for name in ("scales", "angles", "directions", "moment_images"):
      checks.check_count(f"ScatteringFeatures.{name}", getattr(self, name), 1)

  def fit(self, images):
    """The `FeatureMap` for `[N, h, w, c]` float32 images.

    Raises:
      ValueError: there are fewer images than 2, or all are black.
    """
    if len(images) < 2:
      raise ValueError(f"{len(images)} image has no directions; give 2 or more")
    scatter = tf.keras.Sequential([Centered(2 ** self.scales),
                                   Scattering(self.scales, self.angles)])
    chosen = order.evenly(len(images), self.moment_images)
    moment = 0.0
    for first in range(0, len(chosen), _BLOCK):
      maps = scatter(images[chosen[first:first + _BLOCK]]).numpy()
      flat = maps.reshape(len(maps), -1)
      moment = moment + flat.T @ flat / np.float32(len(chosen))
    # Coefficients are of one map where they differ in place alone.
    channels = maps.shape[-1]
    size = np.sqrt(moment.diagonal().reshape(-1, channels).mean(axis=0))
    if not size.max() > 0:
      raise ValueError("all images are black: there is nothing to cluster")
    # A map that is empty on all images stays empty.
    weight = np.tile(np.where(size > 1e-6 * size.max(), 1.0 / np.maximum(size, 1e-30), 0.0),
                     len(moment) // channels)
    _, axes = np.linalg.eigh(moment.astype(np.float64) * np.outer(weight, weight))
    leading = axes[:, ::-1][:, :self.directions]
    return FeatureMap(scatter, weight[:, np.newaxis] * leading)


@tf.keras.utils.register_keras_serializable(package="garden")
class Centered(tf.keras.layers.Layer):
  """Black around images, so that a number divides both sides: `[n, h, w, c]` -> `[n, h', w', c]`.

  Args:
    multiple: what h' and w' are multiples of; 2 of them at least.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    Centered(8)(tf.zeros([1, 28, 28, 1]))  # [1, 32, 32, 1]
  """

  def __init__(self, multiple, **kwargs):
    super().__init__(**kwargs)
    checks.check_count("multiple", multiple, 1)
    self.multiple = multiple

  def call(self, images):
    """`[n, h, w, c]` -> `[n, h', w', c]`."""
    height, width = (max(-(-side // self.multiple), 2) * self.multiple
                     for side in images.shape[1:3])
    return tf.image.resize_with_crop_or_pad(images, height, width)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "multiple": self.multiple}


class FeatureMap(tf.Module):
  """Images `[n, h, w, c]` -> features `[n, d]` float32 of length 1.

  Args:
    scatter: Keras model, images -> `[n, h', w', maps]`.
    projection: `[h' w' maps, d]`.
  """

  def __init__(self, scatter, projection):
    super().__init__()
    self.scatter = scatter
    self.projection = tf.Variable(projection, trainable=False, dtype=tf.float32, name="projection")

  def __call__(self, images):
    """`[n, h, w, c]` -> `[n, d]`."""
    maps = self.scatter(images)
    flat = tf.reshape(maps, [-1, self.projection.shape[0]])
    return tf.math.l2_normalize(tf.matmul(flat, self.projection), axis=1, epsilon=1e-12)

  def of_all(self, images):
    """Features of many images, a block at a time, `[N, d]` float32 on the host."""
    features = np.empty((len(images), self.projection.shape[1]), np.float32)
    made = tf.function(self.__call__)
    for first in range(0, len(images), _BLOCK):
      features[first:first + _BLOCK] = made(tf.constant(images[first:first + _BLOCK]))
    return features
