"""Tests of what docs/scale.md says: its files are read, its scripts run, its costs are counted."""

import json
import os
import pathlib
import re
import subprocess

import pytest
import tensorflow as tf

from garden.core import config
from garden.core import run as run_lib
from garden.core import strategies

_PAGE = (pathlib.Path(__file__).resolve().parents[1] / "docs/scale.md").read_text(encoding="utf-8")


def _block(language):
  (text,) = re.findall(rf"```{language}\n(.*?)```", _PAGE, re.DOTALL)
  return text


def _documents():
  yaml = pytest.importorskip("yaml")
  return list(yaml.safe_load_all(_block("yaml")))


def _script(folder, name, text):
  path = folder / name
  path.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
  path.chmod(0o755)


def _bash(script, folder, **variables):
  """Runs a script with the programs of a folder before all others."""
  environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **variables}
  return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment,
                        capture_output=True, text=True)


@pytest.fixture
def programs(tmp_path):
  """A folder with a `garden-train` that says what it was told, and a cluster of two machines."""
  _script(tmp_path, "garden-train", 'echo "$TF_CONFIG" | tr -d "\\n"; echo; exit ${CODE:-0}')
  _script(tmp_path, "scontrol", 'if [[ $1 == show ]]; then printf "node7\\nnode9\\n"; '
                                'else echo "$@" >>scontrol.log; fi')
  _script(tmp_path, "srun", 'code=0; for SLURM_PROCID in 0 1; do export SLURM_PROCID; '
                            '"$@" || code=$?; done; exit $code')
  return tmp_path


def test_the_job_and_its_service_fit_together():
  service, job = _documents()
  pod = job["spec"]["template"]["spec"]
  (container,) = pod["containers"]
  name = job["metadata"]["name"]
  assert service["metadata"]["name"] == pod["subdomain"] == name
  assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": name}
  variables = {entry["name"]: entry["value"] for entry in container["env"]}
  assert int(variables["WORKERS"]) == job["spec"]["completions"] == job["spec"]["parallelism"]
  (rule,) = job["spec"]["podFailurePolicy"]["rules"]
  assert rule["onExitCodes"]["containerName"] == container["name"]
  assert {mount["name"] for mount in container["volumeMounts"]} == {
    volume["name"] for volume in pod["volumes"]}


def test_a_pod_tells_the_cluster_and_its_own_number(programs):
  (container,) = _documents()[1]["spec"]["template"]["spec"]["containers"]
  done = _bash(container["args"][0], programs, WORKERS="3", JOB_COMPLETION_INDEX="2")
  assert done.returncode == 0, done.stderr
  assert json.loads(done.stdout) == {
    "cluster": {"worker": ["garden-0.garden:2222", "garden-1.garden:2222",
                           "garden-2.garden:2222"]},
    "task": {"type": "worker", "index": 2}}


@pytest.mark.parametrize(("code", "queued"), [(0, False), (75, True), (2, False)])
def test_the_slurm_script_tells_each_task_the_cluster_and_queues_again(programs, code, queued):
  done = _bash(_block("bash"), programs, SLURM_JOB_NODELIST="node[7,9]", SLURM_JOB_ID="12",
               SLURM_SUBMIT_DIR="/home", CODE=str(code))
  assert done.returncode == code, done.stderr
  assert [json.loads(line) for line in done.stdout.splitlines()] == [
    {"cluster": {"worker": ["node7:2222", "node9:2222"]},
     "task": {"type": "worker", "index": index}} for index in range(2)]
  log = programs / "scontrol.log"
  assert (log.read_text() if log.exists() else "") == ("requeue 12\n" if queued else "")


def test_the_gin_files_of_the_examples_are_shipped():
  named = re.findall(r"--gin_file (\S+)", _PAGE)
  assert len(named) > 5
  assert set(named) <= set(config.shipped())


def test_every_room_has_a_row():
  rooms = {line.split("|")[1].split(":")[0].strip() for line in _PAGE.splitlines()
           if line.startswith("| ") and ":" in line.split("|")[1]}
  assert rooms == {"subspace", "transfer", "physnet", "vda", "dagan"}


def _traced(strategy):
  """The graph of a step of minimax entropy, and the model."""
  tf.keras.utils.set_random_seed(0)
  config.load(["transfer/tiny.gin"], ["transfer.Transfer.recipe = @transfer.MinimaxEntropy()"])
  run = run_lib.Run()
  stage = run.experiment.datasets().stages[-1]
  model = run.build(strategy)
  with strategy.scope():
    batch = next(iter(stage.batches(0)))
  step = tf.function(lambda batch: strategy.run(model.train_step, args=(batch,)))
  return step.get_concrete_function(batch).graph, model


@pytest.fixture(scope="module")
def graphs():
  """Graph and model of a step on one device and on all of this process."""
  return [_traced(strategies.get(name)) for name in ("one_device", "mirrored")]


def _reduced(graph):
  """Number of elements that all replicas of a graph put into an all-reduce."""
  sizes = [operation.inputs[0].shape.num_elements() for operation in graph.get_operations()
           if operation.type.startswith("CollectiveReduce")]
  assert None not in sizes
  return sum(sizes)


def test_a_step_all_reduces_its_parameters_and_a_few_numbers(graphs):
  (alone, _), (shared, model) = graphs
  parameters = sum(variable.shape.num_elements() for variable in model.target_variables())
  replicas = strategies.get("mirrored").num_replicas_in_sync
  assert _reduced(alone) == 0
  assert replicas * parameters <= _reduced(shared) <= replicas * (parameters + 300)
  assert parameters > 1000


def _multiplications(graph):
  """Float operations of the products and convolutions of a graph."""
  profiler = tf.compat.v1.profiler
  options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
  options = options.with_node_names(show_name_regexes=[".*Conv.*", ".*MatMul.*"])
  return profiler.profile(graph, options=options.with_empty_output().build()).total_float_ops


def test_the_replicas_together_compute_what_one_device_does(graphs):
  (alone, _), (shared, _) = graphs
  labeled = 10  # images, whole on each replica, beside 16 of each of the other two streams
  one, all_of_them = _multiplications(alone), _multiplications(shared)
  assert one > 1e6
  replicas = strategies.get("mirrored").num_replicas_in_sync
  assert one < all_of_them < one * (1 + (replicas - 1) * 2 * labeled / (16 + 2 * labeled))
