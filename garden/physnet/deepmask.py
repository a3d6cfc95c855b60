"""DeepMask (Pinheiro, Collobert, Dollar, NIPS 2015): a patch to a mask, through a bottleneck.

Its mask branch is low-rank: the trunk's map is squeezed, flattened and taken by a linear layer,
with no non-linearity after it, to a short code, from which a second linear layer predicts each
pixel of a coarse mask, made larger by bilinear interpolation. Every pixel of the mask sees the
whole patch, at the price that nothing is shared between places. The score branch says
whether an object is centred in the patch and fully inside:

    L = mean over patches [ (1 + y) / 2 mean_ij log(1 + exp(-m_ij f_ij))
                            + lambda log(1 + exp(-y f_score)) ],   m, y in {-1, +1}

As the baseline of PhysNet the binary mask becomes a softmax over background and colours,
one head for each time.
"""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="garden")
class LowRankMaskHead(tf.keras.layers.Layer):
  """The mask branch: `[b, h, w, c]` -> logits `[b, H, W, n_times, n_classes]`.

  Args:
    size: H = W, side of the mask.
    rank: length of the code between the two linear layers; 512 as published.
    coarse_size: side of the mask that the second linear layer predicts; 56 as published.
    squeeze: channels after the 1x1 convolution in front; 128 as published.
    n_classes: background and colours; 1 for the binary mask of DeepMask itself.
    n_times: number of heads.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> maps = tf.keras.Input([14, 14, 128])
    >>> head = LowRankMaskHead(size=56, rank=32, coarse_size=28, n_classes=5, n_times=4)
    >>> tf.keras.Model(maps, head(maps)).output_shape
    (None, 56, 56, 4, 5)
  """

  def __init__(self, size=56, rank=512, coarse_size=56, squeeze=128, n_classes=1, n_times=1,
               **kwargs):
    super().__init__(**kwargs)
    self.size, self.rank, self.coarse_size = int(size), int(rank), int(coarse_size)
    self.squeeze, self.n_classes, self.n_times = int(squeeze), int(n_classes), int(n_times)
    for name in ("size", "rank", "coarse_size", "squeeze", "n_classes", "n_times"):
      if getattr(self, name) < 1:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
    policy = dict(dtype=self.dtype_policy)
    self.convolution = tf.keras.layers.Conv2D(
        self.squeeze, 1, activation="relu", kernel_initializer="he_normal", **policy)
    self.flatten = tf.keras.layers.Flatten()
    self.code = tf.keras.layers.Dense(self.rank, name="code", **policy)
    self.masks = tf.keras.layers.Dense(
        self.coarse_size ** 2 * self.n_classes * self.n_times, name="masks", **policy)

  def call(self, x):
    """`[b, h, w, c]` -> `[b, size, size, n_times, n_classes]`, before the softmax."""
    x = self.masks(self.code(self.flatten(self.convolution(x))))
    channels = self.n_times * self.n_classes
    x = tf.reshape(x, [-1, self.coarse_size, self.coarse_size, channels])
    if self.size != self.coarse_size:
      x = tf.image.resize(x, [self.size, self.size])
    return tf.reshape(x, [-1, self.size, self.size, self.n_times, self.n_classes])

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "size": self.size, "rank": self.rank,
            "coarse_size": self.coarse_size, "squeeze": self.squeeze,
            "n_classes": self.n_classes, "n_times": self.n_times}


@tf.keras.utils.register_keras_serializable(package="garden")
class ScoreHead(tf.keras.layers.Layer):
  """The score branch: `[b, h, w, c]` -> logits `[b]` of "an object is centred and inside".

  Args:
    units: of the two hidden layers; (512, 1024) as published.
    dropout: before the last two layers, in [0, 1).
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> maps = tf.keras.Input([14, 14, 128])
    >>> tf.keras.Model(maps, ScoreHead()(maps)).output_shape
    (None,)
  """

  def __init__(self, units=(512, 1024), dropout=0.5, **kwargs):
    super().__init__(**kwargs)
    self.units, self.dropout = tuple(int(u) for u in units), float(dropout)
    policy = dict(dtype=self.dtype_policy)
    self.pool = tf.keras.layers.MaxPooling2D(2)
    self.flatten = tf.keras.layers.Flatten()
    self.hidden = [tf.keras.layers.Dense(u, activation="relu", **policy) for u in self.units]
    self.drop = [tf.keras.layers.Dropout(self.dropout) for _ in self.units]
    self.score = tf.keras.layers.Dense(1, name="score", **policy)

  def call(self, x, training=None):
    """`[b, h, w, c]` -> `[b]`, before the logistic function."""
    x = self.flatten(self.pool(x))
    for layer, drop in zip(self.hidden, self.drop):
      x = drop(layer(x), training=training)
    return self.score(x)[:, 0]

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "units": self.units, "dropout": self.dropout}


def deepmask_loss(mask_logits, score_logits, masks, objects, score_weight=1 / 32):
  """DeepMask's loss of patches, with its mean over patches.

  Args:
    mask_logits: `[b, h, w]` float, f_ij.
    score_logits: `[b]` float, f_score.
    masks: `[b, h, w]`, 1 on the centred object, 0 elsewhere.
    objects: `[b]`, 1 where an object is centred and fully inside; masks count only there.
    score_weight: lambda.

  Returns:
    `(mask_loss, score_loss)`, float scalars; the loss is their sum (lambda is in the second).

  Example:
    mask, score = deepmask_loss(logits, scores, masks, objects)
  """
  objects = tf.cast(objects, mask_logits.dtype)
  pixels = tf.nn.sigmoid_cross_entropy_with_logits(
      labels=tf.cast(masks, mask_logits.dtype), logits=mask_logits)
  mask_loss = tf.reduce_mean(objects * tf.reduce_mean(pixels, axis=[1, 2]))
  scores = tf.nn.sigmoid_cross_entropy_with_logits(labels=objects, logits=score_logits)
  return mask_loss, score_weight * tf.reduce_mean(scores)
