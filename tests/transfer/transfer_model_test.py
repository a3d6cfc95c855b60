"""Tests of the full model: its parts, their weights and signs, stages, replicas."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import strategies
from garden.transfer import adversary
from garden.transfer import source_target
from garden.transfer.settings import Recipe
from garden.transfer.transfer_model import TransferModel

_ALONE = dict(alpha=0.0, beta=0.0)


def _step(model, batch):
  return {name: float(value) for name, value in model.train_step(batch).items()}


def _weights(layer):
  return [w.numpy() for w in layer.weights]


def _moved(before, layer):
  return [not np.array_equal(a, b.numpy()) for a, b in zip(before, layer.weights)]


def _sgd(model, rate):
  """Plain gradient steps, so that a small one has the sign of its gradient."""
  model.compile(tf.keras.optimizers.SGD(rate))
  if model.discriminator is not None:
    model.discriminator_optimizer = tf.keras.optimizers.SGD(rate)
  return model


def test_alone_it_is_the_cross_entropy_of_the_labelled(make, batch):
  model = make(TransferModel, Recipe(**_ALONE))
  images, labels = batch["target_labeled"]
  expected = source_target.cross_entropy(model(images), labels)
  logs = _step(model, batch)
  assert logs["loss"] == logs["supervised"] == pytest.approx(float(expected), rel=1e-5)
  assert "target_entropy" not in logs and "discriminator" not in logs


def test_the_step_is_adams_on_the_gradient_of_the_loss(make, batch):
  model, twin = (make(TransferModel, Recipe(**_ALONE)) for _ in range(2))
  images, labels = batch["target_labeled"]
  variables = twin.encoder.trainable_variables + twin.head.trainable_variables
  with tf.GradientTape() as tape:
    loss = source_target.cross_entropy(twin(images), labels)
  tf.keras.optimizers.Adam(1e-3).apply_gradients(zip(tape.gradient(loss, variables), variables))
  model.train_step(batch)
  for mine, theirs in zip(model.trainable_variables, twin.trainable_variables):
    np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_the_loss_is_the_weighted_sum_of_its_parts(make, batch):
  recipe = Recipe(alpha=0.3, beta=0.7, diversity_weight=0.2, source_weight=0.5, target_weight=2.0,
                  supervised_weight=1.5)
  logs = _step(make(TransferModel, recipe), batch)
  expected = logs["supervised"] + 0.3 * logs["adversarial"] + 0.7 * (
      0.5 * logs["source_entropy"] + 1.5 * logs["prototype"] + 2.0 * logs["target_entropy"]
      + 0.2 * logs["diversity"])
  assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_the_warm_up_ramps_the_unlabelled_terms_alone(make, batch):
  model = make(TransferModel, Recipe(alpha=0.3, beta=0.7, warm_up=10))
  assert float(model.ramp()) == 0.0
  logs = _step(model, batch)
  assert logs["loss"] == pytest.approx(logs["supervised"] + 0.7 * logs["prototype"], rel=1e-5)
  model.step.assign(5)
  assert float(model.ramp()) == 0.5
  model.step.assign(50)
  assert float(model.ramp()) == 1.0


def test_without_a_warm_up_the_ramp_is_one(make):
  assert float(make(TransferModel, Recipe()).ramp()) == 1.0


def test_the_discriminators_loss_falls_with_its_own_step(make, batch):
  model = _sgd(make(TransferModel, Recipe(beta=0.0, layers="features")), 1e-2)

  def loss(target):
    source = model._source(batch, training=False)
    seen = [adversary.select({**maps, "logits": logits}, model.layer_names) for maps, logits in (
        (source["activations"], source["logits"]), target)]
    return float(adversary.discriminator_loss(*(model.discriminator(s) for s in seen)))

  images = batch["target_unlabeled"]
  old = model.encoder(images)  # seen before the encoder moved
  old = old, model.head(source_target.embedding(model.encoder, old))
  before = loss(old)
  model.train_step(batch)
  assert loss(old) < before


def test_the_encoder_moves_the_targets_logits_up_to_source(make, batch):
  model = _sgd(make(TransferModel, Recipe(alpha=1.0, beta=0.0, layers="features")), 1e-2)
  model.discriminator_optimizer = tf.keras.optimizers.SGD(0.0)  # D stands still

  def told():
    activations = model.encoder(batch["target_unlabeled"])
    return float(tf.reduce_mean(model.discriminator(
        adversary.select(activations, model.layer_names))))

  before = told()
  model.train_step(batch)
  assert told() > before


def test_the_source_is_frozen_unless_the_recipe_trains_it(make, batch):
  model = make(TransferModel, Recipe(layers="features"))
  before = _weights(model.source_encoder)
  model.train_step(batch)
  assert not any(_moved(before, model.source_encoder))
  model = make(TransferModel, Recipe(layers="features", train_source=True))
  before = _weights(model.source_encoder)
  logs = _step(model, batch)
  assert all(_moved(before, model.source_encoder))
  assert logs["source_supervised"] > 0


@pytest.mark.parametrize(("layers", "n_source", "expected"), [
  (None, 2, ("pool2", "fc3", "logits")),
  (None, 3, ("pool2", "fc3")),
  ("features", 2, ("pool2", "fc3")),
  (("fc3",), 2, ("fc3",)),
])  # fmt: skip
def test_the_discriminator_sees_the_layers_of_the_rule(make, layers, n_source, expected):
  model = make(TransferModel, Recipe(layers=layers), n_source=n_source)
  assert model.layer_names == expected


def test_an_unknown_layer_is_told_with_those_there_are(make):
  with pytest.raises(ValueError, match="no layer 'fc9'; there are pool1, pool2, fc3, logits"):
    make(TransferModel, Recipe(layers=("fc9",)))


def test_adapt_begins_with_the_sources_weights(make):
  model = make(TransferModel, Recipe())
  model.begin_stage("source")
  assert any(_moved(_weights(model.source_encoder), model.encoder))
  model.begin_stage("adapt")
  assert not any(_moved(_weights(model.source_encoder), model.encoder))


def test_without_a_source_adapt_begins_at_random(make):
  model = make(TransferModel, Recipe(from_source=False))
  before = _weights(model.encoder)
  model.begin_stage("adapt")
  assert not any(_moved(before, model.encoder))


def test_a_batch_of_source_images_trains_the_source_alone(make, batch):
  model = make(TransferModel, Recipe())
  before = [_weights(part) for part in (model.source_encoder, model.encoder, model.head)]
  _step(model, {"source": batch["source"]})
  moved = [any(_moved(b, part)) for b, part in zip(
      before, (model.source_encoder, model.encoder, model.head))]
  assert moved == [True, False, False]


@pytest.mark.parametrize("wrong", [{"target_labeled": 0}, {"source": 0, "target": 0}, (0, 1)])
def test_a_batch_of_another_form_is_refused(make, wrong):
  with pytest.raises(ValueError, match="source, target_labeled, target_unlabeled"):
    make(TransferModel, Recipe()).train_step(wrong)


def test_the_mean_prediction_follows_the_votes(make, batch):
  model = make(TransferModel, Recipe.fixmatch(augment=False))
  votes = tf.nn.softmax(model(batch["target_unlabeled"])).numpy()
  labels, mask = model.guess(batch)
  mean = 0.95 * np.array([0.5, 0.5]) + 0.05 * votes.mean(axis=0)
  np.testing.assert_allclose(model.mean_prediction, mean, rtol=1e-5)
  aligned = votes / mean
  aligned /= aligned.sum(axis=1, keepdims=True)
  np.testing.assert_array_equal(labels, aligned.argmax(axis=1))
  np.testing.assert_array_equal(mask, aligned.max(axis=1) > 0.9)


def test_pseudo_labels_are_not_differentiated(make, batch):
  model = make(TransferModel, Recipe.stable(augment=False))
  with tf.GradientTape() as tape:
    labels, mask = model.guess(batch)
    total = tf.reduce_sum(mask) + tf.reduce_sum(tf.cast(labels, tf.float32))
  assert all(g is None for g in tape.gradient(total, model.trainable_variables))


@pytest.mark.parametrize("votes", ["head", "prototypes", "both"])
def test_every_kind_of_vote_trains(make, batch, votes):
  model = make(TransferModel, Recipe.stable(warm_up=0, pseudo_votes=votes, pseudo_threshold=0.01))
  logs = _step(model, batch)
  assert logs["pseudo_share"] == 1.0 and logs["pseudo"] > 0
  assert all(np.isfinite(v) for v in logs.values())


def test_the_views_are_a_function_of_seed_and_step(make, batch):
  model = make(TransferModel, Recipe(augment=True))
  images = batch["target_unlabeled"]
  first = model.views(images, 1)
  np.testing.assert_array_equal(first, model.views(images, 1))
  assert not np.array_equal(first, model.views(images, 0))
  model.total_steps.assign_add(1)
  assert not np.array_equal(first, model.views(images, 1))


def test_views_are_the_images_without_augmentation(make, batch):
  model = make(TransferModel, Recipe())
  assert model.views(batch["target_unlabeled"], 1) is batch["target_unlabeled"]


def test_it_overfits_two_patterns_through_fit(make):
  model = make(TransferModel, Recipe(**_ALONE, learning_rate=1e-2))
  images = np.zeros((4, 16, 16, 1), np.float32)
  images[:2, 4:8] = 1.0
  images[2:, 10:14] = 1.0
  one = {"source": (images, np.array([0, 1, 2, 0])),
         "target_labeled": (images, np.array([0, 0, 1, 1])), "target_unlabeled": images}
  data = tf.data.Dataset.from_tensors(one).repeat()
  history = model.fit(data, steps_per_epoch=60, epochs=1, verbose=0).history
  assert history["loss"][0] > 0
  assert model.predict(images, verbose=0).argmax(axis=1).tolist() == [0, 0, 1, 1]
  logs = model.evaluate(tf.data.Dataset.from_tensors((images, np.array([0, 0, 1, 1]))),
                        verbose=0, return_dict=True)
  assert logs["accuracy"] == 1.0


def test_mixed_precision_trains(make, batch):
  tf.keras.mixed_precision.set_global_policy("mixed_float16")
  model = make(TransferModel, Recipe.stable(warm_up=0))
  scales = tf.keras.mixed_precision.LossScaleOptimizer
  assert isinstance(model.optimizer, scales)
  assert isinstance(model.discriminator_optimizer, scales)
  assert all(np.isfinite(v) for v in _step(model, batch).values())


def _share(value, replica, count):
  """A replica's part of the images and labels of a stream."""
  return tf.nest.map_structure(lambda x: tf.split(x, count)[replica], value)


def _mirrored(make, recipe, batch):
  """Weights after a step on one device, and on two that share the batch as `data` deals it."""
  after = []
  for name in ("one_device", "mirrored"):
    strategy = strategies.get(name)
    with strategy.scope():
      model = make(TransferModel, recipe)

    def local(model=model, count=strategy.num_replicas_in_sync):
      replica = int(tf.distribute.get_replica_context().replica_id_in_sync_group)
      model.train_step({
        stream: value if stream == "target_labeled" else _share(value, replica, count)
        for stream, value in batch.items()})

    strategy.run(local)
    after.append([w.numpy() for w in model.trainable_variables])
  return after


@pytest.mark.parametrize("recipe", [
  Recipe(**_ALONE), Recipe.fixmatch(), Recipe(beta=0.0, layers="features"),
  Recipe.stable(warm_up=0, pseudo_threshold=0.2),
], ids=["fine_tune", "fixmatch", "adversarial", "stable"])  # fmt: skip
def test_two_replicas_step_as_one_device(make, batch, recipe):
  one, two = _mirrored(make, recipe, batch)
  for a, b in zip(one, two, strict=True):
    np.testing.assert_allclose(a, b, atol=2e-6)
