"""Perception: an image and its camera -> the state of the tower.

The strong form: a net proposes where blocks are (`proposals`), each pair of neighbours is cut out
at the scale that the camera gives a block, and one shared net tells how the upper block lies on the
lower one:

    (dx, dy, cos 4a, sin 4a, cos 4b, sin 4b)

offset to the camera's right and away from it in block widths, yaw a of the lower and b of the
upper block from the camera's azimuth. Offsets add up from the base, a block's yaw is the mean of
what its pairs say, heights follow from the levels: blocks of this world are cubes of 1 m. Where
the base stands is what brings the blocks' boxes in the image where they were seen (`place_base`).

Wu, Lu, Kohli, Freeman, Tenenbaum, NIPS 2017 use a ResNet-18 on each object instead; whether a
tower stands depends on offsets of neighbours, which a window on both shows best.
"""

import math

import tensorflow as tf

from garden.core import layers
from garden.vda import object_net
from garden.vda import proposals
from garden.vda import state as state_lib
from garden.worlds.towers import camera as camera_lib
from garden.worlds.towers import scene
from garden.worlds.towers import windows

_POSES = 6
#: Middle and half the range of the protocol's cameras: what the net sees is about +-1.
_DISTANCE, _ELEVATION = (9.5, 1.0), (0.275, 0.175)
_PROBE = 0.05  # m, of the finite differences of `place_base`
_PRIOR = 0.01  # of a box in the image, for a metre away from where the camera looks
_FARTHEST = 1.0  # m, of one step


def camera_numbers(places, camera):
  """What the camera says of windows: `[N, W, 4]` boxes, `[N, 7]` -> `[N, W, 5]`, about +-1.

  Sine of the elevation of the ray through the window's middle, its direction to the right and
  up, the camera's distance and elevation.
  """
  # Slices 3:4, not newaxis: TensorFlow 2.15 loses a newaxis when it takes apart what was stacked.
  slope = tf.tan(camera[:, 3:4] * (math.pi / 360.0))
  middle = places[..., :2] + places[..., 2:] - 1.0  # y, x in +-1
  up, right = -middle[..., 0] * slope, middle[..., 1] * slope
  elevation = camera[:, 1:2] + tf.zeros_like(up)
  rise = (up * tf.cos(elevation) - tf.sin(elevation)) / tf.sqrt(1.0 + up ** 2 + right ** 2)
  distance = (camera[:, 2:3] - _DISTANCE[0]) / _DISTANCE[1] + tf.zeros_like(up)
  return tf.stack([2.0 * rise, 3.0 * right, 3.0 * up, distance,
                   (elevation - _ELEVATION[0]) / _ELEVATION[1]], axis=-1)


def assemble(poses, valid, present, azimuth):
  """Puts pairs together: where blocks are by the base, and how they are turned.

  Args:
    poses: `[N, W, 6]` float, of the pairs from the lowest up.
    valid: `[N, W]` bool, which pairs there are.
    present: `[N, W + 1]` bool, which blocks there are.
    azimuth: `[N]` of the camera, radians.

  Returns:
    Dict of `present`; `position` `[N, W + 1, 3]`, the base in the middle of the floor; `rotation`
    and `size`. A block without a pair is turned towards the camera.

  Example:
    state = assemble(towers.poses, towers.valid, towers.present, towers.camera[:, 0])
  """
  there = tf.cast(valid, poses.dtype)[..., tf.newaxis]
  steps = tf.pad(tf.cumsum(poses[..., :2] * there, axis=1), [[0, 0], [1, 0], [0, 0]])
  turn = (tf.pad(poses[..., 2:4] * there, [[0, 0], [0, 1], [0, 0]])
          + tf.pad(poses[..., 4:6] * there, [[0, 0], [1, 0], [0, 0]]))
  # At (0, 0) the gradient of atan2 is NaN.
  none = tf.reduce_sum(tf.square(turn), axis=-1, keepdims=True) < 1e-12
  turn = tf.where(none, tf.constant([1.0, 0.0]), turn)
  yaw = tf.atan2(turn[..., 1], turn[..., 0]) / 4.0 + azimuth[:, tf.newaxis]
  levels = scene.HALF_SIZE * (2.0 * tf.range(present.shape[1], dtype=tf.float32) + 1.0)
  z = tf.broadcast_to(levels, tf.shape(yaw))
  position = tf.concat([state_lib.from_seen(steps, azimuth), z[..., tf.newaxis]], axis=-1)
  return {"present": present, "position": position, "rotation": state_lib.rotation_of(yaw),
          "size": tf.fill(tf.shape(position), scene.HALF_SIZE)}


def place_base(state, boxes, camera, steps=4):
  """Moves a tower over the floor to where its blocks' boxes are seen.

  Damped Gauss-Newton over two unknowns, with the left, right and lower sides of the boxes as
  residuals (the upper side of a block may be hidden) and a weak pull to where the camera looks.

  Args:
    state: of `assemble`.
    boxes: `[N, B, 4]` (y0, x0, y1, x1) in [0, 1], of what is seen of the blocks.
    camera: `[N, 7]`.
    steps: of Gauss-Newton.

  Returns:
    The state, moved. Differentiable; the directions of the steps are taken as constant.

  Example:
    state = place_base(assemble(poses, valid, present, camera[:, 0]), boxes, camera)
  """
  fields, azimuth = camera_lib.unpack(camera), camera[:, 0]
  weight = tf.cast(state["present"], tf.float32)[..., tf.newaxis] * tf.ones([3])
  start = tf.reduce_sum(state["position"] * weight, axis=1) / tf.maximum(
      tf.reduce_sum(weight, axis=1), 1.0)
  place = state_lib.as_seen(fields["camera_target"][:, :2] - start[:, :2], azimuth)

  def residuals(place):
    found = camera_lib.boxes({**fields, **moved(place)}, 1)
    error = tf.gather((found - boxes), [1, 2, 3], axis=-1) * weight
    return tf.reshape(error, [-1, weight.shape[1] * 3])

  def moved(place):
    shift = tf.pad(state_lib.from_seen(place[:, tf.newaxis], azimuth), [[0, 0], [0, 0], [0, 1]])
    return {**state, "position": state["position"] + shift}

  home = place
  for _ in range(steps):
    error = residuals(place)
    slopes = tf.stop_gradient(tf.stack([
        (residuals(place + _PROBE * tf.one_hot(k, 2)) - error) / _PROBE for k in range(2)],
        axis=-1))
    normal = tf.einsum("nri,nrj->nij", slopes, slopes) + _PRIOR ** 2 * tf.eye(2)
    pull = tf.einsum("nri,nr->ni", slopes, error) + _PRIOR ** 2 * (place - home)
    step = tf.linalg.solve(normal, pull[..., tf.newaxis])[..., 0]
    place -= tf.clip_by_value(step, -_FARTHEST, _FARTHEST)
  return moved(place)


def standardized(images):
  """Images with a mean of .5 and a deviation of .2 each, over all channels: no dark ones."""
  mean, variance = tf.nn.moments(images, axes=[1, 2, 3], keepdims=True)
  return 0.5 + 0.2 * (images - mean) * tf.math.rsqrt(variance + 1e-4)


def build(poses, valid, present, boxes, camera):
  """The state without colours that pairs and boxes tell: `assemble`, then `place_base`."""
  return place_base(assemble(poses, valid, present, camera[:, 0]), boxes, camera)


@tf.keras.utils.register_keras_serializable(package="garden")
class PairNet(tf.keras.layers.Layer):
  """How the upper of two blocks lies on the lower one: `{"windows", "camera"}` -> `[n, 6]`.

  `windows` are `[n, s, s, 3]` in [0, 1], `camera` `[n, 5]` (`camera_numbers`); see the module for
  the six numbers. n may be 0.

  Args:
    filters: channels of the trunk.
    units: of the two dense layers.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    poses = PairNet()({"windows": tf.zeros([8, 64, 64, 3]), "camera": tf.zeros([8, 5])})
  """

  def __init__(self, filters=(24, 48, 96), units=(256, 192), **kwargs):
    super().__init__(**kwargs)
    self.filters, self.units = tuple(filters), tuple(units)
    policy = dict(dtype=self.dtype_policy)
    self.trunk = layers.Trunk(self.filters, **policy)
    self.layout = layers.LayoutHead(48, self.units[0], **policy)
    self.camera = tf.keras.layers.Dense(32, activation="relu", **policy)
    self.dense = tf.keras.layers.Dense(self.units[1], activation=tf.nn.leaky_relu, **policy)
    self.poses = tf.keras.layers.Dense(_POSES, dtype="float32")

  def call(self, inputs, training=None):
    """The dict of windows and camera numbers -> poses."""
    n = tf.shape(inputs["windows"])[0]
    cut, numbers = (layers.not_empty(inputs[name]) for name in ("windows", "camera"))
    seen = self.layout(self.trunk(cut, training=training)[-1], training=training)
    return self.poses(self.dense(tf.concat([seen, self.camera(numbers)], axis=-1)))[:n]

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "filters": self.filters, "units": self.units}


@tf.keras.utils.register_keras_serializable(package="garden")
class Perception(tf.keras.layers.Layer):
  """Images and cameras to states: `{"image", "camera"}` -> a state with what led to it.

  `image` is `[N, s, s, 3]` in [0, 1], `camera` `[N, 7]`. The result is a state (see `state`) with
  `color_class` `[N, B]` int32, `score` and `boxes` `[N, B, 4]` of the proposals, `crowded` `[N]`
  bool, `poses` `[N, B - 1, 6]` and `valid` `[N, B - 1]`. A color is as it is seen, light included.

  Args:
    n_colors: K, colours that proposals tell apart.
    places: B, the most blocks of a tower. No weight depends on it: it may be set at any time
      before a graph is traced.
    filters: of the pairs' trunk.
    size: side of a window in pixels.
    pixels_per_block: scale of the windows.
    proposal_size: side of the square that proposals see, in pixels.
    form: "pairs", or "objects", the paper's (see `object_net`).
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> inputs = {"image": tf.keras.Input([84, 84, 3]), "camera": tf.keras.Input([7])}
    >>> state = Perception(places=4)(inputs)
    >>> tf.keras.Model(inputs, [state["position"], state["rotation"]]).output_shape
    [(None, 4, 3), (None, 4, 4)]
  """

  def __init__(self, n_colors=4, places=4, filters=(24, 48, 96), size=64, pixels_per_block=24.0,
               proposal_size=84, form="pairs", **kwargs):
    super().__init__(**kwargs)
    if form not in ("pairs", "objects"):
      raise ValueError(f"form is {form!r}; it must be pairs or objects")
    self.form = form
    self.n_colors, self.places, self.filters = int(n_colors), int(places), tuple(filters)
    self.size, self.pixels_per_block = int(size), float(pixels_per_block)
    self.proposal_size = int(proposal_size)
    self.proposals = proposals.Proposals(self.n_colors, dtype=self.dtype_policy)
    if form == "pairs":
      self.pair_net = PairNet(self.filters, dtype=self.dtype_policy)
    else:
      self.object_net = object_net.ObjectNet(dtype=self.dtype_policy)

  def call(self, inputs, training=None):
    """Images and cameras -> states, with boxes by the proposals."""
    images, camera = inputs["image"], inputs["camera"]
    squares = proposals.squares(camera)
    cells = self.proposals(self.square_views(images, squares), training=training)
    found = self.propose(images, cells, squares)
    state = self.look(images, camera, found["boxes"], found["present"], training)
    return {**found, **state}

  def square_views(self, images, squares):
    """What the proposals' net sees: squares of images, brought to one brightness and contrast."""
    return standardized(proposals.cut(images, squares, self.proposal_size))

  def propose(self, images, cells, squares, places=None):
    """What the proposals' cells say of blocks, the lowest first.

    Args:
      images: `[N, s, s, 3]`, for the colours.
      cells: `[N, c, c, 5 + K]` of `proposals.Proposals`.
      squares: `[N, 4]` that they saw.
      places: B; the layer's own if it is None.

    Returns:
      Dict of `boxes` in shares of the image, `present`, `score`, `color`, `color_class` and
      `crowded`.
    """
    found = proposals.decode(cells, places or self.places)
    crowded = found.pop("crowded")
    order = windows.level_order(found["boxes"], found["present"])
    found = {name: tf.gather(value, order, batch_dims=1) for name, value in found.items()}
    there = tf.cast(found["present"], tf.float32)[..., tf.newaxis]
    boxes = there * proposals.out_of(found["boxes"], squares)
    return {**found, "boxes": boxes, "color": there * _mean_colors(images, boxes),
            "crowded": crowded}

  def look(self, images, camera, boxes, present, training=None):
    """The state, without colours, of blocks whose boxes `[N, B, 4]` are known, lowest first."""
    union, valid = windows.pairs(boxes, present)
    if self.form == "pairs":
      poses = windows.scatter(self.pair_net(
          self._seen(images, camera, union, valid), training=training), valid)
    else:
      seen = self._seen(images, camera, boxes, present)
      whole = standardized(tf.image.resize(images, [self.size] * 2, method="area"))
      states = windows.scatter(self.object_net({
          "crops": seen["windows"], "camera": seen["camera"],
          "whole": tf.gather(whole, tf.where(present)[:, 0])}, training=training), present)
      poses = object_net.pairs_of(tf.ensure_shape(states, [None, boxes.shape[1], 4]))
    poses = tf.ensure_shape(poses, [None, boxes.shape[1] - 1, _POSES])
    return {**build(poses, valid, present, boxes, camera), "poses": poses, "valid": valid}

  def _seen(self, images, camera, boxes, there):
    """What is cut out around boxes `[N, K, 4]` where they are `there`, and the camera's numbers."""
    height = camera_lib.block_height(camera)[:, tf.newaxis] + tf.zeros_like(boxes[..., 0])
    places = windows.place(boxes, height, self.size, self.pixels_per_block)
    return {"windows": standardized(windows.crop(images, places, there, self.size)),
            "camera": tf.boolean_mask(camera_numbers(places, camera), there)}

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_colors": self.n_colors, "places": self.places,
            "filters": self.filters, "size": self.size,
            "pixels_per_block": self.pixels_per_block, "proposal_size": self.proposal_size,
            "form": self.form}


def _mean_colors(images, boxes, side=8):
  """`[N, B, 3]`, mean colour of the middle of each box, which is surely the block's."""
  count = boxes.shape[1]
  middle, half = 0.5 * (boxes[..., :2] + boxes[..., 2:]), 0.25 * (boxes[..., 2:] - boxes[..., :2])
  parts = tf.image.crop_and_resize(
      images, tf.reshape(tf.concat([middle - half, middle + half], axis=-1), [-1, 4]),
      tf.repeat(tf.range(tf.shape(images)[0]), count), [side, side])
  return tf.reshape(tf.reduce_mean(parts, axis=[1, 2]), [-1, count, 3])
