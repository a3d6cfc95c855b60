"""The benchmarks of this room: one fine-tuning step, and pixels to labels.

`plain_recipe` is the other side of both: the published recipe, written as
plainly as possible in the same TensorFlow.
"""

import dataclasses
import tempfile

import gin
import numpy as np
import tensorflow as tf

from garden.core import benchmark as benchmark_lib
from garden.core import train as train_lib
from garden.core.optimizers import FusedAdam
from garden.core.run import Run
from garden.datasets import images as images_lib
from garden.subspace import data as data_lib
from garden.subspace import metrics
from garden.subspace import networks
from garden.subspace import plain_recipe
from garden.subspace.dscnet import DSCNet


def both_steps(pixels, kernels, channels, initial, **weights):
  """Makes both nets with the same first weights.

  Args:
    pixels: `[N, h, w, c]` float32.
    kernels: odd kernel sizes, one a layer.
    channels: channels, one a layer.
    initial: the constant that C starts from.
    **weights: `reconstruction_weight`, `norm_weight`, `expression_weight`.

  Returns:
    `(model, step, plain)`: the compiled `DSCNet`, ready to `fit` its stage
    `finetune`; the plain `tf.function`; the plain (encoder, decoder, C).
  """
  shape = pixels.shape[1:]
  encoder, decoder = plain_recipe.plain_autoencoder(shape, kernels, channels)
  coefficients = tf.Variable(initial * tf.ones([len(pixels), len(pixels)]))
  step = plain_recipe.plain_finetune_step(
      pixels, encoder, decoder, coefficients, **weights)

  model = DSCNet(*networks.conv_autoencoder(shape, kernels, channels), pixels,
                 initial=initial, **weights)
  model.compile(optimizer=FusedAdam(plain_recipe.LEARNING_RATE))
  model.encoder.set_weights(encoder.get_weights())
  model.decoder.set_weights(decoder.get_weights())
  model.stage_name = "finetune"
  return model, step, (encoder, decoder, coefficients)


@gin.register(module="subspace")
def step_benchmark(shape, kernels, channels, pixel_max, initial,
                   reconstruction_weight, expression_weight, steps=10,
                   steps_per_execution=10):
  """A full-batch fine-tuning step, on random pixels and equal first weights.

  Args:
    shape: (N, h, w, c) of the images.
    kernels: odd kernel sizes, one a layer.
    channels: channels, one a layer.
    pixel_max: pixels are in [0, pixel_max].
    initial: the constant that C starts from.
    reconstruction_weight: w of the loss.
    expression_weight: l2 of the loss.
    steps: steps of a call.
    steps_per_execution: steps inside one graph call of our `fit`.

  Returns:
    A `Pair`: `DSCNet` through `fit`, and the bare `tf.function`.
  """
  pixels = np.random.default_rng(0).uniform(
      0, pixel_max, shape).astype(np.float32)
  model, step, _ = both_steps(
      pixels, kernels, channels, initial,
      reconstruction_weight=reconstruction_weight,
      expression_weight=expression_weight)
  model.steps_per_execution = steps_per_execution
  batches = data_lib.every_image(len(pixels))(0)

  def ours(number):
    del number
    model.fit(batches, steps_per_epoch=steps, epochs=1, verbose=0)

  def theirs(number):
    del number
    for _ in range(steps):
      loss = step()
    loss.numpy()  # Waits for the last step.

  return benchmark_lib.Pair(
      ours, theirs,
      f"`DSCNet.finetune_step` in `fit`, {steps_per_execution} steps a graph call",
      "a `tf.function` step with Keras layers and Keras's Adam",
      count=steps, unit="step")


@dataclasses.dataclass(frozen=True)
class _InMemory:
  """A `data.Source` whose images are read already."""
  images: images_lib.Images
  n_clusters: int
  pixel_max: float

  def load(self):
    """The images, as the source gave them."""
    return self.images


@gin.register(module="subspace")
def pipeline_benchmark(source, experiment, plain, plain_pixel_max=255.0):
  """Pixels to labels: the garden's quickest route against the plain recipe.

  Both read no file but make everything else anew in each round: weights, graph,
  optimizer, labels. Round i is seed i of both.

  Args:
    source: the `data.Source` of the images.
    experiment: makes our experiment from `source` and `seed`
      (`@subspace.Clustering`, not called).
    plain: arguments of `plain_recipe.plain_pipeline` after the seed.
    plain_pixel_max: pixels of the plain recipe are in [0, plain_pixel_max].

  Returns:
    A `Pair` whose callables return the error in percent.
  """
  images = source.load()
  ready = _InMemory(images, source.n_clusters, source.pixel_max)
  pixels = images.pixels * np.float32(plain_pixel_max / source.pixel_max)

  def ours(number):
    clustering = experiment(source=ready, seed=number)
    run = Run(experiment=clustering, seed=number)
    with tempfile.TemporaryDirectory() as folder:
      model = train_lib.train(run, folder)
    return metrics.clustering_error(images.labels,
                                    clustering.clusters(model).labels)

  def theirs(number):
    labels = plain_recipe.plain_pipeline(
        pixels, source.n_clusters, number, **plain)
    return metrics.clustering_error(images.labels, labels)

  return benchmark_lib.Pair(
      ours, theirs,
      "the run that `garden-train` and `garden-evaluate` would make: linear code "
      "in mini-batches, closed form of C, `cluster_qr`",
      "the published recipe, full-batch pre-training and fine-tuning, `svds`, two "
      "spectral fits", warm_up=False)
