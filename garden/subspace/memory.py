"""Memory of full N x N self-expression, estimated before anything is made.

Training holds C, its gradient and Adam's two moments, 16 N^2 bytes in float32;
post-processing holds about six N x N arrays of float64, 48 N^2 bytes.
"""

import os

TRAINING_BYTES = 16
AFFINITY_BYTES = 48


def required_bytes(n_images):
  """The most bytes that N x N matrices take at once, of both phases."""
  return max(TRAINING_BYTES, AFFINITY_BYTES) * n_images ** 2


def available_bytes():
  """Bytes of memory this machine can give now, or None where it can't be told."""
  if not os.path.exists("/proc/meminfo"):
    return None
  with open("/proc/meminfo", encoding="ascii") as file:
    for line in file:
      if line.startswith("MemAvailable:"):
        return int(line.split()[1]) * 1024
  return None


def check(n_images, available=None):
  """Refuses a set of images whose C doesn't fit.

  Args:
    n_images: N.
    available: bytes at hand; measured when None.

  Raises:
    ValueError: it doesn't fit; says how much is needed, how much there is, and
      how many images would fit.
  """
  available = available_bytes() if available is None else available
  needed = required_bytes(n_images)
  if available is None or needed <= available:
    return
  fits = int((available / AFFINITY_BYTES) ** 0.5)
  raise ValueError(
      f"{n_images} images need {needed / 2**30:.1f} GiB for {n_images} x "
      f"{n_images} matrices (training {TRAINING_BYTES} N^2 bytes, affinity "
      f"{AFFINITY_BYTES} N^2), and {available / 2**30:.1f} GiB are free; cluster "
      f"at most {fits} images (Source.per_class) and give the others to "
      "`predict`")
