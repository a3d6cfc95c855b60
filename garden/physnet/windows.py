"""One window per pair of neighbouring blocks: where it is cut, and how windows make a tower.

Whether a tower stands is decided at its interfaces, so one network looks at each pair of
neighbours, the same for all levels and all towers, and a head reads the windows from the top
down, carrying a state: what rests on an interface is all that is above it. A tower falls if it
falls at any interface:

    logit(tower) = logsumexp over interfaces of logit(interface)

Boxes are (y0, x0, y1, x1) in [0, 1] of the image, pairs go from the lowest interface up.
"""

import tensorflow as tf

from garden.physnet import losses
from garden.physnet import networks

STANDS = -12.0  # logit of a tower without an interface
#: Box heights of a pair of neighbours in blocks, as seen from the front; what a window's
#: scale is set by. (Two blocks, and the top face in perspective.)
_PAIR_BLOCKS = 2.25


def level_order(boxes, present):
  """Puts blocks in the order of their levels, the lowest first.

  Args:
    boxes: `[b, B, 4]` float.
    present: `[b, B]` bool.

  Returns:
    `(boxes [b, B, 4], present [b, B])`; places without a block come last.
  """
  middle = 0.5 * (boxes[..., 0] + boxes[..., 2])
  key = tf.where(present, -middle, 10.0)  # y points down
  order = tf.argsort(key, axis=1, stable=True)
  return (tf.gather(boxes, order, batch_dims=1), tf.gather(present, order, batch_dims=1))


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


def place(union, size=64, pixels_per_block=24.0):
  """The square window around each pair: its height shows `size / pixels_per_block` blocks.

  Args:
    union: `[..., 4]` boxes of pairs.
    size: side of a window in pixels.
    pixels_per_block: scale of the windows.

  Returns:
    `[..., 4]` boxes of the windows, of which parts may lie outside of the image.
  """
  middle = 0.5 * (union[..., :2] + union[..., 2:])
  block = (union[..., 2] - union[..., 0]) / _PAIR_BLOCKS
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


def context(windows):
  """What a window's place says of the camera: `[..., 4]` -> `[..., 3]`, about +-1.

  The height of a window in the image is the distance; its middle is the angle of view.
  """
  middle = windows[..., :2] + windows[..., 2:] - 1.0
  height = windows[..., 2:3] - windows[..., 0:1]
  return tf.concat([2.0 * middle, 4.0 * height - 1.5], axis=-1)


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


@tf.keras.utils.register_keras_serializable(package="garden")
class Segmenter(tf.keras.layers.Layer):
  """A small colour segmenter: `[b, h, w, 3]` in [0, 1] -> logits `[b, h, w, n_classes]`.

  Colours at full size, and at half the size what is around them, by dilated convolutions: a block
  and a floor of the same colour are told apart by their shapes.

  Args:
    n_classes: background and colours.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    masks = tf.argmax(Segmenter(5)(tf.zeros([8, 84, 84, 3])), axis=-1)
  """

  def __init__(self, n_classes=5, **kwargs):
    super().__init__(**kwargs)
    self.n_classes = int(n_classes)
    make = dict(padding="same", use_bias=False, kernel_initializer="he_normal",
                dtype=self.dtype_policy)
    self.fine = tf.keras.layers.Conv2D(16, 3, **make)
    self.half = tf.keras.layers.Conv2D(24, 3, strides=2, **make)
    self.around = [tf.keras.layers.Conv2D(24, 3, dilation_rate=rate, **make)
                   for rate in (1, 2, 4, 8)]
    self.mix = tf.keras.layers.Conv2D(16, 1, **make)
    self.norms = [networks.normalization(self.dtype_policy) for _ in range(7)]
    self.logits = tf.keras.layers.Conv2D(self.n_classes, 3, padding="same",
                                         dtype=self.dtype_policy)

  def call(self, images, training=None):
    """Images in [0, 1] -> logits, before the softmax."""
    def act(number, x):
      return tf.nn.relu(self.norms[number](x, training=training))

    fine = act(0, self.fine(2.0 * tf.cast(images, self.compute_dtype) - 1.0))
    x = act(1, self.half(fine))
    for number, convolution in enumerate(self.around, 2):
      x += act(number, convolution(x))
    x = tf.cast(tf.image.resize(x, tf.shape(fine)[1:3]), fine.dtype)
    x = self.logits(act(6, self.mix(tf.concat([fine, x], axis=-1))))
    return tf.cast(x, tf.float32)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_classes": self.n_classes}


def segment_loss(logits, segments):
  """Mean cross-entropy of the segmenter.

  Args:
    logits: `[b, s, s, n_classes]` float.
    segments: `[b, h, w]` int, true colour classes, brought to s x s by the nearest pixel.

  Returns:
    Float scalar.
  """
  labels = tf.image.resize(segments[..., tf.newaxis], logits.shape[1:3], method="nearest")
  return losses.mask_cross_entropy(logits, labels[..., 0])


def _not_empty(x):
  """`x` `[n, ...]`, or one example of zeros if n is 0: convolutions on a CPU fail on none."""
  spare = tf.cast(tf.equal(tf.shape(x)[0], 0), tf.int32)
  padded = tf.pad(x, [[0, spare], *[[0, 0]] * (x.shape.rank - 1)])
  return tf.ensure_shape(padded, [None, *x.shape[1:]])


@tf.keras.utils.register_keras_serializable(package="garden")
class WindowNet(tf.keras.layers.Layer):
  """What one window says: `{"windows", "context"}` -> dict of `h`, `poses`, `masks`.

  `windows` are `[n, s, s, 3]` in [0, 1], `context` `[n, d]`. `h` is `[n, 128]`, `poses`
  `[n, 6]` (offset of the upper block across and in depth in block widths, cos and sin of
  4 yaw of the lower and of the upper block, by the camera), `masks` logits
  `[n, s / 4, s / 4, n_classes]` of the classes background, lower, upper, other block.

  Args:
    filters: channels of the trunk.
    n_classes: of the masks.
    **kwargs: of `tf.keras.layers.Layer`.
  """

  def __init__(self, filters=(32, 64, 128), n_classes=4, **kwargs):
    super().__init__(**kwargs)
    self.filters, self.n_classes = tuple(filters), int(n_classes)
    policy = dict(dtype=self.dtype_policy)
    self.trunk = networks.Trunk(self.filters, **policy)
    self.layout = networks.LayoutHead(48, 256, **policy)
    self.place = tf.keras.layers.Dense(32, activation="relu", **policy)
    self.dense = tf.keras.layers.Dense(128, activation=tf.nn.leaky_relu, **policy)
    self.poses = tf.keras.layers.Dense(6, **policy)
    self.lateral = tf.keras.layers.Conv2D(48, 1, activation="relu", **policy)
    self.upsample = tf.keras.layers.UpSampling2D(2, interpolation="bilinear")
    self.mix = tf.keras.layers.Conv2D(32, 3, padding="same", activation="relu", **policy)
    self.masks = tf.keras.layers.Conv2D(self.n_classes, 1, **policy)

  def call(self, inputs, training=None):
    """The dict of windows and contexts -> the dict of outputs."""
    n = tf.shape(inputs["windows"])[0]
    cut, context_ = (_not_empty(inputs[name]) for name in ("windows", "context"))
    fine, coarse = self.trunk(cut, training=training)
    seen = self.layout(coarse, training=training)
    h = self.dense(tf.concat([seen, self.place(context_)], axis=-1))
    # Bilinear upsampling gives float32, whatever it takes.
    finer = tf.cast(self.upsample(self.lateral(coarse)), fine.dtype)
    mixed = self.mix(tf.concat([fine, finer], axis=-1))
    outputs = {"h": h, "poses": self.poses(h), "masks": self.masks(mixed)}
    return {name: tf.cast(value, tf.float32)[:n] for name, value in outputs.items()}

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "filters": self.filters, "n_classes": self.n_classes}


@tf.keras.utils.register_keras_serializable(package="garden")
class TopDownHead(tf.keras.layers.Layer):
  """Reads windows from the top interface down: `{"features", "valid"}` -> logits and margins.

  At interface i a MLP sees its window's features and the state of interface i + 1 (zeros
  above the top) and gives a new state, the logit of falling there, and the margin.

  `features` are `[b, W, d]`, `valid` `[b, W]` bool; returns a dict of `interfaces` `[b, W]`
  (logits), `margins` `[b, W]`, `fall` `[b]` (the tower's logit).

  Args:
    units: of the MLP's two layers.
    state: size of the state.
    **kwargs: of `tf.keras.layers.Layer`.
  """

  def __init__(self, units=128, state=64, **kwargs):
    super().__init__(**kwargs)
    self.units, self.state = int(units), int(state)
    self.hidden = [tf.keras.layers.Dense(self.units, activation="relu", dtype=self.dtype_policy)
                   for _ in range(2)]
    self.out = tf.keras.layers.Dense(self.state + 2, dtype=self.dtype_policy)

  def call(self, inputs):
    """Features of windows -> logits and margins of interfaces, logit of the tower."""
    features, valid = inputs["features"], inputs["valid"]
    mask = tf.cast(valid, features.dtype)
    state = tf.zeros([tf.shape(features)[0], self.state], features.dtype)
    logits, margins = [], []
    for i in reversed(range(features.shape[1])):
      x = tf.concat([features[:, i], state], axis=-1)
      for layer in self.hidden:
        x = layer(x)
      x = self.out(x)
      state = tf.nn.relu(x[:, 2:]) * mask[:, i, tf.newaxis]
      logits.append(x[:, 0])
      margins.append(x[:, 1])
    logits, margins = (tf.cast(tf.stack(values[::-1], axis=1), tf.float32)
                       for values in (logits, margins))
    return {"interfaces": logits, "margins": margins, "fall": tower_logit(logits, valid)}

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "units": self.units, "state": self.state}


def tower_logit(logits, valid):
  """Log-sum-exp of the valid interfaces' logits `[b, W]` -> `[b]`; a lone block stands."""
  lowest = tf.fill([tf.shape(logits)[0], 1], tf.cast(STANDS, logits.dtype))
  kept = tf.where(valid, logits, tf.cast(-1e9, logits.dtype))
  return tf.reduce_logsumexp(tf.concat([kept, lowest], axis=1), axis=1)
