"""Tests of the glue: one tiny run of DA-GAN and one of BEGAN through the one path."""

import csv
import dataclasses
import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from garden.core import config
from garden.core import export
from garden.core import predict
from garden.core import report
from garden.core import run as run_lib
from garden.dagan import settings

_QUALITY = {"fid", "kid", "fid_masked", "identity_heldout", "identity_cosine"}


def test_each_method_has_its_rows(dagan_run):
  found = {}
  for row in dagan_run[2]:
    if row["metric"] != "convergence_fid_correlation":  # ten steps may change nothing
      found.setdefault(row["method"], set()).add(row["metric"])
  assert found == {"frontal_only": {"rank1"}, "true": {"rank1", *_QUALITY},
                   "raw": {"rank1", "psnr", "ssim", *_QUALITY},
                   "refined": {"rank1", "psnr", "ssim", *_QUALITY}}
  assert all(np.isfinite(row["value"]) for row in dagan_run[2])


def test_a_k_that_moves_is_told_at_its_end(dagan_run, monkeypatch):
  run, _, _, model = dagan_run
  experiment = run.experiment
  monkeypatch.setattr(experiment, "recognition", lambda model: {})
  monkeypatch.setattr(experiment, "quality", lambda model: {})
  for balance in settings.BALANCES:
    monkeypatch.setattr(experiment, "recipe", settings.Recipe(balance=balance))
    told = [row["value"] for row in experiment.evaluate(model, None) if row["metric"] == "k_t"]
    assert told == ([float(model.k_t)] if balance == "began" else [])


def test_labels_beyond_the_identity_agent_are_refused(dagan_run, monkeypatch):
  experiment = dagan_run[0].experiment
  faces = experiment.real
  monkeypatch.setattr(type(experiment), "real", dataclasses.replace(
      faces, identity=faces.identity + experiment.n_identities))
  with pytest.raises(ValueError, match=r"go up to \d+, but the identity agent tells \d+ apart"):
    experiment.check_faces()


def test_faces_of_another_size_than_the_network_are_refused(dagan_run, monkeypatch):
  experiment = dagan_run[0].experiment
  size = experiment.network.size
  monkeypatch.setattr(experiment, "network", dataclasses.replace(experiment.network, size=2 * size))
  with pytest.raises(ValueError, match=f"size is {2 * size}, but the faces are {size} px"):
    experiment.check_faces()


def test_predictions_tell_of_each_probe(dagan_run):
  with open(dagan_run[1] / "predictions.csv", encoding="utf-8") as file:
    lines = list(csv.DictReader(file))
  probes = dagan_run[0].experiment.gallery.of("probe")
  assert len(lines) == 4 * len(probes)
  assert [int(line["person"]) for line in lines[:len(probes)]] == probes.identity.tolist()
  assert all(0 <= float(line["right"]) <= 1 for line in lines)


def test_the_album_has_a_time_for_each_epoch(dagan_run):
  # An epoch is a fifth of the steps.
  assert dagan_run[3].album.kept.numpy().tolist() == [0, 2, 0, 4, 0, 6, 0, 8, 0, 10]


def test_the_refiner_sees_no_true_profile_of_the_gallery(dagan_run):
  experiment = dagan_run[0].experiment
  assert set(experiment.new.kind) == {"simulated"}
  batch = next(iter(experiment.datasets().stages[1].batches(0)))
  real = ((batch["real"]["image"].numpy() + 1) * 127.5).round().astype(np.uint8)
  known = {image.tobytes() for images in (experiment.train.image,
                                          experiment.train.image[:, :, ::-1]) for image in images}
  assert all(np.ascontiguousarray(image).tobytes() in known for image in real)


def test_raw_and_refined_have_the_same_backgrounds(dagan_run):
  experiment, model = dagan_run[0].experiment, dagan_run[3]
  raw, refined = experiment.profiles(model, experiment.unseen)
  again, _ = experiment.profiles(model, experiment.unseen)
  np.testing.assert_array_equal(raw, again)
  expected = np.clip(np.round((model(raw / np.float32(127.5) - 1.0).numpy() + 1) * 127.5), 0, 255)
  np.testing.assert_allclose(refined, expected, atol=1)


def test_the_report_has_every_section(dagan_run):
  run, _, _, model = dagan_run
  model.training_log = [{"step": 2, "total_steps": 6, "convergence": 0.4, "k_t": 0.5}]
  titles = [section.title for section in run.experiment.figures(model, None)]
  assert titles == ["Recognition", "Likeness", "From the front to the side", "Before and after",
                    "Quality and the convergence measure", "Features of real and refined faces",
                    "Recognition by yaw", "Training curves"]


def test_what_is_served_refines(dagan_run, tmp_path, served_alike):
  run, folder, _, _ = dagan_run
  path = export.export(run, str(folder), str(tmp_path / "export"))
  served_alike(path)
  images = tmp_path / "images"
  predict.write_images(run.experiment.sample_images(), str(images))
  assert predict.predict(path, [str(images)], str(tmp_path / "out.csv")) == 8
  with open(tmp_path / "out.csv", encoding="utf-8") as file:
    line = next(csv.DictReader(file))
  assert np.asarray(PIL.Image.open(line["refined"])).shape == (32, 32, 3)
  assert float(line["error"]) > 0 and float(line["refined_error"]) > 0
  code = [float(line[f"identity_{i}"]) for i in range(8)]
  assert np.linalg.norm(code) == pytest.approx(1.0, abs=1e-4)


def test_began_is_measured_and_drawn(began_run):
  run, _, rows, model = began_run
  metrics = {row["metric"] for row in rows if row["method"] == "began"}
  assert metrics - {"convergence_fid_correlation"} == {"fid", "kid", "diversity", "k_t"}
  titles = [section.title for section in run.experiment.figures(model, None)]
  assert titles[:5] == ["Likeness", "Faces from noise", "Real faces", "From one face to another",
                        "What D reconstructs"]


def test_what_began_serves_makes_images(began_run, tmp_path, served_alike):
  run, folder, _, model = began_run
  path = export.export(run, str(folder), str(tmp_path / "export"))
  served_alike(path)
  loaded = tf.saved_model.load(path)
  noise = run.experiment.noise(3)
  made = loaded.signatures["serving_noise"](noise=noise)
  np.testing.assert_allclose(made["images"], np.clip(model(noise), -1, 1), atol=1e-5)
  picture = PIL.Image.open(io.BytesIO(made["image_bytes"].numpy()[0]))
  assert picture.size == (32, 32)
  with pytest.raises(tf.errors.InvalidArgumentError, match="noise must be at most 1"):
    loaded.signatures["serving_noise"](noise=noise + 2.0)


def test_faces_that_do_not_fit_are_refused():
  config.load(["dagan/tiny.gin"], ["SIZE = 64"])
  with pytest.raises(ValueError, match="size is 64, but the faces are 32 px"):
    run_lib.Run().experiment.datasets()
  config.load(["dagan/tiny.gin"], ["dagan.Profiles.shown = 100"])
  with pytest.raises(ValueError, match="shown is 100, but there are 8 simulated"):
    run_lib.Run().experiment.datasets()
  config.load(["dagan/began_tiny.gin"], ["SIZE = 64"])
  with pytest.raises(ValueError, match="size is 64, but the faces are 32 px"):
    run_lib.Run().experiment.datasets()


def test_identities_beyond_the_agent_are_refused(monkeypatch):
  config.load(["dagan/tiny.gin"])
  experiment = run_lib.Run().experiment
  monkeypatch.setattr(type(experiment), "n_identities", 5)
  with pytest.raises(ValueError, match="identities go up to 7, but the identity agent tells 5"):
    experiment.datasets()


@pytest.mark.parametrize("fields, message", [
    ({"methods": ("raw", "magic")}, "method is 'magic'"), ({"seeds": 0}, "seeds is 0"),
    ({"epochs": 0}, "epochs is 0")])
def test_bad_judges_are_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    settings.Judges(**fields)


def test_the_page_can_be_written(began_run, tmp_path):
  run, _, _, model = began_run
  page = report.write_report(tmp_path / "page.html", run.experiment.title,
                             run.experiment.figures(model, None))
  assert page.stat().st_size > 10_000
