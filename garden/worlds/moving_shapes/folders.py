"""Moving shapes as folders of image files: labelled source, and the target in three parts."""

import os
import tempfile

from PIL import Image

from garden.worlds.moving_shapes import renderer
from garden.worlds.moving_shapes import shapes


def write(folder, seed=0, size=48, source_per_class=400, clips_per_class=40, frames=8,
          labeled_clips=3, test_clips=10):
  """Writes the images of a seed.

      source/CLASS/NNN.png            photographs
      labeled/CLASS/VIDEO/FRAME.png   the few labelled clips
      unlabeled/VIDEO/FRAME.png       clips whose names don't tell their classes
      test/CLASS/VIDEO/FRAME.png      labelled clips to measure on

  A picture depends on the seed, its part, its number, `size` and `frames`: more clips leave those
  that were there as they are. Everything appears at once, or nothing does.

  Args:
    folder: where to; it must not exist, or be empty.
    seed: int, at least 0.
    size: side of an image in pixels, at least 16.
    source_per_class: photographs of each source class, at least 1.
    clips_per_class: clips of each target class, in all three parts together; more than
      `labeled_clips + test_clips`, since the others are the unlabelled ones.
    frames: images of a clip, at least 1.
    labeled_clips: labelled clips of each target class, at least 1.
    test_clips: test clips of each target class, at least 1.

  Returns:
    Dict of the parts' names, in the order above, to their numbers of images.

  Raises:
    ValueError: an argument is outside its range, or the folder is a file or holds something.
    OSError: the folder can't be written.

  Example:
    >>> write("moving_shapes")
    {'source': 4000, 'labeled': 120, 'unlabeled': 1080, 'test': 400}
  """
  for name, value, least in (
    ("seed", seed, 0), ("size", size, renderer.MIN_SIZE), ("frames", frames, 1),
    ("source_per_class", source_per_class, 1), ("labeled_clips", labeled_clips, 1),
    ("test_clips", test_clips, 1), ("clips_per_class", clips_per_class, 1),
  ):
    renderer.checked_integer(name, value, least)
  unlabeled_clips = clips_per_class - labeled_clips - test_clips
  if unlabeled_clips < 1:
    raise ValueError(
      f"clips_per_class is {clips_per_class}, of which {labeled_clips} are labelled and "
      f"{test_clips} for the test; it must be at least {labeled_clips + test_clips + 1}, so that "
      "some are unlabelled"
    )
  folder = os.path.abspath(os.path.expanduser(folder))
  _check_free(folder)
  parent, name = os.path.split(folder)
  os.makedirs(parent, exist_ok=True)
  # The inner folder has the usual permissions; the temporary one is its owner's alone.
  with tempfile.TemporaryDirectory(dir=parent, prefix=f".{name}.") as beside:
    made = os.path.join(beside, "made")
    counts = {"source": _write_source(os.path.join(made, "source"), source_per_class, seed, size)}
    for part, clips in (
      ("labeled", labeled_clips), ("unlabeled", unlabeled_clips), ("test", test_clips),
    ):
      counts[part] = _write_clips(os.path.join(made, part), part, clips, seed, size, frames)
    os.replace(made, folder)
  return counts


def _check_free(folder):
  """Refuses a path where something is."""
  if os.path.isdir(folder):
    if os.listdir(folder):
      raise ValueError(f"{folder} holds files already; give a new folder, or empty this one")
  elif os.path.lexists(folder):
    raise ValueError(f"{folder} is no folder; give a new one")


def _save(image, *path):
  """Writes an RGB array as the PNG file at the joined path."""
  path = os.path.join(*path)
  os.makedirs(os.path.dirname(path), exist_ok=True)
  Image.fromarray(image).save(path)


def _write_source(folder, per_class, seed, size):
  """Writes the photographs; returns how many there are."""
  count = per_class * len(shapes.SOURCE_CLASSES)
  for i in range(count):
    image, shape = renderer.photograph(i, seed, size)
    _save(image, folder, shape, f"{i // len(shapes.SOURCE_CLASSES):03d}.png")
  return count


def _write_clips(folder, part, per_class, seed, size, frames):
  """Writes the clips of a part; returns how many images there are."""
  count = per_class * len(shapes.TARGET_CLASSES)
  for i in range(count):
    film, shape = renderer.clip(part, i, seed, size, frames)
    if part == "unlabeled":
      video = os.path.join(folder, f"clip{i:03d}")
    else:
      video = os.path.join(folder, shape, f"clip{i // len(shapes.TARGET_CLASSES):03d}")
    for k, image in enumerate(film):
      _save(image, video, f"{k:03d}.png")
  return count * frames
