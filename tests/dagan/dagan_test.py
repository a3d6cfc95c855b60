"""Tests of DA-GAN's step: who learns when, k, the warm-up, replicas."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import strategies
from garden.dagan import dagan
from garden.dagan import settings

_NETWORK = settings.Network(size=16, filters=4, hidden=6, refiner_filters=(4, 6))
_K = 3


def _batch(n=4, seed=0):
  rng = np.random.default_rng(seed)
  images = rng.uniform(-1, 1, (2, n, 16, 16, 3)).astype(np.float32)
  mask = (rng.random((n, 16, 16, 1)) < 0.6).astype(np.float32)
  return {"real": {"image": images[0], "identity": rng.integers(0, _K, n)},
          "simulated": {"image": images[1], "identity": rng.integers(0, _K, n), "mask": mask,
                        "visible": 0.5 * mask}}


def _tensors(batch):
  return tf.nest.map_structure(tf.constant, batch)


def _model(network=_NETWORK, seed=0, **recipe):
  tf.keras.utils.set_random_seed(seed)
  made = dagan.DAGAN(network, settings.Recipe(**{"learning_rate": 1e-3, **recipe}), _K)
  made.build()
  made.compile()
  return made


def _values(variables):
  return [variable.numpy() for variable in variables]


def _moved(before, variables):
  return any(not np.array_equal(a, b) for a, b in zip(before, _values(variables)))


def test_a_step_moves_both_nets_and_logs_what_it_says():
  model = _model()
  both = [model.discriminator_variables, model.refiner.trainable_variables]
  before = [_values(variables) for variables in both]
  logs = model.train_step(_tensors(_batch()))
  assert all(_moved(*pair) for pair in zip(before, both))
  assert all(np.isfinite(float(value)) for value in logs.values())
  assert int(model.total_steps) == 1
  real, refined = float(logs["real_error"]), float(logs["refined_error"])
  assert float(logs["convergence"]) == pytest.approx(real + abs(0.5 * real - refined), rel=1e-5)


def test_k_follows_its_rule_from_the_steps_own_errors():
  model = _model(k_rate=0.1, k_start=0.5)
  logs = model.train_step(_tensors(_batch()))
  expected = 0.5 + 0.1 * (0.5 * float(logs["real_error"]) - float(logs["refined_error"]))
  assert float(model.k_t) == pytest.approx(expected, rel=1e-5)


def test_a_constant_k_stays():
  model = _model(balance="constant", k_start=0.5, margin=2.0)
  for _ in range(3):
    model.train_step(_tensors(_batch()))
  assert float(model.k_t) == 0.5


@pytest.mark.parametrize("margin_on, expected", [("image", -0.5 / 4), ("pixel", 0.0)])
def test_a_margin_is_of_images_or_of_pixels(margin_on, expected):
  model = _model(balance="constant", k_start=0.5, margin=2.0, margin_on=margin_on)
  # An image of four pixels of which one is far off: at .325 the image is below the cap of .4.
  real, made = tf.fill([1, 2, 2], 0.2), tf.constant([[[1.0, 0.1], [0.1, 0.1]]])
  with tf.GradientTape() as tape:
    tape.watch(made)
    loss = model.adversarial_loss(real, made)
  gradient = tape.gradient(loss, made).numpy()
  assert gradient[0, 0, 0] == pytest.approx(expected)
  np.testing.assert_allclose(gradient.ravel()[1:], -0.5 / 4)


def test_a_ratio_above_one_takes_k_off_zero_where_errors_are_alike():
  # A refiner begins as its image, which D reconstructs about as well as a real one.
  found = {}
  for gamma in (0.5, 1.6):
    model = _model(k_rate=0.1, gamma=gamma, margin=2.0)
    model.update_balance(tf.constant(0.2), tf.constant(0.2))
    found[gamma] = float(model.k_t)
  assert found[0.5] == 0.0 and found[1.6] == pytest.approx(0.1 * 0.6 * 0.2)


def test_the_generators_step_sends_nothing_into_the_discriminator():
  model = _model()
  batch = _tensors(_batch())
  with tf.GradientTape() as tape:
    loss, _ = model.generator_losses(
        model.refiner(batch["simulated"]["image"]), batch["simulated"])
  gradients = tape.gradient(loss, model.refiner.trainable_variables)
  assert all(gradient is not None for gradient in gradients)
  before = _values(model.discriminator_variables)
  model.minimize(tape=_Recorded(gradients), loss=loss,
                 variables=model.refiner.trainable_variables,
                 optimizer=model.generator_optimizer)
  assert not _moved(before, model.discriminator_variables)


class _Recorded:
  """A tape whose gradients are known."""

  def __init__(self, gradients):
    self._gradients = gradients

  def gradient(self, loss, variables, output_gradients=None):
    del loss, variables, output_gradients
    return self._gradients


@pytest.mark.parametrize("identity_on, learns", [("both", True), ("real", False)])
def test_the_agent_learns_on_refined_images_only_if_told(identity_on, learns):
  model = _model(identity_on=identity_on)
  batch = _tensors(_batch())
  real = {**batch["real"], "identity": tf.fill([4], -1)}
  with tf.GradientTape() as tape:
    loss, _ = model.discriminator_losses(real, batch["simulated"]["image"],
                                         batch["simulated"]["identity"])
  gradient = tape.gradient(loss, model.agent.people)
  assert (gradient is not None and np.abs(gradient).max() > 0) == learns


def test_both_nets_lower_the_identity_loss():
  model = _model(identity_weight=1.0, pixel_weight=0.0)
  batch = _tensors(_batch())
  model.refiner.image.kernel.assign(0.01 * tf.ones_like(model.refiner.image.kernel))

  def first(kind):
    with tf.GradientTape() as tape:
      logits = model.discriminate(model.refiner(batch["simulated"]["image"]))[1]
      identity = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
          batch["simulated"]["identity"], logits))
    return tape.gradient(identity, kind)

  for weight in (0.0, 1.0):
    object.__setattr__(model.recipe, "identity_weight", weight)
    with tf.GradientTape(persistent=True) as tape:
      generator, _ = model.generator_losses(
        model.refiner(batch["simulated"]["image"]), batch["simulated"])
      discriminator, _ = model.discriminator_losses(
          {**batch["real"], "identity": tf.fill([4], -1)},
          tf.stop_gradient(model.refiner(batch["simulated"]["image"])),
          batch["simulated"]["identity"])
    if not weight:
      without = [tape.gradient(generator, model.refiner.image.kernel),
                 tape.gradient(discriminator, model.autoencoder.encoder.code.kernel)]
      continue
    added = [tape.gradient(generator, model.refiner.image.kernel) - without[0],
             tape.gradient(discriminator, model.autoencoder.encoder.code.kernel) - without[1]]
  np.testing.assert_allclose(added[0], first(model.refiner.image.kernel), atol=1e-5)
  np.testing.assert_allclose(added[1], first(model.autoencoder.encoder.code.kernel), atol=1e-5)


def test_the_mask_says_which_pixels_count():
  batch = _tensors(_batch())["simulated"]
  assert dagan._pixel_mask("none", batch) is None
  np.testing.assert_array_equal(dagan._pixel_mask("head", batch), batch["mask"])
  # What was seen of the head, and all of the background.
  np.testing.assert_allclose(dagan._pixel_mask("visible", batch), 1.0 - 0.5 * batch["mask"])


def test_pixels_outside_of_the_mask_are_free():
  model = _model(mask="head", identity_weight=0.0, pixel_weight=1.0)
  batch = _tensors(_batch())["simulated"]
  model.refiner.image.bias.assign([0.5, 0.25, 0.0])
  _, values = model.generator_losses(model.refiner(batch["image"]), batch)
  assert float(values["pixel_loss"]) == pytest.approx(0.25, abs=1e-5)
  _, values = model.generator_losses(model.refiner(batch["image"]), {
      **batch, "mask": tf.zeros_like(batch["mask"])})
  assert float(values["pixel_loss"]) == 0.0


def test_the_warm_up_is_the_discriminators_alone():
  model = _model()
  model.stage_name = "warm_up"
  before = [_values(model.refiner.variables), _values(model.discriminator_variables)]
  logs = model.train_step(_tensors(_batch()))
  assert not _moved(before[0], model.refiner.variables)
  assert _moved(before[1], model.discriminator_variables)
  assert float(model.k_t) == 0.0 and "refined_error" not in logs


def test_vanishing_residuals_vanish_with_the_steps():
  network = settings.Network(size=16, filters=4, hidden=6, refiner_filters=(4, 6), vanishing=4)
  model = _model(network)
  carries = []
  for _ in range(3):
    model.train_step(_tensors(_batch()))
    carries.append(float(model.autoencoder.carry))
  assert carries == [1.0, 0.75, 0.5]


@pytest.mark.parametrize("k, balance, sign", [
    (0.0, "began", "k_0"), (1.0, "began", "k_1"), (0.5, "began", None), (0.0, "constant", None)])
def test_a_stuck_balance_is_told(k, balance, sign):
  found = _model(balance=balance).epoch_warnings({"k_t": k})
  assert set(found) == ({sign} if sign else set())


def test_fit_goes_through_both_stages():
  model = _model(balance="constant", k_start=0.5, margin=2.0, identity_on="real", mask="visible")
  data = tf.data.Dataset.from_tensors(_batch()).repeat()
  model.stage_name = "warm_up"
  model.fit(data, steps_per_epoch=3, verbose=0)
  model.stage_name = "train"
  model.compile()
  history = model.fit(data, steps_per_epoch=4, epochs=3, verbose=0)
  errors = history.history["real_error"]
  assert errors[-1] < errors[0]


def test_two_replicas_make_the_step_of_one():
  def stepped(strategy):
    with strategy.scope():
      model = _model(balance="began", k_start=0.3, k_rate=0.1, margin=2.0)
      values = iter(start)
      for variable in model.variables:
        if "optimizer" not in variable.name:
          variable.assign(next(values))
    data = strategy.experimental_distribute_dataset(
        tf.data.Dataset.from_tensor_slices(_batch()).batch(4))
    run = tf.function(lambda batch: strategy.run(model.train_step, args=(batch,)))
    run(next(iter(data)))
    return model

  first = _model()
  start = [v.numpy() for v in first.variables if "optimizer" not in v.name]
  one, two = stepped(strategies.get("one_device")), stepped(strategies.get("mirrored"))
  for a, b in zip(one.discriminator_variables + one.refiner.trainable_variables,
                  two.discriminator_variables + two.refiner.trainable_variables):
    np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-4, err_msg=a.name)
  assert one.k_t.numpy() == pytest.approx(two.k_t.numpy(), rel=1e-4)


def test_spectral_norms_are_one_after_training_steps():
  network = settings.Network(size=16, filters=4, hidden=6, refiner_filters=(4, 6), spectral=True)
  model = _model(network, learning_rate=1e-4)
  batch = _tensors(_batch())
  for _ in range(20):
    model.train_step(batch)
  for layer in model.autoencoder.encoder.down:
    kernel = layer.w.numpy()
    norm = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
    assert norm == pytest.approx(1.0, abs=0.1)


def test_spectral_normalisation_on_several_replicas_is_refused():
  strategy = strategies.get("mirrored")
  assert strategy.num_replicas_in_sync == 2
  network = settings.Network(size=16, filters=4, hidden=6, refiner_filters=(4, 6), spectral=True)
  with strategy.scope(), pytest.raises(ValueError, match="works on one replica"):
    dagan.DAGAN(network, settings.Recipe(), _K)


def test_both_optimizers_scale_their_losses_in_half_precision():
  tf.keras.mixed_precision.set_global_policy("mixed_float16")
  try:
    model = _model()
    before = [_values(model.discriminator_variables), _values(model.refiner.trainable_variables)]
    logs = model.train_step(_tensors(_batch()))
  finally:
    tf.keras.mixed_precision.set_global_policy("float32")
  scaled = tf.keras.mixed_precision.LossScaleOptimizer
  assert all(isinstance(optimizer, scaled) for optimizer in model.optimizers().values())
  assert np.isfinite(float(logs["generator_loss"]))
  assert _moved(before[0], model.discriminator_variables)
  assert _moved(before[1], model.refiner.trainable_variables)


def test_a_resumed_run_takes_the_steps_of_the_unbroken_one(tmp_path):
  recipe = dict(k_rate=0.1, k_start=0.5, stall_window=2, history=4)
  unbroken, broken, resumed = (_model(**recipe) for _ in range(3))
  batches = [_tensors(_batch(seed=k)) for k in range(5)]
  for batch in batches:
    unbroken.train_step(batch)
  for batch in batches[:3]:
    broken.train_step(batch)
  for model in (broken, resumed):
    model.optimizer.build(model.discriminator_variables)
    model.generator_optimizer.build(model.refiner.trainable_variables)
  path = tf.train.Checkpoint(model=broken).save(str(tmp_path / "c"))
  tf.train.Checkpoint(model=resumed).restore(path).assert_existing_objects_matched()
  for batch in batches[3:]:
    resumed.train_step(batch)
  assert float(resumed.k_t) == float(unbroken.k_t) != 0.5
  for a, b in zip(unbroken.get_weights(), resumed.get_weights()):
    np.testing.assert_array_equal(a, b)
