"""The losses of PhysNet: pure functions of tensors, all means.

    L = BCE(fall) + lambda mean_pixels,times CE(masks) + extra targets

Whether a loss is a mean or a sum over pixels and times sets what lambda is worth: here it is
a mean, and background covers 88 to 94 % of the pixels, so that lambda is best well above the
paper's unknown value; `soft_dice` weighs classes alike instead.
"""

import tensorflow as tf

from garden.core import losses as core_losses
from garden.core import replicas

POSE_WEIGHTS = (6.0, 4.0, 1.0, 1.0, 1.0, 1.0)


def fall_loss(logits, fall, smoothing=0.0):
  """Binary cross-entropy, -log p(fall), mean over the batch.

  Args:
    logits: `[b]` float, of "it falls".
    fall: `[b]`, 1 where the tower falls, 0 where it stands.
    smoothing: share of the label that is moved to the other one, in [0, .5).

  Returns:
    Float scalar.

  Example:
    fall_loss(tf.constant([0.0]), tf.constant([1]))  # log 2 = 0.693
  """
  target = tf.cast(fall, logits.dtype) * (1.0 - 2.0 * smoothing) + smoothing
  return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(target, logits))


def mask_cross_entropy(logits, masks, background_weight=1.0):
  """Cross-entropy of each pixel's class, mean over pixels, times and images.

  Args:
    logits: `[..., n_classes]` float.
    masks: `[...]` int, 0 background.
    background_weight: weight of background pixels; the sum is divided by the sum of weights
      (0 if that is 0).

  Returns:
    Float scalar.

  Example:
    mask_cross_entropy(tf.zeros([1, 56, 56, 4, 5]), tf.zeros([1, 56, 56, 4], tf.int32))  # log 5
  """
  values = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(masks, tf.int32), logits)
  if background_weight == 1.0:
    return core_losses.mean(values)
  weights = tf.where(masks == 0, tf.cast(background_weight, values.dtype), 1.0)
  return tf.math.divide_no_nan(
      tf.reduce_sum(weights * values), replicas.mean(tf.reduce_sum(weights)))


def soft_dice(logits, masks):
  """1 - mean Dice overlap over the foreground classes that are present.

      dice_c = 2 sum p_c m_c / (sum p_c + sum m_c), sums over the pixels of one image and time

  Args:
    logits: `[b, h, w, t, n_classes]` float.
    masks: `[b, h, w, t]` int, 0 background.

  Returns:
    Float scalar in [0, 1].

  Example:
    soft_dice(20.0 * tf.one_hot(masks, 5), masks)  # almost 0
  """
  p = tf.nn.softmax(logits)[..., 1:]
  m = tf.one_hot(masks, tf.shape(logits)[-1], dtype=p.dtype)[..., 1:]
  both, either = (tf.reduce_sum(x, axis=[1, 2]) for x in (p * m, p + m))
  dice = 2.0 * both / tf.maximum(either, 1e-6)
  return 1.0 - core_losses.masked_mean(dice, tf.reduce_sum(m, axis=[1, 2]) > 0)


def pose_error(predicted, poses):
  """Weighted Huber errors of the poses of interfaces: `[..., 6]`, `[..., 6]` -> `[..., 6]`.

  The six are the upper block's offset across and in depth in block widths, then cos and sin of
  4 yaw of the lower and of the upper block; their weights are 6, 4, 1, 1, 1, 1.
  """
  return tf.constant(POSE_WEIGHTS) * core_losses.huber(predicted - poses, 0.1)


def squashed_margin(margin, scale=0.2):
  """tanh(margin / scale): a support margin as a bounded regression target, in (-1, 1)."""
  return tf.tanh(tf.clip_by_value(margin, -10.0, 10.0) / scale)
