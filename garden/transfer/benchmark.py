"""The benchmarks of this room: a step of the stable preset, and a whole run at k = 2.

`plain_recipe` is the other side of both.
"""

import dataclasses
import os
import tempfile

import gin
import numpy as np
import tensorflow as tf

from garden.core import benchmark as benchmark_lib
from garden.core import train as train_lib
from garden.core.run import Run
from garden.transfer import data as data_lib
from garden.transfer import metrics
from garden.transfer import plain_recipe
from garden.transfer.networks import Head


def plain_networks(split, channels, units):
  """`(source encoder, encoder, source head, head, discriminator)` of the plain recipe."""
  shape = split.source.pixels.shape[1:]
  source, encoder = (plain_recipe.plain_lenet(shape, channels, units) for _ in range(2))
  heads = [Head(split.source.num_classes), Head(split.labeled.num_classes)]
  for head in heads:
    head(tf.zeros([1, units]))
  discriminator = plain_recipe.plain_discriminator(encoder.output_shape[0][1], units)
  return source, encoder, *heads, discriminator


@gin.register(module="transfer")
def step_benchmark(experiment, steps=100, steps_per_execution=10):
  """A step of adaptation by the stable preset, on the experiment's own streams.

  Args:
    experiment: the `experiment.Transfer`.
    steps: steps of a call.
    steps_per_execution: steps inside one graph call of our `fit`.

  Returns:
    A `Pair`: `TransferModel` through `fit`, and the bare `tf.function`.
  """
  split = experiment.split
  batches = experiment.datasets().stages[1].batches
  model = experiment.build_model()
  model.steps_per_execution = steps_per_execution
  network = experiment.network
  source, encoder, _, head, discriminator = plain_networks(
      split, network.channels, network.units)
  step = plain_recipe.plain_adapt_step(
      source, encoder, head, discriminator, split.source.num_classes,
      split.labeled.num_classes, experiment.seed)

  def ours(number):
    del number
    model.fit(batches(0), steps_per_epoch=steps, epochs=1, verbose=0)

  def theirs(number):
    del number
    for i, batch in zip(range(steps), batches(0)):
      loss = step(batch, tf.constant(float(i)), tf.constant(i))
    loss.numpy()  # Waits for the last step.

  return benchmark_lib.Pair(
      ours, theirs,
      f"`TransferModel.adapt_step` in `fit`, {steps_per_execution} steps a graph call",
      "a bare loop over a `tf.function` step with Keras layers and Keras's Adam, on the same "
      "batches", count=steps, unit="step")


@gin.register(module="transfer")
def run_benchmark(experiment, subsets=3):
  """A whole run: the source's network, adaptation, the test images. Round i is subset i.

  Both have the images in memory and make everything else anew.

  Args:
    experiment: makes the `experiment.Transfer` from `seed` (`@transfer.Transfer`,
      not called).
    subsets: number of subsets; further rounds begin again.

  Returns:
    A `Pair` whose callables return the error on the test images in percent.
  """
  made = []
  for seed in range(subsets):
    one = experiment(seed=seed)
    one.streams = dataclasses.replace(one.streams, subset_seed=seed)
    one.split  # noqa: B018  read here, so that neither side's clock counts it
    made.append(one)

  def ours(number):
    mine = made[number % subsets]
    run = Run(experiment=mine, seed=mine.seed, steps_per_epoch=50, steps_per_execution=10)
    with tempfile.TemporaryDirectory() as folder:
      model = train_lib.train(run, os.path.join(folder, "run"), "run")
    found = mine.predict(model, mine.split.test)["label"]
    return 100 * (1 - metrics.accuracy(mine.split.test.labels, found))

  def theirs(number):
    return _plain_run(made[number % subsets])

  return benchmark_lib.Pair(
      ours, theirs, "the run that `garden-train` would make, and the test images",
      "the bare loops of the plain recipe with the same budget", warm_up=False)


def _plain_run(experiment):
  """Source, adaptation and test by the plain recipe; the error in percent."""
  seed = experiment.seed
  tf.keras.utils.set_random_seed(seed)
  split, network = experiment.split, experiment.network
  source, encoder, source_head, head, discriminator = plain_networks(
      split, network.channels, network.units)
  step = plain_recipe.plain_source_step(source, source_head)
  batches = data_lib.source_batches(split, experiment.source_batch_size, seed)(0)
  for batch in batches.take(experiment.source_steps):
    step(*batch["source"])
  encoder.set_weights(source.get_weights())
  step = plain_recipe.plain_adapt_step(
      source, encoder, head, discriminator, split.source.num_classes,
      split.labeled.num_classes, seed)
  batches = data_lib.adapt_batches(split, experiment.adapt_source_batch_size,
                                   experiment.unlabeled_batch_size, seed)(0)
  for i, batch in enumerate(batches.take(experiment.adapt_steps)):
    step(batch, tf.constant(float(i)), tf.constant(experiment.source_steps + i))
  logits = [head(encoder(split.test.pixels[i:i + 500])[1]).numpy()
            for i in range(0, len(split.test), 500)]
  found = np.concatenate(logits).argmax(axis=1)
  return 100 * (1 - metrics.accuracy(split.test.labels, found))
