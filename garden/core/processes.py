"""One function in a fresh process, so that it leaves no state behind."""

import contextlib
import multiprocessing
import os


def in_process(name, target, *args, environment=None):
  """Calls `target(*args)` in a fresh process.

  Args:
    name: what runs there, for the message of a failure.
    target: a function that can be imported.
    *args: its arguments; they and the result must pickle.
    environment: variables that the child has beside or in place of the
      parent's. Thread pools read theirs once, when they are loaded.

  Returns:
    What `target` returned.

  Raises:
    ValueError: the process ended with another exit code than 0.

  Example:
    in_process("the sum", sum, [1, 2])  # 3
  """
  context = multiprocessing.get_context("spawn")
  receiver, sender = context.Pipe(duplex=False)
  process = context.Process(target=_send, args=(sender, target, args))
  with _environment(environment or {}):
    process.start()
  sender.close()
  try:
    result = receiver.recv()
  except EOFError:
    result = None
  process.join()
  if process.exitcode:
    raise ValueError(f"{name} ended with exit code {process.exitcode}; see its "
                     "messages above")
  return result


def _send(sender, target, args):
  """Runs in the child."""
  sender.send(target(*args))
  sender.close()


@contextlib.contextmanager
def _environment(values):
  """Sets environment variables for the length of a block."""
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
