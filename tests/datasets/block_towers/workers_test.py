"""Processes that work: results in order, and one line where one of them fails."""

import io
import os
import signal
import time

import pytest

from garden.datasets.block_towers import workers


def square(task, advance):
  advance(1)
  return task * task


def fail_at_two(task, advance):
  if task == 2:
    raise RuntimeError("no tower\nwith two blocks")
  return square(task, advance)


def die_at_two(task, advance):
  if task == 2:
    os.kill(os.getpid(), signal.SIGKILL)
  return square(task, advance)


def environment(task, advance):
  del advance
  return os.environ.get(task)


def write_forever(task, advance):
  while True:
    advance(1)
    with open(task, "a", encoding="utf-8") as file:
      file.write(f"{os.getpid()}\n")
    time.sleep(0.02)


def test_results_come_in_the_order_of_the_tasks():
  counts = []
  assert workers.run(square, range(7), 2, counts.append) == [k * k for k in range(7)]
  assert sum(counts) == 7
  assert workers.run(square, range(3), 1, counts.append) == [0, 1, 4]
  assert workers.run(square, [], 4, counts.append) == []


def test_each_has_one_thread_and_this_process_keeps_its_own(monkeypatch):
  monkeypatch.setenv("OMP_NUM_THREADS", "7")
  monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
  names = ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"]
  assert workers.run(environment, names, 2, None) == ["1", "1"]
  assert os.environ["OMP_NUM_THREADS"] == "7" and "TF_NUM_INTRAOP_THREADS" not in os.environ


def test_an_error_is_one_line_with_its_traceback_as_cause():
  with pytest.raises(ValueError) as caught:
    workers.run(fail_at_two, range(4), 2, lambda towers: None)
  assert str(caught.value) == "a worker failed: no tower with two blocks"
  assert "fail_at_two" in str(caught.value.__cause__)


def test_a_killed_process_is_one_line():
  with pytest.raises(ValueError, match="a worker process was killed; perhaps memory.*go on$"):
    workers.run(die_at_two, range(4), 2, lambda towers: None)


def test_workers_end_with_the_process_that_started_them(tmp_path):
  # A child of a child: it is killed, and what it had started must stop by itself.
  import multiprocessing

  files = [str(tmp_path / "a"), str(tmp_path / "b")]
  parent = multiprocessing.get_context("spawn").Process(target=start_two, args=(files,))
  parent.start()
  _wait(lambda: all(os.path.exists(file) for file in files))
  parent.kill()
  parent.join()
  pids = [int(open(file, encoding="utf-8").readline()) for file in files]
  _wait(lambda: not any(_runs(pid) for pid in pids))


def start_two(files):
  workers.run(write_forever, files, 2, lambda towers: None)


def _runs(pid):
  try:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
      return file.read().rsplit(")", 1)[1].split()[0] != "Z"
  except OSError:
    return False


def _wait(done, seconds=30):
  end = time.monotonic() + seconds
  while not done():
    assert time.monotonic() < end
    time.sleep(0.02)


class _Terminal(io.StringIO):

  def isatty(self):
    return True


def test_progress_is_lines_or_a_bar(monkeypatch):
  now = [0.0]
  monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
  lines, terminal = io.StringIO(), _Terminal()
  both = [workers.Progress("few", 100, lines), workers.Progress("few", 100, terminal)]
  for _ in range(10):
    now[0] += 10.0
    for one in both:
      one.advance(10)
  for one in both:
    one.close()
  assert lines.getvalue().splitlines() == [
      "few: 30/100 towers, 1/s, 0:01:10 left", "few: 60/100 towers, 1/s, 0:00:40 left",
      "few: 90/100 towers, 1/s, 0:00:10 left", "few: 100/100 towers, 1/s, 0:00:00 left"]
  assert "\r\x1b[K[##########..........] few: 50/100" in terminal.getvalue()
  assert terminal.getvalue().endswith("left\n")


def test_progress_without_work_is_silent():
  stream = io.StringIO()
  workers.Progress("none", 0, stream).close()
  assert stream.getvalue() == ""
