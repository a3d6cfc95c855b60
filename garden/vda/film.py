"""Films of what physics does to a tower: pictures of the future, a strip of them, a GIF.

    motion = engines.MuJoCoEngine().future(state, times(4.0, 40))
    images = frames(state, motion, image_size=160)
    write_gif(images[0], "tower.gif", seconds_per_frame=0.1)

Pictures are the ray-caster's (`worlds.towers.renderer`), with hard edges.
"""

import numpy as np
import PIL.Image

from garden.core import checks
from garden.core import records
from garden.vda import state as state_lib
from garden.worlds.towers import camera as camera_lib
from garden.worlds.towers import renderer
from garden.worlds.towers import scene

_AT_ONCE = 16  # pictures; a picture of 256 px with 4 rays a pixel takes some 20 MB
_STEP = 0.005  # s, of MuJoCo's steps in `worlds.towers.physics`
_TICK = 0.01  # s, GIF's unit
_COLORS = 256  # GIF's most


def times(seconds, count):
  """Evenly spaced times of a film, the start and the end included.

  Args:
    seconds: of the end, above 0.
    count: of pictures, at least 2.

  Returns:
    `[count]` float64 seconds, on MuJoCo's steps of 5 ms.

  Raises:
    ValueError: an argument is outside its range, or pictures are less than 5 ms apart.

  Example:
    >>> times(4.0, 5)
    array([0., 1., 2., 3., 4.])
  """
  checks.check_positive("seconds", seconds)
  checks.check_count("count", count, 2)
  ticks = np.round(np.linspace(0.0, seconds, count) / _STEP)
  if (np.diff(ticks) < 1).any():
    raise ValueError(f"count is {count}; in {seconds:g} s there are at most "
                     f"{round(seconds / _STEP) + 1} pictures, one each 5 ms")
  return ticks * _STEP


def frames(state, motion, camera=None, image_size=128, supersampling=2):
  """Pictures of towers in motion.

  Args:
    state: of arrays, or `scene.Towers`, whose light, floor and camera are kept then.
    motion: `physics.Motion` of them.
    camera: optional `[N, 7]`, see `camera.unpack`; without, that of the towers, or of
      `state.towers_of`.
    image_size: pixels, an int or (h, w).
    supersampling: rays across each pixel, at least 1.

  Returns:
    `[N, T, h, w, 3]` float32 in [0, 1].

  Raises:
    ValueError: state, motion and camera aren't of the same scenes, or a size is below 1.

  Example:
    >>> frames(state, MuJoCoEngine().future(state, (0.0, 1.0)), image_size=64).shape
    (8, 2, 64, 64, 3)
  """
  size = camera_lib.checked_size(image_size)
  places = np.shape(state.present if isinstance(state, scene.Towers) else state["present"])
  n, count, blocks = np.shape(motion.position)[:3]
  if places != (n, blocks):
    raise ValueError(f"the motion is of {n} scenes with {blocks} places for blocks, the state of "
                     f"{places[0]} with {places[1]}; give the motion of this state")
  if camera is not None and np.shape(camera) != (n, 7):
    raise ValueError(f"camera has the shape {list(np.shape(camera))}; it must be [{n}, 7]")
  if not isinstance(state, scene.Towers):
    towers = state_lib.towers_of(state, camera)
  elif camera is not None:
    towers = state.replace(**camera_lib.unpack(np.asarray(camera, np.float32)))
  else:
    towers = state
  row, time = np.divmod(np.arange(n * count), count)
  images = np.empty((n * count, *size, 3), np.float32)
  for start in range(0, n * count, _AT_ONCE):
    part = slice(start, start + _AT_ONCE)
    now = towers.take(row[part]).replace(position=motion.position[row[part], time[part]],
                                         rotation=motion.rotation[row[part], time[part]])
    images[part] = renderer.render(now.arrays(), size, supersampling=supersampling)["image"]
  return images.reshape(n, count, *size, 3)


def film_strip(images, gap=2):
  """Pictures side by side, the first at the left.

  Args:
    images: `[T, h, w, 3]`, floats in [0, 1] or uint8.
    gap: white pixels between two of them, at least 0.

  Returns:
    `[h, T w + (T - 1) gap, 3]` uint8.

  Raises:
    ValueError: images have another shape or range, or the gap is below 0.

  Example:
    >>> film_strip(np.zeros([4, 64, 64, 3])).shape
    (64, 262, 3)
  """
  images = _bytes(images)
  checks.check_count("gap", gap, 0)
  white = np.full((images.shape[1], gap, 3), 255, np.uint8)
  parts = [images[0]]
  for image in images[1:]:
    parts += [white, image]
  return np.concatenate(parts, axis=1)


def write_gif(images, path, seconds_per_frame=0.1):
  """Writes a film that plays over and over, whole or not at all.

  All frames share one palette of 256 colours, without dithering: what stands still doesn't
  flicker.

  Args:
    images: `[T, h, w, 3]`, floats in [0, 1] or uint8.
    path: of the file; missing folders are made.
    seconds_per_frame: at least .02, in steps of .01: viewers slow quicker films down.

  Raises:
    ValueError: images have another shape or range, or frames are too short.

  Example:
    write_gif(frames(state, motion)[0], "future.gif", seconds_per_frame=0.1)
  """
  images = _bytes(images)
  checks.check_number("seconds_per_frame", seconds_per_frame, 2 * _TICK, 600.0)
  strip = PIL.Image.fromarray(images.reshape(-1, *images.shape[2:]))
  palette = strip.quantize(_COLORS, method=PIL.Image.Quantize.MEDIANCUT)
  film = [PIL.Image.fromarray(image).quantize(palette=palette, dither=PIL.Image.Dither.NONE)
          for image in images]
  with records.atomic(path, "wb") as file:
    film[0].save(file, format="GIF", save_all=True, append_images=film[1:], loop=0,
                 duration=int(round(seconds_per_frame / _TICK)) * 10, optimize=False)


def _bytes(images):
  """Images as `[T, h, w, 3]` uint8, or a ValueError."""
  images = np.asarray(images)
  if images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape:
    raise ValueError(f"images have the shape {list(images.shape)}; they must be [T, h, w, 3]: of "
                     "several scenes, give one at a time")
  if images.dtype == np.uint8:
    return images
  # NaN is in no range.
  if not (images.min() >= 0.0 and images.max() <= 1.0):
    raise ValueError(f"images are in [{images.min():g}, {images.max():g}]; floats must be in "
                     "[0, 1]")
  return np.round(255.0 * images).astype(np.uint8)
