"""Tests of photographs as a stream that measures."""

import numpy as np
import pytest
from PIL import Image

from garden.core import report
from garden.physnet import experiment
from garden.physnet import photos
from garden.physnet import settings

_NETWORK = settings.Network(filters=(8, 8, 16), squeeze=4, units=16, coarse=8,
                            mask_filters=(8, 8, 8))


@pytest.fixture
def folder(tmp_path):
  """Four grey photographs, of other sizes, with labels."""
  root = tmp_path / "photos"
  root.mkdir()
  for number, (side, grey) in enumerate(((70, 0), (64, 85), (64, 170), (90, 255))):
    Image.new("RGB", (side + 20, side), (grey,) * 3).save(root / f"{number}.png")
  (root / "labels.csv").write_text(
      "image,fall,count\n0.png,1,2\n1.png,0,2\n2.png,1,4\n3.png,1,\n")
  return root


class _InMemory:

  def __init__(self, towers):
    self.towers = towers

  def load(self):
    """The towers."""
    return self.towers


def _experiment(towers, folder):
  return experiment.BlockTowers(
      _InMemory(towers), [_InMemory(towers)], _NETWORK, settings.Recipe(), image_size=56,
      steps=2, batch_size=8, photos=str(folder))


def test_photographs_are_read_at_one_size(folder):
  found = photos.load(folder, 64)
  assert found.images.shape == (4, 64, 64, 3) and found.images.dtype == np.float32
  np.testing.assert_allclose(found.images[:, 0, 0, 0], [0, 1 / 3, 2 / 3, 1], atol=1e-6)
  assert found.fall.tolist() == [1, 0, 1, 1] and found.count.tolist() == [2, 2, 4, 0]
  assert found.names[3] == "3.png"


def test_rows_are_by_told_count_and_of_all(folder):
  rows = photos.rows(photos.load(folder, 16), [0.9, 0.8, 0.9, 0.1])
  accuracy = {row["setting"]["blocks"]: row["value"] for row in rows
              if row["metric"] == "fall_accuracy"}
  assert accuracy == {2: 0.5, 4: 1.0, "all": 0.5}
  assert all(row["setting"]["stream"] == "photographs" for row in rows)
  assert rows[-1]["metric"] == "calibration_error"


def test_an_experiment_measures_and_shows_them(folder, towers, tmp_path):
  made = _experiment(towers, folder)
  model = made.build_model()
  model.training_log = []
  rows = [row for row in made.evaluate(model, None)
          if row["setting"].get("stream") == "photographs"]
  told = made.predict(model, photos.load(folder, 64).images)["fall_probability"]
  assert [row["value"] for row in rows if row["setting"]["blocks"] == "all"][0] == np.mean(
      (told >= 0.5) == np.array([1, 0, 1, 1]))
  page = report.write_report(tmp_path / "r.html", made.title, made.figures(model, None))
  assert "4 of the 4 photographs" in page.read_text()


@pytest.mark.parametrize("name, content, message", [
    ("labels.csv", b"image,fall\n0.png,2\n", "line 2: fall is '2'; it must be 0"),
    ("2.png", b"no image", "2.png")])
def test_a_wrong_label_or_image_is_told_before_training(folder, towers, name, content, message):
  (folder / name).write_bytes(content)
  with pytest.raises(ValueError, match=message):
    _experiment(towers, folder).datasets()
