"""Tasks spread over processes, so that a failure of any of them ends the whole in one line.

Processes are spawned, never forked: a fork copies TensorFlow's and OpenGL's threads half-dead.
Each has one thread. Which process takes which task is left to chance, so a task's result must
depend on the task alone.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import connection

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
     "TF_NUM_INTEROP_THREADS", "LP_NUM_THREADS"), "1")
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


class Progress:
  """How far a generation is: a bar on a terminal, a line every so often elsewhere.

  Args:
    name: of what is made.
    total: number of towers to make.
    stream: where to write; standard error when None.
    seconds: between two lines where there is no terminal.
  """

  def __init__(self, name: str, total: int, stream=None, seconds: float = 30.0):
    self.done = 0
    self._name, self._total, self._stream = name, total, stream or sys.stderr
    self._bar = self._stream.isatty()
    self._wait = 0.2 if self._bar else seconds
    self._start = self._shown = time.monotonic()

  def advance(self, towers: int):
    """Counts towers, and shows them if it's time to."""
    self.done += towers
    now = time.monotonic()
    if now - self._shown >= self._wait:
      self._shown = now
      self._show(now)

  def close(self):
    """Shows the end, whether it was reached or not."""
    if self.done:
      self._show(time.monotonic())
      if self._bar:
        print(file=self._stream, flush=True)

  def _show(self, now):
    rate = self.done / max(now - self._start, 1e-9)
    left = round((self._total - self.done) / rate)
    text = (f"{self._name}: {self.done}/{self._total} towers, {rate:.0f}/s, "
            f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left")
    if self._bar:
      full = 20 * self.done // self._total
      text = f"\r\x1b[K[{'#' * full}{'.' * (20 - full)}] {text}"
    print(text, end="" if self._bar else "\n", file=self._stream, flush=True)


def run(function: Callable, tasks: Sequence, processes: int, advance: Callable) -> list:
  """Calls `function(task, advance)` for each task in several processes.

  Args:
    function: importable; the second argument is a function of a number that it calls as it
      gets on.
    tasks: what to do; tasks and results must pickle.
    processes: how many at most; 1 runs in the calling process. More need a caller whose main
      module may be imported: a script keeps its work below `if __name__ == "__main__":`.
    advance: called in this process with each number that a task passes on.

  Returns:
    The results, in the order of the tasks.

  Raises:
    ValueError: a task raised an error (its message; the traceback is the error's cause), or
      a process was killed. The other processes are ended first.
  """
  if min(processes, len(tasks)) <= 1:
    return [function(task, advance) for task in tasks]
  context = multiprocessing.get_context("spawn")
  waiting = list(enumerate(tasks))[::-1]
  results, team = [None] * len(tasks), {}
  try:
    with _environment({**_QUIET, **_ONE_THREAD}):
      for _ in range(min(processes, len(tasks))):
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, function), daemon=True)
        process.start()
        theirs.close()
        team[ours] = process
    for pipe, process in team.items():
      _send(pipe, process, waiting.pop())
    busy = set(team)
    while busy:
      for pipe in connection.wait(busy):
        kind, number, value = _receive(pipe, team[pipe])
        if kind == "advance":
          advance(value)
        elif kind == "error":
          message, trace = value
          raise ValueError(f"a worker failed: {message}") from _InWorker(trace)
        else:
          results[number] = value
          if waiting:
            _send(pipe, team[pipe], waiting.pop())
          else:
            busy.discard(pipe)
    return results
  finally:
    for pipe, process in team.items():
      pipe.close()
      process.terminate()
    for process in team.values():
      process.join()


class _InWorker(Exception):
  """The traceback of a worker, as text."""


def _receive(pipe, process):
  try:
    return pipe.recv()
  except (EOFError, ConnectionError):
    raise _killed(process) from None


def _send(pipe, process, message):
  try:
    pipe.send(message)
  except ConnectionError:
    raise _killed(process) from None


def _killed(process):
  process.join(timeout=5)
  code = process.exitcode or 0
  if code == -signal.SIGKILL:
    how = "was killed; perhaps memory ran out, then fewer processes help"
  elif code < 0:
    how = f"was ended by {signal.Signals(-code).name}"
  else:
    how = f"ended with exit code {code}, see its messages above"
  return ValueError(f"a worker process {how}. What is finished is kept: run it again to go on")


def _work(pipe, function):
  """Runs in a worker until its pipe closes, be it that the other process died."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to deal with
  try:
    while True:
      number, task = pipe.recv()
      try:
        result = function(task, lambda towers: pipe.send(("advance", None, towers)))
      except ConnectionError:
        raise
      except Exception as error:  # noqa: BLE001 - whatever it is, the parent tells it
        message = " ".join(str(error).split()) or type(error).__name__
        pipe.send(("error", number, (message, traceback.format_exc())))
        return
      pipe.send(("result", number, result))
  except (EOFError, ConnectionError):
    return


@contextlib.contextmanager
def _environment(values):
  """Sets variables while processes start: thread pools read theirs when they are loaded."""
  before = {name: os.environ.get(name) for name in values}
  os.environ.update(values)
  try:
    yield
  finally:
    for name, value in before.items():
      if value is None:
        del os.environ[name]
      else:
        os.environ[name] = value
