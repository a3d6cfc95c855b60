"""The classical methods beside the network: self-expression without a decoder.

    min ||C||_p + lambda/2 ||X - C X||_F^2,   diag(C) = 0

on raw pixels or on the codes of a pre-trained autoencoder (`AE+X`), and k-means
on the same features. All of one run's methods see the same features, the same
two affinities and the same spectral clustering.
"""

import time
from collections.abc import Mapping
from typing import Any

import gin
import numpy as np
import tensorflow as tf

from garden.core import experiment as experiment_lib
from garden.core.model import GardenModel
from garden.core.optimizers import FusedAdam
from garden.subspace import data as data_lib
from garden.subspace import experiment as clustering_lib
from garden.subspace import memory
from garden.subspace import settings
from garden.subspace import solvers
from garden.subspace.dscnet import DSCNet

KMEANS = "kmeans"


class PixelModel(GardenModel):
  """No network: its codes are the pixels, its reconstruction is exact.

  Args:
    image_shape: (h, w, c).
    **kwargs: of `GardenModel`.
  """

  def __init__(self, image_shape, **kwargs):
    super().__init__(**kwargs)
    self.encoder = tf.keras.layers.Flatten()
    self.decoder = tf.keras.layers.Reshape(image_shape)


@gin.register(module="subspace")
class Baselines(clustering_lib.SubspaceExperiment):
  """Classical subspace clustering, several solvers on the same features.

  Args:
    source: the `data.Source` of the images.
    methods: name of a row -> (name of a solver, its parameters) or (name,
      parameters, `normalize` of `affinity.plain_affinity`, as the solver's
      authors had it); the solver `kmeans` clusters the features themselves.
    affinity: the `settings.Affinity`, used for `error_percent`.
    network: the `settings.Network`, or None for raw pixels.
    pretraining: the `settings.Pretraining` of the network.
    scaling: of the features: "none", "unit" or "standardized".
    seed: seed of the mini-batches and of k-means.
  """

  title = "Subspace clustering without a self-expressive network"

  def __init__(self, source: data_lib.Source, methods: Mapping[str, Any],
               affinity: settings.Affinity, network: settings.Network | None = None,
               pretraining: settings.Pretraining | None = None, scaling="unit", seed=0):
    super().__init__(source, seed)
    self.methods = dict(methods)
    self.affinity = affinity
    self.network = network
    self.pretraining = pretraining
    self.scaling = scaling
    for solver, *_ in self.methods.values():
      if solver != KMEANS:
        solvers.get(solver)
    if (network is None) != (pretraining is None):
      raise ValueError("Baselines needs both a network and its pretraining, or "
                       "neither (raw pixels)")
    if pretraining is not None and (
        pretraining.restarts != 1 or pretraining.code_norm is not None):
      raise ValueError(
          f"Baselines trains one autoencoder and scales codes by `scaling`; "
          f"Pretraining.restarts is {pretraining.restarts} and code_norm "
          f"{pretraining.code_norm}: leave them at 1 and None")
    self._clusters = {}

  def build_model(self):
    """The autoencoder, or a model without weights for raw pixels."""
    pixels = self.images.pixels
    memory.check(len(pixels))
    if self.network is None:
      return PixelModel(pixels.shape[1:], seed=self.seed)
    model = DSCNet(*self.network.build(pixels), pixels, seed=self.seed,
                   pretrain_optimizer=self.pretraining.optimizer())
    model.compile(optimizer=FusedAdam())
    return model

  def datasets(self):
    """The stage `pretrain`, or none for raw pixels."""
    if self.network is None:
      return experiment_lib.Data()
    plan = self.pretraining
    return experiment_lib.Data(stages=[experiment_lib.Stage(
        "pretrain", plan.steps,
        data_lib.shuffled(len(self.images.pixels), plan.batch_size, self.seed),
        plan.plateau())])

  def codes(self, model):
    """Pixels or codes, scaled, `[N, d]`."""
    if self.network is None:
      return settings.scale_features(self.images.pixels, self.scaling)
    return settings.scale_features(model.codes(), self.scaling)

  def clusters(self, model):
    """Clusters of the first method, which the figures and the export show."""
    return self.solve(model, next(iter(self.methods)))

  def solve(self, model, method):
    """Runs one method; computed once.

    Args:
      model: what `build_model` returned, trained.
      method: a name out of `methods`.

    Returns:
      A `Clusters`; k-means has no affinity, so its matrices are the ones of its
      own labels.
    """
    if method not in self._clusters:
      name, parameters, *normalize = self.methods[method]
      features, count = self.codes(model), self.source.n_clusters
      if name == KMEANS:
        labels = solvers.kmeans(features, count, seed=self.seed, **parameters)
        same = (labels[:, None] == labels[None, :]).astype(np.float64)
        found = clustering_lib.Clusters(labels, same, labels, same)
      else:
        matrix = solvers.get(name)(features, **parameters)
        found = clustering_lib.cluster(matrix, count, self.affinity, *normalize)
      self._clusters[method] = found
    return self._clusters[method]

  def evaluate(self, model, data):
    """The metrics of every method, each with its own seconds."""
    del data
    rows = []
    for method in self.methods:
      start = time.monotonic()
      found = self.solve(model, method)
      seconds = round(time.monotonic() - start, 2)
      print(f"{method}  {seconds:.1f} s", flush=True)
      rows += [{"method": method, "seconds": seconds, **row} for row in
               clustering_lib.measure(found, self.images.labels,
                                      self.source.n_clusters)]
    return rows
