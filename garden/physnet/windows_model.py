"""PhysNet by windows: one shared network per pair of neighbouring blocks.

The paper's network sees the whole image; what decides, a few pixels of offset at an interface,
is small there. Here a small colour segmenter finds the blocks, each pair of neighbours is cut out
at its own scale, and `windows.WindowNet`, the same for all levels and all counts, tells its
pose and masks; `windows.TopDownHead` adds them up to the tower (see `windows`):

    L = BCE(fall) + .5 BCE(interfaces) + margins + poses + masks + CE(segmentation)

In training the boxes are the true ones with noise, in use the segmenter's.
"""

import tensorflow as tf

from garden.core import layers
from garden.core import losses as core_losses
from garden.core import model as model_lib
from garden.core import saved_settings
from garden.datasets.block_towers import views
from garden.physnet import losses
from garden.physnet import windows
from garden.worlds.towers import windows as cut_lib

_LOGGED = ("loss", "fall_loss", "interface_loss", "margin_loss", "pose_loss", "mask_loss",
           "segment_loss", "accuracy")


@tf.keras.utils.register_keras_serializable(package="garden")
class PhysNetWindows(model_lib.GardenModel):
  """Images of towers to falls, through windows on their interfaces.

  `model(images)` takes `[b, h, w, 3]` in [0, 1] and returns a dict: `fall` `[b]`, the logit of
  falling; `segments`, logits `[b, s, s, n_classes]`; `boxes` `[b, n_classes - 1, 4]` and
  `present` `[b, n_classes - 1]` in the order of levels; `interfaces` and `margins` `[b, w]`,
  `poses` `[b, w, 6]`, `valid` `[b, w]`, from the lowest interface up.

  Args:
    settings: `settings.Windows`.
    recipe: `settings.Recipe`.
    n_classes: background and colours.
    steps: of training, for the learning rate.
    seed: of the views and of the boxes' noise.

  Example:
    >>> from garden.physnet import settings
    >>> net = PhysNetWindows(settings.Windows(), settings.Recipe())
    >>> images = tf.keras.Input([112, 112, 3])
    >>> probability = tf.sigmoid(net(images)["fall"])
    >>> tf.keras.Model(images, probability).output_shape
    (None,)
  """

  def __init__(self, settings, recipe, n_classes=5, steps=1000, seed=0, **kwargs):
    super().__init__(seed=seed, **kwargs)
    self.settings = settings
    self.recipe = recipe
    self.n_classes = n_classes
    self.steps = steps
    self.segmenter = layers.Segmenter(n_classes)
    self.window_net = windows.WindowNet(settings.filters)
    self.head = windows.TopDownHead()
    self.views = views.Views(recipe, seed)
    self.add_trackers(*_LOGGED)

  def get_config(self):
    """The arguments of the constructor."""
    return {"settings": saved_settings.pack(self.settings),
            "recipe": saved_settings.pack(self.recipe), "n_classes": self.n_classes,
            "steps": self.steps, "seed": self.seed, "name": self.name}

  def call(self, images, training=False):
    """`[b, h, w, 3]` in [0, 1] -> the dict of outputs, with boxes by the segmenter."""
    segments = self.segmenter(self.shrink(images), training=training)
    found = cut_lib.boxes_of_masks(tf.argmax(segments, axis=-1), self.n_classes)
    order = cut_lib.level_order(*found)
    boxes, present = (tf.gather(x, order, batch_dims=1) for x in found)
    return {"segments": segments, "boxes": boxes, "present": present,
            **self.look(images, boxes, present, training)}

  def look(self, images, boxes, present, training=False):
    """What windows on the boxes `[b, B, 4]`, lowest block first, say of the towers."""
    union, valid = cut_lib.pairs(boxes, present)
    places = cut_lib.place(union, windows.block_height(union), self.settings.size,
                           self.settings.pixels_per_block)
    found = self.window_net({
        "windows": cut_lib.crop(images, places, valid, self.settings.size),
        "context": windows.context(tf.boolean_mask(places, valid))}, training=training)
    features = cut_lib.scatter(tf.concat([found["h"], found["poses"]], axis=-1), valid)
    features = tf.ensure_shape(features, [None, boxes.shape[1] - 1, None])
    features.set_shape([None, boxes.shape[1] - 1, found["h"].shape[-1] + 6])
    return {**self.head({"features": features, "valid": valid}), "valid": valid,
            "poses": cut_lib.scatter(found["poses"], valid), "window_masks": found["masks"],
            "windows": places}

  def shrink(self, images):
    """Images to the size that the segmenter sees, by area."""
    return tf.image.resize(images, [self.settings.segment_size] * 2, method="area")

  def compile(self, **kwargs):
    """Keras's `compile` with the recipe's optimizer."""
    super().compile(optimizer=self.recipe.optimizer(self.steps), **kwargs)

  def losses_of(self, batch, training):
    """The terms of the loss, weighted, and the accuracy."""
    recipe, settings = self.recipe, self.settings
    some = max(1, round(settings.segment_share * (batch["image"].shape[0] or 1)))
    small = self.shrink(batch["image"][:some])
    terms = {"segment_loss": settings.segment_weight * layers.segment_loss(
        self.segmenter(small, training=training), batch["segments"][:some])}
    found = self.look(batch["image"], batch["boxes"], batch["present"], training)
    valid = found["valid"]
    terms["fall_loss"] = losses.fall_loss(found["fall"], batch["fall"], recipe.smoothing)
    terms["interface_loss"] = settings.interface_weight * core_losses.masked_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.cast(batch["margins"] <= 0, tf.float32), logits=found["interfaces"]), valid)
    error = found["margins"] - losses.squashed_margin(batch["margins"])
    terms["margin_loss"] = recipe.margin_weight * core_losses.masked_mean(
        core_losses.huber(error, 0.1), valid)
    terms["pose_loss"] = recipe.pose_weight * core_losses.masked_mean(
        tf.reduce_mean(losses.pose_error(found["poses"], batch["poses"]), axis=-1), valid)
    terms["mask_loss"] = settings.mask_weight * losses.mask_cross_entropy(
        found["window_masks"], self.window_labels(batch["ids"], found["windows"], valid))
    accuracy = tf.reduce_mean(tf.cast((found["fall"] >= 0) == (batch["fall"] == 1), tf.float32))
    return terms, accuracy

  def window_labels(self, ids, places, valid):
    """Background, lower, upper, other block in each window: `[n, size / 4, size / 4]` int."""
    cut = cut_lib.crop(tf.cast(ids, tf.float32)[..., tf.newaxis], places, valid,
                       self.settings.size // 4, method="nearest", outside=0.0)[..., 0]
    cut = tf.cast(tf.round(cut), tf.int64)
    level = tf.where(valid)[:, 1][:, tf.newaxis, tf.newaxis]
    return tf.where(cut == 0, 0, tf.where(cut == level + 1, 1, tf.where(
        cut == level + 2, 2, 3)))

  def train_step(self, batch):
    """One step on the views of a batch of `stream.batches`."""
    seed = self.replica_seed()
    batch = self.views(batch, seed)
    noise = self.settings.box_noise * tf.random.stateless_normal(
        tf.shape(batch["boxes"]), tf.random.experimental.stateless_fold_in(seed, 3))
    batch = {**batch, "boxes": batch["boxes"] + noise}
    with tf.GradientTape() as tape:
      terms, accuracy = self.losses_of(batch, training=True)
      loss = tf.add_n(list(terms.values()))
    self.minimize(tape, loss, self.trainable_variables, self.optimizer,
                  clip_norm=self.recipe.clip_norm)
    return self.log_step(loss=loss, accuracy=accuracy, **terms)

  def test_step(self, batch):
    """The same terms on images as they are, with the true boxes."""
    terms, accuracy = self.losses_of(batch, training=False)
    return self.log_values(loss=tf.add_n(list(terms.values())), accuracy=accuracy, **terms)

  def predict_towers(self, images):
    """What is served: `fall_probability` `[b]`, `count`, `boxes`, `interface_probability`."""
    found = self(images, training=False)
    return {"fall_probability": tf.sigmoid(found["fall"]),
            "count": tf.reduce_sum(tf.cast(found["present"], tf.int32), axis=1),
            "boxes": found["boxes"],
            "interface_probability": tf.where(
                found["valid"], tf.sigmoid(found["interfaces"]), 0.0)}
