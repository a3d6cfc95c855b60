"""The glue between Deep Subspace Clustering and the binaries."""

import dataclasses
import functools

import gin
import numpy as np

from garden.core import checks
from garden.core import experiment as experiment_lib
from garden.core import export as export_lib
from garden.core import report as report_lib
from garden.core.optimizers import FusedAdam
from garden.subspace import affinity as affinity_lib
from garden.subspace import data as data_lib
from garden.subspace import memory
from garden.subspace import metrics
from garden.subspace import report
from garden.subspace import settings
from garden.subspace import solvers
from garden.subspace import subspaces
from garden.subspace.dscnet import DSCNet


@dataclasses.dataclass(frozen=True)
class Clusters:
  """A clustering and what it came from.

  Attributes:
    labels: `[N]` int64, 0 .. K-1.
    affinity: `[N, N]` that the labels come from.
    plain_labels: `[N]` int64, labels from the plain affinity.
    plain_affinity: `[N, N]`, |C| + |C|^T without post-processing.
  """
  labels: np.ndarray
  affinity: np.ndarray
  plain_labels: np.ndarray
  plain_affinity: np.ndarray


def cluster(coefficients, n_clusters, recipe, normalize=None):
  """Labels from C, with and without the post-processing.

  Args:
    coefficients: `[N, N]`, row i those of sample i.
    n_clusters: K.
    recipe: the `settings.Affinity`.
    normalize: of the plain affinity, see `affinity.plain_affinity`.

  Returns:
    A `Clusters`.
  """
  good = recipe.apply(coefficients, n_clusters)
  plain = affinity_lib.plain_affinity(coefficients, normalize)
  # On an affinity as uneven as the plain one, pivoted QR loses up to 20 points
  # to k-means on the same eigenvectors; on a post-processed one they are equal.
  return Clusters(
      affinity_lib.spectral_clustering(good, n_clusters), good,
      affinity_lib.spectral_clustering(plain, n_clusters, assign="kmeans"),
      plain)


def measure(clusters, truth, n_clusters):
  """Rows of metrics of a `Clusters`; those without labels when truth is None."""
  rows = []
  if truth is not None:
    rows += [
        ("error_percent", metrics.clustering_error(truth, clusters.labels)),
        ("error_percent_plain",
         metrics.clustering_error(truth, clusters.plain_labels)),
        ("nmi", metrics.nmi(truth, clusters.labels)),
        ("ari", metrics.ari(truth, clusters.labels))]
  rows += [
      ("normalized_cut",
       metrics.normalized_cut(clusters.affinity, clusters.labels)),
      ("eigengap", metrics.eigengap(clusters.affinity, n_clusters))]
  return [{"metric": name, "value": float(value)} for name, value in rows]


class SubspaceExperiment(experiment_lib.Experiment):
  """What the experiments of this room share: images, figures, serving.

  Args:
    source: the `data.Source` of the images.
    seed: seed of the mini-batches.
  """

  room = "subspace"
  predictions_file = "assignments.csv"

  def __init__(self, source, seed=0):
    self.source = source
    self.seed = seed

  @functools.cached_property
  def images(self):
    """The images, read once."""
    return self.source.load()

  def codes(self, model):
    """Features that the clusters are subspaces of, `[N, d]`."""
    raise NotImplementedError

  def clusters(self, model):
    """Clusters the images; a `Clusters`."""
    raise NotImplementedError

  def predictions(self, model, data):
    """`assignments.csv`: image, cluster."""
    return {"image": self.images.names,
            "cluster": self.clusters(model).labels.tolist()}

  def sample_images(self):
    """Twenty of the images, evenly spread."""
    pixels = self.images.pixels / self.source.pixel_max
    return pixels[::max(len(pixels) // 20, 1)][:20]

  def encode(self, model):
    """`(encode, decode, parts)` of `subspaces.SubspaceClassifier`."""
    return model.encoder, model.decoder, [model.encoder, model.decoder]

  def signatures(self, model):
    """Image -> cluster, code, distances, reconstruction error."""
    encode, decode, parts = self.encode(model)
    bases = subspaces.cluster_bases(
        self.codes(model), self.clusters(model).labels, self.subspace_dim())
    classifier = subspaces.SubspaceClassifier(encode, decode, bases, parts)
    shape = self.images.pixels.shape
    return export_lib.ServingModule(classifier, classifier, shape[1:3],
                                    shape[3], (0, self.source.pixel_max))

  def subspace_dim(self):
    """Directions of a cluster's subspace, for images that weren't clustered."""
    return self.affinity.dim

  def figures(self, model, data):
    """Results, affinity, sample images, codes, curves, spectrum."""
    found, truth = self.clusters(model), self.images.labels
    rows = [[row.get("method", self.title), row["metric"], row["value"]]
            for row in self.evaluate(model, data)]
    errors = [None if truth is None else metrics.clustering_error(truth, labels)
              for labels in (found.labels, found.plain_labels)]
    sections = [
        report_lib.Table("Results", ["method", "metric", "value"], rows,
                         self.results_caption()),
        report.affinity_figure(found.affinity, found.plain_affinity,
                               found.labels, *errors),
        report.samples_figure(self.images.pixels / self.source.pixel_max,
                              found.labels),
        report.latent_figure(self.codes(model), found.labels, truth)]
    if model.training_log:
      sections.append(report.curves_figure(model.training_log))
    sections.append(report.affinity_spectrum_figure(
        found.affinity, self.source.n_clusters))
    return sections

  def results_caption(self):
    """What a reader has to know to trust the results."""
    return ("`error_percent` (lower is better) uses the post-processing of C, "
            "`error_percent_plain` clusters |C| + |C|^T as it is; `nmi` and `ari` "
            "compare with the labels, 1 is perfect. Without labels: "
            "`normalized_cut` is how much affinity leaves its cluster (lower is "
            "better), `eigengap` the gap after eigenvalue K of figure 'Spectrum'. "
            "`ridge_pixels` is no network: C from the raw pixels.")


@gin.register(module="subspace")
class Clustering(SubspaceExperiment):
  """Deep Subspace Clustering of a set of images.

  Args:
    source: the `data.Source` of the images.
    network: the `settings.Network`.
    pretraining: the `settings.Pretraining`.
    affinity: the `settings.Affinity`.
    finetune_steps: steps with all images and C; 0 for none.
    learning_rate: Adam's, in fine-tuning.
    p: norm of C, 1 or 2.
    zero_diagonal: forbid a sample to express itself; None as published.
    initial: the constant that C starts from.
    reconstruction_weight: weight of `sum (x - x_hat)^2`.
    norm_weight: weight of the norm of C.
    expression_weight: weight of `1/2 sum (z - C z)^2`.
    solver: "gradient" or "closed_form".
    scaling: of the codes before the closed form: "none", "unit" or
      "standardized".
    published_error: the paper's error in percent, printed in the report.
    seed: seed of the mini-batches.
  """

  title = "Deep subspace clustering"

  def __init__(self, source: data_lib.Source, network: settings.Network,
               pretraining: settings.Pretraining, affinity: settings.Affinity,
               finetune_steps=0, learning_rate=1e-3, p=2, zero_diagonal: bool | None = None,
               initial=1e-4, reconstruction_weight=0.5, norm_weight=1.0,
               expression_weight=1.0, solver="gradient", scaling="none",
               published_error: float | None = None, seed=0):
    super().__init__(source, seed)
    checks.check_count("finetune_steps", finetune_steps, 0)
    self.network = network
    self.pretraining = pretraining
    self.affinity = affinity
    self.finetune_steps = finetune_steps
    self.learning_rate = learning_rate
    self.published_error = published_error
    self.net = dict(
        p=p, zero_diagonal=zero_diagonal, initial=initial,
        reconstruction_weight=reconstruction_weight, norm_weight=norm_weight,
        expression_weight=expression_weight, solver=solver, scaling=scaling)
    self._clusters = None

  def build_model(self):
    """The `DSCNet` for these images, compiled."""
    pixels = self.images.pixels
    memory.check(len(pixels))
    pairs = [self.network.build(pixels)
             for _ in range(self.pretraining.restarts)]
    model = DSCNet(*pairs[0], pixels, restarts=pairs[1:], seed=self.seed,
                   code_norm=self.pretraining.code_norm,
                   pretrain_optimizer=self.pretraining.optimizer(), **self.net)
    model.compile(optimizer=FusedAdam(self.learning_rate))
    return model

  def datasets(self):
    """Two stages: `pretrain` on mini-batches, `finetune` on all images."""
    n_images = len(self.images.pixels)
    plan = self.pretraining
    return experiment_lib.Data(stages=[
        experiment_lib.Stage(
            "pretrain", plan.steps,
            data_lib.shuffled(n_images, plan.batch_size, self.seed),
            plan.plateau()),
        experiment_lib.Stage(
            "finetune", self.finetune_steps, data_lib.every_image(n_images))])

  def codes(self, model):
    """Codes of all images, `[N, d]`."""
    return model.codes()

  def clusters(self, model):
    """Labels from the C of the last step; computed once."""
    if self._clusters is None:
      self._clusters = cluster(model.coefficients(), self.source.n_clusters,
                               self.affinity)
    return self._clusters

  def evaluate(self, model, data):
    """The network's metrics, and the raw-pixel ridge beside them."""
    del data
    truth, count = self.images.labels, self.source.n_clusters
    rows = measure(self.clusters(model), truth, count)
    for row in measure(self.pixel_baseline(), truth, count):
      rows.append({"method": "ridge_pixels", **row})
    return rows

  def results_caption(self):
    """Adds the paper's number, and how the constants were chosen."""
    paper = ("" if self.published_error is None else
             f" The paper reports {self.published_error} %; the constants of "
             "its post-processing were tuned on labels by its authors.")
    return super().results_caption() + paper

  def pixel_baseline(self):
    """No network: closed-form ridge on unit pixels, the same post-processing."""
    pixels = settings.scale_features(self.images.pixels, "unit")
    matrix = solvers.ridge(pixels, lam=1.0, zero_diagonal=True)
    return cluster(matrix, self.source.n_clusters, self.affinity)
