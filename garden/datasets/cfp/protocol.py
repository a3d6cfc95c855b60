"""CFP's protocol: pairs of images, of one person or of two, in ten folds of fifty people each.

    Protocol/Pair_list_F.txt, Pair_list_P.txt    `number path` of each frontal and profile image
    Protocol/Split/FP/01 .. 10/same.txt, diff.txt    `frontal,profile`, numbers of these lists

S. Sengupta et al., "Frontal to Profile Face Verification in the Wild", WACV 2016.
"""

import os
import re

import numpy as np

from garden.datasets import faces

FOLDS, PEOPLE = 10, 50  # of a fold
_PATH = re.compile(r"Images/(\d+)/(frontal|profile)/(\d+)\.jpg$")


def read(folder, kind="FP", folds=range(1, FOLDS + 1)):
  """Reads the pairs of some folds.

  Args:
    folder: CFP's, which holds `Protocol`.
    kind: "FP", frontal against profile, or "FF".
    folds: numbers of the folds, 1 to 10.

  Returns:
    `faces.Pairs`.

  Raises:
    ValueError: there is no such kind or file, or a line is none of a pair.

  Example:
    pairs = read("cfp", "FP", folds=(9, 10))
  """
  if kind not in ("FP", "FF"):
    raise ValueError(f"kind is {kind!r}; it must be 'FP' or 'FF'")
  lists = [_images(folder, letter) for letter in kind]
  columns = {"first": [], "second": [], "same": [], "fold": []}
  for fold in folds:
    for same, name in ((True, "same"), (False, "diff")):
      path = os.path.join(folder, "Protocol", "Split", kind, f"{fold:02}", f"{name}.txt")
      for line in _lines(path):
        try:
          first, second = (known[int(number)] for known, number in zip(lists, line.split(",")))
        except (KeyError, ValueError):
          raise ValueError(f"{path}: the line {line!r} isn't two numbers of the lists") from None
        for key, value in (("first", first), ("second", second), ("same", same), ("fold", fold)):
          columns[key].append(value)
  return faces.Pairs(**{name: np.array(values) for name, values in columns.items()},
                     kinds=("frontal", {"P": "profile", "F": "frontal"}[kind[1]]))


def people_of(folds):
  """The people of some folds, numbers from 0: fold k has 50 (k - 1) to 50 k - 1."""
  return np.concatenate([np.arange(PEOPLE * (fold - 1), PEOPLE * fold) for fold in folds])


def _images(folder, letter):
  """Number in the list -> (person, number of the image), both from 0."""
  path = os.path.join(folder, "Protocol", f"Pair_list_{letter}.txt")
  found = {}
  for line in _lines(path):
    number, _, rest = line.partition(" ")
    match = _PATH.search(rest)
    if not match or not number.isdigit():
      raise ValueError(f"{path}: the line {line!r} isn't a number and a path of an image")
    found[int(number)] = (int(match[1]) - 1, int(match[3]) - 1)
  return found


def _lines(path):
  if not os.path.exists(path):
    raise ValueError(f"there is no {path}; unpack the whole of CFP, Data and Protocol")
  with open(path, encoding="utf-8") as file:
    return [line.strip() for line in file if line.strip()]
