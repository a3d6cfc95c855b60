"""BEGAN: images from noise, against an auto-encoder.

Berthelot, Schumm, Metz 2017. G is the decoder, z of numbers uniform in [-1, 1]:

    D:  e(y) - k e(G(z))          G:  e(G(z))          k <- clip(k + a (g e(y) - e(G(z))), 0, 1)

see `losses`. A small g gives few kinds of good images, a large one many worse ones.
"""

import tensorflow as tf

from garden.core import replicas
from garden.dagan import balance
from garden.dagan import losses
from garden.dagan import networks

_LOGGED = ("discriminator_loss", "generator_loss", "real_error", "made_error", "convergence", "k_t")


@tf.keras.utils.register_keras_serializable(package="garden")
class BEGAN(balance.Balanced):
  """Noise to images.

  `model(noise)` makes `[N, s, s, 3]` in about [-1, 1] of `[N, h]` in [-1, 1].

  Args:
    network: `settings.Network`; those of the refiner are DA-GAN's alone.
    recipe: `settings.BEGANRecipe`.
    steps: of training, for the learning rate.
    shown: images that validation makes, at ten times kept in `album`.
    seed: of the model's draws.

  Example:
    >>> from garden.dagan import settings
    >>> net = BEGAN(settings.Network(), settings.BEGANRecipe())
    >>> noise = tf.keras.Input([64])
    >>> tf.keras.Model(noise, net(noise)).output_shape
    (None, 32, 32, 3)
  """

  def __init__(self, network, recipe, steps=1000, shown=1, seed=0, **kwargs):
    super().__init__(network, recipe, steps, 0, shown, seed, **kwargs)
    self.generator = networks.Decoder(network.size, network.filters, network.skip)
    self.add_trackers(*_LOGGED)

  def build(self, input_shape=None):
    """Makes all weights, D's too, which `call` doesn't use."""
    del input_shape
    self.autoencoder(self.generator(tf.zeros([1, self.network.hidden]), self.autoencoder.carry))
    self.built = True

  def call(self, noise, training=False):
    """The images; they may lie a little outside of [-1, 1]."""
    del training
    return self.generator(noise, self.autoencoder.carry)

  def error_maps(self, images, training=False):
    """E of D at each pixel, `[N, s, s]`; training is for spectral normalisation."""
    return losses.error_maps(images, self.autoencoder(images, training))

  def noise(self, count, number):
    """Noise of this step and replica, `[count, h]`; draws of a step differ by `number`."""
    seed = self.step_seed()
    for part in (replicas.number(), number):
      seed = tf.random.experimental.stateless_fold_in(seed, part)
    return tf.random.stateless_uniform([count, self.network.hidden], seed, -1.0, 1.0)

  def train_step(self, images):
    """One step of D, of G and of k, of real images `[N, s, s, 3]` in [-1, 1]."""
    self.autoencoder.vanish(self.total_steps)
    count = tf.shape(images)[0]
    made = tf.stop_gradient(self(self.noise(count, 0)))
    with tf.GradientTape() as tape:
      maps = self.error_maps(tf.concat([images, made], axis=0), training=True)
      real, fake = maps[:count], maps[count:]
      loss = self.adversarial_loss(real, fake)
    self.minimize(tape, loss, self.autoencoder.trainable_variables, self.optimizer)
    with tf.GradientTape() as tape:
      generator_loss = tf.reduce_mean(self.error_maps(self(self.noise(count, 1))))
    self.minimize(tape, generator_loss, self.generator.trainable_variables,
                  self.generator_optimizer)
    real, fake = tf.reduce_mean(real), tf.reduce_mean(fake)
    measure = self.update_balance(real, fake)
    return self.log_step(discriminator_loss=loss, generator_loss=generator_loss, real_error=real,
                         made_error=fake, convergence=measure, k_t=self.k_t)

  def test_step(self, noise):
    """Keeps images of fixed noise `[N, h]` in the album."""
    made = self(noise)
    self.album.keep(made, self.step)
    return self.log_values(made_error=tf.reduce_mean(self.error_maps(made)))
