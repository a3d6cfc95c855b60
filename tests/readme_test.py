"""Every command and every Python example of the README, the model cards and docs/ runs."""

import os
import pathlib
import re
import shlex

import numpy as np
import pytest
from PIL import Image

from garden.core import processes
from garden.worlds.faces import heads
from garden.worlds.faces import points
from garden.worlds.faces import renderer

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_CARDS = sorted(_ROOT.glob("garden/*/README.md"))
_DOCS = sorted(_ROOT.glob("docs/*.md"))
_PAGES = ["README.md", *(str(p.relative_to(_ROOT)) for p in _CARDS + _DOCS)]
_SERVED = "docs/serving.md"  # its example asks a server; serving_page_test has one
# Enough to go the whole way; what the commands say otherwise is theirs.
_SHORTER = {
  "subspace/image_folder.gin": ["--gin_bindings=PRETRAIN_STEPS = 20"],
  "transfer/image_folder.gin": ["--gin_bindings=SOURCE_STEPS = 4", "--gin_bindings=STEPS = 4"],
}


def _commands(page):
  """The indented `garden-…` lines of a page, in order."""
  text = (_ROOT / page).read_text(encoding="utf-8")
  return re.findall(r"^    garden-([\w-]+) (.*)$", text, re.MULTILINE)


@pytest.fixture
def photographs(tmp_path, monkeypatch):
  """A folder to be in, with images of two kinds: `photos`; by class in `source` and `few`.

  `my_towers` has some of them with labels of what falls, `faces` drawn heads with their points.
  """
  monkeypatch.chdir(tmp_path)
  rng = np.random.default_rng(0)
  folders = ["photos", "many", "source/ramp", "source/wall", "few/slope", "few/step", "my_towers"]
  for name in folders:
    (tmp_path / name).mkdir(parents=True)
  ramp = np.linspace(0, 255, 32)
  for number in range(12):
    image = np.tile(ramp, (32, 1)) if number % 2 else np.tile(ramp[:, None], (1, 32))
    noisy = np.clip(image + rng.normal(0, 8, image.shape), 0, 255)
    for name in ("photos", "many", "my_towers", *(folders[2 + number % 2:6:2])):
      Image.fromarray(noisy.astype(np.uint8)).save(tmp_path / name / f"{number:02}.png")
  (tmp_path / "faces").mkdir()
  head = heads.average()
  picture, _ = renderer.render(head, renderer.views([0.0], 0, [0.0]), 96)
  Image.fromarray(picture[0]).save(tmp_path / "faces" / "average.png")
  spots = points.on_head(head)
  marked = np.tile(spots["nose_tip"], (68, 1))
  for name, place in points.SETS[68].items():
    marked[place] = spots[name]
  np.savetxt(tmp_path / "faces" / "average.txt", renderer.project(marked, 0.0, 0.0, 96)[:, :2])
  (tmp_path / "my_towers/labels.csv").write_text("image,fall,count\n00.png,1,2\n01.png,0,\n")
  return tmp_path


@pytest.mark.parametrize("page", _PAGES)
def test_the_commands_of_a_page_run_in_their_order(page, binary, photographs, monkeypatch):
  # A sweep's runs in this process, which has TensorFlow already.
  monkeypatch.setattr(processes, "in_process", lambda name, target, *args: target(*args))
  commands = _commands(page)
  assert commands
  for name, arguments in commands:
    arguments = shlex.split(arguments)
    if name == "reproduce" and "--list" not in arguments:
      continue  # hours; it has a test of its own
    for config, shorter in _SHORTER.items():
      arguments += shorter if config in arguments else []
    code, _, err = binary(name, *arguments)
    assert code == 0, f"garden-{name} {arguments}: {err}"
  assert os.path.exists("runs")


def _examples(page):
  """The Python blocks of a page, in order."""
  text = (_ROOT / page).read_text(encoding="utf-8")
  return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_readme_shows_a_layer_of_each_room_and_an_estimator():
  assert len(_examples("README.md")) == 3


@pytest.mark.parametrize("page", [page for page in _PAGES if _examples(page) and page != _SERVED])
def test_the_python_examples_of_a_page_run(page):
  for example in _examples(page):
    names = {}
    exec(compile(example, page, "exec"), names)
  results = {"README.md": "labels", "garden/transfer/README.md": "logits",
             "garden/physnet/README.md": "margin", "garden/vda/README.md": "pull",
             "garden/dagan/README.md": "errors"}
  assert len(names[results[page]]) >= 64


def test_the_make_targets_of_the_readme_exist():
  wanted = set(re.findall(r"^    make (\w+)$", (_ROOT / "README.md").read_text(encoding="utf-8"),
                          re.MULTILINE))
  makefile = (_ROOT / "Makefile").read_text(encoding="utf-8")
  assert wanted == {"demo", "docs", "test"}
  for target in wanted:
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_links_of_every_page_lead_somewhere():
  for page in [*_PAGES, "CONTRIBUTING.md"]:
    path = _ROOT / page
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
      assert (path.parent / target).exists(), f"{page} links to {target}"
