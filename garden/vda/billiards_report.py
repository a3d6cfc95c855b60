"""Figures of a billiards report; pure functions of arrays."""

import matplotlib.figure
import numpy as np
import tensorflow as tf

from garden.core import axes as axes_lib
from garden.core import report
from garden.vda import billiards
from garden.worlds.billiards import renderer

_SOFT, _ACCENT, _GREEN = "#70767d", "#b3402f", "#2f6b4f"
_COLUMNS = 9  # frames of a film that are still legible side by side
_LEGIBLE = 96  # px, of a ball's picture in a film


def choose(errors, most=3):
  """Videos to show: the best, the median, the worst, or as many between them.

  Args:
    errors: `[N, F, K]` of the future frames, NaN where there is no ball.
    most: number of videos.

  Returns:
    `[min(N, most)]` int, by rising error.

  Example:
    shown = choose(errors["position"][:, 4:])
  """
  rank = np.argsort(np.nanmean(errors, axis=(1, 2)), kind="stable")
  places = np.linspace(0, len(rank) - 1, min(len(rank), most)).round().astype(int)
  return rank[np.unique(places)]


def film_figure(videos, found, seen, seconds):
  """Film strips: what happened above what was told, for some videos.

  Args:
    videos: `[n, T, s, s, 3]` in [0, 1].
    found: what `BilliardsScene.measure` gave, of these videos.
    seen: S, frames that perception saw.
    seconds: between two frames.

  Returns:
    A figure.
  """
  n, frames = videos.shape[:2]
  shown = np.unique(np.linspace(0, frames - 1, min(frames, _COLUMNS)).round().astype(int))
  position = np.concatenate([found["track"], found["future_position"]], axis=1)[:, shown]
  told = billiards.draw(renderer.TableRenderer(_LEGIBLE), found,
                        tf.constant(position)).numpy()
  figure = matplotlib.figure.Figure(figsize=(1.15 * len(shown) + 0.7, 2.4 * n + 0.3),
                                    layout="constrained")
  axes = figure.subplots(2 * n, len(shown), squeeze=False)
  for video in range(n):
    for column, frame in enumerate(shown):
      axes[2 * video, column].imshow(videos[video, frame])
      axes[2 * video + 1, column].imshow(told[video, column])
    axes[2 * video, 0].set_ylabel("truth", fontsize=9)
    axes[2 * video + 1, 0].set_ylabel("told", fontsize=9)
  for column, frame in enumerate(shown):
    axes[0, column].set_title(f"{frame * seconds:.1f} s" + (" (seen)" if frame < seen else ""),
                              fontsize=8)
  for ax in axes.flat:
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
      side.set_visible(False)
  return report.Figure("Films", figure, (
      f"Videos above the pictures of the recovered state: the first {seen} frames were seen, "
      "from there on balls roll and collide as was foretold. The videos with the least, "
      "the median and the greatest error."))


def error_figure(errors, straight, seconds):
  """Errors over time, beside balls that roll on straight.

  Args:
    errors: dict of `position` and `velocity` `[N, F + 1, K]`, from the last seen frame on.
    straight: the same of balls that keep their true velocities of that frame.
    seconds: between two frames.

  Returns:
    A figure.
  """
  figure = matplotlib.figure.Figure(figsize=(9.0, 3.2), layout="constrained")
  for ax, (name, unit) in zip(figure.subplots(1, 2), (("position", "m"), ("velocity", "m/s"))):
    for values, color, label in ((straight[name], _SOFT, "constant velocity, from the truth"),
                                 (errors[name], _GREEN, "told, from the video")):
      mean = np.nanmean(values, axis=(0, 2))
      ax.plot(seconds * np.arange(len(mean)), mean, color=color, linewidth=1.4, label=label)
    middle = np.nanmedian(errors[name], axis=(0, 2))
    ax.plot(seconds * np.arange(len(middle)), middle, color=_GREEN, linewidth=1.0,
            linestyle=":", label="told, median")
    ax.set_xlabel("seconds after the last seen frame")
    ax.set_ylabel(f"{name} error, {unit}")
    ax.set_ylim(bottom=0)
    axes_lib.plain(ax)
  figure.axes[0].legend(frameon=False, fontsize=8)
  return report.Figure("Errors over time", figure, (
      "Mean distance from the truth. Collisions multiply small errors, so the mean is "
      "made by a few balls that missed or met another one by a hair; the median shows the rest."))
