"""Rules for pixels and labels."""

import numpy as np
import pytest

from garden.datasets import checks


def pixels(*values, dtype):
  return np.array(values, dtype).reshape(len(values), 1, -1, 1)


def refuses(message, call, *args, **kwargs):
  with pytest.raises(ValueError, match=message) as caught:
    call(*args, **kwargs)
  assert "\n" not in str(caught.value)


def test_declared_ranges():
  names = ["a"]
  whole = pixels([0, 51, 255], dtype=np.uint8)
  np.testing.assert_array_equal(
    checks.unit_pixels(whole, names).ravel(), np.array([0, 0.2, 1], np.float32)
  )
  unit = pixels([0, 0.25, 1], dtype=np.float64)
  np.testing.assert_array_equal(checks.unit_pixels(unit, names).ravel(), [0, 0.25, 1])
  signed = pixels([-1, 0, 1], dtype=np.float32)
  np.testing.assert_array_equal(
    checks.unit_pixels(signed, names, pixel_range=(-1, 1)).ravel(), [0, 0.5, 1]
  )
  flags = pixels([False, True], dtype=bool)
  np.testing.assert_array_equal(checks.unit_pixels(flags, names).ravel(), [0, 1])
  assert checks.unit_pixels(whole, names).dtype == np.float32


def test_every_grey_level_comes_back():
  levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
  np.testing.assert_array_equal(
    np.rint(checks.unit_pixels(levels, ["a"]) * 255).astype(np.uint8), levels
  )


@pytest.mark.parametrize(
  ("values", "dtype", "message"),
  [([[0, 1], [0, 300]], np.int32, r"300 in b is outside the declared range 0\.\.255 of int32"),
   ([[0, 1], [0, -3]], np.int16, r"-3 in b is outside"),
   ([[0, 1], [0, 200]], np.float32, r"200\.0 in b is outside the declared range 0\.\.1.*rescale"),
   ([[0, 1], [0, np.nan]], np.float32, r"1 pixels are NaN .*first at index \[1, 0, 1, 0\] in b"),
   ([[np.inf, np.nan], [0, 1]], np.float32, r"2 pixels are NaN .*\[0, 0, 0, 0\] in a"),
   ([[0, 1], [2, 2]], np.uint8, "1 of 2 images are constant .*first is b: remove"),
   ([[0, 1], [0, 1j]], complex, "dtype complex128 are not real")],
)  # fmt: skip
def test_pixels_that_break_a_rule(values, dtype, message):
  refuses(message, checks.unit_pixels, pixels(*values, dtype=dtype), ["a", "b"])


def test_shape_and_range_arguments():
  refuses(r"shape \(0, 2, 2, 1\)", checks.unit_pixels, np.zeros([0, 2, 2, 1]), [])
  refuses(r"shape \(2, 2\)", checks.unit_pixels, np.zeros([2, 2]), ["a", "b"])
  refuses(r"pixel_range=\(1, 1\) is empty", checks.unit_pixels, np.zeros([1, 2, 2, 1]), ["a"],
          pixel_range=(1, 1))  # fmt: skip


@pytest.mark.parametrize(
  ("labels", "mapped", "names"),
  [([0, 1, 1], [0, 1, 1], ("0", "1")), ([[2], [1], [1]], [1, 0, 0], ("1", "2")),
   ([[3, 1, 2]], [2, 0, 1], ("1", "2", "3")), ([1.0, 2.0, 1.0], [0, 1, 0], ("1", "2")),
   (["b", "a", "b"], [1, 0, 1], ("a", "b")), ([1, 1, 1], [0, 0, 0], ("1",))],
)  # fmt: skip
def test_labels_from_zero_or_one(labels, mapped, names):
  found, class_names = checks.contiguous_labels(np.array(labels), 3)
  assert (found.tolist(), found.dtype, class_names) == (mapped, np.int64, names)


@pytest.mark.parametrize(
  ("labels", "message"),
  [([1, 2, 4], "from 1 to 4 with gaps, missing 3: renumber them"),
   ([0, 2, 2], "missing 1:"), ([5, 6, 7], "missing 1, 2, 3, 4:"),
   ([0, 1, 10**12], r"missing 2, 3, .*, 11 and 999999999988 more"),
   ([-1, 0, 1], "label -1 is negative"), ([0.5, 1, 2], "not whole numbers"),
   ([np.nan, 1, 2], "not whole numbers"), ([0, 1], r"shape \(2,\), but there are 3 images"),
   (np.eye(3), r"shape \(3, 3\), but there are 3 images")],
)  # fmt: skip
def test_labels_that_break_a_rule(labels, message):
  refuses(message, checks.contiguous_labels, np.array(labels), 3)
