"""A step of DA-GAN as one would write it down by hand: the other side of the benchmark.

The same networks, losses and optimizers in one `tf.function`, without trackers, stages, replicas or
a schedule.
"""

import tensorflow as tf

from garden.dagan import augment
from garden.dagan import losses


def step(refiner, autoencoder, agent, recipe):
  """A compiled step: D, then G; the balance is constant.

  Args:
    refiner: `refiner.Refiner`.
    autoencoder: `networks.BEGANAutoencoder`.
    agent: the layer from codes to identities.
    recipe: `settings.Recipe` with a margin.

  Returns:
    A function: batch, see `data.batches` -> G's loss, a scalar.
  """
  first, second = (tf.keras.optimizers.Adam(share * recipe.learning_rate, recipe.beta_1)
                   for share in (1.0, recipe.generator_rate))
  judges = autoencoder.trainable_variables + agent.trainable_variables
  first.build(judges)
  second.build(refiner.trainable_variables)

  count = tf.Variable(0)

  def judge(images, number):
    seed = tf.stack([count, number])
    images = augment.recolored(augment.moved(images, seed, recipe.shift), seed, recipe.color)
    seen = augment.noisy(images, seed, recipe.noise)
    codes = autoencoder.encode(seen)
    return losses.error_maps(images, autoencoder.decode(codes, seen)), agent(codes)

  @tf.function
  def run(batch):
    count.assign_add(1)
    real, simulated = batch["real"], batch["simulated"]
    made = refiner(simulated["image"])
    n = tf.shape(real["image"])[0]
    with tf.GradientTape() as tape:
      maps, logits = judge(tf.concat([real["image"], made], axis=0), 0)
      cap = recipe.margin * tf.reduce_mean(maps[:n])
      fake = maps[n:] if recipe.margin_on == "pixel" else tf.reduce_mean(maps[n:], axis=[1, 2])
      loss = losses.discriminator_loss(maps[:n], fake, recipe.k_start, cap)
      loss += recipe.identity_weight * losses.identity_loss(
          logits[:n], real["identity"], recipe.identity_form)
    first.apply_gradients(zip(tape.gradient(loss, judges), judges))
    with tf.GradientTape() as tape:
      made = refiner(simulated["image"])
      maps, logits = judge(made, 1)
      pixels = losses.pixel_loss(made, simulated["image"],
                                 simulated["visible"] + 1.0 - simulated["mask"])
      loss = (tf.reduce_mean(maps) + recipe.pixel_weight * pixels
              + recipe.identity_weight * losses.identity_loss(
                  logits, simulated["identity"], recipe.identity_form))
    weights = refiner.trainable_variables
    second.apply_gradients(zip(tape.gradient(loss, weights), weights))
    return loss

  return run
