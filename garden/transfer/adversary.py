"""The multi-layer domain adversary of Luo et al. 2017 (section 3.2).

    (2) d_l     = D_l( sigma( gamma d_{l-1} (+) E_l(x) ) )
    (3) L_DT^D  = - E_s[ log d^s ]       - E_t[ log(1 - d^t) ]
    (4) L_DT^Et = - E_s[ log(1 - d^s) ]  - E_t[ log d^t ]

x is a source image through the source encoder or an unlabelled target image
through the target encoder; (+) is a sum or a concatenation; source = 1,
target = 0. The losses stand after the last D_l alone, whose gradient reaches
the lower ones through the chain. D and the encoder step together, on two
gradients of one forward pass:

    with tf.GradientTape(persistent=True) as tape:
      source_logits, target_logits = discriminator(source), discriminator(target)
      d_loss = discriminator_loss(source_logits, target_logits)
      e_loss = encoder_loss(target_logits)
    d_gradients = tape.gradient(d_loss, discriminator.trainable_variables)
    e_gradients = tape.gradient(e_loss, encoder.trainable_variables)

One logit and a sigmoid stand for ADDA's two outputs and a softmax.

Deviation: the talk on this paper prints one sum of (3) and (4) to be minimised.
Each example then pays -log d - log(1 - d), which is least at d = 1/2 for D and
the encoder alike: D would learn nothing. Hence the paper's two losses.
"""

import functools

import tensorflow as tf

_COMBINE = ("sum", "concat")


@tf.custom_gradient
def _reverse(x, scale):
  def gradient(upstream):
    return -tf.cast(scale, upstream.dtype) * upstream, None

  return tf.identity(x), gradient


@tf.keras.utils.register_keras_serializable(package="garden")
class GradientReversal(tf.keras.layers.Layer):
  """x forwards, `-scale` times the gradient backwards (Ganin and Lempitsky 2015).

  What stands above it minimises a loss that what lies below it maximises. Not
  part of Luo et al., who invert labels; for DANN and minimax entropy.

  Args:
    scale: factor of the reversed gradient, at least 0; 0 stops it.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    >>> features = tf.keras.Input([500])
    >>> logits = tf.keras.layers.Dense(1)(GradientReversal(0.1)(features))
    >>> tf.keras.Model(features, logits).output_shape
    (None, 1)
  """

  def __init__(self, scale=1.0, **kwargs):
    super().__init__(**kwargs)
    self.scale = float(scale)
    if not self.scale >= 0:
      raise ValueError(f"scale is {scale}; it must be at least 0 (the sign is turned by the layer)")

  def call(self, inputs, scale=None):
    """Any tensor -> itself; a scalar `scale` stands in for the layer's (a schedule)."""
    return _reverse(inputs, self.scale if scale is None else scale)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "scale": self.scale}


def _refuse_dict(activations):
  if isinstance(activations, dict):
    raise ValueError("activations are a dict, which has no safe order; "
                     f"pass select(activations, names), names among {', '.join(activations)}")


def _as_list(inputs):
  # Keras unpacks a list of one when it rebuilds a Functional model.
  return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]


def _flat_sizes(input_shape):
  """Values per example of each activation, `[d_1, ..., d_L]`."""
  if isinstance(input_shape, tf.TensorShape) or input_shape[0] is None or isinstance(
      input_shape[0], int):
    input_shape = [input_shape]
  sizes = []
  for shape in map(tf.TensorShape, input_shape):
    size = shape[1:].num_elements()
    if not size:
      raise ValueError(f"an activation has the shape {tuple(shape)}; all but the batch must be "
                       "known and not 0: give the images a fixed size")
    sizes.append(size)
  return sizes


@tf.keras.utils.register_keras_serializable(package="garden")
class MultiLayerDomainDiscriminator(tf.keras.layers.Layer):
  """Several activations of an encoder -> one logit an example, source = 1.

  Inputs: a list of L tensors `[batch, ...]`, from the lowest layer upwards (see
  `choose_layers`). Output: `[batch]` logits, before the sigmoid. Maps are
  flattened. d_l has the size of E_{l+1}(x) as in the paper, so that it can be
  added to it; D_L gives the logit.

  The paper's literal chain on LeNet's `pool2`, `fc3` and 5 logits is thus Dense
  1250 -> 500, Dense 500 -> 5, Dense 5 -> 1. Five units are few: `hidden` adds
  layers of any size below the logit.

  Args:
    gamma: decay of the lower layers' voice, in [0, 1]; 0.1 in the paper.
    units: sizes of d_1 .. d_{L-1}. None: the size of the next activation. With
      a sum, that is the only choice.
    combine: "sum" or "concat", both in the paper.
    hidden: sizes of further layers between D_L's input and the logit.
    activation: sigma, and that of `hidden`.
    **kwargs: of `tf.keras.layers.Layer`.

  Raises:
    ValueError: from the constructor for an argument outside its range; when it
      is called, for activations of unknown size, for `units` that don't fit, for
      another number of activations than before.

  Example:
    >>> activations = [tf.keras.Input([5, 5, 50]), tf.keras.Input([500])]
    >>> logits = MultiLayerDomainDiscriminator(gamma=0.1, hidden=(500,))(activations)
    >>> tf.keras.Model(activations, logits).output_shape
    (None,)
  """

  def __init__(self, gamma=0.1, units=None, combine="sum", hidden=(), activation="relu", **kwargs):
    super().__init__(**kwargs)
    if not 0 <= gamma <= 1:
      raise ValueError(f"gamma is {gamma}; it must lie in [0, 1]")
    if combine not in _COMBINE:
      raise ValueError(f"combine is {combine!r}; it must be one of {', '.join(_COMBINE)}")
    self.gamma = float(gamma)
    self.units = None if units is None else tuple(units)
    self.combine = combine
    self.hidden = tuple(hidden)
    self.activation = tf.keras.activations.get(activation)
    self.chain = []
    self.top = []

  def build(self, input_shape):
    """Makes D_1 .. D_L, whose number and sizes follow the activations."""
    _refuse_dict(input_shape)
    sizes = _flat_sizes(input_shape)
    units = tuple(sizes[1:]) if self.units is None else self.units
    if len(units) != len(sizes) - 1:
      raise ValueError(f"units {units} don't fit {len(sizes)} activations: {len(sizes) - 1} are "
                       "needed, one a layer below the last")
    if self.combine == "sum" and units != tuple(sizes[1:]):
      raise ValueError(f"units {units} can't be summed with activations of {tuple(sizes[1:])} "
                       "values; leave units out, or use combine='concat'")
    dense = functools.partial(tf.keras.layers.Dense, dtype=self.dtype_policy)
    self.chain = [dense(size, name=f"d{i}") for i, size in enumerate(units, start=1)]
    self.top = [dense(size, activation=self.activation, name=f"hidden{i}")
                for i, size in enumerate(self.hidden, start=1)]
    self.top.append(dense(1, name="logit"))
    super().build(input_shape)

  def call(self, activations):
    """List of L `[batch, ...]` -> `[batch]` logits."""
    _refuse_dict(activations)
    activations = _as_list(activations)
    if len(activations) != len(self.chain) + 1:
      raise ValueError(f"{len(activations)} activations for a discriminator that was built for "
                       f"{len(self.chain) + 1}")
    lower = None
    for i, maps in enumerate(activations):
      x = tf.reshape(maps, [tf.shape(maps)[0], maps.shape[1:].num_elements()])
      if lower is not None:
        voice = self.gamma * lower
        x = voice + x if self.combine == "sum" else tf.concat([voice, x], axis=1)
      x = self.activation(x)
      if i < len(self.chain):
        lower = self.chain[i](x)
    for layer in self.top:
      x = layer(x)
    return tf.squeeze(x, axis=1)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "gamma": self.gamma, "units": self.units,
            "combine": self.combine, "hidden": self.hidden,
            "activation": tf.keras.activations.serialize(self.activation)}


def choose_layers(names, n_source_classes, n_target_classes, override=None):
  """The layers whose activations the discriminator sees, by the paper's rule.

  The last three where the numbers of source and target classes are equal, the
  second and third last where they differ, since the last is then the logits of
  other tasks. Read literally, 5 digits against 5 other digits is "equal": the
  logits take part though they mean different things.

  Args:
    names: all layers of the encoder with its head, from the input upwards, like
      `(*LeNet.layer_names, "logits")`.
    n_source_classes: number of source classes.
    n_target_classes: number of target classes.
    override: names to use instead of the rule's, in any order.

  Returns:
    Tuple of names, from the input upwards.

  Raises:
    ValueError: `override` names a layer that isn't there, one twice, or none;
      or there are fewer than three layers for the rule.

  Example:
    >>> choose_layers(("pool1", "pool2", "fc3", "logits"), 1000, 101)
    ('pool2', 'fc3')
  """
  names = tuple(names)
  if override is not None:
    _check_names(override, names)
    return tuple(name for name in names if name in override)
  if len(names) < 3:
    raise ValueError(f"the layer rule needs three layers and there are {len(names)} "
                     f"({', '.join(names)}); choose them with override")
  return names[-3:] if n_source_classes == n_target_classes else names[-3:-1]


def _check_names(chosen, names):
  if isinstance(chosen, str):
    raise ValueError(f"layers are {chosen!r}; give a list of names")
  if not chosen:
    raise ValueError(f"no layer is chosen; there are {', '.join(names)}")
  for name in chosen:
    if name not in names:
      raise ValueError(f"there is no layer {name!r}; there are {', '.join(names)}")
  if len(set(chosen)) < len(chosen):
    raise ValueError(f"layers are {tuple(chosen)}; name each once")


def select(activations, names):
  """Takes named activations out of an encoder's dict, in the order of the names.

  Args:
    activations: name -> tensor.
    names: names, as from `choose_layers`.

  Returns:
    List of tensors, what `MultiLayerDomainDiscriminator` takes.

  Raises:
    ValueError: a name isn't there, is there twice, or there are none.

  Example:
    >>> select({"fc3": 3, "pool2": 2, "pool1": 1}, ("pool2", "fc3"))
    [2, 3]
  """
  _check_names(names, tuple(activations))
  return [activations[name] for name in names]


def _mean_bce(logits, label):
  """Mean of -log sigmoid(logits) for label 1, of -log(1 - sigmoid(logits)) for 0."""
  logits = tf.cast(logits, tf.float32) if logits.dtype.size < 4 else logits
  return tf.reduce_mean(tf.nn.softplus(-logits if label else logits))


def discriminator_loss(source_logits, target_logits):
  """Equation (3), minimised by D: source up to 1, target down to 0.

  Args:
    source_logits: `[n]` logits of source examples.
    target_logits: `[m]` logits of target examples.

  Returns:
    Float scalar, the sum of two means; 2 ln 2 for a D that can't tell.

  Example:
    >>> float(discriminator_loss(tf.constant([20.0]), tf.constant([-20.0]))) < 1e-6
    True
  """
  return _mean_bce(tf.convert_to_tensor(source_logits), 1) + _mean_bce(
      tf.convert_to_tensor(target_logits), 0)


def encoder_loss(target_logits, source_logits=None):
  """Equation (4), minimised by the target encoder: the labels are inverted.

  Args:
    target_logits: `[m]` logits of target examples, pushed up to "source".
    source_logits: `[n]` logits of source examples, pushed down to "target". None
      drops that term: it is a constant for the encoder unless the source's
      encoder trains too (the paper doesn't say; ADDA, which it follows, freezes
      it).

  Returns:
    Float scalar, one mean or the sum of two.

  Example:
    >>> float(encoder_loss(tf.constant([20.0]))) < 1e-6
    True
  """
  loss = _mean_bce(tf.convert_to_tensor(target_logits), 1)
  if source_logits is not None:
    loss += _mean_bce(tf.convert_to_tensor(source_logits), 0)
  return loss
