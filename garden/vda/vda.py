"""Visual de-animation of block towers: the model and its three stages.

    image -> proposals, pairs -> state -> support test -> does it fall
                                       -> renderer     -> image

Wu et al. 2017. `init` learns from simulated scenes, whose states are known. `joint` adds images
of which nothing is known: their reconstruction, and the boxes of what the renderer drew as the
target of the proposals, which see the image in other light. `full` adds whether each of them
fell. Simulated scenes stay in every batch, so that nothing is forgotten. Both go through one
forward pass, and batch norm sees them together, as it will in use.

Either gradient may be replaced by REINFORCE through an engine without one: hard pictures, MuJoCo.

Deviations: one net for each pair of neighbours instead of one for each object (see `perception`);
the towers' Bullet and Blender are MuJoCo, a support test and a ray-caster.
"""

import numpy as np
import tensorflow as tf

from garden.core import losses as core_losses
from garden.core import model as model_lib
from garden.core import replicas
from garden.core import saved_settings
from garden.datasets.block_towers import views
from garden.vda import engines
from garden.vda import graphics
from garden.vda import losses
from garden.vda import perception
from garden.vda import proposals
from garden.vda import reinforce
from garden.vda import settings as settings_lib
from garden.vda import state as state_lib
from garden.vda import surroundings
from garden.worlds.towers import windows

_LOGGED = ("loss", "pose_loss", "proposal_loss", "around_loss", "reconstruction_loss",
           "completion_loss", "physics_loss", "reconstruction_error", "accuracy")
_AROUND = 0.2  # where the surroundings' Huber turns linear
_fold = tf.random.experimental.stateless_fold_in
_SURE = 0.9  # probability of what MuJoCo tells, as a reward's log p


@tf.keras.utils.register_keras_serializable(package="garden")
class VDA(model_lib.GardenModel):
  """Images of towers to states, stability and reconstructions.

  `model({"image": [N, s, s, 3] in [0, 1], "camera": [N, 7]})` returns a state (see `state`) with
  `boxes`, `score`, `poses`, `color_class`; `light` `[N, 4]` and `camera` `[N, 7]`; `margin`
  and `fall_probability` `[N]`; `image`, the reconstruction `[N, t, t, 3]`, and its
  `reconstruction_error` `[N]`. Without "camera" the camera is estimated.

  Args:
    network: `settings.Network`.
    recipe: `settings.Recipe`.
    stage: "init", "joint" or "full".
    n_colors: colours that proposals tell apart.
    steps: of training, for the learning rate.
    seed: of views, of the boxes' noise and of REINFORCE's samples.

  Example:
    >>> from garden.vda import settings
    >>> net = VDA(settings.Network(), settings.Recipe())
    >>> inputs = {"image": tf.keras.Input([84, 84, 3]), "camera": tf.keras.Input([7])}
    >>> found = net(inputs)
    >>> tf.keras.Model(inputs, [found["fall_probability"], found["image"]]).output_shape
    [(None,), (None, 84, 84, 3)]
  """

  def __init__(self, network, recipe, stage="init", n_colors=4, steps=1000, seed=0, **kwargs):
    super().__init__(seed=seed, **kwargs)
    self.network, self.recipe, self.training_stage = network, recipe, stage
    self.n_colors, self.steps = n_colors, steps
    self.perception = perception.Perception(
        n_colors, network.places, network.filters, network.size, network.pixels_per_block,
        network.proposal_size, network.form)
    self.surroundings = surroundings.Surroundings()
    self.graphics = graphics.Graphics(network.picture_size, network.softness)
    self.hard_graphics = graphics.Graphics(network.picture_size, 0.0)
    self.support = engines.SupportEngine(scale=network.scale)
    self.support_test = engines.SupportEngine(softness=0.0, scale=network.scale)
    self.views = views.Views(recipe, seed)
    # 1 + the number of the last stage that was begun: what a warm start brings is checked.
    self.begun = tf.Variable(0, trainable=False, dtype=tf.int64, name="begun",
                             aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
    self.add_trackers(*_LOGGED)

  def get_config(self):
    """The arguments of the constructor."""
    return {"network": saved_settings.pack(self.network),
            "recipe": saved_settings.pack(self.recipe), "stage": self.training_stage,
            "n_colors": self.n_colors, "steps": self.steps, "seed": self.seed, "name": self.name}

  def call(self, inputs, training=False):
    """The whole way from image to image."""
    images = inputs["image"]
    small = self.shrink(images)
    around = self.surroundings(small, training=training)
    camera = inputs.get("camera", around["camera"])
    state = self.perception({"image": images, "camera": camera}, training=training)
    drawn = self.draw(self.graphics, state, camera, around["light"], small)
    return {**state, **self.support_test(state), "light": around["light"], "camera": camera,
            "estimated_camera": around["camera"], **drawn}

  def shrink(self, images):
    """Images to the size that is reconstructed, by area."""
    return tf.image.resize(images, [self.network.picture_size] * 2, method="area")

  def draw(self, engine, state, camera, light, small):
    """The state's picture by a graphics engine, its paint and its error, `[N]`."""
    focus = graphics.focus_of(state["boxes"], state["present"], engine.image_size)
    drawn = engine({"state": state, "camera": camera, "light": light, "image": small,
                    "focus": focus})
    return {**drawn, "reconstruction_error": losses.reconstruction_error(
        drawn["image"], small, focus)}

  def compile(self, **kwargs):
    """Keras's `compile` with the recipe's optimizer."""
    super().compile(optimizer=self.recipe.optimizer(self.steps), **kwargs)

  def begin_stage(self, name):
    """Checks that the weights that training begins with are of the stage before.

    Raises:
      ValueError: they are of another stage.
    """
    number, begun = settings_lib.STAGES.index(name), int(self.begun.numpy())
    if begun != number:
      known = ("no stage", *settings_lib.STAGES)
      need = (f"a run of stage {known[number]!r}: give it as Run.warm_start" if number
              else "none: leave Run.warm_start out")
      raise ValueError(f"stage {name!r} begins with the weights of {known[number]!r}, but these "
                       f"are of {known[begun]!r}; it needs {need}")
    self.begun.assign(number + 1)

  def train_step(self, batch):
    """One step on the views of a batch of `data.batches`."""
    seed = self.replica_seed()
    source = self.views(batch["source"], seed)
    with tf.GradientTape() as tape:
      terms, values = self.losses_of(source, batch.get("target"), _fold(seed, 7), training=True)
      loss = tf.add_n(list(terms.values()))
    self.minimize(tape, loss, self.trainable_variables, self.optimizer,
                  clip_norm=self.recipe.clip_norm)
    return self.log_step(loss=loss, **terms, **values)

  def test_step(self, batch):
    """The same terms on images as they are, with the true boxes."""
    terms, values = self.losses_of(batch["source"], batch.get("target"), tf.constant([0, 0]),
                                   training=False)
    return self.log_values(loss=tf.add_n(list(terms.values())), **terms, **values)

  # Nothing here branches on a tensor, and converting the renderer's code doubles the tracing.
  @tf.autograph.experimental.do_not_convert
  def losses_of(self, source, target, seed, training):
    """The terms of the loss, weighted, and what is logged beside them."""
    recipe, see = self.recipe, self.perception
    n, places = tf.shape(source["image"])[0], source["boxes"].shape[1]
    glances = self._glances(source, target, seed, training)
    noise = tf.random.stateless_normal(tf.shape(source["boxes"]), _fold(seed, 3))
    wanted = {name: source[name] for name in ("image", "camera", "present")}
    wanted["boxes"] = source["boxes"] + (recipe.box_noise * noise if training else 0.0)
    small = self.shrink(source["image"])
    if target is not None:
      cells, squares = glances[1]
      proposed = see.propose(target["image"], tf.stop_gradient(cells), squares, places)
      wanted = {name: tf.concat([wanted[name], {**target, **proposed}[name]], axis=0)
                for name in wanted}
      small = tf.concat([small, self.shrink(target["image"])], axis=0)
    around = self.surroundings(small, training=training)
    found = see.look(wanted["image"], wanted["camera"], wanted["boxes"], wanted["present"],
                     training)
    cells, squares = glances[0]
    some = tf.shape(cells)[0]
    terms = {
        "pose_loss": recipe.pose_weight * losses.pose_loss(
            found["poses"][:n], source["poses"], source["valid"]),
        "proposal_loss": recipe.proposal_weight * tf.reduce_mean(proposals.loss(
            cells, proposals.into(source["boxes"][:some], squares), source["present"][:some],
            source["color_class"][:some])),
        "around_loss": recipe.around_weight * self._around_loss(around, source, n)}
    if target is None:
      return terms, {}
    state = {**proposed, **{name: value[n:] for name, value in found.items()}}
    more, values = self._target_losses(target, state, around["light"][n:], small[n:], glances[2],
                                       seed)
    return {**terms, **more}, values

  def _glances(self, source, target, seed, training):
    """What the proposals' net says of squares, all in one pass.

    Args:
      source: batch of simulated scenes; a share of them is enough for the proposals.
      target: batch of the target, or None.
      seed: `[2]` int32.
      training: whether squares are moved and the target's light is changed.

    Returns:
      List of (cells, squares): of simulated scenes, of the target's images, and of these in other
      light.
    """
    n = tf.cast(tf.shape(source["image"])[0], tf.float32)
    some = tf.maximum(1, tf.cast(tf.round(self.recipe.proposal_share * n), tf.int32))
    images = [source["image"][:some]]
    squares = [proposals.squares(source["camera"][:some], _fold(seed, 4) if training else None)]
    if target is not None:
      other = target["image"]
      images += [other, self.other_light(other, _fold(seed, 6)) if training else other]
      squares += [proposals.squares(target["camera"]), proposals.squares(
          target["camera"], _fold(seed, 5) if training else None)]
    cells = self.perception.proposals(tf.concat(
        [self.perception.square_views(*pair) for pair in zip(images, squares)], axis=0),
        training=training)
    lengths = tf.stack([tf.shape(places)[0] for places in squares])
    return list(zip(tf.split(cells, lengths, num=len(squares)), squares))

  def _target_losses(self, target, state, light, small, glance, seed):
    """The terms of the target's images, weighted, and what is logged beside them.

    Args:
      target: batch of the target.
      state: what perception makes of it.
      light: `[N, 4]`.
      small: `[N, t, t, 3]`, the images to reconstruct.
      glance: (cells, squares) of the images in other light.
      seed: `[2]` int32.
    """
    recipe, camera = self.recipe, target["camera"]
    drawn = self.draw(self.graphics, state, camera, light, small)
    error = drawn["reconstruction_error"]
    if recipe.reconstruction == "engine":
      reconstruction = tf.reduce_mean(error)
    else:
      reconstruction = self._reinforce(state, camera, seed, lambda moved, k: -self.draw(
          self.hard_graphics, moved, *(tf.tile(x, [k] + [1] * (x.shape.rank - 1))
                                       for x in (camera, light, small)))["reconstruction_error"])
    terms = {"reconstruction_loss": recipe.reconstruction_weight * reconstruction,
             "completion_loss": recipe.completion_weight * _completion_loss(
                 *glance, drawn["ids"], state, error)}
    values = {"reconstruction_error": tf.reduce_mean(error)}
    if "fall" in target:
      told = self.support(state)["fall_probability"]
      if recipe.physics == "engine":
        physics = losses.stability_loss(told, target["fall"])
      else:
        physics = self._reinforce(state, camera, seed, lambda moved, k: _log_p(
            moved, tf.tile(target["fall"], [k])))
      terms["physics_loss"] = recipe.physics_weight * physics
      values["accuracy"] = tf.reduce_mean(tf.cast(
          (told >= 0.5) == (target["fall"] == 1), tf.float32))
    return terms, values

  def other_light(self, images, seed):
    """The target's images in other light, with a pattern on them: the colours' own stay."""
    recipe = self.recipe
    images = views.light(images, _fold(seed, 0), recipe.gain, recipe.offset)
    if recipe.texture:
      none = tf.zeros(tf.shape(images)[:3], tf.int32)
      images = views.texture(images, none, _fold(seed, 1), recipe.texture)
    images += recipe.noise * tf.random.stateless_normal(tf.shape(images), _fold(seed, 2))
    return tf.clip_by_value(images, 0.0, 1.0)

  def _around_loss(self, around, source, n):
    """Huber error of light and camera on the n simulated scenes."""
    true = tf.concat([surroundings.light_targets(source["light"]),
                      surroundings.camera_targets(source["camera"])], axis=-1)
    return tf.reduce_mean(core_losses.huber(around["numbers"][:n] - true, _AROUND))

  def _reinforce(self, state, camera, seed, reward):
    """REINFORCE's loss of the pairs' poses.

    Args:
      state: of N scenes, with `poses`, `valid` and `boxes`.
      camera: `[N, 7]`.
      seed: `[2]` int32.
      reward: function of the S N moved states and S: `[S N]`.

    Returns:
      Float scalar, see `reinforce.surrogate`.
    """
    count, pairs = self.recipe.samples, state["poses"].shape[1]
    sigma = tf.tile(self.recipe.sigma * tf.constant([1.0, 1.0, 3.0, 3.0, 3.0, 3.0]), [pairs])
    mean = tf.reshape(state["poses"], [-1, pairs * 6])
    drawn = reinforce.sample(mean, sigma, count, seed)
    many = {name: tf.tile(state[name], [count] + [1] * (state[name].shape.rank - 1))
            for name in ("present", "valid", "boxes", "color", "color_class")}
    poses = tf.reshape(drawn, [-1, pairs, 6])
    moved = perception.build(poses, many["valid"], many["present"], many["boxes"],
                             tf.tile(camera, [count, 1]))
    rewards = reward({**many, **moved, "poses": poses}, count)
    return reinforce.surrogate(mean, drawn, tf.reshape(rewards, [count, -1]), sigma)


def _completion_loss(cells, squares, ids, state, error):
  """The proposals' loss by the boxes of what was drawn, on the better half of reconstructions."""
  boxes, present = windows.boxes_of_masks(ids, state["present"].shape[1] + 1)
  each = proposals.loss(cells, proposals.into(boxes, squares), present, state["color_class"])
  every = replicas.gather(error)
  middle = tf.sort(every)[tf.shape(every)[0] // 2]
  return core_losses.masked_mean(each, tf.stop_gradient(error <= middle))


def _log_p(state, fall):
  """Log p(label) by MuJoCo: `[N]`; what it tells is held for right with probability .9."""
  def simulated(present, position, rotation, size, color):
    numbers = dict(present=present, position=position, rotation=rotation, size=size, color=color)
    some = present.any(axis=1)
    told = np.zeros(len(present), np.int64)
    if some.any():
      told[some] = engines.MuJoCoEngine().stability(
          {name: value[some] for name, value in numbers.items()})["fall"]
    return told
  told = tf.numpy_function(simulated, [state[name] for name in state_lib.FIELDS], tf.int64)
  told.set_shape([None])
  return tf.where(told == tf.cast(fall, tf.int64), tf.math.log(_SURE), tf.math.log(1.0 - _SURE))
