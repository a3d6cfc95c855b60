"""Figures of DA-GAN and of BEGAN; pure functions of arrays."""

import matplotlib.figure
import numpy as np

from garden.core import axes as axes_lib
from garden.core import report
from garden.dagan import evaluation

_ALONG = 8  # images along training
#: Okabe and Ito's colours, which are told apart by all eyes.
_BLUE, _ORANGE, _GREEN, _SOFT = "#0072B2", "#D55E00", "#009E73", "#70767d"
_KINDS = {"raw": (_ORANGE, "x"), "refined": (_BLUE, "o"), "true": (_GREEN, "^")}
_LABELS = {"frontal_only": "frontal alone", "raw": "raw", "refined": "refined", "true": "true",
           "raw_and_refined": "raw and refined", "raw_jittered": "raw, other colours and noise",
           "raw_others_residual": "raw, another's residual"}


def label(method):
  """A method's name as it is read."""
  return _LABELS[method]


def _show(ax, image):
  ax.imshow(image, interpolation="nearest" if len(image) > 96 else "bicubic")
  axes_lib.bare(ax)


def _grid(rows, titles, columns=(), cell=1.15):
  """A figure of rows of images, `[n, s, s, 3]` each, with a title a row and a column."""
  figure = matplotlib.figure.Figure(
      figsize=(cell * max(len(row) for row in rows) + 1.1, cell * len(rows) + 0.3),
      layout="constrained")
  figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.0, hspace=0.0)
  axes = figure.subplots(len(rows), max(len(row) for row in rows), squeeze=False)
  for line, row, title in zip(axes, rows, titles):
    for ax in line[len(row):]:
      axes_lib.bare(ax)
    for ax, image in zip(line, row):
      _show(ax, image)
    line[0].set_ylabel(title, fontsize=8, rotation=0, ha="right", va="center")
  for ax, title in zip(axes[0], columns):
    ax.set_title(title, fontsize=8)
  return figure


def sides_figure(people, yaws):
  """The slides' figure a: photograph, simulated, refined, true, at several yaws.

  Args:
    people: list of `(photograph [s, s, 3], raw, refined, truth [N, s, s, 3])`, uint8.
    yaws: `[N]`, degrees.
  """
  rows, titles = [], []
  for photograph, raw, refined, truth in people:
    blank = np.full_like(photograph, 255)
    rows += [np.stack([first, *row]) for first, row in
             ((photograph, raw), (blank, refined), (blank, truth))]
    titles += ["simulated", "refined", "true"]
  return report.Figure(
      "From the front to the side", _grid(rows, titles, ["photograph", *(f"{y}°" for y in yaws)]),
      "People whom training hasn't seen: turned by the simulator, refined, and the true picture in "
      "the same light. Training has seen 60 to 90 degrees alone.")


def faces_figure(raw, refined, true):
  """Profiles before and after, and a true one of the same person from nearly the same side."""
  return report.Figure(
      "Before and after", _grid([raw, refined, true], ["simulated", "refined", "true"]),
      "A column a person whom training hasn't seen. The true image is another one, in its own "
      "light.")


def sheet_figure(title, images, columns, caption):
  """Images `[N, s, s, 3]` uint8 in rows of so many."""
  return report.Figure(title, _grid([images[first:first + columns] for first in
                                     range(0, len(images), columns)], [""] * len(images), cell=0.9),
                       caption)


def along_figure(along, before, album, kept):
  """The slides' figure of quality and convergence: images along training, M and FID below.

  Args:
    along: dict of `evaluation.along_training`.
    before: `[n, s, s, 3]` uint8, the images that are refined; None for images from noise.
    album: `album.Album`.
    kept: `[T]`, the steps of its times.
  """
  shown = [time for time, step in enumerate(kept) if step]
  shown = [shown[i] for i in np.unique(np.linspace(0, len(shown) - 1, 5).round().astype(int))]
  pictures = album.as_pixels()
  rows = [pictures[time][:_ALONG] for time in shown]
  titles = [f"step {kept[time]}" for time in shown]
  if before is not None:
    rows, titles = [before[:_ALONG], *rows], ["simulated", *titles]
  figure = matplotlib.figure.Figure(figsize=(8.2, len(rows) + 2.6), layout="constrained")
  top, bottom = figure.subfigures(2, 1, height_ratios=[len(rows), 2.6])
  axes = top.subplots(len(rows), len(rows[0]), squeeze=False,
                      gridspec_kw={"wspace": 0.0, "hspace": 0.02})
  for line, row, title in zip(axes, rows, titles):
    for ax, image in zip(line, row):
      _show(ax, image)
    line[0].set_ylabel(title, fontsize=8, rotation=0, ha="right", va="center")
  ax, other = bottom.subplots(1, 2)
  ax.plot(along["step"], along["convergence"], color=_BLUE, marker="o", label="M")
  twin = ax.twinx()
  twin.plot(along["step"], along["fid"], color=_ORANGE, marker="x", linestyle="--")
  ax.set(xlabel="step", ylabel="convergence measure M")
  twin.set_ylabel("FID", color=_ORANGE)
  other.scatter(along["convergence"], along["fid"], color=_BLUE)
  for step, x, y in zip(along["step"], along["convergence"], along["fid"]):
    other.annotate(str(step), (x, y), fontsize=6, xytext=(3, 3), textcoords="offset points")
  other.set(xlabel="convergence measure M", ylabel="FID")
  axes_lib.plain(other)
  correlation = (f"Spearman's rank correlation of M and FID is {along['correlation']:.2f}."
                 if np.isfinite(along["correlation"]) else "")
  return report.Figure(
      "Quality and the convergence measure", figure,
      "The same images along training, beside M, the mean over an epoch, and FID "
      f"of all that are kept. {correlation}")


def features_figure(points, kinds):
  """The slides' figure b: t-SNE of features, `[N, 2]` float and `[N]` str."""
  figure = matplotlib.figure.Figure(figsize=(5.6, 4.4), layout="constrained")
  ax = figure.subplots()
  for kind, (color, marker) in _KINDS.items():
    chosen = kinds == kind
    ax.scatter(*points[chosen].T, s=10, color=color, marker=marker, alpha=0.6, linewidths=0.8,
               label=label(kind))
  ax.legend(frameon=False, fontsize=8, markerscale=1.6)
  axes_lib.bare(ax)
  return report.Figure("Features of real and refined faces", figure,
                       "t-SNE of the extractor's features of profiles of held-out people: refined "
                       "ones should lie where true ones do.")


def recognition_figure(right, yaw):
  """Rank 1 by what the recogniser was trained on, a bar a group of yaws.

  Args:
    right: dict of `evaluation.recognition`.
    yaw: `[P]`, degrees.
  """
  values = {method: evaluation.rank_1_by_yaw(found, yaw) for method, found in right.items()}
  figure = matplotlib.figure.Figure(figsize=(7.2, 0.5 * len(right) + 1.2), layout="constrained")
  ax = figure.subplots()
  groups = [f"{low}-{high}" for low, high in evaluation.YAWS]
  for number, (group, color) in enumerate(zip(groups, (_BLUE, _ORANGE))):
    place = np.arange(len(right)) + 0.36 * (number - 0.5)
    ax.barh(place, [values[method].get(group, 0.0) for method in right], 0.34, color=color,
            label=f"{group}°")
  for number, found in enumerate(right.values()):
    ax.scatter(found.mean(axis=1), np.full(len(found), number), s=9, color="#22262b", zorder=3)
  ax.set_yticks(range(len(right)), [label(method) for method in right], fontsize=8)
  ax.invert_yaxis()
  ax.set_xlabel("rank 1 on true profiles")
  ax.set_xlim(0, 1)
  ax.legend(frameon=False, fontsize=8)
  axes_lib.plain(ax)
  return report.Figure("Recognition by yaw", figure,
                       "By what recognisers saw beside frontal images; a point is one recogniser, "
                       "of all yaws.")


def roc_figure(curves):
  """ROC curves: dict of method -> (far, tar) of `metrics.roc`."""
  figure = matplotlib.figure.Figure(figsize=(5.6, 4.2), layout="constrained")
  ax = figure.subplots()
  styles = (("-", _ORANGE), ("--", _SOFT), ("-", _BLUE), (":", _GREEN), ("-.", "#CC79A7"))
  for number, (method, (far, tar)) in enumerate(curves.items()):
    style, color = styles[number % len(styles)]
    ax.plot(far, tar, style, color=color, linewidth=1.5, label=label(method))
  ax.set(xscale="log", xlim=(1e-2, 1), ylim=(0, 1), xlabel="false acceptance",
         ylabel="true acceptance")
  ax.legend(frameon=False, fontsize=8)
  axes_lib.plain(ax)
  return report.Figure("True against false acceptance", figure,
                       "Of pairs of a frontal photograph and one in profile, by what the "
                       "recognisers were trained on; the mean of their cosines.")
