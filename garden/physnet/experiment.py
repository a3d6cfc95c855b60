"""The glue between PhysNet and its siblings and the binaries."""

import functools
from collections.abc import Sequence

import gin
import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.core import curves
from garden.core import export as export_lib
from garden.core import report as report_lib
from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import metrics
from garden.datasets.block_towers import stream as stream_lib
from garden.physnet import photos as photos_lib
from garden.physnet import report
from garden.physnet import settings as settings_lib
from garden.physnet import streams
from garden.physnet.physnet import PhysNet
from garden.physnet.windows_model import PhysNetWindows
from garden.worlds.towers import scene

_COLORS = 4  # classes of the towers of up to four blocks
_PALETTE = [(0.93, 0.92, 0.90), *scene.BASE_COLORS[:_COLORS].tolist()]  # of film strips


@gin.register(module="physnet")
class BlockTowers(streams.TowersExperiment):
  """Will this tower fall, and where will its blocks go.

  Args:
    train: the `stream.Stream` to train on.
    test: list of `stream.Stream`s that measure; the first is the one that rows without a
      `setting` stream belong to.
    model: the `settings.Network` of a net that sees the whole image or one crop of it, or
      the `settings.Windows` of one that sees pairs of blocks.
    recipe: the `settings.Recipe`.
    validation: a `stream.Stream` measured at the end of each epoch, or None.
    photos: folder of photographs with `labels.csv`, measured too, or None; see `photos.py`.
    image_size: side of what a whole-image net sees, in pixels.
    steps: batches.
    batch_size: towers of a batch.
    test_names: a name for each stream of `test`, put into the rows' `setting`; the first
      may be "" for none.
    seed: seed of the order, of the views and of the first weights.
  """

  room = "physnet"
  title = "Block towers"

  def __init__(self, train: stream_lib.Stream, test: Sequence[stream_lib.Stream],
               model: settings_lib.Network | settings_lib.Windows, recipe: settings_lib.Recipe,
               validation: stream_lib.Stream | None = None, photos: str | None = None,
               image_size=112, steps=1000, batch_size=32, test_names: Sequence[str] = ("",),
               seed=0):
    checks.check_count("image_size", image_size, 32)
    kinds = (settings_lib.Network, settings_lib.Windows)
    if not isinstance(model, kinds):
      raise ValueError(f"model is {model!r}; it must be physnet.Network or physnet.Windows")
    super().__init__(train, test, test_names, validation, steps, batch_size, seed)
    self.model = model
    self.recipe = recipe
    self.photos = photos
    self.image_size = image_size

  def build_model(self):
    """PhysNet, a sibling of it, or the windows' model, compiled and built."""
    tf.keras.utils.set_random_seed(self.seed)
    common = dict(recipe=self.recipe, n_classes=_COLORS + 1, steps=self.steps, seed=self.seed)
    if isinstance(self.model, settings_lib.Windows):
      model = PhysNetWindows(self.model, **common)
      model.look(tf.zeros([1, *self.source_size, 3]), tf.constant([[[0.0, 0.0, 1.0, 1.0]] * 4]),
                 tf.ones([1, _COLORS], tf.bool))
      model.segmenter(tf.zeros([1, *[self.model.segment_size] * 2, 3]))
    else:
      model = PhysNet(self.model, image_size=self.image_size, **common)
      whole = [self.image_size] * 2 if self.model.crop is None else self.source_size
      model(tf.zeros([1, *whole, 3]))
    model.compile()
    # A checkpoint holds the optimizer's moments: they must be there before it is read.
    model.optimizer.build(model.trainable_variables)
    return model

  def datasets(self):
    """One stage: `train`."""
    if self.photos:
      # A wrong label, or an image that can't be decoded, is told before towers are made.
      photos_lib.load(self.photos, 1)
    return super().datasets()

  @functools.cached_property
  def photographs(self):
    """The photographs, at the size of the towers' pictures; read once."""
    return photos_lib.load(self.photos, self.source_size[0])

  # What a trained model says.

  def told(self, model, images):
    """`model.predict_towers` of images `[b, s, s, 3]` in [0, 1]."""
    return model.predict_towers(images)

  def measure(self, model, towers):
    """What the rows and the figures are made of, tower by tower.

    Args:
      model: the trained model.
      towers: `arrays.TowerSet`.

    Returns:
      Dict of arrays: `fall`, `probability`, `count`, `margin` `[N]`, and where there are
      masks `iou` and `log_likelihood` `[N, T]`.
    """
    graph, found = self.graph(model), []
    for batch in stream_lib.in_order(towers, streams.BATCH):
      outputs = graph(batch["image"])
      row = {"probability": outputs["fall_probability"].numpy()}
      if "mask_logits" in outputs:
        logits, masks = outputs["mask_logits"].numpy(), batch["masks"].numpy()
        times = range(masks.shape[-1])
        row["iou"] = np.stack([metrics.mask_iou(
            masks[..., t], logits[..., t, :].argmax(axis=-1), logits.shape[-1])
            for t in times], axis=1)
        row["log_likelihood"] = np.stack([metrics.log_likelihood(
            masks[..., t], logits[..., t, :]) for t in times], axis=1)
      if "count" in outputs:
        row["found"] = outputs["count"].numpy()
      found.append(row)
    joined = {name: np.concatenate([row[name] for row in found]) for name in found[0]}
    return {"fall": towers.fall, "count": towers.count, "margin": towers.margin, **joined}

  def evaluate(self, model, data):
    """Fall accuracy by count and by margin, mask IoU and log-likelihood, on each stream."""
    del data
    rows = []
    for name, towers in zip(self.test_names, self.test_towers):
      rows += _rows(self.measure(model, towers), {"stream": name} if name else {})
    if self.photos:
      photos = self.photographs
      rows += photos_lib.rows(photos, self.predict(model, photos.images)["fall_probability"])
    return rows

  def predictions(self, model, data):
    """`predictions.csv`: stream, tower, blocks, fall_probability, fall (the truth), right."""
    del data
    columns = {name: [] for name in ("stream", "tower", "blocks", "fall_probability", "fall",
                                     "right")}
    for name, towers in zip(self.test_names, self.test_towers):
      found, n = self.measure(model, towers), len(towers)
      right = (found["probability"] >= 0.5) == (found["fall"] == 1)
      columns["stream"] += [name] * n
      columns["tower"] += range(n)
      columns["blocks"] += found["count"].tolist()
      columns["fall_probability"] += [f"{p:.4f}" for p in found["probability"]]
      columns["fall"] += found["fall"].tolist()
      columns["right"] += right.astype(int).tolist()
    return columns

  def signatures(self, model):
    """Image -> probability of falling; masks at four times and as a picture, or boxes."""
    def outputs(images):
      found = dict(model.predict_towers(images))
      if "mask_logits" in found:
        logits = found.pop("mask_logits")
        masks = tf.argmax(logits, axis=-1, output_type=tf.int32)
        strip = tf.concat(tf.unstack(masks, axis=-1), axis=2)  # side by side
        found.update(mask_probabilities=tf.nn.softmax(logits), masks=masks,
                     film_strip=tf.gather(tf.constant(_PALETTE, tf.float32), strip))
      return found
    # The layers alone: a subclassed model would be asked for a config that it hasn't.
    module = tf.Module()
    module.layers = list(model.layers)
    return export_lib.ServingModule(module, outputs, self.source_size, 3, (0.0, 1.0))

  def figures(self, model, data):
    """Accuracy tables, film strips, reliability, where the network looks, curves."""
    del data
    towers = self.test_towers[0]
    found = self.measure(model, towers)
    sections = [report_lib.Table(
        "Results", ["towers", "metric", "value", "±"], report.result_rows(
            self.test_names, [found, *(self.measure(model, t) for t in self.test_towers[1:])]),
        "Simulated towers that training hasn't seen, at the last step. ± is the binomial standard "
        "error of an accuracy. Margin: distance of the centre of mass from the border of what "
        "carries it, in block widths; towers near 0 are hard for everyone.")]
    shown = report.choose(found)
    images = arrays.images_of(towers, shown)
    outputs = self.predict(model, images)
    masks = report.masks_of(towers, shown)
    if "mask_logits" in outputs:
      sections.append(report.strip_figure(images, masks, outputs["mask_logits"].argmax(axis=-1),
                                          found["probability"][shown], found["fall"][shown]))
    else:
      sections.append(report.towers_figure(images, outputs, found["fall"][shown]))
    if self.photos:
      photos = self.photographs
      sections.append(report.photos_figure(
          photos, self.predict(model, photos.images)["fall_probability"]))
    sections.append(report.reliability_figure(found["fall"], found["probability"]))
    sections.append(report.margin_figure(found))
    sections.append(report.occlusion_figure(
        images[:4], lambda x: self.predict(model, x)["fall_probability"]))
    if model.training_log:
      sections.append(curves.figure(model.training_log))
    return sections


def _rows(found, setting):
  """Rows of one stream: by count, their mean, by margin, masks."""
  accuracy = functools.partial(_accuracy, found)
  rows = []

  def add(metric, value, **more):
    rows.append({"metric": metric, "value": float(value), "setting": {**setting, **more}})

  counts = sorted(set(found["count"].tolist()))
  by_count = [accuracy(found["count"] == count) for count in counts]
  for count, value in zip(counts, by_count):
    add("fall_accuracy", value, blocks=count)
  add("fall_accuracy", np.mean(by_count), blocks="mean")
  bins = metrics.margin_bins(found["margin"])
  for number, name in enumerate(metrics.margin_names()):
    if (bins == number).any():
      add("fall_accuracy", accuracy(bins == number), margin=name)
  add("calibration_error", metrics.calibration_error(found["fall"], found["probability"]),
      blocks="mean")
  if "found" in found:
    add("count_accuracy", np.mean(found["found"] == found["count"]), blocks="mean")
  if "iou" in found:
    for t, time in enumerate(arrays.TIMES):
      add(f"mask_iou_{time:g}s", np.nanmean(found["iou"][:, t]), blocks="mean")
    for count in counts:
      add("mask_iou_4s", np.nanmean(found["iou"][found["count"] == count, -1]), blocks=count)
    add("log_likelihood", found["log_likelihood"].mean(), blocks="mean")
  return rows


def _accuracy(found, chosen):
  return metrics.fall_accuracy(found["fall"][chosen], found["probability"][chosen])
