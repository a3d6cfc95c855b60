"""Tests of the figures of a transfer."""

import math

import matplotlib.patches
import numpy as np
import pytest

from garden.core import report as core_report
from garden.transfer import report

_NAMES = {"source": ["cat", "dog"], "target": ["five", "six", "seven"]}


def _page(tmp_path, section):
  """Writes a section as a report would, and gives the page back."""
  return core_report.write_report(tmp_path / "report.html", "Transfer", [section]).read_text()


def _texts(ax):
  return [text.get_text() for text in ax.texts]


def _frames(ax):
  return [p for p in ax.patches if isinstance(p, matplotlib.patches.Rectangle)]


def _streams(n_source=16, n_unlabeled=18, n_labeled=6, d=8, seed=0):
  rng = np.random.default_rng(seed)
  sizes = {"source": (n_source, 2), "unlabeled": (n_unlabeled, 3), "labeled": (n_labeled, 3)}
  return {
    key: (rng.normal(size=(n, d)), np.arange(n) % classes) for key, (n, classes) in sizes.items()
  }


def _embedding(streams, after=None, **kwargs):
  return report.embedding_figure(streams, after or streams, _NAMES, **kwargs)


def _log():
  lines = [
    {"stage": "source", "step": s, "total_steps": 3, "loss": 2.0 / s, "learning_rate": 0.1}
    for s in (1, 2, 3)
  ]
  return lines + [
    {
      "stage": "adapt", "step": 10 * s, "total_steps": 30, "loss": 1.0 / s, "supervised": 0.5,
      "source_entropy": -0.1 * s, "learning_rate": 0.1, "encoder_learning_rate": 0.2,
      "mean_entropy": 1.0 / s, "discriminator_accuracy": 0.9, "source_norm": 4.0,
      "target_norm": 3.0,
    }
    for s in (1, 2, 3)
  ]


def test_embedding_has_two_panels_of_three_streams(tmp_path):
  figure = _embedding(_streams(), _streams(d=5, seed=1))
  assert [ax.get_title() for ax in figure.image.axes] == ["before", "after"]
  for ax in figure.image.axes:
    assert [len(c.get_offsets()) for c in ax.collections] == [16, 18, 6]
    assert set(_texts(ax)) == {"five", "six", "seven"}
    assert np.all(np.isfinite(np.concatenate([c.get_offsets() for c in ax.collections])))
  assert "<img" in _page(tmp_path, figure)


def test_embedding_has_open_source_marks_and_one_colour_a_target_class():
  streams = _streams()
  figure = _embedding(streams, _streams(seed=1))
  shades = []
  for ax in figure.image.axes:
    source, unlabeled, labeled = ax.collections
    assert not len(source.get_facecolors())
    for key, marks in (("unlabeled", unlabeled), ("labeled", labeled)):
      shades.append(marks.get_facecolors()[streams[key][1] == 0])
    assert np.all(labeled.get_edgecolors()[:, :3] < 0.2)  # dark
  assert len(np.unique(np.concatenate(shades), axis=0)) == 1


def test_embedding_legend_is_outside_and_names_all_classes():
  figure = _embedding(_streams())
  (legend,) = figure.image.legends
  entries = [text.get_text() for text in legend.get_texts()]
  assert entries[:3] == ["source image", "unlabelled target", "labelled target"]
  assert set(entries[3:]) == {*_NAMES["source"], *_NAMES["target"]}
  figure.image.draw_without_rendering()  # lays it out
  assert legend.get_window_extent().x0 > figure.image.axes[1].get_window_extent().x1


def test_embedding_without_labels_is_grey(tmp_path):
  streams = {key: (features, None) for key, (features, _) in _streams().items()}
  figure = _embedding(streams)
  for ax in figure.image.axes:
    assert not ax.texts
    assert len(np.unique(ax.collections[1].get_facecolors(), axis=0)) == 1
  _page(tmp_path, figure)


def test_embedding_is_deterministic():
  one, two = (_embedding(_streams(), seed=3).image.axes[0].collections for _ in range(2))
  np.testing.assert_array_equal(one[1].get_offsets(), two[1].get_offsets())


@pytest.mark.parametrize(
  "sizes, limit, kept", [((40, 40), 26, [10, 10]), ((4, 40), 26, [4, 16]), ((40, 4), 26, [16, 4])]
)
def test_embedding_thins_out_all_but_the_labelled(sizes, limit, kept):
  figure = _embedding(_streams(*sizes), limit=limit)
  counts = [len(c.get_offsets()) for c in figure.image.axes[0].collections]
  assert counts == [*kept, 6]
  assert f"{kept[0]} of {sizes[0]} source" in figure.caption


def test_embedding_thins_out_class_by_class():
  # 41 examples, of which every second is of one class: a step of 2 would take that class alone.
  figure = _embedding(_streams(n_source=41, n_unlabeled=0), limit=27)
  rings = figure.image.axes[0].collections[0].get_edgecolors()
  assert len(rings) == 21 and len(np.unique(rings, axis=0)) == 2


@pytest.mark.parametrize("sizes", [(0, 0, 0), (1, 1, 1)])
def test_embedding_of_less_than_four_points_is_a_text(sizes, tmp_path):
  section = _embedding(_streams(*sizes))
  assert isinstance(section, core_report.Text)
  assert f"there are {sum(sizes)}" in section.body
  _page(tmp_path, section)


@pytest.mark.parametrize("sizes", [(1, 2, 1), (0, 0, 5), (3, 1, 0)])
@pytest.mark.parametrize("d", [1, 2])
def test_embedding_of_few_points(sizes, d, tmp_path):
  figure = _embedding(_streams(*sizes, d=d))
  counts = [len(c.get_offsets()) for c in figure.image.axes[0].collections]
  assert counts == [n for n in sizes if n]
  _page(tmp_path, figure)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_embedding_of_constant_features_says_so(value, tmp_path):
  streams = _streams()
  constant = {key: (np.full_like(f, value), labels) for key, (f, labels) in streams.items()}
  figure = _embedding(streams, constant)
  assert [ax.get_title() for ax in figure.image.axes] == [
    "before", "after (all features agree)"
  ]
  _page(tmp_path, figure)


def test_embedding_of_many_labelled_names_each_class_once():
  ax = _embedding(_streams(n_labeled=33, n_source=4, n_unlabeled=3)).image.axes[0]
  assert sorted(_texts(ax)) == ["five", "seven", "six"]


def test_embedding_of_many_classes_has_a_short_legend(tmp_path):
  names = {"source": range(30), "target": range(30)}
  figure = report.embedding_figure(_streams(), _streams(), names)
  assert len(figure.image.legends[0].get_texts()) == 3
  _page(tmp_path, figure)


def test_label_map_prints_values_and_frames_the_mapped_cells(tmp_path):
  similarity = np.array([[0.1, 0.934, -0.001], [0.8, 0.2, np.nan]])
  figure = report.label_map_figure(similarity, _NAMES["source"], _NAMES["target"], [1, 0])
  ax, bar = figure.image.axes
  assert _texts(ax) == ["0.10", "0.93", "0.00", "0.80", "0.20", "–"]
  centres = [(f.get_x() + f.get_width() / 2, f.get_y() + f.get_height() / 2) for f in _frames(ax)]
  np.testing.assert_allclose(centres, [(1, 0), (0, 1)], atol=1e-9)
  assert [t.get_text() for t in ax.get_yticklabels()] == _NAMES["source"]
  assert [t.get_text() for t in ax.get_xticklabels()] == _NAMES["target"]
  assert "not a translation" in figure.caption and bar.get_ylabel() == "cosine"
  _page(tmp_path, figure)


@pytest.mark.parametrize("shape, printed", [((10, 20), 200), ((3, 67), 0), ((1, 1), 1)])
def test_label_map_prints_values_up_to_200_cells(shape, printed, tmp_path):
  similarity = np.full(shape, 0.5)
  mapped = np.zeros(shape[0], int)
  figure = report.label_map_figure(similarity, range(shape[0]), range(shape[1]), mapped)
  ax = figure.image.axes[0]
  assert len(ax.texts) == printed and len(_frames(ax)) == shape[0]
  _page(tmp_path, figure)


def test_label_map_without_a_finite_value_is_a_text():
  section = report.label_map_figure([[np.nan]], ["a"], ["b"], [0])
  assert isinstance(section, core_report.Text)


def test_curves_has_the_source_loss_and_a_panel_a_value(tmp_path):
  figure = report.curves_figure(_log())
  titles = [ax.get_title(loc="left") for ax in figure.image.axes]
  assert titles == ["loss of the source stage", "loss", "supervised", "source_entropy"]
  first, loss, *others = figure.image.axes
  np.testing.assert_allclose(first.lines[0].get_xydata(), [[1, 2], [2, 1], [3, 2 / 3]])
  np.testing.assert_allclose(loss.lines[0].get_xydata(), [[10, 1], [20, 1 / 2], [30, 1 / 3]])
  assert all(ax.get_xlim() == loss.get_xlim() and not ax.get_legend() for ax in others)
  assert "`adapt`" in figure.caption
  _page(tmp_path, figure)


def test_curves_of_the_source_stage_alone():
  (ax,) = report.curves_figure(_log()[:3]).image.axes
  assert ax.get_title(loc="left") == "loss"


def test_curves_skips_what_is_no_finite_number(tmp_path):
  values = [1.0, float("nan"), float("inf"), None, "x", True, np.float32(2.0)]
  log = [{"stage": "adapt", "step": s, "loss": v, "gone": np.nan} for s, v in enumerate(values)]
  figure = report.curves_figure(log)
  (ax,) = figure.image.axes  # and no empty panel for "gone"
  np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[0, 1], [6, 2]])
  _page(tmp_path, figure)


def test_curves_of_one_line_is_a_visible_point():
  for ax in report.curves_figure(_log()[3:4]).image.axes:
    assert ax.lines[0].get_marker() == "o"


@pytest.mark.parametrize("log", [[], [{"stage": "adapt", "step": 1, "learning_rate": 0.1}]])
def test_curves_of_nothing_is_a_text(log, tmp_path):
  section = report.curves_figure(log)
  assert isinstance(section, core_report.Text)
  _page(tmp_path, section)


def test_watchdogs_has_references_and_both_norms_in_one_panel(tmp_path):
  figure = report.watchdogs_figure(_log(), 5)
  entropy, accuracy, norms = figure.image.axes
  assert entropy.get_title(loc="left") == "mean_entropy"
  assert [line.get_ydata()[0] for line in entropy.lines][0] == pytest.approx(math.log(5))
  assert _texts(entropy) == ["ln 5: uniform"]
  assert accuracy.lines[0].get_ydata()[0] == 0.5
  assert len(norms.lines) == 2 and sorted(_texts(norms)) == ["source", "target"]
  for ax in (entropy, accuracy):
    low, high = ax.get_ylim()
    assert all(low <= np.min(li.get_ydata()) <= np.max(li.get_ydata()) <= high for li in ax.lines)
  _page(tmp_path, figure)


def test_watchdogs_of_a_balanced_share():
  log = [{"stage": "adapt", "step": s, "largest_class_share": 0.5} for s in (1, 2)]
  (ax,) = report.watchdogs_figure(log, 4).image.axes
  assert ax.lines[0].get_ydata()[0] == 0.25 and _texts(ax) == ["1/4: balanced"]


def test_watchdogs_with_one_norm_and_one_class(tmp_path):
  log = [{"stage": "adapt", "step": 1, "mean_entropy": 0.0, "target_norm": 2.0}]
  figure = report.watchdogs_figure(log, 1)
  assert [_texts(ax) for ax in figure.image.axes] == [["ln 1: uniform"], ["target"]]
  _page(tmp_path, figure)


def test_watchdogs_draws_one_stage_only():
  log = [{"stage": stage, "step": 1, "mean_entropy": 1.0} for stage in ("source", "adapt")]
  (ax,) = report.watchdogs_figure(log, 2).image.axes
  assert len(ax.lines[1].get_xydata()) == 1


@pytest.mark.parametrize("log", [[], [{"loss": 1.0}], [{"step": 1, "mean_entropy": np.nan}]])
def test_watchdogs_without_a_value_is_none(log):
  assert report.watchdogs_figure(log, 5) is None


@pytest.mark.parametrize("truth, heights", [([0, 1, 1, 1], [3, 1, 0, 1, 3, 0]), (None, [3, 1, 0])])
def test_counts(truth, heights, tmp_path):
  figure = report.counts_figure([0, 0, 1, 0], truth, _NAMES["target"])
  (ax,) = figure.image.axes
  assert [bar.get_height() for bar in ax.patches] == heights
  assert _texts(ax) == [str(h) for h in heights]
  assert [t.get_text() for t in ax.get_xticklabels()] == _NAMES["target"]
  _page(tmp_path, figure)


@pytest.mark.parametrize("classes", [1, 60])
def test_counts_of_one_and_of_many_classes(classes, tmp_path):
  labels = np.arange(classes)
  figure = report.counts_figure(labels, labels, labels)
  assert len(figure.image.axes[0].patches) == 2 * classes
  _page(tmp_path, figure)


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_predictions_frames_the_wrong_ones(channels, tmp_path):
  shape = (4, 6, 5) if channels is None else (4, 6, 5, channels)
  images = np.random.default_rng(0).random(shape)
  figure = report.predictions_figure(
    images, [0, 1, 2, 0], [0.984, 1.0, 0.5, 0.25], [0, 2, 2, 0], _NAMES["target"]
  )
  (ax,) = figure.image.axes
  assert len(ax.images) == 4 and ax.images[0].get_array().shape == (6, 5, 3)
  assert _texts(ax) == ["five .98", "six 1.00", "is seven", "seven .50", "five .25"]
  (frame,) = _frames(ax)
  assert frame.get_x() == ax.images[1].get_extent()[0]
  assert "as 1 of 4 are" in figure.caption
  _page(tmp_path, figure)


def test_predictions_without_truth_frames_nothing(tmp_path):
  figure = report.predictions_figure(np.zeros((1, 4, 4, 1)), [0], [0.9], None, ["five"])
  (ax,) = figure.image.axes
  assert not ax.patches and _texts(ax) == ["five .90"]
  _page(tmp_path, figure)


def test_predictions_are_picked_at_even_steps():
  images = np.broadcast_to(np.linspace(0, 1, 101)[:, None, None, None], (101, 2, 2, 1))
  figure = report.predictions_figure(images, [0] * 101, [0.5] * 101, None, ["five"], limit=5)
  shades = [image.get_array()[0, 0, 0] for image in figure.image.axes[0].images]
  np.testing.assert_allclose(shades, [0, 0.25, 0.5, 0.75, 1])


def test_predictions_shortens_long_names():
  figure = report.predictions_figure(np.zeros((1, 2, 2)), [0], [0.5], None, ["hippopotamus"])
  assert _texts(figure.image.axes[0]) == ["hippopota… .50"]


def test_confusion_is_normalised_by_row(tmp_path):
  figure = report.confusion_figure([0, 0, 1, 0], [0, 1, 1, 1], _NAMES["target"])
  ax = figure.image.axes[0]
  expected = [[1, 0, 0], [2 / 3, 1 / 3, 0], [0, 0, 0]]  # no image of the third class
  np.testing.assert_allclose(ax.images[0].get_array(), expected)
  assert _texts(ax) == list("100210000")
  assert "50.00 % of 4" in figure.caption
  _page(tmp_path, figure)


@pytest.mark.parametrize("classes, printed", [(1, 1), (12, 144), (13, 0)])
def test_confusion_prints_counts_up_to_12_classes(classes, printed):
  labels = np.arange(classes)
  ax = report.confusion_figure(labels, labels, labels).image.axes[0]
  assert len(ax.texts) == printed


@pytest.mark.parametrize(
  "section",
  [
    report.counts_figure([], None, ["five"]),
    report.predictions_figure(np.zeros((0, 4, 4, 1)), [], [], None, ["five"]),
    report.confusion_figure([], [], ["five"]),
    report.confusion_figure([0], None, ["five"]),
  ],
)
def test_nothing_to_draw_is_a_text(section, tmp_path):
  assert isinstance(section, core_report.Text)
  _page(tmp_path, section)


def _with(key, value):
  return {**_streams(), key: value}


@pytest.mark.parametrize(
  "call, message",
  [
    (lambda: _embedding(_streams(), limit=0), "limit is 0"),
    (lambda: _embedding(_streams(), _streams(n_source=5)), "give the same ones"),
    (lambda: _embedding(_with("source", (np.zeros(3), None))), r"\(3,\)"),
    (lambda: _embedding(_with("source", (np.full((2, 2), np.nan), None))), "4 values not finite"),
    (lambda: _embedding(_with("source", (np.zeros((2, 2)), [0, 2]))), r"0\.\.2; give 0\.\.1"),
    (lambda: _embedding(_with("labeled", (np.zeros((2, 2)), [0]))), "each of 2"),
    (lambda: report.label_map_figure(np.ones((2, 2)), "a", "bc", [0]), "for 1 source"),
    (lambda: report.label_map_figure(np.ones((1, 2)), "a", "bc", [2]), r"2\.\.2; give 0\.\.1"),
    (lambda: report.watchdogs_figure([], 0), "n_classes is 0"),
    (lambda: report.counts_figure([0, -1], None, "ab"), r"-1\.\.0"),
    (lambda: report.counts_figure([0, 1], [0], "ab"), "truth has shape"),
    (lambda: report.predictions_figure(np.full((1, 2, 2), 9), [0], [1], None, "a"), "scale"),
    (lambda: report.predictions_figure(np.zeros((1, 2, 2, 2)), [0], [1], None, "a"), "1 or 3"),
    (lambda: report.predictions_figure(np.zeros((1, 2, 2)), [0], [], None, "a"), "one confidence"),
    (lambda: report.predictions_figure(np.zeros((1, 2, 2)), [0], [1], None, "a", 0), "limit is 0"),
    (lambda: report.confusion_figure([0], [1], "a"), r"1\.\.1; give 0\.\.0"),
  ],
)
def test_bad_input_says_what_and_why(call, message):
  with pytest.raises(ValueError, match=message):
    call()
