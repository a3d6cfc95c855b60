"""Minimax entropy on the three streams, a sibling of the paper's method.

Saito, Kim, Sclaroff, Darrell, Saenko: "Semi-supervised Domain Adaptation via
Minimax Entropy", ICCV 2019, arXiv 1904.06487.

    p(x) = softmax( W^T f(x) / ||f(x)|| / T )
    C:  min CE - lambda H(p(unlabelled)),      F:  min CE + lambda H(p(unlabelled))

The classifier raises the entropy, which draws its weights towards the
unlabelled features; the encoder lowers it, which gathers them around the
weights. One loss does both, through a reversed gradient between F and C:
CE - lambda H, with H's gradient turned below C.

Deviation: theirs has the same classes in both domains and the source's images
in CE. Here the label sets differ, so that the source gives its weights alone.
"""

import tensorflow as tf

from garden.transfer import networks
from garden.transfer import semantic
from garden.transfer import settings
from garden.transfer import watch_dogs
from garden.transfer.adversary import GradientReversal
from garden.transfer.source_target import SourceTargetModel
from garden.transfer.source_target import accuracy
from garden.transfer.source_target import cross_entropy


@tf.keras.utils.register_keras_serializable(package="garden")
class MME(SourceTargetModel):
  """Minimax entropy; use as of `TransferModel`.

  Args as of `SourceTargetModel`; `recipe` is a `settings.MinimaxEntropy`.

  Example:
    >>> lenets = networks.LeNet(), networks.LeNet()
    >>> net = MME(*lenets, 5, 5, (32, 32, 1), settings.MinimaxEntropy())
    >>> images = tf.keras.Input([32, 32, 1])
    >>> tf.keras.Model(images, tf.nn.softmax(net(images))).output_shape
    (None, 5)
  """

  recipe_type = settings.MinimaxEntropy

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self.reverse = GradientReversal()
    self.add_trackers("supervised", "target_entropy", *watch_dogs.NAMES)

  def make_head(self, n_classes, recipe):
    """The cosine head C: `[batch, d]` -> `[batch, n_classes]` logits."""
    return networks.CosineHead(n_classes, recipe.temperature)

  def adapt_step(self, data):
    """CE - lambda H, H's gradient reversed below the head.

    Args:
      data: a batch of the three streams, see `source_target`; images are
        `[batch, h, w, c]` float32 in [0, 1].

    Returns:
      Name -> mean since the epoch's start.
    """
    labeled, labels = self.labeled_views(data)
    count = tf.shape(labeled)[0]
    images = tf.concat([labeled, self.views(data["target_unlabeled"], 1)], axis=0)
    with tf.GradientTape() as tape:
      features = self.embed(images, training=True)
      logits = self.head(features[:count])
      supervised = cross_entropy(logits, labels)
      unlabeled = self.head(self.reverse(features[count:]))
      spread = semantic.entropy(unlabeled)
      loss = supervised - self.recipe.weight * spread
    self.minimize(tape, loss, self.target_variables(), self.optimizer)
    dogs = watch_dogs.values(unlabeled, features[count:], self.embed_source(data["source"][0]))
    return self.log_step(loss=loss, accuracy=accuracy(logits, labels), supervised=supervised,
                         target_entropy=spread, **dogs)
