"""Tests of the affine views: where pixels go, ranges, determinism."""

import numpy as np
import pytest
import tensorflow as tf

from garden.transfer import augment

_STILL = dict(rotation=0.0, scale=(1.0, 1.0), shear=0.0, shift=0.0)


def _to_output(point, **amounts):
  """Where an input pixel (x, y) of a 21x11 image (width 21) goes, by the inverse of the rows."""
  row = augment.affine_transforms(11, 21, **amounts).numpy()[0].astype(np.float64)
  inverse = np.linalg.inv([row[:3], row[3:6], [0, 0, 1]])
  return (inverse @ [*point, 1])[:2]


@pytest.mark.parametrize(
  ("amounts", "point", "expected"),
  [
    ({"shift_x": 2.0, "shift_y": -1.0}, (3, 4), (5, 3)),
    ({"rotation": np.pi / 2}, (13, 5), (10, 8)),  # from right of the centre to below it
    ({"scale_x": 2.0}, (13, 8), (16, 8)),
    ({"scale_y": 0.5}, (13, 9), (13, 7)),
    ({"shear": 0.5}, (10, 9), (12, 9)),  # what is below the centre goes right
    # Scaled, sheared, turned, shifted, in this order.
    ({"scale_x": 2.0, "shear": 1.0, "rotation": np.pi / 2, "shift_x": 1.0}, (12, 7), (9, 11)),
  ],
)
def test_pixels_go_where_the_amounts_say(amounts, point, expected):
  np.testing.assert_allclose(_to_output(point, **amounts), expected, atol=1e-4)
  if "shift_x" not in amounts:  # about the centre
    np.testing.assert_allclose(_to_output((10, 5), **amounts), (10, 5), atol=1e-4)


def test_amounts_may_differ_by_image():
  rows = augment.affine_transforms(4, 6, rotation=[0.1, 0.2, 0.3], scale_x=1.1)
  assert rows.shape == (3, 8)
  for i, angle in enumerate((0.1, 0.2, 0.3)):
    alone = augment.affine_transforms(4, 6, rotation=angle, scale_x=1.1)
    np.testing.assert_allclose(rows[i], alone[0], rtol=1e-6)


def test_the_image_op_reads_the_rows_from_output_to_input():
  image = np.zeros((1, 11, 21, 1), np.float32)
  image[0, 4, 3] = 1.0
  rows = augment.affine_transforms(11, 21, shift_x=2.0, shift_y=-1.0)
  moved = augment._addons().image.transform(image, rows, interpolation="bilinear").numpy()
  assert moved[0, 3, 5, 0] == 1 and moved.sum() == 1


def test_without_amounts_nothing_moves():
  images = tf.random.stateless_uniform([3, 7, 9, 2], [0, 1])
  np.testing.assert_allclose(augment.random_affine(images, [0, 1], **_STILL), images, atol=1e-5)


def test_it_is_bilinear_and_filled_with_zeros():
  images = tf.ones([64, 9, 9, 1])
  views = augment.random_affine(images, [1, 2], **{**_STILL, "shift": 3.0}).numpy()[..., 0]
  assert views.min() == 0 and views.max() <= 1 + 1e-6
  np.testing.assert_allclose(views[:, 4, 4], 1, rtol=1e-5)  # 3 pixels don't reach the centre
  border = views[:, 4, 0]
  assert np.any((border > 0.05) & (border < 0.95))  # between two pixels
  # As many to the left as to the right, and up to 3 pixels.
  lost = 9 - views[:, 4].sum(axis=1)
  assert 2.5 < lost.max() <= 3 + 1e-4
  assert np.any(views[:, 4, 0] < 0.5) and np.any(views[:, 4, 8] < 0.5)


@pytest.mark.parametrize("name", ["rotation", "scale", "shear", "shift"])
def test_each_amount_acts_and_has_its_limit(name, monkeypatch):
  drawn = {}
  plain = augment.affine_transforms

  def spy(height, width, *amounts):
    names = ("rotation", "scale_x", "scale_y", "shear", "shift_x", "shift_y")
    drawn.update(zip(names, (x.numpy() for x in amounts)))
    return plain(height, width, *amounts)

  monkeypatch.setattr(augment, "affine_transforms", spy)
  limits = {"rotation": 0.3, "scale": (0.8, 1.2), "shear": 0.3, "shift": 3.0}
  images = tf.random.stateless_uniform([200, 8, 8, 1], [0, 1])
  views = augment.random_affine(images, [3, 4], **{**_STILL, name: limits[name]})
  assert not np.allclose(views, images, atol=1e-3)
  for key, values in drawn.items():
    if key.split("_")[0] == name:
      low, high = limits[name] if name == "scale" else (-limits[name], limits[name])
      assert low <= values.min() < low + 0.1 * (high - low)
      assert high - 0.1 * (high - low) < values.max() <= high
    else:
      np.testing.assert_array_equal(values, 1.0 if key.startswith("scale") else 0.0)
  if name in ("scale", "shift"):  # the axes are drawn apart
    assert abs(np.corrcoef(drawn[f"{name}_x"], drawn[f"{name}_y"])[0, 1]) < 0.3


def test_the_defaults_are_the_documented_ranges():
  images = tf.random.stateless_uniform([4, 8, 8, 1], [0, 1])
  explicit = augment.random_affine(images, [5, 6], 0.3, (0.8, 1.2), 0.3, 3.0)
  np.testing.assert_array_equal(augment.random_affine(images, [5, 6]), explicit)


def test_views_are_a_function_of_the_seed():
  images = tf.random.stateless_uniform([4, 8, 8, 3], [0, 1])
  first = augment.random_affine(images, [0, 1])
  np.testing.assert_array_equal(augment.random_affine(images, tf.constant([0, 1])), first)
  graph = tf.function(augment.random_affine)
  np.testing.assert_allclose(graph(images, tf.constant([0, 1])), first, atol=1e-5)
  for other in ([0, 2], [1, 1]):
    assert not np.allclose(augment.random_affine(images, other), first, atol=1e-3)


@pytest.mark.parametrize(("first", "count"), [(0, 2), (2, 2), (3, 3), (5, 1)])
def test_a_part_of_a_batch_is_drawn_as_in_the_whole(first, count):
  images = tf.random.stateless_uniform([6, 8, 8, 1], [0, 1])
  whole = augment.random_affine(images, [3, 4])
  part = augment.random_affine(images[first : first + count], [3, 4], first=first, total=6)
  np.testing.assert_array_equal(part, whole[first : first + count])


def test_first_and_total_may_be_tensors_in_a_graph():
  images = tf.random.stateless_uniform([6, 8, 8, 1], [0, 1])
  whole = augment.random_affine(images, [3, 4])

  @tf.function
  def part(x, number):
    return augment.random_affine(x, [3, 4], first=number * tf.shape(x)[0], total=2 * tf.shape(x)[0])

  for number in range(2):
    rows = images[3 * number : 3 * number + 3]
    np.testing.assert_allclose(
      part(rows, tf.constant(number)), whole[3 * number : 3 * number + 3], atol=1e-5)  # fmt: skip


def test_each_image_moves_its_own_way_and_its_channels_together():
  image = tf.random.stateless_uniform([1, 8, 8, 1], [0, 1])
  views = augment.random_affine(tf.tile(image, [3, 1, 1, 2]), [0, 1]).numpy()
  assert not np.allclose(views[0], views[1], atol=1e-3)
  np.testing.assert_array_equal(views[..., 0], views[..., 1])


def test_it_maps_a_dataset_and_keeps_shape_and_type():
  data = tf.data.Dataset.from_tensor_slices(np.ones((6, 8, 9, 1), np.float32)).batch(3)
  zero = tf.constant(0, tf.int64)
  data = data.enumerate().map(lambda i, x: augment.random_affine(x, tf.stack([zero, i])))
  assert data.element_spec == tf.TensorSpec([None, 8, 9, 1], tf.float32)
  first, second = data
  assert first.shape == (3, 8, 9, 1) and not np.allclose(first, second)


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"images": np.ones((8, 8, 1))}, r"images have the shape \(8, 8, 1\); it must be"),
    ({"seed": [1, 2, 3]}, r"seed has the shape \(3,\); it must be \[2\]"),
    ({"rotation": -0.1}, "rotation is -0.1; it must be at least 0"),
    ({"shear": -1}, "shear is -1; it must be at least 0"),
    ({"shift": -1}, "shift is -1; it must be at least 0"),
    ({"scale": (1.2, 0.8)}, r"scale is \(1.2, 0.8\); it must be \(least, largest\)"),
    ({"scale": (0.0, 1.0)}, r"scale is \(0.0, 1.0\); it must be \(least, largest\)"),
  ],
)
def test_bad_arguments_are_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    augment.random_affine(**{"images": tf.ones([2, 8, 8, 1]), "seed": [0, 1], **arguments})
