"""De-animation of a user's images: from each the scene, its picture, its future, its MJCF.

    <stem>.json                what was recovered, see `Recovered.summary`
    <stem>_reconstruction.png  the image | the recovered scene, drawn | what is seen as blocks
    <stem>_future.gif, .png    what MuJoCo makes of the scene, as a film and as a strip
    <stem>.xml                 the scene in MJCF, for MuJoCo's own viewer

The model knows one block of each of its colours. More blocks than that can be told only where
they show: a colour at two places, or a part higher than one block can be. Of rendered towers of 2
to 4 blocks .2 % are refused so, of those of another look 5 %; of towers with a colour twice all
are, but only some 7 in 10 of those with a fifth block of an unknown colour.
"""

import dataclasses
import math
import os
import pathlib
import shutil
import tempfile

import numpy as np
import PIL.Image
import tensorflow as tf

from garden.core import checks
from garden.core import evaluate as evaluate_lib
from garden.core import records
from garden.core import run as run_lib
from garden.datasets import photo_folder
from garden.vda import engines
from garden.vda import experiment as experiment_lib
from garden.vda import film
from garden.vda import perception
from garden.vda import recovered as recovered_lib
from garden.vda import settings as settings_lib
from garden.vda import state as state_lib
from garden.vda import what_if_figures
from garden.worlds.towers import scene
from garden.worlds.towers import windows

_CAMERA = ("azimuth", "elevation", "distance", "fovy", "x", "y", "z")
_SIDE = 256  # px, of a written picture
_RATE = 10  # pictures a second
_STRIP = 6  # pictures
_LONGEST = 60.0  # s
_PIECE = 0.3  # of a block's side squared: a smaller piece of a colour may be a speck
_TALL = 1.05  # times the greatest height that one block is seen with


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


class DeAnimator:
  """Takes images apart, one at a time.

  Args:
    model: the trained `vda.VDA`.
    camera: `[7]` of all images, see `parse_camera`; estimated from each if None.
    refiner: a `refine.Refiner`; None takes states as perception finds them.
    settle: settle a state in which blocks float or stick in each other, rather than refuse it.

  Example:
    experiment, model = load("runs/vda")
    recovered = DeAnimator(model)(read("tower.png", experiment.source_size[0]))
    print(recovered.summary())
  """

  def __init__(self, model, camera=None, refiner=None, settle=False):
    self.model, self.refiner, self.settle = model, refiner, settle
    self.camera = None if camera is None else np.asarray(camera, np.float32)
    self._look = tf.function(self._looked)
    self._again = tf.function(self._drawn)

  def __call__(self, image):
    """De-animates an image.

    Args:
      image: `[s, s, 3]` float32 in [0, 1].

    Returns:
      `Recovered`.

    Raises:
      ValueError: no block is found, or more than the model knows; the state isn't finite; or, but
        for `settle`, a block floats or sticks in another one.
    """
    inputs = {"image": tf.constant(image[np.newaxis])}
    if self.camera is not None:
      inputs["camera"] = tf.constant(self.camera[np.newaxis])
    found = {name: value.numpy() for name, value in self._look(inputs).items()}
    self._check_seen(found)
    state = {name: found[name] for name in (*state_lib.FIELDS, "boxes")}
    if self.refiner is not None:
      refined = self.refiner(state, found["camera"], found["light"], image[np.newaxis])
      found |= {name: refined[name].numpy() for name in (*state_lib.FIELDS, "light")}
      state = {name: found[name] for name in state}
    wrong = self._check_state(state)
    if wrong:
      state = {**state_lib.settled({name: state[name] for name in state_lib.FIELDS}),
               "boxes": state["boxes"]}
    if wrong or self.refiner is not None:
      found |= {name: value.numpy() for name, value in self._again(
          inputs, state, found["camera"], found["light"]).items()}
      state["color"] = found["color"]
    if wrong:
      margin, fall = None, engines.MuJoCoEngine().stability(state)["fall_probability"][0]
    else:
      told = self.model.support_test(state)
      margin, fall = float(told["margin"][0]), told["fall_probability"][0]
    return Recovered(
        towers=recovered_lib.towers({**found, **state}), image=image, classes=found["classes"][0],
        boxes=found["boxes"][0][found["present"][0]], margin=margin, fall_probability=float(fall),
        reconstruction_error=float(found["reconstruction_error"][0]),
        camera_given=self.camera is not None, refined=self.refiner is not None, settled=wrong)

  def _looked(self, inputs):
    """`VDA.call`, and what is seen of each colour."""
    found = self.model(inputs, training=False)
    count = self.model.n_classes
    classes = tf.argmax(found["segments"], axis=-1)
    solid = windows.solid(tf.one_hot(classes, count)[..., 1:])
    return {**{name: value for name, value in found.items() if name != "shares"},
            "classes": classes, "solid": solid,
            "block": perception.block_height(found["camera"])}

  def _drawn(self, inputs, state, camera, light):
    """Paint and reconstruction error of another state."""
    small = self.model.perception.shrink(inputs["image"])
    drawn = self.model.draw(self.model.graphics, state, camera, light, small)
    return {name: drawn[name] for name in ("color", "floor_color", "sky_color",
                                           "reconstruction_error")}

  def _check_seen(self, found):
    """Raises a ValueError unless there are blocks, and no more than the model knows."""
    names = scene.COLOR_NAMES[:self.model.n_classes - 1]
    if not np.isfinite(found["segments"]).all():
      raise ValueError("the segmenter's numbers aren't finite, so the weights are broken; train "
                       "again, or take an older checkpoint")
    if not found["present"].any():
      raise ValueError(f"no block was found; the image must show {', '.join(names)} blocks, large "
                       "enough to be told apart")
    known = (f"more blocks than the model knows: {len(names)}, one each of {', '.join(names)}; cut "
             "the image down to them")
    block = float(found["block"][0]) * found["solid"].shape[1]
    elevation = float(found["camera"][0, 1])
    # The silhouette of a cube, turned with an edge to the camera; of two it is above it.
    tall = _TALL * block * (1.5 * math.cos(elevation) + 1.3 * math.sin(elevation))
    for k, name in enumerate(names):
      pieces = _pieces(found["solid"][0, ..., k], _PIECE * block ** 2)
      if len(pieces) > 1:
        raise ValueError(f"{name} is seen at {len(pieces)} places; that is {known}")
      if pieces and pieces[0] > tall:
        raise ValueError(f"what is {name} is {pieces[0] / block:.2g} blocks high in the image; "
                         f"that is {known}")

  def _check_state(self, state):
    """What is wrong with the way blocks lie, or None; a ValueError unless it may be settled."""
    state = {name: state[name] for name in state_lib.FIELDS}
    state_lib.check_finite(state)
    try:
      state_lib.check(state)
    except ValueError as error:
      if not self.settle:
        raise ValueError(f"{error}; --settle goes on with the settled scene") from error
      return str(error)
    return None


def _pieces(mask, least):
  """Heights in pixels of the connected parts of a mask that have at least `least` pixels."""
  from scipy import ndimage
  labels, _ = ndimage.label(mask > 0, np.ones((3, 3)))
  sizes = np.bincount(labels.ravel())[1:]
  return [part[0].stop - part[0].start
          for part, size in zip(ndimage.find_objects(labels), sizes) if size >= least]


def load(model_dir, best=False, bindings=()):
  """The experiment and the trained model of a run.

  Args:
    model_dir: folder of the run.
    best: take the best checkpoint rather than the last.
    bindings: gin bindings that win over the recorded config.

  Returns:
    `(experiment, model)`.

  Raises:
    FileNotFoundError: there is no run, or nothing was saved.
    ValueError: the run is of another method, or its weights of another stage.

  Example:
    experiment, model = load("runs/vda")
  """
  run = run_lib.from_model_dir(model_dir, bindings)
  experiment = run.experiment
  if not isinstance(experiment, experiment_lib.Towers):
    raise ValueError(f"{model_dir} is a run of {type(experiment).__name__} of garden/"
                     f"{experiment.room} ({experiment.title}); give one of vda/init.gin, "
                     "vda/joint.gin or vda/full.gin")
  model = evaluate_lib.load_model(run, model_dir, best)
  begun, known = int(model.begun.numpy()), ("no stage", *settings_lib.STAGES)
  if known[begun] != experiment.stage:
    raise ValueError(f"the checkpoint in {model_dir} is of {known[begun]!r}, but its config is of "
                     f"stage {experiment.stage!r}; give the folder as training left it")
  return experiment, model


def parse_camera(text):
  """A camera of "azimuth,elevation,distance,fovy,x,y,z".

  Args:
    text: seven numbers: radians, radians above the horizon, metres, vertical field of view in
      degrees, and the point in the middle of the picture in metres.

  Returns:
    `[7]` float32.

  Raises:
    ValueError: it isn't seven numbers, or one is out of its range.

  Example:
    >>> parse_camera("0,.3,9.5,38,0,0,1.5").shape
    (7,)
  """
  parts = text.split(",")
  try:
    numbers = [float(part) for part in parts]
  except ValueError:
    numbers = []
  if len(numbers) != len(_CAMERA):
    raise ValueError(f"camera is {text!r}; give seven numbers: {','.join(_CAMERA)}")
  limits = {"elevation": (-1.5, 1.5), "distance": (1.0, 1000.0), "fovy": (1.0, 170.0)}
  for name, value in zip(_CAMERA, numbers):
    low, high = limits.get(name, (-1000.0, 1000.0))
    if not low <= value <= high:  # nor is NaN
      raise ValueError(f"{name} of the camera is {value:g}; it must be in [{low:g}, {high:g}]")
  return np.array(numbers, np.float32)


def read(path, side):
  """An image file's middle square: `[side, side, 3]` float32 in [0, 1].

  Raises:
    ValueError: it can't be decoded; it names the file.

  Example:
    image = read("tower.png", 168)
  """
  photo = photo_folder.Photo(str(path), pathlib.Path(path), 0, 0)
  return photo_folder.read(photo, side).astype(np.float32) / np.float32(255)


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
    what_if_figures.film_figure([pictures[shown]], times[shown]).image.savefig(made[2])
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
