"""The pixels of a scene, and the photographs and clips of a seed.

The polygons are carried into the picture point by point and drawn on a canvas of several times its
resolution. Over the ground come the shadow, the shape and the bars; a frame is the mean of what
the camera sees while its shutter is open. Then come the lens and the sensor.
"""

import operator

import numpy as np
from PIL import Image
from PIL import ImageChops
from PIL import ImageDraw
from scipy import ndimage

from garden.worlds.moving_shapes import scene as scenes
from garden.worlds.moving_shapes import shapes

MIN_SIZE = 16  # below it a ring's hole closes
_FINE = 4  # canvas pixels for each pixel of the picture, across
_EXPOSURES = 6  # moments whose mean is a frame; more are not seen at these speeds
_SPLITS = {"source": 0, "labeled": 1, "unlabeled": 2, "test": 3}
_CLASS_STREAM = 10  # keeps the draw of classes apart from that of scenes


def _axes(size):
  """The pixels' x `[1, s]` and y `[s, 1]` in [-0.5, 0.5], from the picture's middle."""
  middles = (np.arange(size) + 0.5) / size - 0.5
  return middles[None, :], middles[:, None]


def _place(body, time):
  """The body's centre `[2]` and radius at a time."""
  off = time - 0.5
  velocity = np.array(body.velocity)
  left = np.array([velocity[1], -velocity[0]]) / max(np.hypot(*velocity), 1e-9)
  center = np.array(body.center) + off * velocity + body.bow * (2.0 * off) ** 2 * left
  return center, body.radius * (1.0 + off * body.growth)


def _mask(body, time, size, shift=(0.0, 0.0)):
  """Share of each pixel that the body covers at a time, `[size, size]` in [0, 1]."""
  center, radius = _place(body, time)
  angle = body.rotation + (time - 0.5) * body.spin
  cos, sin = np.cos(angle), np.sin(angle)
  turn = radius * np.array([[cos, -sin], [sin, cos]]) @ np.diag([1.0, body.squash])
  canvas = Image.new("1", (_FINE * size, _FINE * size))
  for polygon in shapes.outline(body.shape, body.bend):
    points = (center + np.array(shift) + polygon @ turn.T) * _FINE * size
    part = Image.new("1", canvas.size)
    ImageDraw.Draw(part).polygon(points.ravel().tolist(), fill=1)
    canvas = ImageChops.logical_xor(canvas, part)
  small = canvas.convert("L").resize((size, size), Image.Resampling.BOX)
  return np.asarray(small, dtype=np.float64) / 255.0


def _ground(ground, size):
  """The picture `[s, s, 3]` without the shape."""
  x, y = _axes(size)
  rng = np.random.default_rng(ground.seed)
  along = x * np.cos(ground.angle) + y * np.sin(ground.angle)
  across = y * np.cos(ground.angle) - x * np.sin(ground.angle)
  wave = 2.0 * np.pi / ground.period
  if ground.pattern == "stripes":
    share = 0.5 + 0.5 * np.tanh(4.0 * np.sin(wave * along))
  elif ground.pattern == "checks":
    share = 0.5 + 0.5 * np.tanh(8.0 * np.sin(wave * along) * np.sin(wave * across))
  elif ground.pattern == "blots":
    # Drawn on a grid of its own, so that they are the same ones at every size.
    side = max(2, round(1.0 / ground.period) + 1)
    coarse = Image.fromarray(rng.uniform(-0.3, 1.3, (side, side)).astype(np.float32))
    share = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float64)
  else:
    share = 0.5 + along
  first, second = np.array(ground.colors)
  picture = first + np.clip(share, 0.0, 1.0)[..., None] * (second - first)
  return picture + ground.grain * rng.normal(0.0, 1.0, (size, size, 1))


def _cover(picture, share, color):
  """Paints `color` on the picture `[s, s, 3]` where `share` `[s, s]` says so."""
  return picture + share[..., None] * (color - picture)


def _moment(scene, ground, time):
  """What the camera sees at a time, `[s, s, 3]`, on the ground `[s, s, 3]`."""
  size = len(ground)
  x, y = _axes(size)
  picture = ground
  if scene.shadow is not None:
    dark = 0.45 * ndimage.gaussian_filter(
      _mask(scene.body, time, size, scene.shadow), 0.02 * size)
    picture = picture * (1.0 - dark[..., None])
  (center_x, center_y), radius = _place(scene.body, time)
  lit = ((x + 0.5 - center_x) * np.cos(scene.light) + (y + 0.5 - center_y) * np.sin(scene.light))
  shade = 1.0 + scene.shading * np.clip(lit / radius, -1.0, 1.0)
  color = shade[..., None] * np.array(scene.body.color)
  picture = _cover(picture, _mask(scene.body, time, size), color)
  for bar in scene.bars:
    off = x * np.cos(bar.angle) + y * np.sin(bar.angle) - bar.offset - (time - 0.5) * bar.speed
    share = np.clip((0.5 * bar.width - np.abs(off)) * size + 0.5, 0.0, 1.0)
    picture = _cover(picture, share, np.array(bar.color))
  return picture


def render(scene, size=48, frames=1):
  """Films a scene.

  Args:
    scene: `scenes.Scene`.
    size: side of a frame in pixels, at least 16.
    frames: number of frames, at even times; 1 is a photograph at time 0.5.

  Returns:
    `[frames, size, size, 3]` uint8, RGB.

  Raises:
    ValueError: `size` or `frames` is too small.

  Example:
    >>> render(scenes.Scene(scenes.Body("heart")), frames=2).shape
    (2, 48, 48, 3)
  """
  size = checked_integer("size", size, MIN_SIZE)
  frames = checked_integer("frames", frames, 1)
  ground = _ground(scene.ground, size)
  moments = (np.arange(_EXPOSURES) + 0.5) / _EXPOSURES - 0.5 if scene.exposure else np.zeros(1)
  film = np.empty((frames, size, size, 3), np.uint8)
  for i in range(frames):
    times = (i + 0.5) / frames + scene.exposure * moments
    picture = np.mean([_moment(scene, ground, time) for time in times], axis=0)
    blur = scene.blur * size
    picture = ndimage.gaussian_filter(picture, (blur, blur, 0.0), mode="nearest")
    noise = np.random.default_rng([scene.noise_seed, i]).normal(0.0, 1.0, picture.shape)
    film[i] = np.round(255.0 * np.clip(picture + scene.noise * noise, 0.0, 1.0))
  return film


def checked_integer(name, value, least):
  """Returns `value` as an int of at least `least`, or raises a ValueError."""
  try:
    number = operator.index(value)
  except TypeError:
    raise ValueError(f"{name} is {value!r}; it must be an integer of at least {least}") from None
  if number < least:
    raise ValueError(f"{name} is {value!r}; it must be at least {least}")
  return number


def _draw(split, index, seed, classes):
  """The class of an index, of which each run of `len(classes)` holds all, and its generator."""
  seed, index = checked_integer("seed", seed, 0), checked_integer("index", index, 0)
  block, place = divmod(index, len(classes))
  stream = _SPLITS[split]
  # A permutation, so that the place in a listing doesn't tell the class.
  order = np.random.default_rng([seed, _CLASS_STREAM + stream, block]).permutation(len(classes))
  return classes[order[place]], np.random.default_rng([seed, stream, index])


def photograph(index, seed=0, size=48):
  """Makes one picture of the labelled source.

  Args:
    index: its number, at least 0. Each run of 10 from a multiple of 10 on holds every class once.
    seed: int, at least 0.
    size: side in pixels, at least 16.

  Returns:
    `(image, shape)`: `[size, size, 3]` uint8, and a name of `shapes.SOURCE_CLASSES`.

  Raises:
    ValueError: an argument is outside its range.

  Example:
    >>> photograph(0)[0].shape
    (48, 48, 3)
  """
  shape, rng = _draw("source", index, seed, shapes.SOURCE_CLASSES)
  return render(scenes.sample_photograph(shape, rng), size)[0], shape


def clip(split, index, seed=0, size=48, frames=8):
  """Makes one clip of the target.

  Args:
    split: "labeled", "unlabeled" or "test"; each has clips of its own.
    index: its number, at least 0. Each run of 5 from a multiple of 5 on holds every class once.
    seed: int, at least 0.
    size: side of a frame in pixels, at least 16.
    frames: number of frames, at least 1.

  Returns:
    `(images, shape)`: `[frames, size, size, 3]` uint8, and a name of `shapes.TARGET_CLASSES`.

  Raises:
    ValueError: an argument is outside its range.

  Example:
    >>> clip("test", 0)[0].shape
    (8, 48, 48, 3)
  """
  splits = [name for name in _SPLITS if name != "source"]
  if split not in splits:
    raise ValueError(f"split is {split!r}; it must be one of {', '.join(splits)}")
  shape, rng = _draw(split, index, seed, shapes.TARGET_CLASSES)
  return render(scenes.sample_clip(shape, rng), size, frames), shape
