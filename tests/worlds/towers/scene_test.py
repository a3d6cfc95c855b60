"""Tests of towers as arrays: how they are drawn, what is refused, the geometry they stand on."""

import math

import numpy as np
import pytest
import scipy.spatial

from garden.worlds.towers import scene


@pytest.fixture(scope="module")
def towers():
  return scene.sample(12, seed=0)


def _equal(a, b):
  for name, value in a.arrays().items():
    np.testing.assert_array_equal(value, b.arrays()[name], err_msg=name)


def _set(towers, name, place, value):
  changed = getattr(towers, name).copy()
  changed[place] = value
  return towers.replace(**{name: changed})


@pytest.mark.parametrize("first, n", [(0, 1), (5, 1), (3, 6), (11, 1)])
def test_a_tower_is_the_same_whatever_the_batch(towers, first, n):
  _equal(scene.sample(n, seed=0, first=first), towers.take(slice(first, first + n)))


def test_more_places_for_blocks_leave_the_towers_as_they_are(towers):
  wide = scene.sample(12, seed=0, max_blocks=6)
  assert wide.present.shape == (12, 6) and not wide.present[:, 4:].any()
  for name in ("position", "rotation", "size", "color", "color_class", "present"):
    np.testing.assert_array_equal(getattr(wide, name)[:, :4], getattr(towers, name))
  np.testing.assert_array_equal(wide.camera_azimuth, towers.camera_azimuth)


def test_another_seed_gives_other_towers(towers):
  assert not np.isin(scene.sample(12, seed=1).camera_azimuth, towers.camera_azimuth).any()


def test_counts_are_balanced_in_any_stretch():
  distribution = scene.Distribution(counts=(2, 3, 4, 5))
  for first in (0, 3):
    count = scene.sample(16, seed=0, first=first, distribution=distribution).count
    assert np.bincount(count).tolist() == [0, 0, 4, 4, 4, 4]


def test_fields_have_the_types_and_shapes_that_are_documented(towers):
  shapes = {name: value.shape[1:] for name, value in towers.arrays().items()}
  assert shapes == {
      "present": (4,), "position": (4, 3), "rotation": (4, 4), "size": (4, 3), "color": (4, 3),
      "color_class": (4,), "camera_azimuth": (), "camera_elevation": (), "camera_distance": (),
      "camera_fovy": (), "camera_target": (3,), "light_direction": (3,), "light_diffuse": (),
      "light_ambient": (), "floor_color": (2, 3), "floor_scale": (), "sky_color": (3,)}
  kinds = {"present": np.bool_, "color_class": np.int32}
  for name, value in towers.arrays().items():
    assert value.dtype == kinds.get(name, np.float32) and len(value) == len(towers) == 12


@pytest.mark.parametrize("counts", [(), (0,), (2, 7), (2.5,), ("2",)])
def test_counts_out_of_range_are_refused(counts):
  with pytest.raises(ValueError, match=r"counts are \(.*\); .* 1\.\.6"):
    scene.Distribution(counts=counts)


@pytest.mark.parametrize("changes", [
    {"elevation": (0.5, 0.1)}, {"fovy": (30.0,)}, {"sky": (0.0, float("nan"))}], ids=str)
def test_ranges_that_are_none_are_refused_by_name(changes):
  with pytest.raises(ValueError, match=f"^{next(iter(changes))} is .*give .least, greatest."):
    scene.Distribution(**changes)


@pytest.mark.parametrize("name, value", [
    ("n", 0), ("n", 1.5), ("seed", -1), ("seed", None), ("first", -1), ("first", 0.0)])
def test_numbers_out_of_range_are_refused_by_name(name, value):
  least = 1 if name == "n" else 0
  with pytest.raises(ValueError, match=f"^{name} is {value!r}; .* at least {least}"):
    scene.sample(**{"n": 1, "seed": 0, name: value})


def test_too_few_places_are_refused():
  with pytest.raises(ValueError, match="max_blocks is 3, but towers have up to 4 blocks"):
    scene.sample(1, seed=0, max_blocks=3)


def test_colour_classes_of_a_tower_are_distinct(towers):
  for present, classes in zip(towers.present, towers.color_class):
    assert len(set(classes[present])) == present.sum() and (classes[present] >= 1).all()
    assert (classes[present] <= 4).all() and (classes[~present] == 0).all()


def test_towers_of_six_have_all_six_colours():
  six = scene.sample(3, seed=0, distribution=scene.Distribution(counts=(6,)))
  np.testing.assert_array_equal(np.sort(six.color_class), np.tile(np.arange(1, 7), (3, 1)))


def test_colours_are_near_those_of_their_classes(towers):
  base = scene.BASE_COLORS[towers.color_class - 1]
  off = np.abs(towers.color - base)[towers.present]
  assert 0.05 < off.max() <= 0.08 + 1e-6


def test_a_shift_of_hue_is_alike_for_all_blocks_and_keeps_grey():
  np.testing.assert_allclose(scene._turn_hue(np.full((1, 3), 0.4), 0.3), 0.4)
  np.testing.assert_allclose(scene._turn_hue(np.array([[0.6, 0.1, 0.2]]), 1 / 3),
                             [[0.2, 0.6, 0.1]], atol=1e-12)


def test_neighbours_are_off_by_no_more_than_the_jitter():
  for count in range(2, 7):
    drawn = scene.sample(40, seed=0, distribution=scene.Distribution(counts=(count,)))
    step = np.abs(np.diff(drawn.position[..., :2], axis=1))
    widest = scene.JITTER[count] * scene.HALF_SIZE
    assert 0.9 * widest < step.max() <= widest + 1e-6


def test_blocks_touch_each_other_and_the_floor(towers):
  bottom, top = (towers.position[..., 2] + sign * towers.size[..., 2] for sign in (-1, 1))
  np.testing.assert_allclose(bottom[:, 0], 0.0, atol=1e-6)
  both = towers.present[:, 1:]
  np.testing.assert_allclose(bottom[:, 1:][both], top[:, :-1][both], atol=1e-6)


def test_blocks_are_turned_about_the_vertical_only(towers):
  np.testing.assert_array_equal(towers.rotation[..., 1:3], 0.0)
  np.testing.assert_allclose(np.linalg.norm(towers.rotation, axis=-1), 1.0, atol=1e-6)


def test_the_towers_middle_is_over_the_origin(towers):
  middle = (towers.position[..., :2] * towers.present[..., None]).sum(axis=1)
  np.testing.assert_allclose(middle / towers.count[:, None], 0.0, atol=1e-6)


def test_sampled_towers_pass_the_check(towers):
  scene.check(towers)


def test_take_keeps_the_batch_axis_and_the_order(towers):
  assert len(towers.take(3)) == 1
  np.testing.assert_array_equal(towers.take([4, 1]).camera_fovy, towers.camera_fovy[[4, 1]])


def test_remove_takes_one_block_and_moves_none():
  four = scene.sample(2, seed=0, distribution=scene.Distribution(counts=(4,)))
  less = scene.remove(four, [1, 3])
  assert less.present.tolist() == [[True, False, True, True], [True, True, True, False]]
  assert (less.color_class == np.where(less.present, four.color_class, 0)).all()
  np.testing.assert_array_equal(less.position, four.position)
  assert four.present.all() and (four.color_class > 0).all()  # as it was


@pytest.mark.parametrize("block", [2, -1, 4])
def test_remove_refuses_a_block_that_is_not_there(block):
  two = scene.sample(2, seed=0, distribution=scene.Distribution(counts=(4, 2)))
  if block == 2:
    message = r"tower 1 has no block 2; it has \[0, 1\]"
  else:
    message = rf"tower 0 has no block {block}; it has \[0, 1, 2, 3\]"
  with pytest.raises(ValueError, match=message):
    scene.remove(two, block)


def test_check_refuses_a_scene_without_blocks(towers):
  with pytest.raises(ValueError, match="tower 5 has 0 blocks; it must have 1 to 6"):
    scene.check(_set(towers, "present", 5, False))


def test_check_refuses_seven_blocks(towers):
  more = {name: np.repeat(getattr(towers, name), 2, axis=1)[:, :7]
          for name in ("position", "rotation", "size", "color", "color_class")}
  seven = towers.replace(present=np.ones((12, 7), bool), **more)
  with pytest.raises(ValueError, match="tower 0 has 7 blocks"):
    scene.check(seven)


@pytest.mark.parametrize("name", ["position", "rotation", "size"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_check_refuses_numbers_that_are_not_finite(towers, name, value):
  with pytest.raises(ValueError, match=rf"{name} of block 1 of tower 4 is \[.*finite"):
    scene.check(_set(towers, name, (4, 1, 0), value))


def test_check_does_not_look_at_places_without_a_block(towers):
  assert not towers.present[0, 3]
  scene.check(_set(towers, "position", (0, 3), np.nan))


@pytest.mark.parametrize("value", [0.0, -0.5])
def test_check_refuses_sizes_that_are_not_positive(towers, value):
  with pytest.raises(ValueError, match=r"size of block 0 of tower 7 is \[.*above 0"):
    scene.check(_set(towers, "size", (7, 0, 2), value))


@pytest.mark.parametrize("name", [
    "camera_azimuth", "camera_elevation", "camera_distance", "camera_fovy", "camera_target",
    "light_direction", "light_diffuse"])
def test_check_refuses_a_camera_or_light_that_is_not_finite(towers, name):
  with pytest.raises(ValueError, match=f"{name} of tower 2 .*finite"):
    scene.check(_set(towers, name, 2, np.nan))


def test_check_refuses_a_camera_inside_a_block(towers):
  inside = _set(_set(towers, "camera_target", 3, towers.position[3, 1]), "camera_distance", 3, 0.3)
  with pytest.raises(ValueError, match="camera of tower 3 is inside its block 1; .* 0.3 m"):
    scene.check(inside)
  scene.check(_set(inside, "camera_distance", 3, 5.0))


def test_the_camera_is_at_its_distance_and_looks_from_its_azimuth():
  one = scene.sample(1, seed=0).replace(
      camera_azimuth=np.array([math.pi / 2]), camera_elevation=np.array([math.pi / 6]),
      camera_distance=np.array([4.0]), camera_target=np.array([[1.0, 2.0, 3.0]]))
  np.testing.assert_allclose(scene.camera_position(one),
                             [[1.0, 2.0 + 4.0 * math.cos(math.pi / 6), 5.0]])


def test_yaw_and_its_quaternion_undo_each_other():
  yaw = np.linspace(-math.pi + 1e-3, math.pi, 25)
  np.testing.assert_allclose(scene.yaw_of(scene.yaw_quaternion(yaw)), yaw, atol=1e-12)


def test_yaw_takes_either_sign_of_a_quaternion():
  rotation = scene.yaw_quaternion(np.array([0.4, -2.0]))
  np.testing.assert_allclose(scene.yaw_of(-rotation), [0.4, -2.0])


def test_rotation_matrices_are_orthonormal_and_scipys():
  quaternions = np.random.default_rng(0).normal(size=(20, 4))
  quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
  matrices = scene.rotation_matrix(quaternions)
  np.testing.assert_allclose(matrices @ matrices.swapaxes(1, 2), np.tile(np.eye(3), (20, 1, 1)),
                             atol=1e-12)
  np.testing.assert_allclose(np.linalg.det(matrices), 1.0)
  expected = scipy.spatial.transform.Rotation.from_quat(quaternions[:, [1, 2, 3, 0]]).as_matrix()
  np.testing.assert_allclose(matrices, expected, atol=1e-12)


@pytest.mark.parametrize("azimuth, step, seen", [
    (0.0, (0, 1), (1, 0)), (0.0, (-1, 0), (0, 1)),  # from +x: right is +y, away is -x
    (math.pi / 2, (-1, 0), (1, 0)), (math.pi / 2, (0, -1), (0, 1)),
    (math.pi, (0, -1), (1, 0)), (math.pi, (1, 0), (0, 1))])
def test_steps_are_seen_to_the_right_and_away(azimuth, step, seen):
  np.testing.assert_allclose(scene.as_seen(np.array(step), azimuth), seen, atol=1e-12)


def test_what_is_seen_keeps_lengths_and_turns_with_the_world():
  rng = np.random.default_rng(0)
  steps, azimuth = rng.normal(size=(5, 3, 2)), rng.uniform(-3, 3, (5, 1))
  found = scene.as_seen(steps, azimuth)
  np.testing.assert_allclose(np.linalg.norm(found, axis=-1), np.linalg.norm(steps, axis=-1))
  cos, sin = math.cos(0.7), math.sin(0.7)
  turned = steps @ np.array([[cos, sin], [-sin, cos]])
  np.testing.assert_allclose(scene.as_seen(turned, azimuth + 0.7), found, atol=1e-12)
