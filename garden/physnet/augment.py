"""Views of training towers: mirrored, other light, noise; every target moves along.

A mirror image of a tower is a tower that stands or falls as the first does: its masks and boxes
are mirrored, the offset across changes its sign, and yaw by the camera does too, so that
sin(4 yaw) changes its sign and cos(4 yaw) doesn't.
"""

import tensorflow as tf

#: Signs of the pose targets in a mirror: across, depth, (cos, sin) of both blocks.
_MIRRORED_POSE = (-1.0, 1.0, 1.0, -1.0, 1.0, -1.0)


def flip(batch, flipped):
  """Mirrors some towers left to right.

  Args:
    batch: dict of `data.batches`; absent keys are left out.
    flipped: `[b]` bool, which ones.

  Returns:
    The batch with `image`, `masks`, `ids`, `segments`, `boxes` and `poses` moved alike.
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


def augment(batch, seed, recipe):
  """The view of a batch that a training step sees.

  Args:
    batch: dict of `data.batches`.
    seed: `[2]` int32, of this step.
    recipe: `settings.Recipe`.

  Returns:
    The batch, its images in [0, 1].
  """
  fold = tf.random.experimental.stateless_fold_in
  if recipe.flip:
    count = tf.shape(batch["image"])[0]
    batch = flip(batch, tf.random.stateless_uniform([count], fold(seed, 0)) < 0.5)
  images = light(batch["image"], fold(seed, 1), recipe.gain, recipe.offset)
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


def photometric(strength, seed=0):
  """`Photometric`, or None at strength 0."""
  return Photometric(strength, seed) if strength else None
