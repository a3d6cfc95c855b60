"""Tests of what refined images are worth, on features and images that are known."""

import numpy as np
import pytest
import tensorflow as tf

from garden.dagan import album
from garden.dagan import evaluation
from garden.dagan import settings
from garden.datasets import faces


def _set(colors, people, kind="profile", mask=255):
  n = len(people)
  image = np.broadcast_to(np.asarray(colors, np.uint8)[:, None, None], (n, 16, 16, 3)).copy()
  return faces.FaceSet(image, np.full((n, 16, 16, 1), mask, np.uint8),
                       np.zeros((n, 16, 16, 1), np.uint8), np.asarray(people), np.full(n, kind),
                       np.zeros(n, np.float32), np.arange(n))


def _means(images):
  return images.reshape(len(images), -1, 3).mean(axis=1)


_PEOPLE = _set([[200, 0, 0], [210, 10, 0], [0, 200, 0], [10, 210, 0]], [3, 3, 7, 7])


def test_images_like_the_true_ones_are_told_their_person():
  found = evaluation.quality(_means, _PEOPLE.image, _PEOPLE.mask, _PEOPLE.identity, _PEOPLE)
  assert found["fid"] == pytest.approx(0.0, abs=1e-6) == found["fid_masked"]
  assert found["identity_heldout"] == 1.0 and found["identity_cosine"] > 0.99
  swapped = evaluation.quality(_means, _PEOPLE.image, _PEOPLE.mask, _PEOPLE.identity[::-1], _PEOPLE)
  assert swapped["identity_heldout"] == 0.0 and swapped["fid"] == found["fid"]


def test_backgrounds_do_not_count_for_the_fid_of_the_face():
  other = _set(_means(_PEOPLE.image) // 2, _PEOPLE.identity, mask=0)
  hidden = _set(_means(_PEOPLE.image), _PEOPLE.identity, mask=0)
  found = evaluation.quality(_means, other.image, other.mask, other.identity, hidden)
  assert found["fid"] > 100 and found["fid_masked"] == pytest.approx(0.0, abs=1e-6)


def test_likeness_of_an_image_to_itself_and_to_noise():
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
  assert evaluation.likeness(images, images)["ssim"] == pytest.approx(1.0)
  worse = evaluation.likeness(images, images[::-1].copy())
  assert worse["psnr"] < 12 and worse["ssim"] < 0.3


def test_diversity_is_in_shares_of_the_true_one():
  x = np.random.default_rng(0).normal(size=(50, 8))
  assert evaluation.diversity(x, x) == 1.0
  assert evaluation.diversity(0.25 * x, x) == pytest.approx(0.25)
  assert evaluation.diversity(np.ones((5, 8)), x) == 0.0


def test_rank_1_is_told_by_yaw():
  right = {"raw": np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)}
  rows = evaluation.recognition_rows(right, np.array([60.0, -70.0, 80.0, -90.0]))
  assert {row.get("setting", {}).get("yaw"): row["value"] for row in rows} == {
      None: 3 / 8, "60-75": 0.75, "75-90": 0.0}


def test_what_was_done_to_another_person_is_added():
  raw = np.full((4, 2, 2, 3), 100, np.uint8)
  refined = raw.copy()
  refined[:2] += 7  # of the first person
  found = evaluation.others_residual(raw, refined, np.array([0, 0, 1, 1]))
  assert [int(image[0, 0, 0]) for image in found] == [100, 100, 107, 107]


def test_jitter_changes_images_a_little_and_the_same_way_for_a_seed():
  images = np.full((3, 16, 16, 3), 128, np.uint8)
  found = evaluation.jittered(images, 0)
  np.testing.assert_array_equal(found, evaluation.jittered(images, 0))
  off = np.abs(found.astype(float) - 128)
  assert 2 < off.mean() < 60 and not np.array_equal(found[0], found[1])


def test_a_recogniser_that_saw_the_probes_colours_tells_them():
  frontal = _set([[200, 60, 60]] * 4 + [[60, 200, 60]] * 4, [0] * 4 + [1] * 4, "frontal")
  judges = settings.Judges(seeds=1, epochs=30, examples=1)
  right = evaluation.recognition(frontal, {"frontal_only": None, "true": (
      _set([[60, 60, 200]] * 4, [0] * 4).image, np.zeros(4, int))},
      _set([[60, 60, 200], [200, 60, 60]], [0, 0]), judges)
  assert right["true"].shape == (1, 2) and right["true"].all()
  assert right["frontal_only"][0, 1]


def test_fid_along_training_stands_beside_the_measure_of_its_step():
  kept = album.Album(3, 4, 16, steps=30)
  for step, share in ((10, 0.2), (20, 0.6), (30, 1.0)):
    kept.keep(tf.constant(share * _PEOPLE.image / 127.5 - 1.0, tf.float32), step)
  log = [{"step": step, "convergence": measure} for step, measure in (
      (5, 0.9), (10, 0.5), (20, 0.3), (30, 0.2))]
  found = evaluation.along_training(kept, log, _means, _PEOPLE)
  assert found["step"].tolist() == [10, 20, 30]
  assert found["convergence"].tolist() == [0.5, 0.3, 0.2]
  assert (np.diff(found["fid"]) < 0).all() and found["correlation"] == pytest.approx(1.0)
  few = evaluation.along_training(kept, log[:2], _means, _PEOPLE)
  assert len(few["fid"]) == 1 and np.isnan(few["correlation"])
