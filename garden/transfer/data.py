"""The three streams: labelled source, few labelled and many unlabelled target images.

Arrays first (`Streams.load`), then batches of them (`source_batches`,
`adapt_batches`), each a function of (seed, step) alone.
"""

import dataclasses
import numbers
import os
from collections.abc import Sequence

import gin
import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.core import strategies
from garden.datasets import catalog
from garden.datasets import images as images_lib
from garden.datasets import order

LABEL_SETS = ("disjoint", "shared", "any")


@gin.register(module="transfer")
@dataclasses.dataclass(frozen=True)
class Domain:
  """Images of one domain, and the form in which they enter the networks.

  Attributes:
    dataset: a name of `garden.datasets.catalog` (`svhn`, `mnist_train`, `mnist`,
      `digits`, `street_digits`, `tfds:NAME:SPLIT`), or the path of a folder of
      images, a `.npz` or a `.mat`.
    classes: names of the classes to take, in the order of their labels; None for
      all.
    image_size: (height, width) to which images are resized; None for as they are.
    padding: black pixels added on each side, after resizing.
    channels: 1 (RGB is turned to grey) or 3.
    part: (first, last) share of the images in their order, a contiguous block:
      neighbours that show one thing stay together.
    data_dir: where the real data lie; `$GARDEN_DATA_DIR` when None.
    pixel_range: (low, high) of the pixels in a file; None declares 0 to 255 for
      integers and 0 to 1 for floats.
    image_key: name of the images in a `.npz` or `.mat`; None is the format's usual.
    label_key: likewise of the labels; "" for a file without them.
  """
  dataset: str = gin.REQUIRED
  classes: Sequence[str] | None = None
  image_size: Sequence[int] | None = None
  padding: int = 0
  channels: int = 1
  part: Sequence[float] = (0.0, 1.0)
  data_dir: str | None = None
  pixel_range: Sequence[float] | None = None
  image_key: str | None = None
  label_key: str | None = None

  def load(self):
    """Reads the images.

    Returns:
      An `Images`: pixels `[N, h, w, c]` float32 in [0, 1], labels 0 .. K - 1.

    Raises:
      ValueError: a setting out of range, a class that isn't there, a part without
        an image, or images that can't be read.
    """
    self._check()
    first, last = self.part
    if catalog.is_name(self.dataset):
      images = catalog.load(self.dataset, self.data_dir)
    else:
      images = images_lib.read(self.dataset, size=self.image_size, channels=self.channels,
                               pixel_range=self.pixel_range, allow_constant=True,
                               image_key=self.image_key, label_key=self.label_key)
    if self.classes is not None:
      images = self._choose(images)
    count = len(images)
    images = images.take(slice(int(first * count), int(last * count)))
    if not len(images):
      raise ValueError(f"part {tuple(self.part)} of the {count} images of {self.dataset} holds "
                       "none; make it larger")
    return dataclasses.replace(images, pixels=self._shape(images.pixels))

  def _check(self):
    """Refuses settings out of range before anything is read."""
    checks.check_count("padding", self.padding, 0)
    if self.channels not in (1, 3):
      raise ValueError(f"channels is {self.channels!r}; it must be 1 or 3")
    if not (_is_pair(self.part, numbers.Real) and 0 <= self.part[0] < self.part[1] <= 1):
      raise ValueError(f"part is {self.part!r}; it must be (first, last) with 0 <= first < last "
                       "<= 1")
    size = self.image_size
    if size is not None and not (_is_pair(size, numbers.Integral) and min(size) >= 1):
      raise ValueError(f"image_size is {size!r}; it must be (height, width), whole numbers of at "
                       "least 1")

  def _choose(self, images):
    """The images of the classes asked for, relabelled in that order."""
    wanted = [str(name) for name in self.classes]
    unknown = [name for name in wanted if name not in images.class_names]
    if unknown or len(set(wanted)) < len(wanted) or not wanted:
      raise ValueError(f"classes are {wanted}; {self.dataset} has "
                       f"{', '.join(images.class_names) or 'no labels'}; name each once")
    place = np.full(images.num_classes, -1, np.int64)
    for label, name in enumerate(wanted):
      place[images.class_names.index(name)] = label
    labels = place[images.labels]
    chosen = np.flatnonzero(labels >= 0)
    return images_lib.Images(images.pixels[chosen], labels[chosen], tuple(wanted),
                             tuple(images.names[i] for i in chosen))

  def _shape(self, pixels):
    """Grey or colour, size, border."""
    if pixels.shape[-1] == 3 and self.channels == 1:
      pixels = pixels @ np.array([[0.2989], [0.5870], [0.1140]], np.float32)
    elif pixels.shape[-1] != self.channels:
      pixels = np.repeat(pixels, self.channels, axis=-1)
    if self.image_size is not None and pixels.shape[1:3] != tuple(self.image_size):
      pixels = np.clip(tf.image.resize(
          pixels, self.image_size, "bicubic", antialias=True).numpy(), 0, 1)
    border = (self.padding, self.padding)
    return np.pad(pixels, ((0, 0), border, border, (0, 0)))


def _is_pair(value, kind):
  """Whether `value` is two numbers of a kind."""
  return (isinstance(value, Sequence) and len(value) == 2
          and all(isinstance(x, kind) for x in value))


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """What a run is trained and measured on; each field an `Images` or None.

  Attributes:
    source: labelled source images.
    source_test: labelled source images that training doesn't see.
    labeled: the few labelled target images, sorted by class.
    unlabeled: the unlabelled target images; their labels, if known, are only drawn.
    test: labelled target images that training doesn't see.
  """
  source: images_lib.Images
  source_test: images_lib.Images | None
  labeled: images_lib.Images
  unlabeled: images_lib.Images
  test: images_lib.Images | None


@gin.register(module="transfer")
@dataclasses.dataclass(frozen=True)
class Streams:
  """Where the three streams come from.

  Attributes:
    source: `Domain` of the labelled source.
    target: `Domain` of the target, whose labelled images are drawn from it.
    source_test: `Domain` to measure the source's network on; None for none.
    unlabeled: `Domain` of the unlabelled target images; None takes the target's
      images that aren't drawn as labelled. Its labels are kept for the report where
      its classes are the target's.
    test: `Domain` to measure the target's network on; None for none.
    per_class: k, labelled target images of each class; None for all.
    label_sets: "disjoint": source and target share no class; "shared": they have
      the same classes; "any" checks nothing.
    subset_seed: seed of the draw of the labelled images.
    max_unlabeled: at most so many unlabelled images, evenly spread; None for all.
  """
  source: Domain = gin.REQUIRED
  target: Domain = gin.REQUIRED
  source_test: Domain | None = None
  unlabeled: Domain | None = None
  test: Domain | None = None
  per_class: int | None = None
  label_sets: str = "disjoint"
  subset_seed: int = 0
  max_unlabeled: int | None = None

  def load(self):
    """Reads, draws and checks.

    Returns:
      A `Split`.

    Raises:
      ValueError: label sets that aren't what was declared, k above the size of a
        class, a class without a labelled image, no unlabelled image, streams of
        different image sizes; and those of `Domain.load`.
    """
    if self.label_sets not in LABEL_SETS:
      raise ValueError(f"label_sets is {self.label_sets!r}; it must be one of "
                       f"{', '.join(LABEL_SETS)}")
    source, target = self.source.load(), self.target.load()
    for name, images in (("source", source), ("target", target)):
      _check_labels(name, images)
    _check_label_sets(source.class_names, target.class_names, self.label_sets)
    labeled, rest = draw(target.labels, target.class_names, self.per_class, self.subset_seed)
    if self.unlabeled is not None:
      unlabeled = self.unlabeled.load()
      if unlabeled.class_names != target.class_names:
        # Sub-folders of unlabelled images may be anything, like videos.
        unlabeled = dataclasses.replace(unlabeled, labels=None, class_names=())
    else:
      if not rest.size:
        raise ValueError("there is no unlabelled target image: all of the target's are drawn as "
                         "labelled; set per_class, or give unlabeled")
      unlabeled = target.take(rest)
    if self.max_unlabeled is not None:
      checks.check_count("max_unlabeled", self.max_unlabeled, 1)
      unlabeled = unlabeled.take(order.evenly(len(unlabeled), self.max_unlabeled))
    split = Split(source, self.source_test and self.source_test.load(), target.take(labeled),
                  unlabeled, self.test and self.test.load())
    for name in ("source_test", "labeled", "unlabeled", "test"):
      images = getattr(split, name)
      if images is not None and images.pixels.shape[1:] != source.pixels.shape[1:]:
        raise ValueError(
            f"the images of {name} have the shape {images.pixels.shape[1:]} but the source's "
            f"{source.pixels.shape[1:]}; set image_size, padding and channels of their Domain")
    for name, images, names in (("source_test", split.source_test, source.class_names),
                                ("test", split.test, target.class_names)):
      if images is not None and images.class_names != names:
        raise ValueError(f"{name} has the classes {', '.join(images.class_names) or 'none'} but "
                         f"training has {', '.join(names)}; set classes of their Domain")
    return split


def _check_labels(name, images):
  if images.labels is None:
    raise ValueError(f"the {name} has no labels; put the images of each class into a folder of "
                     "its own")
  if images.num_classes < 2:
    raise ValueError(f"the {name} has {images.num_classes} class; at least 2 are needed")
  counts = np.bincount(images.labels, minlength=images.num_classes)
  if not counts.all():
    empty = images.class_names[int(np.argmin(counts))]
    raise ValueError(f"class {empty!r} of the {name} has no labelled image; each needs one")


def _check_label_sets(source, target, declared):
  common = [name for name in target if name in source]
  if declared == "disjoint" and common:
    raise ValueError(f"classes {', '.join(common)} are in the source and in the target, but "
                     "label_sets is 'disjoint'; choose classes, or declare 'shared' or 'any'")
  if declared == "shared" and set(source) != set(target):
    raise ValueError(f"the source has the classes {', '.join(source)} and the target "
                     f"{', '.join(target)}, but label_sets is 'shared'; choose classes, or "
                     "declare 'disjoint' or 'any'")


def draw(labels, class_names, per_class, seed):
  """Draws the labelled images of each class.

  Args:
    labels: `[N]` int.
    class_names: K names.
    per_class: k; None for all.
    seed: seed of the draw.

  Returns:
    `(drawn [K k] positions sorted by class, the other positions)`.

  Raises:
    ValueError: k above the size of a class.

  Example:
    >>> drawn, rest = draw(np.array([0, 1, 0, 1]), ("a", "b"), 1, seed=0)
    >>> len(drawn), len(rest)
    (2, 2)
  """
  rng = np.random.default_rng(1000 + seed)
  drawn = []
  if per_class is not None:
    checks.check_count("per_class", per_class, 1)
  for label, name in enumerate(class_names):
    members = np.flatnonzero(labels == label)
    count = len(members) if per_class is None else per_class
    if count > len(members):
      raise ValueError(f"per_class is {per_class} but class {name!r} has {len(members)} images; "
                       "ask for fewer")
    drawn.append(np.sort(rng.choice(members, count, replace=False))
                 if per_class is not None else members)
  drawn = np.concatenate(drawn)
  return drawn, np.setdiff1d(np.arange(len(labels)), drawn)


def source_batches(split, batch_size, seed):
  """Batches for the stage on the source.

  Args:
    split: the `Split`.
    batch_size: images of a batch.
    seed: seed of the order.

  Returns:
    A function: first step -> data set of `{"source": (images, labels)}`.
  """
  take = _shuffled(split.source, batch_size, seed)
  return _stream(lambda step: {"source": take(step)}, split=("source",))


def episode_batches(split, per_class, seed):
  """Batches of episodes: `per_class` source images of each class, sorted by class.

  Args:
    split: the `Split`.
    per_class: support and query images a class.
    seed: seed of the order.

  Returns:
    A function: first step -> data set of `{"source": (images, labels)}`.

  Raises:
    ValueError: a class with fewer images.
  """
  members = [np.flatnonzero(split.source.labels == k)
             for k in range(split.source.num_classes)]
  for rows, name in zip(members, split.source.class_names):
    if len(rows) < per_class:
      raise ValueError(f"an episode needs {per_class} images a class, but class {name!r} of the "
                       f"source has {len(rows)}; ask for fewer shots or queries")
  pixels, labels = tf.constant(split.source.pixels), tf.constant(split.source.labels)

  def batch(step):
    rows = tf.concat([
        tf.gather(tf.constant(own), order.shuffled_positions(step, per_class, len(own), seed + k))
        for k, own in enumerate(members)], axis=0)
    return {"source": (tf.gather(pixels, rows), tf.gather(labels, rows))}

  return _stream(batch, split=())


def adapt_batches(split, source_batch_size, unlabeled_batch_size, seed):
  """Batches of the three streams; the labelled target images are whole in each.

  Args:
    split: the `Split`.
    source_batch_size: source images of a batch.
    unlabeled_batch_size: unlabelled target images of a batch.
    seed: seed of the orders.

  Returns:
    A function: first step -> data set of the dict that `SourceTargetModel` names.
  """
  source = _shuffled(split.source, source_batch_size, seed)
  unlabeled = _shuffled(split.unlabeled, unlabeled_batch_size, seed + 1)
  labeled = tf.constant(split.labeled.pixels), tf.constant(split.labeled.labels)
  return _stream(
      lambda step: {"source": source(step), "target_labeled": labeled,
                    "target_unlabeled": unlabeled(step)[0]},
      split=("source", "target_unlabeled"))


def _shuffled(images, batch_size, seed):
  """Maps a step to `(pixels, labels)` of a shuffled batch; no more than there are."""
  checks.check_count("batch size", batch_size, 1)
  count = len(images)
  pixels = tf.constant(images.pixels)
  labels = tf.constant(np.zeros(count, np.int64) if images.labels is None else images.labels)
  size = min(batch_size, count)

  def take(step):
    rows = order.shuffled_positions(step, size, count, seed)
    return tf.gather(pixels, rows), tf.gather(labels, rows)
  return take


def _stream(batch, split):
  """Makes `batch(step)` a data set from a step on, dealt to the replicas.

  Keras would cut every part of a batch alike; here each replica gets its share of
  the parts named in `split` and all of the others.
  """
  def batches(first):
    data = tf.data.Dataset.range(first, np.iinfo(np.int64).max).map(
        batch, num_parallel_calls=1, deterministic=True)
    strategy = tf.distribute.get_strategy()
    _check_divisible(data.element_spec, split, strategy.num_replicas_in_sync)
    return strategies.deal(data.prefetch(2), strategy, whole=set(data.element_spec) - set(split))
  return batches


def _check_divisible(spec, split, replicas):
  for name in split:
    size = tf.nest.flatten(spec[name])[0].shape[0]
    if size % replicas:
      raise ValueError(f"the {name} batch holds {size} images, which {replicas} replicas can't "
                       f"share evenly; make it a multiple of {replicas}")


def video_names(names):
  """The video that each frame belongs to: the folder that it lies in.

  Args:
    names: paths of frames, like `jump/clip3/007.png`.

  Returns:
    List of folders.

  Raises:
    ValueError: a frame that lies in no folder.
  """
  folders = [os.path.dirname(name) for name in names]
  if not all(folders):
    raise ValueError(f"frame {names[folders.index('')]!r} lies in no folder; video accuracy "
                     "needs a folder for each video")
  return folders
