"""The losses of BEGAN and of DA-GAN, as functions of tensors.

With e(v) = mean |v - D(v)| the error of the auto-encoder D on an image in [-1, 1], real images y,
simulated x and refined x~ = G(x) (Berthelot et al. 2017; Zhao et al. 2017):

    L_adv = e(y) - k e(x~)
    L_D   = L_adv + l_1 L_ip
    L_G   = e(x~) + l_1 L_ip + l_2 L_pp
    k    <- clip(k + a (g e(y) - e(x~)), 0, 1)
    M     = e(y) + |g e(y) - e(x~)|

Deviations from what is printed: means for sums, without which one step of k would fill its range
(`a` is for images in [-1, 1]); k is clipped; G's term is BEGAN's e(x~), because the printed
-L_adv is k e(x~), no gradient at all while k is 0. `form="paper"` has the printed one. L_ip is
cooperative: D and G both make it smaller.
"""

import tensorflow as tf

from garden.core import losses as core_losses

FORMS = ("began", "paper")
IDENTITY_FORMS = ("softmax", "one_vs_all", "margin")
SCALE, MARGIN = 16.0, 0.2  # s and m of `margin_logits`


def error_maps(images, reconstructions):
  """Where images are off: `[N, h, w, c]` twice -> `[N, h, w]`, mean absolute differences."""
  off = tf.abs(tf.cast(images, tf.float32) - tf.cast(reconstructions, tf.float32))
  return tf.reduce_mean(off, axis=-1)


def reconstruction_error(images, reconstructions):
  """E of each image: `[N, h, w, c]` twice -> `[N]`, mean absolute differences.

  Example:
    realism = reconstruction_error(images, autoencoder(images))
  """
  return tf.reduce_mean(error_maps(images, reconstructions), axis=[1, 2])


def discriminator_loss(real, refined, k, cap=None):
  """L_adv of the discriminator, a scalar.

  Args:
    real: `[N]`, e of real images, or `[N, h, w]`, of their pixels.
    refined: `[M]` or `[M, h, w]`, the same of refined images, without a gradient into the refiner.
    k: scalar, the weight of refined images.
    cap: scalar up to which an error of a refined image, or of one of its pixels, counts, such as
      twice the mean of the real ones': beyond, pushing it further up only breaks D, and a k that
      starts above 0 lets D explode. None is without.

  Example:
    loss = discriminator_loss(error_of_real, error_of_refined, k=0.5, cap=2.0 * mean_of_real)
  """
  if cap is not None:
    refined = tf.minimum(refined, tf.stop_gradient(cap))
  return tf.reduce_mean(real) - k * tf.reduce_mean(refined)


def generator_loss(refined, k, form="began"):
  """The adversarial term of the refiner, a scalar.

  Args:
    refined: `[M]` or `[M, h, w]`, e of refined images or of their pixels.
    k: scalar.
    form: "began", the mean of e, or "paper", k times it.

  Raises:
    ValueError: there is no such form.
  """
  if form not in FORMS:
    raise ValueError(f"form is {form!r}; it must be one of {', '.join(FORMS)}")
  loss = tf.reduce_mean(refined)
  return loss if form == "began" else k * loss


def margin_logits(cosines, labels):
  """Logits s (cos - m [k = y]): the right person must win by m (Wang et al., "CosFace", 2018).

  Args:
    cosines: `[N, K]` of features and people, in [-1, 1].
    labels: `[N]` int in 0 .. K - 1.

  Returns:
    `[N, K]`.

  Example:
    logits = margin_logits(cosines, labels)
  """
  right = tf.one_hot(tf.cast(labels, tf.int32), tf.shape(cosines)[-1], dtype=cosines.dtype)
  return SCALE * (cosines - MARGIN * right)


def identity_loss(logits, labels, form="softmax"):
  """L_ip, the cross-entropy of labelled images, a scalar.

  Args:
    logits: `[N, K]` of the identity agent on D's bottleneck; cosines for the form "margin".
    labels: `[N]` int; -1 is an image without a label, which doesn't count.
    form: "softmax"; "one_vs_all", the printed binary form, the mean over the K; or "margin", the
      softmax of `margin_logits`.

  Returns:
    Scalar, 0 if there is no label.

  Raises:
    ValueError: there is no such form.

  Example:
    loss = identity_loss(logits, [3, -1, 0])  # of the first and the last
  """
  labels = tf.cast(labels, tf.int32)
  known = tf.maximum(labels, 0)
  if form == "margin":
    logits = margin_logits(logits, known)
  if form in ("softmax", "margin"):
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(known, logits)
  elif form == "one_vs_all":
    each = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(
        tf.one_hot(known, tf.shape(logits)[-1], dtype=logits.dtype), logits), axis=-1)
  else:
    raise ValueError(f"form is {form!r}; it must be one of {', '.join(IDENTITY_FORMS)}")
  return core_losses.masked_mean(each, labels >= 0)


def pixel_loss(refined, simulated, mask=None):
  """L_pp, the mean absolute difference of pixels, a scalar.

  Args:
    refined: `[N, h, w, c]` in [-1, 1].
    simulated: the same.
    mask: `[N, h, w, 1]` in [0, 1], which pixels of each image count; all of them if it is None.

  Example:
    loss = pixel_loss(refined, simulated, visible + 1.0 - head)
  """
  off = tf.reduce_mean(tf.abs(refined - simulated), axis=-1, keepdims=True)
  if mask is None:
    return tf.reduce_mean(off)
  return tf.reduce_mean(tf.math.divide_no_nan(tf.reduce_sum(off * mask, axis=[1, 2, 3]),
                                              tf.reduce_sum(mask, axis=[1, 2, 3])))


def convergence(real, refined, gamma):
  """M, which falls as D gets better and in balance: scalars -> scalar. No loss, it has no gradient.

  Args:
    real: scalar, mean e of real images.
    refined: scalar, mean e of refined images.
    gamma: g, the ratio of the two that is aimed at, in (0, 1].
  """
  return real + tf.abs(gamma * real - refined)


def next_k(k, real, refined, gamma, rate):
  """The next k, in [0, 1]: scalars -> scalar.

  Args:
    k: its value.
    real: mean e of real images over all replicas.
    refined: mean e of refined images over all replicas.
    gamma: g.
    rate: a, a step's length.
  """
  return tf.clip_by_value(k + rate * (gamma * real - refined), 0.0, 1.0)
