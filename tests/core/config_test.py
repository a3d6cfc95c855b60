"""Tests of finding, reading and refusing gin files, and of every shipped one."""

import os
import pathlib
import re
import sys
import types

import numpy as np
import pytest

from garden.core import config
from garden.core import reproduce
from garden.core import run as run_lib

_NAMES = config.shipped()
_RUNTIME = [name for name in _NAMES if name.startswith("runtime/")]
_TABLES = [name for name in _NAMES if name.endswith("/results.gin")]
_TEXTS = {name: pathlib.Path(config.root(), name).read_text(encoding="utf-8") for name in _NAMES}
_INCLUDED = set(re.findall(r"^include '(.+)'", "\n".join(_TEXTS.values()), re.M))


def _names_its_command(name):
  text = _TEXTS[name]
  return f"--gin_file {name}" in text or "garden-benchmark --room" in text


# Pieces of others: built wherever those are.
_PARTS = [name for name in _NAMES if name in _INCLUDED and not _names_its_command(name)]
_EXPERIMENTS = [name for name in _NAMES if name not in _RUNTIME + _TABLES + _PARTS]
#: Values of the macros that a config may leave to its user.
_VALUES = {
  "DATASET": "'digits'",
  "N_CLUSTERS": "10",
  "FINETUNE_STEPS": "1",
  "EXPRESSION_WEIGHT": "1.0",
  "ALPHA": "0.2",
  "DIM": "3",
  "EXPONENT": "1.0",
  "SOURCE": "'digits'",
  "LABELED": "'digits'",
  "UNLABELED": "'digits'",
  "TEST": "'digits'",
  "FOLDER": "'people/'",
}
_BASE = """
import garden.subspace
SEED = 3
Run.experiment = @subspace.Clustering()
Run.seed = %SEED
"""


def _write(folder, name, text):
  path = folder / name
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text, encoding="utf-8")
  return str(path)


def _load_complete(name, bindings=()):
  """Loads a shipped config, with values for the macros that it asks for."""
  try:
    return config.load([name], bindings)
  except ValueError as error:
    asked = str(error)
  given = [f"{macro} = {value}" for macro, value in _VALUES.items() if macro in asked]
  assert given, asked
  return config.load([name], [*given, *bindings])


def test_configs_are_shipped_under_posix_names():
  assert "subspace/tiny.gin" in _NAMES
  assert "runtime/deterministic.gin" in _NAMES
  assert sorted(_NAMES) == _NAMES


def test_resolve_takes_a_path_before_a_shipped_name(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  shipped = config.resolve("subspace/tiny.gin")
  assert shipped == os.path.join(config.root(), "subspace", "tiny.gin")
  assert config.resolve("subspace/tiny") == shipped
  own = _write(tmp_path, "subspace/tiny.gin", "")
  assert config.resolve("subspace/tiny.gin") == own
  assert config.resolve(shipped) == shipped


def test_an_unknown_file_is_told_with_the_nearest_name():
  with pytest.raises(FileNotFoundError, match=r"'subspace/tyni'.*did you mean subspace/tiny\.gin"):
    config.resolve("subspace/tyni")
  with pytest.raises(FileNotFoundError, match=r"did you mean \w+/tiny\.gin"):
    config.resolve("tiny.gin")


@pytest.mark.parametrize(
  ("bindings", "message"),
  [
    (["subspace.Clusterin.p = 1"], r"subspace\.Clusterin.*did you mean subspace\.Clustering"),
    (["Run.experiment = @subspace.Clusterin()"], r"did you mean subspace\.Clustering"),
    (["Run.sede = 1"], r"'sede'.*did you mean seed\?.*\(it has experiment, seed"),
    (["subspace.Clustering.finetune_step = 1"], r"did you mean finetune_steps"),
    (["Run.seed = %SEDE"], r"macro %SEDE is used but never set; did you mean SEED"),
    (["SEDE = 1"], r"macro SEDE is set but nothing uses it; did you mean SEED"),
    (["Run.seed 1"], r"Run\.seed 1.*not gin syntax"),
    (["import garden.subspac"], r"No module named 'garden\.subspac'"),
  ],
)
def test_a_mistake_is_one_line_with_the_nearest_name(tmp_path, bindings, message):
  path = _write(tmp_path, "a.gin", _BASE)
  with pytest.raises(ValueError, match=message) as caught:
    config.load([path], bindings)
  assert "\n" not in str(caught.value).split("\n  In call")[0]


@pytest.mark.parametrize("line", ["import garden.aaa", "import  garden.aaa  # the room"])
def test_a_file_that_imports_a_room_gets_the_experiments_that_it_offers(
    tmp_path, monkeypatch, line):
  room, asked = types.ModuleType("garden.aaa"), []
  room.__all__ = ["Layer", "Experiment"]
  room.__getattr__ = lambda name: asked.append(name) if name in room.__all__ else None
  monkeypatch.setitem(sys.modules, "garden.aaa", room)
  config.load([_write(tmp_path, "a.gin", line)])
  assert asked == ["Layer", "Experiment"]
  config.load((), [line])
  assert asked == ["Layer", "Experiment"] * 2


def test_a_required_macro_is_asked_for_by_name(tmp_path):
  with pytest.raises(ValueError, match=r"needs a value for DATASET, N_CLUSTERS.*--gin_bindings="):
    config.load(["subspace/base.gin"])
  config.load(["subspace/base.gin"], ["DATASET = 'digits'", "N_CLUSTERS = 10"])


def test_a_required_parameter_is_asked_for_by_name(tmp_path):
  path = _write(tmp_path, "a.gin", _BASE + "Run.save_every = %gin.REQUIRED\n")
  with pytest.raises(ValueError, match=r"needs a value for Run\.save_every"):
    config.load([path])
  config.load([path], ["Run.save_every = 7"])


def test_what_no_config_binds_is_asked_for_by_name(tmp_path):
  config.load([_write(tmp_path, "a.gin", "import garden.subspace\nRun.seed = 1\n")])
  with pytest.raises(RuntimeError, match=r"Required bindings.*experiment"):
    run_lib.Run()


def test_the_lint_reads_code_alone():
  config.lint_macros("A = 1\nf.x = %A\n")
  config.lint_macros("f.x = '%B is prose'\n# C = 2\n")
  config.lint_macros('f.x = "B = 1"\n')
  with pytest.raises(ValueError, match="macro %B is used"):
    config.lint_macros("A = 1\nf.x = [%A, %B]\n")
  with pytest.raises(ValueError, match="macro A is set"):
    config.lint_macros("A = 1\nf.x = '%A'\n")


def test_a_file_of_ones_own_includes_a_shipped_one_from_any_folder(tmp_path, monkeypatch, caplog):
  monkeypatch.chdir(tmp_path)
  _write(tmp_path, "mine.gin", "include 'subspace/tiny.gin'\nN_CLUSTERS = 5\n")
  text = config.load(["mine.gin"])
  assert "N_CLUSTERS = 5" in text and "DATASET = 'digits'" in text
  assert "Path not found" not in caplog.text  # gin's own line, which users take for the bug


def test_a_missing_include_is_told_with_the_nearest_name(tmp_path):
  path = _write(tmp_path, "a.gin", "include 'subspace/bass.gin'\n")
  with pytest.raises(FileNotFoundError, match=r"includes 'subspace/bass\.gin'.*subspace/base\.gin"):
    config.load([path])


def test_later_files_win_and_bindings_win_over_files(tmp_path):
  first = _write(tmp_path, "a.gin", _BASE)
  second = _write(tmp_path, "b.gin", "SEED = 4\n")
  assert "SEED = 4" in config.load([first, second])
  assert "SEED = 5" in config.load([first, second], ["SEED = 5"])
  # A load forgets the one before.
  assert "subspace" not in config.load([second], ["Run.seed = %SEED"])


def test_the_text_of_a_config_reads_back_to_itself(tmp_path):
  text = config.load(["subspace/tiny.gin", "runtime/deterministic.gin"])
  again = config.load([_write(tmp_path, "config.gin", text)])
  assert again == text


@pytest.mark.parametrize("name", _EXPERIMENTS)
def test_every_shipped_experiment_makes_a_run(name):
  _load_complete(name)
  run = run_lib.Run()
  assert run.experiment.room == name.split("/")[0]


@pytest.mark.parametrize("name", _TABLES)
def test_every_shipped_table_loads_and_its_configs_too(name):
  table = reproduce.load(name.split("/")[0])
  assert reproduce.listing(table)[-1].endswith("minutes planned on 2 cores")
  for entry in table.select():
    runs = list(entry.runs())
    assert len({run for run, _, _ in runs}) == len(runs)
    for _, _, bindings in runs[:1] + runs[-1:]:
      config.load([entry.gin_file], bindings)
      assert run_lib.Run().experiment.room == entry.gin_file.split("/")[0]


@pytest.mark.parametrize("name", [n for n in _NAMES if n.endswith("/tiny.gin")])
def test_what_needs_no_download_builds_its_model(name):
  _load_complete(name)
  experiment = run_lib.Run().experiment
  assert experiment.build_model().count_params() > 0
  assert experiment.datasets().stages


def test_a_folder_of_images_builds_its_model(tmp_path):
  from PIL import Image

  rng = np.random.default_rng(0)
  for i in range(6):
    pixels = rng.integers(0, 255, (20, 16), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"{i}.png")
  config.load(["subspace/image_folder.gin"], [f"DATASET = '{tmp_path}'", "N_CLUSTERS = 2"])
  experiment = run_lib.Run().experiment
  assert experiment.build_model().images.shape == (6, 32, 32, 1)


@pytest.mark.parametrize("name", _RUNTIME)
def test_every_runtime_file_combines_with_an_experiment(name):
  plain = config.load(["subspace/tiny.gin"])
  before = run_lib.Run()
  text = config.load(["subspace/tiny.gin", name])
  (line,) = set(text.splitlines()) - set(plain.splitlines())
  parameter = line.split(" = ")[0].split(".")[-1]
  assert getattr(run_lib.Run(), parameter) != getattr(before, parameter)


def test_every_shipped_file_names_its_command_or_is_a_part_of_one_that_does():
  for name in _EXPERIMENTS + _PARTS:
    assert _TEXTS[name].startswith("# "), name
  for name in _EXPERIMENTS:
    assert _names_its_command(name), name
  assert "subspace/base.gin" in _PARTS


def test_a_config_is_written_with_full_names_and_read_where_other_rooms_are(tmp_path):
  texts = {room: config.load([f"{room}/tiny.gin"]) for room in ("subspace", "transfer")}
  for room, text in texts.items():
    assert f"\n{room}.Network.channels = " in text and f"@{room}.Network()" in text
    assert config.load([_write(tmp_path, f"{room}.gin", text)]) == text
    assert run_lib.Run().experiment.room == room


@pytest.mark.parametrize("binding", ["SEED = (1, 2", "[", "SEED = {'a': 1", "SEED = '''a"])
def test_what_is_left_open_is_told(binding):
  with pytest.raises(ValueError, match=r"--gin_bindings=.*not gin syntax") as caught:
    config.load(["subspace/tiny.gin"], [binding])
  assert "\n" not in str(caught.value)
