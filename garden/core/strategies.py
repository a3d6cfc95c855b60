"""The four distribution strategies, by name.

with strategies.get("mirrored").scope():
model = experiment.build_model()
"""

import functools
import os
import shutil

import numpy as np
import tensorflow as tf

from garden.core import replicas

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
  if name == "multi_worker_mirrored":
    return _multi_worker()
  if name == "default":
    return tf.distribute.get_strategy()
  gpus = tf.config.list_logical_devices("GPU")
  devices = gpus or tf.config.list_logical_devices("CPU")
  if name == "one_device":
    return tf.distribute.OneDeviceStrategy(devices[0].name)
  if name == "mirrored":
    return _mirrored(tuple(d.name for d in devices))
  raise ValueError(f"strategy is {name!r}; it must be one of {', '.join(NAMES)}")


@functools.cache
def _mirrored(devices):
  """One strategy a process: two on the same devices number their collectives alike.

  The second one's all-reduce then meets the first one's, and both abort with
  "Shape mismatch in the collective instance".
  """
  return tf.distribute.MirroredStrategy(list(devices))


@functools.cache
def _multi_worker():
  """One strategy a process, made before anything that starts TensorFlow's runtime."""
  return tf.distribute.MultiWorkerMirroredStrategy()


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

  Every worker has to take part in saving, but only the chief's files count; see
  `remove_own`.

  Args:
    path: the folder of the chief.
    strategy: the strategy in use.

  Returns:
    `path`, or `path/workertemp_<id>`.
  """
  if is_chief(strategy):
    return path
  return os.path.join(path, f"workertemp_{strategy.cluster_resolver.task_id}")


def remove_own(path, strategy):
  """Removes what a worker besides the chief wrote to `write_path`."""
  if not is_chief(strategy):
    shutil.rmtree(path, ignore_errors=True)


# Several processes.

#: What a step, or a save, raises when another process of the cluster has gone.
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
        tf.errors.DeadlineExceededError, tf.errors.InternalError)


def n_workers(strategy):
  """Number of processes that train together."""
  resolver = strategy.cluster_resolver
  if resolver is None or not resolver.task_type:
    return 1
  spec = resolver.cluster_spec()
  return sum(spec.num_tasks(job) for job in spec.jobs if job in ("chief", "worker"))


def of_workers(strategy, number):
  """A whole number of each worker, `[n]` int64, alike on each; every worker has to ask."""
  if n_workers(strategy) == 1:
    return np.array([number], np.int64)
  return _gather(strategy)(tf.constant([number], tf.int64)).numpy()


@functools.cache
def _gather(strategy):
  """What `of_workers` calls, traced once: it is asked after each step."""
  each = strategy.num_replicas_in_sync // n_workers(strategy)

  def rows(value):
    return replicas.gather(value)[::each]

  @tf.function
  def gather(value):
    return strategy.experimental_local_results(strategy.run(rows, args=(value,)))[0]
  return gather


def deal(data, strategy, whole=()):
  """Deals batches to the replicas: r of R takes rows `r n / R` to `(r + 1) n / R` of all n.

  The batch of a step is a function of its number, so that each process makes all of it and keeps
  its replicas' rows. Left to itself, a strategy would take every part of a batch for of one length,
  and would give each process other batches.

  Args:
    data: data set of batches, tensors `[n, ...]` or dicts of such; n may differ between parts.
    strategy: the strategy in use.
    whole: names of parts of a batch that each replica gets whole.

  Returns:
    A `tf.distribute.DistributedDataset`; the data set as it is on one replica.

  Raises:
    ValueError: a part has fewer rows than there are replicas.

  Example:
    model.fit(strategies.deal(batches, strategy), steps_per_epoch=10)
  """
  count = strategy.num_replicas_in_sync
  if count == 1:
    return data
  spec = data.element_spec
  parts = spec if isinstance(spec, dict) else {"": spec}
  shared = {name: part for name, part in parts.items() if name not in whole}
  for tensor in tf.nest.flatten(shared):
    if tensor.shape[0] is not None and tensor.shape[0] < count:
      raise ValueError(f"a batch of {tensor.shape[0]} examples can't be dealt to {count} "
                       "replicas; make it larger, or take fewer devices")

  def share(batch, replica):
    cut = functools.partial(_rows, replica=replica, of=count)
    if not whole:
      return tf.nest.map_structure(cut, batch)
    return {name: part if name in whole else tf.nest.map_structure(cut, part)
            for name, part in batch.items()}

  def local(context):
    own = count // context.num_input_pipelines
    first = own * context.input_pipeline_id
    return data.flat_map(lambda batch: tf.data.Dataset.range(first, first + own).map(
        lambda replica: share(batch, replica))).prefetch(2 * own)
  return strategy.distribute_datasets_from_function(local)


def _rows(x, replica, of):
  """A replica's rows of `[n, ...]`."""
  count = x.shape[0]
  if count is not None and count % of == 0:
    size = count // of
    return tf.ensure_shape(x[replica * size:(replica + 1) * size], [size, *x.shape[1:]])
  count = tf.shape(x, tf.int64)[0]
  return x[replica * count // of:(replica + 1) * count // of]
