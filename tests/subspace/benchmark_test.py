"""Both sides of the room's benchmarks compute the same thing."""

import functools

import numpy as np
import pytest

from garden.core import benchmark as benchmark_lib
from garden.subspace import benchmark
from garden.subspace import data
from garden.subspace import plain_recipe
from garden.subspace import settings
from garden.subspace.experiment import Clustering


@pytest.mark.parametrize(
    ("shape", "kernels", "channels", "pixel_max", "weights"), [
        ((10, 12, 10, 1), (5, 3), (4, 6), 1.0, (0.5, 0.2)),
        ((8, 8, 8, 1), (3, 3, 3), (3, 3, 5), 255.0, (0.5, 6.0)),
        ((8, 6, 7, 3), (3,), (5,), 1.0, (1.0, 150.0))])
def test_our_step_is_the_plain_step(shape, kernels, channels, pixel_max, weights):
  pixels = np.random.default_rng(0).uniform(
      0, pixel_max, shape).astype(np.float32)
  model, step, (encoder, decoder, coefficients) = benchmark.both_steps(
      pixels, kernels, channels, initial=1e-4,
      reconstruction_weight=weights[0], expression_weight=weights[1])
  batches = data.every_image(len(pixels))(0)
  for _ in range(4):
    ours = model.fit(batches, steps_per_epoch=1, epochs=1, verbose=0)
    np.testing.assert_allclose(ours.history["loss"][0], step().numpy(),
                               rtol=1e-4)
  # A step of Adam moves a weight by about 1e-3.
  for mine, theirs in zip(
      model.encoder.get_weights() + model.decoder.get_weights(),
      encoder.get_weights() + decoder.get_weights()):
    np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=2e-5)
  np.testing.assert_allclose(
      model.coefficients(), coefficients.numpy(), rtol=1e-4, atol=2e-5)
  assert np.abs(coefficients.numpy() - 1e-4).max() > 1e-3


def test_a_step_benchmark_does_its_steps():
  pair = benchmark.step_benchmark(
      shape=(8, 8, 8, 1), kernels=(3,), channels=(2,), pixel_max=1.0,
      initial=1e-4, reconstruction_weight=0.5, expression_weight=1.0, steps=4,
      steps_per_execution=2)
  assert pair.count == 4
  result = benchmark_lib.measure(pair, rounds=2)
  assert result["ratio"]["min"] > 0
  assert "ours_error_percent" not in result


def _experiment():
  return functools.partial(
      Clustering, network=settings.Network(kernels=(3,), channels=(2,)),
      pretraining=settings.Pretraining(steps=4, batch_size=9),
      affinity=settings.Affinity(count=4, by_row=True),
      solver="closed_form", scaling="unit", zero_diagonal=True)


_SOURCE = data.Source(dataset="digits", n_clusters=3, first_class=0,
                      per_class=6, pixel_max=2.0)


def test_a_pipeline_benchmark_gives_errors_of_both(monkeypatch):
  given = {}
  truth = _SOURCE.load().labels

  def plain_pipeline(images, n_clusters, seed, **kwargs):
    given.update(kwargs, peak=images.max(), n_clusters=n_clusters, seed=seed)
    labels = (truth + 1) % 3
    labels[:2] = labels[2]
    return labels

  monkeypatch.setattr(plain_recipe, "plain_pipeline", plain_pipeline)
  pair = benchmark.pipeline_benchmark(
      _SOURCE, _experiment(), {"alpha": 0.2}, plain_pixel_max=255.0)
  wrong = sum(truth[:2] != truth[2])
  assert wrong and pair.theirs(5) == pytest.approx(100 * wrong / 18)
  assert given == {"alpha": 0.2, "peak": 255.0, "n_clusters": 3, "seed": 5}
  error = pair.ours(1)
  assert 0 <= error <= 100
  assert not pair.warm_up


def test_our_pipeline_is_made_anew_each_round_and_leaves_nothing(
    monkeypatch, tmp_path):
  monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
  pair = benchmark.pipeline_benchmark(_SOURCE, _experiment(), {})
  assert pair.ours(0) == pair.ours(0)
  # Autograph leaves its files there; the folders of the runs are ours.
  assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
