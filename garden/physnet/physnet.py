"""PhysNet: one image of a tower -> does it fall, and where each block will be at four times.

Lerer, Gross, Fergus: *Learning Physical Intuition of Block Towers by Example*, ICML 2016.

    L = BCE(fall) + lambda sum_t CE(mask_t)

with all times predicted at once from the one image, without recurrence. The paper's lambda isn't
known here; CE is the mean over pixels and times. The image is the whole one, as in the paper, or
one crop of the tower, which a small colour segmenter finds (`crop`); masks are those of the
whole image in both. Extra targets (support margin, poses of the
interfaces) are ours, switched by their weights in `settings.Recipe`. With other settings of
`settings.Network` the same model is the fall-only GoogLeNet or ResNet, or has DeepMask's
low-rank branch.
"""

import tensorflow as tf

from garden.core import layers
from garden.core import losses as core_losses
from garden.core import model as model_lib
from garden.core import saved_settings
from garden.datasets.block_towers import views
from garden.physnet import crop
from garden.physnet import losses
from garden.worlds.towers import windows

_LOGGED = ("loss", "fall_loss", "mask_loss", "dice_loss", "margin_loss", "pose_loss",
           "segment_loss", "accuracy")


@tf.keras.utils.register_keras_serializable(package="garden")
class PhysNet(model_lib.GardenModel):
  """Images of towers to falls and masks.

  `model(images)` takes `[b, h, w, 3]` in [0, 1] and returns a dict: `fall` `[b]`, the logit of
  falling; `masks` `[b, m, m, t, n_classes]`, logits, where there is a mask branch; `margin`
  `[b]` and `poses` `[b, w, 6]`, the extra targets. With a crop also `segments`
  `[b, s, s, n_classes]`, logits, and `crop` `[b, 4]`, the box that was cut out.

  Args:
    network: `settings.Network`.
    recipe: `settings.Recipe`.
    image_size: side of the whole images that the network sees, in pixels; nothing with a crop.
    n_classes: background and colours of the masks.
    n_times: times of the masks.
    mask_size: side of the masks in pixels.
    n_interfaces: greatest number of interfaces, for the poses.
    steps: of training, for the learning rate.
    seed: of weights' updates' random numbers (views).

  Example:
    >>> from garden.physnet import settings
    >>> net = PhysNet(settings.Network(), settings.Recipe(), image_size=56)
    >>> images = tf.keras.Input([112, 112, 3])
    >>> probability = tf.sigmoid(net(images)["fall"])
    >>> tf.keras.Model(images, probability).output_shape
    (None,)
  """

  def __init__(self, network, recipe, image_size=112, n_classes=5, n_times=4, mask_size=56,
               n_interfaces=3, steps=1000, seed=0, **kwargs):
    super().__init__(seed=seed, **kwargs)
    self.network = network
    self.recipe = recipe
    self.crop = network.crop
    self.n_classes, self.n_times, self.mask_size = n_classes, n_times, mask_size
    self.image_size = image_size
    self.n_interfaces = n_interfaces
    self.steps = steps
    self.segmenter = layers.Segmenter(n_classes) if self.crop else None
    self.trunk = network.build_trunk()
    self.fall_head = network.build_fall_head()
    self.mask_head = network.build_mask_head(n_classes, n_times, mask_size)
    self.fall_logit = tf.keras.layers.Dense(1, name="fall", dtype="float32")
    self.margin_out = tf.keras.layers.Dense(1, name="margin", dtype="float32")
    self.poses_out = tf.keras.layers.Dense(6 * n_interfaces, name="poses", dtype="float32")
    self.views = views.Views(recipe, seed)
    self.add_trackers(*_LOGGED)

  def get_config(self):
    """The arguments of the constructor."""
    return {"network": saved_settings.pack(self.network),
            "recipe": saved_settings.pack(self.recipe), "image_size": self.image_size,
            "n_classes": self.n_classes, "n_times": self.n_times,
            "mask_size": self.mask_size, "n_interfaces": self.n_interfaces, "steps": self.steps,
            "seed": self.seed, "name": self.name}

  def call(self, images, training=False):
    """`[b, h, w, 3]` in [0, 1] -> dict of `fall`, `margin`, `poses`, and `masks`."""
    if self.crop is None:
      return self.look(self.shrink(images), None, training)
    segments = self.segmenter(self.shrink(images), training=training)
    boxes, present = windows.boxes_of_masks(tf.argmax(segments, axis=-1), self.n_classes)
    place = crop.place(boxes, present, self.crop.size, self.crop.pixels_per_block)
    return {"segments": segments, "crop": place, **self.look(images, place, training)}

  def look(self, images, place, training=False):
    """What trunk and heads say of images, or of one crop of each.

    Args:
      images: `[b, h, w, 3]` in [0, 1].
      place: `[b, 4]` boxes to cut out, or None for the images as they are.
      training: whether batch norm learns.

    Returns:
      Dict of `fall` and `margin` `[b]`, `poses` `[b, w, 6]`, `masks` `[b, m, m, t, n_classes]`.
    """
    if place is not None:
      images = crop.resample(images, place, self.crop.size, outside=0.5)
    last = self.trunk(images, training=training)[-1]
    h = self.fall_head(last, training=training)
    outputs = {"fall": self.fall_logit(h)[:, 0], "margin": self.margin_out(h)[:, 0],
               "poses": tf.reshape(self.poses_out(h), [-1, self.n_interfaces, 6])}
    if self.mask_head is not None:
      if place is not None:
        last = crop.put_back(last, place, [self.crop.map_size] * 2)
      outputs["masks"] = tf.cast(self.mask_head(last, training=training), tf.float32)
    return outputs

  def compile(self, **kwargs):
    """Keras's `compile` with the recipe's optimizer."""
    super().compile(optimizer=self.recipe.optimizer(self.steps), **kwargs)

  def shrink(self, images):
    """Images to the size at which they are seen whole, by area."""
    side = self.image_size if self.crop is None else self.crop.segment_size
    if images.shape[1:3] == (side, side):
      return images
    return tf.image.resize(images, [side, side], method="area")

  def losses_of(self, batch, training):
    """The terms of the loss, weighted, and the accuracy."""
    recipe, images, terms = self.recipe, batch["image"], {}
    if self.crop is None or recipe.fall_only:
      outputs = self(images, training=training)
    else:
      place = crop.place(batch["boxes"], batch["present"], self.crop.size,
                         self.crop.pixels_per_block)
      outputs = self.look(images, place, training)
      some = max(1, round(self.crop.segment_share * (images.shape[0] or 1)))
      terms["segment_loss"] = self.crop.segment_weight * layers.segment_loss(
          self.segmenter(self.shrink(images[:some]), training=training),
          batch["segments"][:some])
    terms["fall_loss"] = losses.fall_loss(outputs["fall"], batch["fall"], recipe.smoothing)
    if recipe.fall_only:
      return terms, self._accuracy(outputs, batch)
    if self.mask_head is not None and recipe.mask_weight:
      terms["mask_loss"] = recipe.mask_weight * losses.mask_cross_entropy(
          outputs["masks"], batch["masks"], recipe.background_weight)
    if self.mask_head is not None and recipe.dice_weight:
      terms["dice_loss"] = recipe.dice_weight * losses.soft_dice(
          outputs["masks"], batch["masks"])
    if recipe.margin_weight:
      error = outputs["margin"] - losses.squashed_margin(batch["margin"])
      terms["margin_loss"] = recipe.margin_weight * tf.reduce_mean(core_losses.huber(error, 0.1))
    if recipe.pose_weight:
      error = tf.reduce_mean(losses.pose_error(outputs["poses"], batch["poses"]), axis=-1)
      terms["pose_loss"] = recipe.pose_weight * core_losses.masked_mean(error, batch["valid"])
    return terms, self._accuracy(outputs, batch)

  @staticmethod
  def _accuracy(outputs, batch):
    """Share of the batch's towers whose fall is told right."""
    return tf.reduce_mean(tf.cast((outputs["fall"] >= 0) == (batch["fall"] == 1), tf.float32))

  def train_step(self, batch):
    """One step on the views of a batch of `stream.batches`."""
    seed = self.replica_seed()
    batch = self.views(batch, seed)
    if self.crop is not None:
      batch["boxes"] += self.crop.box_noise * tf.random.stateless_normal(
          tf.shape(batch["boxes"]), tf.random.experimental.stateless_fold_in(seed, 3))
    with tf.GradientTape() as tape:
      terms, accuracy = self.losses_of(batch, training=True)
      loss = tf.add_n(list(terms.values()))
    self.minimize(tape, loss, self.trainable_variables, self.optimizer,
                  clip_norm=self.recipe.clip_norm)
    return self.log_step(loss=loss, accuracy=accuracy, **terms)

  def test_step(self, batch):
    """The same terms on images as they are, of crops with the true boxes."""
    terms, accuracy = self.losses_of(batch, training=False)
    return self.log_values(loss=tf.add_n(list(terms.values())), accuracy=accuracy, **terms)

  def predict_towers(self, images):
    """What is served: images of any size -> `fall_probability` `[b]`, and `mask_logits`."""
    outputs = self(images, training=False)
    found = {"fall_probability": tf.sigmoid(outputs["fall"])}
    if self.mask_head is not None:
      found["mask_logits"] = outputs["masks"]
    return found
