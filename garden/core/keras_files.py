"""Keras models from files that somebody else wrote, without running what they bring along.

A `Lambda` layer holds Python bytecode. Keras refuses it in a `.keras` file but not in an `.h5` or
a SavedModel, and imports whatever module a config names. So the config is read first, and a
SavedModel is loaded as the graph that it is. Operations of TensorFlow run as they do in any graph.
"""

import json
import os
import zipfile

import h5py
import tensorflow as tf

_LONGEST = 64 * 2**20  # bytes of a config, a thousand times a large model's
_BYTECODE = ("Lambda", "__lambda__")


def load(path):
  """A model without its optimizer.

  Args:
    path: of a `.keras` or `.h5` file, or of a SavedModel's folder.

  Returns:
    A function of a batch: a `tf.keras.Model`, or what a SavedModel holds.

  Raises:
    ValueError: there is no model, or it brings code of its own.
    OSError: it can't be read.

  Example:
    features = load("mine.keras")(images)
  """
  if os.path.isdir(path):
    model = tf.saved_model.load(path)
    if not callable(model):
      raise ValueError(f"{path} is a SavedModel that can't be called; save a Keras model")
    return model
  _check(_config(path), path)
  return tf.keras.models.load_model(path, compile=False)


def _config(path):
  """The config of a model's file."""
  if not zipfile.is_zipfile(path):
    with h5py.File(path) as file:
      if "model_config" not in file.attrs:
        raise ValueError(f"{path} holds weights and no model; save the whole model")
      return json.loads(file.attrs["model_config"])
  with zipfile.ZipFile(path) as archive:
    if "config.json" not in archive.namelist():
      raise ValueError(f"{path} holds no config.json, so no model; save it with model.save")
    size = archive.getinfo("config.json").file_size
    if size > _LONGEST:
      raise ValueError(f"the config of {path} unpacks to {size} bytes; at most {_LONGEST} are read")
    return json.loads(archive.read("config.json"))


def _check(config, path):
  """Refuses bytecode, and modules besides Keras and what is registered with it."""
  if isinstance(config, list):
    for each in config:
      _check(each, path)
  if not isinstance(config, dict):
    return
  name, module = config.get("class_name"), config.get("module")
  if name in _BYTECODE:
    raise ValueError(f"{path} has a Lambda layer, which is code that would be run; build the "
                     "model of other layers")
  known = (not isinstance(module, str) or module == "builtins" or module.split(".")[0] == "keras"
           or tf.keras.saving.get_registered_object(config.get("registered_name")) is not None)
  if name is not None and not known:
    raise ValueError(f"{path} names {name!r} of the module {module!r}, which would be imported; "
                     "layers must be Keras's or registered with it")
  for each in config.values():
    _check(each, path)
