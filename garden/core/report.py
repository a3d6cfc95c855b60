"""One report for every method: a self-contained HTML file, and Markdown tables.

A report is a list of sections (`Text`, `Table`, `Figure`) that a room makes and that
this module only typesets. The file has its images inside (PNG as base64), its style
inside, no script and no address on the network: it can be mailed, printed, archived, or
opened from a folder in ten years. Whatever a caller gives is escaped.

Figures are made with matplotlib's object API (`matplotlib.figure.Figure`): pyplot keeps
global state, and picks a window system when it is imported.
"""

import base64
import dataclasses
import html
import io
import math
import numbers
import os
import pathlib
import re
import struct
from collections.abc import Mapping, Sequence

import matplotlib.figure
import numpy as np

from garden.core import records
from garden.core import report_style

_DOTS_PER_INCH = 160
_WIDE = 1.6  # a figure wider than this many times its height may scroll on a phone
_EMPTY = "–"
# "15.7", "-3", "1,440", "15.7 ± 3.3", "<= 17", "2.85 / 2.57", "12 %", "1.2e-05 s"
_NUMBER = re.compile(
  r"[~<>≤≥=±+\-−\s]*\d[\d.,]*(e[+\-]?\d+)?"
  r"(\s*(±|\+-|/|\.\.)\s*[\d.,]+(e[+\-]?\d+)?)*\s*(%|s|x|×|MB|GB|px|pp)?",
  re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Text:
  """A section of prose.

  Attributes:
    title: heading of the section.
    body: paragraphs separated by empty lines. A few habits of Markdown are kept: a
      paragraph of lines that begin with "- " is a list, one whose lines are all indented
      by four spaces is set as code, and `code` between backquotes too. `[label](path)`
      links to a file beside the page.
    code: set the whole body as code, as it is.
  """

  title: str
  body: str
  code: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
  """A section with one table.

  Attributes:
    title: heading of the section.
    columns: the column names.
    rows: one sequence of cells a row, as long as `columns`. Numbers are rounded to four
      digits, alike within a column; None shows as a dash; strings stay as they are.
    caption: what the table says, and what a reader must know to trust it.

  Raises:
    ValueError: a row has another length than `columns`, or there is no column.
  """

  title: str
  columns: Sequence[str]
  rows: Sequence[Sequence[object]]
  caption: str = ""

  def __post_init__(self):
    _check_rows(f"table {self.title!r}", self.columns, self.rows)


@dataclasses.dataclass(frozen=True)
class Figure:
  """A section with one figure.

  Attributes:
    title: heading of the section.
    image: the drawing; it is rendered when the report is written.
    caption: what to see in it.
    alt: the same for those who can't see it; the caption, or else the title, if empty.

  Raises:
    ValueError: `image` is no matplotlib figure.
  """

  title: str
  image: matplotlib.figure.Figure
  caption: str = ""
  alt: str = ""

  def __post_init__(self):
    if not isinstance(self.image, matplotlib.figure.Figure):
      raise ValueError(
        f"figure {self.title!r}: image is a {type(self.image).__name__}; give a "
        "matplotlib.figure.Figure"
      )


def write_report(
  path: str | os.PathLike,
  title: str,
  sections: Sequence[Text | Table | Figure],
  summary: str = "",
  facts: Mapping[str, object] | None = None,
) -> pathlib.Path:
  """Writes a self-contained HTML report, whole or not at all.

  The page is rendered in memory, written beside `path`, and renamed into place, so that
  a figure that fails or a full disk leaves an older report untouched and no rubbish.

  Args:
    path: the file to write; missing folders are made.
    title: the report's title.
    sections: what to show, in this order.
    summary: a paragraph that says what came out (the marks of `Text.body` hold).
    facts: name -> value of what was run where (data, seed, versions, …), shown as one
      line under the summary.

  Returns:
    The path written.

  Raises:
    ValueError: a section is none of the three kinds.
    OSError: the file can't be written.

  Example:
    >>> table = Table("Errors", ["method", "error %"], [["ridge", 15.25]])
    >>> write_report("report.html", "ORL", [table], facts={"seed": 0})
  """
  path = pathlib.Path(path)
  page = _page(title, sections, summary, facts or {})
  with records.atomic(path) as file:
    file.write(page)
  return path


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
  """A GitHub Markdown table, with numbers to the right, padded to be read as text too.

  Args:
    columns: the column names.
    rows: cells, as in `Table`.

  Returns:
    The lines of the table, each ended by a newline.

  Raises:
    ValueError: a row has another length than `columns`, or there is no column.

  Example:
    >>> markdown_table(["method", "error %"], [["ridge", 15.25], ["ssc", 22.0]])
    '| method | error % |...'
  """
  _check_rows("table", columns, rows)
  cells, numeric = _format_columns(len(columns), rows)
  lines = [[str(name) for name in columns], *cells]
  lines = [[re.sub(r"\s*\n\s*", " ", c).replace("|", r"\|") for c in li] for li in lines]
  widths = [max(3, *(len(line[j]) for line in lines)) for j in range(len(columns))]
  rule = ["-" * (w - 1) + ":" if n else "-" * w for w, n in zip(widths, numeric)]
  padded = [
    [c.rjust(w) if n else c.ljust(w) for c, w, n in zip(line, widths, numeric)]
    for line in lines
  ]
  padded.insert(1, rule)
  return "".join("| " + " | ".join(line) + " |\n" for line in padded)


def _page(title, sections, summary, facts):
  """The whole HTML document."""
  bodies, entries, counts = [], [], {}
  for number, section in enumerate(sections, start=1):
    anchor = f"section-{number}"
    kind = type(section)
    if kind not in _WRITERS:
      raise ValueError(
        f"section {number} is a {kind.__name__}; give a Text, a Table or a Figure"
      )
    counts[kind] = counts.get(kind, 0) + 1
    heading = html.escape(section.title)
    entries.append(f'<li><a href="#{anchor}">{heading}</a></li>')
    bodies.append(
      f'<section id="{anchor}">\n<h2>{heading}</h2>\n'
      f"{_WRITERS[kind](section, counts[kind])}\n</section>"
    )
  front = [f"<h1>{html.escape(title)}</h1>"]
  if summary:
    front.append(f'<div class="summary">{_prose(summary)}</div>')
  if facts:
    pairs = (
      f"<div><dt>{html.escape(str(name))}</dt> "
      f"<dd>{html.escape(_format_cell(value))}</dd></div>"
      for name, value in facts.items()
    )
    front.append('<dl class="facts">' + "\n".join(pairs) + "</dl>")
  if len(entries) > 1:
    front.append(
      '<nav aria-label="Contents">\n<p class="nav-title">Contents</p>\n<ol>'
      + "\n".join(entries)
      + "</ol>\n</nav>"
    )
  return report_style.PAGE.format(
    title=html.escape(title),
    style=report_style.STYLE,
    front="\n".join(front),
    body="\n".join(bodies),
  )


def _write_text(text, number):
  """Prose of a Text section."""
  del number  # texts are not counted, tables and figures are
  return _code(text.body.strip("\n")) if text.code else _prose(text.body)


def _write_table(table, number):
  """A table under its caption, in a box of its own that scrolls if it is too wide."""
  cells, numeric = _format_columns(len(table.columns), table.rows)
  marks = [' class="number"' if n else "" for n in numeric]
  head = "".join(
    f'<th scope="col"{mark}>{html.escape(str(name))}</th>'
    for name, mark in zip(table.columns, marks)
  )
  body = "\n".join(
    "<tr>" + "".join(f"<td{m}>{html.escape(c)}</td>" for c, m in zip(row, marks)) + "</tr>"
    for row in cells
  )
  return (
    f'<figure class="table">\n{_caption("Table", number, table.caption)}\n'
    f'<div class="scroll" tabindex="0" role="region" aria-label="Table {number}"><table>\n'
    f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>\n</figure>"
  )


def _write_figure(figure, number):
  """An image over its caption."""
  buffer = io.BytesIO()
  # No software line: the same drawing gives the same bytes.
  figure.image.savefig(
    buffer, format="png", dpi=_DOTS_PER_INCH, facecolor="white", metadata={"Software": None}
  )
  png = buffer.getvalue()
  width, height = struct.unpack(">II", png[16:24])  # the IHDR chunk comes first
  alt = html.escape(figure.alt or figure.caption or figure.title)
  wide = " wide" if width > _WIDE * height else ""
  # Shown at 100 pixels an inch: sharp on dense screens, and no jump while loading.
  shown = [round(size * 100 / _DOTS_PER_INCH) for size in (width, height)]
  return (
    f'<figure class="image">\n<div class="plate{wide}">'
    f'<img width="{shown[0]}" height="{shown[1]}" alt="{alt}" '
    f'src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}"></div>\n'
    f"{_caption('Figure', number, figure.caption)}\n</figure>"
  )


_WRITERS = {Text: _write_text, Table: _write_table, Figure: _write_figure}


def _caption(kind, number, caption):
  return f"<figcaption><b>{kind} {number}.</b> {_inline(caption)}</figcaption>"


def _prose(body):
  """Paragraphs, lists and code from plain text; see Text.body."""
  parts = []
  for block in re.split(r"\n\s*\n", body.strip("\n")):
    lines = [line for line in block.split("\n") if line.strip()]
    if not lines:
      continue
    if all(line.startswith("    ") for line in lines):
      parts.append(_code("\n".join(line[4:] for line in lines)))
    elif lines[0].startswith("- "):
      # A line without a mark goes on with the item above it.
      items = re.split(r"^- ", "\n".join(lines), flags=re.MULTILINE)[1:]
      parts.append("<ul>" + "".join(f"<li>{_inline(i)}</li>" for i in items) + "</ul>")
    else:
      parts.append(f"<p>{_inline(' '.join(lines))}</p>")
  return "\n".join(parts)


def _code(text):
  return f'<pre class="scroll" tabindex="0">{html.escape(text)}</pre>'


def _inline(text):
  text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
  # Links lead to files beside the page; a scheme (`javascript:`, `http:`) is left as text.
  return re.sub(r"\[([^\]]+)\]\(([^():]+)\)", r'<a href="\2">\1</a>', text)


def _check_rows(what, columns, rows):
  if not columns:
    raise ValueError(f"{what} has 0 columns; give at least one")
  for number, row in enumerate(rows, start=1):
    if len(row) != len(columns):
      raise ValueError(
        f"{what}, row {number} has {len(row)} cells, but there are {len(columns)} "
        "columns; give one cell a column (None for an empty one)"
      )


def _format_columns(width, rows):
  """Cells as strings, [rows][columns], and which columns are numbers."""
  columns = [_format_column([row[j] for row in rows]) for j in range(width)]
  numeric = []
  for texts in columns:
    filled = [text for text in texts if text not in ("", _EMPTY)]
    hits = sum(_NUMBER.fullmatch(text) is not None for text in filled)
    # Half is enough: "not run" among the numbers doesn't make a column prose.
    numeric.append(bool(filled) and 2 * hits >= len(filled))
  return [[texts[i] for texts in columns] for i in range(len(rows))], numeric


def _format_column(values):
  """Cells as strings; floats share their number of decimals, so that points line up."""
  plain = [abs(v) for v in values if _is_float(v) and math.isfinite(v) and _is_plain(v)]
  decimals = max((_decimals(v) for v in plain), default=0)
  if plain:
    # The largest sets how fine the column is: 55.0 beside 0.1223 are 55.00 and 0.12.
    decimals = min(decimals, max(2, 4 - len(f"{max(plain):.0f}")))
  return [_format_cell(value, decimals) for value in values]


def _format_cell(value, decimals=None):
  if value is None:
    return _EMPTY
  if isinstance(value, bool | np.bool_):
    return "yes" if value else "no"
  if not _is_float(value):
    return str(value)
  value = float(value)
  if not math.isfinite(value):
    return str(value)
  if not _is_plain(value):
    return f"{value:.2e}"
  text = f"{value:.{_decimals(value) if decimals is None else decimals}f}"
  # A value too small for its column's decimals keeps two digits of its own.
  return text if abs(float(text) - value) <= 0.05 * abs(value) else f"{value:.2g}"


def _is_float(value):
  return isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral)


def _is_plain(value):
  """Whether a float reads well without an exponent."""
  return value == 0 or 1e-3 <= abs(value) < 1e7


def _decimals(value):
  """Decimals that four digits of a float need: 15.25 -> 2, 30.0 -> 1, 14432.0 -> 0."""
  if abs(value) >= 1000:
    return 0
  return max(1, len(f"{value:.4g}".partition(".")[2]))
