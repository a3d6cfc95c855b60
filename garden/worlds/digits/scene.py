"""The random draw: everything that makes one picture of a digit differ from another.

Lengths are shares of the picture's side, so that a scene looks the same at every size. Colours are
RGB in [0, 1], and their contrast is drawn as luminance: it survives the step to grey.
"""

import dataclasses

import numpy as np

from garden.worlds.digits import glyphs

LUMINANCE = np.array([0.2989, 0.5870, 0.1140])  # ITU-R BT.601, weights of R, G and B


@dataclasses.dataclass(frozen=True)
class Typeface:
  """How all digits of a house number are shaped. The unit of length is the digits' height.

  Attributes:
    variants: which shape each of the ten digits has, ints below `glyphs.VARIANTS`.
    power: exponent of the bowls, 2 round to 5 almost square.
    waist: y where the halves of a digit meet.
    tail: how far open ends curl in, in [0, 1].
    width: width of the box.
    slant: shift of the top to the right.
    weight: width of upright strokes.
    contrast: width of level strokes over that of upright ones, in (0, 1].
    round_ends: whether the strokes end round, or square.
    gap: between the ink of two digits.
  """

  variants: tuple = (0,) * 10
  power: float = 2.0
  waist: float = 0.46
  tail: float = 0.5
  width: float = 0.55
  slant: float = 0.0
  weight: float = 0.13
  contrast: float = 1.0
  round_ends: bool = False
  gap: float = 0.1


@dataclasses.dataclass(frozen=True)
class Pose:
  """Where the digit stands in the picture, and from where it is seen.

  Attributes:
    center: (x, y) of the middle of its box, in [0, 1].
    height: of its box.
    rotation: clockwise, in radians.
    shear: shift of the right side downwards, for each unit of x.
    stretch: factor of the width.
    perspective: (x, y), how fast the digit shrinks to the right and downwards.
  """

  center: tuple = (0.5, 0.5)
  height: float = 0.75
  rotation: float = 0.0
  shear: float = 0.0
  stretch: float = 1.0
  perspective: tuple = (0.0, 0.0)


@dataclasses.dataclass(frozen=True)
class Edge:
  """A straight border behind the digits, with something else beyond it: a plate, a wall, a frame.

  Attributes:
    angle: of the direction that leads beyond, in radians.
    distance: of the border from the picture's middle.
    color: RGB beyond it.
  """

  angle: float
  distance: float
  color: tuple


@dataclasses.dataclass(frozen=True)
class Paint:
  """Colours of the picture, and the light on it.

  Attributes:
    ink: RGB of the digits.
    wall: RGB behind them.
    outline: RGB around each stroke, or None.
    outline_width: on each side of a stroke.
    shadow: (x, y) of the digits' shadow, or None.
    shadow_depth: share of the light that the shadow takes.
    edges: tuple of `Edge`.
    slope: (x, y), growth of the light from one side to the other.
    shade: (angle in radians, distance of its border from the middle, share of the light it takes),
      a shadow that falls on the whole, or None.
    texture: `[4, 4]` tuples, unevenness of the light.
  """

  ink: tuple = (0.0, 0.0, 0.0)
  wall: tuple = (1.0, 1.0, 1.0)
  outline: tuple | None = None
  outline_width: float = 0.0
  shadow: tuple | None = None
  shadow_depth: float = 0.0
  edges: tuple = ()
  slope: tuple = (0.0, 0.0)
  shade: tuple | None = None
  texture: tuple = ((0.0,) * 4,) * 4


@dataclasses.dataclass(frozen=True)
class Camera:
  """What the camera does to the picture.

  Attributes:
    blur: (x, y) standard deviation.
    resolution: side of the sensor's image over that of the picture, in (0, 1].
    noise: standard deviation at each sensor pixel; full scale is 1.
    noise_seed: seed of that noise.
    jpeg_quality: 1..95, or None for a lossless camera.
  """

  blur: tuple = (0.0, 0.0)
  resolution: float = 1.0
  noise: float = 0.0
  noise_seed: int = 0
  jpeg_quality: int | None = None


@dataclasses.dataclass(frozen=True)
class Scene:
  """Everything that a picture depends on but its size.

  Attributes:
    digit: the label, in 0..9.
    left: digits that stand to its left, the nearest first.
    right: digits that stand to its right, the nearest first.
    typeface: `Typeface`.
    pose: `Pose`.
    paint: `Paint`.
    camera: `Camera`.
  """

  digit: int
  left: tuple = ()
  right: tuple = ()
  typeface: Typeface = Typeface()
  pose: Pose = Pose()
  paint: Paint = Paint()
  camera: Camera = Camera()


def _pair(values):
  return tuple(float(value) for value in values)


def sample_typeface(rng):
  """Draws a typeface.

  Args:
    rng: `np.random.Generator`.

  Returns:
    `Typeface`.

  Example:
    >>> len(sample_typeface(np.random.default_rng(0)).variants)
    10
  """
  width = rng.uniform(0.4, 0.74)
  # Most house numbers are plain: round bowls, upright, even strokes.
  return Typeface(
    variants=tuple(int(rng.integers(count)) for count in glyphs.VARIANTS),
    power=float(2.0 + (rng.uniform(0.0, 0.6) if rng.random() < 0.7 else rng.uniform(0.6, 3.0))),
    waist=float(rng.uniform(0.42, 0.52)),
    tail=float(rng.uniform(0.0, 1.0)),
    width=float(width),
    slant=float(rng.uniform(0.1, 0.28) if rng.random() < 0.2 else rng.normal(0.0, 0.02)),
    weight=float(min(rng.uniform(0.07, 0.24), 0.4 * width)),
    contrast=float(1.0 if rng.random() < 0.5 else rng.uniform(0.45, 1.0)),
    round_ends=bool(rng.random() < 0.4),
    gap=float(rng.uniform(0.04, 0.22)),
  )


def _sample_pose(rng):
  """Draws a `Pose`: a digit that fills most of the picture, almost upright."""
  return Pose(
    center=_pair(rng.normal(0.5, 0.035, 2).clip(0.4, 0.6)),
    height=float(rng.uniform(0.56, 0.84)),
    rotation=float(np.clip(rng.normal(0.0, 0.09), -0.3, 0.3)),
    shear=float(np.clip(rng.normal(0.0, 0.07), -0.2, 0.2)),
    stretch=float(rng.uniform(0.8, 1.25)),
    perspective=_pair(rng.normal(0.0, 0.1, 2).clip(-0.25, 0.25)),
  )


def _color(rng, luminance):
  """A colour of the given luminance: mostly almost grey, at times a strong one."""
  blue = rng.normal()
  red = 0.6 * rng.normal() - 0.5 * blue  # paint and brick are blue or orange more than green
  # Green makes up for the other two, which leaves the luminance as it is.
  tint = np.array([red, -(LUMINANCE[0] * red + LUMINANCE[2] * blue) / LUMINANCE[1], blue])
  strength = rng.uniform(0.15, 0.5) if rng.random() < 0.25 else rng.uniform(0.0, 0.1)
  tint *= strength / (np.abs(tint).max() + 1e-9)
  # The farthest that all three stay within [0, 1].
  room = np.where(tint > 0, 1.0 - luminance, luminance) / (np.abs(tint) + 1e-9)
  return _pair((luminance + min(1.0, room.min()) * tint).clip(0.0, 1.0))


def _sample_edges(rng, wall):
  """Draws the borders behind the digits: mostly none, at most two."""
  edges = []
  for _ in range(rng.choice(3, p=[0.6, 0.25, 0.15])):
    luminance = float(np.clip(wall + rng.normal(0.0, 0.3), 0.03, 0.97))
    angle = 0.5 * np.pi * rng.integers(4) + rng.normal(0.0, 0.08)
    edges.append(Edge(float(angle), float(rng.uniform(0.36, 0.5)), _color(rng, luminance)))
  return tuple(edges)


def _sample_paint(rng, weight):
  """Draws a `Paint` for strokes of the given width; ink and wall differ by 0.15 at least."""
  contrast = 0.15 + 0.75 * rng.beta(1.2, 2.0)
  middle = rng.uniform(0.02 + 0.5 * contrast, 0.98 - 0.5 * contrast)
  sign = 1.0 if rng.random() < 0.5 else -1.0  # light on dark, or dark on light
  ink, wall = middle + 0.5 * sign * contrast, middle - 0.5 * sign * contrast
  kind = rng.random()
  outlined, shadowed = kind < 0.12, 0.12 <= kind < 0.35
  # An outline on the wall's side of the ink would hide the digit.
  beyond = float(np.clip(wall - sign * rng.uniform(0.1, 0.4), 0.0, 1.0))
  return Paint(
    ink=_color(rng, ink),
    wall=_color(rng, wall),
    outline=_color(rng, beyond) if outlined else None,
    outline_width=float(rng.uniform(0.15, 0.35) * weight) if outlined else 0.0,
    shadow=_pair(rng.uniform(0.02, 0.07, 2) * rng.choice([-1, 1], 2)) if shadowed else None,
    shadow_depth=float(rng.uniform(0.2, 0.5)) if shadowed else 0.0,
    edges=_sample_edges(rng, wall),
    slope=_pair(rng.normal(0.0, 0.15, 2).clip(-0.4, 0.4)),
    shade=_pair((rng.uniform(0.0, 2 * np.pi), rng.uniform(-0.2, 0.4), rng.uniform(0.15, 0.45)))
    if rng.random() < 0.12 else None,
    texture=tuple(_pair(row) for row in rng.normal(0.0, rng.uniform(0.0, 0.07), (4, 4))),
  )


def _sample_camera(rng):
  """Draws a `Camera`: at times sharp, mostly soft, with little light."""
  blur = 0.004 + 0.044 * rng.beta(1.2, 1.8)
  motion = rng.uniform(1.0, 2.0, 2) if rng.random() < 0.2 else np.ones(2)
  return Camera(
    blur=_pair(blur * motion),
    resolution=float(rng.uniform(0.45, 1.0)),
    noise=float(0.05 * rng.beta(1.0, 2.5)),
    noise_seed=int(rng.integers(2**31)),
    jpeg_quality=int(rng.integers(40, 96)) if rng.random() < 0.7 else None,
  )


def sample(digit, rng):
  """Draws the scene of one picture.

  Args:
    digit: the label, int in 0..9.
    rng: `np.random.Generator`.

  Returns:
    `Scene`.

  Raises:
    ValueError: `digit` is not in 0..9.

  Example:
    >>> sample(7, np.random.default_rng(0)).digit
    7
  """
  if digit not in range(10):
    raise ValueError(f"digit is {digit!r}; it must be an integer in 0..9")
  typeface, pose = sample_typeface(rng), _sample_pose(rng)
  # Two on a side, since beside a narrow digit the second one shows as well.
  left, right = (
    tuple(int(other) for other in rng.integers(10, size=2)[: rng.choice(3, p=[0.45, 0.25, 0.3])])
    for _ in range(2)
  )
  paint = _sample_paint(rng, typeface.weight * pose.height)
  return Scene(int(digit), left, right, typeface, pose, paint, _sample_camera(rng))
