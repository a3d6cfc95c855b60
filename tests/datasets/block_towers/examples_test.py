"""Examples of towers: labels as physics has them, boxes of what is seen, alike in any batch."""

import dataclasses

import numpy as np
import pytest

from garden.datasets.block_towers import configs
from garden.datasets.block_towers import examples
from garden.worlds.towers import physics
from garden.worlds.towers import renderer
from garden.worlds.towers import scene
from garden.worlds.towers import support

CONFIG = configs.TowersConfig(name="tiny", image_size=32)


@pytest.fixture(scope="module")
def found():
  return list(examples.make(CONFIG, seed=7, n=38))


@pytest.fixture(scope="module")
def towers():
  return scene.sample(38, seed=7, max_blocks=4)


def _stack(found, name):
  return np.stack([example[name] for example in found])


def _assert_equal(ones, others):
  for one, other in zip(ones, others, strict=True):
    for name in one:
      np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_shapes_and_dtypes(found):
  features = examples.features(CONFIG)
  for name, info in features.get_tensor_info().items():
    value = np.asarray(found[0][name])
    assert value.shape == info.shape and value.dtype == info.np_dtype, name


def test_the_batch_does_not_matter(found):
  pieces = [example for first, n in ((0, 5), (5, 1), (6, 32))
            for example in examples.make(CONFIG, seed=7, n=n, first=first)]
  _assert_equal(pieces, found)


def test_labels_are_those_of_physics(found, towers):
  motion = physics.simulate(towers)
  np.testing.assert_array_equal(_stack(found, "fall"), motion.fall)
  np.testing.assert_array_equal(_stack(found, "position"), motion.position)
  np.testing.assert_array_equal(_stack(found, "rotation"), motion.rotation)
  np.testing.assert_allclose(_stack(found, "margin"), support.margin(towers), rtol=1e-6)
  margins = _stack(found, "margins")
  np.testing.assert_allclose(margins, support.margins(towers), rtol=1e-6)
  np.testing.assert_array_equal(np.isfinite(margins).sum(axis=1), towers.count - 1)
  clear = np.abs(_stack(found, "margin")) > 0.05
  np.testing.assert_array_equal(_stack(found, "fall")[clear], support.falls(towers)[clear])
  assert 0.2 < motion.fall.mean() < 0.8


def test_the_scene_is_told(found, towers):
  np.testing.assert_array_equal(_stack(found, "count"), towers.count)
  np.testing.assert_array_equal(_stack(found, "color_class"), towers.color_class)
  np.testing.assert_array_equal(_stack(found, "index"), np.arange(38))
  camera = _stack(found, "camera")
  np.testing.assert_array_equal(camera[:, 0], towers.camera_azimuth)
  np.testing.assert_array_equal(camera[:, 3], towers.camera_fovy)
  np.testing.assert_array_equal(camera[:, 4:], towers.camera_target)


def test_pictures_are_the_renderers(found, towers):
  seen = renderer.render(towers.arrays(), 32)
  difference = np.abs(_stack(found, "image") - 255.0 * seen["image"].numpy())
  assert np.mean(difference > 0.51) < 1e-3  # compiled, an edge may fall to the other side
  masks = renderer.masks(towers.arrays(), configs.MASK_SIZE).numpy()
  assert np.mean(_stack(found, "masks")[..., 0] != masks) < 1e-3


def test_masks_move_where_the_tower_falls(found):
  for example in found:
    moved = (example["masks"][..., 0] != example["masks"][..., 3]).mean()
    assert moved > 0.005 if example["fall"] else moved < 0.005
    assert set(np.unique(example["masks"][..., 0])) == {0, *example["color_class"]}


def test_boxes_enclose_the_pixels_of_each_block(found, towers):
  ids = renderer.render(towers.arrays(), 32)["ids"].numpy()
  np.testing.assert_array_equal(_stack(found, "ids")[..., 0], ids)
  for example, seen in zip(found, ids, strict=True):
    for block, box in enumerate(example["boxes"]):
      rows, columns = np.nonzero(seen == block + 1)
      if block >= example["count"]:
        assert not box.any() and not len(rows)
      else:
        np.testing.assert_allclose(
            32 * box, [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1], atol=1e-5)


def test_a_block_that_is_not_seen_has_no_box():
  ids = np.zeros((1, 4, 6), int)
  ids[0, 1:3, 2] = 2
  np.testing.assert_allclose(examples.boxes_of(ids, 3)[0],
                             [[0, 0, 0, 0], [0.25, 2 / 6, 0.75, 0.5], [0, 0, 0, 0]])


def test_six_places_for_five_blocks():
  config = configs.TowersConfig(name="high", image_size=32,
                                distribution=scene.Distribution(counts=(5,)))
  assert config.places == 6 and CONFIG.places == 4
  example, = examples.make(config, seed=0, n=1)
  assert example["boxes"].shape == (6, 4) and example["count"] == 5
  assert example["color_class"][4] > 0 and example["color_class"][5] == 0


def test_mujoco_sees_the_same_towers(found):
  config = dataclasses.replace(CONFIG, renderer="mujoco")
  try:
    others = list(examples.make(config, seed=7, n=3))
  except ValueError as error:
    pytest.skip(str(error))
  _assert_equal(others[1:], examples.make(config, seed=7, n=2, first=1))
  for one, other in zip(others, found, strict=False):
    assert one["image"].shape == other["image"].shape and (one["image"] != other["image"]).any()
    assert one["fall"] == other["fall"]
    np.testing.assert_array_equal(one["masks"], other["masks"])
    np.testing.assert_allclose(one["boxes"], other["boxes"], atol=1.01 / 32)


def test_xlas_own_lines_are_kept_from_users_and_others_are_not(capfd):
  import os

  with examples._without_xla_lines():
    os.write(2, b"I0000 device_compiler.h:186] Compiled cluster using XLA!  This line\nmine\n")
  assert capfd.readouterr().err == "mine\n"
