"""The figure of what training logged."""

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from garden.core import axes as axes_lib
from garden.core import report

_NOT_CURVES = {"stage", "step", "total_steps", "epoch", "seconds", "time", "lr"}
# Up to which ratio of the greatest to the least value which ticks of each decade are named.
_TICKS = ((30, (1, 1.5, 2, 3, 5, 7)), (300, (1, 3)), (float("inf"), (1,)))
_TRAINING, _VALIDATION = "#0072B2", "#D55E00"  # Okabe and Ito's, told apart by all eyes


def figure(training_log):
  """A small panel a value, by the steps of all stages, on a logarithmic scale where it is above 0.

  Args:
    training_log: dicts such as `{"stage": "init", "total_steps": 50, "loss": 1.2, "val_loss": 2}`.

  Returns:
    A `report.Figure`; a `report.Text` if there is nothing to draw.

  Example:
    sections.append(curves.figure(model.training_log))
  """
  values = {}
  for line in training_log:
    for key, value in line.items():
      if (key not in _NOT_CURVES and "learning_rate" not in key and isinstance(value, int | float)
          and np.isfinite(value)):
        values.setdefault(key, []).append((line.get("total_steps", line.get("step")), value))
  # What a stage has no loss of is logged as 0.
  values = {key: points for key, points in values.items() if any(value for _, value in points)}
  panels = list(dict.fromkeys(key.removeprefix("val_") for key in values))
  if not panels:
    return report.Text("Training curves", "The training log holds no value to draw.")
  columns = min(len(panels), 3)
  lines = -(-len(panels) // columns)
  drawn = matplotlib.figure.Figure(figsize=(9.6, 2.3 * lines), layout="constrained")
  axes = drawn.subplots(lines, columns, squeeze=False).ravel()
  for ax, key in zip(axes, panels):
    both = [(values[name], color, label) for name, color, label in (
        (key, _TRAINING, "training"), (f"val_{key}", _VALIDATION, "validation")) if name in values]
    for points, color, label in both:
      ax.plot(*zip(*points), color=color, linewidth=1.3, label=label)
    shown = [value for points, _, _ in both for _, value in points]
    if min(shown) > 0 and key != "accuracy":
      ax.set_yscale("log")
      ratio = max(shown) / min(shown)
      ax.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=next(
          subs for most, subs in _TICKS if ratio < most)))
      ax.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
      ax.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    if f"val_{key}" in values:
      ax.legend(frameon=False, fontsize=7)
    ax.set_title(key.replace("_", " "), fontsize=9)
    ax.tick_params(labelsize=7)
    axes_lib.plain(ax)
  for ax in axes[len(panels):]:
    ax.set_visible(False)
  for ax in axes[max(0, len(panels) - columns):len(panels)]:
    ax.set_xlabel("step", fontsize=8)
  return report.Figure("Training curves", drawn, (
      "Means over each epoch, by step; what is above 0 on a logarithmic scale."))
