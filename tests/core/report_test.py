"""Tests of the HTML report and of Markdown tables."""

import base64
import html.parser
import os
import re

import matplotlib.figure
import numpy as np
import pytest

from garden.core import report

_VOID = {"meta", "link", "img", "br", "hr", "input"}


class _Page(html.parser.HTMLParser):
  """Collects tags, addresses and text, and fails on tags that don't nest."""

  def __init__(self, page):
    super().__init__(convert_charrefs=True)
    self.open, self.tags, self.addresses, self.ids, self.text = [], [], [], [], []
    self.cells = []
    self.feed(page)
    self.close()

  def handle_starttag(self, tag, attrs):
    attrs = dict(attrs)
    self.tags.append(tag)
    self.addresses += [attrs[name] for name in ("src", "href") if name in attrs]
    self.ids += [attrs["id"]] if "id" in attrs else []
    if tag in ("td", "th"):
      self.cells.append((tag, attrs.get("class", "")))
    if tag not in _VOID:
      self.open.append(tag)

  def handle_endtag(self, tag):
    assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

  def handle_data(self, data):
    if self.open and self.open[-1] != "style":
      self.text.append(data)


def _drawing():
  figure = matplotlib.figure.Figure(figsize=(3, 2))
  figure.subplots().plot([1, 2, 3])
  return figure


class _Failing(matplotlib.figure.Figure):
  def savefig(self, *args, **kwargs):
    raise RuntimeError("can't draw")


def _sections():
  return [
    report.Text("Method", "One.\n\nTwo, `code`.\n\n- a\n- b\n  goes on\n\n    x = 1\n    y = 2"),
    report.Table("Errors", ["method", "error"], [["ridge", 15.25], ["ssc", None]], "Of ORL."),
    report.Figure("Curve", _drawing(), "It rises.", alt="a line"),
  ]


def _write(path, sections=None, **kwargs):
  report.write_report(path, "A report", _sections() if sections is None else sections, **kwargs)
  return path.read_text(encoding="utf-8")


def test_page_is_well_formed_and_complete(tmp_path):
  text = _write(tmp_path / "r.html", summary="It works.", facts={"seed": 0, "lam": 0.5})
  page = _Page(text)
  assert page.open == []
  assert text.startswith("<!DOCTYPE html>")
  assert page.tags.count("section") == 3 and page.tags.count("h1") == 1
  assert {"p", "ul", "pre", "code", "table", "img", "nav", "dl"} <= set(page.tags)
  assert page.tags.count("li") == 3 + 2  # the contents, and the list in the text
  words = " ".join(page.text)
  for word in ("A report", "It works.", "seed", "0.5", "Of ORL.", "It rises.", "goes on"):
    assert word in words


def test_contents_point_at_the_sections(tmp_path):
  page = _Page(_write(tmp_path / "r.html"))
  links = [address[1:] for address in page.addresses if address.startswith("#")]
  assert links == page.ids == ["section-1", "section-2", "section-3"]


def test_page_is_self_contained(tmp_path):
  text = _write(tmp_path / "r.html")
  page = _Page(text)
  assert all(address.startswith(("#", "data:")) for address in page.addresses)
  assert "script" not in page.tags
  assert not re.search(r"url\(|@import|https?://", text)


def test_image_is_the_drawing(tmp_path):
  page = _Page(_write(tmp_path / "r.html"))
  (source,) = [a for a in page.addresses if a.startswith("data:image/png;base64,")]
  png = base64.b64decode(source.partition(",")[2], validate=True)
  assert png.startswith(b"\x89PNG\r\n\x1a\n") and png.endswith(b"IEND\xaeB`\x82")
  assert b"matplotlib" not in png


def test_same_input_same_bytes(tmp_path):
  assert _write(tmp_path / "a.html") == _write(tmp_path / "b.html")


def test_everything_given_is_escaped(tmp_path):
  evil = "<script>alert('\"&')</script>"
  sections = [
    report.Text(evil, f"{evil}\n\n- {evil}\n\n    {evil}\n\n`{evil}`"),
    report.Table(evil, [evil], [[evil]], evil),
    report.Figure(evil, _drawing(), evil, alt=evil),
    report.Figure(evil, _drawing(), evil),
  ]
  path = tmp_path / "r.html"
  report.write_report(path, evil, sections, summary=evil, facts={evil: evil})
  text = path.read_text(encoding="utf-8")
  assert "<script" not in text
  page = _Page(text)
  assert page.open == [] and "script" not in page.tags
  # Title twice, contents 4, headings 4, text 4, cells 2, captions 3, summary, facts 2.
  assert "".join(page.text).count(evil) == 22


def test_code_is_kept_as_it_is(tmp_path):
  code = "a = 1\n\n- b\n  # `c`"
  page = _Page(_write(tmp_path / "r.html", [report.Text("Configuration", code, code=True)]))
  assert code in page.text and "ul" not in page.tags and "code" not in page.tags


def test_braces_are_no_placeholders(tmp_path):
  text = _write(tmp_path / "r.html", [report.Text("{body}", "{style} {0}")], summary="{title}")
  assert "{body}" in text and "{style} {0}" in text and "{title}" in text


def test_failing_figure_leaves_nothing(tmp_path):
  folder = tmp_path / "new"
  with pytest.raises(RuntimeError, match="can't draw"):
    _write(folder / "r.html", [report.Figure("bad", _Failing())])
  assert not folder.exists()


def test_failing_figure_keeps_the_older_report(tmp_path):
  older = _write(tmp_path / "r.html")
  with pytest.raises(RuntimeError):
    _write(tmp_path / "r.html", [report.Figure("bad", _Failing())])
  assert (tmp_path / "r.html").read_text(encoding="utf-8") == older
  assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_failing_disk_leaves_nothing(tmp_path, monkeypatch):
  def full(_):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(OSError, match="No space"):
    _write(tmp_path / "r.html")
  assert list(tmp_path.iterdir()) == []


def test_report_makes_folders_and_returns_its_path(tmp_path):
  path = tmp_path / "a" / "b" / "r.html"
  assert report.write_report(str(path), "t", []) == path
  assert path.exists() and [p.name for p in path.parent.iterdir()] == ["r.html"]


def test_numbers_stand_to_the_right(tmp_path):
  rows = [["ridge", 15.25, "15.7 ± 3.3", 400], ["ssc", None, "not run", 1440]]
  page = _Page(_write(tmp_path / "r.html", [report.Table("t", ["m", "e", "s", "n"], rows)]))
  kinds = [name for tag, name in page.cells if tag == "td"]
  assert kinds == ["", "number", "number", "number"] * 2
  assert [name for tag, name in page.cells if tag == "th"] == kinds[:4]


@pytest.mark.parametrize(
  "values, expected",
  [
    ([15.25, 2.0, None], ["15.25", "2.00", "–"]),
    ([55.0, 0.1223, 30.0], ["55.00", "0.12", "30.00"]),
    ([30.0], ["30.0"]),
    ([0.91, 0.8873], ["0.910", "0.887"]),
    ([343.2, 14432.0], ["343.2", "14432.0"]),
    ([343.2, 0.00123], ["343.20", "0.0012"]),
    ([1e-8, 0.5, 2e9], ["1.00e-08", "0.5", "2.00e+09"]),
    ([float("nan"), float("-inf"), 0.0], ["nan", "-inf", "0.0"]),
    ([3, 14, True], ["3", "14", "yes"]),
    (list(np.array([1.5, 2.0], np.float32)), ["1.5", "2.0"]),
    ([np.int64(7), np.bool_(False)], ["7", "no"]),
    (["15.7 ± 3.3", ""], ["15.7 ± 3.3", ""]),
  ],
)
def test_cells_line_up(values, expected):
  lines = report.markdown_table(["v"], [[value] for value in values]).splitlines()[2:]
  assert [line.strip("| ") for line in lines] == expected


def test_markdown_table():
  text = report.markdown_table(["method", "error %"], [["a|b\nc", 15.25], ["ssc", 2.0]])
  assert text == (
    "| method | error % |\n| ------ | ------: |\n| a\\|b c |   15.25 |\n| ssc    |    2.00 |\n"
  )


def test_markdown_table_without_rows():
  assert report.markdown_table(["a"], []) == "| a   |\n| --- |\n"


def test_bad_input_says_what_and_why(tmp_path):
  with pytest.raises(ValueError, match="'t', row 2 has 1 cells, but there are 2 columns"):
    report.Table("t", ["a", "b"], [[1, 2], [3]])
  with pytest.raises(ValueError, match="0 columns"):
    report.markdown_table([], [])
  with pytest.raises(ValueError, match="'f': image is a ndarray"):
    report.Figure("f", np.zeros((2, 2)))
  with pytest.raises(ValueError, match="section 1 is a str"):
    report.write_report(tmp_path / "r.html", "t", ["text"])
  assert list(tmp_path.iterdir()) == []
