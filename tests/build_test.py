"""BUILD lists every Python file once, and each target's deps are what its files import.

Bazel's files are Python syntax, so that this needs no Bazel; where there is one, it is asked too.
Imports that no statement shows count as well: the `import` lines of the gin files (the target
`:configs`) and, in tests, module names and gin files in strings (a script for a subprocess).
"""

import ast
import pathlib
import re
import shutil
import subprocess

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_RULES = {"py_library", "py_binary", "py_test"}
# What a folder of garden/ may depend on. All others are rooms: the last entry. A module of garden/
# itself stands above the rooms, is a target of its own, and nothing in garden/ depends on it.
_FLOORS = {
  "garden": set(),
  "core": {"garden"},
  "worlds": {"garden"},
  "datasets": {"garden", "worlds"},
}
_ROOM = {"garden", "core", "worlds", "datasets"}


def _targets(text):
  """Reads the Python rules of a BUILD file.

  Args:
    text: the file's text.

  Returns:
    name -> {"rule": str, "srcs": list, "deps": list, ...}, deps without their colon.

  Raises:
    ValueError: two targets have one name.

  Example:
    >>> _targets('py_library(name = "a", srcs = ["a.py"], deps = [":b"])')["a"]["deps"]
    ['b']
  """
  targets = {}
  for node in ast.parse(text).body:
    call = node.value
    if not isinstance(call, ast.Call) or call.func.id not in _RULES:
      continue
    target = {"rule": call.func.id, "srcs": [], "deps": []}
    for keyword in call.keywords:
      # glob() is for data alone: a file that nobody listed is what this test looks for.
      if not isinstance(keyword.value, ast.Call):
        target[keyword.arg] = ast.literal_eval(keyword.value)
    target["deps"] = [dep.removeprefix(":") for dep in target["deps"]]
    if target["name"] in targets:
      raise ValueError(f"two targets are named {target['name']!r}")
    targets[target["name"]] = target
  return targets


def _python_files(root):
  """All .py files under garden/, tools/ and tests/, relative to the root, sorted."""
  return sorted(
    str(path.relative_to(root))
    for folder in ("garden", "tools", "tests")
    for path in (root / folder).rglob("*.py")
  )


def _home(path):
  """Name and rule of the target that a file belongs to."""
  parts = path.split("/")
  if path == "garden/__init__.py":
    return "garden", "py_library"
  if parts[0] == "garden":
    return parts[1].removesuffix(".py"), "py_library"
  if path == "tools/__init__.py":
    return "tools", "py_library"
  name = path.removesuffix(".py")
  if parts[0] == "tools":
    return name, "py_binary"
  return name, "py_test" if name.endswith("_test") else "py_library"


def _module_file(module, files):
  """The file of a dotted name or of its longest prefix that is one; None for other packages."""
  path = module.removeprefix("garden.") if module.startswith("garden.tools") else module
  parts = path.split(".")
  for end in range(len(parts), 0, -1):
    stem = "/".join(parts[:end])
    for candidate in (f"{stem}.py", f"{stem}/__init__.py"):
      if candidate in files:
        return candidate
  return None


def _imported(text):
  """The dotted names that the import statements of a source text reach."""
  names = set()
  for node in ast.walk(ast.parse(text)):
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      names |= {f"{node.module}.{alias.name}" for alias in node.names}
  return names


def _named_in_strings(text):
  """The modules and gin files that the strings of a test name; docstrings are prose."""
  tree = ast.parse(text)
  prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
  modules, gin = set(), False
  for node in ast.walk(tree):
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
      modules |= set(re.findall(r"(?<![\w./])(?:garden|tools)(?:\.[a-z_]\w*)+", node.value))
      modules |= {f"garden.{name}" for name in re.findall(r"from garden import (\w+)", node.value)}
      gin |= ".gin" in node.value
  return modules, gin


def _wanted(root):
  """The targets that a tree should have: name -> (rule, srcs, deps)."""
  files = _python_files(root)
  wanted = {}
  for path in files:
    name, rule = _home(path)
    _, srcs, deps = wanted.setdefault(name, (rule, [], set()))
    srcs.append(path)
    text = (root / path).read_text(encoding="utf-8")
    modules = _imported(text)
    if rule == "py_test":
      named, gin = _named_in_strings(text)
      # A made-up name ends at the bare package, which is no dependency.
      modules |= {name for name in named if "/" in (_module_file(name, files) or "")}
      deps |= {"configs"} if gin else set()
    elif rule == "py_binary":
      deps.add("configs")  # the user's flags name a gin file, and that its rooms
    deps |= {_home(file)[0] for file in (_module_file(name, files) for name in modules) if file}
    # A module needs the packages that it lies in, and a test its conftest.
    for parent in pathlib.PurePath(path).parents:
      for file in (f"{parent}/__init__.py", f"{parent}/conftest.py"):
        if file in files and (file.endswith("__init__.py") or rule == "py_test"):
          deps.add(_home(file)[0])
  rooms = set()
  for path in (root / "gin").rglob("*.gin"):
    lines = path.read_text(encoding="utf-8")
    for module in re.findall(r"^(?:import|from) +(garden\.[\w.]+)", lines, re.M):
      rooms.add(_home(_module_file(module, files))[0])
  wanted["configs"] = ("py_library", [], rooms)
  return {name: (rule, srcs, sorted(deps - {name})) for name, (rule, srcs, deps) in wanted.items()}


def _stanza(name, rule, srcs, deps):
  """The text of a target, for the message that asks for it."""
  lines = [f"{rule}(", f'    name = "{name}",']
  for key, values in (("srcs", srcs), ("deps", [f":{dep}" for dep in deps])):
    if len(values) == 1:
      lines.append(f'    {key} = ["{values[0]}"],')
    elif values:
      lines += [f"    {key} = [", *(f'        "{value}",' for value in values), "    ],"]
  return "\n".join([*lines, ")"])


def _complaints(root):
  """What is wrong with the BUILD file of a tree, a line or stanza each; empty when nothing is."""
  text = (root / "BUILD").read_text(encoding="utf-8")
  targets = _targets(text)
  wanted = _wanted(root)
  # Old Bazels know the rules without a load, and would not tell.
  loaded = set(re.findall(r'"(py_\w+)"', "".join(re.findall(r"^load\(.*\)$", text, re.M))))
  wrong = [
    f"BUILD uses {rule} and does not load it"
    for rule in {target["rule"] for target in targets.values()} - loaded
  ]
  for name, (rule, srcs, deps) in wanted.items():
    have = targets.get(name)
    found = have and (have["rule"], sorted(have["srcs"]), sorted(have["deps"]))
    if found != (rule, srcs, deps):
      wrong.append(f"BUILD should say\n{_stanza(name, rule, srcs, deps)}\nand says {found}")
  wrong += [f"BUILD has a target {name!r} of no file" for name in targets.keys() - wanted.keys()]
  folders = {path.parent.name for path in (root / "garden").glob("*/__init__.py")} | {"garden"}
  for name, (_, srcs, deps) in wanted.items():
    if name == "configs" or (srcs and not srcs[0].startswith("garden/")):
      continue
    above = srcs == [f"garden/{name}.py"]
    extra = set(deps) - (folders if above else _FLOORS.get(name, _ROOM))
    if extra:
      wrong.append(f"garden/{name} must not import {sorted(extra)} (CONTRIBUTING.md, layers)")
  return wrong


def test_build_lists_every_file_once_with_the_deps_of_its_imports():
  wrong = _complaints(_ROOT)
  assert not wrong, "\n".join(wrong)


def _tree(tmp_path, build, **sources):
  """A tree with packages garden.aa (a room) and garden.core, and the given BUILD text."""
  files = {
    "garden/__init__.py": "",
    "garden/core/__init__.py": "",
    "garden/aa/__init__.py": "",
    "garden/aa/b.py": "from garden.core import x",
    "garden/top.py": "from garden.aa import b",
    "gin/aa/tiny.gin": "import " + "garden.aa",
    **{key.replace("__", "/") + ".py": value for key, value in sources.items()},
    "BUILD": build,
  }
  for name, text in files.items():
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
  return tmp_path


_GOOD = """
load("@rules_python//python:defs.bzl", "py_library")
py_library(name = "garden", srcs = ["garden/__init__.py"])
py_library(name = "core", srcs = ["garden/core/__init__.py"], deps = [":garden"])
py_library(
    name = "aa",
    srcs = ["garden/aa/__init__.py", "garden/aa/b.py"],
    deps = [":core", ":garden"],
)
py_library(name = "top", srcs = ["garden/top.py"], deps = [":aa", ":garden"])
py_library(name = "configs", data = glob(["gin/**/*.gin"]), deps = [":aa"])
"""


def test_a_right_tree_has_no_complaint(tmp_path):
  assert _complaints(_tree(tmp_path, _GOOD)) == []


@pytest.mark.parametrize(
  ("old", "new"),
  [
    (', "garden/aa/b.py"', ""),  # a file without a target
    ('"garden/aa/b.py"', '"garden/aa/b.py", "garden/aa/gone.py"'),  # a file that is not there
    ('"garden/aa/b.py"', '"garden/aa/b.py", "garden/aa/b.py"'),  # a file twice
    ('[":core", ":garden"]', '[":garden"]'),  # an import without its dep
    ('[":core", ":garden"]', '[":core", ":garden", ":configs"]'),  # a dep without its import
    ('glob(["gin/**/*.gin"]), deps = [":aa"]', 'glob(["gin/**/*.gin"])'),  # what gin imports
    ('deps = [":aa", ":garden"]', 'deps = [":garden"]'),  # the room under a module of garden/
    ('"configs"', '"confgs"'),  # a target that nothing asks for
    ("load(", "# load("),  # a rule that is not loaded
  ],
)
def test_a_wrong_build_file_is_told(tmp_path, old, new):
  assert old in _GOOD
  assert _complaints(_tree(tmp_path, _GOOD.replace(old, new)))


@pytest.mark.parametrize(
  ("path", "text", "message"),
  [
    ("garden__core__c", "def f():\n  import garden.aa.b", "garden/core must not import"),
    ("garden__bb__c", "from garden import aa", "garden/bb must not import"),
    ("garden__datasets__d", "import garden.core", "garden/datasets must not import"),
    ("garden__aa__c", "from garden import top", "garden/aa must not import ['top']"),
    ("garden__core__c", "from garden.top import b", "garden/core must not import ['top']"),
    ("garden__other", "import garden.top", "garden/other must not import ['top']"),
  ],
)
def test_an_import_against_the_layers_is_told(tmp_path, path, text, message):
  assert message in "\n".join(_complaints(_tree(tmp_path, _GOOD, **{path: text})))


def test_the_strings_of_a_test_name_modules_and_gin_files(tmp_path):
  script = '"""garden.aa in prose."""\nrun("-c", "import garden.aa.b", "--gin_file=aa/tiny.gin")'
  root = _tree(tmp_path, _GOOD, tests__aa__b_test=script)
  assert _wanted(root)["tests/aa/b_test"] == ("py_test", ["tests/aa/b_test.py"], ["aa", "configs"])


@pytest.mark.skipif(shutil.which("bazel") is None, reason="bazel is not installed")
def test_bazel_reads_the_same_targets(tmp_path):
  command = ["bazel", f"--output_user_root={tmp_path}", "--batch", "query", "//..."]
  done = subprocess.run(
    [*command, "--output=build"], cwd=_ROOT, capture_output=True, text=True, timeout=300
  )
  assert done.returncode == 0, done.stderr
  read = {}
  for name, target in _targets(done.stdout).items():
    # Bazel prints whole labels; what lies in //bazel came with the py_test of pytest.bzl.
    srcs = sorted(src.removeprefix("//:") for src in target["srcs"] if "//bazel" not in src)
    read[name] = (target["rule"], srcs, sorted(dep.removeprefix("//:") for dep in target["deps"]))
  assert read == _wanted(_ROOT)
