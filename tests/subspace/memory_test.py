"""Tests of the memory estimate."""

import re

import pytest

from garden.subspace import memory


def test_the_greater_of_the_two_phases_counts():
  assert memory.required_bytes(7200) == 48 * 7200**2
  assert memory.TRAINING_BYTES * 2432**2 == 94_633_984  # 95 MB, section 6 of the facts


def test_what_fits_passes():
  memory.check(400)
  memory.check(100, available=48 * 100**2)


def test_what_does_not_fit_names_need_limit_and_fix():
  with pytest.raises(ValueError, match="70000 images") as caught:
    memory.check(70000, available=24 * 2**30)
  message = str(caught.value)
  assert "219.0 GiB" in message and "24.0 GiB are free" in message
  assert "per_class" in message and "predict" in message and "\n" not in message
  fits = int(re.search(r"at most (\d+) images", message).group(1))
  memory.check(fits, available=24 * 2**30)
  with pytest.raises(ValueError, match="at most"):
    memory.check(fits + 1, available=24 * 2**30)


def test_this_machine_tells_what_is_free():
  free = memory.available_bytes()
  assert free is None or 2**20 < free < 2**50


def test_where_it_cannot_be_told_nothing_is_refused(monkeypatch):
  monkeypatch.setattr(memory, "available_bytes", lambda: None)
  memory.check(10**6)
