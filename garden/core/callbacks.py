"""The callbacks of `fit`, made in one place: `build`.

Those that hold state keep it in a `tf.Module`, so that checkpoints carry it.
"""

import contextlib
import os
import signal
import sys
import threading
import time

import numpy as np
import tensorflow as tf

from garden.core import checkpoints as checkpoints_lib
from garden.core import records
from garden.core import strategies

#: Exit code of a run that SIGTERM or a lost worker ended: start it again.
PREEMPTED = 75


class Preempted(SystemExit):
  """SIGTERM arrived; the state is saved. Exits with code 75."""


class WorkerLost(SystemExit):
  """Another process of the cluster has gone, so no step can end. Exits with code 75."""


class NaNStop(tf.keras.callbacks.Callback):
  """Ends training when a value that the step returns isn't finite."""

  def on_train_batch_end(self, batch, logs=None):
    for name, value in (logs or {}).items():
      if not np.all(np.isfinite(value)):
        raise checkpoints_lib.NotFiniteError(
            f"{name} is {float(np.mean(value))} at step "
            f"{int(self.model.total_steps.numpy())} of the run; the "
            "checkpoints saved before stay; lower the learning rate and start "
            "again")


class Checkpointing(tf.keras.callbacks.Callback):
  """Saves every `every` steps and on SIGTERM; carries an epoch's means along.

  Args:
    store: the run's `Checkpoints`.
    every: steps between two saves.
    steps_per_epoch: steps of an epoch.
  """

  def __init__(self, store, every, steps_per_epoch):
    super().__init__()
    self.store = store
    self.every = every
    self.steps_per_epoch = steps_per_epoch
    self.stop_signal = threading.Event()
    self._stage_steps = 0
    self._last = 0
    self._carried = None
    self._handler = None

  def begin(self, stage_steps):
    """Begins a stage of so many steps.

    Keeps the means of a half-done epoch, which Keras resets at its start.
    """
    self._stage_steps = stage_steps
    self._last = int(self.model.total_steps.numpy())
    self._carried = None
    done = int(self.model.step.numpy())
    if done % self.steps_per_epoch and done < stage_steps:
      self._carried = [(v, v.numpy()) for m in self.model.metrics
                       for v in m.variables]

  def listen(self):
    """Saves and stops at the next step when SIGTERM arrives."""
    if threading.current_thread() is threading.main_thread():
      self._handler = signal.signal(
          signal.SIGTERM, lambda *_: self.stop_signal.set())

  def close(self):
    """Gives SIGTERM back to whoever had it."""
    if self._handler is not None:
      signal.signal(signal.SIGTERM, self._handler)
      self._handler = None

  def on_epoch_begin(self, epoch, logs=None):
    for variable, value in self._carried or ():
      variable.assign(value)
    self._carried = None

  def on_train_batch_end(self, batch, logs=None):
    # At an epoch's end the other callbacks still have to see it, or a run
    # resumed from this save would never: wait for `on_epoch_end`.
    step = int(self.model.step.numpy())
    if step % self.steps_per_epoch and step != self._stage_steps:
      self._save_if_due()

  def on_epoch_end(self, epoch, logs=None):
    self._save_if_due()

  def _save_if_due(self):
    step = int(self.model.total_steps.numpy())
    # A cluster's manager may stop one of its machines: all of them save, at the same step.
    if strategies.of_workers(self.store.strategy, self.stop_signal.is_set()).any():
      self.store.save()
      print(f"SIGTERM: saved at step {step}; the same command goes on from "
            "there", file=sys.stderr)
      raise Preempted(PREEMPTED)
    if step // self.every > self._last // self.every:
      self.store.save()
    self._last = step


class PlateauStop(tf.keras.callbacks.Callback):
  """`experiment.Plateau`, with its state in the checkpoint.

  Args:
    plateau: the rule, or None for a stage without one.
  """

  def __init__(self):
    super().__init__()
    self.plateau = None
    self.state = tf.Module()
    self.state.best = tf.Variable(np.inf, dtype=tf.float64, trainable=False)
    self.state.wait = tf.Variable(0, dtype=tf.int64, trainable=False)

  @property
  def ended(self):
    """Whether the rule has ended the stage; told by the state, so it is saved."""
    return (self.plateau is not None
            and int(self.state.wait) >= self.plateau.patience)

  def begin(self, plateau, fresh):
    """Sets the rule of a stage; `fresh` forgets the stage before."""
    self.plateau = plateau
    if fresh:
      self.state.best.assign(np.inf)
      self.state.wait.assign(0)

  def on_epoch_end(self, epoch, logs=None):
    rule = self.plateau
    if rule is None:
      return
    if rule.monitor not in logs:
      raise ValueError(f"the plateau rule watches {rule.monitor!r}, but the "
                       f"step returns {', '.join(sorted(logs))}")
    value = float(logs[rule.monitor])
    if value < float(self.state.best) * (1 - rule.min_improvement):
      self.state.best.assign(value)
      self.state.wait.assign(0)
      return
    self.state.wait.assign_add(1)
    if not self.ended:
      return
    rate = getattr(self.model, rule.optimizer).learning_rate
    lower = float(rate.numpy()) * rule.factor
    # Single precision must not keep a rate from its floor.
    if lower < rule.floor * (1 - 1e-5) or not rule.factor:
      self.model.stop_training = True
    else:
      rate.assign(lower)
      self.state.wait.assign(0)


class MovingAverage(tf.keras.callbacks.Callback):
  """A moving average of the weights: `a <- d a + (1 - d) w` after each step.

  Keras's own (`use_ema`) fails in models with two optimizers. Evaluation during
  training sees the averages; so do `evaluate` and `export`. With k steps inside
  a graph call, the average is taken once a call, with d^k.

  Args:
    model: the built model.
    decay: d, in (0, 1).
  """

  def __init__(self, model, decay):
    super().__init__()
    self.decay = decay
    self.state = tf.Module()
    self.state.averages = [tf.Variable(v, trainable=False, name="average")
                           for v in model.trainable_variables]
    self._kept = None
    self._step = None

  def restart(self, model):
    """Begins anew at the weights as they are, when a stage has set them."""
    for average, weight in zip(self.state.averages, model.trainable_variables):
      average.assign(weight)

  def on_train_begin(self, logs=None):
    self._step = int(self.model.total_steps.numpy())

  def on_train_batch_end(self, batch, logs=None):
    step = int(self.model.total_steps.numpy())
    decay = self.decay ** (step - self._step)
    self._step = step
    for average, weight in zip(self.state.averages,
                               self.model.trainable_variables):
      average.assign(decay * average + (1 - decay) * weight)

  def apply(self, model):
    """Gives the model the averages."""
    for average, weight in zip(self.state.averages, model.trainable_variables):
      weight.assign(average)

  def on_test_begin(self, logs=None):
    self._kept = [v.numpy() for v in self.model.trainable_variables]
    self.apply(self.model)

  def on_test_end(self, logs=None):
    for weight, value in zip(self.model.trainable_variables, self._kept):
      weight.assign(value)

  @contextlib.contextmanager
  def applied(self):
    """Gives the model the averages for the length of a block."""
    self.on_test_begin()
    try:
      yield
    finally:
      self.on_test_end()


class BestCheckpoint(tf.keras.callbacks.Callback):
  """Keeps the best checkpoint; ends training when it doesn't get better.

  Args:
    model_dir: folder of the run.
    metric: name of a logged value.
    mode: "min" or "max".
    patience: epochs without a better value before training ends, or None.
    average: the `MovingAverage` whose weights are to be kept, or None.
  """

  def __init__(self, model_dir, metric, mode, patience=None, average=None):
    super().__init__()
    self.model_dir = model_dir
    self.metric = metric
    self.sign = 1.0 if mode == "min" else -1.0
    self.patience = patience
    self.average = average
    self.state = tf.Module()
    self.state.best = tf.Variable(np.inf, dtype=tf.float64, trainable=False)
    self.state.wait = tf.Variable(0, dtype=tf.int64, trainable=False)

  @property
  def ended(self):
    """Whether training has ended early; told by the state, so it is saved."""
    return self.patience is not None and int(self.state.wait) >= self.patience

  def on_epoch_end(self, epoch, logs=None):
    if self.metric not in logs:
      raise ValueError(
          f"Run.best_metric is {self.metric!r}, but this run logs "
          f"{', '.join(sorted(logs))}")
    value = float(logs[self.metric])
    if self.sign * value < float(self.state.best):
      self.state.best.assign(self.sign * value)
      self.state.wait.assign(0)
      with self.average.applied() if self.average else contextlib.nullcontext():
        checkpoints_lib.save_best(
            self.model, self.model_dir, self.metric, value,
            int(self.model.total_steps.numpy()))
      return
    self.state.wait.assign_add(1)
    if self.ended:
      self.model.stop_training = True


class MetricsLog(tf.keras.callbacks.Callback):
  """Appends a line an epoch to `metrics.jsonl`."""

  def __init__(self, model_dir):
    super().__init__()
    self.model_dir = model_dir

  def on_epoch_end(self, epoch, logs=None):
    records.append_metrics(self.model_dir, {
        "stage": self.model.stage_name, "step": int(self.model.step.numpy()),
        "total_steps": int(self.model.total_steps.numpy()),
        **{k: float(v) for k, v in logs.items()}, **learning_rates(self.model)})


class TensorBoard(tf.keras.callbacks.Callback):
  """Scalars and images by step, the config as text, and a profile.

  Args:
    model_dir: folder of the run.
    config_text: the whole config.
    profile_steps: first and last step to profile, or None.
  """

  def __init__(self, model_dir, config_text, profile_steps=None):
    super().__init__()
    self.folder = os.path.join(model_dir, "tensorboard")
    self.config_text = config_text
    self.profile_steps = profile_steps
    self.writer = None
    self._profiling = False

  def _open(self):
    if self.writer is None:
      self.writer = tf.summary.create_file_writer(self.folder)
      with self.writer.as_default(step=0):
        indented = "\n".join(f"    {line}"
                             for line in self.config_text.splitlines())
        tf.summary.text("config", indented)
    return self.writer

  def on_train_batch_begin(self, batch, logs=None):
    if self.profile_steps and not self._profiling:
      step = int(self.model.total_steps.numpy())
      if self.profile_steps[0] <= step < self.profile_steps[1]:
        tf.profiler.experimental.start(self.folder)
        self._profiling = True

  def on_train_batch_end(self, batch, logs=None):
    if self._profiling and (int(self.model.total_steps.numpy())
                            >= self.profile_steps[1]):
      tf.profiler.experimental.stop()
      self._profiling = False

  def on_epoch_end(self, epoch, logs=None):
    step = int(self.model.total_steps.numpy())
    with self._open().as_default(step=step):
      for name, value in {**logs, **learning_rates(self.model)}.items():
        tf.summary.scalar(f"{self.model.stage_name}/{name}", value)
      for name, images in self.model.summary_images().items():
        tf.summary.image(name, images)

  def on_train_end(self, logs=None):
    if self._profiling:
      tf.profiler.experimental.stop()
      self._profiling = False
    if self.writer is not None:
      self.writer.flush()


class Warnings(tf.keras.callbacks.Callback):
  """Prints what `GardenModel.epoch_warnings` says, once while it stays so.

  Args:
    stream: where to write; standard error when None.
  """

  def __init__(self, stream=None):
    super().__init__()
    self.stream = stream
    self._shown = set()

  def on_epoch_end(self, epoch, logs=None):
    found = self.model.epoch_warnings(logs)
    for sign, sentence in found.items():
      if sign not in self._shown:
        print(f"warning, step {int(self.model.total_steps.numpy())}: {sentence}",
              file=self.stream or sys.stderr, flush=True)
    self._shown = set(found)


class Progress(tf.keras.callbacks.Callback):
  """A moving line on a terminal; a line an epoch elsewhere.

  Args:
    stream: where to write; standard output when None.
  """

  def __init__(self, stream=None):
    super().__init__()
    self.stream = stream
    self.total = 0
    self._start = time.monotonic()
    self._shown = 0.0

  def begin(self, total):
    """Sets the number of steps of a stage."""
    self.total = total
    self._start = time.monotonic()

  def _line(self, logs):
    done = int(self.model.step.numpy())
    values = "  ".join(f"{k} {float(v):.4g}" for k, v in logs.items())
    seconds = time.monotonic() - self._start
    return (f"{self.model.stage_name} {done}/{self.total}  {values}  "
            f"{seconds:.0f} s")

  def _stream(self):
    return self.stream or sys.stdout

  def on_train_batch_end(self, batch, logs=None):
    now = time.monotonic()
    if self._stream().isatty() and now - self._shown > 0.2:
      self._shown = now
      print(f"\r\x1b[K{self._line(logs)[:110]}", end="", file=self._stream(),
            flush=True)

  def on_epoch_end(self, epoch, logs=None):
    lead, end = ("\r\x1b[K", "") if self._stream().isatty() else ("", "\n")
    print(f"{lead}{self._line(logs)}", end=end, file=self._stream(), flush=True)

  def end(self):
    """Ends the moving line."""
    if self._stream().isatty():
      print(file=self._stream())


def learning_rates(model):
  """`{"learning_rate": …}`, one an optimizer of the model."""
  rates = {}
  for name, optimizer in model.optimizers().items():
    key = name.replace("optimizer", "learning_rate").strip("_")
    rates[key] = float(optimizer.learning_rate.numpy())
  return rates


def build(run, model, model_dir, config_text, chief=True):
  """Makes the callbacks of a run.

  Args:
    run: the `Run`.
    model: the built model.
    model_dir: folder of the run.
    config_text: the whole config, for TensorBoard.
    chief: whether this process writes the records.

  Returns:
    `(callbacks by name, trackable state by name)`. The checkpointing callback
    isn't among them: it needs the state. It has to come after `nan_stop`, so
    that a bad step is never saved.
  """
  calls = {"nan_stop": NaNStop()}
  if run.ema_decay is not None:
    calls["ema"] = MovingAverage(model, run.ema_decay)
  calls["plateau"] = PlateauStop()
  if run.best_metric is not None:  # on all workers: it may end training
    calls["best"] = BestCheckpoint(model_dir, run.best_metric, run.best_mode,
                                   run.early_stop_patience, calls.get("ema"))
  if chief:
    calls["log"] = MetricsLog(model_dir)
    if run.tensorboard:
      calls["tensorboard"] = TensorBoard(model_dir, config_text,
                                         run.profile_steps)
    calls["progress"] = Progress()
    calls["warnings"] = Warnings()
  state = {name: call.state for name, call in calls.items()
           if hasattr(call, "state")}
  return calls, state
