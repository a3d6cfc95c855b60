"""A small CFP: drawn people in its own folder layout, with fiducials, lists and pairs."""

import numpy as np
import PIL.Image
import pytest

from garden.worlds.faces import heads
from garden.worlds.faces import points
from garden.worlds.faces import renderer

#: Numbers of the people's folders: of folds 1, 9 and 10.
PEOPLE = (1, 2, 3, 4, 401, 402, 451, 452)
SIZE = 96


def draw(folder, people=PEOPLE, frontal=3, profile=2):
  """Writes photographs, fiducials and the protocol."""
  lists = {"F": [], "P": []}
  for row, person in enumerate(people):
    head = heads.sample(1, 7, row)
    for kind, letter, yaws in (("frontal", "F", np.zeros(frontal)),
                               ("profile", "P", 78.0 * (-1.0) ** np.arange(profile))):
      view = renderer.views(yaws, person, np.zeros(len(yaws)))
      images, _ = renderer.render(head, view, SIZE, np.zeros(len(yaws), int))
      for number, (image, yaw) in enumerate(zip(images, yaws), 1):
        where = folder / "Data" / "Images" / f"{person:03}" / kind / f"{number:02}.jpg"
        where.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image).save(where, quality=95)
        marked = folder / "Data" / "Fiducials" / f"{person:03}" / kind / f"{number:02}.txt"
        marked.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(marked, fiducials(head, yaw), "%.3f", ",")
        lists[letter].append((person, number, f"../Data/Images/{person:03}/{kind}/{number:02}.jpg"))
  split = folder / "Protocol" / "Split" / "FP"
  for letter, rows in lists.items():
    split.mkdir(parents=True, exist_ok=True)
    (folder / "Protocol" / f"Pair_list_{letter}.txt").write_text(
        "".join(f"{k} {path}\n" for k, (_, _, path) in enumerate(rows, 1)))
  for fold in range(1, 11):
    here = [p for p in people if (p - 1) // 50 + 1 == fold]
    same, diff = [], []
    for i, (a, _, _) in enumerate(lists["F"], 1):
      for j, (b, _, _) in enumerate(lists["P"], 1):
        if a in here and b in here:
          (same if a == b else diff).append(f"{i},{j}\n")
    (split / f"{fold:02}").mkdir(exist_ok=True)
    (split / f"{fold:02}" / "same.txt").write_text("".join(same))
    (split / f"{fold:02}" / "diff.txt").write_text("".join(diff))


def fiducials(head, yaw):
  """The 30 points of the half that is seen; those without a name lie on the nose."""
  spots = points.on_head(head)
  side = "right" if yaw >= 0 else "left"
  found = np.tile(spots["nose_tip"], (30, 1))
  for name, number in points.SETS[30].items():
    found[number] = spots[name.replace("right", side)]
  return renderer.project(found, yaw, 0.0, SIZE)[:, :2]


@pytest.fixture(scope="session")
def small_cfp(tmp_path_factory):
  """The folder. Shared: read it."""
  folder = tmp_path_factory.mktemp("small") / "cfp"
  draw(folder)
  return folder
