"""Tests of the semantic transfer's parts: values, and the sign of every gradient."""

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer import semantic

_RNG = np.random.default_rng(0)
_LOGITS = _RNG.normal(size=(6, 4))
_LABELS = np.array([0, 3, 1, 1, 2, 0])


def _gradient(f, x):
  x = tf.constant(x)
  with tf.GradientTape() as tape:
    tape.watch(x)
    value = f(x)
  return tape.gradient(value, x).numpy()


def _softmax(x):
  e = np.exp(x - x.max(axis=-1, keepdims=True))
  return e / e.sum(axis=-1, keepdims=True)


def _h(p):
  return -(p * np.log(p)).sum(axis=-1)


# Prototypes.


def test_a_prototype_is_the_mean_of_its_class():
  features = _RNG.normal(size=(6, 3))
  means = semantic.prototypes(features, _LABELS, 4)
  expected = np.stack([features[_LABELS == c].mean(axis=0) for c in range(4)])
  np.testing.assert_allclose(means, expected, rtol=1e-6)
  directions = features / np.linalg.norm(features, axis=1, keepdims=True)
  expected = np.stack([directions[_LABELS == c].mean(axis=0) for c in range(4)])
  np.testing.assert_allclose(
    semantic.prototypes(features, _LABELS, 4, normalize=True), expected, rtol=1e-6)  # fmt: skip


def test_prototypes_pass_the_gradient_on_in_equal_parts():
  features = _RNG.normal(size=(6, 3))
  gradient = _gradient(lambda x: tf.reduce_sum(semantic.prototypes(x, _LABELS, 4)[0]), features)
  expected = np.where(_LABELS == 0, 0.5, 0.0)  # two examples of class 0
  np.testing.assert_allclose(gradient, np.repeat(expected[:, None], 3, axis=1))


def test_a_class_without_example_is_an_error_or_a_row_of_zeros():
  features, labels = tf.ones([3, 2]), tf.constant([0, 2, 2])
  with pytest.raises(ValueError, match=r"classes \[1, 3\] have no example.*missing='mask'"):
    semantic.prototypes(features, labels, 4)
  expected = [[1, 1], [0, 0], [1, 1], [0, 0]]
  masked = semantic.prototypes(features, labels, 4, missing="mask")
  np.testing.assert_array_equal(masked, expected)
  graph = tf.function(lambda x, y: semantic.prototypes(x, y, 4, missing="mask"))
  np.testing.assert_array_equal(graph(features, labels), expected)
  strict = tf.function(lambda x, y: semantic.prototypes(x, y, 4))
  np.testing.assert_array_equal(strict(tf.eye(4), tf.range(4)), tf.eye(4))
  with pytest.raises(tf.errors.InvalidArgumentError, match="a class has no example"):
    strict(features, labels)


@pytest.mark.parametrize(("label", "message"), [(4, "not below n_classes"), (-1, "is negative")])
def test_a_label_outside_its_range_is_an_error(label, message):
  labels = tf.constant([0, 1, label])
  with pytest.raises(ValueError, match=rf"labels \[{label}\] lie outside 0..3"):
    semantic.prototypes(tf.ones([3, 2]), labels, 4, missing="mask")
  graph = tf.function(lambda y: semantic.prototypes(tf.ones([3, 2]), y, 4, missing="mask"))
  with pytest.raises(tf.errors.InvalidArgumentError, match=message):
    graph(labels)


def test_sums_are_not_made_in_half_precision():
  features = tf.fill([4000, 1], tf.constant(40.0, tf.float16))
  means = semantic.prototypes(features, tf.zeros([4000], tf.int32), 1)
  assert means.dtype == tf.float32 and float(means[0, 0]) == 40.0


# Similarity.


def test_the_similarities_are_the_papers_and_the_cosine():
  f, c = _RNG.normal(size=(5, 3)), _RNG.normal(size=(2, 3))
  dot = f @ (c / np.linalg.norm(c, axis=1, keepdims=True)).T
  cosine = dot / np.linalg.norm(f, axis=1, keepdims=True)
  np.testing.assert_allclose(semantic.PrototypeSimilarity()([f, c]), dot, rtol=1e-4)
  layer = semantic.PrototypeSimilarity("cosine")
  assert layer.scale == 10 and semantic.PrototypeSimilarity().scale == 1
  np.testing.assert_allclose(layer([f, c]), 10 * cosine, rtol=1e-4)
  np.testing.assert_allclose(
    semantic.PrototypeSimilarity("dot", 0.5)([f, c]), 0.5 * dot, rtol=1e-4)  # fmt: skip


def test_only_the_dot_product_grows_with_the_feature_and_neither_with_the_prototype():
  f, c = _RNG.normal(size=(5, 3)), _RNG.normal(size=(2, 3))
  for kind, factor in (("dot", 7.0), ("cosine", 1.0)):
    layer = semantic.PrototypeSimilarity(kind, dtype="float64")
    np.testing.assert_allclose(layer([7 * f, c]), factor * layer([f, c]), rtol=1e-6)
    np.testing.assert_allclose(layer([f, 7 * c]), layer([f, c]), rtol=1e-6)


@pytest.mark.parametrize("kind", ["dot", "cosine"])
def test_a_row_of_zeros_gets_no_probability_and_no_gradient(kind):
  layer = semantic.PrototypeSimilarity(kind, 1.0)
  f = tf.constant([[1.0, 2.0, 0.5], [2.0, 0.1, 1.0]])
  c = tf.constant([[0.0, 0.0, 0.0], [-1.0, -1.0, -1.0], [-1.0, 0.0, 0.0]])  # all others < 0
  probabilities = tf.nn.softmax(layer([f, c])).numpy()
  assert np.all(probabilities[:, 0] == 0) and np.all(probabilities[:, 1:] > 0)

  def loss(c):
    return semantic.entropy(layer([f, c])) + 2 * semantic.diversity(layer([f, c]))

  gradient = _gradient(loss, c)
  assert np.all(gradient[0] == 0) and np.all(np.isfinite(gradient)) and np.any(gradient[1] != 0)


# Losses.


def test_entropies_have_their_values():
  for tau in (0.5, 1.0, 2.0):
    expected = _h(_softmax(_LOGITS / tau)).mean()
    assert float(semantic.entropy(_LOGITS, tau)) == pytest.approx(expected)
  assert float(semantic.entropy(tf.zeros([3, 4]), 2.0)) == pytest.approx(np.log(4))
  assert float(semantic.entropy(1e4 * tf.eye(4))) == 0
  # Two classes of odds e^(z / tau).
  p = 1 / (1 + np.exp(-1.5))
  assert float(semantic.entropy([[3.0, 0.0]], 2.0)) == pytest.approx(_h(np.array([p, 1 - p])))


def test_entropy_falls_along_its_negative_gradient_and_sharpens_the_largest():
  for tau in (1.0, 2.0):
    moved = _LOGITS - _gradient(lambda x, tau=tau: semantic.entropy(x, tau), _LOGITS)
    before, after = _softmax(_LOGITS / tau), _softmax(moved / tau)
    assert np.all(_h(after) < _h(before))
    best = before.argmax(axis=1)[:, None]
    assert np.all(np.take_along_axis(after, best, 1) > np.take_along_axis(before, best, 1))


def test_the_prototype_cross_entropy_has_its_value_and_raises_the_right_similarity():
  expected = -np.log(_softmax(_LOGITS)[np.arange(6), _LABELS]).mean()
  assert float(semantic.prototype_cross_entropy(_LOGITS, _LABELS)) == pytest.approx(expected)
  gradient = _gradient(lambda x: semantic.prototype_cross_entropy(x, _LABELS), _LOGITS)
  right = np.eye(4, dtype=bool)[_LABELS]
  assert np.all(gradient[right] < 0) and np.all(gradient[~right] > 0)


def test_a_step_on_features_brings_them_to_the_prototype_of_their_class():
  for kind in ("dot", "cosine"):
    layer = semantic.PrototypeSimilarity(kind, 1.0)
    f, c = _RNG.normal(size=(6, 5)), _RNG.normal(size=(4, 5))

    def loss(f, c=c, layer=layer):
      return semantic.prototype_cross_entropy(layer([f, c]), _LABELS)

    moved = f - 0.1 * _gradient(loss, f)
    right = np.eye(4, dtype=bool)[_LABELS]
    before, after = (_softmax(layer([x, c]).numpy())[right] for x in (f, moved))
    assert np.all(after > before)


def test_diversity_is_the_negative_entropy_of_the_mean_prediction():
  for tau in (1.0, 3.0):
    mean = _softmax(_LOGITS / tau).mean(axis=0)
    assert float(semantic.diversity(_LOGITS, tau)) == pytest.approx(-_h(mean))
  assert float(semantic.diversity(1e4 * tf.eye(4))) == pytest.approx(-np.log(4))  # spread
  assert float(semantic.diversity(1e4 * tf.eye(4)[:1])) == 0  # all in one class
  # The entropy of each is least in both cases: only diversity tells them apart.
  assert float(semantic.entropy(1e4 * tf.eye(4)[:1])) == 0


def test_diversity_spreads_a_batch_that_collapsed():
  collapsed = _LOGITS + [3.0, 0, 0, 0]
  moved = collapsed - 5 * _gradient(semantic.diversity, collapsed)
  before, after = (_softmax(x).mean(axis=0) for x in (collapsed, moved))
  assert before.argmax() == 0 and after[0] < before[0] and _h(after) > _h(before)
  assert np.all(after[1:] > before[1:])


def test_a_prior_says_what_spread_means():
  prior = [0.7, 0.1, 0.1, 0.1]
  mean = _softmax(_LOGITS).mean(axis=0)
  expected = (mean * np.log(mean / prior)).sum()
  assert float(semantic.diversity(_LOGITS, prior=prior)) == pytest.approx(expected)
  uniform = float(semantic.diversity(_LOGITS, prior=[0.25] * 4))
  assert uniform == pytest.approx(float(semantic.diversity(_LOGITS)) + np.log(4))
  # At the prior there is nothing to gain.
  at = np.log(np.tile(prior, (5, 1)))
  assert float(semantic.diversity(at, prior=prior)) == pytest.approx(0, abs=1e-9)
  np.testing.assert_allclose(
    _gradient(lambda x: semantic.diversity(x, prior=prior), at), 0, atol=1e-9)  # fmt: skip
  assert np.any(np.abs(_gradient(semantic.diversity, at)) > 1e-3)


@pytest.mark.parametrize(
  "f",
  [
    lambda x: semantic.entropy(x, 2.0),
    lambda x: semantic.prototype_cross_entropy(x, _LABELS),
    lambda x: semantic.diversity(x, 0.7),
    lambda x: semantic.diversity(x, prior=[0.4, 0.3, 0.2, 0.1]),
    lambda x: semantic.prototypes(x, _LABELS, 4, normalize=True),
    lambda x: semantic.PrototypeSimilarity("dot", dtype="float64")([x, _LOGITS[:3]]),
    lambda x: semantic.PrototypeSimilarity("dot", dtype="float64")([_LOGITS[:3], x]),
    lambda x: semantic.PrototypeSimilarity("cosine", dtype="float64")([x, _LOGITS[:3]]),
  ],
  ids=["entropy", "cross-entropy", "diversity", "prior", "prototypes", "dot by feature",
       "dot by prototype", "cosine"],
)  # fmt: skip
def test_gradients_are_those_of_finite_differences(f):
  theoretical, numerical = tf.test.compute_gradient(f, [tf.constant(_LOGITS)], delta=1e-5)
  assert np.any(theoretical[0] != 0)
  np.testing.assert_allclose(theoretical[0], numerical[0], rtol=1e-5, atol=1e-7)


def test_losses_of_half_precision_are_made_in_full():
  logits = tf.constant(_LOGITS, tf.float16)
  for f in (semantic.entropy, semantic.diversity):
    assert f(logits).dtype == tf.float32
    assert float(f(logits)) == pytest.approx(float(f(_LOGITS)), abs=5e-3)


# Bad input, labels, Keras.


def test_bad_arguments_are_refused():
  for f in (semantic.entropy, semantic.diversity):
    with pytest.raises(ValueError, match="temperature is 0; it must be above 0"):
      f(_LOGITS, 0)
  for prior in ([0.5, 0.5], [0.5, 0.5, 0.0, 0.0], [0.3] * 4):
    with pytest.raises(ValueError, match="prior is .* it needs 4 positive shares of sum 1"):
      semantic.diversity(_LOGITS, prior=prior)
  with pytest.raises(ValueError, match="kind is 'l2'; it must be one of dot, cosine"):
    semantic.PrototypeSimilarity("l2")
  with pytest.raises(ValueError, match="scale is 0; it must be above 0"):
    semantic.PrototypeSimilarity("cosine", 0)
  with pytest.raises(ValueError, match="missing is 'skip'; it must be error or mask"):
    semantic.prototypes(tf.ones([1, 1]), [0], 1, missing="skip")


def test_labels_map_to_the_nearest():
  source = semantic.prototypes(np.eye(3) * [[1.0], [2.0], [5.0]], [0, 1, 2], 3)
  target = tf.constant([[0.0, 1.0, 0.1], [0.9, 0.0, 0.3]])
  similarity = semantic.PrototypeSimilarity("cosine", 1.0)([source, target])
  np.testing.assert_array_equal(semantic.map_labels(similarity), [1, 0, 1])
  np.testing.assert_array_equal(semantic.map_labels([[0.5, 0.5]]), [0])


def test_similarities_that_map_nothing_are_refused():
  with pytest.raises(ValueError, match=r"similarity has the shape \(2,\); it must be"):
    semantic.map_labels([0.1, 0.2])
  with pytest.raises(ValueError, match=r"similarity has the shape \(2, 0\); it must be"):
    semantic.map_labels(np.zeros((2, 0)))
  with pytest.raises(ValueError, match="similarity has a NaN; was a class without an example"):
    semantic.map_labels([[0.1, np.nan]])


def test_the_similarity_comes_back_from_its_config_and_from_a_file(tmp_path):
  layer = semantic.PrototypeSimilarity("cosine", 3.0, name="psi")
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert again.get_config() == layer.get_config()
  assert again.kind == "cosine" and again.scale == 3.0
  inputs = [tf.keras.Input((3,)), tf.keras.Input((3,))]
  model = tf.keras.Model(inputs, layer(inputs))
  model.save(tmp_path / "a.keras")
  again = tf.keras.models.load_model(tmp_path / "a.keras")
  values = [tf.constant(_RNG.normal(size=(n, 3)), tf.float32) for n in (4, 2)]
  assert model(values).shape == (4, 2)
  np.testing.assert_array_equal(again(values), model(values))
