"""A method of a few weights for the tests of core, which know no room."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from garden.core import experiment as experiment_lib
from garden.core import export
from garden.core import model as model_lib
from garden.core import report
from garden.core import run as run_lib

_SIZE = 4  # images are _SIZE x _SIZE, grey


class ToyModel(model_lib.GardenModel):
  """Linear regression of an image's mean on 8 noisy images, with a k_t."""

  def __init__(self, seed=0, noise=0.0):
    super().__init__(seed=seed)
    rng = np.random.default_rng(0)
    self.images = tf.constant(rng.uniform(size=(8, _SIZE, _SIZE, 1)), tf.float32)
    self.noise = noise
    self.dense = tf.keras.layers.Dense(1, kernel_initializer="ones")
    self.k_t = self.state_variable(0.0, "k_t")
    self.add_trackers("loss")
    self(self.images)

  def compile(self, optimizer, **kwargs):
    super().compile(optimizer=optimizer, **kwargs)
    self.optimizer.build(self.trainable_variables)

  def call(self, images):
    return self.dense(tf.reshape(images, [-1, _SIZE * _SIZE]))[:, 0]

  def error(self, indices):
    images = tf.gather(self.images, indices)
    away = self(images) - tf.reduce_mean(images, axis=[1, 2, 3])
    return tf.reduce_mean(tf.square(tf.cast(away, tf.float32)))

  def train_step(self, indices):
    with tf.GradientTape() as tape:
      shake = self.noise * tf.random.stateless_normal([], self.step_seed())
      loss = self.error(indices) * (1.0 + shake)
    self.minimize(tape, loss, self.trainable_variables, self.optimizer)
    self.k_t.assign(0.9 * self.k_t + self.all_reduce_mean(loss))
    return self.log_step(loss=loss)

  def test_step(self, indices):
    return self.log_values(loss=self.error(indices))

  def summary_images(self):
    return {"inputs": self.images[:2]}


@dataclasses.dataclass
class Toy(experiment_lib.Experiment):
  """Stages of `ToyModel`.

  Attributes:
    stages: (name, steps) of each.
    learning_rate: SGD's.
    noise: size of the random factor of a step's loss.
    plateau: rule of every stage.
    validation: whether `fit` validates.
    momentum: SGD's.
  """

  stages: tuple = (("first", 12), ("second", 7))
  learning_rate: float = 0.01
  noise: float = 0.5
  plateau: experiment_lib.Plateau | None = None
  validation: bool = False
  momentum: float = 0.9

  room = "toy"
  title = "Toy"

  def build_model(self):
    model = ToyModel(noise=self.noise)
    model.compile(tf.keras.optimizers.SGD(self.learning_rate, momentum=self.momentum))
    return model

  def datasets(self):
    def batches(first):
      steps = tf.data.Dataset.range(first, 2**62)
      return steps.map(lambda i: tf.range(i, i + 4) * 3 % 8)

    stages = [
      experiment_lib.Stage(name, steps, batches, self.plateau) for name, steps in self.stages
    ]
    check = tf.data.Dataset.from_tensors(tf.range(8, dtype=tf.int64)) if self.validation else None
    return experiment_lib.Data(stages=stages, validation=check)

  def evaluate(self, model, data):
    loss = float(model.error(tf.range(8)))
    return [{"metric": "loss", "value": loss}, {"method": "zero", "metric": "loss", "value": 0.25}]

  def figures(self, model, data):
    return [report.Text("Curve", f"{len(model.training_log)} lines")]

  def signatures(self, model):
    def outputs(images):
      return {"mean": model(images), "twice": 2.0 * images}

    return export.ServingModule(model, outputs, (_SIZE, _SIZE), 1, (0, 1))

  def predictions(self, model, data):
    return {"image": ["a", "b"], "value": [1, 2]}


@pytest.fixture(scope="session")
def toy_run():
  """Makes the `Run` of a `Toy`: `toy_run(steps_per_epoch=5, experiment=dict(noise=0.0))`."""

  def make(experiment=None, **settings):
    settings = {"steps_per_epoch": 5, "save_every": 3, "tensorboard": False, **settings}
    return run_lib.Run(experiment=Toy(**(experiment or {})), **settings)

  return make
