"""Patches of towers to learn DeepMask from: centred on a block, or not.

An object is centred in its patch if its box's middle is that of the patch, and of the right size
if its longer side is 128/224 of the patch's. Published: a patch that is off by at most 16/224 of
its side along each axis and by a factor of 2^+-.25 in scale still has the label +1; one that is
off by at least twice that shift, or by a factor of 2 in scale, has -1; in between there are none.

    shift = max(|dy|, |dx|) / side of the right patch
    scale = log2(side / side of the right patch)
    clearance = min over blocks of max(shift / (2 jitter), |scale| / 1)

A negative patch has a clearance of at least 1: in a tower, what is off one block is often centred
on its neighbour, so all blocks are asked.
"""

import dataclasses

import gin
import tensorflow as tf

from garden.core import checks
from garden.physnet import proposals

_NEGATIVES = 12  # places that are drawn for a negative patch, of which the first clear one is taken
_FAR_SCALE = 1.0  # octaves from which a patch is off scale


@gin.register(module="physnet")
@dataclasses.dataclass(frozen=True)
class Patches:
  """What patches are like.

  Attributes:
    size: side of a patch in pixels.
    mask_size: side of a mask in pixels.
    per_tower: positive patches of each tower, and as many negative ones.
    shift: greatest shift of a positive patch along an axis, in shares of its side.
    scale: greatest change of a positive patch's scale, in octaves.
  """

  size: int = 64
  mask_size: int = 56
  per_tower: int = 2
  shift: float = 16 / 224
  scale: float = 0.25

  def __post_init__(self):
    checks.check_count("size", self.size, 16)
    checks.check_count("mask_size", self.mask_size, 4)
    checks.check_count("per_tower", self.per_tower, 1)
    checks.check_number("shift", self.shift, most=0.2)
    checks.check_number("scale", self.scale, most=0.5)


def right_places(boxes):
  """The patch in which each block is centred and of the right size.

  Args:
    boxes: `[..., 4]`.

  Returns:
    `(middle [..., 2], side [...])`, in shares of the image.
  """
  span = boxes[..., 2:] - boxes[..., :2]
  return (0.5 * (boxes[..., :2] + boxes[..., 2:]),
          tf.reduce_max(span, axis=-1) / proposals.OBJECT_SHARE)


def clearance(places, boxes, seen, shift):
  """How far off all blocks patches are; 1 and more is what negative ones have.

  Args:
    places: `[b, n, 4]`.
    boxes: `[b, B, 4]`.
    seen: `[b, B]` bool.
    shift: greatest shift of a positive patch.

  Returns:
    `[b, n]`, at least 0; see the module.

  Example:
    off = clearance(places, batch["boxes"], batch["present"], 16 / 224) >= 1.0
  """
  middle, side = right_places(boxes)
  side = tf.where(seen, side, 1.0)[:, tf.newaxis]
  here = 0.5 * (places[..., :2] + places[..., 2:])
  away = tf.reduce_max(tf.abs(here[:, :, tf.newaxis] - middle[:, tf.newaxis]), axis=-1) / side
  octaves = tf.abs(_log2((places[..., 2] - places[..., 0])[..., tf.newaxis] / side))
  off = tf.maximum(away / max(2.0 * shift, 1e-3), octaves / _FAR_SCALE)
  return tf.reduce_min(tf.where(seen[:, tf.newaxis], off, 1e3), axis=-1)


def sample(batch, seed, settings):
  """Patches of a batch of towers, half of them centred on a block.

  Args:
    batch: dict of `stream.batches`: `image` `[b, s, s, 3]`, `ids` `[b, s, s]`, `boxes` `[b, B, 4]`,
      `present` `[b, B]`; every tower shows a block.
    seed: `[2]` int32; the patches are a function of it.
    settings: `Patches`.

  Returns:
    Dict, n = 2 b per_tower, the positive half first: `image` `[n, size, size, 3]`, grey outside;
    `masks` `[n, mask_size, mask_size]` float32, 1 where the centred block is seen, 0 for
    negative patches; `objects` `[n]` int32, 1 for positive ones (the paper's y = +1), else 0;
    `places` `[n, 4]`, `tower` `[n]` and `block` `[n]` int32 (-1 for negative ones).

  Example:
    found = sample(batch, tf.constant([0, 1]), Patches())
    found["image"].shape  # [4 b, 64, 64, 3]
  """
  fold = tf.random.experimental.stateless_fold_in
  span = batch["boxes"][..., 2:] - batch["boxes"][..., :2]
  seen = batch["present"] & tf.reduce_all(span > 0.0, axis=-1)
  count, each = tf.shape(batch["image"])[0], settings.per_tower
  block = _choose(seen, each, fold(seed, 0))
  good = _positive(batch["boxes"], block, fold(seed, 1), settings)
  bad = _negative(batch["boxes"], seen, fold(seed, 2), settings)
  places = tf.concat([tf.reshape(good, [-1, 4]), tf.reshape(bad, [-1, 4])], axis=0)
  tower = tf.repeat(tf.range(count), each)
  block = tf.reshape(block, [-1])
  number = tf.gather(batch["ids"], tower) == tf.cast(
      block + 1, batch["ids"].dtype)[:, tf.newaxis, tf.newaxis]
  masks = proposals.cut(tf.cast(number, tf.float32)[..., tf.newaxis], places[:count * each],
                        tf.range(count * each), settings.mask_size, grey=0.0)[..., 0]
  masks = tf.cast(masks >= 0.5, tf.float32)
  return {
      "image": proposals.cut(batch["image"], places, tf.tile(tower, [2]), settings.size),
      "masks": tf.concat([masks, tf.zeros_like(masks)], axis=0),
      "objects": tf.repeat([1, 0], count * each), "places": places, "tower": tf.tile(tower, [2]),
      "block": tf.concat([block, -tf.ones_like(block)], axis=0)}


def _log2(x):
  return tf.math.log(x) / tf.math.log(2.0)


def _choose(seen, n, seed):
  """`[b, n]` int32: blocks at random among those that are seen `[b, B]`."""
  keys = tf.random.stateless_uniform([tf.shape(seen)[0], n, seen.shape[1]], seed)
  return tf.argmax(tf.where(seen[:, tf.newaxis], keys, -1.0), axis=-1, output_type=tf.int32)


def _squares(middle, side):
  half = 0.5 * side[..., tf.newaxis]
  return tf.concat([middle - half, middle + half], axis=-1)


def _positive(boxes, block, seed, settings):
  """Places `[b, n, 4]` around blocks `[b, n]`, within the jitter."""
  fold = tf.random.experimental.stateless_fold_in
  middle, side = right_places(tf.gather(boxes, block, batch_dims=1))
  shift = tf.random.stateless_uniform(
      tf.shape(middle), fold(seed, 0), -settings.shift, settings.shift)
  octaves = tf.random.stateless_uniform(
      tf.shape(side), fold(seed, 1), -settings.scale, settings.scale)
  return _squares(middle + shift * side[..., tf.newaxis], side * 2.0 ** octaves)


def _negative(boxes, seen, seed, settings):
  """Places `[b, n, 4]` off all blocks: shifted, off scale, or anywhere."""
  fold = tf.random.experimental.stateless_fold_in
  each = settings.per_tower
  block = _choose(seen, each * _NEGATIVES, fold(seed, 0))
  middle, side = right_places(tf.gather(boxes, block, batch_dims=1))
  shape = tf.shape(side)

  def uniform(number, low, high, last=()):
    return tf.random.stateless_uniform(
        tf.concat([shape, tf.constant(last, tf.int32)], axis=0), fold(seed, number), low, high)

  # Shifted: one axis by 2 to 8 jitters, the other by no more than that.
  reach = uniform(1, 2.0 * settings.shift, 8.0 * settings.shift)
  sign = tf.where(uniform(2, 0.0, 1.0) < 0.5, -1.0, 1.0)
  shift = tf.stack([sign * reach, reach * uniform(3, -1.0, 1.0)], axis=-1)
  shift = tf.where(uniform(4, 0.0, 1.0, [1]) < 0.5, shift, shift[..., ::-1])
  shifted = _squares(middle + shift * side[..., tf.newaxis],
                     side * 2.0 ** uniform(5, -settings.scale, settings.scale))
  # Off scale: by a factor of 2 to 2.8, centred.
  near = uniform(6, -settings.shift, settings.shift, [2])
  octaves = tf.where(uniform(7, 0.0, 1.0) < 0.5, -1.0, 1.0) * uniform(
      8, _FAR_SCALE, _FAR_SCALE + 0.5)
  scaled = _squares(middle + near * side[..., tf.newaxis], side * 2.0 ** octaves)
  # Anywhere: mostly background.
  anywhere = _squares(uniform(9, 0.0, 1.0, [2]), side * 2.0 ** uniform(10, -0.5, 0.5))
  # One kind a patch, so that what is rarely clear isn't rare; the last candidates are anywhere.
  kind = tf.random.stateless_uniform([shape[0], each, 1], fold(seed, 11), 0, 3, tf.int32)
  kind = tf.tile(kind, [1, 1, _NEGATIVES])
  kind = tf.where(tf.range(_NEGATIVES) < _NEGATIVES // 2, kind, 2)
  kind = tf.reshape(kind, shape)[..., tf.newaxis]
  places = tf.where(kind == 0, shifted, tf.where(kind == 1, scaled, anywhere))
  off = tf.reshape(clearance(places, boxes, seen, settings.shift), [-1, each, _NEGATIVES])
  # argmax takes the first of equals: the first clear one, or that which is furthest off.
  first = tf.argmax(tf.minimum(off, 1.0), axis=-1)
  places = tf.reshape(places, [-1, each, _NEGATIVES, 4])
  return tf.gather(places, first, batch_dims=2)
