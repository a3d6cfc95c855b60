"""Configs and flags with a mistake in them: a run, or one line and exit code 2; never a traceback.

The mistakes are drawn from a seed; each is tried in this process on one of the small configs, some
of them as a dry run, the others with one step of each stage.
"""

import hashlib
import random
import re

import pytest

from garden.core import config
from garden.core import train

_CONFIGS = [name for name in config.shipped() if name.endswith("tiny.gin")]
_VALUES = (
  "0", "-1", "1", "2", "3.5", "-0.5", "1e-30", "1e30", "1e400", "-1e400", "1000000000000", "True",
  "None", "''", "'x'", "'0'", "'mirrored'", "b'x'", "()", "[]", "{}", "(1,)", "(0, 0)", "(-1, -1)",
  "(1, 2, 3)", "('a', 'b')", "[1, 'a']", "(None,)", "{'a': 1}", "((1, 2), 3)", "1j", "...",
  "@Run", "@Run()", "@nothing()", "%NOTHING", "%SEED",
)  # fmt: skip
_BROKEN = (
  "SEED", "= 3", "SEED =", "SEED == 1", "SEED = 'a", "SEED = (1, 2", "SEED = 1)", "SEED = 1 2",
  "SEED = 1, 2", "SEED = @", "SEED = %", "SEED = a", "1 = 2", "SEED.x = 1", "Run. = 1", ".seed = 1",
  "a/b/Run.seed =", "import nothing", "import", "from garden import nothing", "include 'gone.gin'",
  "include", "include 7", "@@", "[", "\x00", "SEED = '\x00'", "'''", "SEED = 1 +", "é = 1",
  "garden.Run.seed.seed = 1", "Run.experiment = @Run", "SEED = --1", "SEED = 0x", "SEED = 1e",
  "SEED = 08", "for x in y: pass", "SEED = lambda: 1", "SEED = __import__('os')",
)  # fmt: skip
_STRATEGIES = ("", "Mirrored", "mirored", "tpu", "one_device ", "default\n", "multi_worker")


def _bindings(name):
  """Name -> value, as text, of a shipped config's bindings that stand on one line."""
  text = config.load([name])
  return dict(re.findall(r"^([\w./]+) = (.*[^\\\n])$", text, re.MULTILINE))


def _other_value(rng, bindings):
  name = rng.choice(sorted(bindings))
  return [f"--gin_bindings={name} = {rng.choice(_VALUES)}"]


def _swapped_value(rng, bindings):
  name, other = rng.sample(sorted(bindings), 2)
  return [f"--gin_bindings={name} = {bindings[other]}"]


def _runs_value(rng, _):
  name = rng.choice(["steps_per_epoch", "steps_per_execution", "save_every", "ema_decay", "seed",
                     "best_metric", "best_mode", "early_stop_patience", "warm_start", "precision",
                     "warm_start_modules", "tensorboard", "profile_steps", "jit_compile",
                     "deterministic", "strategy"])  # fmt: skip
  return [f"--gin_bindings=Run.{name} = {rng.choice(_VALUES)}"]


def _other_name(rng, bindings):
  name = rng.choice(sorted(bindings))
  place = rng.randrange(len(name))
  letter = rng.choice(["", "x", name[place] * 2, ".", "/", " "])
  return [f"--gin_bindings={name[:place]}{letter}{name[place + 1:]} = {bindings[name]}"]


def _no_gin(rng, _):
  return [f"--gin_bindings={rng.choice(_BROKEN)}"]


def _strategy(rng, _):
  return [f"--gin_bindings=Run.strategy = {rng.choice(_STRATEGIES)!r}"]


def _flag(rng, bindings):
  name = rng.choice(sorted(bindings))
  return rng.choice([
    ["--gin_file"], ["--gin_file="], ["--gin_file=."], ["--gin_file=/dev/null"],
    ["--gin_file=gone.gin"], ["--gin_file=runtime/deterministic.gin"] * 2, ["--gin_bindings"],
    ["--gin_bindings="], ["--model_dir"], ["--model_dir="], ["--model_dir=/dev/null"],
    ["--model_dir=/dev/null/a"], ["--model_dir=\x00"], ["--model_dir=/proc/a"], ["--dry_run=2"],
    ["--dry_run=", "a"], ["--nodry_run=1"], ["--best"], ["--model-dir=a"], ["-x"], ["--"],
    ["--", "--dry_run"], ["--gin_file=" + "a" * 5000], [f"--{name}=1"], ["--flagfile=gone"],
    ["--undefok=a", "--a"], ["--model_dir=" + "b" * 300],
  ])  # fmt: skip


_KINDS = (_other_value, _other_value, _other_value, _swapped_value, _runs_value, _other_name,
          _no_gin, _strategy, _flag)  # fmt: skip


def _mutation(seed):
  """The config and the arguments of a seed, with one or two mistakes."""
  rng = random.Random(seed)
  name = rng.choice(_CONFIGS)
  bindings = _bindings(name)
  mistakes = [rng.choice(_KINDS)(rng, bindings) for _ in range(rng.choice([1, 1, 1, 2]))]
  return name, sum(mistakes, []) + (["--dry_run"] if rng.random() < 0.3 else [])


def _snapshot(folder):
  """Path -> digest of every file below a folder; folders have none."""
  return {
    path.relative_to(folder): path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest()
    for path in folder.rglob("*")
  }


@pytest.fixture
def assert_a_run_or_one_line(binary, tmp_path, monkeypatch):
  """A function of a seed that tries its mistakes."""
  monkeypatch.chdir(tmp_path)
  # One step of each stage, however many there are.
  monkeypatch.setattr(train, "segments", lambda done, total, _: [(done, 1, 1)] * (done < total))

  def check(seed):
    name, arguments = _mutation(seed)
    folder = tmp_path / f"{seed}"
    folder.mkdir()
    (folder / "kept").write_text("here before")
    before = _snapshot(tmp_path)
    code, _, err = binary("train", f"--gin_file={name}", f"--model_dir={folder}", *arguments)
    said = f"seed {seed}: train --gin_file={name} {arguments} -> {code}\n{err}"
    assert code in (0, 2), said
    assert "Traceback" not in err, said
    if code == 2:
      # Towers that weren't there are made first, with a line on how many.
      (line,) = [line for line in err.splitlines() if not re.match(r"\w+: \d+/\d+ ", line)]
      assert line.startswith("train: "), said
      if " at step " not in err:  # it was trained until a loss was NaN
        assert _snapshot(tmp_path) == before, said

  return check


@pytest.mark.parametrize("seed", range(25))
def test_a_mistake_is_one_line_or_none(assert_a_run_or_one_line, seed):
  assert_a_run_or_one_line(seed)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(25, 525))
def test_five_hundred_mistakes_are_one_line_or_none(assert_a_run_or_one_line, seed):
  assert_a_run_or_one_line(seed)
