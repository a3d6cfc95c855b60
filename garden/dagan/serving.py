"""What is served, in core TensorFlow alone: images to refined ones, how real; noise to images."""

import tensorflow as tf

from garden.core import export
from garden.core import serving_inputs
from garden.dagan import losses


class Refinement(export.ServingModule):
  """The signatures of a trained model.

  `serving_default` takes simulated faces `[batch, s, s, 3]` in [-1, 1] and `serving_bytes` encoded
  ones. Both return

    refined: the refined faces, in [-1, 1]; where bytes came `refined_bytes`, the same as PNG (a
      REST server encodes an output in base 64 if its name ends so);
    error, refined_error: `[batch]`, e of D of what came and of what was refined: the lower, the
      more like real faces;
    identity: `[batch, h]`, D's code of the refined face, of length 1, to be compared by cosine.

  Args:
    model: the trained `DAGAN`.
    size: s.

  Example:
    tf.saved_model.save(module, "1", signatures=module.signatures())
  """

  def __init__(self, model, size):
    # The layers alone: a subclassed model would be asked for a config that it hasn't.
    module = tf.Module()
    module.layers = [model.refiner, model.autoencoder]

    def outputs(images):
      refined = tf.clip_by_value(model.refiner(images), -1.0, 1.0)
      codes = model.autoencoder.encode(refined)
      return {"refined": refined,
              "error": losses.reconstruction_error(images, model.autoencoder(images)),
              "refined_error": losses.reconstruction_error(
                  refined, model.autoencoder.decode(codes, refined)),
              "identity": tf.math.l2_normalize(tf.cast(codes, tf.float32), axis=-1)}

    super().__init__(module, outputs, (size, size), 3, (-1.0, 1.0))

  def _serve_bytes(self, image_bytes):
    found = super()._serve_bytes(image_bytes)
    return {"refined_bytes": _as_png(found.pop("refined")), **found}


class Generation(export.ServingModule):
  """The signatures of a trained `BEGAN`.

  `serving_default` takes faces `[batch, s, s, 3]` in [-1, 1] and `serving_bytes` encoded ones; both
  return `error` `[batch]`, e of D, and `reconstruction`, or where bytes came the same as PNG,
  `reconstruction_bytes`. `serving_noise` takes `noise` `[batch, h]` in [-1, 1] and returns `images`
  `[batch, s, s, 3]` and `image_bytes`, the same as PNG.

  Args:
    model: the trained `BEGAN`.
    size: s.
  """

  def __init__(self, model, size):
    module = tf.Module()
    module.layers = [model.generator, model.autoencoder]

    def outputs(images):
      reconstruction = model.autoencoder(images)
      return {"reconstruction": tf.clip_by_value(reconstruction, -1.0, 1.0),
              "error": losses.reconstruction_error(images, reconstruction)}

    super().__init__(module, outputs, (size, size), 3, (-1.0, 1.0))
    self._hidden = model.network.hidden

    def make(noise):
      noise = serving_inputs.numbers(noise, (self._hidden,), "numbers of the noise", -1.0, 1.0)
      images = tf.clip_by_value(model(noise), -1.0, 1.0)
      return {"images": images, "image_bytes": _as_png(images)}

    self.serving_noise = tf.function(make, input_signature=[
        tf.TensorSpec([None, self._hidden], tf.float32, name="noise")])

  def signatures(self):
    """The signatures by name."""
    return {**super().signatures(), "serving_noise": self.serving_noise}

  def examples(self, batch):
    """Inputs that each signature takes."""
    noise = tf.random.stateless_uniform([batch, self._hidden], [0, 0], -1.0, 1.0)
    return {**super().examples(batch), "serving_noise": {"noise": noise}}

  def _serve_bytes(self, image_bytes):
    found = super()._serve_bytes(image_bytes)
    return {"reconstruction_bytes": _as_png(found.pop("reconstruction")), **found}


def _as_png(images):
  """Images `[N, s, s, 3]` in [-1, 1] as PNG, `[N]` strings."""
  pixels = tf.cast(tf.round((images + 1.0) * 127.5), tf.uint8)
  return tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.string)
