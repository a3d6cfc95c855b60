"""The glue between DeepMask itself and the binaries: blocks found in pictures of towers."""

from collections.abc import Sequence

import gin
import matplotlib.figure
import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.core import curves
from garden.core import export as export_lib
from garden.core import report as report_lib
from garden.datasets import order
from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import stream as stream_lib
from garden.physnet import deepmask_model
from garden.physnet import patches as patches_lib
from garden.physnet import proposals
from garden.physnet import settings as settings_lib
from garden.physnet import streams

_FOUND = 0.5  # IoU from which a block counts as found
_TEST_SEED = (2, 0)  # of the test patches: the same ones for every model
_GREEN, _ACCENT = "#2f6b4f", "#b3402f"


@gin.register(module="physnet")
class Proposals(streams.TowersExperiment):
  """Where are the blocks: DeepMask on patches, then boxes by proposals.

  Args:
    train: the `stream.Stream` to train on.
    test: list of `stream.Stream`s that measure.
    model: the `settings.Network`.
    recipe: the `settings.Recipe`.
    patches: the `patches.Patches`.
    validation: a `stream.Stream` measured at the end of each epoch, or None.
    object_sizes: longer sides of the blocks that proposals look for, in shares of the image.
    grid_step: between the patches of proposals, in shares of a patch.
    most: proposals of an image.
    overlap: IoU of two proposals, above which the lower score goes.
    least_score: at or below it there is no proposal.
    proposal_towers: towers of each test stream that proposals are measured on, the first ones;
      an image costs hundreds of patches.
    score_units: of the score head.
    alternate: train the heads in turns, as the released code does.
    score_weight: lambda, where they aren't in turns.
    steps: batches.
    batch_size: towers of a batch.
    test_names: a name for each stream of `test`, put into the rows' `setting`; the first may be
      "" for none.
    seed: seed of the order, of the patches and of the first weights.
  """

  room = "physnet"
  title = "DeepMask: blocks as object proposals"

  def __init__(self, train: stream_lib.Stream, test: Sequence[stream_lib.Stream],
               model: settings_lib.Network, recipe: settings_lib.Recipe,
               patches: patches_lib.Patches, validation: stream_lib.Stream | None = None,
               object_sizes: Sequence[float] = (0.187, 0.264), grid_step=1 / 7, most=8,
               overlap=0.5, least_score=0.5, proposal_towers=100,
               score_units: Sequence[int] = (128, 256), alternate=True, score_weight=1 / 32,
               steps=1000, batch_size=16, test_names: Sequence[str] = ("",), seed=0):
    for name, value in (("most", most), ("proposal_towers", proposal_towers)):
      checks.check_count(name, value, 1)
    for name, value in (("overlap", overlap), ("least_score", least_score)):
      checks.check_number(name, value, most=1.0)
    checks.check_number("score_weight", score_weight)
    super().__init__(train, test, test_names, validation, steps, batch_size, seed)
    self.model = model
    self.recipe = recipe
    self.patches = patches
    self.most = most
    self.overlap = overlap
    self.least_score = least_score
    self.proposal_towers = proposal_towers
    self.score_units = tuple(score_units)
    self.alternate = alternate
    self.score_weight = score_weight
    self.places = proposals.grid(object_sizes, grid_step)

  def build_model(self):
    """`DeepMask`, compiled and built."""
    tf.keras.utils.set_random_seed(self.seed)
    model = deepmask_model.DeepMask(
        self.model, self.recipe, self.patches, score_units=self.score_units,
        alternate=self.alternate, score_weight=self.score_weight, steps=self.steps,
        seed=self.seed)
    model(tf.zeros([1, self.patches.size, self.patches.size, 3]))
    model.compile()
    # A checkpoint holds the optimizer's moments: they must be there before it is read.
    model.optimizer.build(model.trainable_variables)
    return model

  # What a trained model says.

  def told(self, model, images):
    """`proposals.propose` with this experiment's settings; images `[b, s, s, 3]` in [0, 1]."""
    return proposals.propose(model, images, self.places, self.patches.size, self.most,
                             self.overlap, self.least_score)

  def measure_patches(self, model, towers):
    """Mask IoU and score accuracy of patches of all towers, always the same patches.

    Args:
      model: the trained model.
      towers: `arrays.TowerSet`.

    Returns:
      Dict: `iou` `[N]` of the positive patches, `right` `[M]` bool of all.
    """
    look = tf.function(model, reduce_retracing=True)
    iou, right = [], []
    for number, batch in enumerate(stream_lib.in_order(towers, streams.BATCH)):
      seed = tf.random.experimental.stateless_fold_in(tf.constant(_TEST_SEED), number)
      found = patches_lib.sample(batch, seed, self.patches)
      logits = look(found["image"])
      objects = found["objects"].numpy() == 1
      iou.append(deepmask_model.binary_iou(
          found["masks"] > 0.5, logits["masks"] > 0.0).numpy()[objects])
      right.append((logits["scores"].numpy() > 0.0) == objects)
    return {"iou": np.concatenate(iou), "right": np.concatenate(right)}

  def measure(self, model, towers):
    """Proposals of the first towers against their blocks.

    Args:
      model: the trained model.
      towers: `arrays.TowerSet`.

    Returns:
      Dict of arrays: `count` and `found`, blocks and proposals, `recalled`, blocks that a
      proposal has an IoU of .5 with, all `[n]`.
    """
    few = towers.take(np.arange(min(self.proposal_towers, len(towers))))
    told = self.predict(model, arrays.images_of(few, range(len(few))))
    iou = proposals.overlaps(tf.constant(few.boxes), tf.constant(told["boxes"])).numpy()
    hit = (iou >= _FOUND).any(axis=-1) & few.present
    return {"count": few.present.sum(axis=1), "found": told["valid"].sum(axis=1),
            "recalled": hit.sum(axis=1)}

  def evaluate(self, model, data):
    """Masks and scores of patches, recall and count of proposals, on each stream."""
    del data
    rows = []
    for name, towers in zip(self.test_names, self.test_towers):
      setting = {"stream": name} if name else {}
      rows += [{"metric": metric, "value": value, "setting": setting}
               for metric, value in self._summary(model, towers).items()]
    return rows

  def _summary(self, model, towers):
    patches, found = self.measure_patches(model, towers), self.measure(model, towers)
    return {"mask_iou": float(patches["iou"].mean()),
            "score_accuracy": float(patches["right"].mean()),
            "proposal_recall": float(found["recalled"].sum() / found["count"].sum()),
            "count_error": float(np.abs(found["found"] - found["count"]).mean())}

  def predictions(self, model, data):
    """`predictions.csv`: tower, blocks, proposals, blocks that a proposal found."""
    del data
    found = self.measure(model, self.test_towers[0])
    return {"tower": list(range(len(found["count"]))), "blocks": found["count"].tolist(),
            "proposals": found["found"].tolist(), "recalled": found["recalled"].tolist()}

  def signatures(self, model):
    """Image -> `boxes` `[b, most, 4]`, `scores` `[b, most]`, 0 where there is none, `count`."""
    def outputs(images):
      found = self.told(model, images)
      return {"boxes": found["boxes"], "scores": found["scores"],
              "count": tf.reduce_sum(tf.cast(found["valid"], tf.int32), axis=1)}
    module = tf.Module()  # the layers alone, as in `experiment`
    module.layers = list(model.layers)
    return export_lib.ServingModule(module, outputs, self.source_size, 3, (0.0, 1.0))

  def figures(self, model, data):
    """The measures, patches with their masks, towers with their proposals, curves."""
    del data
    lines = [[name, metric.replace("_", " "), value]
             for name, towers in zip(self.test_names, self.test_towers)
             for metric, value in self._summary(model, towers).items()]
    towers = self.test_towers[0]
    batch = next(iter(stream_lib.in_order(towers, min(4, len(towers)))))
    found = patches_lib.sample(batch, tf.constant(_TEST_SEED), self.patches)
    images = arrays.images_of(towers, order.evenly(len(towers), 8))
    sections = [
        report_lib.Table(
            "Results", ["towers", "metric", "value"], lines,
            "Simulated towers that training hasn't seen, at the last step. Recall: share of "
            f"blocks with a proposal of IoU {_FOUND} or more. Count error: mean distance of the "
            f"number of proposals from that of blocks. Both on the first {self.proposal_towers} "
            "towers."),
        _patches_figure(found, model(found["image"], training=False)),
        _proposals_figure(images, self.predict(model, images))]
    if model.training_log:
      sections.append(curves.figure(model.training_log))
    return sections


def _bare_axes(lines, columns, side):
  figure = matplotlib.figure.Figure(figsize=(side * columns, side * lines + 0.3),
                                    layout="constrained")
  axes = figure.subplots(lines, columns, squeeze=False)
  for ax in axes.flat:
    ax.set_axis_off()
  return figure, axes


def _patches_figure(found, logits, most=8):
  """Positive patches with true and told masks, and below them negative ones with their scores."""
  half = len(found["objects"]) // 2
  n = min(half, most)
  scores = tf.sigmoid(logits["scores"]).numpy()
  figure, axes = _bare_axes(4, n, 1.2)
  for i in range(n):
    axes[0, i].imshow(found["image"][i])
    axes[1, i].imshow(found["masks"][i], cmap="gray", vmin=0, vmax=1)
    axes[2, i].imshow(tf.sigmoid(logits["masks"][i]), cmap="gray", vmin=0, vmax=1)
    axes[3, i].imshow(found["image"][half + i])
    for row, place, right in ((0, i, scores[i] > 0.5), (3, half + i, scores[half + i] <= 0.5)):
      axes[row, i].set_title(f"{scores[place]:.2f}", fontsize=8,
                             color=_GREEN if right else _ACCENT)
  return report_lib.Figure("Patches", figure, (
      "First line: patches with a block in the middle, and the score that the network gives them. "
      "Second and third: what is seen of that block, and the probability of each pixel as told. "
      "Fourth: patches that are off, whose score should be low. Green if right."))


def _proposals_figure(images, told):
  """Towers, the proposals' boxes and masks."""
  n, side = len(images), images.shape[1]
  figure, axes = _bare_axes(2, n, 1.6)
  for i in range(n):
    axes[0, i].imshow(images[i])
    for (y0, x0, y1, x1), score in zip(told["boxes"][i][told["valid"][i]] * side - 0.5,
                                       told["scores"][i][told["valid"][i]]):
      axes[0, i].plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="white", linewidth=0.8)
      axes[0, i].text(x1 + 1, 0.5 * (y0 + y1), f"{score:.2f}", fontsize=5, va="center")
    masks = proposals.paste(tf.constant(told["masks"][i]), tf.constant(told["places"][i]), side)
    axes[1, i].imshow(tf.reduce_max(masks, axis=0), cmap="gray", vmin=0, vmax=1)
  return report_lib.Figure("Proposals", figure, (
      "Test towers with the boxes that are proposed and their scores, and below them the "
      "proposals' masks together. Nothing is told of how many blocks there are."))
