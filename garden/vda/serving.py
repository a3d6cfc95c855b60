"""The served de-animation: image -> state, stability, reconstruction, in core TensorFlow alone."""

import tensorflow as tf

from garden.core import export
from garden.core import serving_inputs

_SERVED = ("present", "position", "rotation", "size", "color", "color_class", "boxes",
           "reconstruction_error")
# Azimuth, elevation, distance, field of view, target: see `camera.unpack`.
_CAMERA = (0.0, 0.3, 6.0, 40.0, 0.0, 0.0, 1.0)


class DeAnimation(export.ServingModule):
  """The signatures of a trained model; no physics engine and no OpenGL are inside.

  `serving_default` takes images and `serving_bytes` encoded ones, the camera is estimated;
  `serving_camera` takes images and their cameras `[batch, 7]` (see `camera.unpack`). All return
  the state (see `state`), `camera`, `fall` (by the support test itself), `margin`,
  `fall_probability` (the support test made soft, by the error that poses have),
  `reconstruction` and `reconstruction_error`.

  Args:
    model: the trained `VDA`.
    image_size: (height, width) of the images.

  Example:
    tf.saved_model.save(module, "1", signatures=module.signatures())
  """

  def __init__(self, model, image_size):
    # The layers alone: a subclassed model would be asked for a config that it hasn't.
    module = tf.Module()
    module.layers = list(model.layers)

    def outputs(images, camera=None):
      inputs = {"image": images} if camera is None else {"image": images, "camera": camera}
      found = model(inputs, training=False)
      return {**{name: found[name] for name in _SERVED}, "camera": found["camera"],
              "margin": found["margin"], "fall": tf.cast(found["margin"] <= 0.0, tf.int32),
              "fall_probability": model.support(found)["fall_probability"],
              "reconstruction": found["image"]}

    super().__init__(module, outputs, image_size, 3, (0.0, 1.0))

    def with_camera(images, camera):
      images, camera = serving_inputs.same_batch(
          self.checked_images(images), serving_inputs.numbers(camera, (7,), "numbers of a camera"),
          ("images", "cameras"))
      with tf.control_dependencies([tf.debugging.assert_positive(
          camera[:, 2:4], message="distance and field of view of a camera must be above 0")]):
        return outputs(images, tf.identity(camera))

    self.serving_camera = tf.function(with_camera, input_signature=[
        tf.TensorSpec([None, *self.image_size, 3], tf.float32, name="images"),
        tf.TensorSpec([None, 7], tf.float32, name="camera")])

  def signatures(self):
    """The signatures by name."""
    return {**super().signatures(), "serving_camera": self.serving_camera}

  def examples(self, batch):
    """Inputs that each signature takes."""
    found = super().examples(batch)
    camera = tf.tile(tf.constant([_CAMERA]), [batch, 1])
    return {**found, "serving_camera": {**found["serving_default"], "camera": camera}}
