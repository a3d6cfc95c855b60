"""Clustering with nothing chosen on labels: agreement picks the settings.

Post-processing constants move the error of one and the same C by tens of
points, and the published ones were tuned on labels. Here a fixed grid of
settings, the same for every data set, is run on raw pixels and on the codes of
several autoencoders. Of either kind of features the labellings that agree most
with the others of their kind (mean adjusted Rand index) vote; the two
co-membership matrices are averaged, weighted by how little the labellings of
their kind hang on the settings, and clustered once more.
"""

import itertools
from collections.abc import Sequence

import gin
import numpy as np
import tensorflow as tf

from garden.core import experiment as experiment_lib
from garden.core.model import GardenModel
from garden.subspace import affinity as affinity_lib
from garden.subspace import agreement
from garden.subspace import data as data_lib
from garden.subspace import experiment as clustering_lib
from garden.subspace import losses
from garden.subspace import memory
from garden.subspace import settings
from garden.subspace import solvers


class AutoencoderPool(GardenModel):
  """Several autoencoders of one kind that differ in their first weights alone.

  All take the same mini-batch in a step; their losses don't meet.

  Args:
    pairs: list of (encoder, decoder).
    images: `[N, h, w, c]` float32.
    reconstruction_weight: factor of `sum (x - x_hat)^2`.
    seed: seed of the run.
    **kwargs: of `tf.keras.Model`.
  """

  def __init__(self, pairs, images, reconstruction_weight=0.5, seed=0,
               **kwargs):
    super().__init__(seed=seed, **kwargs)
    self.images = tf.constant(images, tf.float32)
    self.encoders = [encoder for encoder, _ in pairs]
    self.decoders = [decoder for _, decoder in pairs]
    self.reconstruction_weight = reconstruction_weight
    self.add_trackers("reconstruction")
    self(self.images[:1])

  def compile(self, optimizer, **kwargs):
    """Keras's `compile`; also builds the optimizer, so that saves hold it."""
    super().compile(optimizer=optimizer, **kwargs)
    self.optimizer.build(self.trainable_variables)

  def call(self, images):
    """`[n, h, w, c]` -> list of `[n, h, w, c]`, one an autoencoder."""
    return [decode(encode(images)) for encode, decode
            in zip(self.encoders, self.decoders)]

  def train_step(self, indices):
    """`w sum (x - D(E(x)))^2`, added over the autoencoders."""
    images = tf.gather(self.images, indices)
    with tf.GradientTape() as tape:
      error = tf.add_n([losses.reconstruction(images, copy)
                        for copy in self(images, training=True)])
      loss = self.reconstruction_weight * error
    self.minimize(tape, loss, self.trainable_variables, self.optimizer,
                  reduction="sum")
    pixels = tf.cast(tf.size(images) * len(self.encoders), tf.float32)
    return self.log_step(reconstruction=error / pixels)

  def codes(self, batch_size=500):
    """List of `[N, d]` float32, one an autoencoder, on the host."""
    return [np.concatenate([
        encode(self.images[i:i + batch_size]).numpy()
        for i in range(0, len(self.images), batch_size)])
            for encode in self.encoders]


def candidates(features, n_clusters, ridge_weights, alphas, counts, dims,
               exponents):
  """Labellings of one set of features over a grid of settings.

  One eigen-decomposition of the Gram matrix serves all ridge weights, and one
  of the symmetric C all subspace dimensions.

  Args:
    features: `[N, d]`, unit rows.
    n_clusters: K.
    ridge_weights: lambda of the closed form.
    alphas: shares of a row's l1 norm to keep.
    counts: numbers of entries of a row to keep.
    dims: subspace dimensions.
    exponents: powers of the cosines.

  Yields:
    `([N] int64 labels, dict of the settings)`.
  """
  keep = [("alpha", a) for a in alphas] + [("count", c) for c in counts]
  for weight in ridge_weights:
    matrix = solvers.ridge(features, lam=weight, zero_diagonal=True)
    for kind, amount in keep:
      sparse = (affinity_lib.threshold(matrix, amount, axis=1)
                if kind == "alpha"
                else affinity_lib.keep_largest(matrix, amount, axis=1))
      factor = affinity_lib.low_rank_factor(
          0.5 * (sparse + sparse.T), max(dims) * n_clusters + 1)
      for dim, exponent in itertools.product(dims, exponents):
        graph = affinity_lib.cosine_affinity(
            factor[:, :dim * n_clusters + 1], exponent)
        yield affinity_lib.spectral_clustering(graph, n_clusters), {
            "lam": weight, kind: amount, "dim": dim, "exponent": exponent}


@gin.register(module="subspace")
class LabelFree(clustering_lib.SubspaceExperiment):
  """Consensus of a fixed grid of settings.

  Args:
    source: the `data.Source` of the images.
    network: the `settings.Network` of the autoencoders.
    pretraining: the `settings.Pretraining`.
    autoencoders: how many; 0 for pixels alone.
    pixels: whether raw pixels are among the features.
    scaling: of pixels and codes, see `settings.scale_features`.
    ridge_weights: grid, see `candidates`.
    alphas: grid, see `candidates`.
    counts: grid, see `candidates`.
    dims: grid, see `candidates`.
    exponents: grid, see `candidates`.
    top_fraction: share of the labellings that make the consensus.
    seed: seed of the mini-batches.
  """

  title = "Subspace clustering with nothing chosen on labels"

  def __init__(self, source: data_lib.Source, network: settings.Network,
               pretraining: settings.Pretraining, autoencoders=4, pixels=True, scaling="unit",
               ridge_weights: Sequence[float] = (0.03, 0.3, 3.0, 30.0),
               alphas: Sequence[float] = (0.04, 0.1, 0.2, 0.4), counts: Sequence[int] = (),
               dims: Sequence[int] = (3, 6, 12),
               exponents: Sequence[float] = (1.0, 2.0, 4.0, 8.0), top_fraction=0.1, seed=0):
    super().__init__(source, seed)
    self.network = network
    self.pretraining = pretraining
    self.autoencoders = autoencoders
    self.pixels = pixels
    self.scaling = scaling
    self.grid = dict(ridge_weights=ridge_weights, alphas=alphas, counts=counts,
                     dims=dims, exponents=exponents)
    self.top_fraction = top_fraction
    self._clusters = None
    if not autoencoders and not pixels:
      raise ValueError("LabelFree needs autoencoders, pixels, or both")

  def build_model(self):
    """The `AutoencoderPool`; with one more copy than none, for the export."""
    images = self.images.pixels
    memory.check(len(images))
    pairs = [self.network.build(images)
             for _ in range(max(self.autoencoders, 1))]
    model = AutoencoderPool(pairs, images, seed=self.seed)
    model.compile(optimizer=self.pretraining.optimizer())
    return model

  def datasets(self):
    """One stage, `pretrain`, that trains all autoencoders at once."""
    plan = self.pretraining
    return experiment_lib.Data(stages=[experiment_lib.Stage(
        "pretrain", plan.steps,
        data_lib.shuffled(len(self.images.pixels), plan.batch_size, self.seed),
        plan.plateau())])

  def features(self, model):
    """Family -> list of its feature sets `[N, d]`: pixels, and scaled codes."""
    families = {}
    if self.pixels:
      families["pixels"] = [
          settings.scale_features(self.images.pixels, self.scaling)]
    if self.autoencoders:
      families["codes"] = [settings.scale_features(code, self.scaling)
                           for code in model.codes()]
    return families

  def codes(self, model):
    """Codes of the first autoencoder, `[N, d]`."""
    return model.codes()[0]

  def subspace_dim(self):
    """The grid's middle dimension."""
    return sorted(self.grid["dims"])[len(self.grid["dims"]) // 2]

  def encode(self, model):
    """The first autoencoder."""
    pair = model.encoders[0], model.decoders[0]
    return (*pair, list(pair))

  def labelings(self, model):
    """The candidate labellings, a `[M, N]` int64 a family in use, and weights."""
    families, steadinesses = [], []
    for name, sets in self.features(model).items():
      found = []
      for number, features in enumerate(sets, 1):
        print(f"{name} {number} of {len(sets)} …", flush=True)
        found.append(np.stack([labels for labels, _ in candidates(
            features, self.source.n_clusters, **self.grid)]))
      kept, scores, steadiness = agreement.steady(found, self.top_fraction)
      print(f"steadiness of {name}: "
            + ", ".join(f"{score:.3f}" for score in scores), flush=True)
      families.append(np.stack(kept))
      steadinesses.append(steadiness)
    return families, agreement.weights(steadinesses)

  def clusters(self, model):
    """The consensus; computed once. Plain: the medoid, without consensus."""
    if self._clusters is None:
      families, shares = self.labelings(model)
      found = np.concatenate(families)
      medoid = np.asarray(found[agreement.medoid(found)])
      together = agreement.joint_comembership(
          families, shares, self.top_fraction)
      self._clusters = clustering_lib.Clusters(
          affinity_lib.spectral_clustering(together, self.source.n_clusters),
          together, medoid, agreement.comembership(found))
    return self._clusters

  def evaluate(self, model, data):
    """The metrics; `error_percent_plain` is the medoid's."""
    del data
    return clustering_lib.measure(self.clusters(model), self.images.labels,
                                  self.source.n_clusters)
