"""The settings of the towers' de-animation, as gin and Python name them."""

import dataclasses
from collections.abc import Sequence

import gin

from garden.core import checks
from garden.core import optimizers
from garden.datasets.block_towers import views

FORMS = ("pairs", "objects")
STAGES = ("init", "joint", "full")
GRADIENTS = ("engine", "reinforce")


@gin.register(module="vda")
@dataclasses.dataclass(frozen=True)
class Network:
  """The networks that see; see `perception.Perception`.

  Attributes:
    form: "pairs" of neighbours, or "objects", the paper's.
    filters: of the pairs' trunk.
    size: side of a window in pixels.
    pixels_per_block: scale of the windows.
    places: the most blocks of a tower; no weight depends on it, so a trained model may get more.
    proposal_size: side of the square that proposals see, in pixels.
    picture_size: side of the image that is reconstructed, in pixels.
    softness: of the soft renderer's edges, in its pixels.
    scale: of the soft support test, in block widths: the error of the poses.
  """

  form: str = "pairs"
  filters: Sequence[int] = (24, 48, 96)
  size: int = 64
  pixels_per_block: float = 24.0
  places: int = 4
  proposal_size: int = 84
  picture_size: int = 84
  softness: float = 0.5
  scale: float = 0.05

  def __post_init__(self):
    if self.form not in FORMS:
      raise ValueError(f"form is {self.form!r}; it must be one of {', '.join(FORMS)}")
    checks.check_count("size", self.size, 16)
    checks.check_count("places", self.places, 2)
    checks.check_count("proposal_size", self.proposal_size, 16)
    checks.check_count("picture_size", self.picture_size, 16)
    for name in ("pixels_per_block", "softness", "scale"):
      checks.check_positive(name, getattr(self, name))


@gin.register(module="vda")
@dataclasses.dataclass(frozen=True)
class Recipe(views.Recipe):
  """What is minimised, and how.

      init    proposals + Huber(poses) + Huber(light) + Huber(camera)       simulated scenes
      joint   + reconstruction + proposals(what was rendered)               images
      full    + BCE(support test, label)                                    stability labels

  Attributes:
    pose_weight: of the pairs' poses.
    proposal_weight: of the proposals' loss on simulated scenes.
    proposal_share: share of a batch that proposals learn from.
    around_weight: of light and camera.
    box_noise: standard deviation of the boxes' sides in training, in shares of the image; what
      the proposals' boxes are off by.
    reconstruction_weight: of the reconstruction, from `joint` on.
    completion_weight: of the proposals' loss by the boxes of what was rendered, from `joint` on.
    physics_weight: of the stability labels, in `full`.
    reconstruction: whose gradient: the soft "engine"'s, or "reinforce" through hard pictures.
    physics: whose gradient: the soft support "engine"'s, or "reinforce" through MuJoCo.
    samples: of REINFORCE, at least 2.
    sigma: of REINFORCE's samples, in block widths for offsets; turns get three times as much.
    learning_rate: the peak; a short warm-up, then one cosine to 0.
    warm_up: steps.
    weight_decay: decoupled, of kernels.
    clip_norm: greatest norm of the gradient.
  """

  pose_weight: float = 1.0
  proposal_weight: float = 0.3
  proposal_share: float = 0.5
  around_weight: float = 0.2
  box_noise: float = 0.01
  reconstruction_weight: float = 10.0
  completion_weight: float = 0.5
  physics_weight: float = 0.1
  reconstruction: str = "engine"
  physics: str = "engine"
  samples: int = 4
  sigma: float = 0.05
  learning_rate: float = 2e-3
  warm_up: int = 100
  weight_decay: float = 2e-3
  clip_norm: float = 2.0

  def __post_init__(self):
    super().__post_init__()
    for name in ("learning_rate", "clip_norm", "sigma"):
      checks.check_number(name, getattr(self, name), open_=True)
    checks.check_count("warm_up", self.warm_up, 0)
    checks.check_count("samples", self.samples, 2)
    checks.check_positive("proposal_share", self.proposal_share, most=1)
    for name in ("pose_weight", "proposal_weight", "around_weight", "box_noise",
                 "reconstruction_weight", "completion_weight", "physics_weight", "weight_decay"):
      checks.check_number(name, getattr(self, name))
    for name in ("reconstruction", "physics"):
      if getattr(self, name) not in GRADIENTS:
        raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of "
                         f"{', '.join(GRADIENTS)}")

  def optimizer(self, steps):
    """AdamW with warm-up and one cosine to 0 over `steps`."""
    return optimizers.adamw(self.learning_rate, steps, self.warm_up, self.weight_decay)
