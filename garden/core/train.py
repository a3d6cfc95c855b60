"""Training: the stages of an experiment, one `fit` after another, resumable."""

import contextlib
import os
import sys
import time

import gin
import tensorflow as tf

from garden.core import callbacks as callbacks_lib
from garden.core import checkpoints as checkpoints_lib
from garden.core import config
from garden.core import records
from garden.core import strategies


def train(run, model_dir, config_text=None):
  """Trains an experiment in a folder, or goes on where a killed run stopped.

  Args:
    run: the `Run`.
    model_dir: folder of the run; made if missing.
    config_text: the whole config; what gin holds when None.

  Returns:
    The trained model.

  Raises:
    ValueError: the folder holds another run's config.
    core.checkpoints.NotFiniteError: a loss or a weight became NaN.
    core.checkpoints.SaveError: a checkpoint could not be written.
    core.callbacks.Preempted: SIGTERM arrived; the state is saved.
    core.callbacks.WorkerLost: another process of the cluster has gone.

  Example:
    run = Run(experiment=Clustering(dataset="digits", n_clusters=10))
    model = train(run, "runs/digits")
  """
  start = time.monotonic()
  with config.full_names():
    config_text = gin.config_str() if config_text is None else config_text
  strategy = run.set_up()
  with _one_line_of_a_lost_worker(strategy):
    return _train(run, strategy, model_dir, config_text, start)


def _train(run, strategy, model_dir, config_text, start):
  """What `train` does under its strategy."""
  chief = strategies.is_chief(strategy)
  if chief:
    records.check_config(model_dir, config_text)
  data = _datasets(run, strategy)
  model = run.build(strategy)
  calls, state = callbacks_lib.build(run, model, model_dir, config_text, chief)
  store = checkpoints_lib.Checkpoints(model, model_dir, state, strategy)
  _start(run, model, model_dir, store, chief)
  if chief:
    # Not before the data, the model and the warm start are there: settings that
    # they refuse leave no config that would refuse the mended ones.
    records.write_config(model_dir, config_text)
    with config.full_names():
      records.write_text(os.path.join(model_dir, "operative_config.gin"),
                         gin.operative_config_str())

  saver = callbacks_lib.Checkpointing(store, run.save_every,
                                      run.steps_per_epoch)
  saver.set_model(model)
  saver.listen()
  try:
    for index, stage in enumerate(data.stages):
      if index < int(model.stage.numpy()):
        continue
      if "best" in calls and calls["best"].ended:
        break
      _fit_stage(run, strategy, model, data, stage, calls, saver)
      model.stage.assign(index + 1)
      model.step.assign(0)
      store.save()
  finally:
    saver.close()
    strategies.remove_own(store.folder, strategy)  # of a save that was cut short
  model.stage_name = ""
  if not data.stages:
    store.save()
  if chief:
    _record_seconds(model_dir, time.monotonic() - start)
  return model


@contextlib.contextmanager
def _one_line_of_a_lost_worker(strategy):
  """Says that another process has gone, which a block can't go on without, and ends with 75."""
  try:
    yield
  except strategies.LOST as error:
    if strategies.n_workers(strategy) == 1:
      raise
    print(f"lost a worker ({type(error).__name__}); start all of them again with the same "
          "commands: they go on from the last save", file=sys.stderr, flush=True)
    raise callbacks_lib.WorkerLost(callbacks_lib.PREEMPTED) from error


def _datasets(run, strategy):
  """The data; on several workers the chief's first, which makes the sets that aren't there."""
  if strategies.is_chief(strategy):
    data = run.experiment.datasets()
    strategies.of_workers(strategy, 0)
  else:
    strategies.of_workers(strategy, 0)
    data = run.experiment.datasets()
  return data


def _start(run, model, model_dir, store, chief):
  """Restores the newest checkpoint, or warm-starts, and says so."""
  restored = store.restore()
  step = int(model.total_steps.numpy())
  steps = strategies.of_workers(store.strategy, step)
  if (steps != step).any():
    raise ValueError(f"the workers begin at the steps {steps.tolist()}; --model_dir must be one "
                     "folder that all of them see")
  if chief:
    # A run killed before its first save has lines, too.
    records.truncate_metrics(model_dir, step)
  if restored is not None:
    print(f"going on from {restored} (step {step})", flush=True)
  elif run.warm_start:
    source = checkpoints_lib.warm_start(
        model, run.warm_start, run.warm_start_modules)
    print(f"warm start from {source}", flush=True)


def _fit_stage(run, strategy, model, data, stage, calls, saver):
  """Runs the steps of a stage that are still to do."""
  done = int(model.step.numpy())
  model.stage_name = stage.name
  model.make_train_function(force=True)
  if done == 0:
    with strategy.scope():
      model.begin_stage(stage.name)
    if "ema" in calls:
      calls["ema"].restart(model)
  calls["plateau"].begin(stage.plateau, fresh=done == 0)
  if "progress" in calls:
    calls["progress"].begin(stage.steps)
  saver.begin(stage.steps)
  # A run that was killed right where a rule had ended the stage.
  model.stop_training = any(calls[name].ended for name in ("plateau", "best")
                            if name in calls)
  for first, steps, epochs in segments(done, stage.steps, run.steps_per_epoch):
    if model.stop_training:
      break
    with strategy.scope():  # `batches` may ask how many replicas there are.
      batches = stage.batches(first)
    if isinstance(batches, tf.data.Dataset):
      batches = strategies.deal(batches, strategy)
    epoch = first // run.steps_per_epoch
    model.fit(batches, steps_per_epoch=steps, initial_epoch=epoch,
              epochs=epoch + epochs, verbose=0, **_validation(data, strategy),
              callbacks=[*calls.values(), saver])
  if "progress" in calls:
    calls["progress"].end()


def _validation(data, strategy):
  """What `fit` is told of the validation set."""
  found = data.validation
  if found is None or strategies.n_workers(strategy) == 1:
    return {"validation_data": found}
  # Keras wants the steps of what is dealt already, and deals several workers' no other way.
  steps = int(found.reduce(tf.constant(0), lambda count, _: count + 1))
  return {"validation_data": strategies.deal(found, strategy), "validation_steps": steps}


def segments(done, total, per_epoch):
  """Cuts the steps of a stage into calls of `fit`.

  A resumed run finishes the epoch it was in; a budget that isn't a multiple of
  the epoch ends with a short one.

  Args:
    done: steps done.
    total: steps of the stage.
    per_epoch: steps of an epoch.

  Yields:
    `(first step, steps an epoch, number of epochs)`.
  """
  head = min(-done % per_epoch, total - done)
  if head:
    yield done, head, 1
    done += head
  epochs = (total - done) // per_epoch
  if epochs:
    yield done, per_epoch, epochs
    done += epochs * per_epoch
  if done < total:
    yield done, total - done, 1


def _record_seconds(model_dir, seconds):
  """Adds the seconds of this call to `timing.json`; a killed call's are lost."""
  path = os.path.join(model_dir, "timing.json")
  before = records.read_json(path) if os.path.exists(path) else {}
  records.write_json(path, {"train_seconds": round(
      before.get("train_seconds", 0) + seconds, 2)})
