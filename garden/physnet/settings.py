"""The settings of this room, as gin and Python name them: small frozen dataclasses."""

import dataclasses
from collections.abc import Sequence

import gin
import tensorflow as tf

from garden.core import checks
from garden.core import layers
from garden.core import optimizers
from garden.core import resnet
from garden.datasets.block_towers import views
from garden.physnet import deepmask
from garden.physnet import googlenet
from garden.physnet import networks

TRUNKS = ("residual", "resnet", "googlenet")
MASKS = ("convolutional", "low_rank", "none")
FALL_HEADS = ("layout", "pool")


@dataclasses.dataclass(frozen=True)
class Segmented:
  """What crops and windows share: a small colour segmenter finds the blocks.

  Attributes:
    pixels_per_block: scale of what is cut out.
    box_noise: standard deviation of the boxes' sides in training, in shares of the image;
      what the segmenter's boxes are off by.
    segment_size: side of the image that the segmenter sees.
    segment_share: share of a batch that the segmenter learns from; it is soon good enough.
    segment_weight: of the segmenter's cross-entropy.
  """

  pixels_per_block: float = 24.0
  box_noise: float = 0.008
  segment_size: int = 84
  segment_share: float = 0.25
  segment_weight: float = 1.0

  def __post_init__(self):
    checks.check_count("segment_size", self.segment_size, 16)
    checks.check_positive("pixels_per_block", self.pixels_per_block)
    checks.check_positive("segment_share", self.segment_share, most=1)
    for name in ("box_noise", "segment_weight"):
      checks.check_number(name, getattr(self, name))


@gin.register(module="physnet")
@dataclasses.dataclass(frozen=True)
class Crop(Segmented):
  """One crop of the tower; see `crop.py`.

  Attributes:
    size: (height, width) of the crop in pixels.
    map_size: side of the map of the whole image that the mask branch starts from.
  """

  pixels_per_block: float = 20.0
  size: Sequence[int] = (96, 64)
  map_size: int = 14

  def __post_init__(self):
    super().__post_init__()
    if len(self.size) != 2:
      raise ValueError(f"size is {self.size!r}; give (height, width)")
    for side in self.size:
      checks.check_count("size", side, 16)
    checks.check_count("map_size", self.map_size, 1)


@gin.register(module="physnet")
@dataclasses.dataclass(frozen=True)
class Network:
  """The trunk and the heads of a network that sees the whole image, or one crop of the tower.

  Attributes:
    crop: `Crop`, or None for the whole image.
    trunk: "residual" (ours, stride 8), "resnet" (KerasCV's) or "googlenet".
    filters: of the residual trunk.
    depth: of the ResNet, 18 or 34.
    strides: of the ResNet's stages.
    width: factor of GoogLeNet's widths.
    stem: GoogLeNet's, "large" or "small".
    fall_head: "layout" keeps where things are, "pool" averages over the map as published.
    squeeze: channels before the layout head flattens.
    units: of the layout head.
    masks: "convolutional" (PhysNet), "low_rank" (DeepMask) or "none" (fall only).
    coarse: of the convolutional mask branch.
    mask_filters: of the convolutional mask branch; each doubles the map's side.
    rank: of the low-rank mask branch.
    coarse_size: of the low-rank mask branch, in pixels.
    mask_squeeze: channels before the low-rank branch flattens.
  """

  crop: Crop | None = None
  trunk: str = "residual"
  filters: Sequence[int] = (16, 48, 96)
  depth: int = 18
  strides: Sequence[int] = (1, 2, 2, 2)
  width: float = 1.0
  stem: str = "large"
  fall_head: str = "layout"
  squeeze: int = 48
  units: int = 256
  masks: str = "convolutional"
  coarse: int = 64
  mask_filters: Sequence[int] = (48, 24)
  rank: int = 32
  coarse_size: int = 28
  mask_squeeze: int = 16

  def __post_init__(self):
    for name, known in (("trunk", TRUNKS), ("masks", MASKS), ("fall_head", FALL_HEADS)):
      if getattr(self, name) not in known:
        raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of "
                         f"{', '.join(known)}")

  def build_trunk(self):
    """Makes the trunk: images -> `[fine, coarse]` maps."""
    if self.trunk == "resnet":
      return resnet.ResNetTrunk(self.depth, self.strides)
    if self.trunk == "googlenet":
      return googlenet.GoogLeNet(self.width, self.stem)
    return layers.Trunk(self.filters)

  def build_fall_head(self):
    """Makes what turns the last map into a vector."""
    if self.fall_head == "pool":
      return tf.keras.Sequential([tf.keras.layers.GlobalAveragePooling2D()])  # takes `training`
    return layers.LayoutHead(self.squeeze, self.units)

  def build_mask_head(self, n_classes, n_times, size):
    """Makes the mask branch, or None."""
    if self.masks == "none":
      return None
    if self.masks == "low_rank":
      return deepmask.LowRankMaskHead(
          size, self.rank, self.coarse_size, self.mask_squeeze, n_classes, n_times)
    return networks.MaskHead(n_classes, n_times, self.coarse, self.mask_filters, size)


@gin.register(module="physnet")
@dataclasses.dataclass(frozen=True)
class Recipe(views.Recipe):
  """What is minimised, and how.

      L = BCE(fall) + mask_weight CE(masks) + dice_weight Dice(masks)
          + margin_weight Huber(tanh(margin / .2)) + pose_weight Huber(poses)

  Attributes:
    mask_weight: lambda of PhysNet, on the mean over pixels and times.
    dice_weight: of the soft Dice term of the masks.
    background_weight: weight of background pixels in the masks' cross-entropy.
    margin_weight: of the support margin as an extra target.
    pose_weight: of the blocks' poses as extra targets.
    smoothing: of the fall label.
    learning_rate: the peak; 100 steps of warm-up, then one cosine to 0.
    warm_up: steps.
    weight_decay: decoupled, of kernels.
    clip_norm: greatest norm of the gradient.
    fall_only: learn from the fall labels alone, for fine-tuning on towers of which nothing else is
      known: crops by the segmenter that there is, no masks, poses and margins.
  """

  mask_weight: float = 1.0
  dice_weight: float = 0.0
  background_weight: float = 1.0
  margin_weight: float = 0.0
  pose_weight: float = 0.0
  smoothing: float = 0.0
  learning_rate: float = 2e-3
  warm_up: int = 100
  weight_decay: float = 2e-3
  clip_norm: float = 5.0
  fall_only: bool = False

  def __post_init__(self):
    super().__post_init__()
    checks.check_number("learning_rate", self.learning_rate, open_=True)
    checks.check_number("clip_norm", self.clip_norm, open_=True)
    checks.check_count("warm_up", self.warm_up, 0)
    for name in ("mask_weight", "dice_weight", "background_weight", "margin_weight",
                 "pose_weight", "weight_decay"):
      checks.check_number(name, getattr(self, name))
    checks.check_number("smoothing", self.smoothing, most=0.5)

  def optimizer(self, steps):
    """AdamW with warm-up and one cosine to 0 over `steps`."""
    return optimizers.adamw(self.learning_rate, steps, self.warm_up, self.weight_decay)


@gin.register(module="physnet")
@dataclasses.dataclass(frozen=True)
class Windows(Segmented):
  """The form with one shared network per pair of neighbouring blocks.

  Attributes:
    filters: of the windows' trunk.
    size: side of a window in pixels.
    interface_weight: of each interface's fall loss.
    mask_weight: of the windows' masks.
  """

  filters: Sequence[int] = (24, 48, 96)
  size: int = 64
  interface_weight: float = 0.5
  mask_weight: float = 0.3

  def __post_init__(self):
    super().__post_init__()
    checks.check_count("size", self.size, 16)
    for name in ("interface_weight", "mask_weight"):
      checks.check_number(name, getattr(self, name))
