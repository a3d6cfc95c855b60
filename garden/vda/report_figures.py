"""Figures of the towers' de-animation; pure functions of arrays."""

import matplotlib.colors
import matplotlib.figure
import matplotlib.patches
import matplotlib.ticker
import numpy as np
import PIL.Image

from garden.core import axes as axes_lib
from garden.core import report
from garden.datasets.block_towers import metrics as tower_metrics
from garden.worlds.towers import scene

_INK, _SOFT = "#22262b", "#70767d"
#: Okabe and Ito's colours, which are told apart by all eyes; line styles say the same.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_STYLES = ("-", "--", ":", "-.")
_RIGHT, _WRONG = _COLORS[0], _COLORS[1]
_PALETTE = matplotlib.colors.ListedColormap(
    [(0.93, 0.92, 0.90), *map(tuple, scene.BASE_COLORS)])
_WORST = 0.3  # of a pixel's error, where the scale of error pictures ends
_GROUPS = 5  # of towers by their reconstruction error


def reconstruction_figure(name, images, found, fall, right):
  """Images, what was recovered of them, drawn, and where the two differ; a column a tower.

  Args:
    name: of the stream.
    images: `[n, s, s, 3]` in [0, 1].
    found: dict of arrays of `VDA.call`, of these images.
    fall: `[n]`, 1 where the tower falls.
    right: `[n]` bool, whether that was told right.

  Returns:
    A figure.
  """
  n, size = len(images), found["image"].shape[1]
  figure = matplotlib.figure.Figure(figsize=(1.55 * n + 0.8, 6.9), layout="constrained")
  figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)
  axes = figure.subplots(4, n, squeeze=False)
  for i in range(n):
    small = _shrunk(images[i], size)
    classes = np.concatenate([[0], found["color_class"][i]])[found["ids"][i]]
    error = np.abs(small - found["image"][i]).mean(axis=-1)
    axes[0, i].imshow(images[i])
    axes[1, i].imshow(classes, cmap=_PALETTE, vmin=0, vmax=_PALETTE.N - 1, interpolation="nearest")
    for y0, x0, y1, x1 in found["boxes"][i][found["present"][i]] * size - 0.5:
      axes[1, i].add_patch(matplotlib.patches.Rectangle(
          (x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=_INK, linewidth=0.9))
    axes[2, i].imshow(found["image"][i])
    drawn = axes[3, i].imshow(error, cmap="magma", vmin=0, vmax=_WORST)
    told = found["fall_probability"][i]
    axes[0, i].set_title(f"{'falls' if fall[i] else 'stands'}, p = {told:.2f}\n"
                         f"{'right' if right[i] else 'wrong'}", fontsize=8,
                         color=_RIGHT if right[i] else _WRONG)
    axes[3, i].set_xlabel(f"mean {found['reconstruction_error'][i]:.3f}", fontsize=8)
  for ax in axes.flat:
    axes_lib.bare(ax)
  for ax, label in zip(axes[:, 0], ("image", "blocks", "reconstruction", "error")):
    ax.set_ylabel(label, fontsize=9)
  bar = figure.colorbar(drawn, ax=axes[3, :], shrink=0.85, pad=0.01)
  bar.set_label("mean over RGB", fontsize=7)
  bar.ax.tick_params(labelsize=7)
  return report.Figure(f"Images and their reconstructions: {name}", figure, (
      "From above: the image; the recovered blocks in their colour classes, in the boxes that were "
      "seen; the state drawn by the graphics engine; and where the two differ. Above each what the "
      "tower does, the probability of falling that was told and whether that is right; below it "
      "the error, which counts pixels around the tower most. From the least error at the left to "
      "the greatest at the right, evenly by rank."))


def _shrunk(image, size):
  """An image `[size, size, 3]` in [0, 1]."""
  picture = PIL.Image.fromarray(np.round(255.0 * image).astype(np.uint8))
  return np.asarray(picture.resize((size, size), PIL.Image.Resampling.BOX)) / 255.0


def mask_films(masks):
  """Masks `[n, s, s, T]` int of colour classes, as films `[n, T, s, s, 3]` in [0, 1]."""
  palette = np.concatenate([np.full((1, 3), 0.93), scene.BASE_COLORS])
  return palette[np.moveaxis(np.asarray(masks, int), -1, 1)]


def future_figure(truth, told, times, iou=None, physnet=None):
  """What happens to falling towers, above what is told from the image at 0 s.

  Args:
    truth: `[n, T, s, s, 3]` in [0, 1].
    told: `[n, T, s, s, 3]`.
    times: `[T]` seconds.
    iou: optional `[n]`, of the masks at the last time.
    physnet: optional `[n, T, s', s', 3]`, a third row.

  Returns:
    A figure.
  """
  n, count = truth.shape[:2]
  rows = [(truth, "truth"), (told, "ours")] + ([] if physnet is None else [(physnet, "PhysNet")])
  across = min(n, 2)
  lines = -(-n // across)
  tall = lines * (0.45 + 1.15 * len(rows))
  figure = matplotlib.figure.Figure(figsize=(1.15 * count * across + 0.9, tall), dpi=160)
  outer = figure.add_gridspec(lines, across, left=0.06, right=0.995, bottom=0.005,
                              top=1.0 - 0.35 / tall, wspace=0.13, hspace=0.19)
  for i in range(n):
    inner = outer[i // across, i % across].subgridspec(len(rows), count, wspace=0.03, hspace=0.03)
    for line, (films, label) in enumerate(rows):
      for t, time in enumerate(times):
        ax = figure.add_subplot(inner[line, t])
        ax.imshow(films[i, t])
        axes_lib.bare(ax)
        if not line:
          more = f"\n(IoU {iou[i]:.2f})" if iou is not None and t == count - 1 else ""
          ax.set_title(f"{time:g} s{more}", fontsize=8)
        if not t:
          ax.set_ylabel(label, fontsize=9)
  order = ("From the best at the upper left to the worst at the lower right, evenly by rank of how "
           "well blocks cover the true ones at the end (IoU). " if iou is not None else "")
  return report.Figure("What happens", figure, (
      "Towers that fall: what happens, and what MuJoCo makes of the scene that was recovered from "
      "the one image at 0 s, the camera given. " + order + "Both are drawn by the ray-caster, the "
      "truth in its own paint, ours in the paint that was found."
      + ("" if physnet is None else " PhysNet sees the same image and tells masks by colour.")))


def pose_figure(name, errors):
  """How far blocks are off, by direction.

  Args:
    name: of the stream.
    errors: label -> dict of `metrics.pose_errors`.

  Returns:
    A figure; a text if no tower's blocks were counted right.
  """
  panels = (("position_error", "across the image (% of a block)", 100.0),
            ("depth_error", "in depth (% of a block)", 100.0),
            ("yaw_error", "yaw (degrees, modulo 90)", 1.0))
  some = [kind for kind in errors.values() if np.isfinite(kind["depth_error"]).any()]
  if not some:
    return report.Text("Errors of poses", "No tower has as many blocks as were found.")
  figure = matplotlib.figure.Figure(figsize=(9.8, 3.4), layout="constrained")
  for ax, (key, label, times) in zip(figure.subplots(1, len(panels)), panels):
    values = {way: times * kind[key][np.isfinite(kind[key])] for way, kind in errors.items()}
    values = {way: value for way, value in values.items() if len(value)}
    end = max(np.percentile(value, 95) for value in values.values())
    edges = np.linspace(0.0, max(end, 1e-3), 25)
    for number, (way, value) in enumerate(values.items()):
      share = np.histogram(value, edges)[0] / len(value)
      middle = np.median(value)
      ax.stairs(100.0 * share, edges, color=_COLORS[number], linestyle=_STYLES[number],
                linewidth=1.4, label=f"{way}: {middle:.2g}")
      ax.plot([middle], [0.0], marker="^", color=_COLORS[number], clip_on=False, markersize=6,
              alpha=0.8)
    ax.set_xlabel(label, fontsize=9)
    ax.set_xlim(0.0, edges[-1])
    ax.set_ylim(bottom=0.0)
    ax.tick_params(labelsize=8)
    ax.legend(frameon=False, fontsize=7.5, title="given: median error", title_fontsize=7.5)
    axes_lib.plain(ax)
  figure.axes[0].set_ylabel("% of the blocks a bin", fontsize=9)
  return report.Figure(f"Errors of poses: {name}", figure, (
      "Errors of blocks relative to the lowest one, as the camera sees them, and of their turn; "
      "triangles are medians. Depth is the hard direction: it changes few pixels. Up to 5 % "
      "of the blocks lie beyond the right end. Of towers whose blocks were counted right."))


def margin_figure(names, right, margin):
  """Accuracy by distance from the balance point, streams beside each other.

  Args:
    names: of the streams.
    right: for each stream `[N]` bool, whether it is told right that a tower falls.
    margin: for each stream `[N]`, true margins in block widths.

  Returns:
    A figure.
  """
  labels = tower_metrics.margin_names()
  figure = matplotlib.figure.Figure(figsize=(6.6, 3.6), layout="constrained")
  ax = figure.subplots()
  width, numbers = 0.8 / len(names), [[] for _ in labels]
  for s, (name, told, away) in enumerate(zip(names, right, margin)):
    bins = tower_metrics.margin_bins(away)
    for k in range(len(labels)):
      count = int((bins == k).sum())
      numbers[k].append(str(count))
      if not count:
        continue
      value = float(told[bins == k].mean())
      ax.bar(k + (s - (len(names) - 1) / 2) * width, 100 * value, 0.92 * width,
             yerr=100 * tower_metrics.binomial_error(value, count), color=_COLORS[s % 4],
             hatch=("", "//", "..", "xx")[s % 4], edgecolor="white", linewidth=0.0, capsize=2,
             error_kw={"elinewidth": 1, "ecolor": _INK}, label=name)
  ax.axhline(50, color=_SOFT, linewidth=0.8, linestyle="--")
  ax.set_xticks(range(len(labels)), [f"{label}\n({', '.join(count)})" for label, count in zip(
      labels, numbers)], fontsize=8)
  ax.set_ylim(0, 100)
  ax.set_ylabel("stability told right (%)", fontsize=9)
  ax.set_xlabel("|margin| in block widths (towers)", fontsize=9)
  if len(names) > 1:
    handles = dict(zip(*reversed(ax.get_legend_handles_labels())))
    figure.legend(handles.values(), handles.keys(), frameon=False, fontsize=8, ncols=len(names),
                  loc="outside upper center")
  axes_lib.plain(ax)
  return report.Figure("Accuracy by margin", figure, (
      "How far the centre of mass truly is from the border of what carries it, with the binomial "
      "standard error. The dashed line is chance. Towers nearest 0 fall or stand by less than a "
      "pixel."))


def confidence_figure(names, right, error):
  """Accuracy of towers in groups by how well they were reconstructed.

  Args:
    names: of the streams.
    right: for each stream `[N]` bool.
    error: for each stream `[N]`, reconstruction errors.

  Returns:
    A figure.
  """
  figure = matplotlib.figure.Figure(figsize=(5.6, 3.6), layout="constrained")
  ax = figure.subplots()
  for s, (name, told, away) in enumerate(zip(names, right, error)):
    groups = [g for g in np.array_split(np.argsort(away, kind="stable"), _GROUPS) if len(g)]
    value = np.array([told[g].mean() for g in groups])
    spread = [tower_metrics.binomial_error(v, len(g)) for v, g in zip(value, groups)]
    ax.errorbar([np.median(away[g]) for g in groups], 100 * value, yerr=100 * np.array(spread),
                fmt="os^D"[s % 4], linestyle=_STYLES[s % 4], color=_COLORS[s % 4], markersize=5,
                capsize=2, linewidth=1.2, label=name)
  ax.set_xlabel("reconstruction error (median of the group)", fontsize=9)
  ax.set_ylabel("stability told right (%)", fontsize=9)
  ax.tick_params(labelsize=8)
  if len(names) > 1:
    ax.legend(frameon=False, fontsize=8)
  axes_lib.plain(ax)
  return report.Figure("Reconstruction error as confidence", figure, (
      f"Towers in {_GROUPS} equal groups by the error of their reconstruction, with the binomial "
      "standard error of each. Where the error tells how far to trust a state, the line falls."))
