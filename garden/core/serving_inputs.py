"""What a signature lets in; all else is refused in the graph, with the value and the limit.

A server checks the types of its inputs, and neither their shapes nor their values: a network of
convolutions takes images of another size, and answers nonsense. So the graph checks them itself,
with core TensorFlow operations, and the message is the same from Python, C++, gRPC and REST.
"""

import tensorflow as tf

#: The most pixels of an encoded image: 100 MB once decoded. A file of a few bytes can claim more,
#: and the decoder believes its header.
MOST_PIXELS = 2**25
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_HEADER = 24  # bytes of a PNG, up to and with its width and height


def batch(values, shape=()):
  """Rows of a shape, at least one.

  No row is refused, since oneDNN's fused convolutions (TensorFlow 2.15) fail on it, and say that
  the depth of the input is wrong.

  Args:
    values: `[batch, *shape]`, of whatever shape at run time.
    shape: the sizes after the batch.

  Returns:
    The same; to be used in place of `values`.

  Raises:
    tf.errors.InvalidArgumentError: when the graph runs, for any other shape.
  """
  values = tf.ensure_shape(values, [None, *shape])
  with tf.control_dependencies([tf.debugging.Assert(
      tf.shape(values)[0] > 0, ["the batch is empty; send at least one row"])]):
    return tf.identity(values)


def numbers(values, shape, name, low=None, high=None):
  """Numbers of a shape, finite and in a range.

  Args:
    values: `[batch, *shape]` float32, of whatever shape at run time.
    shape: the sizes after the batch.
    name: what the message calls them, a plural.
    low: the least that a number may be; None for no limit.
    high: the greatest.

  Returns:
    The same; to be used in place of `values`, so that nothing is computed from wrong ones.

  Raises:
    tf.errors.InvalidArgumentError: when the graph runs, for any other shape or number.
  """
  values = batch(values, shape)
  # By itself: whether a NaN is below or above a limit depends on how one asks.
  values = tf.debugging.check_numerics(values, f"{name} must be finite numbers")
  checks = []
  if low is not None:
    checks.append(tf.debugging.assert_greater_equal(
        values, low, message=f"{name} must be at least {low:g}"))
  if high is not None:
    checks.append(tf.debugging.assert_less_equal(
        values, high, message=f"{name} must be at most {high:g}"))
  with tf.control_dependencies(checks):
    return tf.identity(values)


def same_batch(first, second, names):
  """Two tensors of one batch; a batch of 1 is not repeated.

  Args:
    first: `[batch, …]`.
    second: `[batch, …]`.
    names: what the message calls the two.

  Returns:
    The two.
  """
  sizes = [tf.shape(tensor)[0] for tensor in (first, second)]
  check = tf.debugging.assert_equal(
      *sizes, message=f"{names[0]} and {names[1]} must be as many")
  with tf.control_dependencies([check]):
    return tf.identity(first), tf.identity(second)


def decoded(encoded, channels):
  """One encoded image.

  The size is read in the header, before anything is decoded. 16 bits become 8, alpha is dropped,
  and colours become grey where `channels` is 1.

  Args:
    encoded: scalar string, a JPEG or a PNG.
    channels: 1 or 3.

  Returns:
    `[h, w, channels]` uint8.

  Raises:
    tf.errors.InvalidArgumentError: when the graph runs, for a string that is no JPEG and no PNG,
      is cut off, has more than `MOST_PIXELS`, or is in four inks and wanted in grey.
  """
  # Zeros behind it, so that a string of fewer bytes has a header too.
  header = tf.strings.join([tf.strings.substr(encoded, 0, _HEADER), b"\0" * _HEADER])
  is_png = tf.equal(tf.strings.substr(header, 0, len(_PNG)), _PNG)
  is_jpeg = tf.equal(tf.strings.substr(header, 0, len(_JPEG)), _JPEG)
  known = tf.debugging.Assert(tf.logical_or(is_png, is_jpeg), [
      "image_bytes must be JPEG or PNG; these begin like neither, their number is",
      tf.strings.length(encoded)])

  def png_size():
    return tf.io.decode_raw(tf.strings.substr(header, _HEADER - 8, 8), tf.int32,
                            little_endian=False), 3

  def jpeg_size():
    shape = tf.io.extract_jpeg_shape(encoded)
    return shape[:2], shape[2]

  with tf.control_dependencies([known]):
    size, inks = tf.cond(is_png, png_size, jpeg_size)
  checks = [tf.debugging.Assert(tf.reduce_prod(tf.cast(size, tf.int64)) <= MOST_PIXELS, [
      f"image_bytes must be of at most {MOST_PIXELS} pixels; the sides of this image are", size])]
  if channels == 1:
    checks.append(tf.debugging.Assert(inks <= 3, [
        "image_bytes must be grey or RGB; this JPEG is CMYK, its inks are", inks]))
  with tf.control_dependencies(checks):
    return tf.io.decode_image(encoded, channels=channels, expand_animations=False)
