"""Settings, the frozen dataclasses that gin files name, in the configs of Keras models.

A `.keras` file holds a model's arguments as JSON. Settings are in it by the name of their class and
their values, so that the file is read where no gin file is; their module is imported then.
"""

import contextlib
import dataclasses
import importlib

_CLASS, _VALUES = "settings", "values"


def pack(settings):
  """A dataclass, with dataclasses among its values, as JSON can hold it; None stays None.

  Example:
    >>> from garden.physnet.settings import Crop
    >>> pack(Crop(size=(96, 64)))["settings"]
    'garden.physnet.settings.Crop'
  """
  if not dataclasses.is_dataclass(settings):
    return settings
  kind = type(settings)
  return {_CLASS: f"{kind.__module__}.{kind.__qualname__}",
          _VALUES: {field.name: pack(getattr(settings, field.name))
                    for field in dataclasses.fields(settings)}}


def unpack(config):
  """What `pack` was given, lists as tuples; anything else as it is.

  Raises:
    ValueError: it names a class that isn't a dataclass, or isn't there.
  """
  if isinstance(config, list):
    return tuple(unpack(value) for value in config)
  if not isinstance(config, dict) or set(config) != {_CLASS, _VALUES}:
    return config
  module, _, name = config[_CLASS].rpartition(".")
  kind = None
  if module.startswith("garden."):  # nothing else is imported because a file says so
    with contextlib.suppress(ModuleNotFoundError):
      kind = getattr(importlib.import_module(module), name, None)
  if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
    raise ValueError(f"the model's settings are {config[_CLASS]!r}, which is no dataclass here; "
                     "load it with the version of garden that saved it")
  return kind(**{key: unpack(value) for key, value in config[_VALUES].items()})
