"""Figures of a block towers report; pure functions of arrays."""

import matplotlib.colors
import matplotlib.figure
import numpy as np
import tensorflow as tf

from garden.core import axes as axes_lib
from garden.core import report
from garden.datasets import order
from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import metrics
from garden.worlds.towers import scene

_INK, _SOFT, _ACCENT, _GREEN = "#22262b", "#70767d", "#b3402f", "#2f6b4f"
#: Background white, then the colour classes.
_PALETTE = matplotlib.colors.ListedColormap(
    [(0.93, 0.92, 0.90), *map(tuple, scene.BASE_COLORS)])


def result_rows(names, measured):
  """Lines of the results table: accuracy by count and by margin, masks, with their errors.

  Args:
    names: of the streams.
    measured: for each stream what `BlockTowers.measure` gave.

  Returns:
    List of `[towers, metric, value, error or None]`.
  """
  lines = []
  for name, found in zip(names, measured):
    stream = f"{name}: " if name else ""

    def add(label, chosen, stream=stream, found=found):
      if chosen.any():
        value = metrics.fall_accuracy(found["fall"][chosen], found["probability"][chosen])
        lines.append([f"{stream}{label} ({int(chosen.sum())})", "fall accuracy", value,
                      metrics.binomial_error(value, int(chosen.sum()))])

    add("all", np.ones(len(found["fall"]), bool))
    for count in sorted(set(found["count"].tolist())):
      add(f"{count} blocks", found["count"] == count)
    bins = metrics.margin_bins(found["margin"])
    for number, label in enumerate(metrics.margin_names()):
      add(f"margin {label}", bins == number)
    if "iou" in found:
      for t, time in enumerate(arrays.TIMES):
        lines.append([f"{stream}all", f"mask IoU at {time:g} s",
                      float(np.nanmean(found["iou"][:, t])), None])
      lines.append([f"{stream}all", "log-likelihood a pixel",
                    float(found["log_likelihood"].mean()), None])
    if "found" in found:
      lines.append([f"{stream}all", "blocks counted right",
                    float(np.mean(found["found"] == found["count"])), None])
  return lines


def choose(found, most=8):
  """Towers to show: of each count the surest right answer and the surest wrong one.

  Args:
    found: what `BlockTowers.measure` gave.
    most: greatest number of towers.

  Returns:
    `[k]` int, positions of the towers, those told right first.
  """
  sure = np.abs(found["probability"] - 0.5)
  right = (found["probability"] >= 0.5) == (found["fall"] == 1)
  chosen = []
  for told in (right, ~right):
    for count in sorted(set(found["count"].tolist())):
      for fall in (1, 0):
        place = np.flatnonzero(told & (found["count"] == count) & (found["fall"] == fall))
        if len(place):
          chosen.append(place[np.argmax(sure[place])])
  kept = chosen if len(chosen) <= most else [
      chosen[i] for i in np.unique(np.linspace(0, len(chosen) - 1, most).round().astype(int))]
  return np.array(kept, np.int64)


def masks_of(towers, index):
  """True masks `[n, m, m, 4]` of some towers."""
  return np.stack([tf.io.decode_png(towers.masks[i], channels=4).numpy() for i in index])


def _verdict(ax, probability, fall):
  right = (probability >= 0.5) == (fall == 1)
  ax.set_ylabel(f"{'falls' if fall else 'stands'}\np = {probability:.2f}", rotation=0, ha="right",
                va="center", fontsize=8, color=_GREEN if right else _ACCENT)


def strip_figure(images, masks, predicted, probability, fall):
  """Film strips: the input, true and predicted masks at each time, a line a tower.

  Args:
    images: `[n, s, s, 3]` in [0, 1].
    masks: `[n, m, m, t]` int, true classes.
    predicted: `[n, m, m, t]` int.
    probability: `[n]` of falling.
    fall: `[n]`, 1 where it falls.

  Returns:
    A figure.
  """
  n, times = len(images), masks.shape[-1]
  figure = matplotlib.figure.Figure(figsize=(9.6, 1.05 * n + 0.4), layout="constrained")
  axes = figure.subplots(n, 1 + 2 * times, squeeze=False)
  for row in range(n):
    axes[row, 0].imshow(images[row])
    _verdict(axes[row, 0], probability[row], fall[row])
    for t in range(times):
      for column, classes in ((1 + t, masks), (1 + times + t, predicted)):
        axes[row, column].imshow(classes[row, ..., t], cmap=_PALETTE, vmin=0,
                                 vmax=_PALETTE.N - 1, interpolation="nearest")
  for ax in axes.flat:
    axes_lib.bare(ax)
  axes[0, 0].set_title("input", fontsize=8)
  for t in range(times):
    axes[0, 1 + t].set_title(f"true {arrays.TIMES[t]:g} s", fontsize=8)
    axes[0, 1 + times + t].set_title(f"told {arrays.TIMES[t]:g} s", fontsize=8)
  return report.Figure("Where the blocks go", figure, (
      "The image, where each block really is after 0, 1, 2 and 4 s, and where the network says it "
      "will be, all from the one image. At the left what happens and the probability of falling "
      "that was told: green if right. First the surest right answers, then the surest wrong ones."))


def towers_figure(images, outputs, fall):
  """Towers with the boxes that were found, and the probability at each interface.

  Args:
    images: `[n, s, s, 3]` in [0, 1].
    outputs: `fall_probability` `[n]`, `boxes` `[n, b, 4]`, `interface_probability` `[n, w]`.
    fall: `[n]`, 1 where it falls.

  Returns:
    A figure.
  """
  n = len(images)
  columns = min(n, 4)
  lines = -(-n // columns)
  figure = matplotlib.figure.Figure(figsize=(9.6, 2.6 * lines), layout="constrained")
  axes = figure.subplots(lines, columns, squeeze=False)
  side = images.shape[1]
  for ax in axes.flat:
    axes_lib.bare(ax)
  for i, ax in zip(range(n), axes.flat):
    ax.imshow(images[i])
    boxes = outputs["boxes"][i] * side
    seen = boxes[boxes[:, 2] > boxes[:, 0]]
    for y0, x0, y1, x1 in seen:
      ax.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="white", linewidth=0.8)
    for (y0, *_), (_, _, _, right), p in zip(seen[:-1], seen[1:],
                                             outputs["interface_probability"][i]):
      ax.text(min(right + 2, side - 1), y0, f"{p:.2f}", fontsize=7, color=_INK, va="center",
              bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8})
    told = outputs["fall_probability"][i]
    right = (told >= 0.5) == (fall[i] == 1)
    ax.set_title(f"{'falls' if fall[i] else 'stands'}, told {told:.2f}", fontsize=8,
                 color=_GREEN if right else _ACCENT)
  return report.Figure("Towers and their interfaces", figure, (
      "The blocks that the segmenter found, and at each interface the probability that the tower "
      "falls there; above each tower what happens and what was told for the whole, green if right. "
      "First the surest right answers, then the surest wrong ones."))


def photos_figure(photos, probability, most=16):
  """A user's photographs with what happened and what was told, evenly spread over the folder.

  Args:
    photos: `photos.Photos`.
    probability: `[N]` of falling.
    most: greatest number of photographs.

  Returns:
    A figure.
  """
  shown = order.evenly(len(photos), most)
  columns = min(len(shown), 8)
  lines = -(-len(shown) // columns)
  figure = matplotlib.figure.Figure(figsize=(9.6, 1.5 * lines), layout="constrained")
  axes = figure.subplots(lines, columns, squeeze=False)
  for ax in axes.flat:
    axes_lib.bare(ax)
  for i, ax in zip(shown, axes.flat):
    told, fall = probability[i], photos.fall[i]
    ax.imshow(photos.images[i])
    ax.set_title(f"{'fell' if fall else 'stood'}, told {told:.2f}", fontsize=7,
                 color=_GREEN if (told >= 0.5) == (fall == 1) else _ACCENT)
  accuracy = metrics.fall_accuracy(photos.fall, probability)
  return report.Figure("Photographs", figure, (
      f"{len(shown)} of the {len(photos)} photographs, their middle squares. Above each what "
      "happened and the probability of falling that was told, green if right. Accuracy over all "
      f"{accuracy:.3f} ± {metrics.binomial_error(accuracy, len(photos)):.3f}."))


def reliability_figure(fall, probability):
  """Told probability against how often towers fell.

  Args:
    fall: `[N]`, 1 where the tower falls.
    probability: `[N]`.

  Returns:
    A figure.
  """
  mean, share, count = metrics.reliability(fall, probability)
  error = metrics.calibration_error(fall, probability)
  figure = matplotlib.figure.Figure(figsize=(4.6, 4.2), layout="constrained")
  ax = figure.subplots()
  ax.plot([0, 1], [0, 1], color=_SOFT, linewidth=0.8, linestyle="--")
  spread = np.sqrt(np.maximum(share * (1 - share), 1e-4) / count)
  ax.errorbar(mean, share, yerr=spread, fmt="o-", color=_GREEN, markersize=4, capsize=2,
              linewidth=1.2)
  ax.set_xlabel("probability of falling that was told")
  ax.set_ylabel("share that fell")
  ax.set_xlim(0, 1)
  ax.set_ylim(0, 1)
  return report.Figure("Reliability", figure, (
      "Towers in ten bins of the told probability, with the standard error of each bin; on the "
      f"dashed line probabilities mean what they say. Expected calibration error {error:.3f}."))


def margin_figure(found):
  """Accuracy by distance from the balance point.

  Args:
    found: what `BlockTowers.measure` gave.

  Returns:
    A figure.
  """
  bins, names = metrics.margin_bins(found["margin"]), metrics.margin_names()
  there = [number for number in range(len(names)) if (bins == number).any()]
  values = [metrics.fall_accuracy(found["fall"][bins == k], found["probability"][bins == k])
            for k in there]
  errors = [metrics.binomial_error(v, int((bins == k).sum())) for k, v in zip(there, values)]
  figure = matplotlib.figure.Figure(figsize=(5.6, 3.4), layout="constrained")
  ax = figure.subplots()
  ax.bar(range(len(there)), values, yerr=errors, color=_GREEN, width=0.6, capsize=3,
         error_kw={"elinewidth": 1})
  ax.axhline(0.5, color=_SOFT, linewidth=0.8, linestyle="--")
  ax.set_xticks(range(len(there)), [f"{names[k]}\n({int((bins == k).sum())})" for k in there],
                fontsize=8)
  ax.set_ylim(0, 1)
  ax.set_ylabel("fall accuracy")
  ax.set_xlabel("|margin| in block widths (towers)")
  return report.Figure("Accuracy by margin", figure, (
      "How far the centre of mass is from the border of what carries it. The dashed line is "
      "chance. Towers nearest 0 fall or stand by less than a pixel."))


def occlusion_map(image, probability_of, patch=24, stride=12):
  """How much hiding each part of an image changes the probability of falling.

  Args:
    image: `[s, s, 3]` in [0, 1].
    probability_of: maps `[n, s, s, 3]` to `[n]`.
    patch: side of the grey square, pixels.
    stride: pixels between squares.

  Returns:
    `[s, s]` float, mean absolute change over the squares that hide a pixel.
  """
  side = image.shape[0]
  last = side - patch  # where the border is reached, whatever the stride
  line = [*range(0, last, stride), last]
  starts = [(y, x) for y in line for x in line]
  views = np.repeat(image[None], len(starts) + 1, axis=0)
  for view, (y, x) in zip(views[1:], starts):
    view[y:y + patch, x:x + patch] = 0.5
  told = probability_of(views)
  total, count = np.zeros((side, side)), np.zeros((side, side))
  for change, (y, x) in zip(np.abs(told[1:] - told[0]), starts):
    total[y:y + patch, x:x + patch] += change
    count[y:y + patch, x:x + patch] += 1
  return total / np.maximum(count, 1)


def occlusion_figure(images, probability_of):
  """Where the network looks: `occlusion_map` over some towers.

  Args:
    images: `[n, s, s, 3]` in [0, 1].
    probability_of: maps `[n, s, s, 3]` to `[n]`.

  Returns:
    A figure.
  """
  n, side = len(images), images.shape[1]
  patch = max(4, side // 7)
  figure = matplotlib.figure.Figure(figsize=(2.4 * n, 4.8), layout="constrained")
  axes = figure.subplots(2, n, squeeze=False)
  for i, image in enumerate(images):
    found = occlusion_map(image, probability_of, patch, max(2, patch // 2))
    axes[0, i].imshow(image)
    axes[1, i].imshow(image.mean(axis=-1), cmap="gray", vmin=0, vmax=1)
    axes[1, i].imshow(found, cmap="inferno", alpha=0.65)
    axes[1, i].set_title(f"most {found.max():.2f}", fontsize=8)
  for ax in axes.flat:
    axes_lib.bare(ax)
  return report.Figure("Where the network looks", figure, (
      f"A grey square of {patch} pixels moves over the image: bright where hiding that part "
      "changes the probability of falling, on a scale of each image's own (its greatest change "
      "above it)."))
