"""Tests of sweeps: the grid, the folders, what is missing, failures, the summary."""

import csv

import pytest

from garden.core import config
from garden.core import records
from garden.core import reproduce
from garden.core import sweep

_TINY = ["subspace/tiny.gin"]
_SHORT = ["PRETRAIN_STEPS = 2", "FINETUNE_STEPS = 2", "Run.tensorboard = False"]


@pytest.mark.parametrize(
  ("text", "name", "values"),
  [
    ("SEED = 0, 1, 2", "SEED", ["0", "1", "2"]),
    ("SEED=7", "SEED", ["7"]),
    ("a.B.hidden = (16,), (32, 16)", "a.B.hidden", ["(16,)", "(32, 16)"]),
    ("DATASET = 'a, b', \"c = d\"", "DATASET", ["'a, b'", '"c = d"']),
    ("a/B.x = @c.D(), %SEED, None", "a/B.x", ["@c.D()", "%SEED", "None"]),
    ("RATE = -1e-3, {'a': [1, 2]}", "RATE", ["-1e-3", "{'a': [1, 2]}"]),
  ],
)
def test_an_axis_is_cut_at_the_commas_between_its_values(text, name, values):
  assert sweep.axis(text) == (name, values)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("SEED", "isn't a name and its values"),
    ("SEED =", "isn't a name and its values"),
    ("= 1", "isn't a name and its values"),
    ("SEED = 1,, 2", "isn't a name and its values"),
    ("SEED = 1, 2,", "isn't a name and its values"),
    ("SEED = 1, 2, 1", "has 1 twice"),
    ("A = (1, 2", "can't be read"),
    ("A = 'b, c", "a string isn't closed"),
  ],
)
def test_an_axis_that_is_none_is_told(text, message):
  with pytest.raises(ValueError, match=message) as caught:
    sweep.axis(text)
  assert "\n" not in str(caught.value)


def test_the_points_are_all_combinations_the_last_axis_fastest():
  assert list(sweep.points([("A", ["1", "2"]), ("b.C", ["x", "y"])])) == [
    ["A = 1", "b.C = x"], ["A = 1", "b.C = y"], ["A = 2", "b.C = x"], ["A = 2", "b.C = y"],
  ]  # fmt: skip
  with pytest.raises(ValueError, match="needs a grid"):
    sweep.points([])
  with pytest.raises(ValueError, match="A has two axes"):
    sweep.points([("A", ["1"]), ("A", ["2"])])


def test_each_point_has_a_folder_named_by_its_bindings(tmp_path):
  axes = [("SEED", ["0", "-1"]), ("subspace.Pretraining.learning_rate", ["1e-3"])]
  folders = sweep.plan(_TINY, [], axes, str(tmp_path))
  names = [folder.rsplit("/", 1)[1] for folder in folders]
  rate = "subspace_Pretraining_learning_rate_1e_3"
  assert names == [f"subspace-tiny-SEED_0-{rate}", f"subspace-tiny-SEED_minus_1-{rate}"]


def test_points_of_one_name_are_refused(tmp_path):
  with pytest.raises(ValueError, match=r"DATASET = 'a b' and DATASET = 'a_b' would both run in"):
    sweep.plan(_TINY, [], [("DATASET", ["'a_b'", "'a b'"])], str(tmp_path))


def test_a_grid_that_gin_refuses_begins_no_run(tmp_path):
  for name, message in (("SED", "macro SED is set"), ("Run.sed", "did you mean seed")):
    with pytest.raises(ValueError, match=message):
      sweep.sweep(_TINY, [], [(name, ["0", "1"])], str(tmp_path))
  assert list(tmp_path.iterdir()) == []


def test_the_folder_of_another_sweep_is_refused(tmp_path):
  (folder,) = sweep.plan(_TINY, [], [("SEED", ["1"])], str(tmp_path))
  records.write_config(folder, config.load(_TINY, ["SEED = 1"]))
  assert sweep.plan(_TINY, [], [("SEED", ["1"])], str(tmp_path))
  with pytest.raises(ValueError, match="holds another run: .*N_CLUSTERS"):
    sweep.plan(_TINY, ["N_CLUSTERS = 3"], [("SEED", ["1"])], str(tmp_path))


@pytest.fixture
def runs(monkeypatch):
  """Stands for the processes: a list of the bindings that ran; seed 2 fails, seed 3 crashes."""
  done = []

  def run(name, target, gin_files, bindings, folder):
    assert target is sweep.run_point and gin_files == _TINY
    done.append(bindings)
    if "SEED = 2" in bindings:
      return "N < K"
    if "SEED = 3" in bindings:
      raise ValueError("the run ended with exit code -9")
    seed = float(bindings[-1][-1])
    rows = [{"metric": "error", "value": seed / 3}, {"metric": "error", "value": 9, "method": "k"}]
    records.write_json(f"{folder}/{reproduce.RECORD}", {"rows": rows, "seconds": 2.5})

  monkeypatch.setattr(sweep.processes, "in_process", run)
  return done


def _summary(folder):
  with open(folder / "summary.csv", encoding="utf-8", newline="") as file:
    return list(csv.reader(file))


def test_the_summary_has_a_row_a_point(tmp_path, runs):
  assert sweep.sweep(_TINY, ["N_CLUSTERS = 5"], [("SEED", ["0", "1"])], str(tmp_path)) == {}
  assert runs == [["N_CLUSTERS = 5", f"SEED = {seed}"] for seed in (0, 1)]
  assert _summary(tmp_path) == [
    ["SEED", "error", "k error", "seconds"],
    ["0", "0.0", "9", "2.5"],
    ["1", str(1 / 3), "9", "2.5"],
  ]
  lines = (tmp_path / "summary.md").read_text().splitlines()
  assert len(lines) == 4 and lines[0].split("|")[1].strip() == "SEED"


def test_a_wider_grid_does_only_what_is_new(tmp_path, runs):
  sweep.sweep(_TINY, [], [("SEED", ["0"])], str(tmp_path))
  sweep.sweep(_TINY, [], [("SEED", ["1", "0"])], str(tmp_path))
  assert runs == [["SEED = 0"], ["SEED = 1"]]
  assert [row[0] for row in _summary(tmp_path)] == ["SEED", "1", "0"]


def test_a_point_that_fails_is_told_and_the_others_go_on(tmp_path, runs):
  axes = [("SEED", ["2", "3", "1"])]
  failed = sweep.sweep(_TINY, [], axes, str(tmp_path))
  assert list(failed.values()) == ["N < K", "the run ended with exit code -9"]
  header, *rows = _summary(tmp_path)
  assert header[-1] == "failed"
  assert [(row[0], row[1], row[-1]) for row in rows] == [
    ("2", "", "N < K"), ("3", "", "the run ended with exit code -9"), ("1", str(1 / 3), ""),
  ]  # fmt: skip
  sweep.sweep(_TINY, [], axes, str(tmp_path))  # tries them again, and no other
  assert runs[3:] == [["SEED = 2"], ["SEED = 3"]]


def test_a_mistake_of_a_point_is_one_line(tmp_path):
  why = sweep.run_point(_TINY, ["N_CLUSTERS = 1"], str(tmp_path / "run"))
  assert why.startswith("n_clusters is 1;") and "\n" not in why
  assert not (tmp_path / "run").exists()


def test_the_program_sweeps_and_ends_with_1_where_a_point_failed(tmp_path, binary, monkeypatch):
  def here(name, target, *args):
    return target(*args)  # in this process, which has TensorFlow already

  monkeypatch.setattr(sweep.processes, "in_process", here)
  command = ["sweep", "--gin_file=subspace/tiny.gin", f"--model_dir={tmp_path}/a",
             *(f"--gin_bindings={each}" for each in _SHORT)]  # fmt: skip
  code, out, err = binary(*command, "--grid=N_CLUSTERS = 1, 5")
  assert (code, err) == (1, "")
  assert "[1/2] N_CLUSTERS = 1\nfailed: n_clusters is 1;" in out
  assert out.endswith((tmp_path / "a" / "summary.md").read_text())
  (_, row) = _summary(tmp_path / "a")[1:]
  assert row[0] == "5" and row[-1] == "" and float(row[1]) >= 0
  assert binary(*command, "--grid=N_CLUSTERS = 5")[0] == 0


def test_the_program_refuses_in_one_line_and_a_dry_run_lists_the_folders(tmp_path, binary):
  command = ["sweep", "--gin_file=subspace/tiny.gin", f"--model_dir={tmp_path}/a"]
  for arguments in (command[:1], command[:2], command, [*command, "--grid=SEED = 1,"]):
    code, _, err = binary(*arguments)
    assert code == 2 and err.startswith("sweep: ") and len(err.splitlines()) == 1
  code, out, _ = binary(*command, "--grid=SEED = 0, 1", "--dry_run")
  assert code == 0 and out.splitlines() == [
    f"{tmp_path}/a/subspace-tiny-SEED_{seed}: SEED = {seed}" for seed in (0, 1)]
  assert list(tmp_path.iterdir()) == []


@pytest.mark.torture
def test_a_sweep_in_processes_of_its_own(tmp_path):
  failed = sweep.sweep(_TINY, _SHORT, [("N_CLUSTERS", ["5", "10"])], str(tmp_path))
  assert failed == {} and [row[0] for row in _summary(tmp_path)] == ["N_CLUSTERS", "5", "10"]
