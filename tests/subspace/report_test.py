"""Tests of the figures of subspace clustering."""

import io
import re

import numpy as np
import pytest

from garden.core import report as core_report
from garden.subspace import report


def _draw(figure):
  """Renders a figure, as writing a report would, and gives it back."""
  assert isinstance(figure, core_report.Figure)
  figure.image.savefig(io.BytesIO(), format="png", dpi=40)
  return figure


def _labels(clusters, size):
  """Interleaved, so that sorting has something to do."""
  return np.tile(np.arange(clusters), size)


def _blocks(labels):
  return (labels[:, None] == labels).astype(float)


@pytest.mark.parametrize("clusters, size", [(3, 5), (40, 10), (1, 2), (2, 1), (1, 1)])
@pytest.mark.parametrize("known", [True, False])
def test_affinity_figure(clusters, size, known):
  labels = _labels(clusters, size)
  plain = np.random.default_rng(0).random((clusters * size,) * 2)
  errors = (15.0, 26.75) if known else (None, None)
  figure = _draw(
    report.affinity_figure(_blocks(labels), plain, labels if known else None, *errors)
  )
  left, right, bar = figure.image.axes
  assert left.images[0].cmap == right.images[0].cmap
  assert left.images[0].get_clim() == right.images[0].get_clim() == (0, 1)
  assert ("15.00 %" in left.get_title()) == ("26.75 %" in right.get_title()) == known
  edges = np.arange(0, clusters + 1) * size if known else [0, clusters * size]
  np.testing.assert_array_equal(left.get_xticks(), edges)


def test_affinity_figure_sorts_into_blocks_without_the_diagonal():
  labels = _labels(3, 4)
  figure = report.affinity_figure(7.0 * _blocks(labels), _blocks(labels), labels)
  expected = np.kron(np.eye(3), np.ones((4, 4))) - np.eye(12)
  for ax in figure.image.axes[:2]:
    np.testing.assert_allclose(ax.images[0].get_array(), expected)


def test_affinity_figure_leaves_its_input_alone():
  labels = _labels(2, 3)
  affinity = _blocks(labels)
  report.affinity_figure(affinity, affinity, labels)
  np.testing.assert_array_equal(affinity, _blocks(labels))


def test_affinity_scale_is_clipped_at_the_quantile():
  # Entries 1 in two blocks of 10, one of them an outlier of 1e6: the blocks stay visible.
  labels = _labels(2, 10)
  affinity = _blocks(labels)
  affinity[0, 2] = affinity[2, 0] = 1e6
  shades = report.affinity_figure(affinity, affinity, labels).image.axes[0].images[0].get_array()
  assert np.sum(shades == 1) == 2 * (100 - 10)


def test_large_affinity_is_pooled_by_mean():
  labels = np.repeat([0, 1], 1000)
  affinity = np.zeros((2000, 2000))
  affinity[0, 1999] = affinity[1999, 0] = 4.0  # a lone pair must not be lost
  shades = report.affinity_figure(affinity, affinity, labels).image.axes[0].images[0].get_array()
  assert shades.shape == (667, 667)  # blocks of 3, and one of 2
  assert shades[0, -1] == pytest.approx(1 / 6) and np.count_nonzero(shades) == 2


def test_zero_affinity_is_drawn():
  zero = np.zeros((4, 4))
  shades = _draw(report.affinity_figure(zero, zero, None)).image.axes[0].images[0].get_array()
  np.testing.assert_array_equal(shades, zero)


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_samples_figure_puts_members_in_their_row(channels):
  labels = _labels(3, 4)
  shape = (12, 6, 5) if channels is None else (12, 6, 5, channels)
  values = (labels + 1) / 4
  images = np.broadcast_to(values.reshape((12,) + (1,) * (len(shape) - 1)), shape)
  figure = _draw(report.samples_figure(images, labels, per_cluster=2))
  (ax,) = figure.image.axes
  mosaic = ax.images[0].get_array()
  assert mosaic.shape == (3 * 7 - 1, 2 * 6 - 1, 3)
  np.testing.assert_allclose(mosaic[[0, 7, 14], 0, 0], [0.25, 0.5, 0.75])
  np.testing.assert_allclose(mosaic[6], 1)  # the gap
  assert [t.get_text() for t in ax.get_yticklabels()][2] == "cluster 2\n4 images"


def test_samples_figure_with_more_clusters_than_rows():
  labels = _labels(40, 3)
  figure = _draw(report.samples_figure(np.zeros((120, 4, 4, 1)), labels))
  names = [t.get_text().split("\n")[0] for t in figure.image.axes[0].get_yticklabels()]
  assert len(names) == 12 and names[0] == "cluster 0" and names[-1] == "cluster 39"
  assert "12 of 40 clusters" in figure.caption


def test_samples_figure_without_labels_and_with_one_image():
  (ax,) = _draw(report.samples_figure(np.zeros((1, 48, 42)), None)).image.axes
  assert ax.images[0].get_array().shape == (48, 42, 3)
  assert [t.get_text() for t in ax.get_yticklabels()] == ["samples\n1 images"]


def test_latent_figure_panels():
  codes = np.random.default_rng(0).normal(size=(60, 4, 4, 2))
  labels = _labels(15, 4)
  for found, truth, panels in [
    (None, None, 1),
    (labels, None, 1),
    (labels, labels, 2),
    (None, labels, 2),
  ]:
    figure = _draw(report.latent_figure(codes, found, truth))
    assert len(figure.image.axes) == panels


def test_latent_figure_is_deterministic():
  codes = np.random.default_rng(0).normal(size=(30, 8))
  points = [
    report.latent_figure(codes, None).image.axes[0].collections[0].get_offsets() for _ in range(2)
  ]
  np.testing.assert_array_equal(*points)


def test_latent_figure_rings_what_the_matching_leaves():
  truth = np.repeat([0, 1, 2], 10)
  labels = np.repeat([7, 5, 6], 10)  # other names, and two samples astray
  labels[[3, 25]] = 5
  codes = np.eye(3)[truth] * 10 + np.random.default_rng(0).normal(size=(30, 3))
  found, known = _draw(report.latent_figure(codes, labels, truth)).image.axes
  assert "2 of 30 mismatched" in found.get_title()
  points, rings = found.collections
  np.testing.assert_array_equal(rings.get_offsets(), points.get_offsets()[[3, 25]])
  # A matched cluster has its class's colour.
  same = np.setdiff1d(np.arange(30), [3, 25])
  np.testing.assert_array_equal(
    points.get_facecolors()[same], known.collections[0].get_facecolors()[same]
  )


@pytest.mark.parametrize("samples, features", [(1, 1), (2, 3), (9, 1), (10, 1), (12, 2)])
def test_latent_figure_of_few_samples(samples, features):
  codes = np.random.default_rng(0).normal(size=(samples, features))
  labels = np.arange(samples) % 2
  figure = _draw(report.latent_figure(codes, labels, labels))
  offsets = figure.image.axes[0].collections[0].get_offsets()
  assert offsets.shape == (samples, 2) and np.all(np.isfinite(offsets))
  assert figure.caption.startswith("t-SNE" if samples >= 10 else "Principal components")


def test_latent_figure_of_equal_codes():
  figure = _draw(report.latent_figure(np.full((20, 3), 0.1), None))
  assert "all codes agree" in figure.caption


def test_latent_figure_takes_a_subset(monkeypatch):
  monkeypatch.setattr(report, "_TSNE_POINTS", 25)
  codes = np.random.default_rng(0).normal(size=(40, 5))
  labels = _labels(4, 10)
  figure = _draw(report.latent_figure(codes, labels, 3 - labels))
  assert figure.image.axes[0].collections[0].get_offsets().shape == (25, 2)
  assert "25 of 40 samples" in figure.caption


def test_curves_figure_has_a_panel_a_stage():
  history = [
    {"stage": "pretrain", "step": s, "loss": 10.0 / s, "reconstruction": 0.0, "steps_per_second": 9}
    for s in (1, 2, 3)
  ]
  history += [
    {"stage": "finetune", "step": 1, "loss": 5, "val_error": 3.0, "wall_time": 1.0, "note": "x"},
    {"stage": "finetune", "step": 2, "loss": float("nan"), "val_error": None, "learning_rate": 0.1},
  ]
  first, second = _draw(report.curves_figure(history)).image.axes
  assert (first.get_title(), second.get_title()) == ("pretrain", "finetune")
  assert first.get_yscale() == second.get_yscale() == "log"
  # Zeros, rates and times are no curves.
  assert [line.get_label() for line in first.lines] == ["loss"]
  assert [line.get_label() for line in second.lines] == ["loss", "val_error"]
  np.testing.assert_allclose(first.lines[0].get_xydata(), [[1, 10], [2, 5], [3, 10 / 3]])
  np.testing.assert_allclose(second.lines[0].get_xydata(), [[1, 5]])


@pytest.mark.parametrize("history", [[], [{"stage": "s", "step": 1, "loss": 0.0}]])
def test_curves_figure_without_values(history):
  (ax,) = _draw(report.curves_figure(history)).image.axes
  assert [t.get_text() for t in ax.texts] == ["no values recorded"]


def test_curves_figure_of_many_stages_and_no_stage():
  history = [{"stage": f"s{i}", "step": 1, "loss": 1.0} for i in range(5)]
  assert len(_draw(report.curves_figure(history)).image.axes) == 5
  (ax,) = _draw(report.curves_figure([{"loss": 1.0}, {"loss": 0.5}])).image.axes
  np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0, 1], [1, 0.5]])


def test_spectrum_of_perfect_blocks():
  # Three complete graphs of 4 without loops: eigenvalues 1 three times, then -1/3.
  figure = _draw(report.affinity_spectrum_figure(_blocks(_labels(3, 4)), 3))
  (ax,) = figure.image.axes
  values = np.concatenate([c.get_offsets()[:, 1] for c in ax.collections])
  np.testing.assert_allclose(values[:4], [1, 1, 1, -1 / 3], atol=1e-12)
  assert "K = 3: 1.33" in ax.get_title()


def test_spectrum_of_a_lone_sample_and_of_k_equal_n():
  affinity = np.zeros((3, 3))
  affinity[0, 1] = affinity[1, 0] = 2.0
  for clusters in (1, 2, 3):
    (ax,) = _draw(report.affinity_spectrum_figure(affinity, clusters)).image.axes
    assert bool(re.search("Gap", ax.get_title())) == (clusters < 3)
  _draw(report.affinity_spectrum_figure(np.zeros((2, 2)), 1))


@pytest.mark.parametrize(
  "call, message",
  [
    (lambda: report.affinity_figure(np.ones((2, 3)), np.ones((2, 2)), None), r"\(2, 3\)"),
    (lambda: report.affinity_figure(np.ones((2, 2)), np.ones((3, 3)), None), "of 3 samples"),
    (lambda: report.affinity_figure(-np.ones((2, 2)), np.ones((2, 2)), None), "-1"),
    (lambda: report.affinity_spectrum_figure(np.full((2, 2), np.nan), 1), "finite"),
    (lambda: report.affinity_spectrum_figure(np.ones((2, 2)), 3), "n_clusters is 3"),
    (lambda: report.affinity_spectrum_figure(np.ones((2, 2)), 0), "n_clusters is 0"),
    (lambda: report.samples_figure(np.full((2, 3, 3), 255.0), None), "scale them to 0..1"),
    (lambda: report.samples_figure(np.zeros((2, 3, 3, 2)), None), "1 or 3"),
    (lambda: report.samples_figure(np.zeros((2, 3, 3)), [0, 1, 2]), "each of 2 samples"),
    (lambda: report.samples_figure(np.zeros((2, 3, 3)), None, per_cluster=0), "per_cluster is 0"),
    (lambda: report.latent_figure(np.full((3, 2), np.inf), None), "6 values"),
    (lambda: report.latent_figure(np.zeros(3), None), r"\(3,\)"),
    (lambda: report.latent_figure(np.zeros((3, 2)), None, [0, 1]), "truth have shape"),
  ],
)
def test_bad_input_says_what_and_why(call, message):
  with pytest.raises(ValueError, match=message):
    call()
