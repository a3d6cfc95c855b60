"""A split of the billiards videos in memory: frames stay encoded, the rest is arrays.

Balls are told apart by their colours: place k holds the ball of colour class k + 1, in every
array, whatever the order in the TFDS set.
"""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

CLASSES = 4  # colour classes of tables with up to four balls, see `scene.sample`


@dataclasses.dataclass(frozen=True)
class VideoSet:
  """N videos of T frames, with K places for balls, one a colour class.

  Attributes:
    frames: `[N, T]` bytes, PNG `[s, s, 3]`.
    present: `[N, K]` bool, which colours are on the table.
    position: `[N, T, K, 2]` float32, metres; 0 where there is no ball.
    velocity: `[N, T, K, 2]` float32, metres a second.
    radius: `[N, K]` float32, metres; 0 where there is no ball.
    seconds: float, between two frames.
  """

  frames: np.ndarray
  present: np.ndarray
  position: np.ndarray
  velocity: np.ndarray
  radius: np.ndarray
  seconds: float

  def __len__(self):
    return len(self.present)

  @property
  def n_frames(self):
    """T, the frames of a video."""
    return self.position.shape[1]

  @property
  def image_size(self):
    """s, the side of a frame in pixels."""
    return int(tf.io.decode_png(self.frames[0, 0], channels=3).shape[0])

  def take(self, index):
    """The videos at an index array, in its order."""
    return VideoSet(**{field.name: getattr(self, field.name)[index]
                       for field in dataclasses.fields(self) if field.name != "seconds"},
                    seconds=self.seconds)


@functools.lru_cache(maxsize=4)
def load_split(config, split, data_dir=None):
  """All videos of a split of `billiards`, read once a process and made on first use.

  Args:
    config: name of the set's config.
    split: "train", "validation" or "test".
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.

  Returns:
    `VideoSet`, in the order of the videos' numbers.

  Raises:
    ValueError: there is no such config or split, or the folder can't be written.

  Example:
    videos = load_split("billiards_64", "test")
  """
  # Imported here: they bring MuJoCo, which a model that was trained elsewhere does without.
  import tensorflow_datasets as tfds

  from garden.datasets.billiards import billiards_dataset_builder as builders
  known = {known.name: known for known in builders.Builder.BUILDER_CONFIGS}
  if config not in known:
    raise ValueError(f"there is no config {config!r} of billiards; there are {', '.join(known)}")
  splits = [name for name, count in known[config].videos.items() if count]
  if split not in splits:
    raise ValueError(f"{config} has no split {split!r}; it has {', '.join(splits)}")
  builder = builders.Builder(config=config, data_dir=data_dir)
  builder.download_and_prepare()
  data = builder.as_dataset(
      split=split, shuffle_files=False, read_config=tfds.ReadConfig(interleave_cycle_length=1),
      decoders={"video": tfds.decode.SkipDecoding()})
  rows = list(tfds.as_numpy(data))
  return video_set({name: np.stack([row[name] for row in rows]) for name in rows[0]},
                   known[config].frame_seconds)


def video_set(rows, seconds):
  """A `VideoSet` of the columns of the TFDS set, balls brought to the places of their colours.

  Args:
    rows: the columns by name; `video` is `[N, T]` bytes.
    seconds: between two frames.

  Returns:
    `VideoSet` with `max(4, B)` places.

  Example:
    videos = video_set({"video": frames, "position": position, ...}, 0.1)
  """
  color_class = rows["color_class"]
  n, places = color_class.shape
  classes = max(CLASSES, places)
  video, place = np.nonzero(color_class)
  home = color_class[video, place] - 1

  def by_color(value, shape):
    found = np.zeros(shape, value.dtype)
    found[video, ..., home, :] = value[video, ..., place, :]
    return found

  frames = rows["position"].shape[1]
  position, velocity = (by_color(rows[name], (n, frames, classes, 2))
                        for name in ("position", "velocity"))
  present = by_color(np.ones([n, places, 1], bool), (n, classes, 1))[..., 0]
  radius = by_color(rows["radius"][..., None], (n, classes, 1))[..., 0]
  return VideoSet(frames=rows["video"], present=present, position=position, velocity=velocity,
                  radius=radius, seconds=float(seconds))


def videos_of(videos, index, frames=None):
  """Some videos decoded: `[n, T, s, s, 3]` float32 in [0, 1].

  Args:
    videos: `VideoSet`.
    index: positions of the videos.
    frames: only so many frames from the start; None for all.

  Example:
    first = videos_of(videos, range(4), frames=4)
  """
  return np.stack([np.stack([tf.io.decode_png(png, channels=3).numpy()
                             for png in videos.frames[i, :frames]]) for i in index]
                  ).astype(np.float32) / np.float32(255)
