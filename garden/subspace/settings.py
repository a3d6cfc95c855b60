"""The settings of a clustering run, as gin names them.

Each is a small frozen dataclass; what they set is computed elsewhere.
"""

import dataclasses
from collections.abc import Sequence

import gin
import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.core import experiment as experiment_lib
from garden.core.optimizers import FusedAdam
from garden.subspace import affinity as affinity_lib
from garden.subspace import networks

SCALINGS = ("none", "unit", "standardized")


@gin.register(module="subspace")
@dataclasses.dataclass(frozen=True)
class Network:
  """The autoencoder.

  Attributes:
    kernels: odd kernel sizes, one a layer; None chooses a network from the size
      and the number of the images.
    channels: channels, one a layer.
    code_activation: "relu" as published, or "linear".
    output_activation: "relu" as published, or "linear".
    output_bias: first value of the output's bias, see `networks.ConvDecoder`.
      On [0, 1] the mean pixel; on [0, 255] it would weigh so much more than the
      first codes that these stay small, which the method's weights forbid: 0.
  """
  kernels: Sequence[int] | None = None
  channels: Sequence[int] | None = None
  code_activation: str = "relu"
  output_activation: str = "relu"
  output_bias: float = 0.0

  def build(self, images):
    """Makes `(encoder, decoder)` for `[N, h, w, c]` images."""
    kernels, channels = self.kernels, self.channels
    if kernels is None or channels is None:
      kernels, channels = networks.choose_layers(
          images.shape[1:3], len(images))
    return networks.conv_autoencoder(
        images.shape[1:], kernels, channels, self.code_activation,
        self.output_activation,
        self.output_bias)


@gin.register(module="subspace")
@dataclasses.dataclass(frozen=True)
class Pretraining:
  """How the autoencoder is trained before C comes in.

  Without `cosine`, the rule is label-free and looks at the reconstruction error
  alone: where it has not fallen by `min_improvement` for `patience` epochs, the
  learning rate is halved; when it would fall below `floor`, pre-training ends.
  With `cosine`, the rate warms up, then decays to 0 over the whole budget.

  Attributes:
    steps: the most mini-batches.
    batch_size: images of a mini-batch.
    learning_rate: Adam's, at its peak.
    cosine: cosine decay to 0 at `steps` in place of the plateau rule.
    warm_up_steps: steps over which the cosine's rate rises from 0.
    min_improvement: relative, of an epoch's mean reconstruction error.
    patience: epochs.
    floor: the least learning rate.
    restarts: autoencoders trained at once, of which the one of lowest
      reconstruction error goes on.
    code_norm: size `||Z||_F / ||X||_F` that the codes are given in the end, see
      `networks.scale_codes`; None leaves the one that came out. The weights of
      the fine-tuning loss are tied to it.
  """
  steps: int = 20000
  batch_size: int = 50
  learning_rate: float = 5e-3
  cosine: bool = False
  warm_up_steps: int = 50
  min_improvement: float = 0.01
  patience: int = 3
  floor: float = 1e-4
  restarts: int = 1
  code_norm: float | None = None

  def __post_init__(self):
    for name, least in (("steps", 0), ("batch_size", 1), ("warm_up_steps", 0),
                        ("patience", 1), ("restarts", 1)):
      checks.check_count(f"Pretraining.{name}", getattr(self, name), least)
    for name in ("learning_rate", "floor"):
      checks.check_positive(f"Pretraining.{name}", getattr(self, name))
    if self.code_norm is not None:
      checks.check_positive("Pretraining.code_norm", self.code_norm)

  def optimizer(self):
    """Makes the optimizer of the first stage."""
    if not self.cosine:
      return FusedAdam(self.learning_rate)
    warm_up = min(self.warm_up_steps, self.steps // 2)
    return FusedAdam(tf.keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0, warmup_target=self.learning_rate,
        warmup_steps=warm_up, decay_steps=max(self.steps - warm_up, 1)))

  def plateau(self):
    """The rule that ends the stage, or None."""
    if self.cosine:
      return None
    return experiment_lib.Plateau(
        monitor="reconstruction", min_improvement=self.min_improvement,
        patience=self.patience, factor=0.5, floor=self.floor,
        optimizer="pretrain_optimizer")


@gin.register(module="subspace")
@dataclasses.dataclass(frozen=True)
class Affinity:
  """The published post-processing of C, by its parameters.

  Attributes:
    alpha: share of each column's l1 norm that is kept; small is sparse.
    dim: dimensions of a subspace; the rank is dim K + 1.
    exponent: power of the cosines.
    eye: set the diagonal to 1 before the low-rank step (COIL20's script).
    count: keep so many entries a row instead of a share `alpha`.
    by_row: threshold rows of C (the coefficients of a sample) rather than
      columns, as published.
    zero_diagonal: drop the diagonal of C first.
  """
  alpha: float = 0.2
  dim: int = 3
  exponent: float = 1.0
  eye: bool = False
  count: int | None = None
  by_row: bool = False
  zero_diagonal: bool = False

  def __post_init__(self):
    checks.check_positive("Affinity.alpha", self.alpha, most=1)
    checks.check_positive("Affinity.exponent", self.exponent)
    checks.check_count("Affinity.dim", self.dim, 1)
    if self.count is not None:
      checks.check_count("Affinity.count", self.count, 1)

  def apply(self, coefficients, n_clusters):
    """`[N, N]` coefficients -> `[N, N]` affinity in [0, 1]."""
    return affinity_lib.published_affinity(
        coefficients, n_clusters, alpha=self.alpha, dim=self.dim,
        exponent=self.exponent, eye=self.eye, axis=int(self.by_row),
        zero_diagonal=self.zero_diagonal, count=self.count)


def scale_features(features, scaling, reference=None):
  """Scales features before a self-expression problem is solved on them.

  Args:
    features: `[N, ...]`, flattened to `[N, d]`.
    scaling: "none"; "unit" divides each row by its l2 norm; "standardized"
      first subtracts each column's mean and divides it by
      `sqrt(sd^2 + 0.01 mean(sd^2))`, so that a dead unit isn't blown up.
    reference: `[M, ...]`, features whose means and deviations are used, for
      samples that came later; the features themselves when None.

  Returns:
    `[N, d]` float64.

  Raises:
    ValueError: unknown scaling.
  """
  if scaling not in SCALINGS:
    raise ValueError(f"scaling is {scaling!r}; it must be one of {SCALINGS}")
  features = np.asarray(features, np.float64).reshape(len(features), -1)
  if scaling == "standardized":
    if reference is None:
      reference = features
    reference = np.asarray(reference, np.float64).reshape(len(reference), -1)
    variance = reference.var(axis=0)
    features = features - reference.mean(axis=0)
    features /= np.sqrt(variance + 0.01 * variance.mean() + 1e-12)
  if scaling != "none":
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    features = features / np.maximum(norms, 1e-12)
  return features
