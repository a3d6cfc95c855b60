"""Perception of billiards: the first frames of a video -> where balls are, and how fast.

A small convolutional net gives each pixel of each frame a score h_k for each colour class; a ball
is where the scores' mass is, to a fraction of a pixel, and on the table if the mass is there:

    p_k(u) = softmax_u h_k(u),   x_k = sum_u u p_k(u),   there_k = sigmoid(max_u h_k(u))

Velocities come from the S positions. A ball that rolls freely shows its velocity in their
differences, one that has just met a cushion or another ball doesn't; so the differences, the
distances from the cushions and the sum of what the neighbours' tracks say go through a small net:

    v = (x_S - x_{S-1}) / h + L d + g(d, room, sum_{j near} f(d, d_j, x_j - x))

with the differences d of all frames and L linear. Colours are means of the pixels below a disc,
in closed form. Place k of a state belongs to colour class k + 1, as in `datasets.billiards`.

Deviation: the paper's ResNet-18 sees proposals, one object at a time; discs of known colours need
neither, and a mass of scores is finer than a regression.
"""

import tensorflow as tf

from garden.worlds.billiards import scene

_INSIDE = 0.7  # share of a radius below which a pixel is the ball's alone
_OUTSIDE = 1.3  # and above which it's the cloth's
_FAR = 0.3  # m; cushions further away are as good as not there
_REACH = 0.5  # m between the rims; neighbours further away have met nobody within a frame
_SPEED = 0.1  # differences of positions are divided by this: about 1


@tf.keras.utils.register_keras_serializable(package="garden")
class BallHeatMaps(tf.keras.layers.Layer):
  """Frames `[n, s, s, 3]` in [0, 1] -> position `[n, K, 2]`, metres, and presence logits `[n, K]`.

  Args:
    classes: K, colour classes.
    filters: channels of the two convolutions below the scores.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> frames = tf.keras.Input([64, 64, 3])
    >>> position, logits = BallHeatMaps(classes=4)(frames)
    >>> tf.keras.Model(frames, [position, logits]).output_shape
    [(None, 4, 2), (None, 4)]
  """

  def __init__(self, classes=4, filters=(16, 16), **kwargs):
    super().__init__(**kwargs)
    self.classes, self.filters = int(classes), tuple(int(f) for f in filters)
    if self.classes < 1 or len(self.filters) != 2:
      raise ValueError(f"classes is {self.classes} and filters are {self.filters}; give at least "
                       "one class and two numbers of channels")
    make = dict(padding="same", activation="relu", kernel_initializer="he_normal",
                dtype=self.dtype_policy)
    self.near = tf.keras.layers.Conv2D(self.filters[0], 3, **make)
    self.around = tf.keras.layers.Conv2D(self.filters[1], 3, dilation_rate=2, **make)
    self.scores = tf.keras.layers.Conv2D(self.classes, 1, dtype=self.dtype_policy)

  def call(self, frames):
    """Where the scores' masses are, and how high they reach."""
    scores = self.heat(frames)
    shape = tf.shape(scores)
    flat = tf.reshape(scores, [shape[0], shape[1] * shape[2], self.classes])
    mass = tf.nn.softmax(flat, axis=1)
    spots = tf.reshape(pixel_middles(shape[1], shape[2]), [-1, 2])
    return tf.einsum("nuk,ui->nki", mass, spots), tf.reduce_max(flat, axis=1)

  def heat(self, frames):
    """The scores `[n, s, s, K]`."""
    x = 2.0 * tf.cast(frames, self.compute_dtype) - 1.0
    x = self.near(x)
    # The first features again: colours are told at the pixel, discs from around it.
    x = tf.concat([x, self.around(x)], axis=-1)
    return tf.cast(self.scores(x), tf.float32)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "classes": self.classes, "filters": self.filters}


@tf.keras.utils.register_keras_serializable(package="garden")
class BallVelocity(tf.keras.layers.Layer):
  """Tracks of balls -> their velocities in the last frame.

  Before it's trained the velocity is the last difference. It treats all places alike.

  Args:
    seconds: between two frames.
    units: of the nets' hidden layers.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> track, radius = tf.keras.Input([4, 3, 2]), tf.keras.Input([3])
    >>> present = tf.keras.Input([3], dtype="bool")
    >>> velocity = BallVelocity()(track, present, radius)
    >>> tf.keras.Model([track, present, radius], velocity).output_shape
    (None, 3, 2)
  """

  def __init__(self, seconds=0.1, units=64, **kwargs):
    super().__init__(**kwargs)
    if not seconds > 0 or units < 1:
      raise ValueError(f"seconds is {seconds} and units is {units}; they must be above 0 and at "
                       "least 1")
    self.seconds, self.units = float(seconds), int(units)

    def net(name, outputs, last):
      return tf.keras.Sequential([
          tf.keras.layers.Dense(self.units, activation="relu"),
          tf.keras.layers.Dense(self.units, activation="relu"),
          tf.keras.layers.Dense(outputs, kernel_initializer=last)], name=name)

    self.effect = net("effect", self.units, "glorot_uniform")
    self.correction = net("correction", 2, "zeros")
    self.linear = tf.keras.layers.Dense(2, use_bias=False, kernel_initializer="zeros",
                                        name="linear")

  def call(self, track, present, radius):
    """Velocities in the last frame.

    Args:
      track: `[n, S, K, 2]` positions in S >= 2 frames, metres.
      present: `[n, K]` bool.
      radius: `[n, K]` metres.

    Returns:
      `[n, K, 2]`, metres a second; 0 where there is no ball.
    """
    last, shape = track[:, -1], tf.shape(track)
    steps = tf.transpose((track[:, 1:] - track[:, :-1]) / _SPEED, [0, 2, 1, 3])
    steps = tf.reshape(steps, [shape[0], shape[2], 2 * (track.shape[1] - 1)])
    ours, theirs = (tf.repeat(tf.expand_dims(steps, axis), shape[2], axis=axis) for axis in (2, 1))
    between = last[:, tf.newaxis] - last[:, :, tf.newaxis]  # [n, i, j, 2]: from i to j
    # The square root has no gradient at 0, where a ball meets itself.
    gap = (tf.sqrt(tf.reduce_sum(tf.square(between), axis=-1) + 1e-12)
           - radius[:, tf.newaxis] - radius[:, :, tf.newaxis])[..., tf.newaxis]
    near = (present[:, tf.newaxis] & present[:, :, tf.newaxis]
            & ~tf.eye(shape[2], dtype=tf.bool)[tf.newaxis])[..., tf.newaxis] & (gap < _REACH)
    effects = self.effect(tf.concat([ours, theirs, between, gap], axis=-1))
    effects = tf.reduce_sum(tf.where(near, effects, 0.0), axis=2)
    rim = scene.HALF_TABLE - radius[..., tf.newaxis]
    room = tf.minimum(tf.concat([rim - last, rim + last], axis=-1), _FAR)
    velocity = ((last - track[:, -2]) / self.seconds + self.linear(steps)
                + self.correction(tf.concat([steps, room, effects], axis=-1)))
    return tf.where(present[..., tf.newaxis], velocity, 0.0)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "seconds": self.seconds, "units": self.units}


@tf.keras.utils.register_keras_serializable(package="garden")
class BallPerception(tf.keras.layers.Layer):
  """The first S frames of a video -> the state in the last of them.

  Args:
    seen: S, at least 2.
    classes: K, colour classes, and places of the state.
    filters: of `BallHeatMaps`.
    units: of `BallVelocity`.
    seconds: between two frames.
    radius: of all balls, metres: of one known size, as on a real table.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> frames = tf.keras.Input([4, 64, 64, 3])
    >>> net = tf.keras.Model(frames, BallPerception(seen=4)(frames))
    >>> net.output_shape["velocity"]
    (None, 4, 2)
  """

  def __init__(self, seen=4, classes=4, filters=(16, 16), units=64, seconds=0.1,
               radius=scene.RADIUS, **kwargs):
    super().__init__(**kwargs)
    if seen < 2 or not radius > 0:
      raise ValueError(f"seen is {seen} and radius is {radius}; a velocity needs at least 2 "
                       "frames, and a ball a radius above 0")
    self.seen, self.radius = int(seen), float(radius)
    self.heat_maps = BallHeatMaps(classes, filters)
    self.velocity = BallVelocity(seconds, units)

  def call(self, frames):
    """The state.

    Args:
      frames: `[b, S, s, s, 3]` in [0, 1].

    Returns:
      Dict of `present` `[b, K]` bool and its `logits`; `track` `[b, S, K, 2]`, positions in all
      frames, metres; `position` and `velocity` `[b, K, 2]` in the last; `radius` `[b, K]`;
      `color` `[b, K, 3]` and `cloth_color` `[b, 3]`.
    """
    if frames.shape[1] != self.seen:
      raise ValueError(f"frames are {frames.shape[1]}, but perception was made for {self.seen}")
    side = frames.shape[2]
    track, logits = self.heat_maps(tf.reshape(frames, [-1, side, side, 3]))
    classes = self.heat_maps.classes
    track = tf.reshape(track, [-1, self.seen, classes, 2])
    logits = tf.reduce_mean(tf.reshape(logits, [-1, self.seen, classes]), axis=1)
    present = logits > 0.0
    radius = tf.where(present, self.radius, 0.0)
    color, cloth = colors_of(frames[:, -1], track[:, -1], present, radius)
    return {"present": present, "logits": logits, "track": track, "position": track[:, -1],
            "velocity": self.velocity(track, present, radius), "radius": radius, "color": color,
            "cloth_color": cloth}

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "seen": self.seen, "classes": self.heat_maps.classes,
            "filters": self.heat_maps.filters, "units": self.velocity.units,
            "seconds": self.velocity.seconds, "radius": self.radius}


def pixel_middles(height, width):
  """Where the middles of pixels are on the table: `[h, w, 2]`, metres, y up."""
  half = scene.HALF_TABLE
  x = half * (2.0 * (tf.range(width, dtype=tf.float32) + 0.5) / tf.cast(width, tf.float32) - 1.0)
  y = half * (1.0 - 2.0 * (tf.range(height, dtype=tf.float32) + 0.5) / tf.cast(height, tf.float32))
  return tf.stack(tf.meshgrid(x, y), axis=-1)


def colors_of(image, position, present, radius):
  """Colours of balls and cloth: means of the pixels well inside of discs, and outside of all.

  No gradient goes through it: which pixels are averaged is a matter of yes or no.

  Args:
    image: `[b, s, s, 3]` in [0, 1].
    position: `[b, K, 2]` metres.
    present: `[b, K]` bool.
    radius: `[b, K]` metres.

  Returns:
    `[b, K, 3]` and `[b, 3]`; 0 where there is no ball, or no pixel of its.

  Example:
    color, cloth_color = colors_of(image, state["position"], state["present"], state["radius"])
  """
  image, position = tf.stop_gradient(image), tf.stop_gradient(position)
  spots = pixel_middles(image.shape[1], image.shape[2])
  apart = tf.norm(spots - position[:, :, tf.newaxis, tf.newaxis], axis=-1)  # [b, K, s, s]
  radius = radius[..., tf.newaxis, tf.newaxis]
  there = present[..., tf.newaxis, tf.newaxis]
  inside = tf.cast((apart < _INSIDE * radius) & there, tf.float32)
  outside = tf.cast(tf.reduce_all((apart > _OUTSIDE * radius) | ~there, axis=1), tf.float32)
  color = tf.math.divide_no_nan(tf.einsum("bkyx,byxc->bkc", inside, image),
                                tf.reduce_sum(inside, axis=[2, 3])[..., tf.newaxis])
  cloth = tf.math.divide_no_nan(tf.einsum("byx,byxc->bc", outside, image),
                                tf.reduce_sum(outside, axis=[1, 2])[..., tf.newaxis])
  return color, cloth
