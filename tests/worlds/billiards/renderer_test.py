"""Tests of tables seen from above: where discs are, how large, and that gradients move them."""

import numpy as np
import pytest
import tensorflow as tf

from garden.worlds.billiards import renderer
from garden.worlds.billiards import scene


def _table(*places, radius=0.2):
  one = scene.sample(1, seed=0, distribution=scene.Distribution(counts=(len(places),)))
  return one.replace(position=np.array([places], np.float32),
                     radius=np.full((1, len(places)), radius, np.float32)).arrays()


def test_a_ball_is_a_disc_of_its_color_at_its_place():
  seen = renderer.render(_table((0.5, -0.25)), 80)
  ids, image = seen["ids"][0].numpy(), seen["image"][0].numpy()
  rows, columns = np.nonzero(ids)
  assert rows.mean() + 0.5 == pytest.approx(50.0) and columns.mean() + 0.5 == pytest.approx(60.0)
  assert len(rows) == pytest.approx(np.pi * 8 ** 2, rel=0.05)
  table = _table((0.5, -0.25))
  np.testing.assert_allclose(image[50, 60], table["color"][0, 0], atol=1e-6)
  np.testing.assert_allclose(image[5, 5], table["cloth_color"][0], atol=1e-6)


def test_the_cover_of_a_ball_sums_to_its_area():
  table = _table((0.013, 0.027), radius=0.3)
  table["color"], table["cloth_color"] = np.ones([1, 1, 3]), np.zeros([1, 3])
  area = tf.reduce_sum(renderer.render(table, 100)["image"][..., 0]) * 0.02 ** 2
  assert float(area) == pytest.approx(np.pi * 0.3 ** 2, rel=1e-3)


def test_empty_places_are_not_seen():
  tables = scene.sample(2, seed=0, max_balls=6)
  wide = renderer.render(tables.arrays(), 48)
  narrow = renderer.render(scene.sample(2, seed=0).arrays(), 48)
  np.testing.assert_array_equal(wide["image"], narrow["image"])
  np.testing.assert_array_equal(wide["ids"], narrow["ids"])


@pytest.mark.parametrize("name", ["position", "radius", "color", "cloth_color"])
def test_gradients_are_those_of_finite_differences(name):
  table = {key: tf.constant(value) for key, value in _table((0.31, -0.22), (-0.4, 0.1)).items()}
  target = tf.random.stateless_uniform([1, 32, 32, 3], [0, 0])

  def loss(value):
    image = renderer.render({**table, name: value}, 32, softness=3.0)["image"]
    return tf.reduce_sum(tf.square(image - target))

  value = table[name]
  with tf.GradientTape() as tape:
    tape.watch(value)
    out = loss(value)
  gradient = tape.gradient(out, value).numpy()
  step = 2e-3 * tf.random.stateless_normal(value.shape, [1, 2])
  change = float(loss(value + step) - loss(value - step)) / 2
  assert change == pytest.approx(float(tf.reduce_sum(gradient * step)), rel=0.03, abs=2e-3)


def test_a_few_gradient_steps_bring_a_ball_to_where_it_is_seen():
  truth = _table((0.3, -0.2))
  seen = renderer.render(truth, 48, softness=4.0)["image"]
  place = tf.Variable([[[0.22, -0.14]]])
  optimizer = tf.keras.optimizers.Adam(0.01)
  for _ in range(40):
    with tf.GradientTape() as tape:
      image = renderer.render({**truth, "position": place}, 48, softness=4.0)["image"]
      loss = tf.reduce_mean(tf.square(image - seen))
    optimizer.apply_gradients([(tape.gradient(loss, place), place)])
  np.testing.assert_allclose(place.numpy()[0, 0], [0.3, -0.2], atol=0.01)


def test_the_layer_is_the_function_saves_and_takes_any_batch():
  layer = renderer.TableRenderer(32, softness=2.0)
  again = renderer.TableRenderer.from_config(layer.get_config())
  graph = tf.function(again, reduce_retracing=True)
  for n in (1, 3):
    tables = scene.sample(n, seed=0).arrays()
    np.testing.assert_allclose(graph(tables)["image"],
                               renderer.render(tables, 32, softness=2.0)["image"], atol=1e-6)


@pytest.mark.parametrize("size, softness, message", [
    (0, 1.0, "image_size is 0; .* at least 1"), (4.5, 1.0, "image_size is 4.5"),
    (32, 0.0, "softness is 0.0; it must be above 0"), (32, float("nan"), "softness is nan")])
def test_what_can_not_be_drawn_is_refused(size, softness, message):
  with pytest.raises(ValueError, match=message):
    renderer.TableRenderer(size, softness)


def test_a_missing_field_is_named():
  table = _table((0.0, 0.0))
  del table["radius"]
  with pytest.raises(ValueError, match="the scene has no radius; it needs present, "):
    renderer.render(table, 32)
