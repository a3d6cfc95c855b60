"""The settings of BEGAN and of DA-GAN, as gin and Python name them."""

import dataclasses
from collections.abc import Sequence

import gin

from garden.core import checks
from garden.dagan import losses
from garden.dagan import networks

BALANCES = ("began", "constant")
IDENTITY_ON = ("both", "real")
MASKS = ("none", "head", "visible")


@gin.register(module="dagan")
@dataclasses.dataclass(frozen=True)
class Network:
  """The networks; see `networks`.

  Attributes:
    size: side of the images in pixels, 5 to 8 times a power of two.
    filters: n of the auto-encoder.
    hidden: h, numbers of its code.
    skip: whether its decoder's coarsest map goes to every size.
    vanishing: steps over which vanishing residuals vanish; 0 is without them.
    refiner: "residual" or "hourglass".
    refiner_filters: a number, or one a size for the hourglass.
    refiner_blocks: of the residual refiner.
    add_input: whether the refiner tells what is to be added to its image.
  """

  size: int = 32
  filters: int = 16
  hidden: int = 64
  skip: bool = False
  vanishing: int = 0
  refiner: str = "hourglass"
  refiner_filters: int | Sequence[int] = (16, 32, 48)
  refiner_blocks: int = 10
  add_input: bool = True

  def __post_init__(self):
    networks.sizes_of(self.size)
    for name in ("filters", "hidden", "refiner_blocks"):
      checks.check_count(name, getattr(self, name), 1)
    checks.check_count("vanishing", self.vanishing, 0)
    _check_choice("refiner", self.refiner, networks.REFINERS)


@gin.register(module="dagan")
@dataclasses.dataclass(frozen=True)
class Recipe:
  """What is minimised, and how; see `losses`. The defaults are the paper's, as far as it is known.

  Attributes:
    identity_weight: l_1.
    pixel_weight: l_2.
    balance: "began", k by its rule, or "constant".
    gamma: g, the ratio of errors that the rule aims at, in (0, 1].
    k_rate: a.
    k_start: k at the first step, in [0, 1].
    margin: how many times the real images' error refined ones count at most for D; 0 is no cap.
    generator_form: "began", or "paper", the printed term.
    identity_form: "softmax", or "one_vs_all", the printed term.
    identity_on: the images that the identity agent learns on: "both", or "real" alone, so that it
      doesn't learn to read refined images as they are.
    mask: where L_pp counts: "none" is everywhere; on the "head"; or on what the photograph shows of
      it ("visible") and on the background.
    warm_up: steps of D alone, on real images, before the first step of G.
    learning_rate: of Adam, for both.
    beta_1: of Adam.
    tail: share of the steps at the end in which the rate falls in a line to a tenth.
    stall_window: steps over which M is averaged; a mean that isn't lower than the least so far
      halves the rate. 0 never halves it.
    stall_floor: the least share of the rate that halving leaves.
  """

  identity_weight: float = 0.1
  pixel_weight: float = 0.3
  balance: str = "began"
  gamma: float = 0.5
  k_rate: float = 1e-3
  k_start: float = 0.0
  margin: float = 0.0
  generator_form: str = "began"
  identity_form: str = "softmax"
  identity_on: str = "both"
  mask: str = "none"
  warm_up: int = 0
  learning_rate: float = 1e-4
  beta_1: float = 0.5
  tail: float = 0.0
  stall_window: int = 0
  stall_floor: float = 0.05

  def __post_init__(self):
    for name in ("identity_weight", "pixel_weight", "margin", "k_rate"):
      checks.check_number(name, getattr(self, name))
    for name in ("k_start", "tail", "beta_1"):
      checks.check_number(name, getattr(self, name), most=1)
    for name in ("gamma", "stall_floor"):
      checks.check_positive(name, getattr(self, name), most=1)
    checks.check_positive("learning_rate", self.learning_rate)
    for name in ("warm_up", "stall_window"):
      checks.check_count(name, getattr(self, name), 0)
    for name, known in (("balance", BALANCES), ("generator_form", losses.FORMS),
                        ("identity_form", losses.IDENTITY_FORMS), ("identity_on", IDENTITY_ON),
                        ("mask", MASKS)):
      _check_choice(name, getattr(self, name), known)


def _check_choice(name, value, known):
  """Raises a ValueError unless a value is one of those known."""
  if value not in known:
    raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
