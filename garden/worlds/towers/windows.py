"""Windows on pairs of neighbouring blocks: where blocks are seen in a picture, and what is cut out.

Boxes are (y0, x0, y1, x1) in [0, 1] of the image, blocks and pairs go from the lowest one up.
"""

import tensorflow as tf


def level_order(boxes, present):
  """The order of blocks by their levels, the lowest first.

  Args:
    boxes: `[b, B, 4]` float.
    present: `[b, B]` bool.

  Returns:
    `[b, B]` int32 places; those without a block come last.

  Example:
    order = level_order(boxes, present)
    boxes, present = (tf.gather(x, order, batch_dims=1) for x in (boxes, present))
  """
  middle = 0.5 * (boxes[..., 0] + boxes[..., 2])
  key = tf.where(present, -middle, 10.0)  # y points down
  return tf.argsort(key, axis=1, stable=True)


def pairs(boxes, present):
  """Boxes of neighbours.

  Args:
    boxes: `[b, B, 4]` float, in the order of levels.
    present: `[b, B]` bool.

  Returns:
    `(union [b, B - 1, 4], valid [b, B - 1])`: the box of blocks i and i + 1 together.
  """
  lower, upper = boxes[:, :-1], boxes[:, 1:]
  union = tf.concat([tf.minimum(lower[..., :2], upper[..., :2]),
                     tf.maximum(lower[..., 2:], upper[..., 2:])], axis=-1)
  return union, present[:, :-1] & present[:, 1:]


def place(union, block, size=64, pixels_per_block=24.0):
  """The square window around each pair: its height shows `size / pixels_per_block` blocks.

  Args:
    union: `[..., 4]` boxes of pairs.
    block: `[...]` height of a block in the image, in shares of the image.
    size: side of a window in pixels.
    pixels_per_block: scale of the windows.

  Returns:
    `[..., 4]` boxes of the windows, of which parts may lie outside of the image.
  """
  middle = 0.5 * (union[..., :2] + union[..., 2:])
  half = 0.5 * block * size / pixels_per_block
  return tf.concat([middle - half[..., tf.newaxis], middle + half[..., tf.newaxis]], axis=-1)


def crop(images, windows, valid, size=64, method="bilinear", outside=0.5):
  """Cuts the valid windows out of their images.

  Args:
    images: `[b, h, w, c]` float.
    windows: `[b, W, 4]` boxes.
    valid: `[b, W]` bool.
    size: side of a window in pixels.
    method: "bilinear" or "nearest".
    outside: value outside of the image; .5 is grey.

  Returns:
    `[n, size, size, c]` float, the n valid windows in the order of `tf.where(valid)`.
  """
  # All of them, then the valid ones: of a count that the graph knows.
  count = windows.shape[1]
  cut = tf.image.crop_and_resize(images, tf.reshape(windows, [-1, 4]),
                                 tf.repeat(tf.range(tf.shape(images)[0]), count), [size, size],
                                 method=method, extrapolation_value=outside)
  return tf.boolean_mask(cut, tf.reshape(valid, [-1]))


def scatter(values, valid):
  """Puts values of the valid windows back: `[n, ...]`, `[b, W]` -> `[b, W, ...]`, 0 elsewhere."""
  shape = tf.concat([tf.shape(valid), tf.shape(values)[1:]], axis=0)
  return tf.scatter_nd(tf.cast(tf.where(valid), tf.int32), values, shape)


def solid(hot, size=5):
  """Opening by reconstruction: what is too small or too thin to hold a square is taken away.

  The map is eroded by a square; what is left grows again, inside the map.

  Args:
    hot: `[b, h, w, k]` float, 0 and 1.
    size: side of the square, odd; 1 takes nothing away.

  Returns:
    `[b, h, w, k]` float, 0 and 1, within `hot`.

  Example:
    clean = solid(tf.one_hot(masks, 5))
  """
  grown = -tf.nn.max_pool2d(-hot, size, 1, "SAME")
  for _ in range(size):
    grown = hot * tf.nn.max_pool2d(grown, 3, 1, "SAME")
  return grown


def boxes_of_masks(masks, n_classes):
  """Boxes of the colour classes in a segmentation.

  Args:
    masks: `[b, h, w]` int, 0 background.
    n_classes: number of classes, background included.

  Returns:
    `(boxes [b, n_classes - 1, 4], present [b, n_classes - 1])`; specks and thin lines are left
    out (`solid`), and a class with nothing else isn't there.
  """
  hot = solid(tf.one_hot(masks, n_classes, dtype=tf.float32)[..., 1:])
  present = tf.reduce_any(hot > 0.0, axis=[1, 2])
  spans = []
  for axis in (2, 1):  # what is summed over; the other one is left
    some = tf.reduce_max(hot, axis=axis)  # [b, length, K]
    length = tf.shape(some)[1]
    first = tf.argmax(some, axis=1, output_type=tf.int32)
    last = length - tf.argmax(some[:, ::-1], axis=1, output_type=tf.int32)
    scale = tf.cast(length, tf.float32)
    spans.append((tf.cast(first, tf.float32) / scale, tf.cast(last, tf.float32) / scale))
  (y0, y1), (x0, x1) = spans
  boxes = tf.stack([y0, x0, y1, x1], axis=-1)
  return tf.where(present[..., tf.newaxis], boxes, 0.0), present
