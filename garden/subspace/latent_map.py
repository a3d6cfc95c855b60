"""A plane of points for latent codes: where they lie, and how groups are drawn on it.

t-SNE after PCA (van der Maaten and Hinton 2008), with a fixed seed.
"""

import matplotlib
import matplotlib.colors
import matplotlib.patheffects
import numpy as np
import scipy.optimize
from sklearn import decomposition
from sklearn import manifold

from garden.subspace import metrics

INK = "#22262b"
_TSNE_MINIMUM = 10  # below, neighbourhoods mean nothing: the principal plane is drawn


def embed(codes):
  """PCA to at most 50 dimensions, then t-SNE to two.

  Args:
    codes: [N, d], finite.

  Returns:
    (points [N, 2], name of the map). Below 10 samples, or if all codes agree, the points
    are the first two principal components, and the name says so.

  Example:
    >>> embed(np.zeros((3, 5)))[1]
    'Principal components (all codes agree)'
  """
  samples = len(codes)
  centred = codes - codes.mean(axis=0)
  if not np.any(np.abs(centred) > 1e-12 * max(np.abs(codes).max(), 1e-300)):
    return np.zeros((samples, 2)), "Principal components (all codes agree)"
  components = min(50, samples, codes.shape[1])
  codes = decomposition.PCA(components, random_state=0).fit_transform(codes)
  if samples < _TSNE_MINIMUM:
    flat = np.zeros((samples, 2))
    flat[:, : min(2, components)] = codes[:, :2]
    return flat, "Principal components"
  tsne = manifold.TSNE(
    perplexity=min(30, (samples - 1) / 3),
    init="pca" if components >= 2 else "random",
    learning_rate="auto",
    random_state=0,
  )
  return tsne.fit_transform(codes.astype(np.float32)), "t-SNE"


def best_matching(labels, truth):
  """The one-to-one matching that `metrics.clustering_error` counts by.

  Args:
    labels: [N] ints, the clusters.
    truth: [N] ints, the classes.

  Returns:
    {cluster: class}, without the clusters that are left over.
  """
  counts = metrics.contingency(labels, truth)
  pairs = scipy.optimize.linear_sum_assignment(counts, maximize=True)
  clusters, classes = np.unique(labels).tolist(), np.unique(truth).tolist()
  return {clusters[i]: classes[j] for i, j in zip(*pairs)}


def group_colors(names):
  """A colour for each label; many labels get neighbours in the list that differ most.

  Args:
    names: [K] distinct ints.

  Returns:
    {label: (r, g, b) or (r, g, b, a)}.
  """
  count = len(names)
  if count <= 10:
    palette = [matplotlib.colormaps["tab10"](i) for i in range(count)]
  elif count <= 20:
    palette = [matplotlib.colormaps["tab20"](i) for i in range(count)]
  else:
    # Around the colour wheel in steps of the golden ratio, light and dark in turn.
    hues = np.arange(count) * 0.618034 % 1
    lights = np.where(np.arange(count) % 2, 0.62, 0.88)
    hsv = np.stack([hues, np.full(count, 0.72), lights], axis=1)
    palette = list(matplotlib.colors.hsv_to_rgb(hsv))
  return {name: palette[i] for i, name in enumerate(np.asarray(names).tolist())}


def scatter(ax, points, groups, colors, rings):
  """Draws points coloured by group, with the group's number beside one of its members.

  Args:
    ax: matplotlib axes.
    points: [N, 2].
    groups: [N] ints, or None for gray points.
    colors: {group: colour}; above 60 groups no numbers are drawn.
    rings: [N] bools, the points to ring, or None.
  """
  size = float(np.clip(9000 / len(points), 7, 36))
  if groups is None:
    ax.scatter(*points.T, s=size, color="#7d8790", linewidth=0)
  else:
    shades = np.array([matplotlib.colors.to_rgb(colors[g]) for g in groups.tolist()])
    ax.scatter(*points.T, s=size, c=shades, linewidth=0)
  if rings is not None and rings.any():
    # Among many points rings stay close to them, or they would cover the colours.
    growth, line = (3, 0.7) if len(points) <= 500 else (1.6, 0.4)
    ax.scatter(
      *points[rings].T, s=growth * size, facecolors="none", edgecolors=INK, linewidth=line
    )
  if groups is not None and len(colors) <= 60:
    halo = [matplotlib.patheffects.withStroke(linewidth=2.2, foreground="white")]
    for name in np.unique(groups).tolist():
      # The median of a group split in two can lie in another one: take a member.
      members = points[groups == name]
      x, y = members[np.argmin(np.abs(members - np.median(members, axis=0)).sum(axis=1))]
      ax.annotate(
        str(name),
        (x, y),
        xytext=(0, 3),  # points above, or a small group hides behind its own number
        textcoords="offset points",
        fontsize=7 if len(colors) > 20 else 10,
        ha="center",
        color=INK,
        path_effects=halo,
      )
  ax.set_xticks([])
  ax.set_yticks([])
  ax.spines[:].set_color("#d5d8da")
  ax.margins(0.04)
