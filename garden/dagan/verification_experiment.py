"""The glue between DA-GAN on CFP's photographs and the binaries."""

import functools

import gin
import numpy as np

from garden.core import curves
from garden.core import report as report_lib
from garden.dagan import evaluation
from garden.dagan import metrics
from garden.dagan import refining
from garden.dagan import report
from garden.dagan import report_figures as figures
from garden.datasets import order

_SHOWN = 8  # faces of a figure


@gin.register(module="dagan")
class Verification(refining.Refining):
  """Frontal against profile: are two photographs of one person.

  Refiner and recognisers learn from the people of folds 1 to 8; pairs of folds 9 and 10 are told,
  of people whom neither has seen: one split, each fold's threshold chosen on the other. The refiner
  learns from real profiles of its people, recognisers see them only as the upper bound.

  Args:
    **kwargs: of `refining.Refining`; faces is a `cfp.source.CFP` or a `face_folder.source.Folder`.
  """

  title = "Faces in profile, photographed"

  @functools.cached_property
  def pairs(self):
    """The pairs to be told."""
    return self.faces.pairs("FP")

  def scores(self, model):
    """Method -> `[R, P]` cosines of the pairs; and `[R, P']`, whether profiles are recognised.

    Profiles are recognised by the nearest of the frontal photographs of all people measured on.
    """
    if "scores" not in self._found:
      added = self.added(model, self.simulated, self.real)
      gallery, probes = self.heldout.of("frontal"), self.heldout.of("profile")
      told, right = {}, {}
      for name, nets in evaluation.recognisers(self.train.of("frontal"), added, self.judges):
        told[name] = np.stack([evaluation.verification(net, self.heldout, self.pairs)
                               for net in nets])
        right[name] = np.stack([evaluation.nearest(net, probes, gallery) for net in nets])
      self._found["scores"] = told, right
    return self._found["scores"]

  def quality(self, model):
    """Method -> what `evaluation.quality` says of the people measured on; kept."""
    if "quality" not in self._found:
      unseen = self.unseen
      self._found["quality"] = {
          method: evaluation.quality(self.extract, images, unseen.mask, unseen.identity,
                                     self.heldout.of("profile"))
          for method, images in zip(("raw", "refined"), self.profiles(model, unseen))}
    return self._found["quality"]

  def evaluate(self, model, data):
    """The protocol's figures, rank 1, distances to photographs from the side."""
    del data
    self._found = {}
    told, right = self.scores(model)
    rows = []
    for method, scores in told.items():
      rows += evaluation.verification_rows(method, scores, self.pairs)
      rows.append({"method": method, "metric": "rank1", "value": float(right[method].mean())})
    for method, values in self.quality(model).items():
      if method == "refined" or method in self.judges.methods:
        rows += [{"method": method, "metric": name, "value": value}
                 for name, value in values.items()]
    return rows

  def predictions(self, model, data):
    """`predictions.csv`: method, pair, fold, same, score (the mean cosine of the recognisers)."""
    del data
    columns = {name: [] for name in ("method", "pair", "fold", "same", "score")}
    for method, scores in self.scores(model)[0].items():
      columns["method"] += [method] * len(self.pairs)
      columns["pair"] += range(len(self.pairs))
      columns["fold"] += self.pairs.fold.tolist()
      columns["same"] += self.pairs.same.astype(int).tolist()
      columns["score"] += [f"{score:.4f}" for score in scores.mean(axis=0)]
    return columns

  def figures(self, model, data):
    """Tables, faces before and after, ROC, along training, t-SNE, curves."""
    del data
    self._found = {}
    told, right = self.scores(model)
    made = [verification_table(told, right, self.pairs), report.quality_table(self.quality(model)),
            self._faces(model)]
    made.append(figures.roc_figure({
        method: metrics.roc(scores.mean(axis=0), self.pairs.same)
        for method, scores in told.items()}))
    along = self.along_training(model)
    if len(along["step"]):
      made.append(figures.along_figure(along, self.looked_at_images, model.album,
                                       model.album.kept.numpy()))
    return [*made, report.features(self, model), curves.figure(model.training_log)]

  def _faces(self, model):
    """Simulated and refined faces beside a photograph from the side of the same person."""
    chosen = self.unseen.take(order.evenly(len(self.unseen), _SHOWN))
    true = self.heldout.of("profile")
    first = [np.flatnonzero(true.identity == person)[0] for person in chosen.identity]
    return figures.faces_figure(*self.profiles(model, chosen), true.image[first])

  def sample_images(self):
    """Ten simulated faces, `[10, s, s, 3]` float32 in [0, 1]."""
    return self.looked_at_images[:10] / np.float32(255.0)


def verification_table(told, right, pairs):
  """The protocol's figures of each method."""
  names = {"fp_accuracy": "accuracy", "fp_auc": "area", "fp_eer": "equal error rate",
           "fp_tar_at_far_0.1": "TAR at FAR .1", "fp_tar_at_far_0.01": "at .01"}
  rows = []
  for method, scores in told.items():
    values = {row["metric"]: row["value"]
              for row in evaluation.verification_rows(method, scores, pairs)}
    rows.append([figures.label(method), *(values[name] for name in names),
                 float(right[method].mean())])
  return report_lib.Table(
      "Frontal against profile", ["trained on", *names.values(), "rank 1"], rows,
      f"{len(pairs)} pairs of photographs of {len(np.unique(pairs.first[:, 0]))} people whom "
      "training hasn't seen, folds 9 and 10 of CFP: one split. Rank 1: a photograph from the side "
      "is nearest to one of the same person from the front.")
