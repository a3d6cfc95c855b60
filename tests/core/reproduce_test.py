"""Tests of tables of results: which runs, aggregation, resuming, Markdown."""

import statistics

import pytest

from garden.core import config
from garden.core import records
from garden.core import reproduce

_ENTRIES = [
  {"experiment": "digits", "gin_file": "subspace/tiny.gin", "method": "net", "seeds": 2},
  {"experiment": "digits", "gin_file": "subspace/other.gin", "seeds": 1, "minutes": 0.5},
  {"experiment": "late", "gin_file": "subspace/late.gin", "method": "slow", "seeds": 0},
  {
    "experiment": "windows", "gin_file": "subspace/tiny.gin", "method": "net", "minutes": 3,
    "variants": ("FIRST = 0", "FIRST = 14"), "setting": {"k": 10},
  },
]  # fmt: skip


def _table(**changes):
  settings = {
    "room": "toy",
    "entries": _ENTRIES,
    "paper": {"digits": {"net": {"error_percent": 14.0}}},
    "metrics": ("error_percent", "nmi"),
    "notes": ("A note.",),
  }
  return reproduce.Reproduction(**{**settings, **changes})


def _finish(folder, name, rows, seed=0, seconds=2.0):
  records.write_json(folder / "runs" / name / "reproduced.json", {
    "rows": rows, "seed": seed, "seconds": seconds, "revision": "abc",
    "environment": {"python": "3.11"},
  })  # fmt: skip


def _rows(error, **more):
  values = {"error_percent": error, "nmi": 0.5}
  return [{"metric": metric, "value": value, **more} for metric, value in values.items()]


@pytest.fixture
def finished(tmp_path):
  """A folder in which all runs of the table are done."""
  _finish(tmp_path, "subspace-tiny-seed0", _rows(10.0) + _rows(30.0, method="ridge"))
  _finish(tmp_path, "subspace-tiny-seed1", _rows(14.0) + _rows(30.0, method="ridge"), 1, 4.0)
  _finish(tmp_path, "subspace-other-seed0", _rows(7.0, method="a") + _rows(8.0, method="b"))
  _finish(tmp_path, "subspace-tiny-FIRST_0-seed0", _rows(1.0))
  _finish(tmp_path, "subspace-tiny-FIRST_14-seed0", _rows(2.0))
  return tmp_path


def test_the_runs_of_an_entry_are_its_seeds_and_variants():
  entries = _table().select()
  assert list(entries[0].runs()) == [
    ("subspace-tiny-seed0", 0, ["SEED = 0"]), ("subspace-tiny-seed1", 1, ["SEED = 1"]),
  ]  # fmt: skip
  assert list(entries[2].runs()) == []
  assert list(entries[3].runs()) == [
    ("subspace-tiny-FIRST_0-seed0", 0, ["SEED = 0", "FIRST = 0"]),
    ("subspace-tiny-FIRST_14-seed0", 0, ["SEED = 0", "FIRST = 14"]),
  ]


def test_runs_of_many_bindings_have_short_names_of_their_own():
  many = [f"dagan.Recipe.a_long_name_{number} = {number}" for number in range(12)]
  names = [name for bindings in (many, [*many[:-1], "other = 1"])
           for name, _, _ in reproduce.Entry("e", "subspace/tiny.gin", bindings=bindings).runs()]
  assert len(set(names)) == 2
  assert all(len(name) < 200 and name.startswith("subspace-tiny-dagan") for name in names)


def test_a_sign_is_part_of_a_name():
  names = {reproduce.run_name("subspace/tiny.gin", [f"a.b = {value}"]) for value in ("1", "-1")}
  assert names == {"subspace-tiny-a_b_1", "subspace-tiny-a_b_minus_1"}


def test_rows_are_means_with_their_error_of_the_mean(finished):
  table = _table()
  rows, _ = reproduce.rows_of(table, str(finished), table.select())
  by_name = {(r["experiment"], r["method"], r["metric"]): r for r in rows}
  row = by_name["digits", "net", "error_percent"]
  assert row["mean"] == 12.0 and row["n"] == 2 and row["values"] == [10.0, 14.0]
  assert row["sem"] == pytest.approx(statistics.stdev([10, 14]) / 2**0.5, abs=1e-4)
  assert row["paper"] == 14.0 and row["seeds"] == [0, 1] and row["seconds"] == 3.0
  assert row["revision"] == "abc" and row["setting"] == {}
  assert by_name["digits", "net", "nmi"]["paper"] is None
  # Of a run that measures several the named method alone is taken, or all with a name.
  assert ("digits", "ridge", "error_percent") not in by_name
  assert by_name["digits", "a", "error_percent"]["sem"] is None
  assert by_name["digits", "b", "error_percent"]["mean"] == 8.0
  windows = by_name["windows", "net", "error_percent"]
  assert (windows["mean"], windows["n"], windows["setting"]) == (1.5, 2, {"k": 10})


def test_rows_with_a_setting_of_their_own_are_told_apart_and_chosen(tmp_path):
  rows = [{"metric": "error_percent", "value": value, "setting": {"stream": stream, "blocks": k}}
          for stream, k, value in (("test", 2, 1.0), ("test", 3, 2.0), ("shifted", 2, 9.0))]
  _finish(tmp_path, "subspace-tiny-seed0", rows)
  table = _table(entries=[{"experiment": "digits", "gin_file": "subspace/tiny.gin",
                           "method": "net", "setting": {"k": 1}, "where": {"stream": "test"}}])
  found, _ = reproduce.rows_of(table, str(tmp_path), table.select())
  assert [(row["setting"], row["mean"]) for row in found] == [
    ({"k": 1, "blocks": 2}, 1.0), ({"k": 1, "blocks": 3}, 2.0)]


def test_a_metric_of_another_room_gets_the_tables_name(finished):
  table = _table(entries=[{**_ENTRIES[0], "renamed": {"error_percent": "error"}}])
  found, _ = reproduce.rows_of(table, str(finished), table.select())
  assert {row["metric"] for row in found} == {"error", "nmi"}


def test_paired_differences_stand_below_their_experiment(finished):
  for name, right in (("a", (1, 1, 0)), ("b", (1, 0, 0))):
    lines = "".join(f"{item},{value}\n" for item, value in enumerate(right))
    (finished / "runs" / name).mkdir()
    (finished / "runs" / name / "predictions.csv").write_text("item,right\n" + lines)
  table = _table(paired=[
    {"experiment": "digits", "item": "item", "first": "a", "second": "b",
     "names": ("net", "other")},
    {"experiment": "windows", "item": "item", "first": "a", "second": "missing"}])  # fmt: skip
  paths = reproduce.write(table, str(finished), table.select())
  assert [row["difference"] for row in records.read_json(paths[0])["paired"]] == [0.3333]
  digits = (finished / "toy.md").read_text().split("## ")[1]
  assert "On the same items:" in digits and "+0.333" in digits
  assert "on the same items" in (finished / "toy.html").read_text()


def test_quoted_rows_are_marked_and_not_doubled(finished):
  table = _table(quoted=[{"experiment": "digits", "method": "humans", "metric": "error_percent",
                          "value": 33.0, "source": "a paper"}])
  reproduce.write(table, str(finished), table.select())
  paths = reproduce.write(table, str(finished), table.select())
  rows = [row for row in records.read_json(paths[0])["rows"] if row["method"] == "humans"]
  assert len(rows) == 1 and rows[0]["mean"] is None and rows[0]["paper"] == 33.0
  assert rows[0]["quoted"] == "a paper" and rows[0]["n"] == 0
  with open(paths[1], encoding="utf-8") as file:
    line = next(line for line in file if "humans" in line)
  assert "33.00" in line and "quoted" in line


def test_a_quoted_row_may_go_over_a_setting():
  table = _table(quoted=[{"experiment": "digits", "method": "humans", "metric": "error_percent",
                          "over": "digits", "value": {5: 33.0, "mean": 40.0}, "source": "a paper",
                          "setting": {"k": 1}}])
  assert [(row["setting"], row["paper"]) for row in table.quoted_rows()] == [
      ({"k": 1, "digits": 5}, 33.0), ({"k": 1, "digits": "mean"}, 40.0)]


def test_the_table_is_written_as_json_and_markdown(finished):
  table = _table()
  paths = reproduce.write(table, str(finished), table.select())
  assert [p.rsplit("/", 1)[1] for p in paths] == ["toy.json", "toy.md"]
  result = records.read_json(paths[0])
  assert set(result) == {"environment", "rows", "paired"}
  assert result["environment"] == {"python": "3.11"}
  assert set(result["rows"][0]) >= {
    "experiment", "method", "setting", "metric", "paper", "mean", "sem", "n", "seconds", "seeds",
    "revision",
  }  # fmt: skip
  text = (finished / "toy.md").read_text()
  lines = [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
  assert ["method", "paper error_percent", "error_percent", "nmi", "n", "seconds a run"] in lines
  assert ["net", "14.00", "12.00 ± 2.00", "0.500 ± 0.000", "2", "3.0"] in lines
  assert ["net k=10", "", "1.50 ± 0.50", "0.500 ± 0.000", "2", "2.0"] in lines
  assert ["slow", "not run", "", "", "", ""] in lines
  assert [line for line in text.splitlines() if line.startswith("## ")] == [
    "## digits", "## late", "## windows",
  ]  # fmt: skip
  assert text.rstrip().endswith("A note.")


def test_other_experiments_rows_stay(finished):
  table = _table()
  reproduce.write(table, str(finished), table.select(["windows"]))
  reproduce.write(table, str(finished), table.select(["digits"]))
  rows = records.read_json(finished / "toy.json")["rows"]
  assert [r["experiment"] for r in rows] == ["digits"] * 6 + ["windows"] * 2
  _finish(finished, "subspace-tiny-FIRST_0-seed0", _rows(3.0))
  reproduce.write(table, str(finished), table.select(["windows"]))
  rows = records.read_json(finished / "toy.json")["rows"]
  assert len(rows) == 8 and rows[-2]["mean"] == 2.5


def test_finished_runs_are_not_done_again_and_missing_ones_are(finished, monkeypatch):
  done = []

  def run(name, target, gin_files, bindings, folder):
    done.append((gin_files, bindings))
    _finish(finished, folder.rsplit("/", 1)[1], _rows(20.0), 1)

  monkeypatch.setattr(reproduce.processes, "in_process", run)
  reproduce.reproduce(_table(), str(finished))
  assert done == []
  (finished / "runs" / "subspace-tiny-seed1" / "reproduced.json").unlink()
  reproduce.reproduce(_table(), str(finished))
  assert done == [(["subspace/tiny.gin"], ["SEED = 1"])]
  row = records.read_json(finished / "toy.json")["rows"][0]
  assert row["mean"] == 15.0


def test_the_listing_has_the_planned_minutes():
  lines = reproduce.listing(_table())
  assert len(lines) == 5
  assert lines[0].split() == ["digits", "net", "2", "runs", "1", "min", "subspace/tiny.gin"]
  assert "(several)" in lines[1] and "0.5 min" in lines[1]
  assert "not run" in lines[2]
  assert lines[-1] == "4.5 minutes planned on 2 cores"
  assert reproduce.listing(_table(), ["late"])[-1] == "0 minutes planned on 2 cores"


def test_an_unknown_experiment_or_room_is_told_with_the_known_ones():
  with pytest.raises(ValueError, match=r"no experiment 'digit'; .*did you mean digits\?"):
    _table().select(["digit"])
  with pytest.raises(ValueError, match=r"no room 'toys' with a table"):
    reproduce.load("toys")


def test_one_run_trains_evaluates_and_records(tiny_copy, tmp_path):
  # Beside the trained folder, so that `train` finds nothing left to do.
  text = (tiny_copy / "config.gin").read_text()
  bindings = ["SEED = 0"]
  assert config.load(["subspace/tiny.gin"], bindings) in text
  reproduce.run_one(["subspace/tiny.gin"], bindings, str(tiny_copy))
  result = records.read_json(tiny_copy / "reproduced.json")
  assert {row["metric"] for row in result["rows"]} >= {"error_percent", "nmi"}
  assert result["seconds"] > 0 and result["seed"] == 0
  assert result["environment"]["tensorflow"].startswith("2.15")
  assert result["revision"]


@pytest.mark.torture
def test_two_seeds_in_processes_of_their_own(tmp_path):
  entries = [{"experiment": "digits", "gin_file": "subspace/tiny.gin", "method": "net", "seeds": 2}]
  table = _table(entries=entries)
  reproduce.reproduce(table, str(tmp_path))
  (row,) = [r for r in records.read_json(tmp_path / "toy.json")["rows"]
            if (r["method"], r["metric"]) == ("net", "error_percent")]  # fmt: skip
  assert row["n"] == 2 and row["sem"] > 0 and row["seeds"] == [0, 1]


@pytest.mark.torture
def test_a_run_that_fails_is_named(tmp_path):
  entries = [{"experiment": "digits", "gin_file": "subspace/tiny.gin", "method": "net",
              "variants": ("N_CLUSTERS = 1",)}]  # fmt: skip
  with pytest.raises(ValueError, match=r"runs/subspace-tiny-N_CLUSTERS_1-seed0 ended with exit"):
    reproduce.reproduce(_table(entries=entries), str(tmp_path))
