"""Tests of the store of refined images: what goes in, what comes out, and when."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core import strategies
from garden.dagan import dagan
from garden.dagan import history
from garden.dagan import settings


def _batch(first, n=4):
  """Images that are a number each, which is their label too."""
  labels = tf.range(first, first + n, dtype=tf.int64)
  return tf.ones([n, 2, 2, 3]) * tf.cast(labels, tf.float32)[:, None, None, None], labels


def _numbers(images):
  return images.numpy()[:, 0, 0, 0].astype(int).tolist()


def test_until_it_is_full_it_takes_half_and_gives_the_batch_back():
  store = history.History(4, 2)
  for first in (0, 10):
    images, labels = store.mix(*_batch(first), [0, first])
    assert _numbers(images) == labels.numpy().tolist() == list(range(first, first + 4))
  assert int(store.filled) == 4 and _numbers(store.images) == [0, 1, 10, 11]


def test_once_full_half_comes_from_earlier_and_the_rest_is_new():
  store = history.History(4, 2)
  for first in (0, 10):
    store.mix(*_batch(first), [0, first])
  images, labels = store.mix(*_batch(20), [0, 2])
  assert _numbers(images) == labels.numpy().tolist()
  assert set(_numbers(images)[:2]) < {0, 1, 10, 11} and _numbers(images)[2:] == [22, 23]
  kept = _numbers(store.images)
  assert {20, 21} < set(kept) and len(set(kept)) == 4
  assert not set(_numbers(images)[:2]) & set(kept)


def test_draws_are_of_the_seed():
  stores = [history.History(4, 2) for _ in range(3)]
  for store in stores:
    for first in (0, 10):
      store.mix(*_batch(first), [0, first])
  found = [_numbers(store.mix(*_batch(20), [7, seed])[0]) for store, seed in zip(stores, (1, 1, 5))]
  assert found[0] == found[1] != found[2]


def test_a_model_with_a_history_trains_and_keeps_it(tmp_path):
  network = settings.Network(size=16, filters=4, hidden=6, refiner_filters=(4, 6))
  model = dagan.DAGAN(network, settings.Recipe(history=4, learning_rate=1e-3), 3)
  model.build()
  model.compile()
  rng = np.random.default_rng(0)
  images = tf.constant(rng.uniform(-1, 1, (4, 16, 16, 3)), tf.float32)
  share = tf.ones([4, 16, 16, 1])
  part = {"image": images, "identity": tf.constant([0, 1, 2, -1], tf.int64)}
  for _ in range(3):
    logs = model.train_step({"real": part, "simulated": {**part, "mask": share, "visible": share}})
  assert np.isfinite(float(logs["discriminator_loss"])) and int(model.earlier.filled) == 4
  saved = tf.train.Checkpoint(model=model).save(str(tmp_path / "c"))
  assert any("earlier/images" in name for name, _ in tf.train.list_variables(saved))


def test_a_bad_capacity_is_refused():
  with pytest.raises(ValueError, match="history is -1"):
    settings.Recipe(history=-1)


def test_two_replicas_share_one_store():
  strategy = strategies.get("mirrored")
  assert strategy.num_replicas_in_sync == 2
  with strategy.scope():
    store = history.History(4, 2)

  @tf.function
  def run(images, labels, seed):
    strategy.run(store.mix, args=(images, labels, seed))

  for first in (0, 10):
    whole = _batch(first, 4)
    images, labels = (strategy.experimental_distribute_values_from_function(
        lambda context, value=value: value[2 * context.replica_id_in_sync_group:][:2])
        for value in whole)
    run(images, labels, tf.constant([0, first]))
  assert _numbers(store.images) == store.labels.numpy().tolist() == [0, 2, 10, 12]
