"""Random affine views of images, through TensorFlow Addons.

Luo et al. 2017 name no augmentation. The transform here, about the image's
centre c, is

    p_out = c + A (p_in - c) + t,     A = R(rotation) [1 shear; 0 1] diag(scale_x, scale_y)

with p = (x, y) in pixels, x to the right and y downwards. The defaults suit
digits: up to 0.3 rad, 0.8 to 1.2 along each axis, shear up to 0.3, 3 pixels.
For training alone: an exported model never calls this module, and only it
imports TensorFlow Addons.
"""

import warnings

import tensorflow as tf


def _addons():
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the library's notice of its end of life
    import tensorflow_addons as tfa
  return tfa


def affine_transforms(height, width, rotation=0.0, scale_x=1.0, scale_y=1.0, shear=0.0,
                      shift_x=0.0, shift_y=0.0):
  """Flat matrices that `tfa.image.transform` takes: from output to input pixels.

  Args:
    height: of the images, in pixels.
    width: of the images, in pixels.
    rotation: radians, `[n]` or scalar; above 0 turns x towards y, clockwise as
      the image is seen.
    scale_x: factor along x, not 0; above 1 enlarges.
    scale_y: factor along y, not 0.
    shear: x gains `shear` pixels for each pixel downwards.
    shift_x: pixels to the right.
    shift_y: pixels downwards.

  Returns:
    `[n, 8]` float32 (n = 1 for scalars).

  Example:
    >>> affine_transforms(4, 4, shift_x=1.0).numpy()[0, :3].tolist()
    [1.0, 0.0, -1.0]
  """
  values = [tf.reshape(tf.cast(v, tf.float32), [-1])
            for v in (rotation, scale_x, scale_y, shear, shift_x, shift_y)]
  turn, grow_x, grow_y, lean, right, down = values
  cos, sin = tf.cos(turn), tf.sin(turn)
  # A^-1 = diag^-1 shear^-1 R^T.
  rows = ((cos + lean * sin) / grow_x, (sin - lean * cos) / grow_x, -sin / grow_y, cos / grow_y)
  centre_x = (tf.cast(width, tf.float32) - 1.0) / 2.0
  centre_y = (tf.cast(height, tf.float32) - 1.0) / 2.0
  a, b, c, d = rows
  x0 = centre_x - a * (centre_x + right) - b * (centre_y + down)
  y0 = centre_y - c * (centre_x + right) - d * (centre_y + down)
  shape = tf.broadcast_dynamic_shape(tf.shape(x0), tf.shape(y0))
  columns = [tf.broadcast_to(v, shape) for v in (a, b, x0, c, d, y0)]
  return tf.stack([*columns, tf.zeros(shape), tf.zeros(shape)], axis=1)


def random_affine(images, seed, rotation=0.3, scale=(0.8, 1.2), shear=0.3, shift=3.0, first=0,
                  total=None):
  """Turns, stretches, shears and shifts each image by its own random amounts.

  Bilinear; what comes from outside the image is 0. All amounts are uniform in
  their ranges and a function of the seed alone.

  Args:
    images: `[n, h, w, c]`, in a range where 0 is the background.
    seed: `[2]` int.
    rotation: largest angle in radians, at least 0.
    scale: (least, largest) factor, > 0, drawn for each axis.
    shear: largest shear, at least 0.
    shift: largest shift along each axis in pixels, at least 0.
    first: number of the first of these images in a batch of `total`: a replica
      that holds a part of a batch then draws what one device would for that part.
    total: images of that batch; None for these alone.

  Returns:
    `[n, h, w, c]` of the images' dtype.

  Raises:
    ValueError: images that aren't a batch, a seed of another shape, or a range
      that isn't one.

  Example:
    >>> random_affine(tf.ones([8, 32, 32, 1]), seed=[0, 1]).shape
    TensorShape([8, 32, 32, 1])
  """
  images, seed = tf.convert_to_tensor(images), tf.convert_to_tensor(seed)
  if images.shape.rank != 4:
    raise ValueError(f"images have the shape {images.shape}; it must be [n, h, w, c]")
  if seed.shape != [2]:
    raise ValueError(f"seed has the shape {seed.shape}; it must be [2]")
  for name, value in (("rotation", rotation), ("shear", shear), ("shift", shift)):
    if not value >= 0:
      raise ValueError(f"{name} is {value}; it must be at least 0")
  if not 0 < scale[0] <= scale[1]:
    raise ValueError(f"scale is {tuple(scale)}; it must be (least, largest), both above 0")
  shape = tf.shape(images)
  lows = tf.constant([-rotation, scale[0], scale[0], -shear, -shift, -shift], tf.float32)
  highs = tf.constant([rotation, scale[1], scale[1], shear, shift, shift], tf.float32)
  total = shape[0] if total is None else total
  unit = tf.random.stateless_uniform([total, 6], seed)[first:first + shape[0]]
  drawn = tf.unstack(lows + unit * (highs - lows), axis=1)
  transforms = affine_transforms(shape[1], shape[2], *drawn)
  views = _addons().image.transform(
      images, transforms, interpolation="bilinear", fill_mode="constant", fill_value=0.0)
  return tf.ensure_shape(views, images.shape)
