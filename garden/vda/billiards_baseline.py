"""The supervised neighbour of the billiards' de-animation: no physics, no graphics, only labels.

The same perception as in `billiards`, and in place of an engine dense layers that tell positions
and velocities in all future frames at once,

    (x_{S+1..T}, v_{S+1..T}) = dense(x_1..S, v_S, there)

trained on the same videos, the same true states and the same views, for as many steps. In the
spirit of the paper's baseline, a ResNet that regresses states; ours has the eyes of the method
that it stands beside, so that what is between them is the physics alone.
"""

import tensorflow as tf

from garden.core import model as model_lib
from garden.vda import balls
from garden.vda import billiards

_SLOW = 0.1  # m/s, as in `billiards`
_AHEAD = 0.1  # m: where balls go is told a tenth as exactly as where they are
_LOGGED = ("loss", "position_loss", "presence_loss", "velocity_loss", "future_loss",
           "position_error", "velocity_error")


@tf.keras.utils.register_keras_serializable(package="garden")
class DenseFuture(tf.keras.layers.Layer):
  """Tracks in the seen frames -> positions and velocities in the future ones.

  Args:
    future: F, future frames.
    units: of each dense layer.
    layers: number of dense layers.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    position, velocity = DenseFuture(16)(track, speed, present)  # [b, 16, K, 2] both
  """

  def __init__(self, future, units=512, layers=3, **kwargs):
    super().__init__(**kwargs)
    if min(future, units, layers) < 1:
      raise ValueError(f"future is {future}, units {units}, layers {layers}; each must be at "
                       "least 1")
    self.future, self.units, self.layers = int(future), int(units), int(layers)
    self.hidden = [tf.keras.layers.Dense(self.units, activation="relu",
                                         kernel_initializer="he_normal")
                   for _ in range(self.layers)]
    self.out = None

  def build(self, input_shape):
    """Makes the last layer, for as many balls as there are."""
    self.out = tf.keras.layers.Dense(4 * input_shape[2] * self.future)
    super().build(input_shape)

  def call(self, track, velocity, present):
    """What comes.

    Args:
      track: `[b, S, K, 2]`, metres.
      velocity: `[b, K, 2]` in the last of these frames, metres a second.
      present: `[b, K]` bool.

    Returns:
      Positions and velocities, both `[b, F, K, 2]`.
    """
    there = tf.cast(present, track.dtype)
    _, seen, classes, _ = track.shape
    # A colour that isn't there is somewhere in the heat map, too.
    track *= there[:, tf.newaxis, :, tf.newaxis]
    velocity *= there[..., tf.newaxis]
    # Where balls were is told by the steps, which are small beside the places: brought to m/s.
    steps = 10.0 * (track[:, 1:] - track[:, :-1])
    x = tf.concat([tf.reshape(track[:, -1], [-1, 2 * classes]),
                   tf.reshape(steps, [-1, 2 * classes * (seen - 1)]),
                   tf.reshape(velocity, [-1, 2 * classes]), there], axis=-1)
    for layer in self.hidden:
      x = layer(x)
    told = tf.reshape(self.out(x), [-1, 2, self.future, classes, 2])
    return told[:, 0], told[:, 1]

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "future": self.future, "units": self.units,
            "layers": self.layers}


class BilliardsBaseline(model_lib.GardenModel):
  """The first S frames of a video -> positions and velocities in all T.

  It has the interface of `billiards.Billiards`: `model(frames)` gives the state in the last seen
  frame, `imagine` the future ones too.

  Args:
    network: `billiards_settings.BilliardsBaselineNetwork`.
    recipe: `billiards_settings.BilliardsRecipe`.
    frames: T, of a video; no more can be foretold.
    classes: K, colour classes, and places of a state.
    seconds: between two frames.
    steps: of training, for the learning rate.
    seed: of noise.

  Example:
    model = BilliardsBaseline(BilliardsBaselineNetwork(), BilliardsRecipe())
    found = model.imagine(video[:, :4], 16)
  """

  def __init__(self, network, recipe, frames=20, classes=4, seconds=0.1, steps=1000, seed=0,
               **kwargs):
    super().__init__(seed=seed, **kwargs)
    self.recipe, self.steps, self.frames = recipe, steps, frames
    self.perception = balls.BallPerception(
        network.seen, classes, network.filters, network.units, seconds)
    self.dense = DenseFuture(frames - network.seen, network.dense_units, network.layers)
    self.add_trackers(*_LOGGED)

  def compile(self, **kwargs):
    """Keras's `compile` with the recipe's optimizer."""
    super().compile(optimizer=self.recipe.optimizer((self.steps, 0, 0)), **kwargs)

  def call(self, frames):
    """`[b, S, s, s, 3]` in [0, 1] -> the state in the last frame."""
    return self.perception(frames)

  def imagine(self, frames, future):
    """As `billiards.Billiards.imagine`.

    Raises:
      ValueError: more future frames than it was made for.
    """
    if not 1 <= future <= self.dense.future:
      raise ValueError(f"future is {future}, but dense layers tell {self.dense.future} frames; "
                       "it must be in 1 .. that")
    state = self(frames)
    position, velocity = self.dense(state["track"], state["velocity"], state["present"])
    return {**state, "future_position": position[:, :future],
            "future_velocity": velocity[:, :future]}

  def terms_of(self, batch):
    """The terms of the loss on `{"clip", "states"}`, both with the states of whole videos."""
    clip, states = batch["clip"], batch["states"]
    terms, (seen_track, noisy_track) = billiards.perception_terms(
        self.perception, self.recipe, clip, states, self.replica_seed())
    seen, ahead = self.perception.seen, []
    for true, track in ((clip, seen_track), (states, noisy_track)):
      # As in use: velocities that were told from tracks that are a little off.
      velocity = self.perception.velocity(track, true["present"], true["radius"])
      position, speed = self.dense(track, tf.stop_gradient(velocity), true["present"])
      ahead.append(billiards.mean_error((position - true["position"][:, seen:]) / _AHEAD,
                                        true["present"])
                   + billiards.mean_error((speed - true["velocity"][:, seen:]) / _SLOW,
                                          true["present"]))
    return {**terms, "future_loss": tf.add_n(ahead)}

  def train_step(self, batch):
    """One step on `{"clip", "states"}` of `stream.batches` and `stream.states`."""
    with tf.GradientTape() as tape:
      terms = self.terms_of(batch)
      loss = tf.add_n(list(terms.values()))
    self.minimize(tape, loss, self.trainable_variables, self.optimizer,
                  clip_norm=self.recipe.clip_norm)
    return self.log_step(loss=loss, **terms)

  def test_step(self, clip):
    """Mean errors over the future frames of a batch of `stream.in_order`."""
    return self.log_values(**billiards.future_errors(self, clip))
