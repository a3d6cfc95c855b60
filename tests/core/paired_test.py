"""Tests of paired differences of runs on the same items."""

import csv
import math

import pytest

from garden.core import paired


def _run(folder, name, right, stream="test"):
  where = folder / name
  where.mkdir(exist_ok=True)
  path = where / "predictions.csv"
  lines = [{"stream": stream, "item": item, "right": int(value)}
           for item, value in enumerate(right)]
  old = path.exists()
  with open(path, "a", encoding="utf-8", newline="") as file:
    writer = csv.DictWriter(file, ["stream", "item", "right"])
    if not old:
      writer.writeheader()
    writer.writerows(lines)


def test_a_difference_and_its_chance_are_mcnemars(tmp_path):
  _run(tmp_path, "a-seed0", [1] * 30 + [0] * 10 + [1] * 60)
  _run(tmp_path, "b-seed0", [0] * 30 + [1] * 10 + [1] * 60)
  row = paired.Comparison("shift", "item", "a-seed{seed}", "b-seed{seed}", names=("a", "b")).row(
      str(tmp_path))
  assert (row["first"], row["second"], row["items"], row["seeds"]) == ("a", "b", 100, 1)
  assert row["difference"] == pytest.approx(0.2) and row["sem"] is None
  # sd of d: sqrt((40 - 100 * .2^2) / 99)
  z = 0.2 / (math.sqrt((40 - 4) / 99) / 10)
  assert row["p"] == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.05)


def test_equal_runs_differ_by_nothing(tmp_path):
  for name in ("a-seed0", "b-seed0"):
    _run(tmp_path, name, [1, 0, 1])
  row = paired.Comparison("shift", "item", "a-seed{seed}", "b-seed{seed}").row(str(tmp_path))
  assert row["difference"] == 0.0 and row["p"] == 1.0


def test_an_items_difference_is_its_mean_over_seeds(tmp_path):
  for seed, right in enumerate(([1, 1, 0, 0], [1, 0, 1, 1])):
    _run(tmp_path, f"a-seed{seed}", right)
    _run(tmp_path, f"b-seed{seed}", [0, 0, 0, 0])
  made = paired.Comparison("shift", "item", "a-seed{seed}", "b-seed{seed}", seeds=2)
  row = made.row(str(tmp_path))
  assert row["difference"] == pytest.approx(0.625)
  assert row["sem"] == pytest.approx(0.125)  # of .5 and .75


def test_only_the_items_asked_for_count(tmp_path):
  for name, right in (("a-seed0", [1, 1]), ("b-seed0", [0, 0])):
    _run(tmp_path, name, right)
    _run(tmp_path, name, [1, 0, 1], "shifted")
  made = paired.Comparison("shift", "item", "a-seed{seed}", "b-seed{seed}",
                           where={"stream": "shifted"})
  assert made.row(str(tmp_path))["items"] == 3


def test_runs_that_are_missing_make_no_row(tmp_path):
  _run(tmp_path, "a-seed0", [1, 0])
  made = paired.Comparison("shift", "item", "a-seed{seed}", "b-seed{seed}")
  assert made.row(str(tmp_path)) is None


def test_other_items_are_refused(tmp_path):
  _run(tmp_path, "a-seed0", [1, 0])
  _run(tmp_path, "b-seed0", [1, 0, 1])
  with pytest.raises(ValueError, match="has 2 items and .* 3, and they aren't the same"):
    paired.Comparison("shift", "item", "a-seed{seed}", "b-seed{seed}").row(str(tmp_path))


def test_as_many_other_items_are_refused(tmp_path):
  _run(tmp_path, "a-seed0", [1, 0])
  _run(tmp_path, "b-seed0", [1, 0])
  path = tmp_path / "b-seed0" / "predictions.csv"
  path.write_text(path.read_text().replace("test,1,", "test,7,"))
  with pytest.raises(ValueError, match="aren't the same"):
    paired.Comparison("shift", "item", "a-seed{seed}", "b-seed{seed}").row(str(tmp_path))


def test_a_column_that_is_not_there_is_named(tmp_path):
  _run(tmp_path, "a-seed0", [1, 0])
  _run(tmp_path, "b-seed0", [1, 0])
  with pytest.raises(ValueError, match="has no column 'count'; it has stream, item, right"):
    paired.Comparison("shift", "item", "a-seed{seed}", "b-seed{seed}", where={"count": 3}).row(
        str(tmp_path))
  with pytest.raises(ValueError, match="has 0 items with"):
    paired.Comparison("shift", "item", "a-seed{seed}", "b-seed{seed}",
                      where={"stream": "none"}).row(str(tmp_path))
