"""Object proposals: scores and masks of patches on a grid become boxes (DeepMask's use of its net).

A network that tells for a patch the mask of the object in its middle, and a score of "there is
one, whole and of the right size", is run on patches at a few scales all over an image. The best
scored patches give masks, a mask's extent gives a box, and boxes that overlap a better one are
dropped. What is here knows nothing of towers and holds no weights; every operation is core
TensorFlow, so that `propose` can be part of a SavedModel.

Places and boxes are (y0, x0, y1, x1) in [0, 1] of the image, pixel edges: the first pixel of s is
0 to 1 / s. A place is a square that a patch is cut from and may reach out of the image.

    box of a mask:  y0 + (y1 - y0) (first row, last row + 1) / m
"""

import numpy as np
import tensorflow as tf

from garden.core import checks

#: Share of a patch's side that the centred object's longer side has, as published.
OBJECT_SHARE = 128 / 224


def grid(object_sizes, step=1 / 7):
  """Places of patches all over an image.

  Args:
    object_sizes: longer sides of the objects that are looked for, in (0, 1] of the image; a
      patch's side is that / `OBJECT_SHARE`. A net that was trained with scales of 2^+-.25
      needs sizes a factor of 2^.5 apart.
    step: between patches, in (0, 1] of a patch's side; a net trained with shifts of +-1/14 of a
      patch needs 1/7.

  Returns:
    `[P, 4]` float32, centres evenly spread from edge to edge of the image.

  Raises:
    ValueError: no size, a size or a step out of its range.

  Example:
    >>> grid([0.25], step=1.0).shape
    (16, 4)
  """
  checks.check_positive("step", step, most=1)
  if not len(object_sizes):
    raise ValueError("object_sizes is empty; give the size of one object or more")
  places = []
  for size in object_sizes:
    checks.check_positive("object_sizes", size, most=1)
    side = size / OBJECT_SHARE
    count = int(np.ceil(1.0 / (side * step) - 1e-6)) + 1
    line = np.linspace(0.0, 1.0, count)
    y, x = np.meshgrid(line, line, indexing="ij")
    middle = np.stack([y, x], axis=-1).reshape(-1, 2)
    places.append(np.concatenate([middle - side / 2, middle + side / 2], axis=-1))
  return np.concatenate(places).astype(np.float32)


def cut(images, places, index, size, grey=0.5, method="bilinear"):
  """Cuts patches out of images.

  Args:
    images: `[b, h, w, c]` float.
    places: `[n, 4]`.
    index: `[n]` int32 in 0 .. b - 1, the image of each place.
    size: side of a patch in pixels, at least 2.
    grey: value outside of the image.
    method: "bilinear" or "nearest".

  Returns:
    `[n, size, size, c]` float32, pixel i in the middle of the i-th of `size` equal parts.

  Example:
    patches = cut(images, tf.constant([[0.0, 0.0, 0.5, 0.5]]), tf.constant([0]), 64)
  """
  # crop_and_resize measures between the middles of the first and the last pixel, h - 1 apart.
  start, end = places[:, :2], places[:, 2:]
  half = 0.5 * (end - start) / size
  source = tf.cast(tf.shape(images)[1:3], tf.float32)
  middles = [(edge * source - 0.5) / (source - 1.0) for edge in (start + half, end - half)]
  return tf.image.crop_and_resize(images, tf.concat(middles, axis=-1), index, [size, size],
                                  method=method, extrapolation_value=grey)


def boxes_of_masks(masks, places, threshold=0.5, least=4):
  """The extents of masks, in the image.

  Args:
    masks: `[n, m, m]` float, probabilities.
    places: `[n, 4]`, of the patches.
    threshold: above it a pixel belongs to the object.
    least: pixels below which there is no object.

  Returns:
    `(boxes [n, 4], valid [n])`; boxes end at the image's edges and are 0 where invalid.

  Example:
    boxes, valid = boxes_of_masks(tf.sigmoid(logits), places)
  """
  on = masks > threshold
  valid = tf.reduce_sum(tf.cast(on, tf.int32), axis=[1, 2]) >= least
  spans = []
  for number, axis in enumerate((2, 1)):  # what is looked along; the other one is left
    some = tf.cast(tf.reduce_any(on, axis=axis), tf.float32)  # [n, m]
    length = tf.cast(tf.shape(some)[1], tf.float32)
    first = tf.cast(tf.argmax(some, axis=1), tf.float32)
    last = length - tf.cast(tf.argmax(some[:, ::-1], axis=1), tf.float32)
    start, side = places[:, number], places[:, number + 2] - places[:, number]
    spans.append((start + side * first / length, start + side * last / length))
  (y0, y1), (x0, x1) = spans
  boxes = tf.clip_by_value(tf.stack([y0, x0, y1, x1], axis=-1), 0.0, 1.0)
  # A mask may lie wholly outside of the image.
  valid &= tf.reduce_all(boxes[:, 2:] > boxes[:, :2], axis=-1)
  return tf.where(valid[:, tf.newaxis], boxes, 0.0), valid


def overlaps(first, second):
  """Intersection over union of boxes: `[b, n, 4]`, `[b, m, 4]` -> `[b, n, m]`; 0 for 0 / 0.

  Example:
    iou = overlaps(boxes, boxes)  # its diagonal is 1
  """
  one, two = first[:, :, tf.newaxis], second[:, tf.newaxis]
  sides = tf.minimum(one[..., 2:], two[..., 2:]) - tf.maximum(one[..., :2], two[..., :2])
  both = tf.reduce_prod(tf.maximum(sides, 0.0), axis=-1)
  areas = [tf.reduce_prod(b[..., 2:] - b[..., :2], axis=-1) for b in (one, two)]
  return tf.math.divide_no_nan(both, areas[0] + areas[1] - both)


def suppress(boxes, scores, most, overlap=0.5, least_score=0.5):
  """Non-maximum suppression: the best boxes, none of which overlaps a better one much.

  Args:
    boxes: `[b, n, 4]`.
    scores: `[b, n]` in [0, 1]; below 0 for a box that isn't one.
    most: greatest number of boxes that are kept.
    overlap: intersection over union, above which the lower score goes.
    least_score: at or below it nothing is kept, at least 0.

  Returns:
    `(index [b, most], valid [b, most])`: positions in n, the highest score first; 0 where there
    is none.

  Example:
    index, valid = suppress(boxes, scores, most=8)
    kept = tf.gather(boxes, index, batch_dims=1)
  """
  index, count = tf.image.non_max_suppression_padded(
      boxes, scores, most, iou_threshold=overlap, score_threshold=least_score,
      pad_to_max_output_size=True)
  index = tf.reshape(index, [tf.shape(boxes)[0], most])
  count = tf.reshape(count, [tf.shape(boxes)[0]])
  valid = tf.range(most)[tf.newaxis] < count[:, tf.newaxis]
  return tf.where(valid, index, 0), valid


def propose(model, images, places, size=64, most=8, overlap=0.5, least_score=0.5, candidates=64):
  """Objects in images.

  Args:
    model: has `look(patches [n, size, size, c]) -> features [n, ...]`, and of features
      `score(features) -> [n]` and `mask(features) -> [n, m, m]`, both probabilities.
    images: `[b, h, w, c]` in [0, 1].
    places: `[P, 4]`, of `grid`.
    size: side of a patch in pixels.
    most: boxes of an image.
    overlap: see `suppress`.
    least_score: see `suppress`.
    candidates: patches of an image, the best scored, whose masks are computed.

  Returns:
    Dict: `boxes` `[b, most, 4]`, `scores` `[b, most]`, `masks` `[b, most, m, m]` probabilities
    within the patches at `places` `[b, most, 4]`, `valid` `[b, most]` bool. The highest score
    is first; all are 0 where invalid.

  Example:
    found = propose(model, images, grid([0.2]), model.patches.size)
    count = tf.reduce_sum(tf.cast(found["valid"], tf.int32), axis=1)
  """
  candidates = min(candidates, len(places))
  places = tf.constant(places, tf.float32)

  def of_image(image):
    # An image at a time: all patches of a batch would need gigabytes.
    features = model.look(cut(image[tf.newaxis], places, tf.zeros(len(places), tf.int32), size))
    scores, chosen = tf.math.top_k(model.score(features), candidates)
    masks = model.mask(tf.gather(features, chosen))
    boxes, valid = boxes_of_masks(masks, tf.gather(places, chosen))
    return {"boxes": boxes, "scores": tf.where(valid, scores, -1.0), "masks": masks,
            "places": tf.gather(places, chosen)}

  kinds = {"boxes": tf.TensorSpec([candidates, 4]), "scores": tf.TensorSpec([candidates]),
           "masks": tf.TensorSpec([candidates, None, None]),
           "places": tf.TensorSpec([candidates, 4])}
  found = tf.map_fn(of_image, images, fn_output_signature=kinds)
  index, valid = suppress(found["boxes"], found["scores"], most, overlap, least_score)
  kept = {name: tf.gather(value, index, batch_dims=1) for name, value in found.items()}
  return {"valid": valid, **{name: tf.where(
      tf.reshape(valid, [-1, most] + [1] * (value.shape.rank - 2)), value, 0.0)
      for name, value in kept.items()}}


def paste(masks, places, size):
  """Puts masks of patches where they belong in the image.

  Args:
    masks: `[n, m, m]` float.
    places: `[n, 4]`.
    size: side of the image in pixels.

  Returns:
    `[n, size, size]` float32, 0 outside of the patch and for a place without area.

  Example:
    painted = paste(found["masks"][0], found["places"][0], 168)  # [most, 168, 168]
  """
  start, side = places[:, :2], places[:, 2:] - places[:, :2]
  there = tf.reduce_all(side > 0.0, axis=-1)
  side = tf.where(there[:, tf.newaxis], side, 1.0)
  # The image as a place in the patch.
  inverse = tf.concat([-start / side, (1.0 - start) / side], axis=-1)
  painted = cut(tf.cast(masks, tf.float32)[..., tf.newaxis], inverse,
                tf.range(tf.shape(masks)[0]), size, grey=0.0)[..., 0]
  return tf.where(there[:, tf.newaxis, tf.newaxis], painted, 0.0)
