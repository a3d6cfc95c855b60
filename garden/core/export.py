"""Export: a SavedModel with named signatures, checked before it is in place.

`serving_default` takes float images, `serving_bytes` encoded JPEG or PNG
strings; outputs are dicts; the batch is dynamic and preprocessing is inside.
Only core TensorFlow operations are used, so any TensorFlow runtime loads it.
"""

import os
import shutil
import tempfile

import numpy as np
import tensorflow as tf

from garden.core import evaluate as evaluate_lib
from garden.core import serving_inputs


class ServingModule(tf.Module):
  """An image model with its two signatures.

  What doesn't fit a signature is refused by its graph (see `serving_inputs`). A room with more
  signatures adds them to `signatures` and `examples`.

  Args:
    model: anything trackable whose weights `outputs` uses.
    outputs: maps `[batch, h, w, c]` float32 images to a dict of tensors.
    image_size: (height, width) of the images.
    channels: 1 or 3.
    pixel_range: (least, greatest) pixel value of `serving_default`'s images.
  """

  def __init__(self, model, outputs, image_size, channels, pixel_range):
    super().__init__()
    self.model = model
    self.image_size = tuple(image_size)
    self.channels = channels
    self.pixel_range = tuple(float(v) for v in pixel_range)
    self.outputs = outputs
    shape = [None, *self.image_size, channels]
    self.serving_default = tf.function(
        self._serve_images,
        input_signature=[tf.TensorSpec(shape, tf.float32, name="images")])
    self.serving_bytes = tf.function(
        self._serve_bytes,
        input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])

  def signatures(self):
    """The signatures by name, as `tf.saved_model.save` takes them."""
    return {"serving_default": self.serving_default,
            "serving_bytes": self.serving_bytes}

  def examples(self, batch):
    """Inputs that each signature takes, to compare, to warm up and to time with.

    Args:
      batch: rows of each input.

    Returns:
      Name of a signature -> name of its input -> tensor.
    """
    images = probe_images(self, batch)
    return {"serving_default": {"images": tf.constant(images)},
            "serving_bytes": {"image_bytes": tf.constant(probe_bytes(self, images))}}

  def checked_images(self, images):
    """The images, if they are of the shape and in the range of `serving_default`."""
    return serving_inputs.numbers(images, (*self.image_size, self.channels), "pixels",
                                  *self.pixel_range)

  def _serve_images(self, images):
    return self.outputs(self.checked_images(images))

  def _serve_bytes(self, image_bytes):
    images = tf.map_fn(self._decode, serving_inputs.batch(image_bytes),
                       fn_output_signature=tf.TensorSpec(
                           [*self.image_size, self.channels], tf.float32))
    low, high = self.pixel_range
    return self.outputs(low + images * (high - low))

  def _decode(self, encoded):
    """One encoded image -> `[h, w, c]` float32 in [0, 1]."""
    image = serving_inputs.decoded(encoded, self.channels)
    # Of bytes, which takes a quarter of the memory; the result is float32.
    image = tf.image.resize(image, self.image_size, method="bicubic",
                            antialias=True) / 255.0
    image = tf.clip_by_value(image, 0.0, 1.0)
    return tf.ensure_shape(image, [*self.image_size, self.channels])


def export(run, model_dir, output_dir=None, best=False):
  """Writes a SavedModel of a trained run.

  Args:
    run: the `Run`.
    model_dir: folder of the run.
    output_dir: folder of the versions, called as the model is where it is served;
      `model_dir/export` when None.
    best: export the best checkpoint rather than the last.

  Returns:
    The path of the new version.

  Raises:
    RuntimeError: the reloaded SavedModel and the Python model disagree.
  """
  model, _ = evaluate_lib.load(run, model_dir, best)
  module = run.experiment.signatures(model)
  folder = output_dir or os.path.join(model_dir, "export")
  name = os.path.basename(os.path.abspath(output_dir or model_dir))
  os.makedirs(folder, exist_ok=True)
  versions = [int(name) for name in os.listdir(folder) if name.isdigit()]
  target = os.path.join(folder, str(max(versions, default=0) + 1))
  partial = tempfile.mkdtemp(prefix=".partial-", dir=folder)
  try:
    save(module, partial, name)
    os.chmod(partial, 0o755)
    os.replace(partial, target)
  finally:
    shutil.rmtree(partial, ignore_errors=True)
  return target


def save(module, path, name):
  """Writes a SavedModel with its warm-up requests, and checks it.

  Args:
    module: the `ServingModule`.
    path: folder of the SavedModel.
    name: of the model, where it is served.

  Raises:
    RuntimeError: the reloaded SavedModel and the Python model disagree.
  """
  tf.saved_model.save(module, path, signatures=module.signatures())
  write_warm_up(module, path, name)
  check(module, path)


def check(module, path, batch=2, tolerance=1e-4):
  """Reloads a SavedModel and compares it with the module it was made from.

  Args:
    module: the `ServingModule`.
    path: folder of the SavedModel.
    batch: images to compare on.
    tolerance: greatest relative difference of a float output.

  Raises:
    RuntimeError: an output differs; names it.
  """
  loaded = tf.saved_model.load(path)
  for signature, inputs in module.examples(batch).items():
    expected = module.signatures()[signature](**inputs)
    got = loaded.signatures[signature](**inputs)
    for name, value in expected.items():
      a, b = value.numpy(), got[name].numpy()
      same = (np.allclose(a, b, rtol=tolerance, atol=tolerance)
              if a.dtype.kind == "f" else np.array_equal(a, b))
      if not same:
        raise RuntimeError(f"{signature}: the SavedModel's {name!r} differs "
                           "from the model's")


def probe_images(module, batch):
  """`[batch, h, w, c]` float32 images over the whole pixel range."""
  low, high = module.pixel_range
  shape = (batch, *module.image_size, module.channels)
  rng = np.random.default_rng(0)
  return rng.uniform(low, high, shape).astype(np.float32)


def probe_bytes(module, images):
  """Images of the module's pixel range as PNG, a list of strings."""
  low, high = module.pixel_range
  pixels = tf.cast((images - low) / (high - low) * 255, tf.uint8)
  return [tf.io.encode_png(image).numpy() for image in pixels]


def write_warm_up(module, path, name):
  """Writes TF Serving's warm-up requests where its protos are installed.

  A server runs them before it takes the version into use, so that the first caller doesn't wait
  for what TensorFlow does once. Needs the extra `[serving]`; without it the SavedModel has no
  warm-up file.

  Args:
    module: the `ServingModule`.
    path: folder of the SavedModel.
    name: of the model.

  Returns:
    The path of the file, or None.
  """
  try:
    from tensorflow_serving.apis import predict_pb2
    from tensorflow_serving.apis import prediction_log_pb2
  except ImportError:
    return None
  file = os.path.join(path, "assets.extra", "tf_serving_warmup_requests")
  os.makedirs(os.path.dirname(file), exist_ok=True)
  with tf.io.TFRecordWriter(file) as writer:
    for signature, inputs in module.examples(1).items():
      request = predict_pb2.PredictRequest()
      request.model_spec.name = name
      request.model_spec.signature_name = signature
      for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
      log = prediction_log_pb2.PredictionLog(
          predict_log=prediction_log_pb2.PredictLog(request=request))
      writer.write(log.SerializeToString())
  return file
