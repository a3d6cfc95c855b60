"""What serving costs: a signature of a SavedModel against the Keras model under `tf.function`.

Both are called in turn on the same images and waited for; the difference is the checks of the
inputs, and what saving and loading did to the graph. The model isn't trained, which no time
depends on.
"""

import tempfile

import gin
import tensorflow as tf

from garden.core import benchmark as benchmark_lib
from garden.core import config as config_lib
from garden.core import run as run_lib


@gin.register(module="garden")
def serving_benchmark(config, batch):
  """The signature `serving_default` of a config's model, on one batch.

  Args:
    config: a gin file of the run, like 'dagan/tiny.gin' or 'runs/mine/config.gin'.
    batch: images of a call.

  Returns:
    A `Pair`; its table tells latency and throughput too.
  """
  config_lib.load([config])
  run = run_lib.Run()
  module = run.experiment.signatures(run.build(run.set_up()))
  with tempfile.TemporaryDirectory() as folder:
    tf.saved_model.save(module, folder, signatures=module.signatures())
    loaded = tf.saved_model.load(folder)
  return pair(module, loaded, batch)


def pair(module, loaded, batch):
  """Times a loaded SavedModel against the module that it was made of.

  Args:
    module: the `ServingModule`.
    loaded: what `tf.saved_model.load` made of it.
    batch: images of a call.

  Returns:
    A `Pair`.
  """
  images = module.examples(batch)["serving_default"]["images"]
  plain = tf.function(module.outputs)

  def ours(number):
    del number
    # The whole SavedModel is kept: a signature by itself holds its weights no longer than it.
    _wait(loaded.signatures["serving_default"](images=images))

  def theirs(number):
    del number
    _wait(plain(images))

  return benchmark_lib.Pair(
      ours, theirs, "`serving_default` of the SavedModel", "the Keras model under `tf.function`",
      count=batch, unit="image", batch=batch)


def _wait(outputs):
  """Returns when the outputs are there."""
  for value in outputs.values():
    value.numpy()
