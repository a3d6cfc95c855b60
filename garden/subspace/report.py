"""Figures of a subspace clustering report; pure functions of arrays.

Every function gives a `core.report.Figure` and touches no global state. None draws with
a label that it wasn't given: without ground truth, pass the clusters that were found.
"""

import math
import numbers
from collections.abc import Mapping, Sequence

import matplotlib
import matplotlib.figure
import matplotlib.ticker
import numpy as np
import scipy.linalg

from garden.core import report
from garden.subspace import affinity as affinities
from garden.subspace import latent_map

_MATRIX_PIXELS = 800  # a larger matrix is drawn as means of blocks
_TSNE_POINTS = 2000
_SPECTRUM = 200
# Bookkeeping of metrics.jsonl that is no loss.
_NOT_CURVES = ("step", "steps", "epoch", "second", "seconds", "time", "rate", "lr", "memory")
_INK = latent_map.INK
_SOFT = "#70767d"
_ACCENT = "#b3402f"


def affinity_figure(
  affinity_good: np.ndarray,
  affinity_plain: np.ndarray,
  labels: np.ndarray | None,
  error_good: float | None = None,
  error_plain: float | None = None,
) -> report.Figure:
  """The post-processed and the plain affinity side by side, sorted by cluster.

  A good affinity of sorted samples is block-diagonal. The two matrices have different
  units, so each is divided by the same quantile of its own off-diagonal entries,
  1 - 1/(2K): with K clusters of one size and a perfect affinity this is the median inside
  the blocks. Both panels have one colour map, linear and clipped at 1. The diagonal, a
  constant of the recipe, is left out.

  Args:
    affinity_good: [N, N], >= 0, after the post-processing.
    affinity_plain: [N, N], >= 0, |C| + |C|^T.
    labels: [N] ints that sort the samples; None keeps their order.
    error_good: clustering error in percent for the title; None if unknown.
    error_plain: likewise.

  Returns:
    A figure of two panels and a colour bar.

  Raises:
    ValueError: an affinity is not square, not finite or negative, or sizes differ.

  Example:
    >>> figure = affinity_figure(good, plain, labels, 15.7, 26.9)
    >>> report.write_report("report.html", "ORL", [figure])
  """
  panels = [
    (_check_affinity("affinity_good", affinity_good), "Post-processed", error_good),
    (_check_affinity("affinity_plain", affinity_plain), "Plain |C| + |C|ᵀ", error_plain),
  ]
  samples = len(panels[0][0])
  if len(panels[1][0]) != samples:
    raise ValueError(
      f"affinity_plain is of {len(panels[1][0])} samples, affinity_good of {samples}; "
      "give two affinities of the same samples"
    )
  order, names, edges = np.arange(samples), [], np.array([0, samples])
  quantile = 0.99
  if labels is not None:
    labels = _check_labels("labels", labels, samples)
    order = np.argsort(labels, kind="stable")
    names, starts = np.unique(labels[order], return_index=True)
    edges = np.append(starts, samples)
    quantile = 1 - 0.5 / len(names)

  figure = _new_figure(10.4, 5.2)
  axes = figure.subplots(1, 2)
  for ax, (affinity, title, error) in zip(axes, panels):
    shades = _shades(affinity[np.ix_(order, order)], quantile)
    box = (0, samples, samples, 0)
    image = ax.imshow(
      shades, cmap="magma_r", vmin=0, vmax=1, interpolation="nearest", extent=box
    )
    suffix = "" if error is None else f": error {error:.2f} %"
    ax.set_title(title + suffix, fontsize=12, color=_INK, pad=10)
    _mark_clusters(ax, names, edges)
  bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30, pad=0.015)
  bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "0.25", "0.5", "0.75", "≥ 1"])
  bar.set_label("affinity / its quantile", fontsize=9, color=_SOFT)
  bar.ax.tick_params(labelsize=8, colors=_SOFT)
  bar.outline.set_visible(False)
  sorting = "in their given order" if labels is None else "sorted by cluster"
  return report.Figure(
    "Affinity",
    figure,
    caption=(
      f"Affinities of {samples} samples {sorting}; ticks mark where a cluster ends. "
      f"Each matrix is divided by its own {100 * quantile:.4g} % quantile and clipped there, "
      "so the two panels can be compared by their pattern, not by their unit. Blocks on the "
      "diagonal, and nothing elsewhere, are what a spectral clustering needs."
    ),
    alt="Two affinity matrices as heat maps, post-processed on the left, plain on the right.",
  )


def samples_figure(
  images: np.ndarray,
  labels: np.ndarray | None,
  per_cluster: int = 8,
  max_clusters: int = 12,
) -> report.Figure:
  """Sample images, one row a cluster.

  Clusters and their members are taken at even steps, first and last included, so that
  the choice is neither random nor flattering.

  Args:
    images: [N, h, w], [N, h, w, 1] or [N, h, w, 3], in [0, 1].
    labels: [N] ints, the clusters; None shows all samples as one.
    per_cluster: images a row, >= 1.
    max_clusters: rows, >= 1.

  Returns:
    A figure with one panel.

  Raises:
    ValueError: a wrong shape, a value outside [0, 1], or a count below 1.

  Example:
    >>> figure = samples_figure(data.pixels, labels)
    >>> figure.image.savefig("clusters.png")
  """
  images = _check_images(images)
  for name, count in (("per_cluster", per_cluster), ("max_clusters", max_clusters)):
    if count < 1:
      raise ValueError(f"{name} is {count}; give at least 1")
  known = labels is not None
  labels = _check_labels("labels", labels if known else np.zeros(len(images)), len(images))
  names = np.unique(labels)
  shown = names[_even_steps(len(names), max_clusters)]
  members = [np.flatnonzero(labels == name) for name in shown]
  picked = [rows[_even_steps(len(rows), per_cluster)] for rows in members]

  height, width = images.shape[1:3]
  gap = max(1, round(0.06 * height))
  columns = max(len(rows) for rows in picked)
  mosaic = np.ones(
    (len(picked) * (height + gap) - gap, columns * (width + gap) - gap, 3), np.float32
  )
  for i, rows in enumerate(picked):
    for j, row in enumerate(rows):
      top, left = i * (height + gap), j * (width + gap)
      mosaic[top : top + height, left : left + width] = images[row]  # gray is broadcast

  aspect = mosaic.shape[0] / mosaic.shape[1]
  figure_width = 1.5 + 0.78 * columns
  figure = _new_figure(figure_width, min(0.3 + (figure_width - 1.4) * aspect, 20))
  ax = figure.subplots()
  ax.imshow(mosaic, interpolation="nearest")
  ax.set_xticks([])
  middles = [i * (height + gap) + height / 2 for i in range(len(picked))]
  word = "cluster {}" if known else "samples"
  ax.set_yticks(
    middles,
    labels=[f"{word.format(name)}\n{len(m)} images" for name, m in zip(shown, members)],
    fontsize=8,
    color=_INK,
  )
  ax.tick_params(length=0)
  ax.spines[:].set_visible(False)
  caption = "Samples at even steps through " + ("each cluster" if known else "the data") + "."
  if len(shown) < len(names):
    caption += f" {len(shown)} of {len(names)} clusters are shown, at even steps too."
  return report.Figure(
    "Sample images", figure, caption=caption, alt="A grid of sample images, a row a cluster."
  )


def latent_figure(
  codes: np.ndarray, labels: np.ndarray | None, truth: np.ndarray | None = None
) -> report.Figure:
  """A map of the latent codes: PCA to at most 50 dimensions, then t-SNE to two.

  Above 2000 samples a fixed random subset is drawn; below 10, or if all codes agree, the
  first two principal components stand in for t-SNE.

  Args:
    codes: [N, d] or [N, ...], flattened.
    labels: [N] ints, the clusters found; None draws one gray cloud.
    truth: [N] ints, the true classes, drawn in a second panel if given. Clusters then
      take the colour of the class that the best one-to-one matching gives them, and
      samples outside their class are ringed.

  Returns:
    A figure of one or two panels.

  Raises:
    ValueError: codes are not finite, or sizes differ.

  Example:
    >>> figure = latent_figure(codes, labels, truth)
    >>> figure.caption
    't-SNE of ...'
  """
  codes = np.asarray(codes, dtype=np.float64)
  if codes.ndim < 2 or not len(codes):
    raise ValueError(f"codes have shape {codes.shape}; give [samples, features]")
  codes = codes.reshape(len(codes), -1)
  if not np.all(np.isfinite(codes)):
    raise ValueError(
      f"codes hold {np.sum(~np.isfinite(codes))} values that are not finite; did the "
      "training diverge?"
    )
  total = len(codes)
  panels = []  # title, labels, color per label, rings
  if labels is not None:
    labels = _check_labels("labels", labels, total)
  if truth is not None:
    truth = _check_labels("truth", truth, total)
  if labels is None:
    panels.append(("Samples", None, {}, None))
  elif truth is None:
    panels.append(("Clusters found", labels, latent_map.group_colors(np.unique(labels)), None))
  else:
    match = latent_map.best_matching(labels, truth)
    colors = latent_map.group_colors(np.unique(truth))
    matched = {name: colors.get(match.get(name), "#9a9a9a") for name in np.unique(labels)}
    rings = np.array([match.get(a) != b for a, b in zip(labels.tolist(), truth.tolist())])
    panels.append((f"Clusters found ({rings.sum()} of {total} mismatched)", labels, matched, rings))
  if truth is not None:
    panels.append(("Truth", truth, latent_map.group_colors(np.unique(truth)), None))

  keep = np.arange(total)
  if total > _TSNE_POINTS:
    keep = np.sort(np.random.default_rng(0).choice(total, _TSNE_POINTS, replace=False))
  points, method = latent_map.embed(codes[keep])

  figure = _new_figure(5.2 * len(panels), 5.0)
  axes = figure.subplots(1, len(panels), squeeze=False)[0]
  for ax, (title, groups, colors, rings) in zip(axes, panels):
    groups = None if groups is None else groups[keep]
    latent_map.scatter(ax, points, groups, colors, None if rings is None else rings[keep])
    ax.set_title(title, fontsize=12, color=_INK)
  caption = f"{method} of the latent codes"
  caption += f", {len(keep)} of {total} samples." if len(keep) < total else f", N = {total}."
  if labels is not None and truth is not None:
    caption += (
      " A cluster has the colour of the class it is matched with; a ring marks a sample "
      "whose class is another one (the clustering error counts them)."
    )
  caption += " Distances between far groups mean little in such a map."
  return report.Figure(
    "Latent space", figure, caption=caption, alt="Scatter plots of the latent codes."
  )


def curves_figure(history: Sequence[Mapping[str, object]]) -> report.Figure:
  """Loss curves, one panel a training stage.

  Args:
    history: lines of metrics.jsonl, such as {"stage": "pretrain", "step": 200,
      "loss": 4720.0, "reconstruction": …}. Every number but bookkeeping (times, rates) is
      a curve; values that a log scale can't show (zero, negative, NaN) are left out.

  Returns:
    A figure with a panel a stage in their order; one empty panel without history.

  Example:
    >>> lines = [{"stage": "pretrain", "step": s, "loss": 1 / s} for s in (1, 2, 3)]
    >>> figure = curves_figure(lines)
  """
  stages = {}
  for index, line in enumerate(history):
    curves = stages.setdefault(str(line.get("stage", "training")), {})
    step = line.get("step", index)
    for key, value in line.items():
      if _is_curve(key, value) and value > 0 and math.isfinite(value):
        curves.setdefault(key, []).append((step, float(value)))
  stages = stages or {"no history": {}}
  keys = list(dict.fromkeys(key for curves in stages.values() for key in curves))
  tab10 = matplotlib.colormaps["tab10"]
  colors = {key: tab10(i % 10) for i, key in enumerate(keys)}

  columns = min(len(stages), 2)
  rows = math.ceil(len(stages) / columns)
  figure = _new_figure(5.2 * columns if columns > 1 else 7, 3.5 * rows)
  for number, (stage, curves) in enumerate(stages.items(), start=1):
    ax = figure.add_subplot(rows, columns, number)
    ax.set_title(stage, fontsize=12, color=_INK)
    if not curves:
      ax.text(0.5, 0.5, "no values recorded", ha="center", va="center", color=_SOFT)
      ax.set_axis_off()
      continue
    for key, curve in curves.items():
      steps, values = zip(*curve)
      ax.plot(
        steps,
        values,
        color=colors[key],
        label=key,
        linewidth=2 if key == "loss" else 1.3,
        linestyle="--" if key.startswith("val_") else "-",
        marker="o" if len(curve) == 1 else None,
        markersize=4,
      )
    ax.set_yscale("log")
    ax.set_xlabel("step", fontsize=9, color=_SOFT)
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(6, integer=True))
    ax.grid(color="#e6e6e6", linewidth=0.7)
    # Below, where no curve can run through it.
    ax.legend(fontsize=8, frameon=False, loc="upper center",
              bbox_to_anchor=(0.5, -0.16), ncols=4)
    _calm(ax)
  return report.Figure(
    "Loss curves",
    figure,
    caption="Loss and its parts by step, on a log scale; zeros can't be drawn on it.",
    alt="Line plots of the losses.",
  )


def affinity_spectrum_figure(affinity: np.ndarray, n_clusters: int) -> report.Figure:
  """The leading eigenvalues of the normalised affinity, with the gap at K.

  With D the degrees and the diagonal of A set to zero, D^-1/2 A D^-1/2 has as many
  eigenvalues 1 as A has components (von Luxburg, "A tutorial on spectral clustering",
  2007, prop. 4); a large fall after the K-th one speaks for K clusters.

  Args:
    affinity: [N, N], >= 0, N >= 2.
    n_clusters: K, 1..N.

  Returns:
    A figure with one panel.

  Raises:
    ValueError: the affinity is not square, not finite or negative, or K is out of range.

  Example:
    >>> figure = affinity_spectrum_figure(affinity, 40)
    >>> figure.caption
    'The leading 85 eigenvalues ...'
  """
  affinity = _check_affinity("affinity", affinity)
  samples = len(affinity)
  if not 1 <= n_clusters <= samples:
    raise ValueError(f"n_clusters is {n_clusters}; give 1..{samples}, the number of samples")
  count = min(samples, max(n_clusters + 1, min(2 * n_clusters + 5, _SPECTRUM)))
  normalized, _ = affinities.normalized_affinity((affinity + affinity.T) / 2)
  values = scipy.linalg.eigh(
    normalized, eigvals_only=True, subset_by_index=[samples - count, samples - 1]
  )[::-1]

  figure = _new_figure(8.4, 3.8)
  ax = figure.subplots()
  ranks = np.arange(1, count + 1)
  inside = ranks <= n_clusters
  ax.plot(ranks, values, color="#d0d3d6", linewidth=1, zorder=1)
  for part, color in ((inside, _ACCENT), (~inside, "#7d8790")):
    ax.scatter(ranks[part], values[part], s=26 if count <= 60 else 12, color=color, zorder=2)
  caption = (
    f"The leading {count} eigenvalues of the normalised affinity; the first K = "
    f"{n_clusters} are coloured."
  )
  if n_clusters < samples:
    upper, lower = values[n_clusters - 1], values[n_clusters]
    ax.axhspan(lower, upper, color=_ACCENT, alpha=0.13, linewidth=0, zorder=0)
    ax.axvline(n_clusters + 0.5, color=_ACCENT, linewidth=1, linestyle=":", zorder=0)
    ax.set_title(
      f"Gap at K = {n_clusters}: {upper - lower:.3g}", fontsize=12, color=_INK, pad=10
    )
    caption += " The band is the gap to the next one; a wide band speaks for this K."
  ax.set_xlabel("rank", fontsize=9, color=_SOFT)
  ax.set_ylabel("eigenvalue", fontsize=9, color=_SOFT)
  ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(10, integer=True))
  _calm(ax)
  return report.Figure(
    "Spectrum of the affinity", figure, caption=caption, alt="Eigenvalues by their rank."
  )


def _new_figure(width, height):
  return matplotlib.figure.Figure(figsize=(width, height), layout="constrained")


def _calm(ax):
  """Axes without a box, in quiet ink."""
  ax.spines[["top", "right"]].set_visible(False)
  ax.spines[["left", "bottom"]].set_color("#b5b9bd")
  ax.tick_params(labelsize=8, colors=_SOFT)
  ax.tick_params(which="minor", labelsize=7, colors=_SOFT)


def _check_affinity(name, affinity):
  """A float64 copy of a square, finite matrix >= 0."""
  affinity = np.array(affinity, dtype=np.float64)
  if affinity.ndim != 2 or affinity.shape[0] != affinity.shape[1] or not affinity.size:
    raise ValueError(f"{name} has shape {affinity.shape}; give a square matrix")
  low, high = affinity.min(), affinity.max()
  if not (low >= 0 and np.isfinite(high)):
    raise ValueError(f"{name} has values in {low:.3g}..{high:.3g}; give finite ones >= 0")
  return affinity


def _check_labels(name, labels, samples):
  labels = np.asarray(labels)
  if labels.shape != (samples,):
    raise ValueError(
      f"{name} have shape {labels.shape}; give one label for each of {samples} samples"
    )
  return labels.astype(np.int64)


def _check_images(images):
  """Images as [N, h, w, 1 or 3]."""
  images = np.asarray(images)
  if images.ndim == 3:
    images = images[..., None]
  if images.ndim != 4 or images.shape[-1] not in (1, 3) or not images.size:
    raise ValueError(f"images have shape {images.shape}; give [N, h, w, 1 or 3]")
  low, high = images.min(), images.max()
  if not (low >= 0 and high <= 1):
    raise ValueError(
      f"images have values in {low:.4g}..{high:.4g}; scale them to 0..1 first"
    )
  return images


def _even_steps(count, limit):
  """At most `limit` indices into `count` things, evenly spread, ends included."""
  return np.unique(np.linspace(0, count - 1, min(count, limit)).round().astype(int))


def _shades(affinity, quantile):
  """The affinity over a quantile of itself, in [0, 1], small enough to draw."""
  samples = len(affinity)
  np.fill_diagonal(affinity, np.nan)
  top = np.nanquantile(affinity, quantile) if samples > 1 else 0
  if top <= 0:  # so sparse that the quantile is zero
    top = np.nanmax(affinity) if samples > 1 else 0
  np.fill_diagonal(affinity, 0)
  shades = np.clip(affinity / top, 0, 1) if top > 0 else np.zeros_like(affinity)
  step = math.ceil(samples / _MATRIX_PIXELS)
  if step > 1:
    # Means of blocks: dropping rows would lose the few entries of a sparse affinity.
    starts = np.arange(0, samples, step)
    sizes = np.diff(np.append(starts, samples))
    sums = np.add.reduceat(np.add.reduceat(shades, starts, axis=0), starts, axis=1)
    shades = sums / np.outer(sizes, sizes)
  return shades


def _mark_clusters(ax, names, edges):
  """Ticks where clusters end, and their numbers between if there is room."""
  samples = edges[-1]
  ax.set_xticks(edges, labels=[])
  ax.set_yticks(edges, labels=[])
  ax.tick_params(length=4, width=0.5, color=_SOFT)
  ax.spines[:].set_linewidth(0.5)
  ax.spines[:].set_color(_SOFT)
  ax.set_xlim(0, samples)
  ax.set_ylim(samples, 0)
  if 0 < len(names) <= 20:
    middles = (edges[:-1] + edges[1:]) / 2
    for axis in (ax.xaxis, ax.yaxis):
      axis.set_ticks(middles, labels=[str(name) for name in names], minor=True)
    ax.tick_params(which="minor", length=0, labelsize=7, labelcolor=_SOFT)


def _is_curve(key, value):
  if isinstance(value, bool) or not isinstance(value, numbers.Real):
    return False
  return not any(word in _NOT_CURVES for word in key.split("_"))
