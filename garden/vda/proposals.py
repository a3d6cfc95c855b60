"""Object proposals: where blocks are seen, how many there are, and of which colour each is.

CenterNet (Zhou, Wang, Krähenbühl, "Objects as Points", 2019). On a map of a quarter of the size one
number of each cell tells whether the middle of a box lies there, four how far away its sides are,
and the rest which colour the block has:

    L = 1/n sum focal(p, y)  +  .5 |sides - sides*|  +  .2 CE(colour)

y is 1 where a middle is and a Gaussian around it. Proposals are the local maxima of p, of boxes
that are about the same the surest: that is their non-maximum suppression. Whether there is a block
isn't asked of its colour, so blocks of colours never seen, and more of them than in training, are
found too.

The net looks at a square around where the camera looks, `SPAN` blocks high, so that blocks have one
size: how far away a camera is, and how wide it sees, is no matter.

Deviation: Wu et al. 2017 take their proposals from other work. DeepMask (Pinheiro et al. 2015) asks
hundreds of patches of one image what they show; this net needs one pass for all of it.
"""

import tensorflow as tf

from garden.core import layers
from garden.worlds.towers import camera as camera_lib

SPAN = 6.4  # blocks
LEAST = 0.4  # probability of a middle that is taken for a block; of validation towers the best
_SAME = 0.6  # intersection over union, above which two boxes are of one block
_SPREAD = 0.15  # of the Gaussian around a middle, in shares of the box
_NEAR = 0.4  # of the Gaussian: cells whose sides and colour are learnt
_SIDES, _COLORS = 0.5, 0.2  # weights of the loss
_SHIFT, _SCALE = 0.06, 0.15  # of a square in training, in shares of the image and of its side


def squares(camera, seed=None):
  """The squares around where cameras look: `[N, 7]` -> `[N, 4]` (y0, x0, y1, x1) of the image.

  Parts of them may lie outside of the image. With a seed `[2]` they are moved and scaled a little:
  views for training.
  """
  half = 0.5 * SPAN * camera_lib.block_height(camera)[:, tf.newaxis]
  middle = tf.fill([tf.shape(camera)[0], 2], 0.5)
  if seed is not None:
    off = tf.random.stateless_uniform([tf.shape(camera)[0], 3], seed, -1.0, 1.0)
    half *= tf.exp(_SCALE * off[:, :1])
    middle += _SHIFT * off[:, 1:]
  return tf.concat([middle - half, middle + half], axis=-1)


def cut(images, places, size):
  """What lies in squares: images `[N, h, w, 3]`, `[N, 4]` -> `[N, size, size, 3]`, grey outside."""
  large = tf.image.crop_and_resize(images, places, tf.range(tf.shape(images)[0]),
                                   [2 * size] * 2, extrapolation_value=0.5)
  return tf.image.resize(large, [size] * 2, method="area")


def into(boxes, places):
  """Boxes `[N, B, 4]` of images, in shares of squares `[N, 4]`."""
  start, side = _start_and_side(places)
  return (boxes - start) / side


def out_of(boxes, places):
  """Boxes `[N, B, 4]` of squares `[N, 4]`, in shares of their images."""
  start, side = _start_and_side(places)
  return start + boxes * side


def _start_and_side(places):
  """Upper left corners and sides of squares `[N, 4]`, both `[N, 1, 4]` as (y, x, y, x)."""
  start, end = places[:, tf.newaxis, :2], places[:, tf.newaxis, 2:]
  return tf.tile(start, [1, 1, 2]), tf.tile(end - start, [1, 1, 2])


@tf.keras.utils.register_keras_serializable(package="garden")
class Proposals(tf.keras.layers.Layer):
  """The net: squares of images `[N, s, s, 3]` in [0, 1] -> `[N, s / 4, s / 4, 5 + K]`.

  The numbers of a cell are the logit of a middle, how far up, left, down and right the sides are
  in cells, and the K colours' logits.

  Args:
    n_colors: K.
    filters: channels of the first convolution, of the second, both at half the size, and of the
      rest, at a quarter.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> images = tf.keras.Input([84, 84, 3])
    >>> found = decode(Proposals(n_colors=4)(images), places=4)
    >>> tf.keras.Model(images, found["boxes"]).output_shape
    (None, 4, 4)
  """

  def __init__(self, n_colors=4, filters=(24, 32, 64), **kwargs):
    super().__init__(**kwargs)
    self.n_colors, self.filters = int(n_colors), tuple(filters)
    first, second, wide = self.filters
    make = dict(padding="same", use_bias=False, kernel_initializer="he_normal",
                dtype=self.dtype_policy)
    convolution = tf.keras.layers.Conv2D
    self.down = [convolution(first, 3, strides=2, **make), convolution(second, 3, **make),
                 convolution(wide, 3, strides=2, **make)]
    self.around = [convolution(wide, 3, dilation_rate=rate, **make) for rate in (1, 2, 4)]
    self.norms = [layers.normalization(self.dtype_policy) for _ in range(6)]
    self.head = convolution(wide, 3, padding="same", activation="relu",
                            kernel_initializer="he_normal", dtype=self.dtype_policy)
    # Few cells are middles, and sides are about a block and a half away in sum.
    bias = tf.keras.initializers.Constant([-2.5] + [1.5] * 4 + [0.0] * self.n_colors)
    self.cells = convolution(5 + self.n_colors, 1, bias_initializer=bias, dtype="float32")

  def call(self, images, training=None):
    """Squares of images -> the numbers of each cell."""
    x = 2.0 * tf.cast(images, self.compute_dtype) - 1.0
    for number, convolution in enumerate(self.down):
      x = tf.nn.relu(self.norms[number](convolution(x), training=training))
    for number, convolution in enumerate(self.around, len(self.down)):
      x += tf.nn.relu(self.norms[number](convolution(x), training=training))
    return self.cells(self.head(x))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_colors": self.n_colors, "filters": self.filters}


def decode(cells, places):
  """The blocks that cells tell of, the surest first.

  Args:
    cells: `[N, c, c, 5 + K]` of `Proposals`.
    places: B, how many blocks there may be.

  Returns:
    Dict of `boxes` `[N, B, 4]` in shares of the square, `present` `[N, B]` bool, `score` `[N, B]`,
    `color_class` `[N, B]` int32 (1 .. K) and `crowded` `[N]` bool: whether there are more blocks
    than places.
  """
  side = cells.shape[1]
  p = tf.nn.sigmoid(cells[..., :1])
  # What isn't finite stays: it shows in the score.
  peaks = tf.where(p < tf.nn.max_pool2d(p, 3, 1, "SAME"), 0.0, p)
  score, index = tf.math.top_k(tf.reshape(peaks, [-1, side * side]), 2 * places)
  told = tf.gather(tf.reshape(cells, [-1, side * side, cells.shape[-1]]), index, batch_dims=1)
  middle = tf.cast(tf.stack([index // side, index % side], axis=-1), tf.float32) + 0.5
  boxes = tf.concat([middle - told[..., 1:3], middle + told[..., 3:5]], axis=-1) / side
  score, order = tf.math.top_k(tf.where(_doubled(boxes), 0.0, score), places + 1)
  crowded, score, order = score[:, places] > LEAST, score[:, :places], order[:, :places]
  boxes, told = (tf.gather(x, order, batch_dims=1) for x in (boxes, told))
  present = score > LEAST
  return {"boxes": tf.where(present[..., tf.newaxis], boxes, 0.0), "present": present,
          "score": score, "crowded": crowded,
          "color_class": tf.where(present, tf.argmax(told[..., 5:], -1, tf.int32) + 1, 0)}


def _doubled(boxes):
  """`[N, B]` bool: whether a surer box is about the same one (intersection over union)."""
  first, second = boxes[:, :, tf.newaxis], boxes[:, tf.newaxis]
  overlap = tf.maximum(tf.minimum(first[..., 2:], second[..., 2:])
                       - tf.maximum(first[..., :2], second[..., :2]), 0.0)
  area = tf.reduce_prod(tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)
  both = tf.reduce_prod(overlap, axis=-1)
  iou = tf.math.divide_no_nan(both, area[:, :, tf.newaxis] + area[:, tf.newaxis] - both)
  surer = tf.linalg.band_part(tf.ones_like(iou), -1, 0) - tf.eye(boxes.shape[1])
  return tf.reduce_any(iou * surer > _SAME, axis=2)


def loss(cells, boxes, present, color_class):
  """The loss of each image, `[N]`; see the module.

  Args:
    cells: `[N, c, c, 5 + K]` of `Proposals`.
    boxes: `[N, B, 4]` true, in shares of the square.
    present: `[N, B]` bool.
    color_class: `[N, B]` int, 1 .. K where there is a block.

  Example:
    tf.reduce_mean(loss(net(cut(images, places, 84)), into(boxes, places), present, classes))
  """
  near, middles, sides, classes = targets(boxes, present, color_class, cells.shape[1])
  logit, count = cells[..., 0], tf.maximum(tf.reduce_sum(middles, axis=[1, 2]), 1.0)
  p = tf.nn.sigmoid(logit)
  focal = -(middles * tf.square(1.0 - p) * tf.math.log_sigmoid(logit)
            + (1.0 - middles) * (1.0 - near) ** 4 * tf.square(p) * tf.math.log_sigmoid(-logit))
  weight = tf.where(near > _NEAR, near, middles)
  far = tf.reduce_mean(tf.abs(cells[..., 1:5] - sides), axis=-1)
  color = tf.nn.sparse_softmax_cross_entropy_with_logits(
      tf.maximum(classes - 1, 0), cells[..., 5:])
  return (tf.reduce_sum(focal, axis=[1, 2]) / count
          + tf.math.divide_no_nan(tf.reduce_sum(weight * (_SIDES * far + _COLORS * color),
                                                axis=[1, 2]), tf.reduce_sum(weight, axis=[1, 2])))


def targets(boxes, present, color_class, side):
  """What the cells should tell.

  Args:
    boxes: `[N, B, 4]` in shares of the square.
    present: `[N, B]` bool.
    color_class: `[N, B]` int.
    side: c, cells on a side.

  Returns:
    `(near [N, c, c], middles [N, c, c], sides [N, c, c, 4], classes [N, c, c])`: the Gaussian
    around the nearest middle, 1 where a middle is, and how far the sides of that block are and
    which colour it has.
  """
  there = tf.cast(present, tf.float32)[..., tf.newaxis, tf.newaxis]
  middle = 0.5 * (boxes[..., :2] + boxes[..., 2:])
  spread = tf.maximum(_SPREAD * (boxes[..., 2:] - boxes[..., :2]), 0.3 / side)
  cells = (tf.range(side, dtype=tf.float32) + 0.5) / side

  def bell(axis):
    return tf.exp(-0.5 * tf.square((cells - middle[..., axis, tf.newaxis])
                                   / spread[..., axis, tf.newaxis]))

  def spot(axis):
    return tf.one_hot(tf.cast(tf.floor(middle[..., axis] * side), tf.int32), side)

  each = bell(0)[..., tf.newaxis] * bell(1)[:, :, tf.newaxis] * there
  which = tf.argmax(each, axis=1)  # [N, c, c]
  spots = spot(0)[..., tf.newaxis] * spot(1)[:, :, tf.newaxis] * there
  box = side * tf.gather(boxes, which, batch_dims=1)
  at = side * tf.stack(tf.meshgrid(cells, cells, indexing="ij"), axis=-1)
  sides = tf.concat([at - box[..., :2], box[..., 2:] - at], axis=-1)
  classes = tf.gather(tf.cast(color_class, tf.int32), which, batch_dims=1)
  return tf.reduce_max(each, axis=1), tf.reduce_max(spots, axis=1), sides, classes
