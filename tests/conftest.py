"""What all tests share: two logical CPU devices, few threads, one tiny trained run.

A process needs about five seconds to import TensorFlow and its friends, so tests run in this one
process wherever that tests the same. The devices are set up once, after collection and before the
first test, since TensorFlow takes no other number later.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
  os.environ.setdefault(_name, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pathlib  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402

# Property tests draw the same examples in each run, and keep none.
hypothesis.settings.register_profile(
  "garden", derandomize=True, deadline=None, database=None, max_examples=40)
hypothesis.settings.load_profile("garden")


def pytest_collection_finish(session):
  """Splits the CPU in two for the tests of strategies, if a test module uses TensorFlow.

  `devices_test` runs itself again with more of them, by $GARDEN_TEST_DEVICES.
  """
  tf = sys.modules.get("tensorflow")
  if tf is None or not session.items:
    return
  # More than the devices: a replica that waits for the other one keeps a thread.
  devices = int(os.environ.get("GARDEN_TEST_DEVICES", "2"))
  tf.config.threading.set_inter_op_parallelism_threads(2 * devices)
  tf.config.threading.set_intra_op_parallelism_threads(1)
  cpu = tf.config.list_physical_devices("CPU")[0]
  tf.config.set_logical_device_configuration(
      cpu, [tf.config.LogicalDeviceConfiguration()] * devices)


@pytest.fixture(scope="session", autouse=True)
def own_data_sets(tmp_path_factory):
  """TFDS's folder of this session: no test reads or writes the user's."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
    yield


@pytest.fixture(autouse=True)
def clean_globals():
  """Takes back what a test told gin and Keras."""
  yield
  if "gin" in sys.modules:
    sys.modules["gin"].clear_config()
  if "tensorflow" in sys.modules:
    sys.modules["tensorflow"].keras.mixed_precision.set_global_policy("float32")


@pytest.fixture
def seeded():
  """The same first weights, whatever was tested before."""
  import tensorflow as tf
  tf.keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def gradient_of():
  """A function: (scalar function of a tensor, x) -> its gradient at x, an array."""
  import tensorflow as tf

  def gradient(function, x):
    x = tf.constant(x, tf.float32)
    with tf.GradientTape() as tape:
      tape.watch(x)
      value = function(x)
    return tape.gradient(value, x).numpy()
  return gradient


@pytest.fixture(scope="session")
def differences_of():
  """A function: (scalar function of a tensor, x, step) -> its central differences at x."""
  import numpy as np
  import tensorflow as tf

  def differences(function, x, step=1e-2):
    x = np.asarray(x, np.float32)
    found = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
      for sign in (1, -1):
        moved = x.copy()
        moved[i] += sign * step
        found[i] += sign * float(function(tf.constant(moved))) / (2 * step)
    return found
  return differences


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
  """Folder of a trained `subspace/tiny.gin`. Shared: read it, and write to a `tiny_copy`."""
  from garden.core import config
  from garden.core import run as run_lib
  from garden.core import train

  folder = tmp_path_factory.mktemp("tiny") / "run"
  text = config.load(["subspace/tiny.gin"])
  train.train(run_lib.Run(), str(folder), text)
  return folder


@pytest.fixture
def tiny_copy(tiny_run, tmp_path):
  """A copy of `tiny_run` that a test may change."""
  return pathlib.Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture(scope="session")
def state_of():
  """A function of a run's folder: every tensor of its newest checkpoint by its name."""
  import tensorflow as tf

  def read(folder):
    reader = tf.train.load_checkpoint(str(folder / "checkpoints"))
    names = sorted(reader.get_variable_to_shape_map())
    return {n: reader.get_tensor(n) for n in names if n != "_CHECKPOINTABLE_OBJECT_GRAPH"}
  return read


@pytest.fixture(scope="session")
def assert_same_run(state_of):
  """A function of two runs: weights, optimizers, counters, callbacks and the log are bit-equal."""
  import numpy as np

  def check(a, b):
    left, right = state_of(a), state_of(b)
    assert left.keys() == right.keys()
    for name, value in left.items():
      np.testing.assert_array_equal(value, right[name], err_msg=name)
    assert (a / "metrics.jsonl").read_text() == (b / "metrics.jsonl").read_text()
  return check


@pytest.fixture
def binary(monkeypatch, capsys):
  """Runs a tool in this process: `binary("train", "--model_dir=a")` -> code, out, err."""
  import importlib
  import logging
  import signal

  from absl import app
  from absl import flags
  from absl import logging as absl_logging

  flags.FLAGS.unparse_flags()
  app.define_help_flags()
  known = set(flags.FLAGS)
  pipe = signal.getsignal(signal.SIGPIPE)
  handlers, level = list(logging.root.handlers), absl_logging.get_verbosity()

  def run(name, *arguments):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    code = 0
    try:
      importlib.import_module(f"tools.{name.replace('-', '_')}").main()
    except SystemExit as error:
      code = error.code or 0
    finally:
      for flag in set(flags.FLAGS) - known:  # each tool defines its own
        delattr(flags.FLAGS, flag)
      flags.FLAGS.unparse_flags()
    captured = capsys.readouterr()
    return code, captured.out, captured.err

  yield run
  signal.signal(signal.SIGPIPE, pipe)
  logging.root.handlers[:] = handlers
  absl_logging.set_verbosity(level)


def _make_towers(n, seed):
  """A `TowerSet` of the first n towers of a seed, in memory, as `Stream.load` would give it."""
  import numpy as np
  import tensorflow as tf

  from garden.datasets.block_towers import arrays
  from garden.datasets.block_towers import configs
  from garden.datasets.block_towers import examples

  rows = list(examples.make(configs.CONFIGS["towers_64"], seed, n))
  columns = {}
  for name in rows[0]:
    if name in ("image", "ids", "masks"):
      columns[name] = np.array(
          [tf.io.encode_png(row[name]).numpy() for row in rows], object)
    else:
      columns[name] = np.stack([row[name] for row in rows])
  return arrays.tower_set(columns)


@pytest.fixture(scope="session")
def towers():
  """48 towers of 2 to 4 blocks, 64 px, the first ones of seed 0. Shared: change a copy."""
  return _make_towers(48, seed=0)


@pytest.fixture(scope="session")
def test_towers():
  """24 other towers, of seed 2."""
  return _make_towers(24, seed=2)


@pytest.fixture(scope="session")
def measured_run(tmp_path_factory):
  """Trains and measures a config: `measured_run("vda/tiny.gin")` -> run, folder, rows, model.

  Once a config and session: read what it returns.
  """
  import functools

  from garden.core import config
  from garden.core import evaluate
  from garden.core import run as run_lib
  from garden.core import train

  @functools.cache
  def made(gin_file):
    folder = tmp_path_factory.mktemp(gin_file.split("/")[0]) / "run"
    text = config.load([gin_file])
    run = run_lib.Run()
    train.train(run, str(folder), text)
    loaded, load = [], evaluate.load
    with pytest.MonkeyPatch.context() as patch:
      # The very model that was measured: its graphs are traced, which takes longer than all else.
      patch.setattr(evaluate, "load", lambda *args: loaded.append(load(*args)) or loaded[-1])
      rows = evaluate.evaluate(run, str(folder))
    return run, folder, rows, loaded[0][0]
  return made


@pytest.fixture(scope="session")
def c_api(tmp_path_factory):
  """Runs signatures in TensorFlow's C API: `c_api(path, [(signature, inputs)])` -> outputs of each.

  By a C program where there is a compiler, by ctypes else. What TensorFlow refuses there is a
  `saved_model_client.Refused`.
  """
  import functools

  from tests import saved_model_client

  runner = saved_model_client.client(tmp_path_factory.mktemp("c_api"))
  return functools.partial(saved_model_client.call, runner)


@pytest.fixture(scope="session")
def served_alike(c_api):
  """Asserts that a SavedModel can be served: `served_alike(path)`.

  Each signature has a warm-up request that fits the protos; by itself and twice in a batch it gives
  in the C API what it gives in Python, a row of every output for each row that came.
  """
  import numpy as np
  import tensorflow as tf
  from tensorflow_serving.apis import prediction_log_pb2

  def check(path, tolerance=1e-4):
    file = os.path.join(path, "assets.extra", "tf_serving_warmup_requests")
    requests = []
    for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
      request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
      one = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
      requests += [(request.model_spec.signature_name, {
          name: np.concatenate([value] * times) for name, value in one.items()})
          for times in (1, 2)]
    loaded = tf.saved_model.load(path)  # bound: its signatures hold the weights no longer than it
    assert {name for name, _ in requests} == set(loaded.signatures)
    page = (pathlib.Path(__file__).parents[1] / "docs/serving.md").read_text(encoding="utf-8")
    for (name, inputs), found in zip(requests, c_api(path, requests)):
      expected = loaded.signatures[name](**{k: tf.constant(v) for k, v in inputs.items()})
      assert found and set(found) == set(expected)
      assert not [key for key in found if f"`{key}`" not in page], "docs/serving.md lacks an output"
      (rows,) = {len(value) for value in inputs.values()}
      for key, value in found.items():
        assert len(value) == rows, f"{name}: {rows} rows came, {key} has {len(value)}"
        if value.dtype.kind == "f":
          np.testing.assert_allclose(value, expected[key], rtol=tolerance, atol=tolerance,
                                     err_msg=f"{name}: {key}")
        else:
          np.testing.assert_array_equal(value, expected[key], err_msg=f"{name}: {key}")
  return check
