"""Batches of faces: real ones to be like, simulated ones to refine.

    {"real": {"image", "identity"}, "simulated": {"image", "identity", "mask", "visible"}}

Half of the simulated images are of the people that the real ones are of, with their labels; half
are of new people, whose label is -1: those are what the refiner is for, and no real image of theirs
is ever in a batch. Images are mirrored at random. The simulator knows its mask, so each simulated
image gets a new background in each step.
"""

import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.datasets import order

_SHADE = 0.25  # how far the bottom of a background may be from its top, of 1


def batches(real, simulated, new, batch_size, seed):
  """Endless shuffled batches; batch i is a function of (seed, i) alone.

  Args:
    real: `FaceSet` of real images; identities are 0 .. K - 1.
    simulated: `FaceSet` of simulated images of the same people.
    new: `FaceSet` of simulated images of people without a label; None where all have one.
    batch_size: real images of a batch, and simulated ones; an even number.
    seed: of the order and of all draws.

  Returns:
    A function: first step -> data set of the dicts above: `image` `[b, s, s, 3]` float32 in
    [-1, 1], `identity` `[b]` int64, `mask` and `visible` `[b, s, s, 1]` float32 in [0, 1].

  Raises:
    ValueError: the batch size is odd, or there are fewer images than it needs.

  Example:
    data = batches(faces.of("profile"), faces.of("simulated"), gallery.of("simulated"), 16, 0)(0)
  """
  checks.check_count("batch_size", batch_size, 2)
  if batch_size % 2:
    raise ValueError(f"batch_size is {batch_size}; it must be even: half of the simulated images "
                     "have a label")
  parts = [("real", real, batch_size), ("simulated", simulated, batch_size)]
  if new is not None:
    parts[1:] = [("simulated", simulated, batch_size // 2), ("new", new, batch_size // 2)]
  for name, faces, count in parts:
    if len(faces) < count:
      raise ValueError(f"batch_size is {batch_size}, but there are {len(faces)} {name} images; it "
                       f"needs {count}")
  tensors = {name: {"image": tf.constant(faces.image), "identity": tf.constant(faces.identity),
                    "mask": tf.constant(faces.mask), "visible": tf.constant(faces.visible)}
             for name, faces, _ in parts}

  def batch(step):
    found = {}
    for number, (name, faces, count) in enumerate(parts):
      place = order.shuffled_positions(step, count, len(faces), 3 * seed + number)
      two = tf.random.experimental.stateless_fold_in(
          tf.stack([tf.constant(3 * seed + number, tf.int64), step]), 0)
      found[name] = _view({key: tf.gather(value, place) for key, value in tensors[name].items()},
                          two)
    both = found["simulated"]
    if "new" in found:
      found["new"]["identity"] = tf.fill([batch_size // 2], tf.constant(-1, tf.int64))
      both = {key: tf.concat([both[key], found["new"][key]], axis=0) for key in both}
    two = tf.stack([tf.constant(seed, tf.int64), step])
    both["image"] = repaint(both["image"], both["mask"], two)
    return {"real": {key: found["real"][key] for key in ("image", "identity")}, "simulated": both}

  def from_step(first):
    data = tf.data.Dataset.range(first, 2**62)
    return data.map(batch, num_parallel_calls=2, deterministic=True).prefetch(4)
  return from_step


def real_batches(faces, batch_size, seed):
  """Endless shuffled batches of images alone, mirrored at random.

  Args:
    faces: `FaceSet`.
    batch_size: images of a batch.
    seed: of the order and of the mirroring.

  Returns:
    A function: first step -> data set of `[b, s, s, 3]` float32 in [-1, 1].

  Raises:
    ValueError: there are fewer images than a batch needs.
  """
  checks.check_count("batch_size", batch_size, 1)
  if len(faces) < batch_size:
    raise ValueError(f"batch_size is {batch_size}, but there are {len(faces)} images")
  images = tf.constant(faces.image)

  def batch(step):
    place = order.shuffled_positions(step, batch_size, len(faces), seed)
    part = scaled(tf.gather(images, place))
    two = tf.stack([tf.constant(seed, tf.int64), step])
    flips = tf.random.stateless_uniform([batch_size, 1, 1, 1], two) < 0.5
    return tf.where(flips, part[:, :, ::-1], part)

  def from_step(first):
    data = tf.data.Dataset.range(first, 2**62)
    return data.map(batch, num_parallel_calls=2, deterministic=True).prefetch(4)
  return from_step


def scaled(images):
  """Images `[N, s, s, c]` uint8 as float32 in [-1, 1]."""
  return tf.cast(images, tf.float32) / 127.5 - 1.0


def repaint(images, masks, seed):
  """Images with other backgrounds: a colour at random, a little lighter or darker below.

  Args:
    images: `[N, s, s, 3]` float32 in [-1, 1].
    masks: `[N, s, s, 1]` float32 in [0, 1], what isn't background.
    seed: `[2]` int.

  Returns:
    `[N, s, s, 3]` float32 in [-1, 1].

  Example:
    images = repaint(images, masks, seed=[0, step])
  """
  n, side = tf.shape(images)[0], images.shape[1]
  draw = tf.random.stateless_uniform([n, 2, 1, 3], seed)
  top = draw[:, :1]
  bottom = tf.clip_by_value(top + _SHADE * (2.0 * draw[:, 1:] - 1.0), 0.0, 1.0)
  down = tf.reshape(tf.linspace(0.0, 1.0, side), [1, side, 1, 1])
  return images * masks + (2.0 * (top + down * (bottom - top)) - 1.0) * (1.0 - masks)


def repainted(faces, seed):
  """Simulated faces, a `FaceSet`, with other backgrounds: `[N, s, s, 3]` uint8."""
  return as_pixels(repaint(scaled(faces.image), tf.cast(faces.mask, tf.float32) / 255.0, [seed, 0]))


def as_pixels(images):
  """Images in [-1, 1], clipped, as uint8."""
  return np.round((np.clip(images, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)


def mapped(net, images, batch_size=256):
  """What a net tells of many images, in batches.

  Args:
    net: a function of `[n, s, s, 3]` float32 in [-1, 1].
    images: `[N, s, s, 3]` uint8.
    batch_size: images at a time.

  Returns:
    `[N, ...]`.
  """
  return np.concatenate([np.asarray(net(scaled(images[first:first + batch_size])))
                         for first in range(0, len(images), batch_size)])


def _view(faces, seed):
  """A batch mirrored at random, in numbers."""
  flips = tf.random.stateless_uniform([tf.shape(faces["image"])[0], 1, 1, 1], seed) < 0.5
  found = {"image": scaled(faces["image"]),
           **{key: tf.cast(faces[key], tf.float32) / 255.0 for key in ("mask", "visible")}}
  return {"identity": faces["identity"],
          **{key: tf.where(flips, value[:, :, ::-1], value) for key, value in found.items()}}
