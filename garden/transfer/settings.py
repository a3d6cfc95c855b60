"""The settings of the methods of this room, as gin and Python name them.

Each is a small frozen dataclass; the models take them as `recipe`. The defaults
of `Recipe` are the constants of Luo et al. 2017.
"""

import dataclasses
from collections.abc import Sequence

import gin

from garden.core import checks
from garden.transfer import networks
from garden.transfer import resnet

BACKBONES = ("lenet", "resnet")
VOTES = ("head", "prototypes", "both")


def _check_common(recipe):
  checks.check_count("labeled_views", recipe.labeled_views, 1)
  checks.check_number("learning_rate", recipe.learning_rate, open_=True)
  checks.check_number("source_learning_rate", recipe.source_learning_rate, open_=True)


@gin.register(module="transfer")
@dataclasses.dataclass(frozen=True)
class Network:
  """The encoder of source and target.

  Attributes:
    backbone: "lenet" for digits, "resnet" for photographs (KerasCV's).
    channels: of LeNet's two convolutions, or of the ResNet's stages.
    units: size of LeNet's embedding.
    blocks: residual blocks of each of the ResNet's stages.
  """
  backbone: str = "lenet"
  channels: Sequence[int] = (20, 50)
  units: int = 500
  blocks: Sequence[int] = (2, 2, 2, 2)

  def __post_init__(self):
    if self.backbone not in BACKBONES:
      raise ValueError(f"backbone is {self.backbone!r}; it must be one of {', '.join(BACKBONES)}")

  def build(self):
    """Makes an encoder: images to a dict of activations, with `layer_names`."""
    if self.backbone == "lenet":
      return networks.LeNet(self.channels, self.units)
    return resnet.ResNet(self.channels, self.blocks)


@gin.register(module="transfer")
@dataclasses.dataclass(frozen=True)
class Recipe:
  """What `TransferModel` minimises; every row of the paper's table but matching nets.

      L = CE + beta L_ST + alpha L_DT + pseudo_weight L_pseudo

  Unlabelled terms are multiplied by min(1, step / warm_up).

  Attributes:
    from_source: begin the target's network with the source's weights.
    train_source: train the source's encoder along (its cross-entropy and its side
      of the adversarial loss); the paper doesn't say, ADDA freezes it.
    alpha: weight of the adversarial loss; 0 leaves it out.
    gamma: decay of the lower layers' voice in the discriminator.
    layers: names of the activations it sees; None for the paper's rule,
      "features" for its two layers below the logits whatever the class counts.
    combine: "sum" or "concat".
    hidden: sizes of further layers below its logit.
    beta: weight of the semantic transfer; 0 leaves it out.
    similarity: "dot" as printed, or "cosine".
    scale: of the similarities; None is 1 for "dot" and 10 for "cosine".
    normalize: make prototypes of the features' directions.
    support: what the source is compared by, "prototypes" or "examples".
    source_temperature: tau of the entropy across domains.
    target_temperature: tau of the entropy within the target.
    source_weight: factor of the entropy across domains.
    supervised_weight: factor of the prototypes' cross-entropy.
    target_weight: factor of the entropy within the target.
    diversity_weight: factor of the negative entropy of the mean prediction; not
      in the paper.
    prior: expected shares of the target's classes; None for equal ones.
    augment: random affine views of the target's images (`augment.random_affine`).
    labeled_views: times that the labelled images are in a step.
    warm_up: steps in which the unlabelled terms grow to their weights; 0 for none.
    pseudo_weight: weight of the pseudo-labels' cross-entropy; 0 leaves them out.
    pseudo_votes: who gives a pseudo-label and learns from it: "head",
      "prototypes" or "both" (their mean gives, each learns).
    pseudo_threshold: least probability of a pseudo-label that counts.
    pseudo_decay: decay of the mean prediction that it is aligned with.
    learning_rate: of the target's network.
    discriminator_learning_rate: of the discriminator.
    source_learning_rate: of the source's network, in the stage `source`.
  """
  from_source: bool = True
  train_source: bool = False
  alpha: float = 0.1
  gamma: float = 0.1
  layers: Sequence[str] | str | None = None
  combine: str = "sum"
  hidden: Sequence[int] = ()
  beta: float = 0.1
  similarity: str = "dot"
  scale: float | None = None
  normalize: bool = False
  support: str = "prototypes"
  source_temperature: float = 2.0
  target_temperature: float = 1.0
  source_weight: float = 1.0
  supervised_weight: float = 1.0
  target_weight: float = 1.0
  diversity_weight: float = 0.0
  prior: Sequence[float] | None = None
  augment: bool = False
  labeled_views: int = 1
  warm_up: int = 0
  pseudo_weight: float = 0.0
  pseudo_votes: str = "both"
  pseudo_threshold: float = 0.9
  pseudo_decay: float = 0.95
  learning_rate: float = 1e-3
  discriminator_learning_rate: float = 1e-3
  source_learning_rate: float = 1e-3

  def __post_init__(self):
    _check_common(self)
    for name in ("alpha", "beta", "pseudo_weight"):
      checks.check_number(name, getattr(self, name))
    checks.check_count("warm_up", self.warm_up, 0)
    checks.check_number("discriminator_learning_rate", self.discriminator_learning_rate, open_=True)
    checks.check_number("pseudo_threshold", self.pseudo_threshold, 0, 1, open_=True)
    checks.check_number("pseudo_decay", self.pseudo_decay, 0, 1, open_=True)
    if self.pseudo_votes not in VOTES:
      raise ValueError(f"pseudo_votes is {self.pseudo_votes!r}; it must be one of "
                       f"{', '.join(VOTES)}")

  @classmethod
  def stable(cls, **changes):
    """The full method with what makes it train: `gin/transfer/full_stable.gin`.

    Cosine similarities, the diversity term, affine views, a warm-up, a small
    adversary on feature layers, and pseudo-labels by head and prototypes.
    """
    return cls(**{**dict(
        alpha=0.01, layers="features", hidden=(500,), beta=1.0, similarity="cosine",
        scale=10.0, normalize=True, diversity_weight=1.0, augment=True, labeled_views=2,
        warm_up=200, pseudo_weight=1.0), **changes})

  @classmethod
  def fixmatch(cls, **changes):
    """Consistency with distribution alignment alone: `gin/transfer/fixmatch.gin`."""
    return cls(**{**dict(alpha=0.0, beta=0.0, augment=True, labeled_views=2,
                         pseudo_weight=1.0, pseudo_votes="head"), **changes})


@gin.register(module="transfer")
@dataclasses.dataclass(frozen=True)
class MinimaxEntropy:
  """What `MME` minimises.

  Attributes:
    weight: lambda, weight of the entropy; 0.1 in the published code.
    temperature: T of the cosine head; 0.05 there.
    from_source: begin the target's network with the source's weights.
    augment: random affine views of the target's images; not in the published code.
    labeled_views: times that the labelled images are in a step.
    learning_rate: of the target's network.
    source_learning_rate: of the source's network, in the stage `source`.
  """
  weight: float = 0.1
  temperature: float = 0.05
  from_source: bool = True
  augment: bool = False
  labeled_views: int = 1
  learning_rate: float = 1e-3
  source_learning_rate: float = 1e-3

  def __post_init__(self):
    _check_common(self)
    checks.check_number("weight", self.weight)
    checks.check_number("temperature", self.temperature, open_=True)


@gin.register(module="transfer")
@dataclasses.dataclass(frozen=True)
class Matching:
  """What `MatchingNet` minimises: episodes of support and query images.

  Attributes:
    shots: support images a class of an episode on the source.
    queries: query images a class of an episode on the source.
    scale: factor of the cosines before the attention's softmax. Published: 1, at
      which the softmax over cosines is nearly flat and 1,500 episodes on SVHN
      reach an accuracy of .62 on the source, against .95 with 10.
    learning_rate: on the labelled target images.
    source_learning_rate: on the source.
  """
  shots: int = 5
  queries: int = 5
  scale: float = 10.0
  learning_rate: float = 1e-4
  source_learning_rate: float = 1e-3

  def __post_init__(self):
    checks.check_count("shots", self.shots, 1)
    checks.check_count("queries", self.queries, 1)
    checks.check_number("scale", self.scale, open_=True)
    checks.check_number("learning_rate", self.learning_rate, open_=True)
    checks.check_number("source_learning_rate", self.source_learning_rate, open_=True)
