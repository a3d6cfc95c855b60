"""What an exported model refuses, through its loaded signatures and in the C API."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from garden.core import export
from garden.core import serving_inputs
from tests import saved_model_client

_SIZE = (6, 8)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
  """SavedModels that give their images back, by channels: {1: path, 3: path}."""
  paths = {}
  for channels in (1, 3):
    module = export.ServingModule(tf.Module(), lambda x: {"x": x}, _SIZE, channels, (0, 1))
    paths[channels] = str(tmp_path_factory.mktemp("saved"))
    tf.saved_model.save(module, paths[channels], signatures=module.signatures())
  return paths


@pytest.fixture(scope="module")
def models(saved):
  return {channels: tf.saved_model.load(path) for channels, path in saved.items()}


def _served(models, encoded, channels=3):
  serve = models[channels].signatures["serving_bytes"]
  return serve(image_bytes=tf.constant(encoded, tf.string))["x"].numpy()


def _encode(image, kind="PNG", **options):
  buffer = io.BytesIO()
  image.save(buffer, kind, **options)
  return buffer.getvalue()


def _picture(mode="RGB", size=_SIZE):
  pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
  return Image.fromarray(pixels).convert(mode)


def _claims(width, height):
  """A PNG of a hundred bytes whose header claims a size."""
  def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
  header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
  return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
          + chunk(b"IEND", b""))


@pytest.mark.parametrize("shape", [(1, 7, 8, 3), (1, 8, 6, 3), (1, 6, 8, 1), (6, 8, 3), (1, 144)])
def test_images_of_another_shape_are_refused(models, shape):
  message = rf"Shape of tensor images \[{','.join(map(str, shape))}\] is not compatible with " \
            r"expected shape \[\?,6,8,3\]"
  with pytest.raises(tf.errors.InvalidArgumentError, match=message):
    models[3].signatures["serving_default"](images=tf.zeros(shape))


@pytest.mark.parametrize("dtype", [tf.float64, tf.uint8, tf.string])
def test_images_of_another_type_are_refused(models, dtype):
  images = tf.fill([1, *_SIZE, 3], "0" if dtype == tf.string else tf.cast(0, dtype))
  with pytest.raises(tf.errors.InvalidArgumentError, match="expected to be a float tensor"):
    models[3].signatures["serving_default"](images=images)


@pytest.mark.parametrize(("value", "message"), [
    (np.nan, "pixels must be finite numbers : Tensor had NaN"),
    (np.inf, "pixels must be finite numbers : Tensor had Inf"),
    (-0.01, "pixels must be at least 0"), (1.01, "pixels must be at most 1")])
def test_a_wrong_pixel_is_refused(models, value, message):
  images = np.full((2, *_SIZE, 3), 0.5, np.float32)
  images[1, 2, 3, 0] = value
  with pytest.raises(tf.errors.InvalidArgumentError, match=message):
    models[3].signatures["serving_default"](images=tf.constant(images))


@pytest.mark.parametrize("encoded", [b"PNG", [[b"PNG"]]])
def test_bytes_of_another_shape_are_refused(models, encoded):
  with pytest.raises(tf.errors.InvalidArgumentError, match="image_bytes .* expected shape"):
    _served(models, encoded)


@pytest.mark.parametrize("encoded", [
    b"", b"no image", _encode(_picture(), "BMP"), _encode(_picture("P"), "GIF"),
    _encode(_picture("P"), "GIF", save_all=True, append_images=[_picture("P").rotate(180)])],
    ids=["empty", "text", "bmp", "gif", "moving gif"])
def test_what_is_neither_jpeg_nor_png_is_refused(models, encoded):
  message = rf"image_bytes must be JPEG or PNG.*\[{len(encoded)}\]"
  with pytest.raises(tf.errors.InvalidArgumentError, match=message):
    _served(models, [encoded])


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
def test_an_image_that_was_cut_off_is_refused(models, kind, share):
  encoded = _encode(_picture(size=(64, 64)), kind)
  encoded = encoded[:max(int(share * len(encoded)), 8)]
  with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?i){kind}"):
    _served(models, [encoded])


def test_one_wrong_image_of_a_batch_is_told(models):
  with pytest.raises(tf.errors.InvalidArgumentError, match="must be JPEG or PNG"):
    _served(models, [_encode(_picture()), b"no image", _encode(_picture())])


@pytest.mark.parametrize(("width", "height"), [(50000, 50000), (8192, 4097), (2**31 - 1, 9**9)])
def test_a_png_that_claims_too_many_pixels_is_refused_by_its_header(models, width, height):
  message = rf"at most {serving_inputs.MOST_PIXELS} pixels.*\[{width} {height}\]"
  with pytest.raises(tf.errors.InvalidArgumentError, match=message):
    _served(models, [_claims(width, height)])
  # One that is allowed reaches the decoder, which finds that its pixels aren't there.
  with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid PNG data"):
    _served(models, [_claims(100, 100)])


def test_a_jpeg_that_claims_too_many_pixels_is_refused_by_its_header(models):
  encoded = bytearray(_encode(_picture(), "JPEG"))
  place = encoded.index(b"\xff\xc0") + 5  # the frame's height and width
  encoded[place:place + 4] = struct.pack(">HH", 60000, 50000)
  with pytest.raises(tf.errors.InvalidArgumentError, match=r"at most .* pixels.*\[60000 50000\]"):
    _served(models, [bytes(encoded)])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA", "I;16"])
def test_a_png_of_any_kind_of_pixel_is_read(models, channels, mode):
  grey = np.asarray(_picture("L"))
  if mode == "I;16":
    picture = Image.fromarray(grey.astype(np.uint16) * 256 + 255)  # the low byte is cut off
  elif mode == "RGBA":
    picture = Image.fromarray(np.dstack([grey] * 3 + [np.full_like(grey, 9)]))
  else:
    picture = Image.fromarray(grey).convert(mode)
  expected = np.asarray(picture.convert("L")) if mode in ("P", "1") else grey
  found = _served(models, [_encode(picture)], channels)[0]
  np.testing.assert_allclose(found, np.dstack([expected] * channels) / 255, atol=1.01 / 255)


def test_a_cmyk_jpeg_is_read_in_colour_and_refused_in_grey(models):
  flat = Image.new("RGB", _SIZE[::-1], (200, 120, 40))
  encoded = _encode(flat.convert("CMYK"), "JPEG", quality=95)
  np.testing.assert_allclose(_served(models, [encoded])[0, 3, 4] * 255, [200, 120, 40], atol=4)
  with pytest.raises(tf.errors.InvalidArgumentError, match=r"grey or RGB; this JPEG is CMYK"):
    _served(models, [encoded], channels=1)


def test_an_empty_batch_is_refused(models):
  with pytest.raises(tf.errors.InvalidArgumentError, match="the batch is empty; send at least"):
    _served(models, [])
  with pytest.raises(tf.errors.InvalidArgumentError, match="the batch is empty; send at least"):
    models[3].signatures["serving_default"](images=tf.zeros([0, *_SIZE, 3]))


def test_batches_of_two_inputs_must_be_as_many():
  def sums(x, y):
    x, y = serving_inputs.same_batch(x, y, ("images", "cameras"))
    return x + y
  found = tf.function(sums, input_signature=[tf.TensorSpec([None])] * 2)
  np.testing.assert_array_equal(found(tf.ones([2]), tf.ones([2])), [2, 2])
  with pytest.raises(tf.errors.InvalidArgumentError, match="images and cameras must be as many"):
    found(tf.ones([2]), tf.ones([1]))


@pytest.mark.parametrize(("signature", "inputs", "message"), [
    ("serving_default", {"images": np.zeros((1, 7, 8, 3), np.float32)},
     r"\[1,7,8,3\] is not compatible with expected shape \[\?,6,8,3\]"),
    ("serving_default", {"images": np.zeros((0, 6, 8, 3), np.float32)}, "batch is empty"),
    ("serving_default", {"images": np.full((1, 6, 8, 3), np.nan, np.float32)}, "had NaN"),
    ("serving_default", {"images": np.full((1, 6, 8, 3), 255, np.float32)}, "at most 1"),
    ("serving_default", {"images": np.zeros((1, 6, 8, 3), np.float64)}, "float"),
    ("serving_bytes", {"image_bytes": np.array([b"no image"], object)}, "JPEG or PNG"),
    ("serving_bytes", {"image_bytes": np.array([_claims(50000, 50000)], object)}, "50000 50000"),
])
def test_a_server_refuses_them_too(saved, c_api, signature, inputs, message):
  # Its graph optimiser is another one: a check that it took away would be missed here.
  with pytest.raises(saved_model_client.Refused, match=message):
    c_api(saved[3], [(signature, inputs)])
