"""TFDS builder of drawn faces: frontal ones, profiles, and frontal ones turned into profiles.

A person is a function of the seed of a split and of its number alone; splits have seeds apart, so
that they share no person. Nothing is downloaded.
"""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from garden.datasets import faces
from garden.worlds.faces import heads as heads_lib
from garden.worlds.faces import mesh as mesh_lib
from garden.worlds.faces import points as points_lib
from garden.worlds.faces import portrait as portrait_lib
from garden.worlds.faces import renderer

#: What an image shows: a person from the front, nearly so, truly in profile to learn from, truly
#: in profile to be tested on, turned from one of the images from the front, or what that turn
#: should have given, in the same order.
KINDS = ("frontal", "near", "profile", "probe", "simulated", "truth")
# Presets' constants were chosen on people of other seeds, 100 to 102.
_SEEDS = {"gallery": 400, "train": 401, "heldout": 402}
_NEAR, _PROFILE = 20.0, (60.0, 90.0)  # degrees of yaw
_PHOTOGRAPH = 96  # pixels, least side of the photographs that are turned


@dataclasses.dataclass(frozen=True)
class Group:
  """How many people a split has, and images of each kind of each of them.

  Attributes:
    people: number of people.
    frontal: images at a yaw of 0.
    near: at a yaw of up to 20 degrees.
    profile: at a yaw of 60 to 90 degrees to either side.
    probe: the same, kept for tests.
    simulated: frontal images turned to 60 to 90 degrees, as many of each.
    truth: the true picture beside each of the simulated ones, with the light turned as it is there.

  Raises:
    ValueError: a number is below 0, or there are simulated images but no frontal ones.
  """
  people: int
  frontal: int = 3
  near: int = 0
  profile: int = 12
  probe: int = 0
  simulated: int = 6
  truth: bool = False

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if field.name == "truth":
        continue
      if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{field.name} is {value!r}; it must be a whole number of at least 0")
    if self.simulated and not self.frontal:
      raise ValueError(f"simulated is {self.simulated}, but frontal is 0: there is nothing to turn")


# Not frozen: TFDS's own BuilderConfig isn't.
@dataclasses.dataclass(eq=False, kw_only=True)
class FacesConfig(tfds.core.BuilderConfig):
  """One set of drawn faces; beside its fields a name and a description.

  Attributes:
    size: side of an image in pixels, 16 to 512.
    groups: split -> `Group`; the splits are gallery (people to be recognised), train (other
      people, to learn from) and heldout (others again, to measure on).
    fit: how a photograph becomes a head that turns, see `portrait.fit`.

  Raises:
    ValueError: a field is outside its range.

  Example:
    >>> FacesConfig(name="few", size=32, groups={"train": Group(people=4)}).size
    32
  """

  size: int = 32
  groups: dict = dataclasses.field(default_factory=dict)
  fit: str = "rigid"

  def __post_init__(self):
    if not isinstance(self.size, int) or isinstance(self.size, bool) or not 16 <= self.size <= 512:
      raise ValueError(f"size is {self.size!r}; it must be a whole number of pixels in 16..512")
    unknown = [split for split in self.groups if split not in _SEEDS]
    if unknown or not any(group.people for group in self.groups.values()):
      raise ValueError(f"groups are {self.groups}; give people to one or more of "
                       f"{', '.join(_SEEDS)}")


_GROUPS = {"gallery": Group(people=30, frontal=3, near=3, profile=12, probe=16, simulated=12),
           "train": Group(people=800, frontal=2, profile=8, simulated=6),
           "heldout": Group(people=100, frontal=3, profile=12, probe=6, simulated=6, truth=True)}
_SOME = {"gallery": Group(people=10, frontal=2, near=1, profile=4, probe=6, simulated=4),
         "train": Group(people=120, frontal=1, profile=4, simulated=3),
         "heldout": Group(people=16, frontal=1, profile=8, probe=4, simulated=4, truth=True)}
_FEW = {"gallery": Group(people=4, frontal=2, near=1, profile=2, probe=4, simulated=4),
        "train": Group(people=8, frontal=1, profile=4, simulated=4),
        "heldout": Group(people=4, frontal=1, profile=2, probe=2, simulated=2, truth=True)}


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Drawn faces of people of three groups, with which of them are real and which are simulated.

  With s the side of an image an example holds

    image: [s, s, 3] uint8, RGB;
    mask: [s, s, 1] uint8, 255 times the share of a pixel that is the person;
    visible: [s, s, 1] uint8, 255 times the share that the frontal image shows well, 0 where
      nothing was simulated;
    identity: int64, the person's number in the split;
    kind: a label, one of `KINDS`;
    yaw: float32, degrees, above 0 the face looks to the right of the image;
    index: int64, the image's number in the split.

  Example:
    >>> builder = Builder(config="faces_32", data_dir="prepared")
    >>> builder.download_and_prepare()
  """

  VERSION = tfds.core.Version("3.0.0")
  RELEASE_NOTES = {"1.0.0": "First release.", "2.0.0": "Other people.",
                   "3.0.0": "Other people, and more to learn from."}
  BUILDER_CONFIGS = [
      *(FacesConfig(name=f"faces_{size}", size=size, groups=_GROUPS, description=(
          f"30 people to be recognised, 800 to learn from, 100 to measure on, {size} px."))
        for size in (32, 64)),
      FacesConfig(name="faces_demo", size=64, groups=_SOME, description="For the tour."),
      FacesConfig(name="faces_tiny", size=32, groups=_FEW, description="A few people, for tests.")]

  def _info(self) -> tfds.core.DatasetInfo:
    size = self.builder_config.size
    return tfds.core.DatasetInfo(
        builder=self,
        description="Faces drawn from numbers, frontal, in profile, and turned into profiles.",
        features=tfds.features.FeaturesDict({
            "image": tfds.features.Image(shape=(size, size, 3), encoding_format="png"),
            "mask": tfds.features.Image(shape=(size, size, 1), encoding_format="png"),
            "visible": tfds.features.Image(shape=(size, size, 1), encoding_format="png"),
            "identity": tfds.features.Scalar(dtype=np.int64),
            "kind": tfds.features.ClassLabel(names=KINDS),
            "yaw": tfds.features.Scalar(dtype=np.float32),
            "index": tfds.features.Scalar(dtype=np.int64)}),
        disable_shuffling=True,  # images come by person
    )

  def _split_generators(self, dl_manager):
    del dl_manager
    return {split: self._generate_examples(split)
            for split, group in self.builder_config.groups.items() if group.people}

  def _generate_examples(self, split):
    index = 0
    for person in range(self.builder_config.groups[split].people):
      for row in make(self.builder_config, split, person):
        yield index, {**faces.encoded(row), "index": index}
        index += 1


def make(config, split, person):
  """Makes all images of a person.

  Args:
    config: the `FacesConfig`.
    split: one of its splits.
    person: number of the person, at least 0.

  Returns:
    List of dicts of arrays as `Builder` lists them, but for the index, in the order of `KINDS`.

  Raises:
    ValueError: there is no such split.

  Example:
    >>> len(make(Builder.BUILDER_CONFIGS[-1], "train", 0))
    9
  """
  if split not in config.groups:
    raise ValueError(f"{config.name} has no split {split!r}; it has {', '.join(config.groups)}")
  group, drawn = config.groups[split], _drawn(split, person, "images")
  yaws = {"near": drawn.uniform(-_NEAR, _NEAR, group.near), "profile": _sides(drawn, group.profile),
          "probe": _sides(drawn, group.probe)}
  rows = []
  if group.frontal:
    rows += _pictures(*photographed(config, split, person), config.size, person, "frontal")
  for kind, yaw in yaws.items():
    if len(yaw):
      view = renderer.views(yaw, int(drawn.integers(2**31)))
      rows += _pictures(heads_lib.sample(1, _SEEDS[split], person), view, config.size, person, kind)
  yaw = _sides(drawn, group.simulated)
  simulated, truth = turned(config, split, person, yaw, drawn.uniform(-6.0, 6.0, len(yaw)))
  return rows + simulated + (truth if group.truth else [])


def photographed(config, split, person):
  """A person, and how its photographs from the front are taken.

  Args:
    config: the `FacesConfig`.
    split: one of its splits.
    person: number of the person.

  Returns:
    `(Heads of one, Views)`.
  """
  # They look straight ahead: their sides are all that a turn changes.
  count = config.groups[split].frontal
  seed = int(_drawn(split, person, "photographs").integers(2**31))
  return (heads_lib.sample(1, _SEEDS[split], person),
          renderer.views(np.zeros(count), seed, np.zeros(count)))


def turned(config, split, person, yaws, pitches):
  """Photographs of a person turned to other sides, each in its turn, and the truth.

  Args:
    config: the `FacesConfig`.
    split: one of its splits.
    person: number of the person.
    yaws: `[N]`, degrees.
    pitches: `[N]`, degrees.

  Returns:
    `(simulated, truth)`, lists of N dicts as `make` gives them. The truth has the light turned with
    the head: a photograph holds its own.
  """
  if not len(yaws):
    return [], []
  head, front = photographed(config, split, person)
  portraits = _portraits(head, front, max(_PHOTOGRAPH, 2 * config.size), config.fit)
  simulated = [_row(*portraits[number % len(front)].render(yaw, pitch, config.size), person,
                    "simulated", yaw) for number, (yaw, pitch) in enumerate(zip(yaws, pitches))]
  light = front.take(np.arange(len(yaws)) % len(front))
  turn = np.stack([mesh_lib.rotation(yaw, pitch) for yaw, pitch in zip(yaws, pitches)])
  view = dataclasses.replace(light, yaw=np.asarray(yaws), pitch=np.asarray(pitches),
                             light=np.einsum("nij,nj->ni", turn, light.light))
  return simulated, _pictures(head, view, config.size, person, "truth")


def _drawn(split, person, what):
  """Numbers at random of a person, for a purpose."""
  return np.random.default_rng([_SEEDS[split], person, ("photographs", "images").index(what)])


def _pictures(head, view, size, person, kind):
  """Examples of a person as it is."""
  images, masks = renderer.render(head, view, size, np.zeros(len(view), int))
  return [_row(image, mask, np.zeros_like(mask), person, kind, yaw)
          for image, mask, yaw in zip(images, masks, view.yaw)]


def _sides(rng, count):
  """Yaws of profiles, as many to either side."""
  return rng.uniform(*_PROFILE, count) * np.where(np.arange(count) % 2, -1.0, 1.0)


def _portraits(head, views, size, fit):
  """The heads that a person's photographs become, by the points that are known."""
  images, _ = renderer.render(head, views, size, np.zeros(len(views), int))
  spots = points_lib.on_head(head)
  flat = renderer.project(np.stack(list(spots.values())), 0.0, 0.0, size)[:, :2]
  return [portrait_lib.fit(image, dict(zip(spots, flat)), fit=fit) for image in images]


def _row(image, mask, visible, person, kind, yaw):
  """An example, without its index."""
  mask, visible = (np.round(255.0 * share[..., np.newaxis]).astype(np.uint8)
                   for share in (mask, visible))
  return {"image": image, "mask": mask, "visible": visible, "identity": person, "kind": kind,
          "yaw": np.float32(yaw)}
