"""Tests of settings in the configs of Keras models."""

import json

import pytest

from garden.core import saved_settings
from garden.physnet import settings


def test_settings_come_back_from_json_with_those_inside_them():
  network = settings.Network(crop=settings.Crop(size=(32, 24)), filters=(2, 3, 4))
  text = json.dumps(saved_settings.pack(network))
  assert saved_settings.unpack(json.loads(text)) == network


@pytest.mark.parametrize("value", [None, 3, "softmax", {"settings": 1}, {}])
def test_what_is_no_settings_stays_as_it_is(value):
  assert saved_settings.pack(value) == value
  assert saved_settings.unpack(value) == value


@pytest.mark.parametrize("name", ["garden.physnet.settings.Nothing", "os.system",
                                  "garden.core.model.GardenModel", "garden.none.Settings"])
def test_a_class_that_is_no_dataclass_is_refused(name):
  with pytest.raises(ValueError, match=rf"{name}.*load it with the version of garden"):
    saved_settings.unpack({"settings": name, "values": {}})


def test_no_other_module_is_imported(tmp_path, monkeypatch):
  (tmp_path / "hostile_settings.py").write_text("raise SystemExit('imported')")
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(ValueError, match="no dataclass here"):
    saved_settings.unpack({"settings": "hostile_settings.Settings", "values": {}})
