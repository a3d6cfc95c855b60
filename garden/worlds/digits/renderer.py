"""The picture of a scene, and many of them.

The strokes are carried into the picture point by point (slant, shear, rotation, perspective), and
drawn with a round pen on a canvas of several times the picture's resolution. Level strokes get
thinner than upright ones by a canvas that is finer in y than in x: the round pen is flat once the
canvas is shrunk. Then come colours, light, and the camera: blur, sensor, noise, JPEG.
"""

import io
import operator

import numpy as np
from PIL import Image
from PIL import ImageDraw
from scipy import ndimage

from garden.worlds.digits import glyphs
from garden.worlds.digits import scene as scenes

_FINE = 4  # canvas pixels for each pixel of the picture, across
_MIN_SIZE = 16  # below it the holes of 6, 8 and 9 close
_LABEL_STREAM = 1  # keeps the draw of labels apart from that of pictures


def _boxed(digit, typeface):
  """Strokes of a digit in units of its height, y around 0; x of its ink begins and ends where."""
  paths = glyphs.strokes(
    digit, typeface.variants[digit], typeface.power, typeface.waist, typeface.tail
  )
  paths = [(path - 0.5) * np.array([typeface.width, 1.0]) for path in paths]
  x = np.concatenate(paths)[:, 0]
  return paths, x.min() - 0.5 * typeface.weight, x.max() + 0.5 * typeface.weight


def _string(scene):
  """Strokes of the digit, with its ink centred at 0, and of all its neighbours."""
  typeface = scene.typeface
  paths, low, high = _boxed(scene.digit, typeface)
  placed = [path - np.array([0.5 * (low + high), 0.0]) for path in paths]
  half = 0.5 * (high - low)
  for sign, neighbours in ((-1.0, scene.left), (1.0, scene.right)):
    end = half
    for digit in neighbours:
      paths, low, high = _boxed(digit, typeface)
      middle = end + typeface.gap + 0.5 * (high - low)
      placed += [path + np.array([sign * middle - 0.5 * (low + high), 0.0]) for path in paths]
      end = middle + 0.5 * (high - low)
  return placed


def _project(path, typeface, pose):
  """Carries points `[k, 2]` from units of the digit's height into the picture's [0, 1]."""
  sheared = np.array([[pose.stretch, -typeface.slant], [pose.shear, 1.0]])
  cos, sin = np.cos(pose.rotation), np.sin(pose.rotation)
  turned = np.array([[cos, -sin], [sin, cos]]) @ sheared
  # Neighbours are far out: the bound keeps the horizon out of the picture.
  depth = np.maximum(1.0 + path @ np.array(pose.perspective), 0.4)
  return np.array(pose.center) + pose.height * (path @ turned.T) / depth[:, None]


def _longer(points, length):
  """Points `[k, 2]` with both ends moved out by `length`: as far as a round end would reach."""
  points = points.copy()
  for end, inner in ((0, 1), (-1, -2)):
    along = points[end] - points[inner]
    points[end] += length * along / np.hypot(*along)
  return points


def _ink(paths, weight, typeface, size):
  """Share of each pixel that is under the pen, `[size, size]` in [0, 1]."""
  scale = np.array([_FINE * size, round(_FINE * size / typeface.contrast)])
  canvas = Image.new("L", tuple(int(side) for side in scale))
  draw = ImageDraw.Draw(canvas)
  width = max(1, round(weight * scale[0]))
  for path in paths:
    points, r = path * scale, 0.5 * width
    if not typeface.round_ends:
      points = _longer(points, r)
    draw.line(points.ravel().tolist(), fill=255, width=width)
    # Discs close the wedges that straight segments leave at their joints.
    for x, y in points if typeface.round_ends else points[1:-1]:
      draw.ellipse((x - r, y - r, x + r, y + r), fill=255)
  small = canvas.resize((size, size), Image.Resampling.BOX)
  return np.asarray(small, dtype=np.float64) / 255.0


def _axes(size):
  """The pixels' x `[1, s]` and y `[s, 1]` in [-0.5, 0.5], from the picture's middle."""
  middles = (np.arange(size) + 0.5) / size - 0.5
  return middles[None, :], middles[:, None]


def _beyond(angle, distance, size, softness=1.0):
  """Share `[size, size]` of each pixel beyond a border; `softness` is its width in pixels."""
  x, y = _axes(size)
  along = x * np.cos(angle) + y * np.sin(angle) - distance
  return np.clip(along * size / softness + 0.5, 0.0, 1.0)


def _cover(picture, share, color):
  """Paints `color` on the picture `[s, s, 3]` where `share` `[s, s]` says so."""
  return picture + share[..., None] * (np.array(color) - picture)


def _light(paint, size):
  """Factor `[size, size]` of the light at each pixel, around 1."""
  x, y = _axes(size)
  light = 1.0 + paint.slope[0] * x + paint.slope[1] * y
  texture = np.array(paint.texture, dtype=np.float32)
  if texture.any():
    fine = Image.fromarray(texture).resize((size, size), Image.Resampling.BICUBIC)
    light = light + np.asarray(fine)
  if paint.shade is not None:
    angle, distance, depth = paint.shade
    light = light * (1.0 - depth * _beyond(angle, distance, size, softness=0.1 * size))
  return light


def _photograph(picture, camera):
  """What the camera stores of a picture `[s, s, 3]` in [0, 1]: `[s, s, 3]` uint8."""
  size = len(picture)
  blurred = ndimage.gaussian_filter(
    picture, (camera.blur[1] * size, camera.blur[0] * size, 0.0), mode="nearest"
  )
  side = max(8, round(camera.resolution * size))
  if side != size:
    channels = [
      Image.fromarray(channel.astype(np.float32)).resize((side, side), Image.Resampling.BOX)
      for channel in np.moveaxis(blurred, 2, 0)
    ]
    blurred = np.stack([np.asarray(channel) for channel in channels], axis=2)
  noise = np.random.default_rng(camera.noise_seed).normal(0.0, 1.0, blurred.shape)
  noisy = np.clip(blurred + camera.noise * noise, 0.0, 1.0)
  image = Image.fromarray(np.round(255.0 * noisy).astype(np.uint8))
  if camera.jpeg_quality is not None:
    data = io.BytesIO()
    image.save(data, format="JPEG", quality=camera.jpeg_quality)
    image = Image.open(data)
  return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def render(scene, size=32):
  """Draws a scene.

  Args:
    scene: `scene.Scene`.
    size: side of the picture in pixels, at least 16.

  Returns:
    `[size, size, 3]` uint8, RGB.

  Raises:
    ValueError: `size` is too small.

  Example:
    >>> render(scenes.Scene(digit=4)).shape
    (32, 32, 3)
  """
  size = _checked_size(size)
  typeface, pose, paint = scene.typeface, scene.pose, scene.paint
  paths = [_project(path, typeface, pose) for path in _string(scene)]
  weight = typeface.weight * pose.height
  picture = np.broadcast_to(np.array(paint.wall), (size, size, 3))
  for edge in paint.edges:
    picture = _cover(picture, _beyond(edge.angle, edge.distance, size), edge.color)
  if paint.shadow is not None:
    moved = [path + np.array(paint.shadow) for path in paths]
    dark = paint.shadow_depth * _ink(moved, weight, typeface, size)
    picture = _cover(picture, dark, (0.0, 0.0, 0.0))
  if paint.outline is not None:
    around = _ink(paths, weight + 2.0 * paint.outline_width, typeface, size)
    picture = _cover(picture, around, paint.outline)
  picture = _cover(picture, _ink(paths, weight, typeface, size), paint.ink)
  lit = np.clip(picture * _light(paint, size)[..., None], 0.0, 1.0)
  return _photograph(lit, scene.camera)


def _checked_integer(name, value, low, fix):
  """`value` as an int of at least `low`, or ValueError."""
  try:
    number = operator.index(value)
  except TypeError:
    raise ValueError(f"{name} is {value!r}; it must be an integer of at least {low}") from None
  if number < low:
    raise ValueError(f"{name} is {value!r}; it must be at least {low}: {fix}")
  return number


def _checked_size(size):
  """`size` as an int, or ValueError."""
  return _checked_integer("size", size, _MIN_SIZE, "draw larger pictures and shrink them")


def _checked_classes(classes):
  """`classes` as a sorted list of ints, or ValueError."""
  if not np.iterable(classes):
    raise ValueError(f"classes is {classes!r}; give a list of integers in 0..9")
  classes = list(classes)
  wrong = [label for label in classes if label not in range(10)]
  if wrong:
    raise ValueError(f"classes has {wrong}; they must be integers in 0..9: remove these")
  if not classes:
    raise ValueError("classes is empty; name at least one digit in 0..9")
  if len(set(classes)) < len(classes):
    raise ValueError(f"classes is {classes}; name each digit once, classes are balanced")
  return sorted(int(label) for label in classes)


def _label(index, seed, classes):
  """Label of the picture `index`: each block of `len(classes)` pictures is a permutation."""
  block, place = divmod(index, len(classes))
  rng = np.random.default_rng([seed, block, _LABEL_STREAM])
  return classes[rng.permutation(len(classes))[place]]


def street_digits(n, seed, classes=range(10), size=32, channels=1):
  """Makes `n` labelled pictures of street digits.

  Picture i depends on (seed, i, classes, size) alone: it is the same one whatever `n` is. Among
  any first pictures, the numbers of two classes differ by at most one.

  Args:
    n: number of pictures, at least 1.
    seed: int, at least 0.
    classes: the digits to draw, distinct ints in 0..9, in any order. Neighbours may be any digit.
    size: side of a picture in pixels, at least 16.
    channels: 3 for RGB; 1 for grey, by the luminance 0.2989 R + 0.5870 G + 0.1140 B.

  Returns:
    images: `[n, size, size, channels]` float32 in [0, 1].
    labels: `[n]` int64, the digits.

  Raises:
    ValueError: an argument is outside its range.

  Example:
    >>> street_digits(n=4, seed=0, classes=(1, 7))[0].shape
    (4, 32, 32, 1)
  """
  n = _checked_integer("n", n, 1, "ask for one picture or more")
  seed = _checked_integer("seed", seed, 0, "drop its sign")
  size = _checked_size(size)
  if channels not in (1, 3):
    raise ValueError(f"channels is {channels!r}; use 1 (grey) or 3 (RGB)")
  classes = _checked_classes(classes)
  labels = np.array([_label(i, seed, classes) for i in range(n)], dtype=np.int64)
  images = np.empty((n, size, size, channels), dtype=np.float32)
  for i, label in enumerate(labels):
    picture = render(scenes.sample(label, np.random.default_rng([seed, i])), size) / 255.0
    images[i] = picture if channels == 3 else (picture @ scenes.LUMINANCE)[..., None]
  return images, labels
