"""De-animation of billiards: frames -> state -> neural engine -> states -> pictures.

Wu, Lu, Kohli, Freeman, Tenenbaum, NIPS 2017, second scene. Everything is differentiable: the
heat maps (`balls`), the interaction network (`interaction`) and the discs of `TableRenderer`. With
x the positions and v the velocities, rho Huber's function of an error's length, S seen frames and
tables from `datasets.billiards`, the stages minimise

    init   rho(x_1..S) + CE(present) + rho(v_S)      perception, from simulated videos
           + sum_{h = 1..H} rho(v_h) + rho(x_h)      the engine, from true states to true states
    joint  mean_{t <= S} |I_t - render(x_t)|^2       the seen frames; videos without labels
    full   + mean_{S < t <= S + F} of the same       also those that the engine foretells

`joint` moves the heat maps alone; `full` velocities and the engine as well, by the gradient of the
future frames through the engine. States of the engine are cheap, so that `init` takes hundreds of
them a step, many with a collision, at random places of a video.

Deviation: the paper's `joint` and `full` go on from perception trained on one set to videos of
another; which videos are given is here left to the experiment.
"""

import math

import tensorflow as tf

from garden.core import losses
from garden.core import model as model_lib
from garden.core import saved_settings
from garden.vda import balls
from garden.vda import billiards_settings
from garden.vda import interaction
from garden.worlds.billiards import renderer

_NEAR, _SLOW = 0.01, 0.1  # m and m/s: Huber's function is a square below
_LOGGED = ("loss", "position_loss", "presence_loss", "velocity_loss", "engine_loss",
           "reconstruction_loss", "future_loss", "position_error", "velocity_error")


@tf.keras.utils.register_keras_serializable(package="garden")
class Billiards(model_lib.GardenModel):
  """Perception, physics and graphics of a table, trained in three stages.

  `model(frames)` takes `[b, S, s, s, 3]` in [0, 1] and returns the state of `balls.BallPerception`.

  Args:
    network: `billiards_settings.BilliardsNetwork`.
    recipe: `billiards_settings.BilliardsRecipe`.
    image_size: side of a frame in pixels.
    classes: K, colour classes, and places of a state.
    seconds: between two frames.
    steps: of the stages `init`, `joint` and `full`, for the learning rate.
    seed: of noise.

  Example:
    >>> from garden.vda import billiards_settings as settings
    >>> net = Billiards(settings.BilliardsNetwork(), settings.BilliardsRecipe())
    >>> frames = tf.keras.Input([4, 64, 64, 3])
    >>> tf.keras.Model(frames, net(frames)["velocity"]).output_shape
    (None, 4, 2)
  """

  def __init__(self, network, recipe, image_size=64, classes=4, seconds=0.1,
               steps=(1000, 0, 0), seed=0, **kwargs):
    super().__init__(seed=seed, **kwargs)
    self.network, self.recipe, self.steps = network, recipe, tuple(steps)
    self.perception = balls.BallPerception(
        network.seen, classes, network.filters, network.units, seconds)
    self.engine = interaction.InteractionNetwork(
        seconds, network.substeps, network.engine_units, network.reach)
    self.graphics = renderer.TableRenderer(image_size, network.softness)
    self.add_trackers(*_LOGGED)

  def compile(self, **kwargs):
    """Keras's `compile` with the recipe's optimizer."""
    super().compile(optimizer=self.recipe.optimizer(self.steps), **kwargs)

  def get_config(self):
    """The arguments of the constructor."""
    return {"network": saved_settings.pack(self.network),
            "recipe": saved_settings.pack(self.recipe), "image_size": self.graphics.image_size,
            "classes": self.perception.heat_maps.classes, "seconds": self.engine.seconds,
            "steps": self.steps, "seed": self.seed, "name": self.name}

  def build(self, input_shape=None):
    """Makes the engine's weights too, which `call` doesn't use."""
    del input_shape
    pair = tf.zeros([1, self.perception.heat_maps.classes, 2])
    self.engine({"present": pair[..., 0] > 0, "position": pair, "velocity": pair,
                 "radius": pair[..., 0]})
    self.built = True

  def call(self, frames):
    """`[b, S, s, s, 3]` in [0, 1] -> the state in the last frame."""
    return self.perception(frames)

  def imagine(self, frames, future):
    """The state, and where the balls go from there.

    Args:
      frames: `[b, S, s, s, 3]` in [0, 1].
      future: F, frames behind the seen ones, at least 1.

    Returns:
      The state of `call`, with `future_position` and `future_velocity` `[b, F, K, 2]`.
    """
    state = self(frames)
    position, velocity = rollout(self.engine, _moving(state), future)
    return {**state, "future_position": position, "future_velocity": velocity}

  # What is minimised.

  def engine_terms(self, states):
    """The engine's futures against MuJoCo's, from true states on."""
    horizon = self.recipe.horizon
    start = {**states, "position": states["position"][:, 0], "velocity": states["velocity"][:, 0]}
    position, velocity = interaction.rollout(self.engine, start, horizon)
    return {"engine_loss": self.recipe.position_weight * mean_error(
        (position - states["position"][:, 1:horizon + 1]) / _NEAR, states["present"]) + mean_error(
            (velocity - states["velocity"][:, 1:horizon + 1]) / _SLOW, states["present"])}

  def reconstruction_terms(self, video, future):
    """What is drawn of the state against the video; no label.

    Args:
      video: `[b, S + F, s, s, 3]` in [0, 1].
      future: F, frames of the engine's, or 0 for the seen frames alone.

    Returns:
      Dict of scalars, squared errors over a picture in shares of a disc: `reconstruction_loss`
      of the seen frames and, where there are some, `future_loss` of the others.
    """
    seen, side = self.perception.seen, self.graphics.image_size
    disc = math.pi * (0.5 * side * self.perception.radius) ** 2  # pixels; the table is 2 m wide
    state = self(video[:, :seen])

    def error(position, frames):
      square = tf.square(draw(self.graphics, state, position) - frames)
      return tf.reduce_mean(tf.reduce_sum(square, axis=[2, 3, 4])) / disc

    terms = {"reconstruction_loss": error(state["track"], video[:, :seen])}
    if future:
      # Where balls are is told best by the frames in which they are seen: what comes later is a
      # matter of velocities and of the engine, and through collisions it pulls every way.
      track = tf.stop_gradient(state["track"])
      velocity = self.perception.velocity(track, state["present"], state["radius"])
      position, _ = interaction.rollout(
          self.engine, {**_moving(state), "position": track[:, -1], "velocity": velocity}, future)
      terms["future_loss"] = error(position, video[:, seen:seen + future])
    return terms

  # Steps.

  def terms_of(self, batch):
    """The terms of the stage in progress; `stage_name` "" stands for `init`."""
    if self.stage_name in ("", "init"):
      terms, _ = perception_terms(self.perception, self.recipe, batch["clip"], batch["states"],
                                  self.replica_seed())
      return {**terms, **self.engine_terms(batch["states"])}
    if self.stage_name not in billiards_settings.STAGES:
      raise ValueError(f"stage is {self.stage_name!r}; it must be one of "
                       f"{', '.join(billiards_settings.STAGES)}")
    return self.reconstruction_terms(
        batch["video"], self.recipe.future if self.stage_name == "full" else 0)

  def train_step(self, batch):
    """One step: `init` takes `{"clip", "states"}`, the others `{"video"}`."""
    with tf.GradientTape() as tape:
      terms = self.terms_of(batch)
      loss = tf.add_n(list(terms.values()))
    self.minimize(tape, loss, self.trainable_variables, self.optimizer,
                  clip_norm=self.recipe.clip_norm)
    return self.log_step(loss=loss, **terms)

  def test_step(self, clip):
    """Mean errors over the future frames of a batch of `stream.in_order`."""
    return self.log_values(**future_errors(self, clip))


def perception_terms(perception, recipe, clip, states, seed):
  """Perception against the states of simulated videos.

  Args:
    perception: `balls.BallPerception`.
    recipe: `billiards_settings.BilliardsRecipe`.
    clip: batch of `stream.batches` with S frames or more.
    states: batch of `stream.states` with S frames or more.
    seed: `[2]` int32, of the noise of true tracks.

  Returns:
    A dict of scalars, weighted, and the tracks `[n, S, K, 2]` that velocities were told from:
    those that the heat maps found, and the noisy true ones.

  Example:
    terms, tracks = perception_terms(model.perception, recipe, clip, states, seed)
  """
  seen, there = perception.seen, clip["present"]
  found = perception(clip["video"][:, :seen])
  true = states["position"][:, :seen]
  # The heat maps' own tracks, by the true presence, and hundreds of true ones.
  noisy = true + recipe.track_noise * tf.random.stateless_normal(tf.shape(true), seed)
  told = perception.velocity(found["track"], there, clip["radius"])
  many = perception.velocity(noisy, states["present"], states["radius"])
  terms = {
      "position_loss": recipe.position_weight * mean_error(
          (found["track"] - clip["position"][:, :seen]) / _NEAR, there),
      "presence_loss": tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(
          tf.cast(there, tf.float32), found["logits"])),
      "velocity_loss": mean_error((told - clip["velocity"][:, seen - 1]) / _SLOW, there)
                       + mean_error((many - states["velocity"][:, seen - 1]) / _SLOW,
                                    states["present"])}
  return terms, (found["track"], noisy)


def draw(graphics, state, position):
  """Pictures of a state's balls elsewhere.

  Args:
    graphics: the `TableRenderer`.
    state: dict of `present` and `radius` `[b, K]`, `color` `[b, K, 3]`, `cloth_color` `[b, 3]`.
    position: `[b, T, K, 2]`, metres.

  Returns:
    `[b, T, s, s, 3]` float32 in [0, 1].

  Example:
    pictures = draw(TableRenderer(64), found, found["future_position"])
  """
  times, side = position.shape[1], graphics.image_size
  tables = {name: tf.repeat(state[name], times, axis=0)
            for name in ("present", "radius", "color", "cloth_color")}
  tables["position"] = tf.reshape(position, [-1, *position.shape[2:]])
  return tf.reshape(graphics(tables)["image"], [-1, times, side, side, 3])


def rollout(engine, tables, frames):
  """`interaction.rollout` as a loop in the graph: traced once, for films of any length.

  Training, over a few frames, is faster with the loop unrolled.

  Args:
    engine: the `InteractionNetwork`.
    tables: mapping, as the engine takes it.
    frames: number of frames, at least 1.

  Returns:
    Position and velocity `[N, frames, K, 2]`, the first a frame later.

  Example:
    position, velocity = rollout(model.engine, state, 20)
  """
  fixed = {name: tf.convert_to_tensor(tables[name]) for name in ("present", "radius")}
  start = tuple(tf.cast(tables[name], tf.float32) for name in ("position", "velocity"))

  def step(moving, _):
    later = engine.step({**fixed, "position": moving[0], "velocity": moving[1]})
    return later["position"], later["velocity"]

  found = tf.scan(step, tf.range(frames), start)
  return tuple(tf.transpose(value, [1, 0, 2, 3]) for value in found)


def mean_error(error, present):
  """Mean Huber function of errors' lengths over the balls that are there.

  Args:
    error: `[b, K, 2]` or `[b, T, K, 2]`, in units below which it is a square.
    present: `[b, K]` bool.

  Returns:
    Float scalar.

  Example:
    loss = mean_error((position - true) / 0.01, present)
  """
  # The length itself has no gradient at 0.
  square = tf.reduce_sum(tf.square(error), axis=-1)
  value = tf.where(square < 1.0, 0.5 * square, tf.sqrt(tf.maximum(square, 1.0)) - 0.5)
  return masked_mean(value, present)


def masked_mean(value, present):
  """Mean of `[b, K]` or `[b, T, K]` over the balls that are there, `[b, K]` bool."""
  if value.shape.rank == 3:
    present = tf.repeat(present[:, tf.newaxis], value.shape[1], axis=1)
  return losses.masked_mean(value, present)


def future_errors(model, clip):
  """Mean distances over the frames behind the seen ones, in metres and metres a second."""
  seen = model.perception.seen
  future = clip["position"].shape[1] - seen
  found = model.imagine(clip["video"][:, :seen], future)
  return {f"{name}_error": masked_mean(
      tf.norm(found[f"future_{name}"] - clip[name][:, seen:], axis=-1), clip["present"])
          for name in ("position", "velocity")}


def _moving(state):
  """The part of a state that the engine moves."""
  return {name: state[name] for name in ("present", "position", "velocity", "radius")}
