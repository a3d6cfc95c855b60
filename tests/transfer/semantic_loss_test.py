"""Tests of the loss layer: equation 8, its weights, models that contain it."""

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer import semantic
from garden.transfer import semantic_loss

_D = 4


def _inputs(seed=0, source=True):
  rng = np.random.default_rng(seed)
  inputs = {
    "target": rng.normal(size=(8, _D)),
    "labeled": rng.normal(size=(6, _D)),
    "labels": np.array([0, 1, 2, 0, 1, 2]),
  }
  if source:
    inputs |= {"source": rng.normal(size=(5, _D)), "source_labels": np.array([1, 0, 0, 1, 1])}
  return {
    name: tf.constant(x, tf.float32 if x.dtype.kind == "f" else tf.int64)
    for name, x in inputs.items()
  }


def _layer(**arguments):
  return semantic_loss.SemanticTransferLoss(3, 2, **arguments)


def _loss(layer, inputs):
  layer(inputs)
  (loss,) = layer.losses
  return loss


def _softmax(x):
  e = np.exp(x - x.max(axis=-1, keepdims=True))
  return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("support", ["prototypes", "examples"])
def test_it_is_equation_8_with_the_papers_constants(support):
  inputs = _inputs()
  target, labeled, source = (inputs[name].numpy() for name in ("target", "labeled", "source"))
  means = np.stack([labeled[i::3].mean(axis=0) for i in range(3)])
  rows = source
  if support == "prototypes":
    rows = np.stack([source[[1, 2]].mean(axis=0), source[[0, 3, 4]].mean(axis=0)])

  def psi(f, c):
    return f @ (c / np.linalg.norm(c, axis=1, keepdims=True)).T

  def h(p):
    return -(p * np.log(p)).sum(axis=1).mean()

  across = h(_softmax(psi(target, rows) / 2))
  supervised = -np.log(_softmax(psi(labeled, means))[range(6), [0, 1, 2] * 2]).mean()
  within = h(_softmax(psi(target, means)))
  layer = _layer(support=support)
  expected = 0.1 * (across + supervised + within)
  assert float(_loss(layer, inputs)) == pytest.approx(expected, rel=1e-5)
  np.testing.assert_allclose(layer(inputs), psi(target, means), rtol=1e-4, atol=1e-5)


def test_each_part_has_its_weight():
  inputs = _inputs()
  terms, _ = _layer().terms(inputs)
  off = dict(source_weight=0, supervised_weight=0, target_weight=0, diversity_weight=0, weight=1)
  assert float(_loss(_layer(**off), inputs)) == 0
  names = {"source_weight": "source_entropy", "supervised_weight": "supervised",
           "target_weight": "target_entropy", "diversity_weight": "diversity"}  # fmt: skip
  for argument, name in names.items():
    loss = _loss(_layer(**{**off, argument: 3.0, "weight": 0.5}), inputs)
    assert float(terms[name]) != 0
    assert float(loss) == pytest.approx(1.5 * float(terms[name]))


def test_the_terms_are_those_of_the_functions():
  inputs = _inputs()
  prior = [0.5, 0.3, 0.2]
  layer = _layer(similarity="cosine", scale=4.0, normalize=True, source_temperature=0.5,
                 target_temperature=0.7, prior=prior)  # fmt: skip
  terms, logits = layer.terms(inputs)
  psi = semantic.PrototypeSimilarity("cosine", 4.0)
  means = semantic.prototypes(inputs["labeled"], inputs["labels"], 3, normalize=True)
  source = semantic.prototypes(inputs["source"], inputs["source_labels"], 2, normalize=True)
  np.testing.assert_allclose(logits, psi([inputs["target"], means]))
  expected = {
    "source_entropy": semantic.entropy(psi([inputs["target"], source]), 0.5),
    "supervised": semantic.prototype_cross_entropy(
      psi([inputs["labeled"], means]), inputs["labels"]),
    "target_entropy": semantic.entropy(logits, 0.7),
    "diversity": semantic.diversity(logits, 0.7, prior),
  }  # fmt: skip
  assert {name: float(x) for name, x in terms.items()} == pytest.approx(
    {name: float(x) for name, x in expected.items()}, rel=1e-6)  # fmt: skip


def test_without_a_source_its_term_is_left_out():
  layer = semantic_loss.SemanticTransferLoss(3, weight=1.0)
  terms, _ = layer.terms(_inputs(source=False))
  assert set(terms) == {"supervised", "target_entropy", "diversity"}
  expected = float(terms["supervised"] + terms["target_entropy"])
  assert float(_loss(layer, _inputs(source=False))) == pytest.approx(expected)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_each_term_falls_along_its_negative_gradient(similarity):
  layer = _layer(similarity=similarity, scale=1.0)
  inputs = _inputs()
  moving = {"source_entropy": "target", "supervised": "labeled", "target_entropy": "target",
            "diversity": "target"}  # fmt: skip
  for term, name in moving.items():
    x = inputs[name]
    with tf.GradientTape() as tape:
      tape.watch(x)
      before = layer.terms(inputs)[0][term]
    step = 0.5 * tape.gradient(before, x)
    assert layer.terms({**inputs, name: x - step})[0][term] < before
    assert layer.terms({**inputs, name: x + step})[0][term] > before


@pytest.mark.parametrize("name", ["target", "labeled", "source"])
def test_gradients_are_those_of_finite_differences(name):
  # Of the prototypes too, which the labelled and the source examples make.
  layer = _layer(diversity_weight=0.5, weight=1.0, dtype="float64")
  inputs = {k: tf.cast(x, tf.float64) if x.dtype.is_floating else x for k, x in _inputs().items()}

  def loss(x):
    return _loss(layer, {**inputs, name: x})

  theoretical, numerical = tf.test.compute_gradient(loss, [inputs[name]], delta=1e-5)
  assert np.all(np.any(theoretical[0].reshape(inputs[name].shape) != 0, axis=1))
  np.testing.assert_allclose(theoretical[0], numerical[0], rtol=1e-5, atol=1e-8)


def test_a_class_that_a_batch_lacks_takes_no_part():
  inputs = _inputs()
  inputs["labels"] = tf.constant([0, 1, 1, 0, 1, 0], tf.int64)
  three, two = _layer(weight=1.0), semantic_loss.SemanticTransferLoss(2, 2, weight=1.0)
  assert np.all(tf.nn.softmax(three(inputs))[:, 2] == 0)
  assert float(_loss(three, inputs)) == pytest.approx(float(_loss(two, inputs)), rel=1e-6)
  inputs["source_labels"] = tf.zeros([5], tf.int64)
  assert float(three.terms(inputs)[0]["source_entropy"]) == 0  # one class is left


def test_bad_input_is_refused():
  inputs = _inputs()
  for name in ("target", "labeled", "labels"):
    with pytest.raises(ValueError, match="a dict of labeled, labels, target is needed"):
      _layer().terms({key: x for key, x in inputs.items() if key != name})
  with pytest.raises(ValueError, match="inputs are .*sauce.*with source, source_labels where"):
    _layer().terms({**inputs, "sauce": inputs["source"]})
  with pytest.raises(ValueError, match="inputs are list; a dict of"):
    _layer().terms([inputs["target"]])
  unlabeled = {key: x for key, x in inputs.items() if key != "source_labels"}
  with pytest.raises(ValueError, match="came without 'source_labels'; prototypes need them"):
    _layer().terms(unlabeled)
  assert "source_entropy" in _layer(support="examples").terms(unlabeled)[0]
  with pytest.raises(ValueError, match="n_source_classes is None; prototypes of the source"):
    semantic_loss.SemanticTransferLoss(3).terms(inputs)


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"support": "all"}, "support is 'all'; it must be one of prototypes, examples"),
    ({"similarity": "l2"}, "kind is 'l2'; it must be one of dot, cosine"),
    ({"source_temperature": 0}, "source_temperature is 0; it must be above 0"),
    ({"target_temperature": -1}, "target_temperature is -1; it must be above 0"),
    ({"diversity_weight": -1}, "diversity_weight is -1; it must be at least 0"),
    ({"weight": -0.1}, "weight is -0.1; it must be at least 0"),
    ({"prior": [0.5, 0.5]}, "prior is .0.5, 0.5.; it needs 3 positive shares of sum 1"),
  ],
)
def test_bad_arguments_are_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    _layer(**arguments)


def test_it_comes_back_from_its_config():
  arguments = dict(similarity="cosine", scale=4.0, normalize=True, support="examples",
                   source_temperature=3.0, target_temperature=0.5, source_weight=0.1,
                   supervised_weight=0.2, target_weight=0.3, diversity_weight=0.4,
                   prior=(0.5, 0.3, 0.2), weight=0.6)  # fmt: skip
  layer = _layer(**arguments, name="l_st")
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert again.get_config() == layer.get_config()
  assert arguments.items() <= again.get_config().items()
  assert float(_loss(again, _inputs())) == float(_loss(layer, _inputs()))


def _model(**arguments):
  """A Functional model with one encoder for the target and one for the source."""
  keys = {"target": (_D,), "labeled": (_D,), "source": (_D,), "labels": (), "source_labels": ()}
  inputs = {
    name: tf.keras.Input(shape, dtype="int64" if "labels" in name else "float32", name=name)
    for name, shape in keys.items()
  }
  encoder, frozen = tf.keras.layers.Dense(_D), tf.keras.layers.Dense(_D, trainable=False)
  features = {"target": encoder(inputs["target"]), "labeled": encoder(inputs["labeled"]),
              "source": frozen(inputs["source"])}  # fmt: skip
  return tf.keras.Model(inputs, _layer(**arguments)({**inputs, **features}))


def test_a_functional_model_trains_on_its_loss_alone():
  tf.keras.utils.set_random_seed(0)
  model, inputs = _model(weight=1.0), _inputs()
  kernel = model.trainable_variables[0].numpy()
  model.compile(tf.keras.optimizers.SGD(0.1))
  history = model.fit(tf.data.Dataset.from_tensors(inputs).repeat(), epochs=5, steps_per_epoch=1,
                      verbose=0)  # fmt: skip
  losses = history.history["loss"]
  assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0] - 0.01
  assert not np.allclose(model.trainable_variables[0], kernel)


def test_a_functional_model_is_saved(tmp_path):
  model, inputs = _model(diversity_weight=1.0, prior=[0.5, 0.3, 0.2]), _inputs()
  model.save(tmp_path / "a.keras")
  again = tf.keras.models.load_model(tmp_path / "a.keras")
  np.testing.assert_array_equal(again(inputs), model(inputs))
  assert float(again.losses[0]) == float(model.losses[0]) != 0


def test_it_computes_in_half_precision_too():
  expected = float(_loss(_layer(diversity_weight=1.0), _inputs()))
  tf.keras.mixed_precision.set_global_policy("mixed_float16")
  layer = _layer(diversity_weight=1.0)
  # Nothing is rounded on the way ...
  assert float(_loss(layer, _inputs())) == pytest.approx(expected, rel=1e-6)
  # ... but what comes in half precision.
  halves = {k: tf.cast(x, tf.float16) if x.dtype.is_floating else x for k, x in _inputs().items()}
  loss = _loss(layer, halves)
  assert loss.dtype == tf.float32 and float(loss) == pytest.approx(expected, rel=1e-2)
