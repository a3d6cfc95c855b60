"""The network whose features judge: trained on real faces of other people, once, and kept.

It learns to tell apart the people of the training split from their real images, frontal and in
profile; none of them is measured on. It is kept beside the set that it belongs to, so that all runs
on a machine are judged by the same network.
"""

import os
import tempfile

from garden.core import keras_files
from garden.dagan import data
from garden.dagan import recogniser

_SEED = 0
_SCALE = 100.0  # its features are short, for only their direction is learnt: FID in whole numbers


def of(judges, faces):
  """The function images uint8 -> features that distances are of.

  Args:
    judges: `settings.Judges`.
    faces: a source of people, with `load` and `folder`.
  """
  if judges.extractor:
    return given(judges.extractor)
  # One of another budget is another one.
  name = f"extractor_{judges.epochs}_{judges.examples}.keras"
  net = fixed(os.path.join(faces.folder, name),
              lambda: faces.load("train").of("frontal", "profile"), judges.epochs, judges.examples)
  return lambda images: _SCALE * recogniser.features(net, images)


def fixed(path, train, epochs=40, examples=18_000):
  """The extractor kept in a file, trained on first use.

  Args:
    path: of a `.keras` file; made, with its folder, where it isn't there.
    train: a function that returns the `faces.FaceSet` of the training people's real images; called
      if the file is missing.
    epochs: of the training.
    examples: of the training.

  Returns:
    `Recogniser`.

  Raises:
    ValueError: the file holds another model.
  """
  if not os.path.exists(path):
    faces = train()
    net = recogniser.train(faces.image, faces.identity, int(faces.identity.max()) + 1, _SEED,
                           epochs, examples)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=os.path.dirname(path)) as folder:
      partial = os.path.join(folder, "extractor.keras")
      net.save(partial)
      os.replace(partial, path)
  net = keras_files.load(path)
  if not isinstance(net, recogniser.Recogniser):
    raise ValueError(f"{path} holds a {type(net).__name__}; it must be the recogniser that was "
                     "kept there: remove the file, it will be trained anew")
  return net


def given(path):
  """A user's extractor: a Keras model from images `[N, s, s, 3]` in [-1, 1] to features `[N, d]`.

  Args:
    path: of the file, `.keras` or `.h5`, or of a SavedModel's folder.

  Returns:
    A function: images `[N, s, s, 3]` uint8 -> features `[N, d]` float32.

  Raises:
    ValueError: there is no such file, or it isn't a Keras model, or one with code of its own.
  """
  if not os.path.exists(path):
    raise ValueError(f"there is no extractor {path!r}; give the path of a saved Keras model")
  try:
    net = keras_files.load(path)
  except (OSError, ValueError, TypeError) as error:
    raise ValueError(f"{path} isn't a Keras model that can be loaded: {error}") from error

  def extract(images):
    features = data.mapped(net, images)
    if features.ndim != 2:
      raise ValueError(f"the extractor's features are {features.shape}; it must return [N, d]")
    return features
  return extract
