"""What experiments with a refiner have in common, whatever faces it is trained on."""

import functools

import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.core import experiment as experiment_lib
from garden.dagan import data as data_lib
from garden.dagan import evaluation
from garden.dagan import extractor
from garden.dagan import serving
from garden.dagan import settings
from garden.dagan.dagan import DAGAN
from garden.datasets import faces as faces_lib
from garden.datasets import order


class Refining(experiment_lib.Experiment):
  """A DA-GAN to train. A subclass says what it is worth, and on whose faces it learns beside.

  Args:
    faces: a source of people, `load("train")` and `load("heldout")` of it `faces.FaceSet`s with
      the kinds "profile" and "simulated", and `folder`.
    network: the `settings.Network`.
    recipe: the `settings.Recipe`.
    judges: the `settings.Judges`.
    steps: batches, the warm-up's without.
    batch_size: real images of a batch, and simulated ones.
    shown: unseen simulated images that are refined at ten times of the training.
    seed: seed of the order, of the draws and of the first weights.
  """

  room = "dagan"

  def __init__(self, faces: faces_lib.Source, network: settings.Network, recipe: settings.Recipe,
               judges: settings.Judges, steps=3000, batch_size=16, shown=100, seed=0):
    for name, value in (("steps", steps), ("shown", shown)):
      checks.check_count(name, value, 1)
    self.faces, self.network, self.recipe, self.judges = faces, network, recipe, judges
    self.steps, self.batch_size, self.shown, self.seed = steps, batch_size, shown, seed
    self._found = {}  # what was measured, until `evaluate` or `figures` are called again

  @functools.cached_property
  def train(self):
    """The people to learn from: `faces.FaceSet`."""
    return self.faces.load("train")

  @functools.cached_property
  def heldout(self):
    """The people to measure on: `faces.FaceSet`."""
    return self.faces.load("heldout")

  @property
  def n_identities(self):
    """K, the people that the identity agent tells apart: those to learn from."""
    return int(self.train.identity.max()) + 1

  @property
  def real(self):
    """True profiles, labelled 0 .. K - 1."""
    return self.train.of("profile")

  @property
  def simulated(self):
    """Simulated profiles of the same people."""
    return self.train.of("simulated")

  @property
  def new(self):
    """Simulated profiles of people of whom no real one is seen; None where there are none."""
    return None

  @property
  def unseen(self):
    """Simulated profiles of people whom training doesn't see."""
    return self.heldout.of("simulated")

  @functools.cached_property
  def extract(self):
    """The function images uint8 -> features that distances are of."""
    return extractor.of(self.judges, self.faces)

  def along_training(self, model):
    """What the album's images tell: dict of arrays of `evaluation.along_training`; kept."""
    if "along" not in self._found:
      self._found["along"] = evaluation.along_training(
          model.album, model.training_log, self.extract, self.heldout.of("profile"))
    return self._found["along"]

  def build_model(self):
    """The `DAGAN`, compiled and built."""
    tf.keras.utils.set_random_seed(self.seed)
    model = DAGAN(self.network, self.recipe, self.n_identities, self.steps, self.shown, self.seed)
    model.build()
    model.compile()
    # A checkpoint holds the optimizers' moments: they must be there before it is read.
    model.optimizer.build(model.discriminator_variables)
    model.generator_optimizer.build(model.refiner.trainable_variables)
    return model

  def datasets(self):
    """Two stages, the second alone where there is no warm-up; unseen images to look at."""
    self.check_faces()
    batches = data_lib.batches(self.real, self.simulated, self.new, self.batch_size, self.seed)
    stages = [experiment_lib.Stage("refine", self.steps, batches)]
    if self.recipe.warm_up:
      stages.insert(0, experiment_lib.Stage("warm_up", self.recipe.warm_up, batches))
    return experiment_lib.Data(stages, validation=self._looked_at())

  def check_faces(self):
    """Raises a ValueError unless the faces fit the network."""
    side, count = self.real.image.shape[1], int(max(self.real.identity.max(),
                                                    self.simulated.identity.max())) + 1
    if side != self.network.size:
      raise ValueError(f"dagan.Network.size is {self.network.size}, but the faces are {side} px; "
                       "they must be alike")
    if count > self.n_identities:
      raise ValueError(f"identities go up to {count - 1}, but the identity agent tells "
                       f"{self.n_identities} apart; number them from 0 without gaps")
    if len(self.unseen) < self.shown:
      raise ValueError(f"shown is {self.shown}, but there are {len(self.unseen)} simulated images "
                       "that training doesn't see")

  @property
  def looked_at(self):
    """The unseen images that are refined along training: `FaceSet` of `shown`."""
    return self.unseen.take(order.evenly(len(self.unseen), self.shown))

  @property
  def looked_at_images(self):
    """These, in front of other backgrounds: `[shown, s, s, 3]` uint8."""
    return data_lib.repainted(self.looked_at, self.judges.seed)

  def _looked_at(self):
    """The one batch of validation."""
    faces = self.looked_at
    batch = {"image": data_lib.scaled(self.looked_at_images),
             **{name: tf.cast(getattr(faces, name), tf.float32) / 255.0
                for name in ("mask", "visible")}}
    return tf.data.Dataset.from_tensors(batch)

  def profiles(self, model, faces):
    """Simulated faces before and after: `(raw, refined)`, `[N, s, s, 3]` uint8 twice.

    Both have the same new backgrounds.
    """
    raw = data_lib.repainted(faces, self.judges.seed)
    return raw, data_lib.as_pixels(data_lib.mapped(model, raw))

  def added(self, model, simulated, true):
    """What recognisers are trained on beside frontal images, for the judges' methods.

    Args:
      model: the trained model.
      simulated: `FaceSet` of simulated profiles, as many of each person, one after another.
      true: `FaceSet` of true ones.

    Returns:
      Dict of method -> images and identities, see `evaluation.recognisers`.
    """
    raw, refined = self.profiles(model, simulated)
    people, seed = simulated.identity, self.judges.seed
    ways = {
        "frontal_only": lambda: None, "raw": lambda: (raw, people),
        "refined": lambda: (refined, people),
        "raw_and_refined": lambda: (np.concatenate([raw, refined]), np.tile(people, 2)),
        "true": lambda: (true.image, true.identity),
        "raw_jittered": lambda: (evaluation.jittered(raw, seed), people),
        "raw_others_residual": lambda: (evaluation.others_residual(raw, refined, people), people)}
    return {name: ways[name]() for name in self.judges.methods}

  def signatures(self, model):
    """Image -> refined image, how real both are, identity."""
    return serving.Refinement(model, self.network.size)
