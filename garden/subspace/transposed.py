"""A transposed convolution that is fast where it has few output channels.

On a CPU `tf.nn.conv2d_transpose` runs the input gradient of a convolution, and
its kernels are made for 8 or 16 output channels: with the one channel of a grey
image the last layer of a decoder takes as long as all its other layers. The
same numbers come from a convolution at the small size (Shi et al., "Real-time
single image and video super-resolution using an efficient sub-pixel
convolutional neural network", CVPR 2016): with stride 2 each output pixel of
one parity (row, column) sees its own quarter of the kernel, so the four
quarters are the output channels of one convolution, and its four maps
are interleaved.

    y[2q + r] = sum_s  x[q - s] w[2s + r + p],   r in {0, 1}, p the padding

The gradient is the usual one (a strided convolution, and the gradient of its
kernel), which is fast as it is.
"""

import tensorflow as tf

# Measured on a CPU with AVX-512: 1 channel 3 times as fast, 3 channels twice, 4
# channels alike, 8 channels slower.
FEW_CHANNELS = 3
_STRIDE = 2


def _taps(kernel, large, small):
  """How a kernel falls into two parities along one axis.

  Args:
    kernel: its size.
    large: size of the output.
    small: size of the input.

  Returns:
    `(first, last, before)`: s runs from `first` to `last`; `before` zeros are
    put in front of the kernel so that s = `first`, r = 0 is its first entry.
  """
  padding = max(_STRIDE * (small - 1) + kernel - large, 0) // 2
  first = min(-((r + padding) // _STRIDE) for r in range(_STRIDE))
  last = max((kernel - 1 - r - padding) // _STRIDE for r in range(_STRIDE))
  return first, last, -(_STRIDE * first + padding)


def _interleaved(x, kernel, bias, size):
  """The forward pass: one convolution, then the four maps side by side."""
  channels, depth = kernel.shape[2:]
  zeros, padding, taps = [], [], []
  for axis, large in enumerate(size):
    first, last, before = _taps(kernel.shape[axis], large, x.shape[1 + axis])
    taps.append(last - first + 1)
    zeros.append((before, _STRIDE * taps[-1] - kernel.shape[axis] - before))
    padding.append((last, -first))
  quarters = tf.reshape(
      tf.pad(kernel, [*zeros, (0, 0), (0, 0)]),
      [taps[0], _STRIDE, taps[1], _STRIDE, channels, depth])
  # x[q - s] runs backwards in s, a convolution forwards.
  quarters = tf.reshape(
      tf.transpose(tf.reverse(quarters, [0, 2]), [0, 2, 5, 1, 3, 4]),
      [*taps, depth, _STRIDE ** 2 * channels])
  y = tf.nn.conv2d(x, quarters, strides=1,
                   padding=[(0, 0), *padding, (0, 0)])
  y = tf.nn.bias_add(y, tf.tile(bias, [_STRIDE ** 2]))
  height, width = x.shape[1:3]
  # A transpose is faster here than tf.nn.depth_to_space.
  y = tf.transpose(
      tf.reshape(y, [-1, height, width, _STRIDE, _STRIDE, channels]),
      [0, 1, 3, 2, 4, 5])
  y = tf.reshape(y, [-1, _STRIDE * height, _STRIDE * width, channels])
  return y[:, :size[0], :size[1]]


def conv2d_transpose(x, kernel, bias, size):
  """`bias_add(tf.nn.conv2d_transpose(...))` of stride 2, padding "SAME".

  Args:
    x: `[batch, h, w, c]`; h, w and c are known.
    kernel: `[k, k, channels, c]`, not a variable.
    bias: `[channels]`.
    size: (height, width) of the output, 2h or 2h - 1 and 2w or 2w - 1.

  Returns:
    `[batch, height, width, channels]`.

  Example:
    y = conv2d_transpose(tf.ones([8, 24, 21, 10]), tf.ones([5, 5, 1, 10]),
                         tf.zeros([1]), (48, 42))  # [8, 48, 42, 1]
  """

  @tf.custom_gradient
  def forward(x, kernel, bias):
    def gradient(upstream):
      strides = [1, _STRIDE, _STRIDE, 1]
      return (
          tf.nn.conv2d(upstream, kernel, strides, "SAME"),
          tf.raw_ops.Conv2DBackpropFilter(
              input=upstream, filter_sizes=kernel.shape, out_backprop=x,
              strides=strides, padding="SAME"),
          tf.reduce_sum(upstream, axis=[0, 1, 2]))

    return _interleaved(x, kernel, bias, size), gradient

  return forward(x, kernel, bias)


@tf.keras.utils.register_keras_serializable(package="garden")
class Conv2DTranspose(tf.keras.layers.Conv2DTranspose):
  """Keras's layer of stride 2, with a fast way for at most 3 output channels.

  The weights, their names and the result (up to rounding) are Keras's. More
  channels, or a setting that the fast way doesn't know, take Keras's own path.

  Example:
    layer = Conv2DTranspose(1, 5, strides=2, padding="same",
                            output_padding=(1, 1), activation="relu")
    images = layer(tf.zeros([8, 24, 21, 10]))  # [8, 48, 42, 1]
  """

  def call(self, inputs):
    """`[batch, h, w, c]` -> `[batch, height, width, filters]`."""
    size = self.compute_output_shape(inputs.shape)[1:3]
    if not self._fast(inputs.shape, size):
      return super().call(inputs)
    y = conv2d_transpose(inputs, tf.convert_to_tensor(self.kernel),
                         tf.convert_to_tensor(self.bias), size)
    return y if self.activation is None else self.activation(y)

  def _fast(self, shape, size):
    """Whether the fast way holds for this layer and these inputs."""
    if (self.filters > FEW_CHANNELS or self.padding != "same"
        or not self.use_bias or self.data_format != "channels_last"
        or self.strides != (_STRIDE, _STRIDE)
        or self.dilation_rate != (1, 1) or None in shape[1:]
        # Half precision is for GPUs, whose kernels need no help.
        or self.compute_dtype != "float32"):
      return False
    return all(small == -(-large // _STRIDE)
               for large, small in zip(size, shape[1:3]))
