"""The glue between the de-animation of towers and the binaries."""

import functools
from collections.abc import Sequence

import gin
import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.core import experiment as experiment_lib
from garden.datasets import order
from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import metrics as tower_metrics
from garden.datasets.block_towers import stream as stream_lib
from garden.vda import data as data_lib
from garden.vda import engines
from garden.vda import metrics
from garden.vda import refine
from garden.vda import report
from garden.vda import serving
from garden.vda import settings as settings_lib
from garden.vda import state as state_lib
from garden.vda import trials
from garden.vda.vda import VDA
from garden.worlds.towers import renderer

BATCH = 50  # towers of a forward pass outside of training
_COLORS = 4
_MASK_SIZE = 56  # of the set's masks
_SOME_CAMERA = (0.0, 0.3, 9.5, 38.0, 0.0, 0.0, 1.5)  # what a model is built with


@gin.register(module="vda")
class Towers(experiment_lib.Experiment):
  """De-animation of block towers: a stage of training, and what the whole way is worth.

  Args:
    train: the `stream.Stream` of simulated scenes.
    test: list of `stream.Stream`s that measure.
    test_names: a name for each stream of `test`.
    network: the `settings.Network`.
    recipe: the `settings.Recipe`.
    stage: "init", "joint" or "full"; the latter two begin with the weights of the one before
      (`Run.warm_start`).
    target: `stream.Stream` of the images that "joint" and "full" adapt to, of which they see
      the image and the camera, and "full" whether it falls; None for "init".
    steps: batches.
    batch_size: simulated scenes of a batch.
    target_batch_size: images of the target of a batch.
    future_towers: of how many towers of each test stream the future is simulated.
    refinement: `refine.Refinement` of recovered states, or None.
    coarse_refinement: `refine.Refinement` of coarse starts, or None.
    refined_towers: how many towers of the first test stream are refined: most of a second each.
    physnet: folder of an exported PhysNet (SavedModel), whose masks the report shows beside ours;
      None for none.
    seed: seed of the order, of the views and of the first weights.

  Raises:
    ValueError: an argument is out of its range, or the stage and the target don't fit.
  """

  room = "vda"
  title = "Visual de-animation of block towers"

  def __init__(self, train: stream_lib.Stream, test: Sequence[stream_lib.Stream],
               test_names: Sequence[str], network: settings_lib.Network,
               recipe: settings_lib.Recipe, stage="init",
               target: stream_lib.Stream | None = None, steps=2000, batch_size=32,
               target_batch_size=16, future_towers=500,
               refinement: refine.Refinement | None = None,
               coarse_refinement: refine.Refinement | None = None, refined_towers=200,
               physnet: str | None = None, seed=0):
    for name, value, least in (("steps", steps, 1), ("batch_size", batch_size, 1),
                               ("target_batch_size", target_batch_size, 2),
                               ("future_towers", future_towers, 0),
                               ("refined_towers", refined_towers, 1)):
      checks.check_count(name, value, least)
    if stage not in settings_lib.STAGES:
      raise ValueError(f"stage is {stage!r}; it must be one of {', '.join(settings_lib.STAGES)}")
    if (target is None) != (stage == "init"):
      raise ValueError(f"stage is {stage!r} and target is {target}; init learns from simulated "
                       "scenes alone, joint and full need a target stream")
    if len(test) != len(test_names) or not test:
      raise ValueError(f"test has {len(test)} streams and test_names {list(test_names)}; give one "
                       "name for each stream, and at least one stream")
    self.train, self.test, self.test_names = train, tuple(test), tuple(test_names)
    self.network, self.recipe, self.stage, self.target = network, recipe, stage, target
    self.steps, self.batch_size, self.target_batch_size = steps, batch_size, target_batch_size
    self.future_towers, self.seed = future_towers, seed
    self.refinement, self.coarse_refinement = refinement, coarse_refinement
    self.refined_towers, self.physnet = refined_towers, physnet
    self._graphs, self._measured = {}, {}

  @functools.cached_property
  def test_towers(self):
    """The towers of each test stream, read once."""
    return [stream.load() for stream in self.test]

  @property
  def source_size(self):
    """(height, width) of the towers' pictures."""
    return self.test[0].image_size

  def build_model(self):
    """The `VDA` model, compiled and built."""
    tf.keras.utils.set_random_seed(self.seed)
    model = VDA(self.network, self.recipe, self.stage, _COLORS, self.steps, self.seed)
    image, camera = tf.zeros([1, *self.source_size, 3]), tf.constant([_SOME_CAMERA])
    model({"image": image, "camera": camera})
    # An empty picture has no pair: the pairs' net is built on its own.
    model.perception.look(image, camera, tf.constant([[[0.0, 0.0, 1.0, 1.0]] * 4]),
                          tf.ones([1, _COLORS], tf.bool))
    model.compile()
    # A checkpoint holds the optimizer's moments: they must be there before it is read.
    model.optimizer.build(model.trainable_variables)
    return model

  def datasets(self):
    """One stage, named for what it is."""
    target = None if self.target is None else self.target.load()
    batches = data_lib.batches(self.train.load(), self.train.light(), self.batch_size, self.seed,
                               self.stage, target, self.target_batch_size)
    return experiment_lib.Data(stages=[experiment_lib.Stage(self.stage, self.steps, batches)])

  # What a trained model says.

  def de_animate(self, model, images, camera=None, boxes=None, present=None, places=None):
    """The states of images, as arrays.

    Args:
      model: the trained model.
      images: `[n, s, s, 3]` float32 in [0, 1].
      camera: `[n, 7]`; estimated where it is None.
      boxes: `[n, B, 4]` of the blocks, the lowest first, where they are known.
      present: `[n, B]` bool, with `boxes`.
      places: B, the most blocks that are looked for; the network's own if it is None.

    Returns:
      Dict of arrays `[n, ...]`, of `VDA.call`; with `boxes` no colours and no picture.
    """
    given = {"image": images, "camera": camera, "boxes": boxes, "present": present}
    given = {name: np.asarray(value) for name, value in given.items() if value is not None}
    places = places or self.network.places
    graph, n, found = self._graph(model, tuple(given), places), len(images), []
    for start in range(0, n, BATCH):
      part = {name: value[start:start + BATCH] for name, value in given.items()}
      short = BATCH - len(part["image"])
      # Batches of one size: TensorFlow warns of crops of an unknown number.
      part = {name: np.concatenate([value, np.repeat(value[-1:], short, axis=0)])
              for name, value in part.items()}
      found.append({name: value.numpy() for name, value in graph(part).items()})
    return {name: np.concatenate([part[name] for part in found])[:n] for name in found[0]}

  def _graph(self, model, names, places):
    """What `de_animate` calls, traced once for each set of inputs and number of places."""
    def whole(inputs):
      model.perception.places = places
      found = model(inputs, training=False)
      return {name: value for name, value in found.items() if name != "shares"}

    def from_boxes(inputs):
      state = model.perception.look(inputs["image"], inputs["camera"], inputs["boxes"],
                                    inputs["present"], training=False)
      return {**state, **model.support_test(state)}

    key = (id(model), names, places)
    if key not in self._graphs:
      self._graphs[key] = tf.function(from_boxes if "boxes" in names else whole)
    return self._graphs[key]

  def measure(self, model, towers):
    """States of all towers of a stream, by several ways.

    Args:
      model: the trained model.
      towers: `arrays.TowerSet`.

    Returns:
      Dict of way -> dict of arrays of `de_animate` without pictures: "given" (the camera is),
      "estimated" (neither camera nor anything else is), "truth_boxes".
    """
    # The towers are kept beside what was found: another set may get the id of one that's gone.
    key = (id(model), id(towers))
    if key not in self._measured:
      self._measured[key] = (model, towers, self._measure(model, towers))
    return self._measured[key][-1]

  def _measure(self, model, towers):
    """`measure`, every time."""
    ways = {"given": [], "estimated": [], "truth_boxes": []}
    for start in range(0, len(towers), 10 * BATCH):  # decoded images are large
      index = np.arange(start, min(start + 10 * BATCH, len(towers)))
      images, part = arrays.images_of(towers, index), towers.take(index)
      places = towers.present.shape[1]
      ways["given"].append(self.de_animate(model, images, part.camera, places=places))
      estimated = self.de_animate(model, images, places=places)
      ways["estimated"].append(_turned(estimated, part.camera[:, 0]))
      ways["truth_boxes"].append(self.de_animate(
          model, images, part.camera, part.boxes, part.present))
    return {way: {name: np.concatenate([part[name] for part in parts]) for name in parts[0]
                  if name not in ("image", "ids")} for way, parts in ways.items()}

  def futures(self, found, towers):
    """`future_iou` of the first `future_towers`; None where none can be measured."""
    n = min(self.future_towers, len(towers))
    # Masks are by colour; towers with more places have blocks of colours that no model knows.
    if not n or towers.present.shape[1] > _COLORS:
      return None
    return self.future_iou({name: value[:n] for name, value in found.items()},
                           towers.take(np.arange(n)))

  def future_iou(self, found, towers):
    """Mask IoU `[n, T]` of the future that MuJoCo makes of recovered states.

    Args:
      found: dict of arrays of `de_animate`, with colour classes.
      towers: `arrays.TowerSet`, as many.

    Returns:
      `[n, T]` float, T the times of the masks; 0 for a tower in which no block was found.
    """
    some = found["present"].any(axis=1)
    if not some.any():
      return np.zeros([len(some), len(arrays.TIMES)])
    state = {name: found[name][some] for name in state_lib.FIELDS}
    motion = engines.MuJoCoEngine().future(state, arrays.TIMES)
    fields = state_lib.towers_of(state, towers.camera[some]).arrays()
    fields["color_class"] = found["color_class"][some]
    drawn = np.concatenate([renderer.masks_at(
        {name: value[i:i + BATCH] for name, value in fields.items()},
        motion.position[i:i + BATCH], motion.rotation[i:i + BATCH], _MASK_SIZE).numpy()
        for i in range(0, int(some.sum()), BATCH)])
    true = np.stack([tf.io.decode_png(masks, channels=4).numpy() for masks in towers.masks[some]])
    iou = np.zeros([len(some), len(arrays.TIMES)])
    iou[some] = np.stack([tower_metrics.mask_iou(true[..., t], drawn[..., t], _COLORS + 1)
                          for t in range(len(arrays.TIMES))], axis=1)
    return iou

  def evaluate(self, model, data):
    """Stability accuracy by count, errors of the poses, futures; on each stream."""
    del data
    rows = []
    for name, towers in zip(self.test_names, self.test_towers):
      ways = self.measure(model, towers)
      iou = self.futures(ways["given"], towers)
      method = f"vda_{self.stage}"
      rows += _rows(method, {"stream": name}, ways["given"], towers, iou)
      rows += _rows(method, {"stream": name, "camera": "estimated"}, ways["estimated"], towers)
      rows += _rows("vda_truth_boxes", {"stream": name, "stage": self.stage},
                    ways["truth_boxes"], towers)
    return rows + self._refined_rows(model)

  def refine(self, model, towers):
    """The first `refined_towers` of a stream's states, refined: dict of `trials.refined`."""
    key = (id(model), id(towers), "refined")
    if key not in self._measured:
      few, found = self._first(towers, self.measure(model, towers)["given"])
      images = arrays.images_of(few, np.arange(len(few)))
      self._measured[key] = (model, towers, trials.refined(
          self.refinement, found, images, few.camera))
    return self._measured[key][-1]

  def _first(self, towers, found):
    """The towers that are refined, and what was found of them."""
    n = min(self.refined_towers, len(towers))
    return towers.take(np.arange(n)), {key: value[:n] for key, value in found.items()}

  def _refined_rows(self, model):
    """Rows of refined states, from where perception ends and from coarse starts."""
    name, towers = self.test_names[0], self.test_towers[0]
    few, found = self._first(towers, self.measure(model, towers)["given"])
    starts = []
    if self.refinement is not None:
      starts.append((f"vda_{self.stage}", found, self.refine(model, towers)))
    if self.coarse_refinement is not None:
      start = {**trials.coarse(_truth(few), few.boxes, few.camera, self.seed),
               "light": found["light"]}
      images = arrays.images_of(few, np.arange(len(few)))
      starts.append(("coarse", start, trials.refined(
          self.coarse_refinement, start, images, few.camera)))
    rows = []
    for begin, start, better in starts:
      setting = {"stream": name, "start": begin, "towers": len(few)}
      rows += _rows("vda_start", setting, start, few)
      rows += _rows("vda_refined", setting, better, few)
      rows.append({"method": "vda_refined", "metric": "refinement_gain", "setting": {
          **setting, "blocks": "mean"}, "value": trials.gain(better, start, few.fall)})
    return rows

  def predictions(self, model, data):
    """`predictions.csv`, a line for each tower of each stream.

    Columns: stream, tower, blocks that were found, fall_probability, margin,
    reconstruction_error, fall (the truth), right; and, 0 for towers that weren't, refined and
    refined_right.
    """
    del data
    lines = []
    for number, (name, towers) in enumerate(zip(self.test_names, self.test_towers)):
      found = self.measure(model, towers)["given"]
      right = metrics.told_right(found, towers.fall)
      refined = np.zeros(0, bool)
      if self.refinement is not None and number == 0:
        few, _ = self._first(towers, found)
        refined = metrics.told_right(self.refine(model, towers), few.fall)
      for i in range(len(towers)):
        lines.append({
            "stream": name, "tower": i, "blocks": int(found["present"][i].sum()),
            "fall_probability": f"{found['fall_probability'][i]:.4f}",
            "margin": f"{found['margin'][i]:.4f}",
            "reconstruction_error": f"{found['reconstruction_error'][i]:.4f}",
            "fall": int(towers.fall[i]), "right": int(right[i]), "refined": int(i < len(refined)),
            "refined_right": int(i < len(refined) and refined[i])})
    return {name: [line[name] for line in lines] for name in lines[0]}

  def signatures(self, model):
    """Image (and camera) -> state, stability, reconstruction."""
    return serving.DeAnimation(model, self.source_size)

  def figures(self, model, data):
    """Table, images beside reconstructions, figure 9a, errors, curves."""
    del data
    return report.sections(self, model)

  def sample_images(self):
    """Twenty test towers, evenly spread: `[20, s, s, 3]` float32 in [0, 1]."""
    towers = self.test_towers[0]
    return arrays.images_of(towers, order.evenly(len(towers), 20))


def _turned(found, azimuth):
  """States of estimated cameras, turned with the world to where the true camera stands."""
  from garden.worlds.towers import scene
  sin, cos = np.sin(azimuth)[:, None], np.cos(azimuth)[:, None]
  x, y, z = np.moveaxis(found["position"], -1, 0)
  yaw = scene.yaw_of(found["rotation"]) + azimuth[:, None]
  return {**found, "position": np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=-1),
          "rotation": scene.yaw_quaternion(yaw).astype(np.float32)}


def _truth(towers):
  """The true state of towers at rest, without colours; blocks are cubes of 1 m."""
  return {"present": towers.present, "position": towers.position[:, 0],
          "rotation": towers.rotation[:, 0],
          "size": np.full([*towers.present.shape, 3], 0.5, np.float32)}


def _rows(method, setting, found, towers, iou=None):
  """Rows of one way on one stream."""
  rows = []

  def add(metric, value, blocks="mean"):
    rows.append({"method": method, "metric": metric, "value": float(value),
                 "setting": {**setting, "blocks": blocks}})

  fall, count = towers.fall, towers.count
  right = metrics.told_right(found, fall)
  counts = sorted(set(count.tolist()))
  by_count = [right[count == c].mean() for c in counts]
  for c, value in zip(counts, by_count):
    add("stability_accuracy", value, c)
  add("stability_accuracy", np.mean(by_count))
  true = _truth(towers)
  add("count_accuracy", metrics.counted(found, true).mean())
  for metric, error in metrics.pose_errors(found, true, towers.camera[:, 0]).items():
    if np.isfinite(error).any():  # no tower whose blocks were counted right has no errors
      add(metric, np.nanmedian(error))
  if iou is not None:
    add("mask_iou_4s", np.nanmean(iou[:, -1]))
  if "reconstruction_error" in found:
    add("reconstruction_error", found["reconstruction_error"].mean())
  return rows
