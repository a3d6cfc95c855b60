"""The random draw: everything that makes one photograph, or one clip, differ from another.

Lengths are shares of the picture's side, so that a scene looks the same at every size. Colours are
RGB in [0, 1]. A clip lasts from time 0 to 1.
"""

import colorsys
import dataclasses

import numpy as np

LUMINANCE = np.array([0.2989, 0.5870, 0.1140])  # ITU-R BT.601, weights of R, G and B
PATTERNS = ("plain", "stripes", "checks", "blots")


@dataclasses.dataclass(frozen=True)
class Ground:
  """What lies behind the shape.

  Attributes:
    colors: two RGB, between which the pattern runs.
    pattern: one of `PATTERNS`.
    angle: of the stripes or checks, in radians.
    period: of the stripes or checks, or size of the blots.
    seed: of the blots and of the grain.
    grain: standard deviation of a fine texture.
  """

  colors: tuple = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
  pattern: str = "plain"
  angle: float = 0.0
  period: float = 0.25
  seed: int = 0
  grain: float = 0.0


@dataclasses.dataclass(frozen=True)
class Body:
  """A shape and where it is.

  Attributes:
    shape: its class, a name of `shapes`.
    bend: which of its forms, in [0, 1].
    color: RGB.
    center: (x, y) at time 0.5; (0.5, 0.5) is the picture's middle.
    velocity: (x, y) for the whole clip.
    bow: how far the path bows to its left, at its ends.
    radius: at time 0.5.
    growth: change of the radius over the clip, as a share of it.
    rotation: clockwise at time 0.5, in radians.
    spin: radians for the whole clip.
    squash: factor along the shape's own y, in (0, 1]: it is seen from the side.
  """

  shape: str
  bend: float = 0.5
  color: tuple = (0.0, 0.0, 0.0)
  center: tuple = (0.5, 0.5)
  velocity: tuple = (0.0, 0.0)
  bow: float = 0.0
  radius: float = 0.3
  growth: float = 0.0
  rotation: float = 0.0
  spin: float = 0.0
  squash: float = 1.0


@dataclasses.dataclass(frozen=True)
class Bar:
  """A straight bar that passes in front of the shape.

  Attributes:
    color: RGB.
    angle: of the direction across it, in radians.
    width: across.
    offset: of its middle from the picture's middle, at time 0.5.
    speed: change of the offset over the clip.
  """

  color: tuple
  angle: float
  width: float
  offset: float
  speed: float


@dataclasses.dataclass(frozen=True)
class Scene:
  """Everything that a photograph or a clip depends on but its size and number of frames.

  Attributes:
    body: `Body`.
    ground: `Ground`.
    bars: tuple of `Bar`.
    light: angle in radians from which the light comes.
    shading: how much brighter the shape is on the light's side, as a share.
    shadow: (x, y) of the shape's shadow, or None.
    exposure: time that the shutter is open, in [0, 1]; the cause of motion blur.
    blur: standard deviation of the lens's blur.
    noise: standard deviation of the sensor's noise at each pixel; full scale is 1.
    noise_seed: seed of that noise.
  """

  body: Body
  ground: Ground = Ground()
  bars: tuple = ()
  light: float = 0.0
  shading: float = 0.0
  shadow: tuple | None = None
  exposure: float = 0.0
  blur: float = 0.0
  noise: float = 0.0
  noise_seed: int = 0


def _pair(values):
  return tuple(float(value) for value in values)


def _color(rng, hues, saturation, value):
  """A colour whose hue, saturation and value are uniform in the given ranges."""
  return colorsys.hsv_to_rgb(
    rng.uniform(*hues) % 1.0, rng.uniform(*saturation), rng.uniform(*value)
  )


def _apart(rng, other, least, **ranges):
  """A colour whose luminance differs from that of all RGB in `other` by at least `least`."""
  others = np.array(other) @ LUMINANCE
  while True:
    color = _color(rng, **ranges)
    if np.abs(np.array(color) @ LUMINANCE - others).min() >= least:
      return color


def sample_photograph(shape, rng):
  """Draws a photograph: a bright shape at rest on a bright pattern, in clear light.

  Args:
    shape: name of the shape.
    rng: `np.random.Generator`.

  Returns:
    `Scene`.

  Example:
    >>> sample_photograph("star", np.random.default_rng(0)).body.shape
    'star'
  """
  first = _color(rng, (0.0, 1.0), (0.1, 0.7), (0.25, 1.0))
  lighter = rng.uniform(0.75, 0.95)
  second = _pair(lighter * np.array(first)) if rng.random() < 0.5 else _pair(
    1.0 - lighter * (1.0 - np.array(first)))
  ground = Ground(
    colors=(first, second),
    pattern=PATTERNS[rng.integers(len(PATTERNS))],
    angle=float(rng.uniform(0.0, np.pi)),
    period=float(rng.uniform(0.12, 0.4)),
    seed=int(rng.integers(2**31)),
    grain=float(rng.uniform(0.0, 0.05)),
  )
  body = Body(
    shape=shape,
    bend=float(rng.uniform()),
    color=_apart(rng, (first, second), 0.15,
                 hues=(0.0, 1.0), saturation=(0.6, 1.0), value=(0.3, 1.0)),
    center=_pair(rng.uniform(0.4, 0.6, 2)),
    radius=float(rng.uniform(0.24, 0.4)),
    rotation=float(rng.normal(0.0, 0.35)),
    squash=float(rng.uniform(0.7, 1.0)),
  )
  light = float(rng.uniform(0.0, 2 * np.pi))
  shadow = -rng.uniform(0.03, 0.08) * np.array([np.cos(light), np.sin(light)])
  return Scene(
    body=body,
    ground=ground,
    light=light,
    shading=float(rng.uniform(0.1, 0.45)),
    shadow=_pair(shadow) if rng.random() < 0.6 else None,
    blur=float(rng.uniform(0.0, 0.01)),
    noise=float(rng.uniform(0.0, 0.015)),
    noise_seed=int(rng.integers(2**31)),
  )


# One film: its few labelled clips would else be told apart by their colours, not their shapes.
_DARK = {"hues": (0.55, 0.68), "saturation": (0.2, 0.45), "value": (0.1, 0.28)}
_DULL = {"hues": (0.04, 0.16), "saturation": (0.1, 0.45), "value": (0.45, 0.75)}


def _sample_bar(rng, ground):
  """Draws a `Bar` that crosses the middle at some time of the clip."""
  speed = rng.uniform(0.4, 1.3) * rng.choice([-1, 1])
  return Bar(
    color=_pair(np.array(ground) * rng.uniform(0.4, 1.5)),
    angle=float(rng.uniform(0.0, 2 * np.pi)),
    width=float(rng.uniform(0.1, 0.25)),
    offset=float(rng.uniform(-0.3, 0.3)),
    speed=float(speed),
  )


def sample_clip(shape, rng):
  """Draws a clip: a dull shape that crosses a dark picture behind bars, and a poor camera.

  Args:
    shape: name of the shape.
    rng: `np.random.Generator`.

  Returns:
    `Scene`.

  Example:
    >>> sample_clip("ring", np.random.default_rng(0)).body.shape
    'ring'
  """
  first, second = (_color(rng, **_DARK) for _ in range(2))
  ground = Ground(
    colors=(first, second),
    pattern=("plain", "blots")[rng.integers(2)],
    angle=float(rng.uniform(0.0, np.pi)),
    period=float(rng.uniform(0.15, 0.4)),
    seed=int(rng.integers(2**31)),
    grain=float(rng.uniform(0.0, 0.02)),
  )
  heading = rng.uniform(0.0, 2 * np.pi)
  speed = rng.uniform(0.3, 0.9)
  body = Body(
    shape=shape,
    bend=float(rng.uniform()),
    color=_apart(rng, (first, second), 0.15, **_DULL),
    center=_pair(rng.uniform(0.35, 0.65, 2)),
    velocity=_pair(speed * np.array([np.cos(heading), np.sin(heading)])),
    bow=float(rng.normal(0.0, 0.1)),
    radius=float(rng.uniform(0.24, 0.38)),
    growth=float(rng.uniform(-0.4, 0.4)),
    rotation=float(rng.normal(0.0, 0.35)),
    spin=float(rng.normal(0.0, 0.5)),
    squash=float(rng.uniform(0.7, 1.0)),
  )
  bars = tuple(_sample_bar(rng, first) for _ in range(rng.choice(3, p=[0.3, 0.5, 0.2])))
  return Scene(
    body=body,
    ground=ground,
    bars=bars,
    light=float(rng.uniform(0.0, 2 * np.pi)),
    shading=float(rng.uniform(0.0, 0.3)),
    exposure=float(rng.uniform(0.03, 0.2)),
    blur=float(rng.uniform(0.005, 0.02)),
    noise=float(rng.uniform(0.015, 0.05)),
    noise_seed=int(rng.integers(2**31)),
  )
