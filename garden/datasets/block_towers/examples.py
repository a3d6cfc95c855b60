"""Towers as examples: drawn, let fall for four seconds, seen.

Tower i of a seed is rendered in slot i % 32 of a batch of 32, whatever else is in the batch.
So one compiled program serves all, and an example is the same to the bit however many are
asked for at once, in whatever order and by however many processes.
"""

import atexit
import contextlib
import functools
import os
import sys
import tempfile
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from garden.datasets.block_towers import configs
from garden.worlds.towers import physics
from garden.worlds.towers import scene
from garden.worlds.towers import support

BATCH = 32
FALL_NAMES = ("stands", "falls")
_XLA_SAYS = ("All log messages before absl::InitializeLog()", "Compiled cluster using XLA!")


def features(config: configs.TowersConfig) -> tfds.features.FeaturesDict:
  """The TFDS features of a config's examples.

  Args:
    config: the `TowersConfig`.

  Returns:
    The features; B is `config.places`, T the four times 0, 1, 2, 4 s.

    image: [image_size, image_size, 3] uint8, RGB at 0 s.
    ids: [image_size, image_size, 1] uint8: b + 1 where block b is seen at 0 s, else 0.
    masks: [56, 56, T] uint8, colour classes 1..6 of the visible blocks, 0 elsewhere.
    boxes: [B, 4] float32, (y0, x0, y1, x1) in [0, 1] around a block's visible pixels at 0 s;
      zeros for a block that isn't there or isn't seen.
    count: int64, number of blocks.
    fall: int64, 1 where the simulated tower falls within 4 s.
    margin: float32, `support.margin` in block widths; above 0 the tower should stand.
    margins: [B - 1] float32, `support.margins`, of the interfaces; infinite where there is none.
    position: [T, B, 3] float32, metres. rotation: [T, B, 4] float32, (w, x, y, z).
    color_class: [B] int64, 1..6; 0 where there is no block.
    camera: [7] float32: azimuth and elevation in radians, distance in metres, vertical field
      of view in degrees, target x, y, z in metres.
    index: int64, the tower's number within the seed of its split.

  Example:
    >>> features(configs.CONFIGS["towers_64"])["boxes"].shape
    (4, 4)
  """
  places, times = config.places, len(physics.TIMES)
  image, mask = config.image_size, configs.MASK_SIZE
  return tfds.features.FeaturesDict({
      "image": tfds.features.Image(shape=(image, image, 3), encoding_format="png"),
      "ids": tfds.features.Image(shape=(image, image, 1), encoding_format="png"),
      "masks": tfds.features.Image(shape=(mask, mask, times), encoding_format="png"),
      "boxes": tfds.features.Tensor(shape=(places, 4), dtype=np.float32),
      "count": tfds.features.Scalar(dtype=np.int64),
      "fall": tfds.features.ClassLabel(names=FALL_NAMES),
      "margin": tfds.features.Scalar(dtype=np.float32),
      "margins": tfds.features.Tensor(shape=(places - 1,), dtype=np.float32),
      "position": tfds.features.Tensor(shape=(times, places, 3), dtype=np.float32),
      "rotation": tfds.features.Tensor(shape=(times, places, 4), dtype=np.float32),
      "color_class": tfds.features.Tensor(shape=(places,), dtype=np.int64),
      "camera": tfds.features.Tensor(shape=(7,), dtype=np.float32),
      "index": tfds.features.Scalar(dtype=np.int64),
  })


def make(config: configs.TowersConfig, seed: int, n: int, first: int = 0) -> Iterator[dict]:
  """Makes examples `first` .. `first + n - 1` of a seed, in order.

  Args:
    config: the `TowersConfig`.
    seed: int, at least 0.
    n: number of towers, at least 1.
    first: number of the first one, at least 0.

  Yields:
    Dicts of arrays as `features` lists them.

  Raises:
    ValueError: seed, n or first is outside its range.

  Example:
    >>> next(make(configs.CONFIGS["towers_64"], seed=0, n=1))["image"].shape
    (64, 64, 3)
  """
  end = first + n
  with _mujoco(config) as mujoco_renderer:
    while first < end:
      stop = min(end, first - first % BATCH + BATCH)
      towers = scene.sample(stop - first, seed, first, config.distribution, config.places)
      motion = physics.simulate(towers)
      image, ids, masks = _see(config, mujoco_renderer, towers, motion, seed, first)
      margin, margins = support.margin(towers), support.margins(towers)
      boxes = boxes_of(ids, config.places)
      camera = np.stack([towers.camera_azimuth, towers.camera_elevation, towers.camera_distance,
                         towers.camera_fovy, *towers.camera_target.T], axis=1)
      for row in range(stop - first):
        yield {
            "image": image[row], "masks": masks[row], "boxes": boxes[row],
            "count": int(towers.count[row]), "fall": int(motion.fall[row]),
            "margin": np.float32(margin[row]), "margins": margins[row].astype(np.float32),
            "ids": ids[row, ..., None].astype(np.uint8),
            "position": motion.position[row], "rotation": motion.rotation[row],
            "color_class": towers.color_class[row].astype(np.int64),
            "camera": camera[row], "index": first + row}
      first = stop


def boxes_of(ids: np.ndarray, places: int) -> np.ndarray:
  """The boxes around the visible pixels of each block.

  Args:
    ids: [N, h, w] int, 0 for the background, b + 1 for block b.
    places: B, places for blocks.

  Returns:
    [N, B, 4] float32, (y0, x0, y1, x1) as shares of height and width: outer edges of the
    outermost pixels. Zeros where no pixel is seen.

  Example:
    >>> boxes_of(np.array([[[0, 0], [0, 1]]]), 1).tolist()
    [[[0.5, 0.5, 1.0, 1.0]]]
  """
  seen = ids[:, None] == np.arange(1, places + 1)[:, None, None]  # [N, B, h, w]
  sides = []
  for axis in (3, 2):
    line = seen.any(axis=axis)
    size = line.shape[-1]
    sides.append((line.argmax(axis=-1) / size, (size - line[..., ::-1].argmax(axis=-1)) / size))
  (y0, y1), (x0, x1) = sides
  boxes = np.stack([y0, x0, y1, x1], axis=-1)
  return np.where(seen.any(axis=(2, 3))[..., None], boxes, 0.0).astype(np.float32)


def _mujoco(config):
  """MuJoCo's renderer, a context manager, or one of None where the config has the other one."""
  if config.renderer == "tensorflow":
    return contextlib.nullcontext()
  from garden.worlds.towers import mujoco_renderer  # imported here: it needs OpenGL

  return mujoco_renderer.MujocoRenderer(config.image_size)


def _see(config, mujoco_renderer, towers, motion, seed, first):
  """Image uint8 [N, s, s, 3], ids [N, s, s] and masks uint8 [N, 56, 56, T] of a batch."""
  slots = np.clip(np.arange(BATCH) - first % BATCH, 0, len(towers) - 1)
  rows = slice(first % BATCH, first % BATCH + len(towers))
  scenes = {name: value[slots] for name, value in towers.arrays().items()}
  # The masks are the ray-caster's in any case: it takes four poses at once.
  masks = _masks_program()(scenes, motion.position[slots], motion.rotation[slots]).numpy()[rows]
  if mujoco_renderer is not None:
    from garden.worlds.towers.mujoco_renderer import sample_appearance

    seen = mujoco_renderer(towers, appearance=sample_appearance(len(towers), seed, first),
                           depth=False)
    return np.rint(255.0 * seen["image"]).astype(np.uint8), seen["ids"], masks
  image, ids = _image_program(config.image_size, config.supersampling)(scenes)
  return image.numpy()[rows], ids.numpy()[rows], masks


@functools.cache
def _image_program(image_size, supersampling):
  """The compiled ray-caster of a batch: scenes -> (image uint8, ids uint8)."""
  import tensorflow as tf

  from garden.worlds.towers import renderer

  @tf.function(jit_compile=True)
  def program(scenes):
    seen = renderer.render(scenes, image_size, supersampling=supersampling)
    image = tf.cast(tf.round(255.0 * seen["image"]), tf.uint8)
    return image, tf.cast(seen["ids"], tf.uint8)

  return _quiet_at_first(program)


@functools.cache
def _masks_program():
  """The compiled masks of a batch: (scenes, position, rotation) -> uint8 [N, 56, 56, T]."""
  import tensorflow as tf

  from garden.worlds.towers import renderer

  @tf.function(jit_compile=True)
  def program(scenes, position, rotation):
    masks = renderer.masks_at(scenes, position, rotation, configs.MASK_SIZE)
    return tf.cast(masks, tf.uint8)

  return _quiet_at_first(program)


def _quiet_at_first(program):
  """A program without the two lines that XLA writes when it compiles, at any log level."""
  compiled = False

  def call(*arguments):
    nonlocal compiled
    with contextlib.nullcontext() if compiled else _without_xla_lines():
      compiled = True
      return program(*arguments)

  return call


@contextlib.contextmanager
def _without_xla_lines():
  """Holds standard error back, C++'s too, and lets all of it but XLA's lines go in the end."""
  sys.stderr.flush()
  kept = os.dup(2)
  with tempfile.TemporaryFile() as held:
    os.dup2(held.fileno(), 2)
    try:
      yield
    finally:
      sys.stderr.flush()
      os.dup2(kept, 2)
      os.close(kept)
      held.seek(0)
      for line in held:
        if not any(known.encode() in line for known in _XLA_SAYS):
          os.write(2, line)


# TensorFlow's functions complain when they outlive TensorFlow's modules.
atexit.register(_image_program.cache_clear)
atexit.register(_masks_program.cache_clear)
