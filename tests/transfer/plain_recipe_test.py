"""The plain recipe and `TransferModel` are one method, written twice."""

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer import plain_recipe
from garden.transfer.settings import Recipe
from garden.transfer.transfer_model import TransferModel


def _twins(make, seed=3):
  """Our model and the plain networks with its weights."""
  recipe = Recipe.stable(warm_up=200, hidden=(8,))
  model = make(TransferModel, recipe, seed=seed)
  model.encoder.set_weights(model.source_encoder.get_weights())
  source, encoder = (plain_recipe.plain_lenet((16, 16, 1), (3, 4), 12) for _ in range(2))
  discriminator = plain_recipe.plain_discriminator(encoder.output_shape[0][1], 12, hidden=8)
  head = tf.keras.layers.Dense(2)
  head.build([None, 12])
  for theirs, mine in ((source, model.source_encoder), (encoder, model.encoder),
                       (head, model.head), (discriminator, model.discriminator)):
    theirs.set_weights(mine.get_weights())
  step = plain_recipe.plain_adapt_step(source, encoder, head, discriminator, 3, 2, seed)
  return model, step, (encoder, head, discriminator)


def test_losses_and_weights_agree_over_some_steps(make, batch):
  model, step, parts = _twins(make)
  for number in (0, 150, 300):  # before, within and after the warm-up
    model.step.assign(number)
    total = model.total_steps.numpy()
    model.reset_metrics()
    mine = float(model.train_step(batch)["loss"])
    theirs = float(step(batch, tf.constant(float(number)), tf.constant(total)))
    assert mine == pytest.approx(theirs, rel=1e-4)
  for theirs, mine in zip(parts, (model.encoder, model.head, model.discriminator)):
    for a, b in zip(theirs.get_weights(), mine.get_weights(), strict=True):
      np.testing.assert_allclose(a, b, atol=2e-5)


def test_the_source_steps_agree(make, batch):
  model = make(TransferModel, Recipe())
  encoder = plain_recipe.plain_lenet((16, 16, 1), (3, 4), 12)
  encoder.set_weights(model.source_encoder.get_weights())
  head = tf.keras.layers.Dense(3)
  head.build([None, 12])
  head.set_weights(model.source_head.get_weights())
  step = plain_recipe.plain_source_step(encoder, head)
  loss = float(step(*batch["source"]))
  assert float(model.train_step({"source": batch["source"]})["loss"]) == pytest.approx(loss)
  for a, b in zip(encoder.get_weights(), model.source_encoder.get_weights(), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-6)
