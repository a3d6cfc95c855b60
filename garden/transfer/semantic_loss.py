"""The semantic transfer loss of Luo et al. 2017, eq. (8), as a Keras layer.

    L_ST = w_s H(softmax(v_s / tau_s)) + w_l CE(v_t, y) + w_t H(softmax(v_t / tau_t))
           + w_d sum_c pbar_c log pbar_c

The paper: w_s = w_l = w_t = 1, tau_s = 2, tau_t = 1, no diversity (w_d = 0), and
all of it times beta = 0.1. The terms are those of `semantic`, where the
deviations are named.
"""

import tensorflow as tf

from garden.transfer import semantic

_SUPPORT = ("prototypes", "examples")


@tf.keras.utils.register_keras_serializable(package="garden")
class SemanticTransferLoss(tf.keras.layers.Layer):
  """Adds L_ST to a model that has embeddings of its three streams.

  Inputs: a dict of

  - `target`: `[n, d]` embeddings of unlabelled target examples
  - `labeled`: `[m, d]` embeddings of labelled target examples, all classes
  - `labels`: `[m]` int, their classes, 0 .. n_classes - 1
  - `source`: `[s, d]` embeddings of source examples, from the source's encoder;
    left out (with `source_labels`), the term (5) is left out
  - `source_labels`: `[s]` int, 0 .. n_source_classes - 1; not for
    `support="examples"`

  Output: `[n, n_classes]` logits of the unlabelled examples, their similarities
  to the target's prototypes. The loss goes to `add_loss`.

  Target prototypes pass the gradient on, and the labelled examples are compared
  with prototypes that they are part of: both as eq. (6) reads. A class that a
  batch lacks takes no part in it. The paper leaves open whether the source's
  encoder trains; it does here if its variables are among those you update.

  Args:
    n_classes: number of target classes.
    n_source_classes: number of source classes; only for source prototypes.
    similarity: "dot" as printed, or "cosine"; see `PrototypeSimilarity`.
    scale: factor of the similarities; None is 1 for "dot", 10 for "cosine".
    normalize: make prototypes of the features' directions.
    support: what the source is compared by: "prototypes", class means of the
      batch, or "examples", all of them. The paper allows both.
    source_temperature: tau of (5).
    target_temperature: tau of (7), and of the diversity.
    source_weight: w_s, factor of (5).
    supervised_weight: w_l, factor of (6).
    target_weight: w_t, factor of (7).
    diversity_weight: w_d. Not in the paper; 1 keeps (7) from putting all into
      one class.
    prior: expected shares of the target's classes, see `diversity`.
    weight: beta, factor of all.
    **kwargs: of `tf.keras.layers.Layer`. `dtype` is float32 unless given.

  Raises:
    ValueError: from the constructor for an argument outside its range; when it
      is called, for an input that is missing or has no meaning.

  Example:
    >>> inputs = {"target": tf.keras.Input([64]), "labeled": tf.keras.Input([64]),
    ...           "labels": tf.keras.Input([], dtype="int64")}
    >>> logits = SemanticTransferLoss(n_classes=5, similarity="cosine")(inputs)
    >>> net = tf.keras.Model(inputs, logits)
    >>> net.output_shape, len(net.losses)
    ((None, 5), 1)
  """

  def __init__(self, n_classes, n_source_classes=None, similarity="dot", scale=None,
               normalize=False, support="prototypes", source_temperature=2.0,
               target_temperature=1.0, source_weight=1.0, supervised_weight=1.0,
               target_weight=1.0, diversity_weight=0.0, prior=None, weight=0.1, **kwargs):
    super().__init__(**{"dtype": "float32", **kwargs})
    if support not in _SUPPORT:
      raise ValueError(f"support is {support!r}; it must be one of {', '.join(_SUPPORT)}")
    for name, value in (("source_temperature", source_temperature),
                        ("target_temperature", target_temperature)):
      if not value > 0:
        raise ValueError(f"{name} is {value}; it must be above 0")
    for name, value in (("source_weight", source_weight),
                        ("supervised_weight", supervised_weight),
                        ("target_weight", target_weight),
                        ("diversity_weight", diversity_weight), ("weight", weight)):
      if not value >= 0:
        raise ValueError(f"{name} is {value}; it must be at least 0 (every term is minimised)")
    self.n_classes = int(n_classes)
    self.n_source_classes = None if n_source_classes is None else int(n_source_classes)
    self.similarity = similarity
    self.normalize = bool(normalize)
    self.support = support
    self.source_temperature = float(source_temperature)
    self.target_temperature = float(target_temperature)
    self.source_weight = float(source_weight)
    self.supervised_weight = float(supervised_weight)
    self.target_weight = float(target_weight)
    self.diversity_weight = float(diversity_weight)
    self.prior = None if prior is None else tuple(
        semantic.checked_prior(prior, self.n_classes).tolist())
    self.weight = float(weight)
    self.psi = semantic.PrototypeSimilarity(similarity, scale, name="psi", dtype=self.dtype_policy)

  def _prototypes(self, features, labels, n_classes):
    # Batches of a dataset can lack a class.
    return semantic.prototypes(features, labels, n_classes, self.normalize, missing="mask")

  def _source_support(self, inputs):
    """Rows that the source is compared by, `[c, d]` or `[s, d]`."""
    if self.support == "examples":
      return inputs["source"]
    if "source_labels" not in inputs:
      raise ValueError("'source' came without 'source_labels'; prototypes need them, "
                       "support='examples' does not")
    if self.n_source_classes is None:
      raise ValueError("n_source_classes is None; prototypes of the source need it")
    return self._prototypes(inputs["source"], inputs["source_labels"], self.n_source_classes)

  def terms(self, inputs):
    """The terms before their weights, for a `train_step` with weights of its own.

    Args:
      inputs: the dict that the layer is called with.

    Returns:
      `(terms, logits)`: a dict of float scalars `source_entropy` (only with a
      source), `supervised`, `target_entropy`, `diversity`, each to be minimised;
      and the layer's output.

    Raises:
      ValueError: an input that is missing or has no meaning.

    Example:
      >>> layer, features = SemanticTransferLoss(n_classes=2), tf.eye(2, 8)
      >>> terms, logits = layer.terms(
      ...     {"target": features, "labeled": features, "labels": [0, 1]})
      >>> loss = terms["supervised"] + 0.5 * terms["target_entropy"]
    """
    wanted, optional = {"target", "labeled", "labels"}, {"source", "source_labels"}
    if not isinstance(inputs, dict) or not wanted <= set(inputs) <= wanted | optional:
      got = ", ".join(sorted(inputs)) if isinstance(inputs, dict) else type(inputs).__name__
      raise ValueError(f"inputs are {got}; a dict of {', '.join(sorted(wanted))} is needed, "
                       f"with {', '.join(sorted(optional))} where there is a source")
    means = self._prototypes(inputs["labeled"], inputs["labels"], self.n_classes)
    logits = self.psi([inputs["target"], means])
    terms = {}
    if "source" in inputs:
      terms["source_entropy"] = semantic.entropy(
          self.psi([inputs["target"], self._source_support(inputs)]), self.source_temperature)
    terms["supervised"] = semantic.prototype_cross_entropy(
        self.psi([inputs["labeled"], means]), inputs["labels"])
    terms["target_entropy"] = semantic.entropy(logits, self.target_temperature)
    terms["diversity"] = semantic.diversity(logits, self.target_temperature, self.prior)
    return terms, logits

  def call(self, inputs):
    """Dict of embeddings and labels -> `[n, n_classes]`; adds the loss."""
    terms, logits = self.terms(inputs)
    weights = {"source_entropy": self.source_weight, "supervised": self.supervised_weight,
               "target_entropy": self.target_weight, "diversity": self.diversity_weight}
    self.add_loss(self.weight * tf.add_n([weights[name] * terms[name] for name in terms]))
    return logits

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "n_classes": self.n_classes,
            "n_source_classes": self.n_source_classes, "similarity": self.similarity,
            "scale": self.psi.scale, "normalize": self.normalize, "support": self.support,
            "source_temperature": self.source_temperature,
            "target_temperature": self.target_temperature, "source_weight": self.source_weight,
            "supervised_weight": self.supervised_weight, "target_weight": self.target_weight,
            "diversity_weight": self.diversity_weight, "prior": self.prior, "weight": self.weight}
