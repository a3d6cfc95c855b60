"""Tests of the model: what each stage minimises, which part learns from what, in which direction.

Where blocks have to have been found, the nets of proposals and of pairs are told the truth.
"""

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import stream
from garden.vda import data
from garden.vda import proposals
from garden.vda import settings
from garden.vda.vda import VDA

pytestmark = pytest.mark.usefixtures("seeded")

_NETWORK = settings.Network(filters=(8, 8, 8), size=32, pixels_per_block=12.0, proposal_size=32,
                            picture_size=32)
# A block must be wider than the five pixels that specks have, and three cells.
_FINER = settings.Network(filters=(8, 8, 8), size=32, pixels_per_block=12.0, picture_size=48)
_SOURCE, _TARGET = 6, 4  # scenes of a batch
_SOME = 3  # of the source, for the proposals: a half


def _model(stage="init", seed=0, **recipe):
  tf.keras.utils.set_random_seed(0)
  model = VDA(_NETWORK, settings.Recipe(**{"warm_up": 0, **recipe}), stage, steps=20, seed=seed)
  image, camera = tf.zeros([1, 64, 64, 3]), tf.constant([[0.0, 0.3, 9.5, 38.0, 0.0, 0.0, 1.5]])
  model({"image": image, "camera": camera})
  model.perception.look(image, camera, tf.constant([[[0.0, 0.0, 1.0, 1.0]] * 4]),
                        tf.ones([1, 4], tf.bool))
  model.compile()
  model.optimizer.build(model.trainable_variables)
  return model


def _light(n):
  return arrays.light_numbers(arrays.scenes_of("towers_64", "train", n))


@pytest.fixture(scope="module")
def batch(towers):
  """`{"source": 6 towers, "target": 4 others}`, with all that is known of them."""
  whole = next(iter(stream.in_order(towers, _SOURCE + _TARGET)))
  whole["light"] = tf.constant(_light(_SOURCE + _TARGET))
  return {"source": {name: value[:_SOURCE] for name, value in whole.items()},
          "target": {name: value[_SOURCE:] for name, value in whole.items()}}


def _told(target, *names):
  return {name: target[name] for name in ("image", "camera", *names)}


class _Cells(tf.keras.layers.Layer):
  """A net of proposals that tells what is true of scenes; `sure` has a gradient."""

  def __init__(self, *scenes):
    super().__init__()
    self.sure = tf.Variable(8.0)
    self.scenes = scenes
    self.seen = []

  def call(self, views):
    """The cells of these views, which must be as many."""
    self.seen.append(views)
    cells = []
    for scene in self.scenes:
      boxes = proposals.into(scene["boxes"], proposals.squares(scene["camera"]))
      _, middles, sides, classes = proposals.targets(
          boxes, scene["present"], scene["color_class"], views.shape[1] // 4)
      cells.append(tf.concat([self.sure * (2.0 * middles - 1.0)[..., tf.newaxis], sides,
                              self.sure * tf.one_hot(classes - 1, 4)], axis=-1))
    return tf.concat(cells, axis=0)


class _Poses(tf.keras.layers.Layer):
  """A net of pairs that tells what is true, all but `shift` to the right and away."""

  def __init__(self, poses, shift=(0.0, 0.0)):
    super().__init__()
    self.poses, self.shift = poses, tf.Variable(shift)
    self.seen = []

  def call(self, inputs):
    """The poses of these windows, which must be as many."""
    self.seen.append(inputs["windows"])
    return self.poses + tf.pad(self.shift, [[0, 4]])


def _truth(batch, shift=(0.0, 0.0), **recipe):
  """A model whose two nets tell the truth, that of pairs all but a shift."""
  model = VDA(_FINER, settings.Recipe(**recipe))
  source, target = batch["source"], batch["target"]
  some = {name: value[:_SOME] for name, value in source.items()}
  model.perception.proposals = _Cells(some, target, target)
  model.perception.pair_net = _Poses(tf.concat(
      [tf.boolean_mask(part["poses"], part["valid"]) for part in (source, target)], axis=0), shift)
  return model


def _losses(model, batch, *names, seed=(0, 1)):
  target = _told(batch["target"], *names) if names != ("none",) else None
  # Not in training: no noise, and squares as they are.
  return model.losses_of(batch["source"], target, tf.constant(seed), training=False)


def test_an_image_and_its_camera_become_state_stability_and_picture(batch):
  found = _model()(_told(batch["target"]))
  shapes = {name: tuple(value.shape) for name, value in found.items()}
  assert shapes["position"] == (4, 4, 3) and shapes["score"] == (4, 4)
  assert shapes["image"] == (4, 32, 32, 3) and shapes["light"] == (4, 4)
  assert {shapes[name] for name in ("margin", "fall_probability", "reconstruction_error")} == {
      (4,)}
  np.testing.assert_array_equal(found["camera"], batch["target"]["camera"])


def test_without_a_camera_it_is_estimated(batch):
  found = _model()({"image": batch["target"]["image"]})
  np.testing.assert_array_equal(found["camera"], found["estimated_camera"])
  np.testing.assert_array_equal(found["camera"][:, 0], 0.0)


def test_an_empty_picture_has_an_answer():
  found = _model()({"image": tf.zeros([2, 64, 64, 3])})
  for name, value in found.items():
    assert value.dtype in (tf.bool, tf.int32) or np.isfinite(value).all(), name


def test_the_truth_is_told_as_the_truth(batch):
  model, target = VDA(_FINER, settings.Recipe()), batch["target"]
  model.perception.proposals = _Cells(target)
  model.perception.pair_net = _Poses(tf.boolean_mask(target["poses"], target["valid"]))
  found = model(_told(target))
  np.testing.assert_array_equal(found["present"], target["present"])
  np.testing.assert_array_equal(found["color_class"], target["color_class"])
  clear = np.abs(target["margin"]) > 0.02
  told = found["fall_probability"].numpy() > 0.5
  np.testing.assert_array_equal(told[clear], target["fall"].numpy()[clear] == 1)


def test_each_stage_minimises_more(batch):
  model = _model()
  init, logged = _losses(model, batch, "none")
  assert set(init) == {"pose_loss", "proposal_loss", "around_loss"} and not logged
  joint, logged = _losses(model, batch)
  assert set(joint) - set(init) == {"reconstruction_loss", "completion_loss"}
  assert set(logged) == {"reconstruction_error"}
  full, logged = _losses(model, batch, "fall")
  assert set(full) - set(joint) == {"physics_loss"}
  assert set(logged) == {"reconstruction_error", "accuracy"}
  assert all(np.isfinite(value) for value in full.values())


def test_weights_scale_their_terms(batch):
  names = ("pose", "proposal", "around", "reconstruction", "completion", "physics")
  plain = _truth(batch, (0.1, 0.1), **{f"{name}_weight": 1.0 for name in names})
  double = VDA(_FINER, settings.Recipe(**{f"{name}_weight": 2.0 for name in names}))
  double.perception, double.surroundings = plain.perception, plain.surroundings
  once, twice = (_losses(model, batch, "fall")[0] for model in (plain, double))
  for name, value in once.items():
    assert float(value) > 0.0
    assert float(twice[name]) == pytest.approx(2.0 * float(value), rel=1e-3), name


def test_true_poses_cost_nothing_and_reconstruct_best(batch):
  found = [_losses(_truth(batch, (shift, shift)), batch)[0] for shift in (0.0, 0.2)]
  assert float(found[0]["pose_loss"]) == pytest.approx(0.0, abs=1e-6)
  assert float(found[1]["pose_loss"]) > 0.5
  assert float(found[0]["reconstruction_loss"]) < float(found[1]["reconstruction_loss"])


@pytest.mark.parametrize("names, term, parts", [
    ((), "pose_loss", {"pair_net"}),
    ((), "proposal_loss", {"proposals"}),
    ((), "around_loss", {"surroundings"}),
    ((), "reconstruction_loss", {"pair_net", "surroundings"}),
    ((), "completion_loss", {"proposals"}),
    (("fall",), "physics_loss", {"pair_net"})])
def test_a_term_teaches_its_parts_alone(batch, names, term, parts):
  model = _truth(batch, (0.05, -0.05))
  model.surroundings(tf.zeros([1, 48, 48, 3]))
  groups = {"proposals": [model.perception.proposals.sure],
            "pair_net": [model.perception.pair_net.shift],
            "surroundings": model.surroundings.trainable_variables}
  with tf.GradientTape() as tape:
    loss = _losses(model, batch, *names)[0][term]
  found = tape.gradient(loss, groups)
  reached = {name for name, values in found.items()
             if any(v is not None and np.abs(v).max() > 0.0 for v in values)}
  assert reached == parts
  assert all(np.isfinite(v).all() for values in found.values() for v in values if v is not None)


def _slope(model, batch, term, names=(), seed=(0, 1)):
  """The gradient of a term by the shift to the right and away."""
  shift = model.perception.pair_net.shift
  with tf.GradientTape() as tape:
    loss = _losses(model, batch, *names, seed=seed)[0][term]
  return tape.gradient(loss, shift).numpy()


@pytest.mark.parametrize("offset", [-0.12, 0.12])
def test_pictures_pull_blocks_to_where_they_are_seen(batch, offset):
  model = _truth(batch, (offset, 0.0))
  assert np.sign(_slope(model, batch, "reconstruction_loss")[0]) == np.sign(offset)


@pytest.mark.parametrize("offset", [-0.12, 0.12])
def test_reinforce_pulls_the_same_way(batch, offset):
  model = _truth(batch, (offset, 0.0), reconstruction="reinforce", samples=12)
  assert np.sign(_slope(model, batch, "reconstruction_loss")[0]) == np.sign(offset)


def _lone_pair(batch, across, fall):
  """The batch with targets of two blocks, the upper one `across` to the right, and their labels."""
  target, pair = batch["target"], np.zeros([_TARGET, 3, 6], np.float32)
  pair[:, 0] = [across, 0.0, 1.0, 0.0, 1.0, 0.0]
  valid = tf.constant([[True, False, False]] * _TARGET)
  present = tf.constant([[True, True, False, False]] * _TARGET)
  boxes = np.zeros([_TARGET, 4, 4], np.float32)
  boxes[:, 0], boxes[:, 1] = [0.62, 0.40, 0.84, 0.62], [0.40, 0.38, 0.62, 0.60]
  return {**batch, "target": {
      **target, "poses": tf.constant(pair), "valid": valid, "present": present,
      "boxes": tf.constant(boxes), "color_class": tf.constant([[1, 2, 0, 0]] * _TARGET),
      "fall": tf.constant([fall] * _TARGET, tf.int64)}}


@pytest.mark.parametrize("physics", ["engine", "reinforce"])
@pytest.mark.parametrize("fall", [0, 1])
def test_labels_move_the_upper_block_off_or_onto_the_lower_one(batch, physics, fall):
  # At .5 it balances: further to the right it falls.
  changed = _lone_pair(batch, 0.5, fall)
  model = _truth(changed, physics=physics, samples=8, sigma=0.1)
  slope = _slope(model, changed, "physics_loss", ("fall",))[0]
  assert np.sign(slope) == (-1 if fall else 1)


def test_reinforce_draws_from_its_seed(batch):
  model = _truth(batch, (0.1, 0.0), reconstruction="reinforce")
  one, again, other = (_slope(model, batch, "reconstruction_loss", seed=(0, seed))
                       for seed in (1, 1, 2))
  np.testing.assert_allclose(one, again, rtol=1e-4)
  assert abs(one[0] - other[0]) > 1e-3 * abs(one[0])


def test_pairs_of_a_picture_without_blocks_have_no_gradient(batch):
  empty = {**batch, "target": {**batch["target"], "present": tf.zeros([4, 4], tf.bool),
                               "valid": tf.zeros([4, 3], tf.bool)}}
  model = _truth(empty)
  with tf.GradientTape() as tape:
    terms, _ = _losses(model, empty, "fall")
    loss = terms["reconstruction_loss"] + terms["physics_loss"]
  gradient = tape.gradient(loss, model.perception.pair_net.shift)
  assert gradient is None or np.abs(gradient).max() == 0.0


def test_norms_see_source_and_target_in_one_pass(batch):
  model = _truth(batch)
  cells, pairs = model.perception.proposals, model.perception.pair_net
  seen, call = [], model.surroundings.call
  model.surroundings.call = lambda images, **kw: seen.append(images) or call(images, **kw)
  _losses(model, batch, "fall")
  (views,), (around,), (windows,) = cells.seen, seen, pairs.seen
  assert len(views) == _SOME + 2 * _TARGET and len(around) >= _SOME + _TARGET
  assert len(windows) == sum(int(tf.reduce_sum(tf.cast(part["valid"], tf.int32)))
                             for part in batch.values())
  np.testing.assert_array_equal(around[-_TARGET:], model.shrink(
      batch["target"]["image"]))


def test_other_light_is_another_view_of_the_same_image(batch):
  model, images = _model(gain=0.4, texture=1.0), batch["target"]["image"]
  one, again, other = (model.other_light(images, [0, seed]).numpy() for seed in (1, 1, 2))
  np.testing.assert_array_equal(one, again)
  assert np.abs(one - other).max() > 0.05 and one.min() >= 0.0 and one.max() <= 1.0
  for view, image in zip(one, images.numpy()):
    assert np.corrcoef(view.ravel(), image.ravel())[0, 1] > 0.7


def test_in_training_the_target_is_seen_as_it_is_and_in_other_light(batch):
  model = _truth(batch)
  model.losses_of(batch["source"], _told(batch["target"]), tf.constant([0, 1]), training=True)
  (views,) = model.perception.proposals.seen
  plain = model.perception.square_views(
      batch["target"]["image"], proposals.squares(batch["target"]["camera"]))
  np.testing.assert_allclose(views[_SOME:_SOME + _TARGET], plain, atol=1e-5)
  assert np.abs(views[_SOME + _TARGET:] - plain).max() > 0.05


def test_without_training_norms_are_left_alone(batch):
  model = _model()
  before = model.get_weights()
  model.losses_of(batch["source"], _told(batch["target"]), tf.constant([0, 1]), training=False)
  for a, b in zip(model.get_weights(), before):
    np.testing.assert_array_equal(a, b)


def _steps(model, towers, stage, n, first=0):
  """Some steps on batches of the stage, eagerly: tracing a step takes a minute."""
  batches = data.batches(towers, _light(48), _SOURCE, 0, stage,
                         None if stage == "init" else towers, _TARGET)
  return [{name: float(value) for name, value in model.train_step(each).items()}
          for each in batches(first).take(n)]


@pytest.mark.parametrize("stage", settings.STAGES)
def test_a_step_of_a_stage_changes_its_weights(towers, stage):
  model = _model(stage)
  variables = model.trainable_variables
  before = [v.numpy() for v in variables]
  (logs,) = _steps(model, towers, stage, 1)
  assert np.isfinite(list(logs.values())).all() and int(model.total_steps) == 1
  moved = [np.abs(v.numpy() - b).max() > 0.0 for v, b in zip(variables, before)]
  assert all(moved)


def test_the_logged_terms_add_up(batch):
  model = _model("full")
  found = model.test_step({"source": batch["source"], "target": _told(batch["target"], "fall")})
  terms = [float(value) for name, value in found.items()
           if name.endswith("_loss") and name != "loss"]
  assert len(terms) == 6 and float(found["loss"]) == pytest.approx(sum(terms), rel=1e-5)
  assert 0.0 <= float(found["accuracy"]) <= 1.0


def test_a_resumed_run_takes_the_steps_of_the_unbroken_one(towers, tmp_path):
  unbroken, broken, resumed = (_model() for _ in range(3))
  _steps(unbroken, towers, "init", 2)
  _steps(broken, towers, "init", 1)
  path = tf.train.Checkpoint(model=broken).save(str(tmp_path / "saved"))
  tf.train.Checkpoint(model=resumed).restore(path).assert_existing_objects_matched()
  _steps(resumed, towers, "init", 1, first=1)
  for a, b in zip(unbroken.get_weights(), resumed.get_weights()):
    np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("begun, stage", [
    (0, "joint"), (0, "full"), (1, "init"), (1, "full"), (2, "init"), (2, "joint"), (3, "full")])
def test_a_stage_refuses_the_weights_of_another_one(begun, stage):
  known = ("no stage", "init", "joint", "full")
  model = VDA(_NETWORK, settings.Recipe())
  model.begun.assign(begun)
  with pytest.raises(ValueError) as error:
    model.begin_stage(stage)
  message, need = str(error.value), known[settings.STAGES.index(stage)]
  assert message.startswith(f"stage '{stage}' begins with the weights of '{need}', but these are "
                            f"of '{known[begun]}'")
  if stage == "init":
    assert message.endswith("it needs none: leave Run.warm_start out")
  else:
    assert message.endswith(f"it needs a run of stage '{need}': give it as Run.warm_start")
  assert int(model.begun) == begun


def test_stages_follow_each_other():
  model = VDA(_NETWORK, settings.Recipe())
  for number, stage in enumerate(settings.STAGES, 1):
    model.begin_stage(stage)
    assert int(model.begun) == number


def test_box_noise_moves_the_windows_of_training(towers):
  losses = []
  for noise in (0.0, 0.1):
    model = _model(flip=False, gain=0.0, offset=0.0, noise=0.0, box_noise=noise)
    losses.append(_steps(model, towers, "init", 1)[0])
  assert losses[0]["pose_loss"] != losses[1]["pose_loss"]
  assert losses[0]["proposal_loss"] == pytest.approx(losses[1]["proposal_loss"], rel=1e-4)
