"""The network for photographs: KerasCV's residual network, with its activations by name.

He, Zhang, Ren, Sun 2016. Luo et al. 2017 don't name the backbone of their
ImageNet -> UCF-101 experiment; ResNet-18 stands for it here. Only this module
imports KerasCV. Weights are random unless a run is warm-started.
"""

import tensorflow as tf

_STEM = 64  # channels of KerasCV's first convolution
# Of the batch norms' statistics. With Keras's .99 they still are the source's after hundreds of
# steps on the target, and what is evaluated isn't what was trained.
_MOMENTUM = 0.9


def _backbone(channels, blocks, image_shape):
  # KerasCV's presets and aliases ask the network even without weights. It chooses
  # its Keras on import, and says which on standard output.
  import contextlib
  import io
  with contextlib.redirect_stdout(io.StringIO()):
    import keras_cv
  return keras_cv.models.ResNetBackbone(
      stackwise_filters=list(channels), stackwise_blocks=list(blocks),
      stackwise_strides=[1] + [2] * (len(channels) - 1), include_rescaling=False,
      block_type="basic_block", input_shape=image_shape)


@tf.keras.utils.register_keras_serializable(package="garden")
class ResNet(tf.keras.layers.Layer):
  """Images to the activations that a discriminator may choose from.

  `[batch, h, w, c]` in [0, 1] -> a dict, from the input upwards:

  - `stage1`, `stage2`, ...: the mean over the map after each stage, `[batch, channels]`

  The last is the embedding. Means stand for maps, since a dense layer of the
  discriminator on a whole map of a photograph would have millions of weights.

  Args:
    channels: channels of each stage, the first 64; (64, 128, 256, 512) is ResNet-18's.
    blocks: residual blocks of each stage; (2, 2, 2, 2) is ResNet-18's.
    **kwargs: of `tf.keras.layers.Layer`.

  Raises:
    ValueError: another number of blocks than of channels, fewer than two stages, a
      first stage of other than 64 channels, or images too small for the stages.

  Example:
    >>> images = tf.keras.Input([64, 64, 3])
    >>> activations = ResNet()(images)
    >>> tf.keras.Model(images, activations["stage4"]).output_shape
    (None, 512)
  """

  def __init__(self, channels=(64, 128, 256, 512), blocks=(2, 2, 2, 2), **kwargs):
    super().__init__(**kwargs)
    self.channels = tuple(channels)
    self.blocks = tuple(blocks)
    if len(self.channels) != len(self.blocks) or len(self.channels) < 2:
      raise ValueError(f"channels are {self.channels} and blocks {self.blocks}; give one of each "
                       "for at least two stages")
    # KerasCV adds the stem's output to that of the first block without a projection.
    if self.channels[0] != _STEM:
      raise ValueError(f"channels are {self.channels}; the first stage has the {_STEM} of the "
                       f"stem, so begin with {_STEM}")
    self.layer_names = tuple(f"stage{i}" for i in range(1, len(self.channels) + 1))
    self.pool = tf.keras.layers.GlobalAveragePooling2D()
    self.network = None

  def build(self, input_shape):
    """Makes the network, whose stem and stages halve the image."""
    shape = tuple(tf.TensorShape(input_shape).as_list()[1:])
    least = 2 ** (len(self.channels) + 1)
    if None in shape or min(shape[:2]) < least:
      raise ValueError(f"images are {shape}; {len(self.channels)} stages need a known size of at "
                       f"least {least}x{least} pixels")
    backbone = _backbone(self.channels, self.blocks, shape)
    for layer in backbone.layers:
      if isinstance(layer, tf.keras.layers.BatchNormalization):
        layer.momentum = _MOMENTUM
    # KerasCV numbers its pyramid from the stem, which is level 1, and the first stage 2.
    levels = backbone.pyramid_level_inputs
    outputs = [self.pool(backbone.get_layer(levels[f"P{i + 1}"]).output)
               for i in range(1, len(self.channels) + 1)]
    self.network = tf.keras.Model(backbone.input, outputs)
    super().build(input_shape)

  def call(self, images, training=False):
    """`[batch, h, w, c]` -> dict of `[batch, channels]`."""
    return dict(zip(self.layer_names, self.network(images, training=training)))

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "channels": self.channels, "blocks": self.blocks}
