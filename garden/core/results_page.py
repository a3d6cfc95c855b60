"""The page of a room's table: a chart with error bars for each experiment, and the numbers."""

import matplotlib.figure

from garden.core import report

_COLORS = ("#2f6b4f", "#c0762b", "#3f5f9f", "#8a3f6b", "#6b6b2f", "#4f8a8a")
_MARKERS = "os^v"  # of the first so many settings as there are colours, of the next ones …
_PAPER = "#22262b"
_LEGEND = 12  # settings that a legend holds
_WIDTH = 105  # characters of its lines
#: Columns of paired differences; p is that of the items, the error is over seeds.
PAIRED = ("first", "second", "first - second", "p", "items", "seeds")


def write(room, metrics, notes, result, path):
  """Writes `results/<room>.html`.

  Args:
    room: name of the room.
    metrics: names of the table's columns; the first that an experiment has is drawn.
    notes: paragraphs below the tables.
    result: `{"environment": …, "rows": […]}`, as in `results/<room>.json`.
    path: path of the page.

  Returns:
    The path.
  """
  sections = []
  for name in dict.fromkeys(row["experiment"] for row in result["rows"]):
    rows = [row for row in result["rows"] if row["experiment"] == name]
    columns = columns_of(metrics, rows)
    drawn = [row for row in rows if row["metric"] == columns[0]]
    if drawn:
      sections.append(report.Figure(
          name, chart(drawn),
          f"{columns[0]}: mean and s.e.m. of n runs, each run a faint dot; a diamond is the "
          "paper's number."))
    sections.append(_table(name, columns, rows))
    compared = [row for row in result.get("paired", ()) if row["experiment"] == name]
    if compared:
      sections.append(report.Table(f"{name}: on the same items", list(PAIRED),
                                   [paired_cells(row) for row in compared]))
  if notes:
    sections.append(report.Text("Notes", "\n\n".join(notes)))
  return report.write_report(path, f"Results: {room}", sections,
                             "Written by tools/reproduce.py.", result["environment"])


def columns_of(metrics, rows):
  """Those of a table's metrics that an experiment's rows have; all where there is none."""
  had = {row["metric"] for row in rows}
  return [metric for metric in metrics if metric in had] or list(metrics)


def chart(rows):
  """Methods from top to bottom, a colour and marker a setting, each as high as it has settings.

  More than `_LEGEND` settings stand beside their marks instead of in a legend.

  Args:
    rows: rows of one experiment and one metric, see `core.reproduce`.

  Returns:
    A matplotlib figure.
  """
  rows = summaries(rows)
  methods = list(dict.fromkeys(row["method"] for row in rows))
  # In the order of methods; a method's settings in the order of their names.
  rows = sorted(rows, key=lambda row: (methods.index(row["method"]), setting_text(row["setting"])))
  settings = sorted({setting_text(row["setting"]) for row in rows})
  places, groups, top = [], {}, 0.0
  for method in methods:
    count = sum(row["method"] == method for row in rows)
    step = 1.0 if count == 1 else max(0.55, 1.0 / count)
    groups[method] = [top + step * k for k in range(count)]
    places += groups[method]
    top = places[-1] + step + 0.4
  figure = matplotlib.figure.Figure(figsize=(8, 1.1 + 0.3 * top), layout="constrained")
  ax = figure.subplots()
  for row, y in zip(rows, places):
    color, marker = _look(settings.index(setting_text(row["setting"])))
    ax.plot(row["values"], [y] * len(row["values"]), marker, color=color, linestyle="",
            alpha=0.25, markersize=3, markeredgewidth=0)
    if row["mean"] is not None:  # None in a row that only quotes a paper
      ax.errorbar(row["mean"], y, xerr=row["sem"] or 0.0, fmt=marker, color=color, markersize=5,
                  capsize=2, elinewidth=1.2)
    if row["paper"] is not None:
      ax.plot(row["paper"], y, "D", markerfacecolor="none", markeredgecolor=_PAPER, markersize=5)
  if len(settings) > _LEGEND:
    ax.set_yticks(places, [f"{row['method']} {setting_text(row['setting'])}".strip()
                           for row in rows], fontsize=8)
  else:
    ax.set_yticks([sum(group) / len(group) for group in groups.values()], methods)
  ax.set_ylim(places[-1] + 0.7, -0.7)
  ax.set_xlabel(rows[0]["metric"])
  ax.grid(axis="x", color="#e3e0d8", linewidth=0.7)
  ax.set_axisbelow(True)
  for side in ("top", "right", "left"):
    ax.spines[side].set_visible(False)
  ax.tick_params(axis="y", length=0)
  if 1 < len(settings) <= _LEGEND:
    marks = [ax.plot([], [], marker, color=color, linestyle="", label=name or "–")[0]
             for name, (color, marker) in zip(settings, map(_look, range(len(settings))))]
    columns = max(1, min(4, len(settings), _WIDTH // (max(map(len, settings)) + 6)))
    figure.legend(handles=marks, loc="outside upper right", ncols=columns, frameon=False,
                  fontsize=8)
  return figure


def summaries(rows):
  """The rows that are drawn: where some are means over parts, as `blocks=mean`, these alone.

  That they are means then goes without saying.
  """
  means = [row for row in rows if "mean" in row["setting"].values()]
  return [{**row, "setting": {k: v for k, v in row["setting"].items() if v != "mean"}}
          for row in means] or rows


def _look(rank):
  """`(color, marker)` of the setting of a rank: no two of the first 24 are alike."""
  return _COLORS[rank % len(_COLORS)], _MARKERS[rank // len(_COLORS) % len(_MARKERS)]


def setting_text(setting):
  """`k=2 data=digits` of a row's or an entry's setting."""
  return " ".join(f"{k}={v}" for k, v in setting.items())


def _table(name, metrics, rows):
  """All metrics of an experiment that are columns, a line a method and setting."""
  groups = {}
  for row in rows:
    groups.setdefault((row["method"], setting_text(row["setting"])), {})[row["metric"]] = row
  lines = []
  for (method, setting), group in groups.items():
    first = next(iter(group.values()))
    paper = group.get(metrics[0], {}).get("paper")
    cells = [cell(group.get(metric)) for metric in metrics]
    lines.append([method, setting or None, paper, *cells, first["n"] or "quoted", first["seconds"]])
  columns = ["method", "setting", f"paper {metrics[0]}", *metrics, "n", "seconds a run"]
  if not any(line[1] for line in lines):
    columns, lines = [c for c in columns if c != "setting"], [[m, *rest] for m, _, *rest in lines]
  return report.Table(f"{name}: numbers", columns, lines)


def cell(row):
  """`mean ± s.e.m.` of a row as text, three digits below 1; None for no row or no mean."""
  if row is None or row["mean"] is None:
    return None
  digits = 2 if abs(row["mean"]) >= 1 else 3
  error = "" if row["sem"] is None else f" ± {row['sem']:.{digits}f}"
  return f"{row['mean']:.{digits}f}{error}"


def paired_cells(row):
  """A row of `paired.Comparison` as texts, in the order of `PAIRED`."""
  error = "" if row["sem"] is None else f" ± {row['sem']:.3f}"
  return [row["first"], row["second"], f"{row['difference']:+.3f}{error}", f"{row['p']:.2g}",
          str(row["items"]), str(row["seeds"])]
