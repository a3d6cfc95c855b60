"""Prediction: runs a SavedModel on image files.

Needs the SavedModel alone, not the method's Python code.
"""

import csv
import glob
import io
import os
import warnings

import numpy as np
import tensorflow as tf
from PIL import Image

from garden.core import records
from garden.core import serving_inputs

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".pgm")
_BATCH = 64
#: How the files begin that the signature takes as they are: PNG and JPEG.
_SERVED = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def find_images(paths):
  """The image files in files and folders, sorted within each folder.

  Args:
    paths: files and folders.

  Returns:
    A list of paths.

  Raises:
    FileNotFoundError: a path isn't there.
    ValueError: a folder holds no image.
  """
  found = []
  for path in paths:
    if os.path.isdir(path):
      inside = sorted(p for p in glob.glob(os.path.join(path, "**", "*"),
                                           recursive=True)
                      if p.lower().endswith(EXTENSIONS))
      if not inside:
        raise ValueError(f"{path} holds no image; {', '.join(EXTENSIONS)} are "
                         "read")
      found.extend(inside)
    elif os.path.isfile(path):
      found.append(path)
    else:
      raise FileNotFoundError(f"no image or folder {path!r}")
  return found


def saved_model(model_dir):
  """The newest version under `model_dir/export`, or `model_dir` itself.

  Raises:
    FileNotFoundError: nothing has been exported there.
  """
  if os.path.exists(os.path.join(model_dir, "saved_model.pb")):
    return model_dir
  folder = os.path.join(model_dir, "export")
  versions = ([int(n) for n in os.listdir(folder) if n.isdigit()]
              if os.path.isdir(folder) else [])
  if not versions:
    raise FileNotFoundError(f"{model_dir} holds no SavedModel; export it first")
  return os.path.join(folder, str(max(versions)))


def predict(model_dir, paths, output):
  """Runs a model on images and writes a CSV, a row an image.

  Scalars and short vectors are columns; images that the model returns are
  written as PNG beside the CSV and named in it.

  Args:
    model_dir: folder of the run, or a SavedModel.
    paths: image files and folders.
    output: path of the CSV.

  Returns:
    The number of images.
  """
  files = find_images(paths)
  # Bound to a name: the signature holds the weights only as long as the model.
  model = tf.saved_model.load(saved_model(model_dir))
  serve = model.signatures["serving_bytes"]
  names = stems(files)
  rows, header = [], None
  for start in range(0, len(files), _BATCH):
    part = files[start:start + _BATCH]
    encoded = [_read(path) for path in part]
    outputs = {k: v.numpy() for k, v in
               serve(image_bytes=tf.constant(encoded)).items()}
    for i, path in enumerate(part):
      row = {"image": path}
      for name in sorted(outputs):
        row.update(_columns(name, outputs[name][i], names[start + i], output))
      header = header or list(row)
      rows.append(row)
  with records.atomic(output) as file:
    writer = csv.DictWriter(file, header)
    writer.writeheader()
    writer.writerows(rows)
  return len(rows)


def write_images(images, folder):
  """Writes images as PNG files that `predict` can be tried on.

  Args:
    images: `[n, h, w, c]` float32 in [0, 1]; may be empty.
    folder: where to; made if missing.

  Returns:
    The number of images.
  """
  for number, image in enumerate(images):
    pixels = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    with records.atomic(os.path.join(folder, f"{number:03}.png"), "wb") as file:
      file.write(tf.io.encode_png(pixels).numpy())
  return len(images)


def stems(files):
  """Names for the images of each file, apart even if two files have one name."""
  names, seen = [], set()
  for path in files:
    stem = plain = os.path.splitext(os.path.basename(path))[0]
    number = 1
    while stem in seen:
      number += 1
      stem = f"{plain}-{number}"
    seen.add(stem)
    names.append(stem)
  return names


def _read(path):
  """The bytes of a PNG or a JPEG that every signature takes; other formats become PNG."""
  _check_pixels(path)
  data = tf.io.read_file(path).numpy()
  if not data.startswith(_SERVED):
    return _as_png(path)
  try:
    serving_inputs.decoded(data, channels=1)
    return data
  except tf.errors.InvalidArgumentError:
    return _as_png(path)


def _check_pixels(path):
  """Refuses by its header an image that would fill the memory, as the signatures do."""
  try:
    with warnings.catch_warnings():
      # Pillow's own limit is lower than the error that it raises for twice as many.
      warnings.simplefilter("ignore", Image.DecompressionBombWarning)
      with Image.open(path) as image:
        pixels = image.width * image.height
  except Image.DecompressionBombError:
    pixels = float("inf")
  except OSError as error:
    raise _unreadable(path) from error
  if pixels > serving_inputs.MOST_PIXELS:
    raise ValueError(
        f"{path} announces more than {serving_inputs.MOST_PIXELS} pixels, the limit against "
        "decompression bombs; shrink or leave it out")


def _unreadable(path):
  return ValueError(f"{path} isn't an image that can be decoded; leave it out or save it as PNG "
                    "or JPEG")


def _as_png(path):
  """Re-encodes what Pillow reads (GIF, BMP, PGM) as PNG."""
  try:
    with Image.open(path) as image:
      buffer = io.BytesIO()
      image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB").save(
          buffer, "PNG")
      return buffer.getvalue()
  except (OSError, SyntaxError, ValueError) as error:  # which Pillow makes of damaged bytes
    raise _unreadable(path) from error


def _columns(name, value, stem, output):
  """The CSV cells of one output of one image."""
  if isinstance(value, bytes):  # an image that the model encoded, like `refined_bytes`
    name = name.removesuffix("_bytes")
    return {name: _write(value, f"{stem}_{name}.png", output)}
  if value.ndim == 0:
    return {name: value.item()}
  if value.ndim == 1:
    if value.size > 64:
      return {}
    return {f"{name}_{i}": v.item() for i, v in enumerate(value)}
  if value.ndim == 3 and value.shape[-1] in (1, 3):
    pixels = np.clip(np.round(value * 255), 0, 255).astype(np.uint8)
    return {name: _write(tf.io.encode_png(pixels).numpy(), f"{stem}_{name}.png", output)}
  return {}


def _write(png, name, output):
  """Writes a PNG beside the CSV; returns its path."""
  file = os.path.join(os.path.dirname(os.path.abspath(output)), name)
  with records.atomic(file, "wb") as handle:
    handle.write(png)
  return file
