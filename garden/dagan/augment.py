"""What D sees is moved, recoloured and noisy, in the losses of both D and G (Zhao et al. 2020).

The same for real and refined images, and with gradients through it: D can't learn its real images
by heart, and G can't reach D, or the identity agent, by patterns of single pixels or of colours.
What D is to reconstruct is the image without the noise.
"""

import tensorflow as tf


def moved(images, seed, shift):
  """Images moved by up to so many pixels along each axis, their edges repeated.

  Args:
    images: `[N, h, w, c]`.
    seed: `[2]` int.
    shift: pixels, 0 for none.

  Returns:
    `[N, h, w, c]`.

  Example:
    images = noisy(moved(images, seed, 2), seed, 0.1)
  """
  if not shift:
    return images
  n, height, width = tf.shape(images)[0], tf.shape(images)[1], tf.shape(images)[2]
  by = tf.random.stateless_uniform([n, 2, 1], seed, -shift, shift + 1, tf.int32)
  rows = tf.clip_by_value(by[:, 0] + tf.range(height), 0, height - 1)
  columns = tf.clip_by_value(by[:, 1] + tf.range(width), 0, width - 1)
  images = tf.gather(images, rows, axis=1, batch_dims=1)
  # Columns are gathered as rows: a gather along the second axis of a batch is the fast one.
  images = tf.gather(tf.transpose(images, [0, 2, 1, 3]), columns, axis=1, batch_dims=1)
  return tf.transpose(images, [0, 2, 1, 3])


def recolored(images, seed, color):
  """Images with another brightness, saturation and contrast.

  With m the mean of a pixel's channels and M an image's mean, c = color, u uniform in [-1, 1],

    x <- x + c u_1,   x <- m + (1 + 2 c u_2) (x - m),   x <- M + (1 + c u_3) (x - M)

  which is Zhao et al.'s at c = .5.

  Args:
    images: `[N, h, w, 3]` in [-1, 1]; results may lie outside.
    seed: `[2]` int.
    color: c, in [0, .5], 0 for none.
  """
  if not color:
    return images
  # Another fold: draws of `moved` are of the seed itself.
  by = tf.random.stateless_uniform([3, tf.shape(images)[0], 1, 1, 1],
                                   tf.random.experimental.stateless_fold_in(seed, 1), -color, color)
  images += by[0]
  grey = tf.reduce_mean(images, axis=-1, keepdims=True)
  images = grey + (1.0 + 2.0 * by[1]) * (images - grey)
  mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
  return mean + (1.0 + by[2]) * (images - mean)


def noisy(images, seed, noise):
  """Images with Gaussian noise; 0 for none."""
  if not noise:
    return images
  return images + noise * tf.random.stateless_normal(tf.shape(images), seed)
