"""Saving and restoring so that a killed run ends with the same weights.

The checkpoint holds the model with its counters and optimizers, the callbacks'
state and the running means of the epoch in progress. Batches are a function of
the step, so nothing of the input pipeline has to be saved. Keras's
BackupAndRestore keeps a single checkpoint and repeats the epoch it was killed
in; this one keeps three and goes on at the step.
"""

import logging
import os
import re
import shutil

import numpy as np
import tensorflow as tf

from garden.core import records
from garden.core import strategies

KEEP = 3
#: What reading a truncated, bit-flipped or half-removed checkpoint raises. The
#: reader of the index makes bare OpErrors and IndexErrors out of some of them.
UNREADABLE = (tf.errors.OpError, IndexError)
_FULL_DISK = (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError,
              tf.errors.UnknownError, tf.errors.InternalError,
              tf.errors.PermissionDeniedError,
              tf.errors.FailedPreconditionError, OSError)


class NotFiniteError(ArithmeticError):
  """A loss or a weight is NaN or infinite."""


class SaveError(OSError):
  """A checkpoint could not be written."""


class Checkpoints:
  """The checkpoints of one run.

  Args:
    model: the built `GardenModel`.
    model_dir: folder of the run.
    extra: further trackable state by name (plateau, moving averages).
    strategy: the strategy in use. All workers take part in a save, as they add
      up their running means in it; what the others than the chief write is
      removed.
  """

  def __init__(self, model, model_dir, extra=None, strategy=None):
    self.strategy = strategy or tf.distribute.get_strategy()
    self.model = model
    folder = os.path.join(model_dir, "checkpoints")
    self.folder = strategies.write_path(folder, self.strategy)
    self.checkpoint = tf.train.Checkpoint(model=model, **(extra or {}))
    try:
      self.manager = tf.train.CheckpointManager(
          self.checkpoint, self.folder, max_to_keep=KEEP)
      # What all workers go on from: the chief's.
      self.saved = self.manager if self.folder == folder else tf.train.CheckpointManager(
          self.checkpoint, folder, max_to_keep=KEEP)
    except ValueError as error:  # it is empty, or no text
      raise ValueError(
          f"{folder}/checkpoint, TensorFlow's list of checkpoints, is damaged; remove "
          "it: the checkpoints beside it are found without it") from error

  @property
  def paths(self):
    """Of all checkpoints, the oldest first, whether or not the list on disk has them all.

    A list that is damaged, or that a kill left as it was, would hide some.
    """
    folder = self.saved.directory
    known = set(self.saved.checkpoints)
    known.update(os.path.join(folder, f"ckpt-{step}") for step in _steps(folder))
    return sorted(known, key=lambda path: int(path.rsplit("-", 1)[-1]))

  def save(self):
    """Saves at the model's step.

    Raises:
      NotFiniteError: a weight isn't finite; what was saved before stays.
      SaveError: the disk is full or can't be written; likewise.
    """
    step = int(self.model.total_steps.numpy())
    bad = first_not_finite(self.model)
    if bad:
      raise NotFiniteError(
          f"weight {bad} isn't finite after step {step}; {self._kept()}; "
          "lower the learning rate and start again")
    before = set(_files(self.folder))
    try:
      self.manager.save(checkpoint_number=step)
      self._remove_unlisted()
    except _FULL_DISK as error:
      for name in set(_files(self.folder)) - before:
        _remove(os.path.join(self.folder, name))
      raise SaveError(
          f"could not save step {step} in {self.folder}: {reason(error)}; "
          f"{self._kept()}; free some space and start the same command again"
      ) from error
    strategies.remove_own(self.folder, self.strategy)

  def restore(self):
    """Restores the newest checkpoint that can be read.

    Returns:
      Its path, or None if there is none.

    Raises:
      ValueError: there are checkpoints but none can be read, or they don't fit
        the model.
    """
    paths = self.paths[::-1]
    for index, path in enumerate(paths):
      try:
        status = self.checkpoint.restore(path)
        status.assert_existing_objects_matched()
        return path
      # Missing weights are an AssertionError, other shapes a ValueError.
      except (AssertionError, ValueError) as error:
        raise ValueError(
            f"{path} doesn't fit this model: {str(error).splitlines()[0]}; "
            "it was written by another configuration") from error
      except UNREADABLE as error:
        rest = len(paths) - index - 1
        logging.warning(
            "checkpoint %s can't be read (%s); %s", path,
            str(error).splitlines()[0],
            f"going back to {paths[index + 1]}" if rest else "and none is left")
    if paths:
      raise ValueError(
          f"none of the {len(paths)} checkpoints in {self.folder} can be read; "
          "remove the folder to train from the beginning")
    return None

  def _remove_unlisted(self):
    """Removes what the list on disk had lost, as soon as there are enough newer ones."""
    for step in _steps(self.folder)[:-KEEP]:
      if os.path.join(self.folder, f"ckpt-{step}") not in self.manager.checkpoints:
        for name in _files(self.folder):
          if name.startswith(f"ckpt-{step}."):
            os.unlink(os.path.join(self.folder, name))

  def _kept(self):
    return (f"the last good checkpoint is {self.paths[-1]}" if self.paths
            else "nothing had been saved")


def load_weights(model, model_dir, best=False, extra=None):
  """Restores a trained model for evaluation, export or a report.

  Args:
    model: a built `GardenModel`.
    model_dir: folder of the run.
    best: take `best/` rather than the last checkpoint.
    extra: further trackable state by name.

  Returns:
    The path of the checkpoint.

  Raises:
    FileNotFoundError: nothing has been saved there.
  """
  if best:
    path = tf.train.latest_checkpoint(os.path.join(model_dir, "best"))
    if path is None:
      raise FileNotFoundError(
          f"{model_dir}/best holds no checkpoint; train with Run.best_metric")
    tf.train.Checkpoint(model=model).restore(path).expect_partial()
    return path
  path = Checkpoints(model, model_dir, extra).restore()
  if path is None:
    raise FileNotFoundError(
        f"{model_dir} holds no checkpoint; train it first")
  return path


def warm_start(model, path, modules=()):
  """Begins with the weights of another run.

  Args:
    model: a built `GardenModel`.
    path: a model_dir or a checkpoint prefix.
    modules: attributes of the model to restore; all weights when empty.

  Returns:
    The checkpoint that was read.

  Raises:
    FileNotFoundError: no checkpoint there.
    ValueError: an attribute that the model hasn't, or weights that don't fit.
  """
  source = path
  if os.path.isdir(path):
    source = (tf.train.latest_checkpoint(os.path.join(path, "checkpoints"))
              or tf.train.latest_checkpoint(path))
  if source is None or not os.path.exists(f"{source}.index"):
    raise FileNotFoundError(f"warm start: no checkpoint in {path}")
  unknown = [name for name in modules
             if not isinstance(getattr(model, name, None), tf.Module)]
  if unknown:
    known = sorted(k for k, v in vars(model).items() if isinstance(v, tf.Module)
                   and not k.startswith("_"))
    raise ValueError(f"warm start: the model has no part {unknown[0]!r}; its "
                     f"parts are {', '.join(known)}")
  parts = list(modules) or [layer.name for layer in model.layers]
  counters = {} if modules else {"all": model}
  # The weights alone: counters and optimizers stay as this run sets them.
  own = [model.stage, model.step, model.total_steps]
  for optimizer in model.optimizers().values():
    own += [*optimizer.variables, optimizer.learning_rate]
  own = [(v, v.numpy()) for v in own]
  if counters:
    root = tf.train.Checkpoint(model=model)
  else:
    root = tf.train.Checkpoint(model=tf.train.Checkpoint(
        **{name: getattr(model, name) for name in parts}))
  try:
    status = root.restore(source).expect_partial()
    if modules:
      status.assert_existing_objects_matched()
    else:
      status.assert_nontrivial_match()
  except (AssertionError, ValueError) as error:
    raise ValueError(f"warm start: {source} doesn't fit: "
                     f"{str(error).splitlines()[0]}") from error
  for variable, value in own:
    variable.assign(value)
  return source


def first_not_finite(model):
  """Name of the first weight with a NaN or an infinity; None if there is none."""
  for variable in model.trainable_variables:
    if not np.all(np.isfinite(variable.numpy())):
      return variable.name
  return None


def save_best(model, model_dir, metric, value, step):
  """Keeps the best checkpoint with its value beside it on disk.

  The new one is complete before the old one goes.
  """
  strategy = model.distribute_strategy
  folder = strategies.write_path(os.path.join(model_dir, "best"), strategy)
  manager = tf.train.CheckpointManager(
      tf.train.Checkpoint(model=model), folder, max_to_keep=1)
  manager.save(checkpoint_number=step)
  strategies.remove_own(folder, strategy)
  if strategies.is_chief(strategy):
    records.write_json(os.path.join(folder, "best.json"),
                       {"metric": metric, "value": value, "total_steps": step})


def reason(error):
  """The system's words in one of TensorFlow's errors, without the operation around them."""
  text = re.sub(r"\{\{.*?\}\} *| *\[Op:.*", "", (str(error).splitlines() or [""])[0])
  return text.rsplit("; ", 1)[-1] or type(error).__name__


def _steps(folder):
  """The steps of the checkpoints in a folder, whose index is written last, rising."""
  found = (re.fullmatch(r"ckpt-(\d+)\.index", name) for name in _files(folder))
  return sorted(int(match[1]) for match in found if match)


def _files(folder):
  return os.listdir(folder) if os.path.isdir(folder) else []


def _remove(path):
  if os.path.isdir(path):
    shutil.rmtree(path)
  else:
    os.unlink(path)
