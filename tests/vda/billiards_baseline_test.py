"""Tests of the supervised neighbour of the billiards' de-animation."""

import numpy as np
import pytest
import tensorflow as tf

from garden.vda import billiards_baseline
from garden.vda import billiards_settings as settings

pytestmark = pytest.mark.usefixtures("seeded")

_NETWORK = settings.BilliardsBaselineNetwork(seen=3, filters=(4, 4), units=8, dense_units=16,
                                             layers=2)


def _model(steps=20, **recipe):
  model = billiards_baseline.BilliardsBaseline(
      _NETWORK, settings.BilliardsRecipe(**{"warm_up": 0, **recipe}), frames=5, steps=steps)
  model.imagine(tf.zeros([1, 3, 16, 16, 3]), 1)
  model.compile()
  model.optimizer.build(model.trainable_variables)
  return model


def _clip(n=4):
  def draw(shape, seed):
    return tf.random.stateless_uniform(shape, [0, seed])
  return {"video": draw([n, 3, 16, 16, 3], 0), "position": draw([n, 5, 4, 2], 1) - 0.5,
          "velocity": draw([n, 5, 4, 2], 2) - 0.5, "radius": tf.fill([n, 4], 0.1),
          "present": tf.constant([[True, True, False, True]] * n)}


def _batch():
  clip = _clip()
  return {"clip": clip, "states": {name: clip[name] for name in (
      "present", "radius", "position", "velocity")}}


def test_it_tells_the_state_and_the_future():
  model, clip = _model(), _clip()
  found = model.imagine(clip["video"], 2)
  assert found["future_position"].shape == found["future_velocity"].shape == (4, 2, 4, 2)
  np.testing.assert_array_equal(model(clip["video"])["velocity"], found["velocity"])


def test_fewer_frames_are_the_first_ones():
  model, clip = _model(), _clip()
  whole, part = (model.imagine(clip["video"], future) for future in (2, 1))
  for name in ("future_position", "future_velocity"):
    np.testing.assert_array_equal(part[name], whole[name][:, :1])


@pytest.mark.parametrize("future", [0, 3])
def test_more_future_than_it_was_made_for_is_refused(future):
  with pytest.raises(ValueError, match=f"future is {future}, but dense layers tell 2 frames"):
    _model().imagine(tf.zeros([1, 3, 16, 16, 3]), future)


def test_training_lowers_the_loss():
  model = _model(steps=60, learning_rate=0.01, position_weight=0.05)
  history = model.fit(tf.data.Dataset.from_tensors(_batch()).repeat(), steps_per_epoch=20,
                      epochs=3, verbose=0).history
  assert history["loss"][-1] < 0.7 * history["loss"][0]


def test_all_that_is_trained_gets_a_finite_gradient():
  model = _model()
  with tf.GradientTape() as tape:
    loss = tf.add_n(list(model.terms_of(_batch()).values()))
  gradients = tape.gradient(loss, model.trainable_variables)
  assert all(g is not None and np.isfinite(g).all() for g in gradients)


def test_absent_balls_do_not_count():
  model, batch = _model(), _batch()
  wrong = {part: {**values, **{name: tf.where(
      values["present"][:, None, :, None], values[name], 1e3) for name in ("position", "velocity")}}
           for part, values in batch.items()}
  for name, value in model.terms_of(batch).items():
    assert float(value) == pytest.approx(float(model.terms_of(wrong)[name]), rel=1e-5), name


def _inputs():
  clip = _clip()
  return clip["position"][:, :3], clip["velocity"][:, 2], clip["present"]


def test_where_an_absent_colour_seems_to_be_changes_nothing():
  layer = billiards_baseline.DenseFuture(2, units=8, layers=1)
  track, velocity, present = _inputs()
  moved = tf.where(present[:, None, :, None], track, track + 1.0)
  faster = tf.where(present[..., None], velocity, velocity + 1.0)
  for a, b in zip(layer(track, velocity, present), layer(moved, faster, present)):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("changes", [{"future": 0}, {"units": 0}, {"layers": 0}])
def test_dense_layers_without_anything_are_refused(changes):
  with pytest.raises(ValueError, match="each must be at least 1"):
    billiards_baseline.DenseFuture(**{"future": 2, **changes})


def test_a_layer_made_from_its_config_is_the_same():
  layer = billiards_baseline.DenseFuture(2, units=8, layers=2)
  expected = layer(*_inputs())
  again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
  assert again.get_config() == layer.get_config()
  again(*_inputs())
  again.set_weights(layer.get_weights())
  tf.nest.map_structure(np.testing.assert_array_equal, again(*_inputs()), expected)
