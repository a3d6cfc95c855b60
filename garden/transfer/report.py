"""Figures of a label-efficient transfer report; pure functions of arrays.

Each gives a `core.report.Figure`, or a `Text` that says why there is nothing to draw, and
touches no global state. The map of the embeddings is t-SNE (van der Maaten and Hinton 2008).
"""

import math
import numbers

import matplotlib
import matplotlib.colors
import matplotlib.figure
import matplotlib.lines
import matplotlib.patches
import matplotlib.patheffects
import matplotlib.ticker
import numpy as np
from sklearn import manifold

from garden.core import report
from garden.datasets import order

WATCH_DOGS = (
  "mean_entropy", "largest_class_share", "discriminator_accuracy", "source_norm", "target_norm"
)
_NOT_CURVES = {"stage", "step", "total_steps", "epoch", "seconds", "time", "lr", *WATCH_DOGS}
_STREAMS = ("source", "unlabeled", "labeled")  # in the order of drawing: stars on top
_INK, _SOFT, _ACCENT, _GREEN, _GREY = "#22262b", "#70767d", "#b3402f", "#2f6b4f", "#9aa1a8"
_HALO, _WIDE_HALO = (
  [matplotlib.patheffects.withStroke(linewidth=w, foreground="white")] for w in (2.2, 4.5)
)


def embedding_figure(before, after, names, seed=0, limit=1200):
  """A map of all three streams before and after the adaptation.

  Args:
    before: {"source", "labeled", "unlabeled"} -> (features [n, d], labels [n] int or None),
      through the encoder before the adaptation; n may be 0.
    after: the same examples through the encoder after it; d may be another.
    names: {"source", "target"} -> class names; labels are indices into them.
    seed: of t-SNE.
    limit: most points a panel, >= 1; labelled examples are all kept, the others thinned
      out evenly, class by class.

  Returns:
    A figure of two panels; a text for less than 4 points.

  Raises:
    ValueError: a shape, label or limit out of range, or features that are not finite.

  Example:
    >>> streams = {"source": (f, z), "labeled": (g, y), "unlabeled": (h, None)}
    >>> figure = embedding_figure(streams, streams, {"source": "01234", "target": "56789"})
  """
  if limit < 1:
    raise ValueError(f"limit is {limit}; give at least 1")
  before, after = _check_streams("before", before, names), _check_streams("after", after, names)
  sizes = {key: len(before[key][0]) for key in _STREAMS}
  if sizes != (others := {key: len(after[key][0]) for key in _STREAMS}):
    raise ValueError(f"before has {sizes} examples, after {others}; give the same ones")
  rest = max(limit - sizes["labeled"], 0)
  n_source = min(sizes["source"], max(rest // 2, rest - sizes["unlabeled"]))
  most = {"source": n_source, "unlabeled": rest - n_source, "labeled": sizes["labeled"]}
  kept = {}
  for key in _STREAMS:
    labels = before[key][1]  # sorted by class, or even steps could skip whole classes
    ranks = np.arange(sizes[key]) if labels is None else np.argsort(labels, kind="stable")
    kept[key] = np.sort(ranks[order.evenly(sizes[key], most[key])])
  ends = np.cumsum([len(kept[key]) for key in _STREAMS])
  if ends[-1] < 4:
    return report.Text("Embedding", f"A map needs at least 4 examples; there are {ends[-1]}.")

  tints = [(hue, 0.32, 0.66) for hue in np.linspace(0, 1, len(names["source"]), endpoint=False)]
  colors = {
    "source": [matplotlib.colors.hsv_to_rgb(tint) for tint in tints],
    "target": _palette(len(names["target"])),
  }
  figure = _new_figure(11.4, 5.0)
  axes = figure.subplots(1, 2)
  for ax, title, streams in zip(axes, ("before", "after"), (before, after)):
    points = _embed(np.concatenate([streams[key][0][kept[key]] for key in _STREAMS]), seed)
    title += "" if points.any() else " (all features agree)"
    ax.set_title(title, fontsize=12, color=_INK)
    for key, part in zip(_STREAMS, np.split(points, ends[:-1])):
      labels = None if streams[key][1] is None else streams[key][1][kept[key]]
      family = "source" if key == "source" else "target"
      _draw_stream(ax, key, part, labels, names[family], colors[family])
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_color("#d5d8da")
    ax.margins(0.06)
  marks = [_mark(key, _GREY, words) for key, words in zip(
    _STREAMS, ("source image", "unlabelled target", "labelled target")) if len(kept[key])]
  if len(names["source"]) + len(names["target"]) <= 24:
    for key, family in (("unlabeled", "target"), ("source", "source")):
      marks += [_mark(key, c, str(n)) for n, c in zip(names[family], colors[family])]
  figure.legend(handles=marks, loc="outside right upper", fontsize=8, frameon=False)
  shown = ", ".join(f"{len(kept[key])} of {sizes[key]} {key}" for key in _STREAMS)
  return report.Figure("Embedding", figure, caption=(
    f"t-SNE of the features' directions, all streams together ({shown}). Rings are source "
    "images, dots unlabelled target images in the colour of their true class (grey if it is "
    "unknown; no training sees it), stars labelled target images. Dots of one colour around "
    "their stars are what the adaptation is for. Distances between far groups mean little in "
    "such a map, and the two panels have no axes in common."
  ))


def label_map_figure(similarity, source_names, target_names, mapped):
  """The similarity of each source class to each target class.

  Args:
    similarity: [S, T], cosines of prototypes, -1..1; NaN where a prototype is missing.
    source_names: S names.
    target_names: T names.
    mapped: [S] ints, the target class that each source class is mapped to.

  Returns:
    A heat map with framed cells, with values up to 200 cells; a text if none is finite.

  Raises:
    ValueError: shapes that differ, or a mapped class out of range.

  Example:
    >>> label_map_figure([[0.9, 0.1], [0.2, 0.3]], ["cat", "car"], ["dog", "bus"], [0, 1])
    Figure(title='Label map', ...)
  """
  similarity = np.asarray(similarity, np.float64)
  if similarity.shape != (len(source_names), len(target_names)) or not similarity.size:
    raise ValueError(f"similarity has shape {similarity.shape} for {len(source_names)} source "
                     f"and {len(target_names)} target names; give [source, target classes]")
  mapped = _check_labels("mapped", mapped, len(source_names), len(target_names))
  finite = similarity[np.isfinite(similarity)]
  if not finite.size:
    return report.Text("Label map", "No similarity is finite.")
  limits = (finite.min(), max(finite.max(), finite.min() + 0.01))
  texts = np.char.mod("%.2f", similarity.round(2) + 0.0)  # + 0.0 makes -0.00 0.00
  texts = np.where(np.isfinite(similarity), texts, "–")
  ax = _heatmap(similarity, texts if similarity.size <= 200 else None, limits,
                ("source class", source_names), ("target class", target_names), "cosine")
  line, halo = (1.8, _WIDE_HALO) if max(similarity.shape) <= 20 else (0.8, _HALO)
  for row, column in enumerate(mapped):
    ax.add_patch(matplotlib.patches.Rectangle(
      (column - 0.43, row - 0.43), 0.86, 0.86, fill=False, edgecolor=_INK, linewidth=line,
      path_effects=halo))
  return report.Figure("Label map", ax.figure, caption=(
    "Cosine similarity of source prototypes to target prototypes. A frame marks which target "
    "class each source class is nearest to; it's a similarity, not a translation: the label "
    "sets are disjoint, and several source classes may share a neighbour."
  ))


def curves_figure(training_log):
  """What the last stage logged, a small panel a value, after the source stage's loss.

  Args:
    training_log: dicts such as {"stage": "adapt", "step": 50, "loss": 1.2, …}. Numbers are
      curves, but for `WATCH_DOGS`, learning rates and times; what is not finite is skipped.

  Returns:
    A figure; a text if there is nothing to draw.

  Example:
    >>> lines = [{"stage": "adapt", "step": s, "loss": 1 / s} for s in (1, 2, 3)]
    >>> figure = curves_figure(lines)
  """
  last = training_log[-1].get("stage") if training_log else None
  lines = [line for line in training_log if line.get("stage") == last]
  first = [line for line in training_log if line.get("stage") == "source" != last]
  keys = dict.fromkeys(key for line in lines for key in line)
  keys = [k for k in keys if k not in _NOT_CURVES and "learning_rate" not in k]
  panels = [("loss of the source stage", _series(first, "loss"))]
  panels = [panel for panel in panels + [(k, _series(lines, k)) for k in keys] if len(panel[1])]
  if not panels:
    return report.Text("Training curves", "The training log holds no value to draw.")
  steps = [curve[:, 0] for title, curve in panels if title in keys]
  figure, axes = _small_multiples(len(panels))
  for ax, (title, curve) in zip(axes, panels):
    _draw_curve(ax, title, curve, np.concatenate(steps) if title in keys else curve[:, 0])
  return report.Figure("Training curves", figure, caption=(
    f"Values that the stage `{last}` logged, by step; panels share the steps, not the heights."
    + (" The loss of the source stage counts steps of its own." if first else "")
  ))


def watchdogs_figure(training_log, n_classes):
  """Values that tell of a collapse, or of a discriminator that has won.

  Args:
    training_log: dicts as in `curves_figure`; the `WATCH_DOGS` of their last stage are drawn.
    n_classes: number of target classes, >= 1, for the reference lines.

  Returns:
    A figure, both norms in one panel; None if no such value is logged.

  Raises:
    ValueError: n_classes is below 1.

  Example:
    >>> watchdogs_figure([{"stage": "adapt", "step": 1, "mean_entropy": 1.5}], 5)
    Figure(title='Watch-dogs', ...)
  """
  if n_classes < 1:
    raise ValueError(f"n_classes is {n_classes}; give at least 1")
  lines = [line for line in training_log if any(len(_series([line], k)) for k in WATCH_DOGS)]
  if not lines:
    return None
  lines = [line for line in lines if line.get("stage") == lines[-1].get("stage")]
  curves = {key: _series(lines, key) for key in WATCH_DOGS}
  steps = np.concatenate([curve[:, 0] for curve in curves.values()])
  norms = [(key, curves.pop(key)) for key in WATCH_DOGS[3:]]
  norms = sorted(((k, c) for k, c in norms if len(c)), key=lambda item: -item[1][-1, 1])
  curves = {key: curve for key, curve in curves.items() if len(curve)}
  references = dict(zip(WATCH_DOGS, (
    (math.log(n_classes), f"ln {n_classes}: uniform"),
    (1 / n_classes, f"1/{n_classes}: balanced"),
    (0.5, "0.5: can't tell"),
  )))
  figure, axes = _small_multiples(len(curves) + bool(norms))
  for ax, (key, curve) in zip(axes, curves.items()):
    value, words = references[key]
    ax.axhline(value, color=_SOFT, linewidth=1, linestyle=":")
    above = curve[-1 - len(curve) // 3 :, 1].mean() < value  # on the side away from the curve
    ax.annotate(words, (1, value), xytext=(0, 3 if above else -3), textcoords="offset points",
                xycoords=("axes fraction", "data"), ha="right", va="bottom" if above else "top",
                fontsize=8, color=_SOFT, path_effects=_HALO, zorder=1.5)
    _draw_curve(ax, key, curve, steps)
    top = max(curve[:, 1].max(), value if key == "mean_entropy" else 1)
    ax.set_ylim(min(0, curve[:, 1].min()), 1.15 * top or 1)
  # The larger norm has its name above it, the smaller one below.
  for (key, curve), side, extreme in zip(norms, ("bottom", "top"), (np.max, np.min)):
    color = _ACCENT if key == "source_norm" else _GREEN
    _draw_curve(axes[-1], "norm of the features", curve, steps, color)
    spot = curve[-1, 0], extreme(curve[-1 - len(curve) // 3 :, 1])
    axes[-1].annotate(
      key.removesuffix("_norm"), spot, xytext=(0, 3 if side == "bottom" else -3), ha="right",
      textcoords="offset points", va=side, fontsize=8, color=color, path_effects=_HALO)
    axes[-1].margins(y=0.25)
  return report.Figure("Watch-dogs", figure, caption=(
    "Values that no loss shows. An entropy near 0 with one class's share near 1 is a collapse; "
    "a discriminator far above 0.5 tells source from target; norms that run away lower an "
    "entropy without any learning."
  ))


def counts_figure(predicted, truth, class_names):
  """How often each target class is predicted, beside how often it is true.

  Args:
    predicted: [n] ints, indices into class_names.
    truth: [n] ints; None if unknown.
    class_names: names of the target classes.

  Returns:
    A figure; a text if n is 0.

  Raises:
    ValueError: a shape or class out of range.

  Example:
    >>> counts_figure([0, 0, 1], [0, 1, 1], ["5", "6"])
    Figure(title='Predicted classes', ...)
  """
  classes = len(class_names)
  bars = [("predicted", _check_labels("predicted", predicted, len(predicted), classes), _GREEN)]
  if not len(predicted):
    return report.Text("Predicted classes", "There are no predictions.")
  if truth is not None:
    bars.append(("true", _check_labels("truth", truth, len(predicted), classes), "#c3c8cc"))
  figure = _new_figure(min(max(4.5, 1.2 + 0.7 * classes), 14), 3.2)
  ax = figure.subplots()
  width = 0.8 / len(bars)
  for i, (name, labels, color) in enumerate(bars):
    places = np.arange(classes) + (i - (len(bars) - 1) / 2) * width
    drawn = ax.bar(places, np.bincount(labels, minlength=classes), width, color=color, label=name)
    if classes <= 20:
      ax.bar_label(drawn, fontsize=7, color=_SOFT, padding=1)
  _name_ticks(ax.xaxis, class_names)
  ax.set_ylabel("images", fontsize=9, color=_SOFT)
  ax.set_xlim(-0.8, classes - 0.2)
  ax.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
  figure.legend(loc="outside upper right", ncols=2, fontsize=8, frameon=False)
  _calm(ax)
  return report.Figure("Predicted classes", figure, caption=(
    f"Classes of {len(predicted)} target images. A class that swallows its neighbours, or is "
    "never predicted, is a collapse that an accuracy can hide."
  ))


def predictions_figure(images, predicted, confidence, truth, class_names, limit=40):
  """Target images at even steps, with what the model takes them for.

  Args:
    images: [n, h, w], [n, h, w, 1] or [n, h, w, 3], in [0, 1].
    predicted: [n] ints, indices into class_names.
    confidence: [n], 0..1.
    truth: [n] ints; None if unknown.
    class_names: names of the target classes.
    limit: most images, >= 1.

  Returns:
    A contact sheet, wrong predictions framed; a text if n is 0.

  Raises:
    ValueError: a shape or value out of range.

  Example:
    >>> figure = predictions_figure(images, [5, 5], [0.98, 0.6], [5, 9], "0123456789")
    >>> figure.image.savefig("predictions.png")
  """
  images, confidence = np.asarray(images), np.asarray(confidence, np.float64)
  n, classes = len(images), len(class_names)
  predicted = _check_labels("predicted", predicted, n, classes)
  if limit < 1 or confidence.shape != (n,):
    raise ValueError(f"limit is {limit}, confidence has shape {confidence.shape}; give at least "
                     f"1, and one confidence for each of {n} images")
  if not n:
    return report.Text("Predictions", "There are no images.")
  images = images[..., None] if images.ndim == 3 else images
  if images.ndim != 4 or images.shape[-1] not in (1, 3):
    raise ValueError(f"images have shape {images.shape}; give [n, h, w, 1 or 3]")
  if not (images.min() >= 0 and images.max() <= 1):
    raise ValueError(f"images have values in {images.min():.4g}..{images.max():.4g}; scale to 0..1")
  wrong = np.zeros(n, bool)
  if truth is not None:
    truth = _check_labels("truth", truth, n, classes)
    wrong = truth != predicted
  shown = order.evenly(n, limit)
  columns = min(10, len(shown))
  rows = math.ceil(len(shown) / columns)
  high = images.shape[1] / images.shape[2]
  pitch = high + (0.56 if wrong[shown].any() else 0.4)  # a row of images and its text
  figure = _new_figure(0.3 + 0.95 * max(columns, 3), 0.2 + 0.83 * rows * pitch)
  ax = figure.subplots()
  for place, i in enumerate(shown):
    left, top = 1.14 * (place % columns), pitch * (place // columns)
    box = (left, left + 1, top + high, top)
    ax.imshow(np.broadcast_to(images[i], (*images.shape[1:3], 3)), extent=box)
    words = f"{confidence[i]:.2f}"
    words = f"{_short(class_names[predicted[i]])} {words.removeprefix('0')}"
    ax.text(left + 0.5, top + high + 0.06, words, ha="center", va="top", fontsize=8, color=_INK)
    if wrong[i]:
      ax.add_patch(matplotlib.patches.Rectangle(
        (left, top), 1, high, fill=False, edgecolor=_ACCENT, linewidth=2.2))
      ax.text(left + 0.5, top + high + 0.23, f"is {_short(class_names[truth[i]])}",
              ha="center", va="top", fontsize=8, color=_ACCENT)
  ax.set(xlim=(-0.04, 1.14 * columns - 0.1), ylim=(pitch * rows, -0.04))
  ax.set_axis_off()
  return report.Figure("Predictions", figure, caption=(
    f"{len(shown)} of {n} target images at even steps, with the predicted class and its "
    "confidence." + ("" if truth is None else f" Framed: wrong, as {wrong.sum()} of {n} are.")
  ))


def confusion_figure(predicted, truth, class_names):
  """Which class is taken for which, as shares of the true class.

  Args:
    predicted: [n] ints, indices into class_names.
    truth: [n] ints; None if unknown.
    class_names: names of the target classes.

  Returns:
    A heat map, with counts up to 12 classes; a text if n is 0 or the truth unknown.

  Raises:
    ValueError: a shape or class out of range.

  Example:
    >>> confusion_figure([0, 0, 1], [0, 1, 1], ["5", "6"])
    Figure(title='Confusion', ...)
  """
  classes = len(class_names)
  predicted = _check_labels("predicted", predicted, len(predicted), classes)
  if truth is None or not len(predicted):
    return report.Text("Confusion", "There are no predictions of known truth.")
  truth = _check_labels("truth", truth, len(predicted), classes)
  counts = np.zeros((classes, classes), int)
  np.add.at(counts, (truth, predicted), 1)
  shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
  ax = _heatmap(shares, counts.astype(str) if classes <= 12 else None, (0, 1),
                ("true class", class_names), ("predicted class", class_names), "share of the row")
  right = 100 * np.mean(truth == predicted)
  return report.Figure("Confusion", ax.figure, caption=(
    f"Shares of each true class, and counts of images where they fit; {right:.2f} % of "
    f"{len(truth)} are right. A dark cell off the diagonal is a pair of classes mixed up."
  ))


def _new_figure(width, height):
  return matplotlib.figure.Figure(figsize=(width, height), layout="constrained")


def _calm(ax):
  """Axes without a box, in quiet ink."""
  ax.spines[["top", "right"]].set_visible(False)
  ax.spines[["left", "bottom"]].set_color("#b5b9bd")
  ax.tick_params(labelsize=8, colors=_SOFT)


def _check_labels(name, labels, count, classes):
  labels = np.asarray(labels)
  if labels.shape != (count,):
    raise ValueError(f"{name} has shape {labels.shape}; give one class for each of {count}")
  if count and not (labels.min() >= 0 and labels.max() < classes):
    raise ValueError(f"{name} has classes {labels.min()}..{labels.max()}; give 0..{classes - 1}")
  return labels.astype(np.int64)


def _check_streams(name, streams, names):
  """{stream: (features [n, d] float64, labels [n] int64 or None)}."""
  checked = {}
  for key in _STREAMS:
    features, labels = streams[key]
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or not np.all(np.isfinite(features)):
      raise ValueError(f"features {name!r} of {key!r} have shape {features.shape} and "
                       f"{np.sum(~np.isfinite(features))} values not finite; give [n, d], finite")
    if labels is not None:
      classes = len(names["source" if key == "source" else "target"])
      labels = _check_labels(f"labels {name!r} of {key!r}", labels, len(features), classes)
    checked[key] = features, labels
  return checked


def _palette(count):
  """Colours of classes, as unlike as they can be."""
  if count <= 20:
    return list(matplotlib.colormaps["tab10" if count <= 10 else "tab20"].colors[:count])
  index = np.arange(count)  # around the wheel in steps of the golden ratio
  lights = np.where(index % 2, 0.62, 0.88)
  return list(matplotlib.colors.hsv_to_rgb(
    np.stack([index * 0.618034 % 1, np.full(count, 0.72), lights], axis=1)))


def _embed(features, seed):
  """t-SNE of directions, [n, 2]; zeros if all of them agree, which t-SNE can't take."""
  units = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
  if np.ptp(units, axis=0).max(initial=0) < 1e-7:
    return np.zeros((len(units), 2))
  return manifold.TSNE(
    perplexity=min(30, (len(units) - 1) / 3), init="pca" if units.shape[1] > 1 else "random",
    random_state=seed,
  ).fit_transform(units.astype(np.float32))


def _draw_stream(ax, key, points, labels, names, colors):
  """One stream's points, and names above the stars: of more than 30, one a class."""
  if not len(points):
    return
  shades = np.array([matplotlib.colors.to_rgb(_GREY)] * len(points))
  if labels is not None:
    shades = np.array([matplotlib.colors.to_rgb(colors[k]) for k in labels])
  style = {
    "source": {"s": 15, "facecolors": "none", "edgecolors": shades, "linewidth": 0.8},
    "unlabeled": {"s": 11, "c": shades, "linewidth": 0},
    "labeled": {"s": 190, "c": shades, "marker": "*", "edgecolors": _INK, "linewidth": 0.9},
  }
  ax.scatter(*points.T, **style[key])
  if key != "labeled" or labels is None or not ax.dataLim.size.any():
    return
  few = len(points) <= 30
  near = 0.06 * np.diff(ax.dataLim.get_points(), axis=0).max() if few else np.inf
  for label in np.unique(labels):
    stars, named = points[labels == label], np.zeros((0, 2))
    # From the top (of many, the middle) on; one beside a star with the name doesn't repeat it.
    order = -stars[:, 1] if few else np.abs(stars - np.median(stars, axis=0)).sum(axis=1)
    for star in stars[np.argsort(order)]:
      if np.all(np.linalg.norm(named - star, axis=1) > near):
        named = np.append(named, [star], axis=0)
        ax.annotate(str(names[label]), star, xytext=(0, 6), textcoords="offset points",
                    ha="center", fontsize=8, color=_INK, path_effects=_HALO)


def _mark(key, color, label):
  """An entry of the embedding's legend."""
  style = {
    "source": {"marker": "o", "markerfacecolor": "none", "markeredgecolor": color},
    "unlabeled": {"marker": "o", "markerfacecolor": color, "markeredgewidth": 0},
    "labeled": {"marker": "*", "markersize": 12, "markerfacecolor": "white"},
  }[key]
  style = {"markersize": 5, "markeredgecolor": _INK, **style}
  return matplotlib.lines.Line2D([], [], linestyle="none", label=label, **style)


def _heatmap(values, texts, limits, rows, columns, title):
  """Axes with a matrix, the texts in its cells if given, named rows and columns, and a bar."""
  height, width = values.shape
  side = 0.52 if max(height, width) <= 20 else 9 / max(height, width)
  ax = _new_figure(max(2.4 + side * width, 4), max(1.2 + side * height, 2.4)).subplots()
  shades = matplotlib.colormaps["magma_r"](np.linspace(0, 0.85, 256))  # black hides frames
  cmap = matplotlib.colors.ListedColormap(shades).with_extremes(bad="#e9ebec")
  image = ax.imshow(np.ma.masked_invalid(values), cmap=cmap, vmin=limits[0], vmax=limits[1])
  for (row, column), value in np.ndenumerate(values if texts is not None else np.zeros((0, 0))):
    dark = np.dot(image.to_rgba(value)[:3], (0.3, 0.59, 0.11)) < 0.5
    ax.text(column, row, texts[row, column], ha="center", va="center", fontsize=8,
            color="white" if dark and np.isfinite(value) else _INK)
  _name_ticks(ax.yaxis, rows[1])
  _name_ticks(ax.xaxis, columns[1])
  ax.set_ylabel(rows[0], fontsize=9, color=_SOFT)
  ax.set_xlabel(columns[0], fontsize=9, color=_SOFT)
  bar = ax.figure.colorbar(image, ax=ax, shrink=0.9, pad=0.03, aspect=25)
  bar.set_label(title, fontsize=9, color=_SOFT)
  for part in (ax, bar.ax):
    part.tick_params(labelsize=8, colors=_SOFT, length=0)
    part.spines[:].set_visible(False)
  return ax


def _name_ticks(axis, names):
  """A tick a class, turned if the names are long; of many classes, every k-th."""
  shown = np.arange(0, len(names), math.ceil(len(names) / 30))
  texts = [str(names[i]) for i in shown]
  turned = axis.axis_name == "x" and max(map(len, texts)) > 4 and len(texts) > 2
  style = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if turned else {}
  axis.set_ticks(shown, labels=texts, **style)


def _short(name):
  return str(name) if len(str(name)) <= 10 else f"{str(name)[:9]}…"


def _series(lines, key):
  """The finite values of a key, [n, 2] of step and value."""
  points = [(line.get("step", i), line.get(key)) for i, line in enumerate(lines)]
  points = [p for p in points if all(isinstance(x, numbers.Real) and math.isfinite(x) for x in p)
            and not isinstance(p[1], bool | np.bool_)]
  return np.array(points, np.float64).reshape(-1, 2)


def _small_multiples(count):
  """A figure of `count` small axes, four a row, above one name of all their x axes."""
  columns = min(count, 4)
  rows = math.ceil(count / columns)
  figure = _new_figure(max(2.7 * columns, 4.2), 0.3 + 1.9 * rows)
  figure.supxlabel("step", fontsize=9, color=_SOFT)
  return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(count)]


def _draw_curve(ax, title, curve, steps, color=_GREEN):
  """A curve [n, 2] over the range of `steps`, which other panels share."""
  ax.plot(*curve.T, color=color, linewidth=1.4, marker="o" if len(curve) == 1 else None)
  pad = 0.03 * np.ptp(steps) or 0.5
  ax.set_xlim(steps.min() - pad, steps.max() + pad)
  ax.set_title(title, fontsize=9, color=_INK, loc="left")
  ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4, integer=True, min_n_ticks=1))
  ax.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
  ax.grid(color="#e6e6e6", linewidth=0.7)
  _calm(ax)
