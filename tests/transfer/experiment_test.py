"""Tests of the glue: stages, metrics of the tiny run, serving, figures, resuming."""

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from garden.core import config
from garden.core import evaluate
from garden.core import export
from garden.core import report as report_lib
from garden.core import run as run_lib
from garden.core import train
from garden.datasets import images as images_lib
from garden.transfer import data
from garden.transfer import experiment
from garden.transfer import settings
from garden.transfer.matching import MatchingNet
from garden.transfer.mme import MME


@pytest.fixture(scope="module")
def trained(transfer_run):
  """The experiment, the model and the data of the tiny run."""
  run = run_lib.from_model_dir(str(transfer_run))
  model, inputs = evaluate.load(run, str(transfer_run))
  return run.experiment, model, inputs


def _images(count, names, labels=True, seed=0):
  rng = np.random.default_rng(seed)
  return images_lib.Images(
    rng.uniform(size=(count, 16, 16, 1)).astype(np.float32),
    np.arange(count) % len(names) if labels else None, tuple(names) if labels else (),
    tuple(f"{k // 4}/{k}.png" for k in range(count)))


def _made(recipe, labels=True, **changes):
  """An experiment on arrays; without files."""
  made = experiment.Transfer(
    streams=None, network=settings.Network(channels=(2, 3), units=4), recipe=recipe,
    source_steps=2, adapt_steps=2, source_batch_size=4, adapt_source_batch_size=4,
    unlabeled_batch_size=4, **changes)
  target = _images(8, "ab", seed=1)
  made.__dict__["split"] = data.Split(
    source=_images(12, "cde"), source_test=_images(6, "cde", seed=3),
    labeled=target.take(np.argsort(target.labels, kind="stable")),
    unlabeled=_images(8, "ab", labels, seed=2), test=None)
  return made


def test_the_stages_are_source_and_adapt(trained):
  stages = trained[0].datasets().stages
  assert [(s.name, s.steps) for s in stages] == [("source", 20), ("adapt", 20)]
  assert set(next(iter(stages[0].batches(0)))) == {"source"}
  assert set(next(iter(stages[1].batches(0)))) == {
    "source", "target_labeled", "target_unlabeled"}


def test_evaluation_has_both_accuracies_and_the_counts(trained):
  rows = {row["metric"]: row["value"] for row in trained[0].evaluate(*trained[1:])}
  split = trained[0].split
  assert 0 <= rows["accuracy"] <= 1 and 0 <= rows["accuracy_prototype"] <= 1
  assert sum(rows[f"predicted_{k}"] for k in "56789") == len(split.test)
  assert rows["largest_class_share"] == max(
    rows[f"predicted_{k}"] for k in "56789") / len(split.test)
  assert "source_accuracy" not in rows  # tiny.gin has no source images to measure on


def test_evaluation_measures_the_head_that_is_served(trained):
  subject, model, _ = trained
  rows = {row["metric"]: row["value"] for row in subject.evaluate(*trained[1:])}
  labels = np.argmax(model.predict(subject.split.test.pixels, verbose=0), axis=1)
  assert rows["accuracy"] == np.mean(labels == subject.split.test.labels)


def test_without_a_test_set_or_labels_it_measures_the_unlabelled_images():
  made = _made(settings.Recipe(alpha=0.0, beta=0.0), labels=False)
  model = made.build_model()
  rows = {row["metric"] for row in made.evaluate(model, None)}
  assert "accuracy" not in rows and {"mean_entropy", "agreement", "source_accuracy"} <= rows
  table = made.predictions(model, None)
  assert table["image"] == made.split.unlabeled.names and set(table["label"]) <= {"a", "b"}


def test_a_run_on_the_source_alone_says_nothing_of_the_target():
  made = _made(settings.Recipe(alpha=0.0, beta=0.0))
  made.adapt_steps = 0
  rows = made.evaluate(made.build_model(), None)
  assert [row["metric"] for row in rows] == ["source_accuracy"]


def test_video_accuracy_takes_the_folders_as_videos():
  made = _made(settings.Recipe(alpha=0.0, beta=0.0), video=True)
  truth = np.array([0, 0, 0, 0, 1, 1, 1, 1])
  made.__dict__["split"] = dataclasses.replace(
    made.split, test=dataclasses.replace(made.split.unlabeled, labels=truth))
  rows = {row["metric"]: row["value"] for row in made.evaluate(made.build_model(), None)}
  assert rows["video_accuracy"] in (0.0, 0.5, 1.0)


@pytest.mark.parametrize(("recipe", "kind"), [
  (settings.MinimaxEntropy(), MME), (settings.Matching(shots=1, queries=1), MatchingNet),
])  # fmt: skip
def test_the_recipe_chooses_the_model(recipe, kind, tmp_path):
  made = _made(recipe)
  run = run_lib.Run(made, steps_per_epoch=2, tensorboard=False)
  model = train.train(run, str(tmp_path / "run"), "text")
  assert isinstance(model, kind) and int(model.total_steps) == 4
  rows = {row["metric"]: row["value"] for row in made.evaluate(model, None)}
  assert 0 <= rows["accuracy"] <= 1 and 0 <= rows["source_accuracy"] <= 1


def test_an_unknown_recipe_is_told():
  with pytest.raises(ValueError, match="transfer.Recipe, transfer.MinimaxEntropy"):
    experiment.Transfer(None, None, recipe="stable")


@pytest.mark.parametrize("name", ["source_steps", "unlabeled_batch_size"])
def test_bad_counts_are_told_before_anything_is_read(name):
  with pytest.raises(ValueError, match=name):
    experiment.Transfer(None, None, settings.Recipe(), **{name: -1})


def test_episodes_need_two_labelled_images_of_each_class():
  made = _made(settings.Matching(shots=1, queries=1))
  made.__dict__["split"] = dataclasses.replace(
    made.split, labeled=made.split.labeled.take([0, 4]))
  with pytest.raises(ValueError, match="at least 2"):
    made.datasets()


def test_the_label_map_is_the_cosine_of_the_prototypes(trained):
  subject, model, _ = trained
  similarity, mapped = subject.label_map(model)

  def means(images, embed):
    features = np.asarray(embed(images.pixels))
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    features = features / np.maximum(lengths, 1e-6)
    rows = [features[images.labels == k].mean(axis=0) for k in range(images.num_classes)]
    return np.stack(rows) / np.linalg.norm(rows, axis=1, keepdims=True)

  split = subject.split
  expected = means(split.source, model.embed_source) @ means(split.labeled, model.embed).T
  np.testing.assert_allclose(similarity, expected, atol=1e-5)
  np.testing.assert_array_equal(mapped, expected.argmax(axis=1))


def test_every_figure_renders(trained, tmp_path, transfer_run):
  subject, model, inputs = trained
  sections = subject.figures(model, inputs)
  titles = [section.title for section in sections]
  assert titles[0] == "Results" and len(titles) == len(set(titles)) == 8
  page = report_lib.write_report(str(tmp_path / "report.html"), subject.title, sections)
  assert os.path.getsize(page) > 50_000


def test_the_predictions_are_a_row_for_each_test_image(transfer_run, tmp_path):
  folder = tmp_path / "run"
  shutil.copytree(transfer_run, folder)
  evaluate.evaluate(run_lib.from_model_dir(str(folder)), str(folder))
  with open(folder / "predictions.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == 180 and set(rows[0]) == {"image", "label", "probability", "prototype"}
  assert {row["label"] for row in rows} <= set("56789")


def test_a_run_that_lost_its_last_save_ends_with_the_same_weights(transfer_run, tmp_path):
  folder = tmp_path / "run"
  shutil.copytree(transfer_run, folder)
  checkpoints = folder / "checkpoints"
  kept = next(p for p in sorted(checkpoints.glob("*.index")) if p.stem == "ckpt-30")
  for path in checkpoints.glob("ckpt-*"):
    if not path.name.startswith(kept.stem):
      path.unlink()
  (checkpoints / "checkpoint").write_text(
    f'model_checkpoint_path: "{kept.stem}"\nall_model_checkpoint_paths: "{kept.stem}"\n')
  text = config.load(["transfer/tiny.gin"])
  again = train.train(run_lib.Run(), str(folder), text)
  run = run_lib.from_model_dir(str(transfer_run))
  whole, _ = evaluate.load(run, str(transfer_run))
  for mine, theirs in zip(again.trainable_variables, whole.trainable_variables, strict=True):
    np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_a_source_of_another_network_is_told(transfer_run, tmp_path):
  text = config.load(["transfer/tiny.gin"], [
    f"Run.warm_start = {str(transfer_run)!r}", "transfer.Network.units = 20"])
  with pytest.raises(ValueError, match="warm start: .*doesn't fit"):
    train.train(run_lib.Run(), str(tmp_path / "run"), text)
  assert not (tmp_path / "run" / "config.gin").exists()


def test_a_warm_start_takes_the_source_alone(transfer_run, tmp_path):
  text = config.load(["transfer/tiny.gin"], [
    f"Run.warm_start = {str(transfer_run)!r}", "SOURCE_STEPS = 0", "STEPS = 0", "SEED = 5"])
  model = train.train(run_lib.Run(), str(tmp_path / "run"), text)
  whole, _ = evaluate.load(run_lib.from_model_dir(str(transfer_run)), str(transfer_run))
  for part in ("source_encoder", "source_head"):
    for mine, theirs in zip(getattr(model, part).weights, getattr(whole, part).weights):
      np.testing.assert_array_equal(mine, theirs)
  assert not np.array_equal(model.head.weights[0], whole.head.weights[0])


@pytest.mark.torture
def test_two_replicas_train_the_tiny_run(tmp_path):
  text = config.load(["transfer/tiny.gin", "runtime/mirrored.gin"], [
    "SOURCE_STEPS = 2", "STEPS = 2", "Run.steps_per_epoch = 2", "Run.tensorboard = False"])
  model = train.train(run_lib.Run(), str(tmp_path / "run"), text)
  assert int(model.total_steps.numpy()) == 4
  assert all(np.isfinite(w.numpy()).all() for w in model.trainable_variables)


_SERVE = """
import json, sys
sys.modules["tensorflow_addons"] = sys.modules["keras_cv"] = sys.modules["garden"] = None
import numpy as np, tensorflow as tf
images = np.load(sys.argv[2])
found = tf.saved_model.load(sys.argv[1]).signatures["serving_default"](images=tf.constant(images))
print(json.dumps({k: v.numpy().tolist() for k, v in found.items()}))
"""


def test_the_saved_model_serves_where_nothing_else_is_installed(
  trained, transfer_run, tmp_path, served_alike):
  subject, model, _ = trained
  run = run_lib.from_model_dir(str(transfer_run))
  saved = export.export(run, str(transfer_run), str(tmp_path / "export"))
  served_alike(saved)
  images = subject.split.test.pixels[:3]
  np.save(tmp_path / "images.npy", images)
  out = subprocess.run(
    [sys.executable, "-c", _SERVE, saved, str(tmp_path / "images.npy")],
    check=True, capture_output=True, text=True).stdout
  served = json.loads(out.splitlines()[-1])
  assert set(served) == {"probabilities", "label", "prototype"}
  expected = model.classify(tf.constant(images), *map(tf.constant, subject.support(model)))
  np.testing.assert_allclose(served["probabilities"], expected["probabilities"], atol=1e-5)
  np.testing.assert_array_equal(served["label"], expected["label"])
