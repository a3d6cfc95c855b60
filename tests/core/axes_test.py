"""Tests of trimming axes."""

import matplotlib.figure

from garden.core import axes


def _visible(ax):
  return {side for side, spine in ax.spines.items() if spine.get_visible()}


def test_bare_axes_have_neither_spines_nor_ticks():
  ax = matplotlib.figure.Figure().subplots()
  axes.bare(ax)
  assert not _visible(ax) and not len(ax.get_xticks()) and not len(ax.get_yticks())


def test_plain_axes_keep_the_left_and_the_lower_spine():
  ax = matplotlib.figure.Figure().subplots()
  axes.plain(ax)
  assert _visible(ax) == {"left", "bottom"} and len(ax.get_xticks())
