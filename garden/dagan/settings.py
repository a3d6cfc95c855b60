"""The settings of BEGAN and of DA-GAN, as gin and Python name them."""

import dataclasses
from collections.abc import Sequence

import gin

from garden.core import checks
from garden.dagan import losses
from garden.dagan import networks
from garden.dagan import refiner as refiner_lib

BALANCES = ("began", "constant")
IDENTITY_ON = ("both", "real")
MARGIN_ON = ("image", "pixel")
MASKS = ("none", "head", "visible")
#: Frontal images, and beside them simulated profiles, refined ones, both, true ones; and two
#: controls: raw ones with other colours and noise, and raw ones with what the refiner did to
#: another person.
METHODS = ("frontal_only", "raw", "refined", "raw_and_refined", "true", "raw_jittered",
           "raw_others_residual")


@gin.register(module="dagan")
@dataclasses.dataclass(frozen=True)
class Network:
  """The networks; see `networks`.

  Attributes:
    size: side of the images in pixels, 5 to 8 times a power of two.
    filters: n of the auto-encoder.
    hidden: h, numbers of its code.
    skip: whether its decoder's coarsest map goes to every size.
    detail: whether the finest detail of its image goes past the code.
    vanishing: steps over which vanishing residuals vanish; 0 is without them.
    spectral: whether the encoder's convolutions are normalised by their spectral norm (Miyato et
      al. 2018, TensorFlow Addons); on one replica alone.
    refiner: "residual" or "hourglass".
    refiner_filters: a number, or one a size for the hourglass.
    refiner_blocks: of the residual refiner.
    add_input: whether the refiner tells what is to be added to its image.
  """

  size: int = 32
  filters: int = 16
  hidden: int = 64
  skip: bool = False
  detail: bool = False
  vanishing: int = 0
  spectral: bool = False
  refiner: str = "hourglass"
  refiner_filters: int | Sequence[int] = (16, 32, 48)
  refiner_blocks: int = 10
  add_input: bool = True

  def __post_init__(self):
    networks.sizes_of(self.size)
    for name in ("filters", "hidden", "refiner_blocks"):
      checks.check_count(name, getattr(self, name), 1)
    checks.check_count("vanishing", self.vanishing, 0)
    _check_choice("refiner", self.refiner, refiner_lib.REFINERS)


@gin.register(module="dagan")
@dataclasses.dataclass(frozen=True)
class BEGANRecipe:
  """What BEGAN minimises, and how; see `losses`.

  Attributes:
    balance: "began", k by its rule, or "constant".
    gamma: g, the ratio of errors that the rule aims at, in (0, 1], or up to the margin. A refiner
      begins with images whose error is a real one's: at 1 or less its k stays at 0.
    k_rate: a.
    k_start: k at the first step, in [0, 1].
    margin: how many times the real images' error made ones count at most for D; 0 is no cap.
    margin_on: what is capped, the error of an "image" or of each "pixel".
    learning_rate: of Adam, for D, and for G but for `generator_rate`.
    generator_rate: of G, in shares of `learning_rate`.
    beta_1: of Adam.
    tail: share of the steps at the end in which the rate falls in a line to a tenth.
    stall_window: steps over which M is averaged; a mean that isn't lower than the least so far
      halves the rate. 0 never halves it.
    stall_floor: the least share of the rate that halving leaves.
  """

  balance: str = "began"
  gamma: float = 0.5
  k_rate: float = 1e-3
  k_start: float = 0.0
  margin: float = 0.0
  margin_on: str = "image"
  learning_rate: float = 1e-4
  generator_rate: float = 1.0
  beta_1: float = 0.5
  tail: float = 0.0
  stall_window: int = 0
  stall_floor: float = 0.05

  def __post_init__(self):
    for name in ("margin", "k_rate"):
      checks.check_number(name, getattr(self, name))
    for name in ("k_start", "tail", "beta_1"):
      checks.check_number(name, getattr(self, name), most=1)
    checks.check_positive("stall_floor", self.stall_floor, most=1)
    for name in ("gamma", "learning_rate", "generator_rate"):
      checks.check_positive(name, getattr(self, name))
    checks.check_count("stall_window", self.stall_window, 0)
    if self.gamma > 1 and self.gamma >= self.margin:
      raise ValueError(f"gamma is {self.gamma} and margin {self.margin}; a gamma above 1 needs a "
                       "margin above it, or D diverges")
    _check_choice("balance", self.balance, BALANCES)
    _check_choice("margin_on", self.margin_on, MARGIN_ON)


@gin.register(module="dagan")
@dataclasses.dataclass(frozen=True)
class Recipe(BEGANRecipe):
  """What DA-GAN minimises, and how; the defaults are the paper's, as far as it is known.

  Beside the attributes of `BEGANRecipe`, where refined images are the made ones:

  Attributes:
    identity_weight: l_1.
    pixel_weight: l_2.
    adversarial_weight: of e(x~) in G's loss; 1 but in ablations.
    generator_form: "began", or "paper", the printed term.
    identity_form: "softmax"; "one_vs_all", the printed term; or "margin", the softmax of cosines
      in which the right person must win by a margin, which holds of new people better.
    identity_on: the images that the identity agent learns on: "both", or "real" alone, so that it
      doesn't learn to read refined images as they are.
    mask: where L_pp counts: "none" is everywhere; on the "head"; or on what the photograph shows of
      it ("visible") and on the background.
    warm_up: steps of D alone, on real images, before the first step of G.
    history: refined images of earlier steps that are kept for D, see `history`; 0 for none.
    shift: pixels that images are moved by at most before D sees them, see `augment`.
    color: how much their brightness, saturation and contrast change at most, in [0, .5].
    noise: standard deviation of what is added to them; D is to reconstruct them without it.
  """

  identity_weight: float = 0.1
  pixel_weight: float = 0.3
  adversarial_weight: float = 1.0
  generator_form: str = "began"
  identity_form: str = "softmax"
  identity_on: str = "both"
  mask: str = "none"
  warm_up: int = 0
  history: int = 0
  shift: int = 0
  color: float = 0.0
  noise: float = 0.0

  def __post_init__(self):
    super().__post_init__()
    for name in ("identity_weight", "pixel_weight", "adversarial_weight", "noise"):
      checks.check_number(name, getattr(self, name))
    checks.check_number("color", self.color, most=0.5)
    for name in ("warm_up", "history", "shift"):
      checks.check_count(name, getattr(self, name), 0)
    for name, known in (("generator_form", losses.FORMS),
                        ("identity_form", losses.IDENTITY_FORMS), ("identity_on", IDENTITY_ON),
                        ("mask", MASKS)):
      _check_choice(name, getattr(self, name), known)


@gin.register(module="dagan")
@dataclasses.dataclass(frozen=True)
class Judges:
  """Who judges refined images; see `recogniser` and `extractor`.

  Attributes:
    methods: what recognisers are trained on beside frontal images, of `METHODS`.
    seeds: recognisers of each method.
    epochs: of a recogniser's and of the extractor's training, at least.
    examples: images that such a training sees, at least.
    extractor: path of a Keras model whose features are used instead of the own ones.
    seed: of the backgrounds of simulated images, and of t-SNE.
  """

  methods: Sequence[str] = ("frontal_only", "raw", "refined", "true")
  seeds: int = 3
  epochs: int = 40
  examples: int = 18_000
  extractor: str | None = None
  seed: int = 0

  def __post_init__(self):
    for name in ("seeds", "epochs", "examples"):
      checks.check_count(name, getattr(self, name), 1)
    for method in self.methods:
      _check_choice("method", method, METHODS)


def _check_choice(name, value, known):
  """Raises a ValueError unless a value is one of those known."""
  if value not in known:
    raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
