"""The API reference is built from the docstrings without a warning, and the notebook runs."""

import importlib.util
import pathlib

import nbclient
import nbformat
import pytest

from garden import layers

_DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
_TOUR = nbformat.read(_DOCS / "tour.ipynb", as_version=4)


@pytest.fixture(scope="module")
def build_api():
  """The program that `make docs` runs, as a module."""
  spec = importlib.util.spec_from_file_location("build_api", _DOCS / "build_api.py")
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def test_every_public_layer_and_model_is_in_the_reference(build_api, tmp_path):
  build_api.build(["garden.layers"], tmp_path)
  page = (tmp_path / "garden/layers.html").read_text(encoding="utf-8")
  for name in layers.__all__:
    assert f'<section id="{name}">' in page
  # Examples and lists are set as such.
  assert page.count('<span class="gp">&gt;&gt;&gt; </span>') > 2 * len(layers.__all__)
  assert "<li><code>labels</code>: <code>[m]</code> int" in page


def test_what_the_generator_warns_of_is_an_error(build_api, tmp_path, monkeypatch):
  (tmp_path / "lacking.py").write_text('"""A module."""\n__all__ = ["nothing"]\n')
  monkeypatch.syspath_prepend(str(tmp_path))
  with pytest.raises(UserWarning, match="'nothing' in lacking.__all__"):
    build_api.build(["lacking"], tmp_path / "api")


def test_the_reference_has_modules_that_their_package_does_not_export(build_api):
  names = build_api.public_modules()
  assert {"garden", "garden.core.model", "garden.dagan.losses", "garden.datasets.cfp"} <= set(names)
  assert not [name for name in names if "._" in name]
  assert len(set(names)) == len(names)


@pytest.mark.torture
def test_the_whole_reference_is_built(build_api, tmp_path, monkeypatch):
  monkeypatch.setattr("sys.argv", ["build_api.py", str(tmp_path)])
  build_api.main()
  for page in ("garden.html", "garden/layers.html", "garden/vda/vda.html",
               "garden/datasets/cfp/protocol.html", "garden/worlds/towers/scene.html"):
    assert (tmp_path / page).exists()


def test_the_notebook_is_kept_without_outputs():
  assert len(_TOUR.cells) > 10
  for cell in _TOUR.cells:
    if cell.cell_type == "code":
      assert cell.outputs == [] and cell.execution_count is None


def test_the_notebook_runs(tmp_path, monkeypatch):
  monkeypatch.setenv("PYTHONPATH", str(_DOCS.parent))
  notebook = nbformat.from_dict(_TOUR)
  client = nbclient.NotebookClient(
      notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
  client.execute()
  outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
  text = "".join(output.get("text", "") for output in outputs if output.get("name") == "stdout")
  assert "error_percent" in text and "clusters of new images" in text
  assert sum("image/png" in output.get("data", ()) for output in outputs) == 1
  assert list(tmp_path.iterdir()) == []
