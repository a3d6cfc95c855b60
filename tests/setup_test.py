"""The wheel holds what a user needs and runs outside the repository; so does an editable install.

The quick tests build the wheel with the setuptools of this environment and put it into an empty
folder, on top of the packages of this environment. Those in an environment of their own download
TensorFlow and are marked torture.
"""

import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import venv
import zipfile

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_TINY = ("--gin_file", "subspace/tiny.gin")


def _run(*command, cwd, **env):
  """Runs a command away from the repository; its output is shown if it fails."""
  clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
  done = subprocess.run(
    [str(part) for part in command],
    cwd=cwd,
    env=clean | env,
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )
  assert done.returncode == 0, f"{command} exited {done.returncode}:\n{done.stdout}"
  return done.stdout


def _checkout(folder):
  """Copies the sources, so that the build leaves nothing behind in the repository."""
  folder.mkdir()
  for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
    shutil.copy(_ROOT / name, folder)
  for name in ("garden", "gin", "tools", "tests"):
    shutil.copytree(_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
  return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
  """Path of a wheel built from a copy of the sources."""
  folder = tmp_path_factory.mktemp("wheel")
  pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-index")
  options = ("--no-deps", "--no-build-isolation", "--wheel-dir", folder / "dist")
  _run(*pip, *options, _checkout(folder / "sources"), cwd=folder)
  (path,) = (folder / "dist").glob("*.whl")
  return path


@pytest.fixture(scope="module")
def names(wheel):
  """Names of the files in the wheel."""
  with zipfile.ZipFile(wheel) as archive:
    return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel):
  """Name of the wheel's metadata folder: garden-<version>.dist-info."""
  return "-".join(wheel.name.split("-")[:2]) + ".dist-info"


def _tree(folder, pattern):
  return {str(path.relative_to(_ROOT / folder)) for path in (_ROOT / folder).rglob(pattern)}


def test_wheel_holds_every_module_gin_file_and_program(names):
  wanted = {f"garden/{path}" for path in _tree("garden", "*.py")}
  wanted |= {f"garden/configs/{path}" for path in _tree("gin", "*.gin")}
  wanted |= {f"garden/tools/{path}" for path in _tree("tools", "*.py")}
  # TFDS reads these beside a builder.
  for pattern in ("*.bib", "*.txt", "*.tsv", "*.md"):
    wanted |= {f"garden/datasets/{path}" for path in _tree("garden/datasets", pattern)}
  assert {path for path in names if path.startswith("garden/")} == wanted


def test_wheel_puts_nothing_beside_the_package(names, metadata):
  assert {path.split("/")[0] for path in names} == {"garden", metadata}
  # Its place in there depends on the age of setuptools.
  assert {f"{metadata}/LICENSE", f"{metadata}/licenses/LICENSE"} & names


def test_gin_folder_has_no_python():
  assert _tree("gin", "*.py") == set()  # one would hide the gin library


def test_every_program_has_a_console_script(wheel, metadata):
  with zipfile.ZipFile(wheel) as archive:
    text = archive.read(f"{metadata}/entry_points.txt").decode()
  scripts = configparser.ConfigParser()
  scripts.read_string(text)
  programs = {path.removesuffix(".py") for path in _tree("tools", "*.py")} - {"__init__"}
  assert dict(scripts["console_scripts"]) == {
    f"garden-{name.replace('_', '-')}": f"garden.tools.{name}:main" for name in programs
  }


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
  """A folder that holds the unpacked wheel alone, to be put on PYTHONPATH."""
  folder = tmp_path_factory.mktemp("installed")
  pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-index")
  _run(*pip, "--no-deps", "--quiet", "--target", folder, wheel, cwd=folder)
  return folder


def test_installed_package_reads_its_own_configs(installed, tmp_path):
  script = "import garden, gin; print(garden.__file__); gin.configurable"
  where = _run(sys.executable, "-c", script, cwd=tmp_path, PYTHONPATH=str(installed))
  assert where.strip() == str(installed / "garden" / "__init__.py")
  text = _run(
    installed / "bin" / "garden-train", *_TINY, "--dry_run", cwd=tmp_path, PYTHONPATH=str(installed)
  )
  assert "import garden.subspace" in text
  assert list(tmp_path.iterdir()) == []  # a dry run writes nothing


def _train_from_elsewhere(scripts, tmp_path):
  """Trains, evaluates and exports the tiny experiment with the console scripts of a folder."""
  model_dir = tmp_path / "run"
  _run(scripts / "garden-train", *_TINY, "--model_dir", model_dir, cwd=tmp_path)
  _run(scripts / "garden-evaluate", "--model_dir", model_dir, cwd=tmp_path)
  _run(scripts / "garden-export", "--model_dir", model_dir, cwd=tmp_path)
  assert (model_dir / "config.gin").exists()
  assert (model_dir / "results.json").exists()
  assert list(model_dir.glob("export/*/saved_model.pb"))


@pytest.mark.torture
def test_wheel_trains_in_an_empty_environment(wheel, tmp_path):
  venv.create(tmp_path / "env", with_pip=True)
  scripts = tmp_path / "env" / "bin"
  _run(scripts / "pip", "install", "--quiet", wheel, cwd=tmp_path)
  _run(scripts / "pip", "check", cwd=tmp_path)
  _train_from_elsewhere(scripts, tmp_path)


@pytest.mark.torture
def test_editable_install_trains_in_an_empty_environment(tmp_path):
  sources = _checkout(tmp_path / "sources")
  venv.create(tmp_path / "env", with_pip=True)
  scripts = tmp_path / "env" / "bin"
  _run(scripts / "pip", "install", "--quiet", "--editable", sources, cwd=tmp_path)
  script = "import garden.tools.train as train; print(train.__file__)"
  where = _run(scripts / "python", "-c", script, cwd=tmp_path)
  assert where.splitlines()[-1] == str(sources / "tools" / "train.py")
  _train_from_elsewhere(scripts, tmp_path)


def test_no_two_layers_are_registered_under_one_name():
  pattern = r'register_keras_serializable\(package="garden"\)\nclass (\w+)'
  names = [name for path in sorted((_ROOT / "garden").rglob("*.py"))
           for name in re.findall(pattern, path.read_text(encoding="utf-8"))]
  assert len(names) > 20
  assert len(set(names)) == len(names), sorted(n for n in names if names.count(n) > 1)
