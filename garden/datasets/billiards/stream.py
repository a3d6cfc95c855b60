"""Videos and states of billiards as batches.

A stream is a split of the TFDS set `billiards`; a config that isn't prepared is made on first
use. Batch i is a function of (seed, i) alone. Tables look and move the same in a mirror and after
a quarter turn, and as balls keep their energy also backwards in time: batches draw from these
views, which multiplies what a video teaches by 8, and what its states teach by 16.
"""

import dataclasses

import gin
import numpy as np
import tensorflow as tf

from garden.datasets import order
from garden.datasets import splits
from garden.datasets.billiards import arrays

_MET = 0.05  # m/s: a cushion keeps a ball's speed, so a change of it tells of another ball


@gin.register(module="billiards")
@dataclasses.dataclass(frozen=True)
class Stream(splits.Split):
  """A part of the set `billiards`.

  Attributes:
    config: name of its config, such as "billiards_64".
    split: "train", "validation" or "test".
    n: how many of its videos, the first ones; None for all.
    data_dir: TFDS's folder; None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.

  Example:
    videos = Stream("billiards_64", "test", n=20).load()
  """

  config: str = "billiards_64"

  def load(self):
    """Reads the videos, after making those that aren't there.

    Returns:
      An `arrays.VideoSet`, in the order of the videos' numbers.

    Raises:
      ValueError: there is no such config or split, it has fewer videos, or the folder can't
        be written.
    """
    return self.first(arrays.load_split(self.config, self.split, self.data_dir), "videos")


def batches(videos, batch_size, seed, frames=None, seen=None, views=True):
  """Endless shuffled batches of clips: so many frames from anywhere in a video.

  Args:
    videos: `arrays.VideoSet`.
    batch_size: clips of a batch.
    seed: seed of the order and of the views.
    frames: F, frames of a clip; None for whole videos.
    seen: V, frames of a clip whose pictures are wanted, the first ones; None for all.
    views: draw mirrored, turned and reversed views; the clips as they are without.

  Returns:
    A function: first step -> data set of dicts: `video` `[b, V, s, s, 3]` float32 in [0, 1],
    `present` and `radius` `[b, K]`, `position` and `velocity` `[b, F, K, 2]`.

  Raises:
    ValueError: more clips than videos, or longer clips than they are.

  Example:
    first = next(iter(batches(videos, 16, seed=0, frames=4)(0)))
  """
  frames = _check(videos, batch_size, len(videos), frames)
  tensors, side = _tensors(videos), videos.image_size

  def example(number):
    place = order.shuffled_positions(number, 1, len(videos), seed)[0]
    draw = tf.random.stateless_uniform([5], tf.stack([tf.constant(seed, tf.int64), number]))
    first = tf.cast(draw[4] * (videos.n_frames - frames + 1), tf.int32)
    # Nothing below is mirrored, turned or reversed by a 1.
    draw = draw if views else tf.ones([5])
    clip = _clip(tensors, place, first, frames, seen, side, backwards=draw[3] < 0.5)
    for name in ("position", "velocity"):
      clip[name] = _turn(clip[name], draw[:3])
    return {**clip, "video": _turn_image(clip["video"], draw[:3])}

  def from_step(first):
    data = tf.data.Dataset.range(first * batch_size, 2**62)
    data = data.map(example, num_parallel_calls=2, deterministic=True)
    return data.batch(batch_size, drop_remainder=True).prefetch(4)
  return from_step


def in_order(videos, batch_size, frames=None, seen=None):
  """All videos once, in their order, as `batches` gives them; the last batch may be short."""
  tensors, side = _tensors(videos), videos.image_size
  frames = videos.n_frames if frames is None else frames
  data = tf.data.Dataset.range(len(videos)).map(
      lambda place: _clip(tensors, place, 0, frames, seen, side), num_parallel_calls=2,
      deterministic=True)
  return data.batch(batch_size).prefetch(2)


def states(videos, batch_size, seed, frames, collision_weight=4.0):
  """Endless batches of windows of true states, without pictures: cheap, so take hundreds.

  Two balls meet seldom, and are the hard part: windows in which some do are drawn
  `1 + collision_weight` times as often as others.

  Args:
    videos: `arrays.VideoSet`.
    batch_size: windows of a batch, of any number: they are drawn with replacement.
    seed: seed of the draws.
    frames: F, frames of a window, at least 2.
    collision_weight: see above, at least 0.

  Returns:
    A function: first step -> data set of dicts: `present` and `radius` `[b, K]`, `position` and
    `velocity` `[b, F, K, 2]`; half of the windows run backwards in time.

  Raises:
    ValueError: an argument is out of its range.

  Example:
    first = next(iter(states(videos, 256, seed=0, frames=4)(0)))
  """
  frames = _check(videos, batch_size, batch_size, frames)
  if frames < 2 or collision_weight < 0:
    raise ValueError(f"frames is {frames} and collision_weight is {collision_weight}; they must "
                     "be at least 2 and at least 0")
  # Within the windows: a weight for each (video, first frame), and its running sum.
  windows = videos.n_frames - frames + 1
  met = ball_meetings(videos)
  weight = 1.0 + collision_weight * np.stack(
      [met[:, t:t + frames - 1].any(axis=1) for t in range(windows)], axis=1).ravel()
  upto = tf.constant(np.cumsum(weight) / weight.sum(), tf.float32)
  tensors = {name: tf.constant(getattr(videos, name))
             for name in ("present", "radius", "position", "velocity")}

  def batch(step):
    two = tf.stack([tf.constant(seed, tf.int64), step])
    draw = tf.random.stateless_uniform([batch_size, 5], two)
    window = tf.minimum(tf.searchsorted(upto, draw[:, 4]), len(videos) * windows - 1)
    video, first = window // windows, window % windows
    when = first[:, tf.newaxis] + tf.range(frames)
    found = {name: tf.gather(tensors[name], video) for name in ("present", "radius")}
    backwards = (draw[:, 3] < 0.5)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    for name, sign in (("position", 1.0), ("velocity", -1.0)):
      value = tf.gather_nd(tensors[name], tf.stack(
          [tf.repeat(video[:, tf.newaxis], frames, axis=1), when], axis=-1))
      value = tf.where(backwards, sign * tf.reverse(value, [1]), value)
      found[name] = _turn(value, draw[:, tf.newaxis, tf.newaxis, :3])
    return found

  def from_step(first):
    data = tf.data.Dataset.range(first, 2**62)
    return data.map(batch, num_parallel_calls=1, deterministic=True).prefetch(4)
  return from_step


def ball_meetings(videos):
  """Between which frames two balls met: `[N, T - 1]` bool.

  Args:
    videos: `arrays.VideoSet`.

  Example:
    share = ball_meetings(videos).mean()
  """
  speed = np.linalg.norm(videos.velocity, axis=-1)
  return (np.abs(np.diff(speed, axis=1)) > _MET).any(axis=-1)


def _check(videos, batch_size, most, frames):
  """The frames of a clip, or a ValueError."""
  if not 1 <= batch_size <= most:
    raise ValueError(f"batch_size is {batch_size}, but there are {most} videos; it must be in "
                     "1 .. that")
  frames = videos.n_frames if frames is None else frames
  if not 1 <= frames <= videos.n_frames:
    raise ValueError(f"frames is {frames}, but the videos have {videos.n_frames}; it must be in "
                     "1 .. that")
  return frames


def _tensors(videos):
  """What data sets capture."""
  return {name: tf.constant(getattr(videos, name))
          for name in ("frames", "present", "radius", "position", "velocity")}


def _clip(tensors, place, first, frames, seen, side, backwards=False):
  """One clip: states cut out, frames decoded; backwards it begins at its last frame."""
  found = {name: tf.gather(tensors[name], place) for name in ("present", "radius")}
  when = tf.where(backwards, first + frames - 1 - tf.range(frames), first + tf.range(frames))
  for name in ("position", "velocity"):
    found[name] = tf.gather(tf.gather(tensors[name], place), when)
  found["velocity"] *= tf.where(backwards, -1.0, 1.0)
  png = tf.gather(tf.gather(tensors["frames"], place), when[:seen])
  video = tf.map_fn(lambda p: tf.io.decode_png(p, channels=3), png,
                    fn_output_signature=tf.TensorSpec([side, side, 3], tf.uint8))
  found["video"] = tf.cast(video, tf.float32) / 255.0
  return found


def _turn(value, draw):
  """Vectors `[..., 2]` mirrored in x, in y, and with x and y swapped, where a draw is below .5.

  Args:
    value: `[..., 2]`.
    draw: `[..., 3]` in [0, 1), whose leading axes go with those of `value`.
  """
  value *= tf.where(draw[..., :2] < 0.5, -1.0, 1.0)
  return tf.where(draw[..., 2:] < 0.5, value[..., ::-1], value)


def _turn_image(video, draw):
  """`_turn` of the pictures `[F, s, s, 3]`: x goes to the right, y up, so that rows are -y."""
  video = tf.where(draw[0] < 0.5, video[:, :, ::-1], video)
  video = tf.where(draw[1] < 0.5, video[:, ::-1], video)
  # Swapping x and y: column c of row r comes from x = y, that is the other diagonal.
  swapped = tf.transpose(video, [0, 2, 1, 3])[:, ::-1, ::-1]
  return tf.where(draw[2] < 0.5, swapped, video)
