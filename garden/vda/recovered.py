"""The recovered scene: what it holds, its look, and what is written of it.

    <stem>.json                what was recovered, see `Recovered.summary`
    <stem>_reconstruction.png  the image | the recovered scene, drawn | what is seen as blocks
    <stem>_future.gif, .png    what MuJoCo makes of the scene, as a film and as a strip
    <stem>.xml                 the scene in MJCF, for MuJoCo's own viewer

All files of a scene are written, or none.
"""

import dataclasses
import os
import shutil
import tempfile

import numpy as np
import PIL.Image
import tensorflow as tf

from garden.core import checks
from garden.core import records
from garden.vda import film
from garden.vda import graphics
from garden.vda import state as state_lib
from garden.vda import what_if_figures
from garden.worlds.towers import scene

_SIDE = 256  # px, of a written picture
_RATE = 10  # pictures a second
_STRIP = 6  # pictures
_LONGEST = 60.0  # s


@dataclasses.dataclass(frozen=True)
class Recovered:
  """What an image was taken apart to.

  Attributes:
    towers: `scene.Towers` of the one scene, with its camera, light, floor and paint.
    image: `[s, s, 3]` float32 in [0, 1], what was seen.
    classes: `[t, t]` int, the colour class that each part of it was held for; 0 is none.
    boxes: `[B, 4]`, (y0, x0, y1, x1) in [0, 1] of the blocks that were seen.
    margin: of the support test, in block widths, above 0 where it stands; None of a scene that
      was settled, which needn't be a stack.
    fall_probability: of the support test with the error that poses have; MuJoCo's word, 0 or 1,
      of a scene that was settled.
    reconstruction_error: mean error of the soft reconstruction's pixels, around the tower above
      all.
    camera_given: whether the camera was told, rather than estimated.
    refined: whether the state was refined.
    settled: what was wrong with the state before it was settled; None if nothing was.
  """

  towers: scene.Towers
  image: np.ndarray
  classes: np.ndarray
  boxes: np.ndarray
  margin: float | None
  fall_probability: float
  reconstruction_error: float
  camera_given: bool
  refined: bool
  settled: str | None

  def summary(self):
    """The scene as plain numbers: metres, degrees for yaw and field of view, radians else.

    Returns:
      Dict of `blocks`, the lowest first, each of `color_name`, `color` (RGB in [0, 1]), `position`
      of its middle, `yaw_degrees` in [0, 90), `size` (lengths of its sides); `camera`; `margin`;
      `fall_probability`; `reconstruction_error`; `refined`; `settled`.
    """
    towers = self.towers
    yaw = np.degrees(scene.yaw_of(towers.rotation[0])) % 90.0
    blocks = [{"color_name": scene.COLOR_NAMES[towers.color_class[0, b] - 1],
               "color": _rounded(towers.color[0, b], 3),
               "position": _rounded(towers.position[0, b]),
               "yaw_degrees": _rounded(yaw[b], 2) % 90.0,
               "size": _rounded(2.0 * towers.size[0, b])}
              for b in np.flatnonzero(towers.present[0])]
    camera = {"given": self.camera_given, "azimuth": _rounded(towers.camera_azimuth[0]),
              "elevation": _rounded(towers.camera_elevation[0]),
              "distance": _rounded(towers.camera_distance[0]),
              "fovy_degrees": _rounded(towers.camera_fovy[0]),
              "target": _rounded(towers.camera_target[0])}
    return {"blocks": blocks, "camera": camera,
            "margin": None if self.margin is None else _rounded(self.margin),
            "fall_probability": _rounded(self.fall_probability),
            "reconstruction_error": _rounded(self.reconstruction_error, 5),
            "refined": self.refined, "settled": self.settled}


def towers(found):
  """Scenes of recovered states, under the light and in the paint that were found.

  Args:
    found: dict of arrays of `VDA.call`: a state with `color_class`, `camera`, `light`,
      `floor_color`, `sky_color`.

  Returns:
    `scene.Towers`. A reconstruction is linear in paint, and found paint may leave [0, 1] a
    little: it is clipped.

  Raises:
    ValueError: a number of the state isn't finite.

  Example:
    scenes = towers(experiment.de_animate(model, images))
    picture = film.frames(scenes, physics.simulate(scenes))
  """
  azimuth = tf.constant(found["camera"][:, 0])
  light = graphics.light_fields(tf.constant(found["light"]), azimuth)
  return state_lib.towers_of(found, found["camera"]).replace(
      color_class=np.where(found["present"], found["color_class"], 0).astype(np.int32),
      **{name: value.numpy() for name, value in light.items()},
      **{name: np.clip(found[name], 0.0, 1.0) for name in ("floor_color", "sky_color")})


def write(recovered, folder, stem, seconds=4.0):
  """Writes what was recovered, see the module, all of it or nothing.

  Args:
    recovered: the `Recovered`.
    folder: where to; made if missing.
    stem: of the files' names.
    seconds: of the future, at least .1.

  Returns:
    The summary as it was written: with `future`, whether the scene falls in MuJoCo within the
    seconds, and the paths of `files`.

  Raises:
    ValueError: seconds are out of their range.

  Example:
    write(recovered, "deanimated", "tower")
  """
  from garden.worlds.towers import physics
  checks.check_number("seconds", seconds, 1.0 / _RATE, _LONGEST)
  times = film.times(seconds, max(2, round(_RATE * seconds) + 1))
  motion = physics.simulate(recovered.towers, times)
  pictures = film.frames(recovered.towers, motion, image_size=_SIDE)[0]
  files = [os.path.join(folder, stem + end) for end in (
      "_reconstruction.png", "_future.gif", "_future.png", ".xml", ".json")]
  summary = {**recovered.summary(),
             "future": {"seconds": _rounded(seconds), "falls": bool(motion.fall[0])},
             "files": files}
  os.makedirs(folder, exist_ok=True)
  # Made beside their place and moved together, the JSON last: where it is, the others are.
  partial = tempfile.mkdtemp(prefix=".partial-", dir=folder)
  try:
    made = [os.path.join(partial, os.path.basename(path)) for path in files]
    PIL.Image.fromarray(_panels(recovered, pictures[0])).save(made[0])
    film.write_gif(pictures, made[1], seconds_per_frame=1.0 / _RATE)
    shown = np.unique(np.linspace(0, len(times) - 1, _STRIP).round().astype(int))
    what_if_figures.film_figure([pictures[shown]], times[shown]).image.savefig(
        made[2], bbox_inches="tight", pad_inches=0.05)
    records.write_text(made[3], physics.mjcf(recovered.towers))
    records.write_json(made[4], summary)
    for start, end in zip(made, files):
      os.replace(start, end)
  finally:
    shutil.rmtree(partial, ignore_errors=True)
  return summary


def _panels(recovered, drawn):
  """The image, the recovered scene and what is seen, side by side: `[h, w, 3]` uint8."""
  def sized(picture, method):
    picture = PIL.Image.fromarray(np.round(255.0 * np.clip(picture, 0.0, 1.0)).astype(np.uint8))
    return np.asarray(picture.resize((_SIDE, _SIDE), method))

  image = sized(recovered.image, PIL.Image.Resampling.BICUBIC)
  palette = np.concatenate([np.zeros((1, 3)), scene.BASE_COLORS])
  classes = np.asarray(PIL.Image.fromarray(recovered.classes.astype(np.uint8)).resize(
      (_SIDE, _SIDE), PIL.Image.Resampling.NEAREST))
  grey = image.mean(axis=-1, keepdims=True) / 255.0 * np.ones(3)
  seen = np.where(classes[..., None] > 0, 0.3 * grey + 0.7 * palette[classes],
                  0.55 + 0.4 * grey)
  for box in np.clip(np.round(recovered.boxes * _SIDE).astype(int), 0, _SIDE - 1):
    y0, x0, y1, x1 = box
    seen[[y0, y1], x0:x1 + 1] = 1.0
    seen[y0:y1 + 1, [x0, x1]] = 1.0
  return film.film_strip(np.stack([image, sized(drawn, PIL.Image.Resampling.BICUBIC),
                                   sized(seen, PIL.Image.Resampling.NEAREST)]), gap=4)


def _rounded(value, digits=4):
  """A number or an array as floats that read well."""
  return (np.round(np.asarray(value, np.float64), digits) + 0.0).tolist()
