"""What BEGAN and DA-GAN have in common: D, a maker of images, and k between the two.

    k <- clip(k + a (g e(y) - e(x~)), 0, 1)        M = e(y) + |g e(y) - e(x~)|

of the same step's errors, averaged over all replicas before k is clipped and set, so that each
replica keeps the same k.
"""

import tensorflow as tf

from garden.core import model as model_lib
from garden.core import saved_settings
from garden.dagan import album as album_lib
from garden.dagan import losses
from garden.dagan import networks
from garden.dagan import schedule

TIMES = 10  # of the album
_STUCK = 1e-6  # how near to 0 or 1 a mean of k is for it to be stuck there


class Balanced(model_lib.GardenModel):
  """An auto-encoder D against a maker of images.

  Args:
    network: `settings.Network`.
    recipe: `settings.BEGANRecipe`.
    steps: of training with both.
    before: steps of D alone before them.
    shown: images that validation makes, at `TIMES` times kept in `album`.
    seed: of the model's draws.

  Attributes:
    k_t: float32 variable, the balance.
    album: `album.Album`.
  """

  def __init__(self, network, recipe, steps, before=0, shown=1, seed=0, **kwargs):
    super().__init__(seed=seed, **kwargs)
    self.network, self.recipe = network, recipe
    self.steps, self.before, self.shown = int(steps), int(before), int(shown)
    self.autoencoder = networks.BEGANAutoencoder(
        network.size, network.filters, network.hidden, network.skip, network.vanishing,
        network.spectral, network.detail)
    self.k_t = self.state_variable(recipe.k_start, "k_t")
    self.stalls = schedule.StallHalving(recipe.stall_window, recipe.stall_floor)
    self.album = album_lib.Album(TIMES, shown, network.size, self.steps)
    self.generator_optimizer = None

  def get_config(self):
    """The arguments of the constructor that BEGAN and DA-GAN share."""
    return {"network": saved_settings.pack(self.network),
            "recipe": saved_settings.pack(self.recipe), "steps": self.steps,
            "shown": self.shown, "seed": self.seed, "name": self.name}

  def compile(self, **kwargs):
    """Keras's `compile` with one Adam for D and one for G."""
    recipe = self.recipe
    first, second = (tf.keras.optimizers.Adam(
        schedule.Rate(share * recipe.learning_rate, steps, recipe.tail, self.stalls.factor),
        beta_1=recipe.beta_1) for share, steps in ((1.0, self.steps + self.before),
                                                   (recipe.generator_rate, self.steps)))
    super().compile(optimizer=first, **kwargs)
    self.generator_optimizer = self.add_optimizer(second)

  def adversarial_loss(self, real, made):
    """L_adv of D, a scalar; error maps `[N, s, s]` of real images and `[M, s, s]` of made ones."""
    cap = None
    if self.recipe.margin_on == "image":
      made = tf.reduce_mean(made, axis=[1, 2])
    if self.recipe.margin:
      # Of all replicas' images, so that each has the same.
      cap = self.recipe.margin * self.all_reduce_mean(tf.reduce_mean(real))
    return losses.discriminator_loss(real, made, self.k_t, cap)

  def update_balance(self, real, made):
    """The step of k, from this replica's mean errors; returns M."""
    errors = self.all_reduce_mean({"real": real, "made": made})
    recipe = self.recipe
    measure = losses.convergence(errors["real"], errors["made"], recipe.gamma)
    self.stalls.update(measure)
    if recipe.balance == "began":
      self.k_t.assign(losses.next_k(self.k_t, errors["real"], errors["made"], recipe.gamma,
                                    recipe.k_rate))
    return measure

  def epoch_warnings(self, logs):
    """What to know of a balance that is stuck."""
    if self.recipe.balance != "began" or "k_t" not in logs:
      return {}
    if logs["k_t"] < _STUCK:
      return {"k_0": "k_t stays at 0: made images are reconstructed worse than gamma asks for, so "
                     "D doesn't tell them from real ones, and G only makes them easier to "
                     "reconstruct; take balance = 'constant' with a margin, or a greater gamma, "
                     "with a margin of more if it is above 1"}
    if logs["k_t"] > 1.0 - _STUCK:
      return {"k_1": "k_t stays at 1: D reconstructs made images as well as it can; take a "
                     "smaller gamma, or a lower learning rate"}
    return {}
