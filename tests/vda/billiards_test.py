"""Tests of the billiards' de-animation: what each stage minimises, and with which gradients."""

import numpy as np
import pytest
import tensorflow as tf

from garden.vda import billiards
from garden.vda import billiards_settings as settings
from garden.vda import interaction
from garden.worlds.billiards import renderer
from garden.worlds.billiards import scene

pytestmark = pytest.mark.usefixtures("seeded")

_NETWORK = settings.BilliardsNetwork(seen=3, filters=(4, 4), units=8, engine_units=8, substeps=1)
_SECONDS = 0.1


def _model(steps=(20, 0, 0), network=_NETWORK, **recipe):
  model = billiards.Billiards(network, settings.BilliardsRecipe(
      **{"future": 2, "horizon": 2, "warm_up": 0, **recipe}), image_size=32, steps=steps)
  model.imagine(tf.zeros([1, 3, 32, 32, 3]), 1)
  model.compile()
  model.optimizer.build(model.trainable_variables)
  return model


def _clip(n=4, frames=5, seed=0):
  """Slow balls that roll on straight, in places by colour, with their pictures."""
  tables = scene.sample(n, seed, max_balls=4, distribution=scene.Distribution(
      counts=(3,), speed=(0.1, 0.3)))
  tables = tables.replace(color=np.broadcast_to(
      scene.BASE_COLORS[:4], [n, 4, 3]).astype(np.float32))
  when = _SECONDS * np.arange(frames, dtype=np.float32)[None, :, None, None]
  position = tables.position[:, None] + when * tables.velocity[:, None]
  video = [renderer.render(tables.replace(position=position[:, t]).arrays(), 32)["image"]
           for t in range(frames)]
  velocity = np.repeat(tables.velocity[:, None], frames, axis=1)
  return {"video": tf.stack(video, axis=1), "present": tf.constant(tables.present),
          "radius": tf.constant(tables.radius), "position": tf.constant(position),
          "velocity": tf.constant(velocity), "tables": tables}


def _batch(clip):
  clip = {name: value for name, value in clip.items() if name != "tables"}
  return {"clip": clip, "states": {name: clip[name] for name in (
      "present", "radius", "position", "velocity")}}


class _Sees(tf.keras.layers.Layer):
  """Perception that tells what is true, `shift` to the right, and `faster` that way."""

  def __init__(self, clip, shift=0.0, faster=0.0):
    super().__init__()
    self.seen, self.radius, self.clip = 3, scene.RADIUS, clip
    self.shift, self.faster = tf.Variable(shift), tf.Variable(faster)

  def velocity(self, track, present, radius):
    """The true velocities, and `faster`."""
    del track, present, radius
    return self.clip["velocity"][:, 2] + tf.stack([self.faster, 0.0])

  def call(self, frames):
    """The state of the clip's tables."""
    del frames
    track = self.clip["position"][:, :3] + tf.stack([self.shift, 0.0])
    return {"present": self.clip["present"], "logits": tf.zeros([len(track), 4]), "track": track,
            "position": track[:, -1], "velocity": self.velocity(None, None, None),
            "radius": self.clip["radius"], "color": self.clip["tables"].color,
            "cloth_color": self.clip["tables"].cloth_color}


def _truth(clip, **kwargs):
  model = _model(network=settings.BilliardsNetwork(
      seen=3, filters=(4, 4), units=8, engine_units=8, substeps=1, softness=1.0))
  model.perception = _Sees(clip, **kwargs)
  return model


def test_true_states_make_the_true_pictures():
  clip = _clip()
  # Untrained the engine rolls balls on straight, as these do.
  terms = _truth(clip).reconstruction_terms(clip["video"], 2)
  assert set(terms) == {"reconstruction_loss", "future_loss"}
  for loss in terms.values():
    assert float(loss) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("off", [0.02, -0.02])
def test_seen_frames_pull_balls_to_where_they_are_seen(off):
  clip = _clip()
  model = _truth(clip, shift=off)
  with tf.GradientTape() as tape:
    loss = model.reconstruction_terms(clip["video"], 0)["reconstruction_loss"]
  slope = float(tape.gradient(loss, model.perception.shift))
  assert np.isfinite(slope) and np.sign(slope) == np.sign(off)


@pytest.mark.parametrize("off", [0.1, -0.1])
def test_future_frames_pull_velocities_through_the_engine(off):
  clip = _clip()
  model = _truth(clip, faster=off)
  with tf.GradientTape() as tape:
    loss = model.reconstruction_terms(clip["video"], 2)["future_loss"]
  slope, none = tape.gradient(loss, [model.perception.faster, model.perception.shift])
  assert np.isfinite(float(slope)) and np.sign(float(slope)) == np.sign(off)
  assert none is None  # where balls are is left to the seen frames


def test_imagined_balls_roll_on_straight_before_training():
  clip = _clip()
  found = _truth(clip).imagine(clip["video"][:, :3], 2)
  np.testing.assert_allclose(found["future_position"], clip["position"][:, 3:], atol=1e-5)
  np.testing.assert_allclose(found["future_velocity"], clip["velocity"][:, 3:], atol=1e-6)


def test_a_loop_in_the_graph_gives_what_the_unrolled_one_gives():
  model, clip = _model(), _clip()
  last = model.engine.update.layers[-1].kernel
  last.assign(0.1 * tf.random.stateless_normal(last.shape, [0, 1]))
  start = {"present": clip["present"], "radius": clip["radius"],
           "position": clip["position"][:, 0], "velocity": clip["velocity"][:, 0]}
  for a, b in zip(billiards.rollout(model.engine, start, 3),
                  interaction.rollout(model.engine, start, 3)):
    np.testing.assert_allclose(a, b, atol=1e-6)


def _gradients(model, stage, clip):
  """Which parts get a gradient in a stage."""
  model.stage_name = stage
  batch = _batch(clip) if stage == "init" else {"video": clip["video"]}
  with tf.GradientTape() as tape:
    loss = tf.add_n(list(model.terms_of(batch).values()))
  variables = model.trainable_variables
  found = tape.gradient(loss, variables)
  assert all(np.isfinite(g).all() for g in found if g is not None)
  parts = {"heat": model.perception.heat_maps, "velocity": model.perception.velocity,
           "engine": model.engine}
  moved = {id(v) for v, g in zip(variables, found) if g is not None}
  return {name for name, part in parts.items()
          if any(id(v) in moved for v in part.trainable_variables)}


@pytest.mark.parametrize("stage, parts", [
    ("init", {"heat", "velocity", "engine"}), ("joint", {"heat"}),
    ("full", {"heat", "velocity", "engine"})])
def test_each_stage_moves_its_parts(stage, parts):
  assert _gradients(_model(), stage, _clip()) == parts


def test_absent_balls_do_not_count():
  model, batch = _model(), _batch(_clip())
  wrong = {part: {**values, **{name: tf.where(
      values["present"][:, None, :, None], values[name], 1e3) for name in ("position", "velocity")}}
           for part, values in batch.items()}
  for name, value in model.terms_of(batch).items():
    assert float(value) == pytest.approx(float(model.terms_of(wrong)[name]), rel=1e-5), name


def test_training_lowers_the_loss():
  model = _model(steps=(40, 0, 0), learning_rate=0.02, position_weight=0.05)
  data = tf.data.Dataset.from_tensors(_batch(_clip())).repeat()
  history = model.fit(data, steps_per_epoch=10, epochs=4, verbose=0).history
  assert history["loss"][-1] < 0.8 * history["loss"][0]
  terms = [history[name][-1] for name in ("position_loss", "presence_loss", "velocity_loss",
                                          "engine_loss")]
  assert history["loss"][-1] == pytest.approx(sum(terms), rel=1e-4)


def test_a_step_is_a_function_of_the_seed():
  def weights():
    tf.keras.utils.set_random_seed(0)
    model = _model()
    model.run_eagerly = True
    model.fit(tf.data.Dataset.from_tensors(_batch(_clip(2))).repeat(), steps_per_epoch=2,
              verbose=0)
    return model.get_weights()
  for a, b in zip(weights(), weights()):
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_validation_measures_the_future():
  clip = _clip()
  found = billiards.future_errors(_truth(clip, shift=0.03), clip)
  assert float(found["position_error"]) == pytest.approx(0.03, abs=1e-4)
  assert float(found["velocity_error"]) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("length, value", [(0.0, 0.0), (0.5, 0.125), (1.0, 0.5), (3.0, 2.5)])
def test_mean_error_is_hubers(length, value):
  error = tf.constant([[[0.6 * length, -0.8 * length], [9.0, 9.0]]])
  with tf.GradientTape() as tape:
    tape.watch(error)
    loss = billiards.mean_error(error, tf.constant([[True, False]]))
  assert float(loss) == pytest.approx(value, abs=1e-6)
  assert np.isfinite(tape.gradient(loss, error)).all()


def test_an_unknown_stage_is_refused():
  model = _model()
  model.stage_name = "finetune"
  with pytest.raises(ValueError, match="stage is 'finetune'; .* init, joint, full"):
    model.terms_of({"video": tf.zeros([1, 5, 32, 32, 3])})
