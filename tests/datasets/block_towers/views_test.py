"""Tests of views: all targets move with the image, light stays in its bounds, seeds decide."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import views
from garden.worlds.towers import scene


def _batch(n=3, side=8):
  rng = np.random.default_rng(0)
  ids = rng.integers(0, 4, (n, side, side)).astype(np.int32)
  return {
      "image": rng.uniform(size=(n, side, side, 3)).astype(np.float32), "ids": ids,
      "segments": (ids + 1) % 4,
      "masks": rng.integers(0, 5, (n, side // 2, side // 2, 4)).astype(np.int32),
      "boxes": np.sort(rng.uniform(size=(n, 3, 2, 2)), axis=2).reshape(n, 3, 4).astype(np.float32),
      "poses": rng.normal(size=(n, 2, 6)).astype(np.float32),
      "fall": np.array([0, 1, 1]), "margins": rng.normal(size=(n, 2)).astype(np.float32)}


def _tensors(batch):
  return {name: tf.constant(value) for name, value in batch.items()}


_ALL = np.ones(3, bool)


def test_flipping_twice_changes_nothing():
  batch = _tensors(_batch())
  twice = views.flip(views.flip(batch, tf.constant(_ALL)), tf.constant(_ALL))
  assert twice.keys() == batch.keys()
  for name, value in batch.items():
    np.testing.assert_allclose(twice[name], value, atol=1e-6, err_msg=name)


def test_only_the_chosen_ones_are_flipped():
  batch = _tensors(_batch())
  found = views.flip(batch, tf.constant([False, True, False]))
  for name in ("image", "ids", "segments", "masks", "boxes", "poses"):
    same = [np.array_equal(found[name][i], batch[name][i]) for i in range(3)]
    assert same == [True, False, True], name


def test_the_outcome_and_the_margins_are_those_of_the_mirror_image():
  batch = _tensors(_batch())
  found = views.flip(batch, tf.constant(_ALL))
  np.testing.assert_array_equal(found["fall"], batch["fall"])
  np.testing.assert_array_equal(found["margins"], batch["margins"])


def test_keys_that_are_absent_are_left_out():
  found = views.flip({"image": tf.ones([1, 2, 2, 3])}, tf.constant([True]))
  assert set(found) == {"image"}


def test_pictures_and_boxes_move_together():
  image, ids, masks = (np.zeros(shape, kind) for shape, kind in (
      ((1, 10, 10, 3), np.float32), ((1, 10, 10), np.int32), ((1, 10, 10, 4), np.int32)))
  image[0, 4:7, 1:3], ids[0, 4:7, 1:3], masks[0, 4:7, 1:3] = 1.0, 2, 3
  batch = _tensors({"image": image, "ids": ids, "segments": ids, "masks": masks,
                    "boxes": np.array([[[0.4, 0.1, 0.7, 0.3]]], np.float32)})
  found = views.flip(batch, tf.constant([True]))
  y0, x0, y1, x1 = np.round(10 * found["boxes"][0, 0].numpy()).astype(int)
  assert (y0, x0, y1, x1) == (4, 7, 7, 9)
  for name, value in (("image", 1.0), ("ids", 2), ("segments", 2), ("masks", 3)):
    picture = found[name][0].numpy()
    assert (picture[y0:y1, x0:x1] == value).all(), name
    assert (picture != 0).sum() == (batch[name][0].numpy() != 0).sum(), name


def test_flipped_poses_are_those_of_the_mirrored_tower():
  towers = scene.sample(6, seed=0, distribution=scene.Distribution(counts=(4,)))
  poses = arrays.interface_poses(towers.position, towers.rotation, towers.camera_azimuth)
  # The mirror is the plane y = 0: yaw and the camera's azimuth change their sign.
  rotation = scene.yaw_quaternion(-scene.yaw_of(towers.rotation))
  mirrored = arrays.interface_poses(towers.position * np.float32([1, -1, 1]), rotation,
                                  -towers.camera_azimuth)
  found = views.flip({"poses": tf.constant(poses)}, tf.ones([6], tf.bool))["poses"]
  np.testing.assert_allclose(found, mirrored, atol=1e-5)
  assert np.abs(poses - mirrored).max() > 0.1


def test_flipped_light_is_that_of_the_mirrored_scene():
  scenes = scene.sample(6, seed=0)
  # The mirror is the plane y = 0.
  mirrored = scenes.replace(light_direction=scenes.light_direction * np.float32([1, -1, 1]),
                            camera_azimuth=-scenes.camera_azimuth)
  light, other = arrays.light_numbers(scenes), arrays.light_numbers(mirrored)
  chosen = tf.constant([True, False] * 3)
  found = views.flip({"light": tf.constant(light)}, chosen)["light"]
  np.testing.assert_allclose(found, np.where(chosen[:, None], other, light),
                             atol=1e-6)
  assert np.abs(found - light).max() > 0.1


def test_light_is_one_factor_an_image_and_one_shift_a_channel():
  images = np.random.default_rng(0).uniform(size=(4, 6, 6, 3)).astype(np.float32)
  found = views.light(tf.constant(images), [0, 1], 0.3, 0.1).numpy()
  factors = []
  for before, after in zip(images, found):
    fits = [np.polyfit(before[..., c].ravel(), after[..., c].ravel(), 1) for c in range(3)]
    factor, shift = np.transpose(fits)
    np.testing.assert_allclose(factor, factor[0], atol=1e-5)
    assert 0.7 <= factor[0] <= 1.3 and np.abs(shift).max() <= 0.1 + 1e-5
    assert len(set(shift.round(5))) == 3
    np.testing.assert_allclose(after, before * factor + shift, atol=1e-5)
    factors.append(factor[0])
  assert len(set(np.round(factors, 5))) == 4


def test_light_reaches_its_bounds():
  found = views.light(tf.ones([2000, 1, 1, 3]), [0, 1], 0.3, 0.0).numpy()
  assert 0.7 <= found.min() < 0.71 and 1.29 < found.max() <= 1.3


def test_no_light_changes_nothing():
  images = tf.constant(_batch()["image"])
  np.testing.assert_array_equal(views.light(images, [0, 1], 0.0, 0.0), images)


def test_a_view_is_a_function_of_its_seed():
  batch, recipe = _tensors(_batch()), views.Recipe()
  a, b = (views.augment(batch, [3, 4], recipe) for _ in range(2))
  other = views.augment(batch, [3, 5], recipe)
  for name in batch:
    np.testing.assert_array_equal(a[name], b[name])
  assert (a["image"] != other["image"]).numpy().any()


def test_a_view_is_the_same_in_a_graph():
  batch, recipe = _tensors(_batch()), views.Recipe()
  graph = tf.function(lambda b: views.augment(b, [3, 4], recipe))
  for name, value in views.augment(batch, [3, 4], recipe).items():
    np.testing.assert_allclose(graph(batch)[name], value, atol=1e-6)


def test_images_stay_in_0_to_1():
  recipe = views.Recipe(gain=0.9, offset=0.9, noise=0.5)
  found = views.augment(_tensors(_batch()), [0, 1], recipe)["image"].numpy()
  assert found.min() == 0.0 and found.max() == 1.0 and found.dtype == np.float32


def test_about_half_of_the_images_are_flipped():
  boxes = np.tile(np.float32([[[0.1, 0.1, 0.2, 0.2]]]), (400, 1, 1))
  batch = _tensors({"image": np.zeros([400, 1, 1, 3], np.float32), "boxes": boxes})
  found = views.augment(batch, [0, 1], views.Recipe())["boxes"].numpy()
  assert 160 < (found[:, 0, 1] > 0.5).sum() < 240


def test_without_a_recipe_for_them_views_are_the_batch():
  batch = _tensors(_batch())
  recipe = views.Recipe(flip=False, gain=0.0, offset=0.0, noise=0.0)
  for name, value in views.augment(batch, [0, 1], recipe).items():
    np.testing.assert_array_equal(value, batch[name])


def test_noise_has_its_standard_deviation_and_differs_between_pixels():
  batch = {"image": tf.fill([1, 60, 60, 3], 0.5)}
  recipe = views.Recipe(flip=False, gain=0.0, offset=0.0, noise=0.02)
  found = views.augment(batch, [0, 1], recipe)["image"].numpy() - 0.5
  assert found.std() == pytest.approx(0.02, rel=0.05) and abs(found.mean()) < 0.001


def test_light_and_noise_leave_the_targets_alone():
  batch = _tensors(_batch())
  found = views.augment(batch, [0, 1], views.Recipe(flip=False))
  for name in set(batch) - {"image"}:
    np.testing.assert_array_equal(found[name], batch[name])


def _photometric(strength, images, step=0):
  return views.Photometric(strength)(images, tf.constant([0, step])).numpy()


def test_strength_0_has_no_layers():
  plain = views.Views(views.Recipe())
  assert plain.all is None and plain.background is None


def test_photometric_views_are_a_function_of_their_seed():
  images = tf.random.stateless_uniform([3, 8, 8, 3], [0, 0])
  np.testing.assert_array_equal(_photometric(0.5, images), _photometric(0.5, images))
  assert (_photometric(0.5, images) != _photometric(0.5, images, step=1)).any()


def test_photometric_views_go_on_after_a_checkpoint(tmp_path):
  images, steps = tf.random.stateless_uniform([4, 8, 8, 3], [0, 0]), tf.constant([[0, 0], [0, 1]])
  unbroken, broken, resumed = (views.Photometric(0.5) for _ in range(3))
  unbroken(images, steps[0])
  broken(images, steps[0])
  path = tf.train.Checkpoint(views=broken).save(str(tmp_path / "saved"))
  tf.train.Checkpoint(views=resumed).restore(path).assert_existing_objects_matched()
  np.testing.assert_array_equal(unbroken(images, steps[1]), resumed(images, steps[1]))


def test_photometric_views_keep_uniform_images_uniform():
  colors = np.random.default_rng(0).uniform(0.2, 0.8, (4, 1, 1, 3))
  images = np.broadcast_to(colors, (4, 12, 12, 3)).astype(np.float32)
  found = _photometric(0.5, tf.constant(images))
  assert found.shape == images.shape and found.min() >= 0 and found.max() <= 1
  np.testing.assert_allclose(found, np.broadcast_to(found[:, :1, :1], found.shape), atol=1e-3)
  assert (np.abs(found[:, 0, 0] - colors[:, 0, 0]).max(axis=-1) > 0.005).all()


def test_photometric_views_leave_edges_where_they_are():
  images = np.full([3, 16, 16, 3], 0.25, np.float32)
  images[:, :, 8:] = [0.7, 0.6, 0.5]
  found = _photometric(0.5, tf.constant(images)).mean(axis=-1)[:, 8]
  assert (np.abs(np.diff(found, axis=1)).argmax(axis=1) == 7).all()


def test_photometric_strength_changes_more():
  images = tf.random.stateless_uniform([8, 8, 8, 3], [0, 0], 0.3, 0.7)
  little, much = (np.abs(_photometric(s, images) - images).mean() for s in (0.1, 0.9))
  assert much > 3 * little


def test_repainting_leaves_shapes_and_gives_each_part_gains_of_its_own():
  segments = tf.constant(np.arange(4)[None, :, None] * np.ones([200, 4, 5], int))
  found = views.repaint(tf.ones([200, 4, 5, 3]), segments, [0, 1]).numpy()
  np.testing.assert_array_equal(found, found[:, :, :1] * np.ones([1, 1, 5, 1]))
  gains = found[:, :, 0]  # [200, 4, 3]
  assert 0.3 <= gains[:, 0].min() < 0.35 and 1.45 < gains[:, 0].max() <= 1.5
  assert 0.3 <= gains[:, 1:].min() < 0.4 and 1.6 < gains[:, 1:].max() <= 1.75
  whole = gains[:, 1:].mean(axis=-1)
  assert np.ptp(gains[:, 1:] / whole[..., None]) < 0.68 and np.corrcoef(whole.T)[0, 1] < 0.3


def test_repainting_at_strength_0_changes_nothing():
  images = tf.random.stateless_uniform([2, 4, 4, 3], [0, 0])
  segments = tf.ones([2, 4, 4], tf.int32)
  np.testing.assert_array_equal(views.repaint(images, segments, [0, 1], 0.0), images)


def test_textures_multiply_by_a_half_to_one_and_a_half_and_end_at_edges():
  segments = np.zeros([40, 32, 32], np.int32)
  segments[:, :, 16:] = 3
  found = views.texture(tf.ones([40, 32, 32, 3]), tf.constant(segments), [0, 1]).numpy()
  assert 0.5 <= found.min() < 0.7 and 1.3 < found.max() <= 1.5
  np.testing.assert_array_equal(found[..., 0], found[..., 2])  # of brightness, not of colour
  halves = [found[:, :, :16, 0].std(axis=(1, 2)), found[:, :, 16:, 0].std(axis=(1, 2))]
  assert abs(np.corrcoef(halves)[0, 1]) < 0.5  # each part has a strength of its own


def test_textures_are_a_function_of_their_seed():
  images, segments = tf.ones([2, 16, 16, 3]), tf.zeros([2, 16, 16], tf.int32)
  one, again, other = (views.texture(images, segments, [0, seed]) for seed in (1, 1, 2))
  np.testing.assert_array_equal(one, again)
  assert (one != other).numpy().any() and (one[0] != one[1]).numpy().any()


def test_textures_at_strength_0_change_nothing():
  images = tf.random.stateless_uniform([2, 8, 8, 3], [0, 0])
  found = views.texture(images, tf.ones([2, 8, 8], tf.int32), [0, 1], 0.0)
  np.testing.assert_array_equal(found, images)


def test_background_views_leave_the_blocks():
  batch = _tensors(_batch())
  plain = views.Recipe(flip=False, gain=0.0, offset=0.0, noise=0.0)
  view = views.Views(dataclasses.replace(plain, background=0.9))
  found = view(batch, tf.constant([0, 1]))["image"].numpy()
  blocks = batch["segments"].numpy() > 0
  np.testing.assert_array_equal(found[blocks], batch["image"].numpy()[blocks])
  assert np.abs(found - batch["image"].numpy())[~blocks].max() > 0.05
