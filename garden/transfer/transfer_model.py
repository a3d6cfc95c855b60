"""Label-efficient transfer: the model of Luo et al. 2017 and what steadies it.

Luo, Zou, Hoffman, Fei-Fei: "Label Efficient Learning of Transferable
Representations across Domains and Tasks", NIPS 2017, arXiv 1712.00123.

    L = L_sup + alpha L_DT + beta L_ST                              (1)

L_sup is the cross-entropy of the labelled target images, L_DT the adversarial
loss (`adversary`), L_ST the semantic transfer (`semantic_loss`). The
discriminator and the target's network step together, on two gradients of one
forward pass. With alpha = beta = 0 this is fine-tuning; without the source's
weights, training on the few labels alone.

Deviations, each a switch of `settings.Recipe` that is off by default: cosine
similarities, diversity, affine views, a warm-up, pseudo-labels. They are not in
the paper; without them its loss collapses or stalls with the digit network.
"""

import numpy as np
import tensorflow as tf

from garden.core import replicas
from garden.core.optimizers import FusedAdam
from garden.transfer import adversary
from garden.transfer import pseudo_labels
from garden.transfer import semantic
from garden.transfer import settings
from garden.transfer import watch_dogs
from garden.transfer.semantic_loss import SemanticTransferLoss
from garden.transfer.source_target import SourceTargetModel
from garden.transfer.source_target import accuracy
from garden.transfer.source_target import cross_entropy
from garden.transfer.source_target import embedding

_PARTS = ("supervised", "source_entropy", "prototype", "target_entropy", "diversity",
          "adversarial", "discriminator", "pseudo", "pseudo_share", "source_supervised")


@tf.keras.utils.register_keras_serializable(package="garden")
class TransferModel(SourceTargetModel):
  """The full model and its simpler rows, by `settings.Recipe`.

  Args as of `SourceTargetModel`; `recipe` is a `settings.Recipe`.

  Raises:
    ValueError: a layer for the discriminator that the encoder hasn't.

  Example:
    >>> from garden.transfer.networks import LeNet
    >>> net = TransferModel(LeNet(), LeNet(), 5, 5, (32, 32, 1), settings.Recipe.stable())
    >>> images = tf.keras.Input([32, 32, 1])
    >>> probabilities = tf.nn.softmax(net(images))
    >>> tf.keras.Model(images, probabilities).output_shape
    (None, 5)
  """

  recipe_type = settings.Recipe

  def __init__(self, source_encoder, encoder, n_source_classes, n_target_classes, image_shape,
               recipe, seed=0, **kwargs):
    super().__init__(source_encoder, encoder, n_source_classes, n_target_classes, image_shape,
                     recipe, seed, **kwargs)
    self.semantic = self.discriminator = self.discriminator_optimizer = None
    if recipe.beta:
      self.semantic = SemanticTransferLoss(
          n_target_classes, n_source_classes, recipe.similarity, recipe.scale, recipe.normalize,
          recipe.support, recipe.source_temperature, recipe.target_temperature,
          recipe.source_weight, recipe.supervised_weight, recipe.target_weight,
          recipe.diversity_weight, recipe.prior, recipe.beta)
    self.similarity = semantic.PrototypeSimilarity(recipe.similarity, recipe.scale)
    if recipe.alpha:
      self.layer_names = self._discriminator_layers()
      self.discriminator = adversary.MultiLayerDomainDiscriminator(
          recipe.gamma, combine=recipe.combine, hidden=recipe.hidden)
      activations = self.encoder(tf.zeros([1, *self.image_shape]))
      logits = self.head(embedding(self.encoder, activations))
      self.discriminator(adversary.select({**activations, "logits": logits}, self.layer_names))
      self.discriminator_optimizer = self.add_optimizer(
          FusedAdam(recipe.discriminator_learning_rate))
      self.discriminator_optimizer.build(self.discriminator.trainable_variables)
    if recipe.pseudo_weight:
      self.mean_prediction = self.state_variable(
          np.full(n_target_classes, 1 / n_target_classes, np.float32), "mean_prediction")
    self.add_trackers(*_PARTS, *watch_dogs.NAMES)

  def _discriminator_layers(self):
    names = (*self.encoder.layer_names, "logits")
    counts = self.n_source_classes, self.n_target_classes
    if self.recipe.layers == "features":
      return adversary.choose_layers(names, *counts, override=names[-3:-1])
    return adversary.choose_layers(names, *counts, override=self.recipe.layers)

  def target_variables(self):
    """What adaptation trains: the source's network too where the recipe says so."""
    variables = super().target_variables()
    if self.recipe.train_source and self.uses_unlabeled():
      variables += self.source_variables()
    return variables

  def uses_unlabeled(self):
    """Whether the recipe uses source and unlabelled images at all."""
    return bool(self.recipe.alpha or self.recipe.beta or self.recipe.pseudo_weight)

  def adapt_step(self, data):
    """L of equation (1) for the target's network, (3) for the discriminator.

    Args:
      data: a batch of the three streams, see `source_target`; images are
        `[batch, h, w, c]` float32 in [0, 1].

    Returns:
      Name -> mean since the epoch's start: the loss, its parts, the watch-dogs.
    """
    recipe = self.recipe
    labeled, labels = self.labeled_views(data)
    images, count = labeled, tf.shape(labeled)[0]
    source = guess = None
    if self.uses_unlabeled():
      # One forward pass for the whole target, so that a batch norm sees one domain.
      images = tf.concat([labeled, self.views(data["target_unlabeled"], 1)], axis=0)
      if not recipe.train_source:
        source = self._source(data, training=False)
    if recipe.pseudo_weight:
      guess = self.guess(data)
    parts, d_loss = {}, None
    with tf.GradientTape(persistent=True) as tape:
      activations = self.encoder(images, training=True)
      features = embedding(self.encoder, activations)
      logits = self.head(features)
      loss = parts["supervised"] = cross_entropy(logits[:count], labels)
      if recipe.train_source and self.uses_unlabeled():
        source = self._source(data, training=True)
        parts["source_supervised"] = cross_entropy(source["logits"], data["source"][1])
        loss += parts["source_supervised"]
      if recipe.alpha:
        d_loss, adversarial = self._adversarial(source, activations, logits, count, parts)
        loss += self.ramp() * recipe.alpha * adversarial
      similarities = None
      if recipe.beta:
        semantic_loss, similarities = self._semantic(data, source, features, labels, parts)
        loss += recipe.beta * semantic_loss
      if recipe.pseudo_weight:
        if similarities is None:
          similarities = self._similarities(features[count:], features[:count], labels)
        loss += self.ramp() * recipe.pseudo_weight * self._pseudo(
            guess, logits[count:], similarities, parts)
    self.minimize(tape, loss, self.target_variables(), self.optimizer)
    if d_loss is not None:
      self.minimize(tape, d_loss, self.discriminator.trainable_variables,
                    self.discriminator_optimizer)
    del tape
    if source is not None:
      parts.update(watch_dogs.values(logits[count:], features[count:], source["features"]))
    return self.log_step(loss=loss, accuracy=accuracy(logits[:count], labels), **parts)

  def ramp(self):
    """min(1, step / warm_up), the factor of the unlabelled terms."""
    if not self.recipe.warm_up:
      return tf.constant(1.0)
    return tf.minimum(1.0, tf.cast(self.step, tf.float32) / self.recipe.warm_up)

  def guess(self, data):
    """Pseudo-labels of the unlabelled images as they are, without a gradient.

    Args:
      data: a batch of the three streams.

    Returns:
      `(labels [n] int64, mask [n] float32)`, see `pseudo_labels.choose`.
    """
    recipe = self.recipe
    labeled, labels = data["target_labeled"]
    count = tf.shape(labeled)[0]
    votes = []
    if recipe.pseudo_votes == "head":
      features = self.embed(data["target_unlabeled"])
    else:
      features = self.embed(tf.concat([labeled, data["target_unlabeled"]], axis=0))
      votes.append(self._similarities(features[count:], features[:count], labels))
      features = features[count:]
    if recipe.pseudo_votes != "prototypes":
      votes.append(self.head(features))
    q = tf.add_n([tf.nn.softmax(tf.cast(v, tf.float32)) for v in votes]) / len(votes)
    mean = self.all_reduce_mean(tf.reduce_mean(q, axis=0))
    # The mean with this batch in it, so that the first batches aren't aligned with
    # equal shares that nothing has shown yet.
    mean = recipe.pseudo_decay * self.mean_prediction + (1 - recipe.pseudo_decay) * mean
    self.mean_prediction.assign(mean)
    return pseudo_labels.choose(pseudo_labels.align(q, mean), recipe.pseudo_threshold)

  def _similarities(self, features, support, labels):
    """Similarities psi of `[n, d]` features with the target's prototypes, `[n, c]`."""
    means = semantic.prototypes(support, labels, self.n_target_classes,
                                self.recipe.normalize, missing="mask")
    return self.similarity([features, means])

  def _source(self, data, training):
    """The source batch through the source's network, by name."""
    activations = self.source_encoder(data["source"][0], training=training)
    features = embedding(self.source_encoder, activations)
    return {"activations": activations, "features": features,
            "logits": self.source_head(features)}

  def _adversarial(self, source, activations, logits, count, parts):
    """The losses (3) and (4): `(discriminator's, encoder's)`."""
    seen = adversary.select(
        {**source["activations"], "logits": source["logits"]}, self.layer_names)
    target = adversary.select({**activations, "logits": logits}, self.layer_names)
    source_logits = self.discriminator(seen)
    target_logits = self.discriminator([x[count:] for x in target])
    parts["discriminator"] = adversary.discriminator_loss(source_logits, target_logits)
    parts["adversarial"] = adversary.encoder_loss(
        target_logits, source_logits if self.recipe.train_source else None)
    parts["discriminator_accuracy"] = watch_dogs.discriminator_accuracy(
        source_logits, target_logits)
    return parts["discriminator"], parts["adversarial"]

  def _semantic(self, data, source, features, labels, parts):
    """L_ST of equation (8), its unlabelled terms ramped, and psi of the unlabelled."""
    count = tf.shape(labels)[0]
    # Of the source's classes there is one prototype each, whatever the number of replicas.
    terms, similarities = self.semantic.terms({
        "target": features[count:], "labeled": features[:count], "labels": labels,
        "source": replicas.gather(source["features"]),
        "source_labels": replicas.gather(data["source"][1])})
    parts.update({name: terms[key] for name, key in (
        ("source_entropy", "source_entropy"), ("prototype", "supervised"),
        ("target_entropy", "target_entropy"), ("diversity", "diversity"))})
    recipe = self.recipe
    unlabeled = (recipe.source_weight * terms["source_entropy"]
                 + recipe.target_weight * terms["target_entropy"]
                 + recipe.diversity_weight * terms["diversity"])
    return recipe.supervised_weight * terms["supervised"] + self.ramp() * unlabeled, similarities

  def _pseudo(self, guess, logits, similarities, parts):
    """Cross-entropy of the views with the pseudo-labels, by head and prototypes."""
    labels, mask = guess
    taught = {"head": [logits], "prototypes": [similarities],
              "both": [logits, similarities]}[self.recipe.pseudo_votes]
    parts["pseudo"] = tf.add_n(
        [pseudo_labels.masked_cross_entropy(x, labels, mask) for x in taught])
    parts["pseudo_share"] = tf.reduce_mean(mask)
    return parts["pseudo"]
