"""What a set of towers is made of: the distribution, the pictures, the splits.

A tower is a function of its seed and its number alone, so a split is a seed and a count, and
splits with seeds apart share no tower. The configs with the same seeds differ in what is seen
of the towers, never in which split a tower belongs to.
"""

import dataclasses
import math
import re

import tensorflow_datasets as tfds

from garden.worlds.towers import scene

RENDERERS = ("tensorflow", "mujoco")
MASK_SIZE = 56  # px, PhysNet's
_SEEDS = {"train": 0, "validation": 1, "test": 2}
_SHIFTED_SEEDS = {"train": 10, "validation": 11, "test": 12}
_TOWERS = {"train": 40_000, "validation": 2_000, "test": 2_000}
_SHIFTED_TOWERS = {"train": 8_000, "validation": 1_000, "test": 2_000}


# Not frozen: TFDS's own BuilderConfig isn't. Nothing here changes one after it was made.
@dataclasses.dataclass(eq=False, kw_only=True)
class TowersConfig(tfds.core.BuilderConfig):
  """One way to make towers; beside its fields a name and a description.

  Attributes:
    distribution: what towers are drawn from.
    image_size: side of the image in pixels, 16 to 1024.
    renderer: "tensorflow", the ray-caster, or "mujoco", which has textures and needs OpenGL.
    supersampling: the image is the mean of so many rays a pixel, squared; "tensorflow" alone.
    seeds: seed by split, each another one.
    towers: number of towers by split; a split with 0 is left out.
    shard_size: number of towers in a file; multiples of 32 are made fastest.

  Raises:
    ValueError: a field is outside its range, two splits have one seed, or a split has none.

  Example:
    >>> TowersConfig(name="few", image_size=32, towers={"train": 96}).splits
    ('train',)
  """

  distribution: scene.Distribution = dataclasses.field(default_factory=scene.Distribution)
  image_size: int = 64
  renderer: str = "tensorflow"
  supersampling: int = 1
  seeds: dict = dataclasses.field(default_factory=_SEEDS.copy)
  towers: dict = dataclasses.field(default_factory=_TOWERS.copy)
  shard_size: int = 512

  def __post_init__(self):
    self._check_whole("image_size", self.image_size, 16, 1024)
    self._check_whole("supersampling", self.supersampling, 1, 8)
    self._check_whole("shard_size", self.shard_size, 1)
    if self.renderer not in RENDERERS:
      raise ValueError(f"renderer is {self.renderer!r}; choose from {', '.join(RENDERERS)}")
    if self.renderer == "mujoco" and self.supersampling != 1:
      raise ValueError(f"supersampling is {self.supersampling}, but the renderer mujoco has its "
                       "own antialiasing; leave it at 1")
    for split, count in self.towers.items():
      if not re.fullmatch(r"[a-z][a-z0-9_]*", str(split)) or split == "all":
        raise ValueError(f"towers has the split {split!r}; name splits train, validation, test")
      self._check_whole(f"towers of {split}", count, 0)
      if split not in self.seeds:
        raise ValueError(f"towers has the split {split!r}, but seeds only "
                         f"{', '.join(self.seeds)}; give each split a seed")
    if not self.splits:
      raise ValueError("no split has a tower; give at least one split one tower")
    for split, seed in self.seeds.items():
      self._check_whole(f"seed of {split}", seed, 0)
      twins = [other for other, value in self.seeds.items() if value == seed]
      if len(twins) > 1:
        raise ValueError(f"{' and '.join(twins)} have the same seed {seed} and would share "
                         "towers; give each split its own")

  @staticmethod
  def _check_whole(name, value, least, most=math.inf):
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
      limit = f"of at least {least}" if most == math.inf else f"in {least}..{most}"
      raise ValueError(f"{name} is {value!r}; it must be a whole number {limit}")

  @property
  def splits(self) -> tuple:
    """The splits that have towers."""
    return tuple(split for split, count in self.towers.items() if count)

  @property
  def places(self) -> int:
    """Places for blocks: 4 where towers have up to 4 blocks, else 6."""
    return 4 if max(self.distribution.counts) <= 4 else scene.MAX_BLOCKS

  def with_towers(self, towers: dict) -> "TowersConfig":
    """The same config with other numbers of towers in some splits.

    Args:
      towers: number by split; splits that aren't named keep theirs.

    Returns:
      A new `TowersConfig`.

    Raises:
      ValueError: there is no such split, or a number is below 0.

    Example:
      >>> CONFIGS["towers_64"].with_towers({"train": 100, "validation": 0}).splits
      ('train', 'test')
    """
    for split in towers:
      if split not in self.seeds:
        raise ValueError(f"{self.name} has no split {split!r}; the splits are "
                         f"{', '.join(self.seeds)}")
    return dataclasses.replace(self, towers={**self.towers, **towers})

  def content(self) -> dict:
    """All that the bytes of a tower depend on beside its seed and its number, for JSON."""
    return {"distribution": dataclasses.asdict(self.distribution), "image_size": self.image_size,
            "renderer": self.renderer, "supersampling": self.supersampling}


#: Seen from further away, so that six blocks fit into the picture.
_HIGH = scene.Distribution(counts=(5, 6), distance=(12.0, 14.5))
#: Another camera, light, floor, sky and other paint than any tower of the other configs.
_SHIFTED = scene.Distribution(
    elevation=(0.05, 0.60), distance=(7.5, 12.0), fovy=(32.0, 46.0), target_shift=0.4,
    color_spread=0.15, hue_shift=0.06, floor_tint=(0.2, 1.0), floor_scale=(0.4, 2.5),
    sky=(0.2, 1.0), light_slope=1.2, light_diffuse=(0.2, 0.9), light_ambient=(0.1, 0.7))

CONFIGS = {config.name: config for config in (
    TowersConfig(name="towers_tiny", description="2 to 4 blocks, 64 px, a handful for tests.",
                 towers={"train": 64, "validation": 32, "test": 32}),
    TowersConfig(name="towers_demo", description="2 to 4 blocks, 64 px, few.",
                 towers={"train": 1_500, "validation": 0, "test": 200}),
    TowersConfig(name="towers_64", description="2 to 4 blocks, 64 px."),
    TowersConfig(name="towers_168", description="2 to 4 blocks, 168 px.", image_size=168,
                 supersampling=2),
    TowersConfig(name="towers_2_4_168", description="2 or 4 blocks, none of 3, 168 px.",
                 distribution=scene.Distribution(counts=(2, 4)), image_size=168,
                 supersampling=2),
    TowersConfig(name="towers_5_6_168", distribution=_HIGH, image_size=168, supersampling=2,
                 towers={"train": 0, "validation": 0, "test": 2_000},
                 description="5 or 6 blocks, from further away, 168 px, to test on alone."),
    TowersConfig(name="towers_224", description="2 to 4 blocks, 224 px, as many as the paper has.",
                 image_size=224, supersampling=2,
                 towers={"train": 180_000, "validation": 2_000, "test": 12_288}),
    TowersConfig(name="shifted_168", image_size=168, renderer="mujoco", distribution=_SHIFTED,
                 seeds=_SHIFTED_SEEDS, towers=_SHIFTED_TOWERS,
                 description="2 to 4 blocks in MuJoCo's pictures: textures, and wider ranges of "
                 "camera, light and colours, 168 px."),
)}


def parse_towers(texts: list) -> dict:
  """Reads numbers of towers as the command line has them.

  Args:
    texts: like `["train=2000", "test=200"]`.

  Returns:
    Number by split.

  Raises:
    ValueError: a text isn't SPLIT=NUMBER, or names a split again.

  Example:
    >>> parse_towers(["train=2000"])
    {'train': 2000}
  """
  towers = {}
  for text in texts:
    split, sign, count = (part.strip() for part in text.partition("="))
    if not sign or not split or not re.fullmatch(r"[0-9]{1,12}", count):
      raise ValueError(f"towers has {text!r}; give SPLIT=NUMBER, like train=2000,test=200")
    if split in towers:
      raise ValueError(f"towers names {split!r} twice; give one number a split")
    towers[split] = int(count)
  return towers
