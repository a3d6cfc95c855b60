"""How the axes of figures are trimmed."""


def bare(ax):
  """Leaves nothing of matplotlib axes but what is drawn in them: for images."""
  ax.set_xticks([])
  ax.set_yticks([])
  for side in ax.spines.values():
    side.set_visible(False)


def plain(ax):
  """Leaves the left and the lower spine of matplotlib axes: for charts."""
  for side in ("top", "right"):
    ax.spines[side].set_visible(False)
