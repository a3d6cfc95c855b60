"""DeepMask itself: a patch -> the mask of the object in its middle, and a score that there is one.

Pinheiro, Collobert, Dollar: *Learning to Segment Object Candidates*, NIPS 2015.

    L = mean over patches [ (1 + y) / 2 mean_ij log(1 + exp(-m_ij f_ij))
                            + lambda log(1 + exp(-y f_score)) ],   lambda = 1/32

That is the paper's loss (`alternate=False`, and what is measured). The released code never adds
the two up: it trains the heads in turns (head frequency 1/2), each on its own term, and lambda
isn't used. So do we, by default: even steps are the mask's, odd steps the score's.

Deviations: PhysNet's trunk from random weights instead of VGG or ResNet-50 of ImageNet, AdamW
instead of SGD, a one-optimizer update of trunk and head. Every batch is half positive, also on
the mask's steps, where the released code takes positive ones alone: its batch norm is frozen, ours
must see one kind of batch. Dropout is drawn from the step's seed, so that a resumed run is the
unbroken one.
"""

import tensorflow as tf

from garden.core import layers
from garden.core import model as model_lib
from garden.core import saved_settings
from garden.datasets.block_towers import views
from garden.physnet import deepmask
from garden.physnet import patches as patches_lib

_LOGGED = ("loss", "mask_loss", "score_loss", "mask_iou", "score_accuracy")


@tf.keras.utils.register_keras_serializable(package="garden")
class SeededScoreHead(deepmask.ScoreHead):
  """`deepmask.ScoreHead` whose dropout is a function of a seed; none without a seed.

  Example:
    scores = SeededScoreHead()(tf.zeros([8, 8, 8, 96]), seed=tf.constant([0, 1]))  # [8]
  """

  def call(self, x, seed=None):
    """`[b, h, w, c]` -> `[b]`, before the logistic function; seed `[2]` int32 or None."""
    x = self.flatten(self.pool(x))
    for number, layer in enumerate(self.hidden):
      x = layer(x)
      if seed is not None and self.dropout:
        x = tf.nn.experimental.stateless_dropout(
            x, self.dropout, tf.random.experimental.stateless_fold_in(seed, number))
    return self.score(x)[:, 0]


def binary_iou(masks, predicted):
  """Intersection over union of masks: `[n, m, m]` bool, twice -> `[n]`; 1 if both are empty.

  Example:
    >>> float(binary_iou(tf.constant([[[True, True]]]), tf.constant([[[True, False]]]))[0])
    0.5
  """
  both, either = (tf.reduce_sum(tf.cast(x, tf.float32), axis=[1, 2])
                  for x in (masks & predicted, masks | predicted))
  return tf.where(either > 0.0, both / tf.maximum(either, 1.0), 1.0)


@tf.keras.utils.register_keras_serializable(package="garden")
class DeepMask(model_lib.GardenModel):
  """Patches to masks and scores.

  `model(patches)` takes `[n, size, size, 3]` in [0, 1] and returns a dict of logits: `masks`
  `[n, mask_size, mask_size]`, `scores` `[n]`. `look`, `score` and `mask` are what
  `proposals.propose` asks for.

  Args:
    network: `settings.Network`: `filters` of the trunk; `rank`, `coarse_size` and `mask_squeeze`
      of the mask head.
    recipe: `settings.Recipe`: the views, the optimizer; its weights of terms aren't used.
    patches: `patches.Patches`.
    score_units: of the score head's hidden layers; (512, 1024) as published.
    dropout: of the score head, in [0, 1); .5 as published.
    alternate: train the heads in turns, as the released code does; else the sum of both terms.
    score_weight: lambda of the sum.
    steps: of training, for the learning rate.
    seed: of views, patches and dropout.

  Raises:
    ValueError: a trunk other than the residual one.

  Example:
    >>> from garden.physnet import patches, settings
    >>> net = DeepMask(settings.Network(), settings.Recipe(), patches.Patches())
    >>> seen = tf.keras.Input([64, 64, 3])
    >>> tf.keras.Model(seen, net(seen)).output_shape
    {'masks': (None, 56, 56), 'scores': (None,)}
  """

  def __init__(self, network, recipe, patches, score_units=(128, 256), dropout=0.5,
               alternate=True, score_weight=1 / 32, steps=1000, seed=0, **kwargs):
    super().__init__(seed=seed, **kwargs)
    if network.trunk != "residual":
      raise ValueError(f"trunk is {network.trunk!r}; patches are seen by the \"residual\" one, "
                       "leave it at that")
    if network.crop is not None:
      raise ValueError(f"crop is {network.crop}, but patches are cut out of the whole image; "
                       "leave it at None")
    self.network = network
    self.recipe = recipe
    self.patches = patches
    self.alternate = alternate
    self.score_weight = score_weight
    self.steps = steps
    self.trunk = layers.Trunk(network.filters)
    self.mask_head = deepmask.LowRankMaskHead(
        patches.mask_size, network.rank, network.coarse_size, network.mask_squeeze)
    self.score_head = SeededScoreHead(score_units, dropout)
    self.views = views.Views(recipe, seed)
    self.add_trackers(*_LOGGED)

  def get_config(self):
    """The arguments of the constructor."""
    return {"network": saved_settings.pack(self.network),
            "recipe": saved_settings.pack(self.recipe),
            "patches": saved_settings.pack(self.patches), "score_units": self.score_head.units,
            "dropout": self.score_head.dropout, "alternate": self.alternate,
            "score_weight": self.score_weight, "steps": self.steps, "seed": self.seed,
            "name": self.name}

  def call(self, images, training=False):
    """`[n, size, size, 3]` in [0, 1] -> `{"masks": [n, m, m], "scores": [n]}`, logits."""
    features = self.look(images, training)
    return {"masks": self.mask_logits(features), "scores": self.score_logits(features)}

  def look(self, images, training=False):
    """What both heads work on: `[n, size, size, 3]` -> `[n, size / 8, size / 8, f]`."""
    return self.trunk(images, training=training)[-1]

  def mask_logits(self, features):
    """`[n, h, w, f]` -> `[n, mask_size, mask_size]`."""
    return tf.cast(self.mask_head(features)[..., 0, 0], tf.float32)

  def score_logits(self, features, seed=None):
    """`[n, h, w, f]` -> `[n]`; with a seed, dropout is on."""
    return tf.cast(self.score_head(features, seed=seed), tf.float32)

  def mask(self, features):
    """Probability of each pixel to be of the centred object: `[n, mask_size, mask_size]`."""
    return tf.sigmoid(self.mask_logits(features))

  def score(self, features):
    """Probability that an object is centred and of the right size: `[n]`."""
    return tf.sigmoid(self.score_logits(features))

  def compile(self, **kwargs):
    """Keras's `compile` with the recipe's optimizer."""
    super().compile(optimizer=self.recipe.optimizer(self.steps), **kwargs)

  def train_step(self, batch):
    """One step on patches of a batch of `stream.batches`; see the module for the turns.

    Raises:
      ValueError: turns on several replicas.
    """
    seed = self.replica_seed()
    fold = tf.random.experimental.stateless_fold_in
    batch = self.views(batch, fold(seed, 0))
    found = patches_lib.sample(batch, fold(seed, 2), self.patches)
    dropout = fold(seed, 3)
    if not self.alternate:
      loss = self.update(found, dropout, True, True)
    else:
      replicas = tf.distribute.get_strategy().num_replicas_in_sync
      if replicas > 1:  # an update that is a branch of the graph can't reduce over replicas
        raise ValueError(f"alternate is True on {replicas} replicas; it needs 1: take one "
                         "device, or alternate=False")
      loss = tf.cond(self.total_steps % 2 == 0,
                     lambda: self.update(found, dropout, True, False),
                     lambda: self.update(found, dropout, False, True))
    self.log_step(loss=loss)
    return {name: tracker.result() for name, tracker in self._trackers.items()}

  def update(self, found, seed, masks, scores):
    """Steps the trunk and the heads that are on.

    Args:
      found: patches of `patches.sample`.
      seed: `[2]` int32, of dropout.
      masks: bool, whether the mask head has its turn.
      scores: bool, whether the score head has.

    Returns:
      The loss of this step.
    """
    variables = list(self.trunk.trainable_variables)
    with tf.GradientTape() as tape:
      features = self.look(found["image"], training=True)
      mask_logits = self.mask_logits(features) if masks else tf.zeros_like(found["masks"])
      score_logits = self.score_logits(features, seed) if scores else tf.zeros(
          tf.shape(found["objects"]))
      mask_loss, score_loss = deepmask.deepmask_loss(
          mask_logits, score_logits, found["masks"], found["objects"], 1.0)
      # In turns each head has its own loss, and lambda has no place.
      weight = self.score_weight if masks else 1.0
      loss = (mask_loss if masks else 0.0) + (weight * score_loss if scores else 0.0)
    if masks:
      variables += self.mask_head.trainable_variables
      self.log_values(mask_loss=mask_loss, mask_iou=self.iou(found, mask_logits))
    if scores:
      variables += self.score_head.trainable_variables
      self.log_values(score_loss=score_loss, score_accuracy=self.accuracy(found, score_logits))
    self.minimize(tape, loss, variables, self.optimizer, clip_norm=self.recipe.clip_norm)
    return loss

  def test_step(self, batch):
    """The paper's loss, mask IoU and score accuracy; the patches are always the same ones."""
    found = patches_lib.sample(batch, tf.constant([self.seed, 1]), self.patches)
    logits = self(found["image"], training=False)
    mask_loss, score_loss = deepmask.deepmask_loss(
        logits["masks"], logits["scores"], found["masks"], found["objects"], 1.0)
    return self.log_values(
        loss=mask_loss + self.score_weight * score_loss, mask_loss=mask_loss,
        score_loss=score_loss, mask_iou=self.iou(found, logits["masks"]),
        score_accuracy=self.accuracy(found, logits["scores"]))

  def iou(self, found, logits):
    """Mean IoU of the masks of positive patches, at a probability of .5."""
    values = binary_iou(found["masks"] > 0.5, logits > 0.0)
    objects = tf.cast(found["objects"], tf.float32)
    return tf.reduce_sum(objects * values) / tf.maximum(tf.reduce_sum(objects), 1.0)

  def accuracy(self, found, logits):
    """Share of patches whose score has the right side of .5."""
    return tf.reduce_mean(tf.cast((logits > 0.0) == (found["objects"] == 1), tf.float32))
