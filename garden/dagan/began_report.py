"""The report of BEGAN: what is measured of a run, and what is drawn of it."""

import numpy as np
import tensorflow as tf

from garden.core import curves
from garden.core import report
from garden.dagan import data as data_lib
from garden.dagan import report_figures as figures
from garden.datasets import order

_ROW, _ROWS = 10, 4  # of a sheet of faces
_WALKS, _STEPS = 4, 10  # between two images of noise


def sections(experiment, model):
  """The report's sections.

  Args:
    experiment: the `Generation`.
    model: its trained model.

  Returns:
    List of `Table` and `Figure` of `core.report`.
  """
  count = _ROW * _ROWS
  true = experiment.true.image[order.evenly(len(experiment.true), count)]
  made = experiment.make(model, experiment.noise(count))
  found = [quality_table(experiment.quality(model), float(model.k_t.numpy())),
           figures.sheet_figure("Faces from noise", made, _ROW,
                                "One after another, none left out."),
           figures.sheet_figure("Real faces", true, _ROW,
                                "Of people whom training hasn't seen, for comparison."),
           walks(experiment, model), reconstructions(experiment, model)]
  along = experiment.along_training(model)
  if len(along["step"]):
    found.append(figures.along_figure(along, None, model.album, model.album.kept.numpy()))
  found.append(curves.figure(model.training_log))
  return found


def quality_table(found, k):
  """How near made faces are to real ones."""
  names = {"fid": "FID", "kid": "KID", "diversity": "diversity"}
  rows = [[{"made": "from noise", "learnt": "real, that were learnt"}[method],
           *(values[name] for name in names)] for method, values in found.items()]
  return report.Table(
      "Likeness", ["images", *names.values()], rows,
      "Against real images of people whom training hasn't seen; the lower FID and KID, the nearer. "
      "Diversity is the mean distance of two images' features in shares of that of two real ones. "
      f"k_t is {k:.3g} at the end.")


def walks(experiment, model):
  """Images between two of noise, in a line."""
  ends = experiment.noise(2 * _WALKS)
  share = tf.linspace(0.0, 1.0, _STEPS)[:, tf.newaxis]
  rows = [experiment.make(model, (1.0 - share) * ends[2 * i] + share * ends[2 * i + 1])
          for i in range(_WALKS)]
  return figures.sheet_figure("From one face to another", np.concatenate(rows), _STEPS,
                              "Images of noise on the line between two points, a row each.")


def reconstructions(experiment, model):
  """Real images and what D makes of them."""
  true = experiment.true.image[order.evenly(len(experiment.true), _ROW)]
  made = experiment.make(model, experiment.noise(_ROW))
  pairs = [np.stack([images, data_lib.as_pixels(data_lib.mapped(model.autoencoder, images))])
           for images in (true, made)]
  return figures.sheet_figure(
      "What D reconstructs", np.concatenate([np.concatenate(pair) for pair in pairs]), _ROW,
      "Real images and their reconstructions; images from noise and theirs.")
