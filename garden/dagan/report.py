"""The report of DA-GAN: what is measured of a run, and what is drawn of it."""

import numpy as np

from garden.core import curves
from garden.core import report
from garden.dagan import data as data_lib
from garden.dagan import evaluation
from garden.dagan import report_figures as figures
from garden.datasets import order

_YAWS = (30, 45, 60, 75, 90)  # degrees, of the figure of sides; training has 60 to 90
_PEOPLE = 4  # of that figure
_SHOWN = 8  # faces of the other figures
_POINTS = 300  # of a kind, of t-SNE


def sections(experiment, model):
  """The report's sections.

  Args:
    experiment: the `Profiles`.
    model: its trained model.

  Returns:
    List of `Table` and `Figure` of `core.report`.
  """
  right = experiment.recognition(model)
  made = [recognition_table(right, experiment.gallery.of("probe")),
          quality_table(experiment.quality(model)), sides(experiment, model),
          faces(experiment, model)]
  along = experiment.along_training(model)
  if len(along["step"]):
    made.append(figures.along_figure(along, experiment.looked_at_images, model.album,
                                     model.album.kept.numpy()))
  made.append(features(experiment, model))
  made.append(figures.recognition_figure(right, experiment.gallery.of("probe").yaw))
  made.append(curves.figure(model.training_log))
  return made


def recognition_table(right, probes):
  """Rank 1 of recognisers by what they were trained on."""
  groups = [f"{low}-{high}" for low, high in evaluation.YAWS]
  rows = []
  for method, found in right.items():
    by_yaw = evaluation.rank_1_by_yaw(found, probes.yaw)
    spread = found.mean(axis=1).std(ddof=1) if len(found) > 1 else None
    rows.append([figures.label(method), float(found.mean()), *map(by_yaw.get, groups), spread])
  return report.Table(
      "Recognition",
      ["trained on", "rank 1", *(f"at {name}°" for name in groups), "± of recognisers"], rows,
      f"Share of {len(probes)} true profiles of {len(np.unique(probes.identity))} people that a "
      "recogniser tells right which never saw a true profile of theirs, but for the row of true "
      "ones, the upper bound. ± is the standard deviation over recognisers of one run.")


def quality_table(found):
  """How near images are to true ones."""
  names = {"fid": "FID", "kid": "KID", "fid_masked": "FID of the face", "identity_heldout":
           "identity", "identity_cosine": "cosine", "psnr": "PSNR dB", "ssim": "SSIM"}
  return report.Table(
      "Likeness", ["images", *names.values()],
      [[figures.label(method), *(values.get(name) for name in names)]
       for method, values in found.items()],
      "Profiles of held-out people against their true ones. FID, KID: the lower the nearer are the "
      "two distributions of features. Identity: the nearest person is the right one. PSNR and SSIM "
      "are to the true picture from the same side in the photograph's light; blur raises both.")


def sides(experiment, model):
  """Photographs, and what they are turned and refined to, at several yaws."""
  count = min(_PEOPLE, int(experiment.heldout.identity.max()) + 1)
  people = [experiment.faces.turned(person, _YAWS) for person in range(count)]
  shown = []
  for photograph, simulated, truth in people:
    raw, refined = experiment.profiles(model, simulated)
    shown.append((photograph.image[0], raw, refined,
                  data_lib.repainted(truth, experiment.judges.seed)))
  return figures.sides_figure(shown, _YAWS)


def faces(experiment, model):
  """Simulated, refined and true profiles of held-out people."""
  unseen = experiment.unseen
  chosen = unseen.take(order.evenly(len(unseen), _SHOWN))
  true = experiment.heldout.of("profile")
  nearest = []
  for person, yaw in zip(chosen.identity, chosen.yaw):
    own = np.flatnonzero(true.identity == person)
    nearest.append(own[np.abs(true.yaw[own] - yaw).argmin()])
  return figures.faces_figure(*experiment.profiles(model, chosen), true.image[nearest])


def features(experiment, model):
  """t-SNE of features of raw, refined and true profiles."""
  from sklearn import manifold
  unseen, true = experiment.unseen, experiment.heldout.of("profile")
  unseen = unseen.take(order.evenly(len(unseen), _POINTS))
  raw, refined = experiment.profiles(model, unseen)
  sets = {"raw": raw, "refined": refined,
          "true": true.image[order.evenly(len(true), _POINTS)]}
  found = np.concatenate([experiment.extract(images) for images in sets.values()])
  spread = manifold.TSNE(perplexity=min(30.0, (len(found) - 1) / 3), init="pca",
                         random_state=experiment.judges.seed).fit_transform(found)
  kinds = np.repeat(list(sets), [len(images) for images in sets.values()])
  return figures.features_figure(spread, kinds)
