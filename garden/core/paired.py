"""Two methods on the same test items: how far their accuracies are apart, and is it chance.

Runs that were measured on the same items say in `predictions.csv` which of them they told right.
With d_i the difference of item i, first minus second, mean over the seeds,

    difference = mean_i d_i,   z = difference / (sd(d_i) / sqrt(n)),   p = P(|N(0, 1)| >= |z|)

for one seed McNemar's test, large n. It knows how far other items could move the difference; how
far other seeds could is told beside it, as the s.e.m. over seeds.
"""

import csv
import dataclasses
import math
import os
import statistics
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Comparison:
  """Two methods of an experiment, each by the names of its runs.

  Attributes:
    experiment: name of the experiment.
    item: column of `predictions.csv` that says which item a line is of.
    first: name of its runs, in which "{seed}" stands for the seed.
    second: the same of the other method.
    seeds: number of seeds, 0, 1, …
    where: column of `predictions.csv` -> value of the items that count.
    first_right: column that is 1 where the first told an item right.
    second_right: the same of the second.
    names: what the table calls the two.
  """
  experiment: str
  item: str
  first: str
  second: str
  seeds: int = 1
  where: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  first_right: str = "right"
  second_right: str = "right"
  names: tuple = ("first", "second")

  def row(self, runs):
    """The row of the comparison, or None while one of its runs is missing.

    Args:
      runs: folder of the runs.

    Returns:
      Dict of `experiment`, `first`, `second`, `difference`, `sem` (over seeds, None for one),
      `p`, `items`, `seeds`.

    Raises:
      ValueError: two runs weren't measured on the same items.
    """
    by_seed = []
    for seed in range(self.seeds):
      pair = [os.path.join(runs, name.format(seed=seed), "predictions.csv")
              for name in (self.first, self.second)]
      if not all(os.path.exists(path) for path in pair):
        return None
      first, second = (self._right(path, column) for path, column in zip(
          pair, (self.first_right, self.second_right)))
      if set(first) != set(second) or by_seed and set(first) != set(by_seed[0]):
        raise ValueError(f"{pair[0]} has {len(first)} items and {pair[1]} {len(second)}, and they "
                         "aren't the same; only runs measured on the same items can be compared")
      by_seed.append({item: first[item] - second[item] for item in first})
    items = [statistics.fmean(seed[item] for seed in by_seed) for item in by_seed[0]]
    seeds = [statistics.fmean(seed.values()) for seed in by_seed]
    difference, spread = statistics.fmean(items), statistics.stdev(items)
    z = difference / (spread / math.sqrt(len(items))) if spread else 0.0
    return {"experiment": self.experiment, "first": self.names[0], "second": self.names[1],
            "difference": round(difference, 4),
            "sem": (round(statistics.stdev(seeds) / math.sqrt(len(seeds)), 4)
                    if len(seeds) > 1 else None),
            "p": float(f"{math.erfc(abs(z) / math.sqrt(2.0)):.2g}"), "items": len(items),
            "seeds": len(seeds)}

  def _right(self, path, column):
    """Item -> a column of a CSV file, of the lines that count."""
    with open(path, encoding="utf-8", newline="") as file:
      lines = list(csv.DictReader(file))
    for name in (*self.where, self.item, column):
      if lines and name not in lines[0]:
        raise ValueError(f"{path} has no column {name!r}; it has {', '.join(lines[0])}: evaluate "
                         "the run again")
    kept = {line[self.item]: float(line[column]) for line in lines
            if all(line[name] == str(value) for name, value in self.where.items())}
    if len(kept) < 2:
      raise ValueError(f"{path} has {len(kept)} items with {dict(self.where)}; two are the least")
    return kept
