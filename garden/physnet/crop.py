"""One crop of the tower out of the whole picture, and maps of it put back.

Seen at one scale and with its base at one place, a tower is learnt from far fewer pictures. The
masks stay those of the whole picture: the map of the crop is put back where it was cut out, with
zeros around, and the mask branch goes on from there.

Boxes are (y0, x0, y1, x1) in [0, 1] of the picture, its edges 0 and 1.
"""

import tensorflow as tf

_BASE = 3.0  # px below the tower's base
_LEAST = 0.01  # height of a tower, so that no crop is empty
_TOP_FACE = 0.3  # of a block: what is seen of the top face


def place(boxes, present, size, pixels_per_block):
  """The crop around each tower: its blocks at one scale, its base at one height.

  A block is as high as the tower's box over its count of blocks and .3 (the top face).

  Args:
    boxes: `[b, B, 4]` float, of the blocks.
    present: `[b, B]` bool.
    size: (height, width) of the crop in pixels.
    pixels_per_block: scale of the crop.

  Returns:
    `[b, 4]` float boxes of the crops, of which parts may lie outside of the picture; the whole
    picture where there is no block.

  Example:
    box = place(boxes, present, (96, 64), 20.0)
  """
  there = present[..., tf.newaxis]
  first = tf.reduce_min(tf.where(there, boxes[..., :2], 2.0), axis=1)
  last = tf.reduce_max(tf.where(there, boxes[..., 2:], -1.0), axis=1)
  count = tf.reduce_sum(tf.cast(present, boxes.dtype), axis=1)
  height = tf.maximum(last[:, 0] - first[:, 0], _LEAST)
  pixel = height / (count + _TOP_FACE) / pixels_per_block
  bottom, middle = last[:, 0] + _BASE * pixel, 0.5 * (first[:, 1] + last[:, 1])
  half = 0.5 * size[1] * pixel
  found = tf.stack([bottom - size[0] * pixel, middle - half, bottom, middle + half], axis=-1)
  return tf.where(tf.reduce_any(there, axis=1), found, tf.constant([0.0, 0.0, 1.0, 1.0]))


def resample(maps, boxes, size, outside=0.0):
  """What is inside a box of each map, bilinear, by pixel centres.

  Args:
    maps: `[b, h, w, c]` float.
    boxes: `[b, 4]`, one of each map; parts may lie outside.
    size: (height, width) of the result.
    outside: value there; up to half a pixel from the edge is still of the edge's own.

  Returns:
    `[b, *size, c]` of the dtype of `maps`.

  Example:
    resample(maps, tf.constant([[0.0, 0.0, 1.0, 1.0]]), maps.shape[1:3])  # maps
  """
  sides = tf.cast(tf.shape(maps)[1:3], tf.float32)
  # One pixel around: between the outermost centres and the edge there is the edge's value.
  maps = tf.pad(maps, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
  # `crop_and_resize` has 0 and 1 at the first and the last pixel's centre, on both sides.
  inset = (boxes[:, 2:] - boxes[:, :2]) / (2.0 * tf.constant(size, tf.float32))
  ends = [boxes[:, :2] + inset, boxes[:, 2:] - inset]
  found = tf.concat([(end * sides + 0.5) / (sides + 1.0) for end in ends], axis=-1)
  cut = tf.image.crop_and_resize(maps, found, tf.range(tf.shape(maps)[0]), size,
                                 extrapolation_value=outside)
  return tf.cast(cut, maps.dtype)


def put_back(maps, boxes, size):
  """Maps of crops in the whole picture, 0 around them: the inverse of cutting them out.

  Args:
    maps: `[b, h, w, c]` float, of the crops.
    boxes: `[b, 4]`, where those were cut.
    size: (height, width) of the result.

  Returns:
    `[b, *size, c]` float.

  Example:
    whole = put_back(maps, place(boxes, present, (96, 64), 20.0), (14, 14))
  """
  extent = boxes[:, 2:] - boxes[:, :2]
  corners = [(corner - boxes[:, :2]) / extent for corner in (0.0, 1.0)]
  return resample(maps, tf.concat(corners, axis=-1), size)
