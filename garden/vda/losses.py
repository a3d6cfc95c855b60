"""The losses of the towers' de-animation: pure functions of tensors."""

import tensorflow as tf

from garden.core import losses

#: Offset across, offset in depth, then cos and sin of 4 yaw of both blocks.
POSE_WEIGHTS = (3.0, 2.0, 0.5, 0.5, 0.5, 0.5)
_LEAST = 0.02  # of a probability: labels of towers that were seen wrongly mustn't rule


def pose_loss(poses, true, valid):
  """Weighted Huber error of the pairs' poses, mean over the pairs that there are.

  Args:
    poses: `[N, W, 6]` float, told.
    true: `[N, W, 6]` float.
    valid: `[N, W]` bool.

  Returns:
    Float scalar.

  Example:
    pose_loss(state["poses"], towers.poses, towers.valid)
  """
  error = tf.constant(POSE_WEIGHTS) * losses.huber(poses - true, 0.05)
  return losses.masked_mean(tf.reduce_sum(error, axis=-1), valid)


def reconstruction_error(drawn, images, focus):
  """How far a reconstruction is from its image.

      sum_p f(p) huber(I'(p) - I(p)) / sum_p f(p), mean over channels

  Huber's function with .1: what the world has no word for, such as texture, shall not rule.

  Args:
    drawn: `[N, s, s, 3]` in [0, 1].
    images: `[N, s, s, 3]` in [0, 1].
    focus: `[N, s, s]`, how much a pixel counts.

  Returns:
    `[N]` float.
  """
  error = tf.reduce_mean(losses.huber(drawn - images, 0.1), axis=-1)
  return tf.reduce_sum(focus * error, axis=[1, 2]) / tf.reduce_sum(focus, axis=[1, 2])


def stability_loss(probability, fall):
  """Binary cross-entropy of a probability of falling, mean over the batch.

  Args:
    probability: `[N]` float in [0, 1].
    fall: `[N]`, 1 where the tower falls.

  Returns:
    Float scalar; no tower adds more than -log .02.

  Example:
    stability_loss(tf.constant([0.5]), tf.constant([1]))  # log 2
  """
  p = _LEAST + (1.0 - 2.0 * _LEAST) * probability
  fall = tf.cast(fall, p.dtype)
  return -tf.reduce_mean(fall * tf.math.log(p) + (1.0 - fall) * tf.math.log(1.0 - p))
