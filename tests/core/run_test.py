"""Tests of the settings of a run."""

import pytest
import tensorflow as tf

from garden.core import config
from garden.core import run as run_lib


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"strategy": "miror"}, r"Run\.strategy is 'miror'.*did you mean mirrored"),
    ({"precision": "float16"}, r"Run\.precision is 'float16'; it must be one of float32"),
    ({"best_mode": "least"}, r"Run\.best_mode is 'least'; it must be one of min, max"),
    ({"steps_per_epoch": 0}, r"Run\.steps_per_epoch is 0; it must be a whole number"),
    ({"steps_per_execution": -1}, r"Run\.steps_per_execution is -1"),
    ({"save_every": 2.5}, r"Run\.save_every is 2\.5"),
    ({"ema_decay": 1.0}, r"Run\.ema_decay is 1\.0; .*between 0 and 1, like 0\.999"),
    ({"early_stop_patience": 3}, r"early_stop_patience needs Run\.best_metric"),
    ({"profile_steps": (1, 2, 3)}, r"Run\.profile_steps is \(1, 2, 3\); .*two steps"),
  ],
)
def test_a_wrong_setting_names_itself_its_limit_and_the_fix(toy_run, settings, message):
  with pytest.raises(ValueError, match=message):
    toy_run(**settings)


def test_an_experiment_that_is_none_is_refused():
  with pytest.raises(ValueError, match=r"Run\.experiment is 'subspace'; bind it"):
    run_lib.Run(experiment="subspace")


def test_set_up_seeds_sets_the_precision_and_gives_the_strategy(toy_run):
  draws = []
  for seed in (1, 1, 2):
    strategy = toy_run(seed=seed, strategy="mirrored", precision="mixed_bfloat16").set_up()
    draws.append(float(tf.random.uniform([])))
  assert draws[0] == draws[1] != draws[2]
  assert strategy.num_replicas_in_sync == 2
  assert tf.keras.mixed_precision.global_policy().name == "mixed_bfloat16"


def test_build_applies_the_compile_settings_in_the_strategys_scope(toy_run):
  run = toy_run(steps_per_execution=4, jit_compile=True, strategy="mirrored")
  model = run.build(run.set_up())
  assert int(model.steps_per_execution.numpy()) == 4
  assert model.jit_compile is True
  assert model.distribute_strategy.num_replicas_in_sync == 2


def test_a_folder_gives_its_run_back_with_bindings_on_top(tiny_run):
  run = run_lib.from_model_dir(str(tiny_run))
  assert run.save_every == 10 and run.experiment.source.dataset == "digits"
  text = (tiny_run / "config.gin").read_text(encoding="utf-8").split("\n", 1)[1]
  assert run_lib.from_model_dir(str(tiny_run), ["Run.save_every = 3"]).save_every == 3
  assert config.load(["subspace/tiny.gin"]) == text
