"""The glue between DA-GAN on drawn faces and the binaries."""

import functools

import gin
import numpy as np

from garden.dagan import data as data_lib
from garden.dagan import evaluation
from garden.dagan import refining
from garden.dagan import report


@gin.register(module="dagan")
class Profiles(refining.Refining):
  """Profiles of people who have frontal images alone, refined, and what that is worth.

  The refiner learns from real profiles of the training people, and refines simulated ones of theirs
  and of the gallery's. Recognisers of the gallery are tested on true profiles, which nobody sees
  before. Held-out people, of neither, tell how real refined images are.

  Args:
    **kwargs: of `refining.Refining`; faces is a `procedural_faces.source.Procedural`.
  """

  title = "Faces in profile, drawn"

  @functools.cached_property
  def gallery(self):
    """The people to be recognised."""
    return self.faces.load("gallery")

  @property
  def new(self):
    """The gallery's frontal images, turned."""
    return self.gallery.of("simulated")

  def recognition(self, model):
    """`evaluation.recognition` of the judges' methods on the gallery; kept."""
    if "recognition" not in self._found:
      added = self.added(model, self.gallery.of("simulated"), self.gallery.of("profile"))
      self._found["recognition"] = evaluation.recognition(
          self.gallery.of("frontal", "near"), added, self.gallery.of("probe"), self.judges)
    return self._found["recognition"]

  def quality(self, model):
    """Method -> what `evaluation.quality` and `likeness` say of held-out people; kept."""
    if "quality" not in self._found:
      simulated, truth = self.heldout.of("simulated"), self.heldout.of("truth")
      true, probes = self.heldout.of("profile"), self.heldout.of("probe")
      same = data_lib.repainted(truth, self.judges.seed)
      found = {}
      for method, images in zip(("raw", "refined"), self.profiles(model, simulated)):
        found[method] = {
            **evaluation.quality(self.extract, images, simulated.mask, simulated.identity, true),
            **evaluation.likeness(images, same)}
      found["true"] = evaluation.quality(self.extract, probes.image, probes.mask, probes.identity,
                                         true)
      self._found["quality"] = found
    return self._found["quality"]

  def evaluate(self, model, data):
    """Rank 1 by yaw, distances, identity; M beside FID along training; k where it moves."""
    del data
    self._found = {}
    rows = evaluation.recognition_rows(self.recognition(model), self.gallery.of("probe").yaw)
    for method, values in self.quality(model).items():
      if method == "refined" or method in self.judges.methods:
        rows += [{"method": method, "metric": name, "value": value}
                 for name, value in values.items()]
    along = self.along_training(model)
    if np.isfinite(along["correlation"]):
      rows.append({"method": "refined", "metric": "convergence_fid_correlation",
                   "value": along["correlation"]})
    if self.recipe.balance == "began":
      rows.append({"method": "refined", "metric": "k_t", "value": float(model.k_t.numpy())})
    return rows

  def predictions(self, model, data):
    """`predictions.csv`: method, probe, person, yaw, share of the recognisers that told it."""
    del data
    probes = self.gallery.of("probe")
    columns = {name: [] for name in ("method", "probe", "person", "yaw", "right")}
    for method, right in self.recognition(model).items():
      columns["method"] += [method] * len(probes)
      columns["probe"] += range(len(probes))
      columns["person"] += probes.identity.tolist()
      columns["yaw"] += [f"{yaw:.1f}" for yaw in probes.yaw]
      columns["right"] += [f"{share:.3f}" for share in right.mean(axis=0)]
    return columns

  def figures(self, model, data):
    """Tables, faces at several yaws, along training, t-SNE, recognition, curves."""
    del data
    self._found = {}
    return report.sections(self, model)

  def sample_images(self):
    """Ten simulated faces of held-out people, `[10, s, s, 3]` float32 in [0, 1]."""
    return self.looked_at_images[:10] / np.float32(255.0)
