"""The four distribution strategies, by name.

with strategies.get("mirrored").scope():
model = experiment.build_model()
"""

import functools
import os

import tensorflow as tf

NAMES = ("default", "one_device", "mirrored", "multi_worker_mirrored")


def get(name):
  """Returns a `tf.distribute.Strategy`.

  Args:
    name: `default` (TensorFlow's own, no distribution), `one_device` (the first
      GPU, else the CPU), `mirrored` (every GPU of this machine, else every
      logical CPU), or `multi_worker_mirrored` (the machines of `TF_CONFIG`).

  Returns:
    The strategy.

  Raises:
    ValueError: unknown name.
  """
  gpus = tf.config.list_logical_devices("GPU")
  devices = gpus or tf.config.list_logical_devices("CPU")
  if name == "default":
    return tf.distribute.get_strategy()
  if name == "one_device":
    return tf.distribute.OneDeviceStrategy(devices[0].name)
  if name == "mirrored":
    return _mirrored(tuple(d.name for d in devices))
  if name == "multi_worker_mirrored":
    return tf.distribute.MultiWorkerMirroredStrategy()
  raise ValueError(f"strategy is {name!r}; it must be one of {', '.join(NAMES)}")


@functools.cache
def _mirrored(devices):
  """One strategy a process: two on the same devices number their collectives alike.

  The second one's all-reduce then meets the first one's, and both abort with
  "Shape mismatch in the collective instance".
  """
  return tf.distribute.MirroredStrategy(list(devices))


def is_chief(strategy):
  """Whether this process writes the records of the run."""
  resolver = strategy.cluster_resolver
  if resolver is None or not resolver.task_type:
    return True
  return resolver.task_type == "chief" or (
      resolver.task_type == "worker" and resolver.task_id == 0
      and "chief" not in resolver.cluster_spec().jobs)


def write_path(path, strategy):
  """Where this process may write: `path` for the chief, a folder apart else.

  Every worker has to take part in saving, but only the chief's files count.

  Args:
    path: the folder of the chief.
    strategy: the strategy in use.

  Returns:
    `path`, or `path/workertemp_<id>`.
  """
  if is_chief(strategy):
    return path
  return os.path.join(path, f"workertemp_{strategy.cluster_resolver.task_id}")
