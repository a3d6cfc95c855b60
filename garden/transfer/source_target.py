"""Two networks of one shape, a source's and a target's: what this room's models share.

Luo et al. 2017, figure 1. The source's network is trained on labelled source
images; the target's begins with its weights and a new head, and is adapted. The
target has other classes than the source.

A batch is a dict, and says by what it holds which step it is for:

    {"source": (images, labels)}                       one step on the source
    {"source": (images, labels),
     "target_labeled": (images, labels),
     "target_unlabeled": images}                       one step of adaptation

Images are `[batch, h, w, c]` float32 in [0, 1], labels `[batch]` int from 0.
"""

import dataclasses

import tensorflow as tf

from garden.core.model import GardenModel
from garden.core.optimizers import FusedAdam
from garden.transfer import augment
from garden.transfer import networks
from garden.transfer import semantic
from garden.transfer import watch_dogs

STREAMS = ("source", "target_labeled", "target_unlabeled")


def embedding(encoder, activations):
  """The embedding f(x): the encoder's last activation, flattened to `[batch, d]`."""
  last = activations[encoder.layer_names[-1]]
  return tf.reshape(last, [tf.shape(last)[0], last.shape[1:].num_elements()])


def cross_entropy(logits, labels):
  """Mean softmax cross-entropy of `[n, c]` logits with `[n]` int labels, a float scalar."""
  return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
      labels=labels, logits=tf.cast(logits, tf.float32)))


class SourceTargetModel(GardenModel):
  """Source and target network, the stage on the source, and prediction.

  A sub-class writes `adapt_step`. With plain Keras:

    model.compile()
    model.fit(batches_of_source, ...)
    model.begin_stage("adapt")
    model.fit(batches_of_all_streams, ...)

  Args:
    source_encoder: layer, `[batch, h, w, c]` -> dict of activations, with
      `layer_names`; see `networks.LeNet`.
    encoder: another of the same settings, for the target.
    n_source_classes: number of source classes.
    n_target_classes: number of target classes.
    image_shape: (h, w, c).
    recipe: the settings of the method, see `settings`.
    seed: seed of the run.
    **kwargs: of `tf.keras.Model`.

  Raises:
    ValueError: encoders of different shapes.
  """

  #: The class of `recipe`; a sub-class sets it.
  recipe_type = None

  def __init__(self, source_encoder, encoder, n_source_classes, n_target_classes, image_shape,
               recipe, seed=0, **kwargs):
    super().__init__(seed=seed, **kwargs)
    self.source_encoder = source_encoder
    self.source_head = networks.Head(n_source_classes)
    self.encoder = encoder
    self.head = self.make_head(n_target_classes, recipe)
    self.n_source_classes = n_source_classes
    self.n_target_classes = n_target_classes
    self.image_shape = tuple(image_shape)
    self.recipe = recipe
    self.source_optimizer = self.add_optimizer(FusedAdam(recipe.source_learning_rate))
    self.add_trackers("loss", "accuracy")
    images = tf.zeros([1, *self.image_shape])
    self.source_head(self.embed_source(images))
    self(images)  # Built here, so that it can be saved before `fit`.
    shapes = [[tuple(w.shape) for w in e.weights] for e in (source_encoder, encoder)]
    if shapes[0] != shapes[1]:
      raise ValueError("the source's and the target's encoder have weights of other shapes; "
                       "make both with the same settings")

  def make_head(self, n_classes, recipe):
    """The target's head: a layer, `[batch, d]` -> `[batch, n_classes]` logits."""
    del recipe
    return networks.Head(n_classes)

  def compile(self, optimizer=None, **kwargs):
    """Keras's `compile`; the recipe's Adam for the target's network when None.

    Builds both optimizers, so that the first save holds them.
    """
    super().compile(optimizer or FusedAdam(self.recipe.learning_rate), **kwargs)
    self.source_optimizer.build(self.source_variables())
    self.optimizer.build(self.target_variables())

  def begin_stage(self, name):
    """Before `adapt`: the target's network takes the source's weights.

    A stage called `adapt` begins with it; call it yourself between two `fit`s.
    """
    if name == "adapt" and getattr(self.recipe, "from_source", True):
      for mine, theirs in zip(self.encoder.weights, self.source_encoder.weights):
        mine.assign(theirs)

  def get_config(self):
    """The arguments of the constructor, so that `.keras` files can be written and read."""
    layer = tf.keras.layers.serialize
    return {"source_encoder": layer(self.source_encoder), "encoder": layer(self.encoder),
            "n_source_classes": self.n_source_classes,
            "n_target_classes": self.n_target_classes, "image_shape": self.image_shape,
            "recipe": dataclasses.asdict(self.recipe), "seed": self.seed, "name": self.name}

  @classmethod
  def from_config(cls, config):
    """Makes the model again; the weights come from the file."""
    layers = {name: tf.keras.layers.deserialize(config[name])
              for name in ("source_encoder", "encoder")}
    recipe = {key: tuple(value) if isinstance(value, list) else value
              for key, value in config["recipe"].items()}
    return cls(**{**config, **layers, "recipe": cls.recipe_type(**recipe)})

  def compile_from_config(self, config):
    """Compiles a loaded model as it was."""
    optimizer = config.get("optimizer")
    self.compile(optimizer and tf.keras.saving.deserialize_keras_object(optimizer))

  # Networks.

  def embed_source(self, images, training=False):
    """Source images -> `[batch, d]` by the source's encoder."""
    return embedding(self.source_encoder, self.source_encoder(images, training=training))

  def embed(self, images, training=False):
    """Target images -> `[batch, d]` by the target's encoder."""
    return embedding(self.encoder, self.encoder(images, training=training))

  def call(self, images, training=False):
    """Target images -> logits `[batch, n_target_classes]`."""
    return self.head(self.embed(images, training))

  def classify(self, images, support, support_labels):
    """What a user of the trained model gets.

    Args:
      images: `[n, h, w, c]` float32 in [0, 1].
      support: `[m, d]`, embeddings of the labelled target images (`embed`).
      support_labels: `[m]` int, their classes.

    Returns:
      Dict of `probabilities` `[n, c]` (the head's), `label` `[n]` their largest,
      `prototype` `[n]`, the class of the nearest prototype by cosine.
    """
    features = self.embed(images)
    means = semantic.prototypes(support, support_labels, self.n_target_classes,
                                normalize=True, missing="mask")
    near = semantic.PrototypeSimilarity("cosine")([features, means])
    probabilities = tf.nn.softmax(tf.cast(self.head(features), tf.float32))
    return {"probabilities": probabilities, "label": tf.argmax(probabilities, axis=1),
            "prototype": tf.argmax(near, axis=1)}

  # Steps.

  def train_step(self, data):
    """A step on the source or of adaptation, by what the batch holds."""
    _check_batch(data)
    if "target_labeled" in data:
      return self.adapt_step(data)
    return self.source_step(data)

  def source_step(self, data):
    """Cross-entropy of the source's network."""
    images, labels = data["source"]
    with tf.GradientTape() as tape:
      logits = self.source_head(self.embed_source(images, training=True))
      loss = cross_entropy(logits, labels)
    self.minimize(tape, loss, self.source_variables(), self.source_optimizer)
    return self.log_step(loss=loss, accuracy=accuracy(logits, labels))

  def adapt_step(self, data):
    """One step on the three streams; returns `self.log_step(...)`."""
    raise NotImplementedError

  def test_step(self, data):
    """Accuracy on labelled target images, `(images, labels)`."""
    images, labels = data
    logits = self(images)
    return self.log_values(loss=cross_entropy(logits, labels),
                           accuracy=accuracy(logits, labels))

  def source_variables(self):
    """What the stage on the source trains."""
    return self.source_encoder.trainable_variables + self.source_head.trainable_variables

  def target_variables(self):
    """What adaptation trains."""
    return self.encoder.trainable_variables + self.head.trainable_variables

  def labeled_views(self, data):
    """The labelled target images as often as the recipe says, each time in another view.

    Args:
      data: a batch of the three streams, `[m, h, w, c]` labelled images in it.

    Returns:
      `(images [v m, h, w, c], labels [v m])`, v the recipe's `labeled_views`.
    """
    images, labels = data["target_labeled"]
    times = self.recipe.labeled_views
    return (self.views(tf.tile(images, [times, 1, 1, 1]), 0, whole=True),
            tf.tile(labels, [times]))

  def epoch_warnings(self, logs):
    """What the watch-dogs say of an epoch; nothing where a method logs none."""
    return watch_dogs.warnings(logs, self.n_target_classes)

  def views(self, images, stream, whole=False):
    """Random affine views of a replica's images, where the recipe asks for them.

    Args:
      images: `[n, h, w, c]`.
      stream: int that sets these draws apart from the step's others.
      whole: whether every replica holds the same images (the labelled ones) and
        must draw the same views.

    Returns:
      `[n, h, w, c]`. Replica r draws what one device would for its rows.
    """
    if not self.recipe.augment:
      return images
    seed = tf.random.experimental.stateless_fold_in(self.step_seed(), stream)
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1 or whole:
      return augment.random_affine(images, seed)
    return augment.random_affine(images, seed, first=(
        context.replica_id_in_sync_group * tf.shape(images)[0]),
        total=context.num_replicas_in_sync * tf.shape(images)[0])


def accuracy(logits, labels):
  """Share of `[n, c]` logits whose largest is the label's, a float scalar."""
  right = tf.equal(tf.argmax(logits, axis=1), tf.cast(labels, tf.int64))
  return tf.reduce_mean(tf.cast(right, tf.float32))


def _check_batch(data):
  """Refuses a batch that isn't one of the two dicts above."""
  names = sorted(data) if isinstance(data, dict) else type(data).__name__
  if names not in (["source"], sorted(STREAMS)):
    raise ValueError(f"a batch holds {names}; it must be a dict with source alone, or with "
                     f"{', '.join(STREAMS)}")
