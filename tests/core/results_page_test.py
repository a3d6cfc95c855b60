"""Tests of the page of a table: what is drawn, and that it renders."""

from garden.core import results_page


def _row(method, mean, metric="accuracy", paper=None, sem=0.1, k=2):
  return {"experiment": "digits", "method": method, "setting": {"k": k}, "metric": metric,
          "paper": paper, "mean": mean, "sem": sem, "n": 2, "values": [mean - 0.1, mean + 0.1],
          "seconds": 3.0, "seeds": [0, 1], "revision": "abc"}


def test_the_chart_has_methods_runs_error_bars_and_the_papers_numbers():
  rows = [_row("net", 0.7, paper=0.6), _row("ridge", 0.5), _row("net", 0.8, k=5, sem=None)]
  ax = results_page.chart(rows).axes[0]
  assert [label.get_text() for label in ax.get_yticklabels()] == ["net", "ridge"]
  assert len(ax.containers) == 3  # an error bar a row
  diamonds = [line for line in ax.lines if line.get_marker() == "D"]
  assert [float(line.get_xdata()[0]) for line in diamonds] == [0.6]
  dots = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_alpha() == 0.25]
  assert len(dots) == 3


def test_settings_differ_by_colour_and_stand_in_the_legend():
  figure = results_page.chart([_row("net", 0.7), _row("net", 0.8, k=5)])
  assert [t.get_text() for t in figure.legends[0].get_texts()] == ["k=2", "k=5"]


def test_more_settings_than_colours_differ_by_marker():
  figure = results_page.chart([_row("net", 0.7, k=k) for k in range(9)])
  handles = figure.legends[0].legend_handles
  assert len({(h.get_color(), h.get_marker()) for h in handles}) == 9


def test_too_many_settings_for_a_legend_stand_beside_their_marks():
  figure = results_page.chart([_row("net", 0.7, k=k) for k in range(13)] + [_row("ridge", 0.5)])
  assert not figure.legends
  labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
  assert len(labels) == 14 and "net k=12" in labels and labels[-1] == "ridge k=2"


def test_a_methods_settings_stand_apart_and_methods_without_them_take_no_room():
  rows = [_row("net", 0.7, k=k) for k in range(4)] + [_row("ridge", 0.5)]
  ax = results_page.chart(rows).axes[0]
  heights = sorted({float(line.get_ydata()[0]) for line in ax.lines
                    if line.get_alpha() == 0.25})
  assert len(heights) == 5 and min(b - a for a, b in zip(heights, heights[1:])) > 0.5
  assert heights[-1] - heights[-2] < 1.1


def test_of_parts_and_their_mean_the_mean_is_drawn():
  rows = [_row("net", 0.5, k=part) for part in (2, 3, "mean")] + [_row("ridge", 0.4, k="mean")]
  found = results_page.summaries(rows)
  assert [(row["method"], row["setting"]) for row in found] == [("net", {}), ("ridge", {})]
  assert results_page.summaries(rows[:2]) == rows[:2]


def test_one_setting_needs_no_legend():
  assert not results_page.chart([_row("net", 0.7)]).legends


def test_the_page_has_chart_numbers_and_notes(tmp_path):
  rows = [_row("net", 0.7, paper=0.642), _row("net", 12.0, "error")]
  path = results_page.write("toy", ["accuracy", "error"], ["A note."],
                            {"environment": {"python": "3.11"}, "rows": rows},
                            tmp_path / "toy.html")
  text = path.read_text(encoding="utf-8")
  assert "0.700 ± 0.100" in text and "12.00 ± 0.10" in text and "0.642" in text
  assert "A note." in text and "data:image/png" in text


def test_an_experiment_has_the_columns_that_its_rows_have():
  rows = [{"metric": "nmi"}, {"metric": "seconds"}, {"metric": "nmi"}]
  assert results_page.columns_of(["error", "nmi", "seconds"], rows) == ["nmi", "seconds"]
  assert results_page.columns_of(("error", "nmi"), []) == ["error", "nmi"]
