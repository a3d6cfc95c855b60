"""The images to cluster, and the batches that the model eats.

A batch is a vector of image numbers: the model holds the images themselves,
since clustering needs all of them in every fine-tuning step. Batch i is a
function of (seed, i) alone.
"""

import dataclasses
import os
from collections.abc import Sequence

import gin
import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.datasets import catalog
from garden.datasets import images as images_lib
from garden.datasets import order


@gin.register(module="subspace")
@dataclasses.dataclass(frozen=True)
class Source:
  """Which images to cluster, and into how many groups.

  Attributes:
    dataset: a name (`digits`, `orl`, `coil20`, `coil100`, `extended_yale_b`,
      `mnist`), or the path of a folder of images, a `.mat` or a `.npz`.
    n_clusters: K.
    pixel_max: images are scaled to [0, pixel_max]; part of the method's
      constants, since its losses are sums (255 for the face sets, 1 for COIL).
    data_dir: where the real data lie; `$GARDEN_DATA_DIR` when None.
    image_size: (height, width) to which a user's images are resized; None for
      images that have one size.
    row_size: (height, width) of the flattened rows of a `.mat` or `.npz`; None
      for square ones.
    channels: 1 for grey, 3 for colour.
    image_key: name of the images in a `.mat` (`fea` when None) or a `.npz`
      (`images` when None).
    label_key: name of the labels (`gnd`, `labels` when None); '' for none.
    pixel_range: (low, high) of the pixels in a `.mat` or `.npz`; None declares
      0 to 255 for integers and 0 to 1 for floats.
    first_class: clusters only the images of `n_clusters` classes from this one
      on (Extended Yale B's windows of people); None for all images.
    per_class: at most so many images of each class, the first ones; None for
      all.
  """
  dataset: str = gin.REQUIRED
  n_clusters: int = gin.REQUIRED
  pixel_max: float = 1.0
  data_dir: str | None = None
  image_size: Sequence[int] | None = None
  row_size: Sequence[int] | None = None
  channels: int = 1
  image_key: str | None = None
  label_key: str | None = None
  pixel_range: Sequence[float] | None = None
  first_class: int | None = None
  per_class: int | None = None

  def load(self):
    """Reads the images.

    Returns:
      An `Images` whose pixels, `[N, h, w, c]` float32, are in [0, pixel_max].

    Raises:
      ValueError: K < 2, N < K, a setting out of range, or images that can't be clustered.
      FileNotFoundError: they aren't there.
    """
    if not isinstance(self.n_clusters, int) or self.n_clusters < 2:
      raise ValueError(f"n_clusters is {self.n_clusters!r}; clustering needs at "
                       "least 2 groups, a whole number")
    for name, least in (("first_class", 0), ("per_class", 1)):
      if getattr(self, name) is not None:
        checks.check_count(name, getattr(self, name), least)
    checks.check_positive("pixel_max", self.pixel_max)
    if catalog.is_name(self.dataset):
      images = catalog.load(self.dataset, self.data_dir)
    else:
      images = self._read()
    images = self._select(images)
    if len(images.pixels) < self.n_clusters:
      raise ValueError(
          f"{len(images.pixels)} images can't make {self.n_clusters} groups; "
          "give more images or a smaller n_clusters")
    return dataclasses.replace(
        images, pixels=images.pixels * np.float32(self.pixel_max))

  def _read(self):
    """The user's own images."""
    keys = dict(image_size=self.row_size, image_key=self.image_key,
                label_key=self.label_key, pixel_range=self.pixel_range)
    if os.path.isdir(self.dataset):
      keys = {}
    return images_lib.read(self.dataset, size=self.image_size,
                           channels=self.channels, **keys)

  def _select(self, images):
    """The images of the classes asked for."""
    if self.first_class is None and self.per_class is None:
      return images
    if images.labels is None:
      raise ValueError(f"{self.dataset} has no labels to choose classes by; "
                       "leave first_class and per_class out")
    first, count = self.first_class or 0, self.n_clusters
    n_classes = int(images.labels.max()) + 1
    if first + count > n_classes:
      raise ValueError(
          f"first_class {first} and n_clusters {count} ask for class "
          f"{first + count - 1}; {self.dataset} has 0 to {n_classes - 1}")
    chosen = np.flatnonzero(
        (images.labels >= first) & (images.labels < first + count))
    if self.per_class is not None:
      rank = np.zeros(len(images.labels), int)
      for label in range(first, first + count):
        members = np.flatnonzero(images.labels == label)
        rank[members] = np.arange(len(members))
      chosen = chosen[rank[chosen] < self.per_class]
    return dataclasses.replace(
        images, pixels=images.pixels[chosen],
        labels=images.labels[chosen] - first,
        class_names=tuple(images.class_names[first:first + count]),
        names=tuple(images.names[i] for i in chosen))


def shuffled(n_images, batch_size, seed):
  """Mini-batches that go through all images in a new order each time.

  Args:
    n_images: N.
    batch_size: images of a batch; N at most.
    seed: seed of the orders.

  Returns:
    A function: first step -> endless data set of `[batch_size]` int64, where
    the images of a step depend on (seed, step) alone.
  """
  batch_size = min(batch_size, n_images)

  def batch(step):
    return order.shuffled_positions(step, batch_size, n_images, seed)

  return lambda first: _at_once(tf.data.Dataset.range(
      first, np.iinfo(np.int64).max).map(batch))


def every_image(n_images):
  """The same batch at every step: all images, in order.

  A distribution strategy splits it, which gives each replica its rows of C Z.

  Args:
    n_images: N.

  Returns:
    A function: first step -> endless data set of `[N]` int64.
  """
  def batches(first):
    del first
    return _at_once(tf.data.Dataset.from_tensors(
        tf.range(n_images, dtype=tf.int64)).repeat())
  return batches


def _at_once(batches):
  """Leaves out the thread that tunes a data set's buffers.

  A few numbers a batch give it nothing to tune, and at the end of each `fit` it
  may be waited for: up to 2 seconds.
  """
  options = tf.data.Options()
  options.autotune.enabled = False
  return batches.with_options(options)
