"""Views of training towers: mirrored, other light, noise; every target moves along.

A mirror image of a tower is a tower that stands or falls as the first does: its masks and boxes
are mirrored, the offset across changes its sign, and yaw by the camera does too, so that
sin(4 yaw) changes its sign and cos(4 yaw) doesn't.
"""

import dataclasses
import math
import numbers

import tensorflow as tf

#: Signs of the pose targets in a mirror: across, depth, (cos, sin) of both blocks.
_MIRRORED_POSE = (-1.0, 1.0, 1.0, -1.0, 1.0, -1.0)
#: Signs of the light's numbers in a mirror: slope to the right, and what has no side.
_MIRRORED_LIGHT = (-1.0, 1.0, 1.0, 1.0)
_MOST_CLASSES = 6  # colours of blocks
#: Squares and clouds across an image, from coarse to fine.
_PATTERNS = ((14, "nearest"), (28, "nearest"), (11, "bilinear"), (42, "bilinear"))


@dataclasses.dataclass(frozen=True)
class Recipe:
  """What training sees of the towers; a room's own recipe adds what it minimises.

  Attributes:
    flip: mirror half of the images and of their targets.
    gain: images are multiplied by 1 +- gain.
    offset: +- offset is added to the channels.
    noise: standard deviation of the noise of training pixels.
    photometric: KerasCV's colour augmentations (hue, saturation, brightness, contrast) at this
      strength in [0, 1]; 0 for none.
    background: the same at this strength on what is no block, on top of it.
    repaint: strength of `repaint`, in [0, 1].
    texture: strength of `texture`, in [0, 1].
  """

  flip: bool = True
  gain: float = 0.15
  offset: float = 0.047
  noise: float = 0.008
  photometric: float = 0.0
  background: float = 0.0
  repaint: float = 0.0
  texture: float = 0.0

  def __post_init__(self):
    parts = ("photometric", "background", "repaint", "texture")
    for name in ("gain", "offset", "noise", *parts):
      value, most = getattr(self, name), 1.0 if name in parts else math.inf
      if (not isinstance(value, numbers.Real) or isinstance(value, bool)
          or not 0.0 <= value <= most):
        limit = " and at most 1" if name in parts else ""
        raise ValueError(f"{name} is {value!r}; it must be a number at least 0{limit}")


def flip(batch, flipped):
  """Mirrors some towers left to right.

  Args:
    batch: dict of `stream.batches`; absent keys are left out.
    flipped: `[b]` bool, which ones.

  Returns:
    The batch with `image`, `masks`, `ids`, `segments`, `boxes`, `poses` and `light` moved alike.
  """
  batch = dict(batch)

  def chosen(mirrored, plain):
    return tf.where(tf.reshape(flipped, [-1] + [1] * (plain.shape.rank - 1)), mirrored, plain)

  for name in ("image", "masks", "ids", "segments"):
    if name in batch:
      batch[name] = chosen(tf.reverse(batch[name], [2]), batch[name])
  if "boxes" in batch:
    y0, x0, y1, x1 = tf.unstack(batch["boxes"], axis=-1)
    # A place without a block has a box of zeros, which `present` keeps out of everything.
    batch["boxes"] = chosen(tf.stack([y0, 1.0 - x1, y1, 1.0 - x0], axis=-1), batch["boxes"])
  if "poses" in batch:
    batch["poses"] = chosen(batch["poses"] * tf.constant(_MIRRORED_POSE), batch["poses"])
  if "light" in batch:
    batch["light"] = chosen(batch["light"] * tf.constant(_MIRRORED_LIGHT), batch["light"])
  return batch


def light(images, seed, gain, offset):
  """Multiplies each image by 1 +- gain and adds +- offset to each of its channels.

  Args:
    images: `[b, h, w, 3]` float32 in [0, 1].
    seed: `[2]` int32.
    gain: in [0, 1).
    offset: in [0, 1).

  Returns:
    `[b, h, w, 3]` float32, not clipped.
  """
  fold = tf.random.experimental.stateless_fold_in
  n = tf.shape(images)[0]
  factor = tf.random.stateless_uniform([n, 1, 1, 1], fold(seed, 0), 1.0 - gain, 1.0 + gain)
  shift = tf.random.stateless_uniform([n, 1, 1, 3], fold(seed, 1), -offset, offset)
  return images * factor + shift


def repaint(images, segments, seed, strength=1.0):
  """Multiplies the background, and each block, by a gain a channel: other paint, other light.

  At strength 1 channels of the background are multiplied by .3 to 1.5, blocks by .4 to 1.4 and
  their channels by .75 to 1.25 on top of it.

  Args:
    images: `[b, h, w, 3]` float32 in [0, 1].
    segments: `[b, h, w]` int, colour classes, 0 background.
    seed: `[2]` int32.
    strength: in [0, 1]; 0 leaves the images as they are.

  Returns:
    `[b, h, w, 3]` float32, not clipped.

  Example:
    repaint(images, segments, tf.constant([0, 1]))
  """
  fold = tf.random.experimental.stateless_fold_in
  n = tf.shape(images)[0]

  def gain(number, shape, less, more):
    return tf.random.stateless_uniform([n, *shape], fold(seed, number), 1.0 - less * strength,
                                       1.0 + more * strength)

  background = gain(0, (1, 3), 0.7, 0.5)
  blocks = gain(1, (_MOST_CLASSES, 1), 0.6, 0.4) * gain(2, (_MOST_CLASSES, 3), 0.25, 0.25)
  return images * tf.gather(tf.concat([background, blocks], axis=1), segments, batch_dims=1)


def texture(images, segments, seed, strength=1.0):
  """Multiplies images by patterns of squares and of clouds: floors and blocks that aren't plain.

  Each colour class, background included, has a pattern of a scale, place and strength of its own,
  which ends at its edges.

  Args:
    images: `[b, h, w, 3]` float32 in [0, 1].
    segments: `[b, h, w]` int, colour classes, 0 background.
    seed: `[2]` int32.
    strength: in [0, 1]; at 1 a pixel is multiplied by .5 to 1.5 at the most.

  Returns:
    `[b, h, w, 3]` float32, not clipped.

  Example:
    texture(images, segments, tf.constant([0, 1]))
  """
  fold = tf.random.experimental.stateless_fold_in
  n, size = tf.shape(images)[0], tf.shape(images)[1:3]
  kinds = []
  for number, (side, method) in enumerate(_PATTERNS):
    grid = tf.random.stateless_uniform([n, side, side, 1], fold(seed, number), -1.0, 1.0)
    kinds.append(tf.image.resize(grid, size, method=method)[..., 0])
  # Which pattern a class has, and how strong it is; squared: most are weak.
  chosen = tf.random.stateless_uniform([n, _MOST_CLASSES + 1], fold(seed, 10), 0, len(_PATTERNS),
                                       tf.int32)
  power = 0.5 * strength * tf.square(
      tf.random.stateless_uniform([n, _MOST_CLASSES + 1], fold(seed, 11)))
  hot = tf.one_hot(chosen, len(_PATTERNS)) * power[..., tf.newaxis]
  weights = tf.gather(hot, segments, batch_dims=1)  # [b, h, w, patterns]
  return images * (1.0 + tf.reduce_sum(weights * tf.stack(kinds, axis=-1), axis=-1, keepdims=True))


def augment(batch, seed, recipe):
  """The view of a batch that a training step sees.

  Args:
    batch: dict of `stream.batches`.
    seed: `[2]` int32, of this step.
    recipe: `Recipe`.

  Returns:
    The batch, its images in [0, 1].
  """
  fold = tf.random.experimental.stateless_fold_in
  if recipe.flip:
    count = tf.shape(batch["image"])[0]
    batch = flip(batch, tf.random.stateless_uniform([count], fold(seed, 0)) < 0.5)
  images = light(batch["image"], fold(seed, 1), recipe.gain, recipe.offset)
  if recipe.repaint:
    images = repaint(images, batch["segments"], fold(seed, 5), recipe.repaint)
  if recipe.texture:
    images = texture(images, batch["segments"], fold(seed, 8), recipe.texture)
  if recipe.noise:
    images += recipe.noise * tf.random.stateless_normal(tf.shape(images), fold(seed, 2))
  return {**batch, "image": tf.clip_by_value(images, 0.0, 1.0)}


class Photometric(tf.Module):
  """KerasCV's colour augmentations: hue, saturation, brightness, contrast.

  KerasCV draws an image's factor from an unsaved state of TensorFlow's. Here the factors are
  drawn from the step's seed, and the layers' own generators (a sign) are in the checkpoint, so
  that a resumed run sees the views of the unbroken one.

  Args:
    strength: in (0, 1]; 1 leaves little of the colours as they were.
    seed: of the layers' generators.

  Example:
    images = Photometric(0.5)(images, seed=tf.constant([0, 1]))  # [b, h, w, 3] in [0, 1]
  """

  def __init__(self, strength, seed=0):
    super().__init__()
    import contextlib
    import io
    with contextlib.redirect_stdout(io.StringIO()):  # KerasCV says which Keras it found
      import keras_cv
    layers, span = keras_cv.layers, (0, 255)
    # A hue factor of 1 is half a turn. Classes are colours, and red and yellow are .13 of a turn
    # apart: from strength .26 on one may become the other.
    self._factors = [_factor(keras_cv, low, high) for low, high in (
        (0.0, 0.5 * strength), (0.5 - 0.4 * strength, 0.5 + 0.3 * strength),
        (-0.4 * strength, 0.4 * strength), (1.0 - 0.6 * strength, 1.0 + 0.6 * strength))]
    hue, saturation, brightness, contrast = self._factors
    first = 4 * seed + 1  # KerasCV takes seed 0 for none, and then a generator that all share
    self.layers = [
        layers.RandomHue(hue, value_range=span, seed=first),
        layers.RandomSaturation(saturation, seed=first + 1),
        layers.RandomBrightness(brightness, value_range=span, seed=first + 2),
        layers.RandomContrast(value_range=span, factor=0.6 * strength, seed=first + 3)]
    self.layers[3].factor = contrast  # its constructor takes numbers alone

  def __call__(self, images, seed):
    """Images `[b, h, w, 3]` in [0, 1] -> the same shape and range; seed `[2]` int32."""
    for number, (layer, factor) in enumerate(zip(self.layers, self._factors)):
      factor.seed = tf.random.experimental.stateless_fold_in(seed, number)
      images = layer(255.0 * images, training=True) / 255.0
    return tf.clip_by_value(images, 0.0, 1.0)


def _factor(keras_cv, low, high):
  """A KerasCV factor that is uniform in [low, high] and a function of its `seed`."""
  class SeededFactor(keras_cv.core.FactorSampler):
    seed = None

    def __call__(self, shape=(), dtype="float32"):
      return tf.random.stateless_uniform(shape, self.seed, low, high, dtype)

    def get_config(self):
      return {}

  return SeededFactor()


class Views(tf.Module):
  """The views of a recipe: `augment`, and KerasCV's colours on all of it or on the background.

  Args:
    recipe: `Recipe`.
    seed: of the KerasCV layers' generators.

  Example:
    batch = Views(Recipe(photometric=0.25))(batch, seed=tf.constant([0, 1]))
  """

  def __init__(self, recipe, seed=0):
    super().__init__()
    self.recipe = recipe
    self.all = Photometric(recipe.photometric, seed) if recipe.photometric else None
    self.background = Photometric(recipe.background, seed + 1) if recipe.background else None

  def __call__(self, batch, seed):
    """A batch of `stream.batches` -> the batch with its view; seed `[2]` int32, of the step."""
    fold = tf.random.experimental.stateless_fold_in
    batch = augment(batch, seed, self.recipe)
    if self.all is not None:
      batch["image"] = self.all(batch["image"], fold(seed, 4))
    if self.background is not None:
      batch["image"] = tf.where(batch["segments"][..., tf.newaxis] > 0, batch["image"],
                                self.background(batch["image"], fold(seed, 6)))
    return batch
