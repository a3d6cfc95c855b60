"""De-animation of a user's images: from each the scene (`recovered`), or why there is none.

The model knows stacks, one block a level. What else there is can be told only where it shows: more
blocks than it has places for, or two blocks beside each other.
"""

import pathlib

import numpy as np
import tensorflow as tf

from garden.core import evaluate as evaluate_lib
from garden.core import run as run_lib
from garden.datasets import photo_folder
from garden.vda import engines
from garden.vda import experiment as experiment_lib
from garden.vda import recovered as recovered_lib
from garden.vda import settings as settings_lib
from garden.vda import state as state_lib
from garden.worlds.towers import camera as camera_lib
from garden.worlds.towers import scene

_CAMERA = ("azimuth", "elevation", "distance", "fovy", "x", "y", "z")
_BESIDE = 0.4  # of a block's height, between the middles of neighbours: less is no stack


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
      `recovered.Recovered`.

    Raises:
      ValueError: no block is found, more than the model knows, or no stack; the state isn't
        finite; or, but for `settle`, a block floats or sticks in another one.
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
    return recovered_lib.Recovered(
        towers=recovered_lib.towers({**found, **state}), image=image,
        classes=np.concatenate([[0], found["color_class"][0]])[found["ids"][0]],
        boxes=found["boxes"][0][found["present"][0]], margin=margin, fall_probability=float(fall),
        reconstruction_error=float(found["reconstruction_error"][0]),
        camera_given=self.camera is not None, refined=self.refiner is not None, settled=wrong)

  def _looked(self, inputs):
    """`VDA.call`, and how high a block is in the image."""
    found = self.model(inputs, training=False)
    return {**{name: value for name, value in found.items() if name != "shares"},
            "block": camera_lib.block_height(found["camera"])}

  def _drawn(self, inputs, state, camera, light):
    """Paint and reconstruction error of another state."""
    small = self.model.shrink(inputs["image"])
    drawn = self.model.draw(self.model.graphics, state, camera, light, small)
    return {name: drawn[name] for name in ("color", "floor_color", "sky_color", "ids",
                                           "reconstruction_error")}

  def _check_seen(self, found):
    """Raises a ValueError unless there is a stack of blocks, of no more than the model knows."""
    names, places = scene.COLOR_NAMES, self.model.perception.places
    if not np.isfinite(found["score"]).all():
      raise ValueError("the numbers of the proposals aren't finite, so the weights are broken; "
                       "train again, or take an older checkpoint")
    if not found["present"].any():
      raise ValueError("no block was found; the image must show a stack of blocks, in the middle "
                       "and each a sixteenth to a quarter of its height")
    if found["crowded"].any():
      raise ValueError(f"more blocks than the model has places for, {places}; cut the image down, "
                       f"or bind vda.Network.places = {places + 2}")
    boxes, kinds = found["boxes"][0], found["color_class"][0]
    for b in range(int(found["present"].sum()) - 1):
      rise = (boxes[b, 0] + boxes[b, 2] - boxes[b + 1, 0] - boxes[b + 1, 2]) / 2.0
      if rise < _BESIDE * found["block"][0]:
        pair = " and ".join(names[kinds[k] - 1] for k in (b, b + 1))
        raise ValueError(f"{pair} are seen beside each other; the model knows stacks of one block "
                         "a level: cut the image down to one")

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
