"""`garden.layers`: what is in it, what it imports, and that each docstring's example runs."""

import doctest
import inspect
import subprocess
import sys

import pytest
import tensorflow as tf

from garden import layers

_SLOW = {"Billiards", "Graphics", "Perception", "PhysNetWindows", "ResNet", "TowerRenderer",
         "VDA"}  # seconds each
_NAMES = [pytest.param(name, marks=[pytest.mark.torture] if name in _SLOW else [])
          for name in layers.__all__]


def test_everything_there_is_listed_once_in_order():
  # Capitals before small letters, as ruff sorts.
  assert layers.__all__ == sorted(set(layers.__all__))
  public = {name for name in dir(layers) if isinstance(getattr(layers, name), type)}
  assert public == set(layers.__all__)


@pytest.mark.parametrize("name", layers.__all__)
def test_a_name_is_a_keras_layer_of_that_name_that_a_file_can_name(name):
  kind = getattr(layers, name)
  assert issubclass(kind, tf.keras.layers.Layer)
  assert kind.__name__ == name
  if name != "DSCNet":  # it holds its images
    assert tf.keras.utils.get_registered_name(kind) == f"garden>{name}"


def test_another_name_is_an_attribute_error():
  with pytest.raises(AttributeError, match="'garden.layers' has no attribute 'Encoder'"):
    _ = layers.Encoder


def test_what_type_checkers_read_is_what_is_imported():
  source = inspect.getsource(layers)
  read = {f"  from {module} import {name}" for name, module in layers._MODELS.items()}
  assert read == {line for line in source.splitlines() if line.startswith("  from garden")}


def test_layers_come_without_gin_and_without_what_only_training_needs():
  script = ("import sys, garden.layers; from garden.layers import SelfExpression; "
            "print(sorted({'gin', 'keras_cv', 'matplotlib', 'mujoco', 'sklearn', "
            "'tensorflow_addons', 'tensorflow_datasets'} & set(sys.modules)))")
  done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", _NAMES)
def test_the_example_is_a_functional_model_and_runs(name):
  kind = getattr(layers, name)
  names = dict(vars(sys.modules[kind.__module__]))
  (test,) = doctest.DocTestFinder(recurse=False).find(kind, name, globs=names)
  source = "".join(example.source for example in test.examples)
  assert f"{name}(" in source and "tf.keras.Model(" in source
  assert 2 <= len(source.splitlines()) <= 6
  told = []
  failed, _ = doctest.DocTestRunner(verbose=False).run(test, out=told.append)
  assert not failed, "".join(told)
