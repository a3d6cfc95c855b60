"""TFDS builder of videos of billiards: made here, never downloaded.

A video is a function of its seed and its number alone; splits have seeds apart.
"""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from garden.worlds.billiards import physics
from garden.worlds.billiards import renderer
from garden.worlds.billiards import scene

_SEEDS = {"train": 0, "validation": 1, "test": 12}  # 2 was looked at while constants were chosen
_BATCH = 32  # tables that are simulated and drawn at a time


# Not frozen: TFDS's own BuilderConfig isn't.
@dataclasses.dataclass(eq=False, kw_only=True)
class BilliardsConfig(tfds.core.BuilderConfig):
  """One way to make videos; beside its fields a name and a description.

  Attributes:
    distribution: what tables are drawn from.
    image_size: side of a frame in pixels, 16 to 512.
    frames: of a video, 1 to 1000.
    frame_seconds: between two frames, a multiple of 2 ms.
    videos: number of videos by split; the splits are train, validation and test, and one with
      0 is left out.

  Raises:
    ValueError: a field is outside its range.

  Example:
    >>> BilliardsConfig(name="short", frames=4, videos={"test": 10}).frames
    4
  """

  distribution: scene.Distribution = dataclasses.field(default_factory=scene.Distribution)
  image_size: int = 64
  frames: int = 20
  frame_seconds: float = 0.1
  videos: dict = dataclasses.field(
      default_factory=lambda: {"train": 2_000, "validation": 200, "test": 200})

  def __post_init__(self):
    for name, value, least, most in (
        ("image_size", self.image_size, 16, 512), ("frames", self.frames, 1, 1000),
        *((f"videos of {split}", count, 0, 10**9) for split, count in self.videos.items())):
      if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name} is {value!r}; it must be a whole number in {least}..{most}")
    unknown = [split for split in self.videos if split not in _SEEDS]
    if unknown or not any(self.videos.values()):
      raise ValueError(f"videos are {self.videos}; give one or more to the splits "
                       f"{', '.join(_SEEDS)}")
    ticks = self.frame_seconds / physics.TIMESTEP
    if not 0.5 < ticks < 1e6 or abs(ticks - round(ticks)) > 1e-6:
      raise ValueError(f"frame_seconds is {self.frame_seconds!r}; it must be a multiple of "
                       f"{physics.TIMESTEP:g} s above 0")


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Videos of balls on a table, seen from above, with where each ball is and how fast.

  With T frames of s pixels and B places for balls an example holds

    video: [T, s, s, 3] uint8, RGB;
    position: [T, B, 2] float32, metres from the middle of the table, y up in the picture;
    velocity: [T, B, 2] float32, metres a second;
    radius: [B] float32, metres;
    color_class: [B] int64, 1..6; 0 where there is no ball;
    count: int64, number of balls;
    index: int64, the video's number within the seed of its split.

  Example:
    >>> builder = Builder(config="billiards_64", data_dir="prepared")
    >>> builder.download_and_prepare()
  """

  VERSION = tfds.core.Version("1.1.0")
  RELEASE_NOTES = {"1.0.0": "First release.", "1.1.0": "Other test videos."}
  BUILDER_CONFIGS = [
      BilliardsConfig(name="billiards_64", description="3 balls, 2 s, 64 px."),
      BilliardsConfig(name="billiards_tiny", description="2 or 3 balls, a handful for tests.",
                      distribution=scene.Distribution(counts=(2, 3)), image_size=32, frames=6,
                      videos={"train": 48, "validation": 16, "test": 16})]

  def _info(self) -> tfds.core.DatasetInfo:
    config = self.builder_config
    frames, side = config.frames, config.image_size
    places = max(config.distribution.counts)
    return tfds.core.DatasetInfo(
        builder=self,
        description="Balls that roll without friction and collide elastically, in MuJoCo.",
        features=tfds.features.FeaturesDict({
            "video": tfds.features.Video(shape=(frames, side, side, 3), encoding_format="png"),
            "position": tfds.features.Tensor(shape=(frames, places, 2), dtype=np.float32),
            "velocity": tfds.features.Tensor(shape=(frames, places, 2), dtype=np.float32),
            "radius": tfds.features.Tensor(shape=(places,), dtype=np.float32),
            "color_class": tfds.features.Tensor(shape=(places,), dtype=np.int64),
            "count": tfds.features.Scalar(dtype=np.int64),
            "index": tfds.features.Scalar(dtype=np.int64)}),
        disable_shuffling=True,  # videos come by number
    )

  def _split_generators(self, dl_manager):
    del dl_manager
    return {split: self._generate_examples(_SEEDS[split], count)
            for split, count in self.builder_config.videos.items() if count}

  def _generate_examples(self, seed, count):
    for first in range(0, count, _BATCH):
      for row in make(self.builder_config, seed, min(_BATCH, count - first), first):
        yield row["index"], row


def make(config, seed, n, first=0):
  """Makes videos `first` .. `first + n - 1` of a seed, in order.

  Args:
    config: the `BilliardsConfig`.
    seed: int, at least 0.
    n: number of videos, at least 1.
    first: number of the first one, at least 0.

  Returns:
    List of dicts of arrays as `Builder` lists them.

  Raises:
    ValueError: seed, n or first is outside its range.

  Example:
    >>> make(Builder.BUILDER_CONFIGS[1], seed=0, n=1)[0]["video"].shape
    (6, 32, 32, 3)
  """
  tables = scene.sample(n, seed, first, config.distribution)
  motion = physics.simulate(tables, config.frame_seconds * np.arange(config.frames))
  frames = np.stack([_frame(motion.at(tables, t), config.image_size)
                     for t in range(config.frames)], axis=1)
  return [{"video": frames[row], "position": motion.position[row],
           "velocity": motion.velocity[row], "radius": tables.radius[row],
           "color_class": tables.color_class[row].astype(np.int64),
           "count": int(tables.count[row]), "index": first + row} for row in range(n)]


def _frame(tables, image_size):
  """`[n, s, s, 3]` uint8 pictures of tables."""
  image = renderer.render(tables.arrays(), image_size)["image"].numpy()
  return np.rint(255.0 * image).astype(np.uint8)
