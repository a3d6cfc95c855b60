"""DA-GAN: a refiner G against BEGAN's auto-encoder D, whose code tells identities too.

Zhao et al. 2017. A step is one of D, one of G, and one of k, all of the same images:

    D:  e(y) - k e(G(x)) + l_1 L_ip          G:  e(G(x)) + l_1 L_ip + l_2 L_pp
    k <- clip(k + a (g e(y) - e(G(x))), 0, 1)

see `losses` for the terms and for what departs from print. G has no noise: of a simulated image
there is one refined one.
"""

import tensorflow as tf

from garden.core import losses as core_losses
from garden.core import replicas
from garden.dagan import augment
from garden.dagan import balance
from garden.dagan import history
from garden.dagan import losses
from garden.dagan import networks
from garden.dagan import refiner as refiner_lib

_LOGGED = ("discriminator_loss", "generator_loss", "identity_loss", "refined_identity_loss",
           "pixel_loss", "real_error", "refined_error", "convergence", "k_t", "identity_accuracy",
           "refined_identity_accuracy")


@tf.keras.utils.register_keras_serializable(package="garden")
class DAGAN(balance.Balanced):
  """Simulated faces to refined ones.

  `model(images)` refines `[N, s, s, 3]` in [-1, 1].

  Args:
    network: `settings.Network`.
    recipe: `settings.Recipe`.
    n_identities: K, identities that the agent tells apart.
    steps: of training, the warm-up's without, for the learning rate.
    shown: images that validation refines, at ten times kept in `album`.
    seed: of the model's draws.

  Example:
    >>> from garden.dagan import settings
    >>> net = DAGAN(settings.Network(), settings.Recipe(), n_identities=240)
    >>> simulated = tf.keras.Input([32, 32, 3])
    >>> refined = tf.clip_by_value(net(simulated), -1.0, 1.0)
    >>> tf.keras.Model(simulated, refined).output_shape
    (None, 32, 32, 3)
  """

  def __init__(self, network, recipe, n_identities, steps=1000, shown=1, seed=0, **kwargs):
    super().__init__(network, recipe, steps, recipe.warm_up, shown, seed, **kwargs)
    self.n_identities = int(n_identities)
    self.refiner = refiner_lib.Refiner(network.refiner, network.refiner_filters,
                                       network.refiner_blocks, network.add_input)
    self.agent = networks.IdentityAgent(self.n_identities, recipe.identity_form == "margin")
    self.earlier = history.History(recipe.history, network.size) if recipe.history else None
    self.add_trackers(*_LOGGED)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_identities": self.n_identities}

  def build(self, input_shape=None):
    """Makes all weights, D's too, which `call` doesn't use."""
    del input_shape
    images = tf.zeros([1, self.network.size, self.network.size, 3])
    self.refiner(images)
    self.discriminate(images)
    self.built = True

  def call(self, images, training=False):
    """The refined images; they may lie a little outside of [-1, 1]."""
    del training
    return self.refiner(images)

  def discriminate(self, images, wanted=None, training=False):
    """D: `(error maps [N, s, s], logits or cosines [N, K])` of images.

    Args:
      images: `[N, s, s, 3]`.
      wanted: what its reconstructions are compared with; the images themselves if it is None.
      training: whether spectral norms are renewed.
    """
    codes = self.autoencoder.encode(images, training)
    wanted = images if wanted is None else wanted
    return (losses.error_maps(wanted, self.autoencoder.decode(codes, images)),
            self.agent(codes))

  def judged(self, images, number):
    """`discriminate` as training has it: images are moved, recoloured and noisy, see `augment`.

    Args:
      images: `[N, s, s, 3]`.
      number: draws of a step differ by it: 0 in D's loss, 1 in G's.
    """
    seed = self.step_seed()
    for part in (replicas.number(), number):
      seed = tf.random.experimental.stateless_fold_in(seed, part)
    wanted = augment.recolored(augment.moved(images, seed, self.recipe.shift), seed,
                               self.recipe.color)
    seen = augment.noisy(wanted, seed, self.recipe.noise)
    return self.discriminate(seen, wanted, training=number == 0)

  @property
  def discriminator_variables(self):
    """D's variables that learn."""
    return self.autoencoder.trainable_variables + self.agent.trainable_variables

  def train_step(self, batch):
    """One step of D, of G and of k.

    Args:
      batch: dict of `real`: `image` `[N, s, s, 3]` in [-1, 1], `identity` `[N]` int; and
        `simulated`: the same, with `mask` and `visible` `[M, s, s, 1]` in [0, 1]. An identity of -1
        is none.
    """
    real, simulated = batch["real"], batch["simulated"]
    self.autoencoder.vanish(self.total_steps)
    if self.stage_name == "warm_up":
      return self._warm_up(real)
    with tf.GradientTape() as outer:
      refined = self.refiner(simulated["image"])
      with outer.stop_recording():
        loss, values = self._discriminator_step(real, tf.stop_gradient(refined),
                                                simulated["identity"])
      # D is the one of after its step; the images are the same, for G hasn't changed.
      generator_loss, more = self.generator_losses(refined, simulated)
    self.minimize(outer, generator_loss, self.refiner.trainable_variables,
                  self.generator_optimizer)
    measure = self.update_balance(values["real_error"], values["refined_error"])
    return self.log_step(discriminator_loss=loss, generator_loss=generator_loss,
                         convergence=measure, k_t=self.k_t, **values, **more)

  def _discriminator_step(self, real, refined, identity):
    """D's step; returns its loss and what is logged beside it."""
    if self.earlier is not None:
      refined, identity = self.earlier.mix(refined, identity, self.step_seed())
    with tf.GradientTape() as tape:
      loss, values = self.discriminator_losses(real, refined, identity)
    self.minimize(tape, loss, self.discriminator_variables, self.optimizer)
    return loss, values

  def _warm_up(self, real):
    """A step of D alone, on real images."""
    with tf.GradientTape() as tape:
      maps, logits = self.judged(real["image"], 0)
      identity = losses.identity_loss(logits, real["identity"], self.recipe.identity_form)
      error = tf.reduce_mean(maps)
      loss = error + self.recipe.identity_weight * identity
    self.minimize(tape, loss, self.discriminator_variables, self.optimizer)
    return self.log_step(discriminator_loss=loss, real_error=error, identity_loss=identity,
                         identity_accuracy=_accuracy(logits, real["identity"]))

  def test_step(self, batch):
    """Keeps refined images in the album; what they cost is logged.

    Args:
      batch: dict as the simulated part of a training batch, of all images that are shown.
    """
    refined = self.refiner(batch["image"])
    # The warm-up's are replaced: Keras traces this once for all stages.
    self.album.keep(refined, self.step)
    maps, _ = self.discriminate(refined)
    return self.log_values(
        refined_error=tf.reduce_mean(maps), pixel_loss=losses.pixel_loss(
            refined, batch["image"], _pixel_mask(self.recipe.mask, batch)))

  def discriminator_losses(self, real, refined, refined_identity):
    """D's loss, a scalar, and what is logged beside it.

    Args:
      real: dict of `image` and `identity`.
      refined: `[M, s, s, 3]`, without a gradient into G.
      refined_identity: `[M]` int.
    """
    recipe, n = self.recipe, tf.shape(real["image"])[0]
    maps, logits = self.judged(tf.concat([real["image"], refined], axis=0), 0)
    adversarial = self.adversarial_loss(maps[:n], maps[n:])
    identity = losses.identity_loss(logits[:n], real["identity"], recipe.identity_form)
    loss = adversarial + recipe.identity_weight * identity
    if recipe.identity_on == "both":
      loss += recipe.identity_weight * losses.identity_loss(logits[n:], refined_identity,
                                                            recipe.identity_form)
    return loss, {"identity_loss": identity, "real_error": tf.reduce_mean(maps[:n]),
                  "refined_error": tf.reduce_mean(maps[n:]),
                  "identity_accuracy": _accuracy(logits[:n], real["identity"])}

  def generator_losses(self, refined, simulated):
    """G's loss, a scalar, and what is logged beside it.

    Args:
      refined: `[M, s, s, 3]`, G's images of the simulated ones.
      simulated: dict of `image`, `identity`, `mask` and `visible`.
    """
    recipe = self.recipe
    maps, logits = self.judged(refined, 1)
    identity = losses.identity_loss(logits, simulated["identity"], recipe.identity_form)
    pixel = losses.pixel_loss(refined, simulated["image"], _pixel_mask(recipe.mask, simulated))
    adversarial = losses.generator_loss(maps, self.k_t, recipe.generator_form)
    loss = (recipe.adversarial_weight * adversarial + recipe.identity_weight * identity
            + recipe.pixel_weight * pixel)
    return loss, {"refined_identity_loss": identity, "pixel_loss": pixel,
                  "refined_identity_accuracy": _accuracy(logits, simulated["identity"])}


def _pixel_mask(kind, simulated):
  """Which pixels L_pp counts: `[M, s, s, 1]`, or None for all."""
  if kind == "none":
    return None
  if kind == "head":
    return simulated["mask"]
  return simulated["visible"] + 1.0 - simulated["mask"]


def _accuracy(logits, labels):
  """Share of labelled images whose identity is told right; 0 if there is none."""
  labels = tf.cast(labels, tf.int32)
  right = tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), labels)
  return core_losses.masked_mean(tf.cast(right, tf.float32), labels >= 0)
