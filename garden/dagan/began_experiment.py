"""The glue between BEGAN, faces from noise, and the binaries."""

import functools

import gin
import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.core import experiment as experiment_lib
from garden.dagan import began_report
from garden.dagan import data as data_lib
from garden.dagan import evaluation
from garden.dagan import extractor
from garden.dagan import metrics
from garden.dagan import serving
from garden.dagan import settings
from garden.dagan.began import BEGAN
from garden.datasets import faces as faces_lib

_NOISE_SEED = 7  # of the noise that is shown along training


@gin.register(module="dagan")
class Generation(experiment_lib.Experiment):
  """Faces from noise, and how near they are to faces of people that training didn't see.

  Args:
    faces: `procedural_faces.source.Procedural`, or another source of `train` and `heldout` people.
    network: the `settings.Network`.
    recipe: the `settings.BEGANRecipe`.
    judges: the `settings.Judges`, for the extractor.
    kind: of the images that are learnt, such as "profile".
    steps: batches.
    batch_size: real images of a batch, and made ones.
    shown: images of fixed noise that are made at ten times of the training.
    measured: images that are made to be measured.
    seed: seed of the order, of the draws and of the first weights.
  """

  room = "dagan"
  title = "Faces from noise"

  def __init__(self, faces: faces_lib.Source, network: settings.Network,
               recipe: settings.BEGANRecipe, judges: settings.Judges, kind="profile", steps=3000,
               batch_size=16, shown=100, measured=600, seed=0):
    for name, value, least in (("steps", steps, 1), ("shown", shown, 1),
                               ("batch_size", batch_size, 1), ("measured", measured, 2)):
      checks.check_count(name, value, least)
    self.faces, self.network, self.recipe, self.judges = faces, network, recipe, judges
    self.kind, self.steps, self.batch_size, self.seed = kind, steps, batch_size, seed
    self.shown, self.measured = shown, measured
    self._found = {}

  @functools.cached_property
  def real(self):
    """The images that are learnt: `FaceSet`."""
    return self.faces.load("train").of(self.kind)

  @functools.cached_property
  def true(self):
    """Images of other people, to be compared with."""
    return self.faces.load("heldout").of(self.kind)

  @functools.cached_property
  def extract(self):
    """The function images uint8 -> features that distances are of."""
    return extractor.of(self.judges, self.faces)

  def build_model(self):
    """The `BEGAN`, compiled and built."""
    tf.keras.utils.set_random_seed(self.seed)
    model = BEGAN(self.network, self.recipe, self.steps, self.shown, self.seed)
    model.build()
    model.compile()
    # A checkpoint holds the optimizers' moments: they must be there before it is read.
    model.optimizer.build(model.autoencoder.trainable_variables)
    model.generator_optimizer.build(model.generator.trainable_variables)
    return model

  def datasets(self):
    """One stage; fixed noise to look at."""
    side = self.real.image.shape[1]
    if side != self.network.size:
      raise ValueError(f"dagan.Network.size is {self.network.size}, but the faces are {side} px; "
                       "they must be alike")
    batches = data_lib.real_batches(self.real, self.batch_size, self.seed)
    return experiment_lib.Data([experiment_lib.Stage("began", self.steps, batches)],
                               validation=tf.data.Dataset.from_tensors(self.noise(self.shown)))

  def noise(self, count):
    """Fixed noise `[count, h]`."""
    return tf.random.stateless_uniform([count, self.network.hidden], [_NOISE_SEED, 0], -1.0, 1.0)

  def make(self, model, noise):
    """Images of noise `[N, h]`: `[N, s, s, 3]` uint8."""
    return np.concatenate([data_lib.as_pixels(model(noise[first:first + 256]).numpy())
                           for first in range(0, len(noise), 256)])

  def quality(self, model):
    """Dict of `fid`, `kid`, `diversity` of made images, and of true ones; kept."""
    if not self._found:
      made = self.extract(self.make(model, self.noise(self.measured)))
      true, learnt = self.extract(self.true.image), self.extract(self.real.image)
      self._found = {
          "made": {"fid": metrics.frechet_distance(made, true),
                   "kid": metrics.kernel_distance(made, true),
                   "diversity": evaluation.diversity(made, true)},
          "learnt": {"fid": metrics.frechet_distance(learnt, true),
                     "kid": metrics.kernel_distance(learnt, true),
                     "diversity": evaluation.diversity(learnt, true)}}
    return self._found

  def along_training(self, model):
    """What the album's images tell: dict of arrays of `evaluation.along_training`."""
    return evaluation.along_training(model.album, model.training_log, self.extract, self.true)

  def evaluate(self, model, data):
    """Distances to true faces, diversity, and M beside FID along training."""
    del data
    self._found = {}
    rows = [{"method": "began" if method == "made" else "real", "metric": name, "value": value}
            for method, values in self.quality(model).items() for name, value in values.items()]
    along = self.along_training(model)
    if np.isfinite(along["correlation"]):
      rows.append({"method": "began", "metric": "convergence_fid_correlation",
                   "value": along["correlation"]})
    rows.append({"method": "began", "metric": "k_t", "value": float(model.k_t.numpy())})
    return rows

  def figures(self, model, data):
    """Table, faces beside real ones, a walk through the noise, along training, curves."""
    del data
    self._found = {}
    return began_report.sections(self, model)

  def signatures(self, model):
    """Noise -> image; image -> reconstruction and its error."""
    return serving.Generation(model, self.network.size)

  def sample_images(self):
    """Ten real faces, `[10, s, s, 3]` float32 in [0, 1]."""
    return self.true.image[:10] / np.float32(255.0)
