"""Figures of what-if questions: heat maps of one more block, films beside each other."""

import math

import matplotlib.figure
import numpy as np

from garden.core import report
from garden.worlds.towers import scene

_INK, _SOFT = "#22262b", "#70767d"
_NONE = "#eeece6"  # where no block can be put
_INCH = 1.15  # a picture's side in a film
_DOTS = 160  # an inch, of reports


def heat_map_figure(maps, names=None):
  """Towers from above, with the probability of falling by where one more block is put.

  Args:
    maps: list of `what_if.HeatMap`.
    names: of the maps, or None.

  Returns:
    A figure.

  Raises:
    ValueError: there is no map, or names are of another number than maps.

  Example:
    heat_map_figure([heat_map(state, 0), heat_map(state, 0, engine=MuJoCoEngine())])
  """
  names = _named(maps, names, "maps")
  columns = min(len(maps), 4)
  lines = -(-len(maps) // columns)
  figure = matplotlib.figure.Figure(
      figsize=(2.5 * columns + 0.9, 2.6 * lines + 0.3), layout="constrained")
  axes = figure.subplots(lines, columns, squeeze=False)
  drawn = None
  for ax, found, name in zip(axes.flat, maps, names):
    drawn = _heat(ax, found)
    ax.set_title(name, fontsize=8)
  for ax in axes.flat[len(maps):]:
    ax.set_visible(False)
  for ax in axes[:, 0]:
    ax.set_ylabel("y from the top block (m)", fontsize=7)
  for ax in axes.flat[:len(maps)][-columns:]:  # the lowest of each column
    ax.set_xlabel("x from the top block (m)", fontsize=7)
  bar = figure.colorbar(drawn, ax=axes, shrink=0.8, pad=0.02)
  bar.set_label("probability that it falls", fontsize=8)
  bar.ax.tick_params(labelsize=7)
  return report.Figure("Where one more block could be put", figure, (
      "Towers from above: the outlines of the blocks, the top one dark, and for each position of "
      "one more block's centre the probability that the tower then falls. Grey: it would not rest "
      "on the top block. The cross is the middle of where it is least."))


def film_figure(films, times, names=None):
  """Films below each other, time from left to right.

  Args:
    films: list of `[T, h, w, 3]`, in [0, 1] or uint8.
    times: `[T]` seconds.
    names: of the films, or None.

  Returns:
    A figure.

  Raises:
    ValueError: there is no film, or names, films and times are of other numbers.

  Example:
    film_figure([frames(state, motion)[0]], motion.times, ["left alone"])
  """
  names = _named(films, names, "films")
  for film in films:
    if len(film) != len(times):
      raise ValueError(f"a film has {len(film)} pictures, but there are {len(times)} times; give "
                       "one time a picture")
  count = len(times)
  figure = matplotlib.figure.Figure(
      figsize=(_INCH * count + 0.3, _INCH * len(films) + 0.25), dpi=_DOTS, layout="constrained")
  figure.get_layout_engine().set(w_pad=0.015, h_pad=0.015, wspace=0.0, hspace=0.0)
  axes = figure.subplots(len(films), count, squeeze=False)
  for row, (film, name) in enumerate(zip(films, names)):
    for ax, image in zip(axes[row], film):
      ax.imshow(image)
      ax.set_xticks([])
      ax.set_yticks([])
      for side in ax.spines.values():
        side.set_visible(False)
    axes[row, 0].set_ylabel(name, fontsize=8, color=_INK)
  for ax, time in zip(axes[0], times):
    ax.set_title(f"{time:g} s", fontsize=8)
  return report.Figure("What happens", figure, (
      "What physics makes of each state over time, drawn by the graphics engine."))


def _heat(ax, found):
  """One map; returns what the colour bar needs."""
  half = (found.x[1] - found.x[0]) / 2
  ends = (found.x[0] - half, found.x[-1] + half, found.y[0] - half, found.y[-1] + half)
  ax.set_facecolor(_NONE)
  drawn = ax.imshow(found.fall_probability, origin="lower", extent=ends, cmap="RdYlBu_r", vmin=0,
                    vmax=1, interpolation="nearest", alpha=0.85)
  blocks = np.flatnonzero(found.tower["present"][0])
  middle = found.tower["position"][0, blocks[-1], :2]
  for block in blocks:
    last = block == blocks[-1]
    x, y = (_outline(found.tower, block) - middle).T
    ax.plot(x, y, color=_INK if last else _SOFT, linewidth=1.4 if last else 0.7)
  best = found.safest()
  if best:
    ax.plot(*best, marker="+", color=_INK, markersize=7)
  ax.set_xlim(*ends[:2])
  ax.set_ylim(*ends[2:])
  ax.set_aspect("equal")
  ax.tick_params(labelsize=7)
  return drawn


def _outline(state, block):
  """`[5, 2]` metres, the closed outline of a block of the first scene from above."""
  yaw = scene.yaw_of(state["rotation"][0, block])
  turn = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
  corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1], [1, 1]]) * state["size"][0, block, :2]
  return state["position"][0, block, :2] + corners @ turn.T


def _named(items, names, what):
  """The names, empty ones if None, or a ValueError unless there is one an item."""
  if not len(items):
    raise ValueError(f"there are no {what}; give at least 1")
  names = [""] * len(items) if names is None else list(names)
  if len(names) != len(items):
    raise ValueError(f"names are {names}; give {len(items)}, one for each of the {what}")
  return names
