"""KerasCV's ResNet-18 and -34 as trunks: PhysNet's own, and the paper's form of de-animation.

He, Zhang, Ren, Sun, CVPR 2016. KerasCV's stem and first stage leave a quarter of the side. At
224 px the published strides end at 7x7; small images keep more by `strides`. Weights are random
unless a run is warm-started.
"""

import tensorflow as tf

_MOMENTUM = 0.95  # of batch norm; KerasCV's .99 averages over more steps than a short run has
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


def _backbone(blocks, strides, image_shape):
  # The presets and aliases ask the network even without weights. KerasCV chooses its Keras on
  # import, and says which on standard output.
  import contextlib
  import io
  with contextlib.redirect_stdout(io.StringIO()):
    import keras_cv
  return keras_cv.models.ResNetBackbone(
      stackwise_filters=[64, 128, 256, 512], stackwise_blocks=list(blocks),
      stackwise_strides=list(strides), include_rescaling=False, block_type="basic_block",
      input_shape=image_shape)


class _Shortcut(tf.keras.layers.Conv2D):
  """A 1x1 convolution whose stride is taken by slicing: the same numbers.

  oneDNN's gradient of one with a stride of 2 writes out of bounds on CPUs without AVX-512
  (TensorFlow 2.15).
  """

  def __init__(self, step, **kwargs):
    super().__init__(**kwargs)
    self.step = step

  def call(self, x):
    """`[b, h, w, c]` -> `[b, h / step, w / step, filters]`."""
    return super().call(x[:, ::self.step, ::self.step])


def _by_slices(layer):
  """`layer`, or where it is a 1x1 convolution with a stride one that slices instead."""
  if (isinstance(layer, tf.keras.layers.Conv2D) and layer.kernel_size == (1, 1)
      and layer.strides != (1, 1)):
    return _Shortcut(layer.strides[0], **{**layer.get_config(), "strides": 1})
  return layer.__class__.from_config(layer.get_config())


@tf.keras.utils.register_keras_serializable(package="garden")
class ResNetTrunk(tf.keras.layers.Layer):
  """Images to the maps of the last two stages: `[b, h, w, c]` -> `[fine, coarse]`.

  Args:
    depth: 18 or 34.
    strides: of the four stages, after a stem of stride 4; (1, 2, 2, 2) as published, and
      (1, 2, 1, 1) for stride 8 in all on small images.
    **kwargs: of `tf.keras.layers.Layer`.

  Raises:
    ValueError: another depth, or not four strides of 1 or 2.

  Example:
    >>> images = tf.keras.Input([64, 64, 3])
    >>> fine, coarse = ResNetTrunk(18)(images)
    >>> tf.keras.Model(images, [fine, coarse]).output_shape
    [(None, 4, 4, 256), (None, 2, 2, 512)]
  """

  def __init__(self, depth=18, strides=(1, 2, 2, 2), **kwargs):
    super().__init__(**kwargs)
    self.depth, self.strides = depth, tuple(int(s) for s in strides)
    if depth not in BLOCKS:
      raise ValueError(f"depth is {depth!r}; it must be one of {sorted(BLOCKS)}")
    if len(self.strides) != 4 or set(self.strides) - {1, 2}:
      raise ValueError(f"strides are {self.strides}; give four, each 1 or 2")
    self.network = None

  def build(self, input_shape):
    """Makes the network for images of a known size."""
    shape = tuple(tf.TensorShape(input_shape).as_list()[1:])
    if None in shape:
      raise ValueError(f"images are {shape}; their size must be known")
    backbone = _backbone(BLOCKS[self.depth], self.strides, shape)
    # Levels are named by stages, P2 the first, whatever the strides.
    names = backbone.pyramid_level_inputs
    outputs = [backbone.get_layer(names[level]).output for level in ("P4", "P5")]
    self.network = tf.keras.models.clone_model(
        tf.keras.Model(backbone.input, outputs), clone_function=_by_slices)
    for layer in self.network.layers:
      if isinstance(layer, tf.keras.layers.BatchNormalization):
        layer.momentum = _MOMENTUM
    super().build(input_shape)

  def call(self, images, training=False):
    """Images in [0, 1] -> `[fine, coarse]`."""
    return self.network(2.0 * tf.cast(images, self.compute_dtype) - 1.0, training=training)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "depth": self.depth, "strides": self.strides}
