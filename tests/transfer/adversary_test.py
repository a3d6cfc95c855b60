"""Tests of the domain adversary: the chain, the two losses, the sign of every gradient."""

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer import adversary

_RNG = np.random.default_rng(0)
_LAYERS = ("pool1", "pool2", "fc3", "logits")
_COMBINATIONS = ("sum", "concat")


def _activations(seed=0, n=6, shift=0.0):
  """Three of an encoder's layers, a map and two vectors."""
  rng = np.random.default_rng(seed)
  sizes = ((2, 3), (5,), (4,))
  return [tf.constant(rng.normal(shift, 1, (n, *size)), tf.float32) for size in sizes]


def _gradient(f, x):
  x = tf.constant(x)
  with tf.GradientTape() as tape:
    tape.watch(x)
    value = f(x)
  return tape.gradient(value, x).numpy()


def _relu(x):
  return np.maximum(x, 0)


# The chain.


@pytest.mark.parametrize("combine", _COMBINATIONS)
def test_the_chain_is_equation_2(combine):
  layer = adversary.MultiLayerDomainDiscriminator(gamma=0.3, combine=combine)
  inputs = _activations()
  logits = layer(inputs)
  for weight in layer.weights:  # the biases too
    weight.assign(_RNG.normal(size=weight.shape))
  w1, b1, w2, b2, w3, b3 = (weight.numpy() for weight in layer.weights)
  e1, e2, e3 = (x.numpy().reshape(6, -1) for x in inputs)
  join = (lambda d, e: 0.3 * d + e) if combine == "sum" else (
    lambda d, e: np.concatenate([0.3 * d, e], axis=1))  # fmt: skip
  d1 = _relu(e1) @ w1 + b1
  d2 = _relu(join(d1, e2)) @ w2 + b2
  d3 = _relu(join(d2, e3)) @ w3 + b3
  assert d1.shape[1] == 5 and d2.shape[1] == 4  # each the size of the next activation
  assert logits.shape == (6,)
  np.testing.assert_allclose(layer(inputs), d3[:, 0], rtol=1e-4, atol=1e-5)


def test_the_literal_chain_on_lenet_has_the_papers_sizes():
  layer = adversary.MultiLayerDomainDiscriminator()
  layer([tf.zeros([1, 5, 5, 50]), tf.zeros([1, 500]), tf.zeros([1, 5])])
  kernels = [tuple(w.shape) for w in layer.weights if len(w.shape) == 2]
  assert kernels == [(1250, 500), (500, 5), (5, 1)] and layer.gamma == 0.1


def test_hidden_layers_stand_between_the_chain_and_the_logit():
  layer = adversary.MultiLayerDomainDiscriminator(hidden=(7, 3))
  layer([tf.zeros([1, 5, 5, 50]), tf.zeros([1, 500])])
  kernels = [tuple(w.shape) for w in layer.weights if len(w.shape) == 2]
  assert kernels == [(1250, 500), (500, 7), (7, 3), (3, 1)]
  x = [tf.ones([1, 5, 5, 50]), tf.ones([1, 500])]
  top = [w for w in layer.weights if "hidden1" in w.name]
  assert float(layer(x)[0]) != 0
  top[1].assign([-1e6] * 7)  # a ReLU that is shut
  np.testing.assert_array_equal(layer(x), [0.0])


def test_units_are_free_with_a_concatenation():
  layer = adversary.MultiLayerDomainDiscriminator(units=(8, 9), combine="concat")
  layer(_activations())
  kernels = [tuple(w.shape) for w in layer.weights if len(w.shape) == 2]
  assert kernels == [(6, 8), (13, 9), (13, 1)]


@pytest.mark.parametrize("combine", _COMBINATIONS)
def test_gamma_is_the_voice_of_the_lower_layers(combine):
  inputs = _activations()
  gradients = {}
  for gamma in (0.0, 1e-3, 2e-3):
    layer = adversary.MultiLayerDomainDiscriminator(gamma=gamma, combine=combine)
    layer(inputs)
    for i, weight in enumerate(layer.weights):
      weight.assign(np.random.default_rng(i).normal(size=weight.shape))
    gradients[gamma] = _gradient(lambda x, d=layer: d([x, *inputs[1:]]), inputs[0])
  assert np.all(gradients[0.0] == 0) and np.any(gradients[1e-3] != 0)
  # Two layers up: gamma squared, while no ReLU switches.
  np.testing.assert_allclose(gradients[2e-3], 4 * gradients[1e-3], rtol=1e-3, atol=1e-9)


def test_the_loss_above_reaches_every_discriminator_layer():
  layer = adversary.MultiLayerDomainDiscriminator(hidden=(3,))
  with tf.GradientTape() as tape:
    loss = adversary.discriminator_loss(layer(_activations(0)), layer(_activations(1)))
  gradients = tape.gradient(loss, layer.trainable_variables)
  assert len(gradients) == 8 and all(np.any(g.numpy() != 0) for g in gradients)


def test_examples_do_not_see_each_other():
  layer = adversary.MultiLayerDomainDiscriminator()
  inputs = _activations()
  np.testing.assert_allclose(
    layer(inputs)[2:4], layer([x[2:4] for x in inputs]), rtol=1e-5, atol=1e-6)  # fmt: skip


# The losses.


def test_the_losses_have_their_values():
  s, t = np.array([0.5, -2.0]), np.array([1.0, 0.0, -3.0])
  d_s, d_t = 1 / (1 + np.exp(-s)), 1 / (1 + np.exp(-t))
  d = -np.log(d_s).mean() - np.log(1 - d_t).mean()
  e = -np.log(d_t).mean()
  assert float(adversary.discriminator_loss(s, t)) == pytest.approx(d)
  assert float(adversary.encoder_loss(t)) == pytest.approx(e)
  assert float(adversary.encoder_loss(t, s)) == pytest.approx(e - np.log(1 - d_s).mean())
  # At d = 1/2 on all.
  assert float(adversary.discriminator_loss(s * 0, t * 0)) == pytest.approx(2 * np.log(2))


def test_the_losses_are_finite_for_a_certain_discriminator():
  for dtype in (tf.float32, tf.float16):
    far = tf.constant([3e4], dtype)
    assert float(adversary.discriminator_loss(-far, far)) == pytest.approx(6e4, rel=1e-2)
    assert float(adversary.encoder_loss(far)) == 0
    assert adversary.encoder_loss(far).dtype == tf.float32


def test_the_sign_of_each_logits_gradient():
  s, t = tf.constant([0.3, -1.0]), tf.constant([2.0, -0.5])
  # Down the gradient, D says "source" more on source and less on target ...
  assert np.all(_gradient(lambda x: adversary.discriminator_loss(x, t), s) < 0)
  assert np.all(_gradient(lambda x: adversary.discriminator_loss(s, x), t) > 0)
  # ... and the encoder wants the reverse.
  assert np.all(_gradient(lambda x: adversary.encoder_loss(x, s), t) < 0)
  assert np.all(_gradient(lambda x: adversary.encoder_loss(t, x), s) > 0)


def test_the_talks_single_sum_has_its_optimum_at_one_half():
  def both(x):
    return adversary.discriminator_loss(x, x) + adversary.encoder_loss(x, x)

  np.testing.assert_allclose(_gradient(both, tf.zeros([3])), 0, atol=1e-7)
  for x in (-0.5, 0.5):
    assert float(both(tf.fill([3], x))) > float(both(tf.zeros([3])))


@pytest.mark.parametrize("combine", _COMBINATIONS)
def test_steps_of_d_and_of_the_encoder_pull_apart(combine):
  tf.keras.utils.set_random_seed(1)
  layer = adversary.MultiLayerDomainDiscriminator(combine=combine, hidden=(8,))
  source, target = _activations(0, n=32, shift=0.5), _activations(1, n=32, shift=-0.5)

  def gaps():
    return float(tf.reduce_mean(layer(source))), float(tf.reduce_mean(layer(target)))

  first = gaps()
  for i in range(30):
    with tf.GradientTape() as tape:
      loss = adversary.discriminator_loss(layer(source), layer(target))
    gradients = tape.gradient(loss, layer.trainable_variables)
    for variable, gradient in zip(layer.trainable_variables, gradients):
      variable.assign_sub(0.1 * gradient)
    if i == 0:
      assert np.subtract(*gaps()) > np.subtract(*first)
  trained = gaps()
  assert trained[0] > first[0] and trained[0] > 0 > trained[1] and trained[1] < first[1]
  # Against this D, the encoder's activations of the target move towards "source" ...
  for i, x in enumerate(target):
    def loss(x, i=i):
      return adversary.encoder_loss(layer([*target[:i], x, *target[i + 1 :]]))

    moved = x - _gradient(loss, x)
    assert np.mean(layer([*target[:i], moved, *target[i + 1 :]])) > trained[1]

  # ... and those of a source that trains too, towards "target".
  def both(x):
    return adversary.encoder_loss(layer(target), layer([*source[:2], x]))

  moved = source[2] - _gradient(both, source[2])
  assert np.mean(layer([*source[:2], moved])) < trained[0]


@pytest.mark.parametrize("combine", _COMBINATIONS)
def test_gradients_are_those_of_finite_differences(combine):
  tf.keras.utils.set_random_seed(0)
  layer = adversary.MultiLayerDomainDiscriminator(
    gamma=0.7, combine=combine, activation="tanh", dtype="float64")  # fmt: skip
  source, target = ([tf.cast(x, tf.float64) for x in _activations(i)] for i in (0, 1))
  layer(source)

  def loss(*activations):
    t = layer(list(activations))
    return adversary.discriminator_loss(layer(source), t) + 3 * adversary.encoder_loss(t)

  theoretical, numerical = tf.test.compute_gradient(loss, target, delta=1e-5)
  for exact, near in zip(theoretical, numerical):
    assert np.any(exact != 0)
    np.testing.assert_allclose(exact, near, rtol=1e-5, atol=1e-8)


# Gradient reversal.


def test_reversal_is_the_identity_forwards_and_turns_the_gradient():
  x = tf.constant([[1.0, -2.0], [0.5, 3.0]])
  for scale in (1.0, 0.25, 0.0):
    layer = adversary.GradientReversal(scale)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_allclose(
      _gradient(lambda x, r=layer: tf.reduce_sum(r(x) ** 3), x), -scale * 3 * x**2)  # fmt: skip


def test_reversal_takes_a_scale_that_changes():
  layer, scale, x = adversary.GradientReversal(9.0), tf.Variable(0.5), tf.ones([2])
  for value in (0.5, 2.0):
    scale.assign(value)
    np.testing.assert_allclose(
      _gradient(lambda x: tf.reduce_sum(layer(x, scale=scale)), x), -value)  # fmt: skip


def test_with_reversal_one_loss_trains_both_sides():
  tf.keras.utils.set_random_seed(0)
  reverse, layer = adversary.GradientReversal(0.5), adversary.MultiLayerDomainDiscriminator()
  s, t = _activations(0)[1], _activations(1)[1]
  plain = _gradient(lambda x: adversary.discriminator_loss(layer([s]), layer([x])), t)
  turned = _gradient(lambda x: adversary.discriminator_loss(layer([s]), layer([reverse(x)])), t)
  assert np.any(plain != 0)
  np.testing.assert_allclose(turned, -0.5 * plain, rtol=1e-5)
  moved = t - 10.0 * turned
  assert np.mean(layer([moved])) > np.mean(layer([t]))


# The layers that D sees.


def test_the_papers_rule():
  assert adversary.choose_layers(_LAYERS, 5, 5) == ("pool2", "fc3", "logits")
  assert adversary.choose_layers(_LAYERS, 1000, 101) == ("pool2", "fc3")
  assert adversary.choose_layers(_LAYERS[1:], 5, 4) == ("pool2", "fc3")
  assert adversary.choose_layers(_LAYERS, 5, 5, override=["fc3", "pool1"]) == ("pool1", "fc3")
  assert adversary.choose_layers(("f", "logits"), 5, 5, override=("f",)) == ("f",)


def test_layers_are_taken_by_name():
  activations = {"fc3": 3, "pool1": 1, "pool2": 2}  # TensorFlow's order
  assert adversary.select(activations, ("pool2", "fc3")) == [2, 3]


@pytest.mark.parametrize(
  ("names", "message"),
  [
    (("pool2", "pool3"), "there is no layer 'pool3'; there are pool1, pool2, fc3, logits"),
    ((), "no layer is chosen; there are pool1, pool2, fc3, logits"),
    (("fc3", "fc3"), r"layers are \('fc3', 'fc3'\); name each once"),
    ("fc3", "layers are 'fc3'; give a list of names"),
  ],
)
def test_bad_layer_names_are_refused(names, message):
  with pytest.raises(ValueError, match=message):
    adversary.choose_layers(_LAYERS, 5, 5, override=names)
  with pytest.raises(ValueError, match=message):
    adversary.select(dict.fromkeys(_LAYERS), names)


def test_the_rule_needs_three_layers():
  with pytest.raises(ValueError, match="needs three layers and there are 2 .f, logits.; choose"):
    adversary.choose_layers(("f", "logits"), 5, 4)


# Bad input.


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"gamma": 1.5}, r"gamma is 1.5; it must lie in \[0, 1\]"),
    ({"gamma": -0.1}, r"gamma is -0.1; it must lie in \[0, 1\]"),
    ({"combine": "mean"}, "combine is 'mean'; it must be one of sum, concat"),
    ({"units": (5,)}, r"units \(5,\) don't fit 3 activations: 2 are needed"),
    ({"units": (5, 9)}, r"units \(5, 9\) can't be summed with activations of \(5, 4\) values"),
  ],
)
def test_bad_arguments_are_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    adversary.MultiLayerDomainDiscriminator(**arguments)(_activations())


def test_bad_activations_are_refused():
  layer = adversary.MultiLayerDomainDiscriminator()
  with pytest.raises(ValueError, match="must be known and not 0: give the images a fixed size"):
    layer([tf.keras.Input((None, 3))])
  layer = adversary.MultiLayerDomainDiscriminator()
  with pytest.raises(ValueError, match="a dict, which has no safe order.* among a, b"):
    layer({"a": tf.zeros([1, 2]), "b": tf.zeros([1, 3])})
  layer = adversary.MultiLayerDomainDiscriminator()
  layer(_activations())
  with pytest.raises(ValueError, match="a dict, which has no safe order"):
    layer(dict(zip("abc", _activations())))
  with pytest.raises(ValueError, match="2 activations for a discriminator that was built for 3"):
    layer(_activations()[:2])


def test_a_negative_scale_is_refused():
  with pytest.raises(ValueError, match="scale is -1.0; it must be at least 0"):
    adversary.GradientReversal(-1.0)


# Keras.


@pytest.mark.parametrize(
  "layer",
  [
    adversary.GradientReversal(0.5, name="r"),
    adversary.MultiLayerDomainDiscriminator(0.2, (7,), "concat", (5, 6), "tanh", name="d"),
  ],
  ids=lambda layer: layer.name,
)
def test_they_come_back_from_their_configs(layer):
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert type(again) is type(layer) and again.get_config() == layer.get_config()
  config = again.get_config()
  if layer.name == "r":
    expected = {"scale": 0.5}
  else:
    expected = {"gamma": 0.2, "units": (7,), "combine": "concat", "hidden": (5, 6),
                "activation": "tanh"}  # fmt: skip
  assert {name: config[name] for name in expected} == expected


@pytest.mark.parametrize("combine", _COMBINATIONS)
def test_a_functional_model_with_both_is_saved(combine, tmp_path):
  inputs = _activations()
  arguments = [tf.keras.Input(x.shape[1:]) for x in inputs]
  reversed_ = [adversary.GradientReversal(0.1)(x) for x in arguments]
  layer = adversary.MultiLayerDomainDiscriminator(combine=combine, hidden=(3,))
  alone = adversary.MultiLayerDomainDiscriminator()([reversed_[1]])
  model = tf.keras.Model(arguments, [layer(reversed_), alone])
  model.save(tmp_path / "a.keras")
  again = tf.keras.models.load_model(tmp_path / "a.keras")
  for before, after in zip(model(inputs), again(inputs)):
    np.testing.assert_array_equal(before, after)


def test_it_computes_in_half_precision_too():
  tf.keras.mixed_precision.set_global_policy("mixed_float16")
  layer = adversary.MultiLayerDomainDiscriminator()
  logits = layer(_activations())
  assert logits.dtype == tf.float16 and layer.weights[0].dtype == tf.float32
  assert np.all(np.isfinite(adversary.discriminator_loss(logits, logits)))
