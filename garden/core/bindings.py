"""The kinds of what a config binds, held against the signatures that take it.

    Run.ema_decay is (1, 2); it must be a number or None

A signature's annotations say what may be bound; where one is missing, its default
does. So a number in place of a string is told before anything is built, and no
method has to look at the kinds of its settings. What a value may be among its
kind is the method's own to check.
"""

import collections.abc
import inspect
import numbers
import types
import typing

import gin

_NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "a string",
          type(None): "None"}  # fmt: skip


def check():
  """Refuses values of another kind than their parameter's, in all that gin holds.

  Raises:
    ValueError: names the parameter, the value and what it must be.
  """
  for (scope, selector), values in gin.config._CONFIG.items():
    if selector.startswith("gin."):
      continue
    kinds = _kinds(gin.config._REGISTRY.get_match(selector).wrapped)
    for name, value in values.items():
      if name in kinds and not _fits(value, kinds[name]):
        owner = "/".join(filter(None, (scope, selector.removeprefix("garden."))))
        raise ValueError(f"{owner}.{name} is {_followed(value)!r}; it must be "
                         f"{_described(kinds[name])}")


def _kinds(target):
  """Parameter -> annotation, or what stands for it, of a class or a function."""
  function = target.__init__ if inspect.isclass(target) else target
  kinds = typing.get_type_hints(function)
  for name, parameter in inspect.signature(target).parameters.items():
    if name not in kinds and type(parameter.default) in _NAMES.keys() - {type(None)}:
      kinds[name] = type(parameter.default)
  return kinds


def _followed(value):
  """A value, or what a macro stands for.

  Raises:
    ValueError: the macro stands for itself.
  """
  seen = []
  while _is_macro(value):
    if value.config_key in seen:  # two macros are equal for gin
      raise ValueError(f"macro {value!r} stands for itself; give it a value")
    seen.append(value.config_key)
    value = gin.config._CONFIG[value.config_key]["value"]
  return value


def _is_macro(value):
  return (isinstance(value, gin.config.ConfigurableReference)
          and value.configurable.wrapped is gin.config.macro)


def _fits(value, kind):
  """Whether a bound value is of a kind; what can't be known before it is made, is."""
  value = _followed(value)
  origin, arguments = typing.get_origin(kind), typing.get_args(kind)
  if origin in (typing.Union, types.UnionType):
    return any(_fits(value, each) for each in arguments)
  if kind is typing.Any:
    return True
  if isinstance(value, gin.config.ConfigurableReference):
    return _makes(value, origin or kind)
  if origin is collections.abc.Sequence:
    return isinstance(value, list | tuple) and all(_fits(v, arguments[0]) for v in value)
  if isinstance(value, bool):
    return kind is bool
  return isinstance(value, {int: numbers.Integral, float: numbers.Real}.get(kind, origin or kind))


def _makes(reference, kind):
  """Whether `@name()` makes, or `@name` is, one of a class."""
  target = reference.configurable.wrapped
  if not reference.evaluate:
    return kind is collections.abc.Callable
  return not inspect.isclass(target) or issubclass(target, kind)


def _described(kind):
  """A kind in words."""
  origin, arguments = typing.get_origin(kind), typing.get_args(kind)
  if origin in (typing.Union, types.UnionType):
    return " or ".join(map(_described, arguments))
  if origin is collections.abc.Sequence:
    return f"a list, each {_described(arguments[0])}"
  if origin is collections.abc.Mapping:
    return "a dict"
  return _NAMES.get(kind) or _made(kind)


def _made(kind):
  """The references that make one of a class."""
  # gin offers no public list of what was registered with it.
  registered = gin.config._REGISTRY._selector_map.items()
  names = sorted(f"@{name.removeprefix('garden.')}()" for name, each in registered
                 if inspect.isclass(each.wrapped) and issubclass(each.wrapped, kind))
  return f"one like {' or '.join(names)}" if names else f"a {kind.__name__}"
