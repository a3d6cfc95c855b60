"""The glue between the methods of this room and the binaries."""

import functools

import gin
import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.core import experiment as experiment_lib
from garden.core import export as export_lib
from garden.core import report as report_lib
from garden.datasets import order
from garden.transfer import data as data_lib
from garden.transfer import metrics
from garden.transfer import report
from garden.transfer import semantic
from garden.transfer import settings
from garden.transfer.matching import MatchingNet
from garden.transfer.mme import MME
from garden.transfer.transfer_model import TransferModel

_MODELS = {model.recipe_type: model for model in (TransferModel, MME, MatchingNet)}
_BATCH = 500  # images of a forward pass outside of training


@gin.register(module="transfer")
class Transfer(experiment_lib.Experiment):
  """Training on a source, then on a target with few labels and other classes.

  Args:
    streams: the `data.Streams`.
    network: the `settings.Network`.
    recipe: a `settings.Recipe`, `MinimaxEntropy` or `Matching`: the method.
    source_steps: steps of the stage `source`; 0 where `Run.warm_start` gives the
      source's weights, or none are used.
    adapt_steps: steps of the stage `adapt`.
    source_batch_size: images of a batch of the stage `source`.
    adapt_source_batch_size: source images of a batch of the stage `adapt`.
    unlabeled_batch_size: unlabelled target images of a batch.
    video: images are frames, of which each folder is a video: also measure the
      accuracy over videos.
    paper_accuracy: the paper's accuracy, printed in the report.
    seed: seed of the batches, of the views and of the first weights.
  """

  room = "transfer"
  title = "Label-efficient transfer"

  def __init__(self, streams: data_lib.Streams, network: settings.Network,
               recipe: settings.Recipe | settings.MinimaxEntropy | settings.Matching,
               source_steps=1500, adapt_steps=600, source_batch_size=64,
               adapt_source_batch_size=64, unlabeled_batch_size=96, video=False,
               paper_accuracy: float | None = None, seed=0):
    if type(recipe) not in _MODELS:
      names = ", ".join(f"transfer.{kind.__name__}" for kind in _MODELS)
      raise ValueError(f"recipe is {recipe!r}; it must be one of {names}")
    for name, value, least in (
        ("source_steps", source_steps, 0), ("adapt_steps", adapt_steps, 0),
        ("source_batch_size", source_batch_size, 1),
        ("adapt_source_batch_size", adapt_source_batch_size, 1),
        ("unlabeled_batch_size", unlabeled_batch_size, 1)):
      checks.check_count(name, value, least)
    self.streams = streams
    self.network = network
    self.recipe = recipe
    self.source_steps = source_steps
    self.adapt_steps = adapt_steps
    self.source_batch_size = source_batch_size
    self.adapt_source_batch_size = adapt_source_batch_size
    self.unlabeled_batch_size = unlabeled_batch_size
    self.video = video
    self.paper_accuracy = paper_accuracy
    self.seed = seed
    self._graphs = {}

  @functools.cached_property
  def split(self):
    """The images, read once."""
    return self.streams.load()

  def build_model(self):
    """The method's model for these images, compiled."""
    split = self.split
    model = _MODELS[type(self.recipe)](
        self.network.build(), self.network.build(), split.source.num_classes,
        split.labeled.num_classes, split.source.pixels.shape[1:], self.recipe, self.seed)
    model.compile()
    return model

  def datasets(self):
    """Two stages: `source` and `adapt`."""
    split = self.split
    if isinstance(self.recipe, settings.Matching):
      self._check_episodes()
      source = data_lib.episode_batches(
          split, self.recipe.shots + self.recipe.queries, self.seed)
    else:
      source = data_lib.source_batches(split, self.source_batch_size, self.seed)
    return experiment_lib.Data(stages=[
        experiment_lib.Stage("source", self.source_steps, source),
        experiment_lib.Stage("adapt", self.adapt_steps, data_lib.adapt_batches(
            split, self.adapt_source_batch_size, self.unlabeled_batch_size, self.seed))])

  def _check_episodes(self):
    sizes = np.bincount(self.split.labeled.labels)
    if self.adapt_steps and (sizes.min() != sizes.max() or sizes.min() < 2):
      raise ValueError("episodes on the labelled target images need the same number of each "
                       f"class, at least 2; there are {sizes.tolist()}; set per_class")

  # What a trained model says.

  def support(self, model):
    """`(embeddings [m, d], labels [m])` of the labelled target images."""
    return self.embed(model, self.split.labeled), self.split.labeled.labels

  def embed(self, model, images):
    """Embeddings of an `Images` by the target's encoder, `[N, d]`."""
    return _in_batches(self._graph(model, "embed"), images.pixels)

  def embed_source(self, model, images):
    """Embeddings of an `Images` by the source's encoder, `[N, d]`."""
    return _in_batches(self._graph(model, "embed_source"), images.pixels)

  def _graph(self, model, name):
    """A method of the model as a `tf.function`, traced once for all that is measured."""
    key = id(model), name
    if key not in self._graphs:
      self._graphs[key] = tf.function(getattr(model, name), reduce_retracing=True)
    return self._graphs[key]

  def predict(self, model, images):
    """`SourceTargetModel.classify` of an `Images`, as arrays."""
    support = [tf.constant(x) for x in self.support(model)]
    classify = self._graph(model, "classify")
    return _in_batches(lambda x: classify(x, *support), images.pixels)

  def evaluate(self, model, data):
    """Accuracy on the test images, by head and prototypes, and label-free measures."""
    del data
    rows = self._source_rows(model)
    if self.adapt_steps or isinstance(self.recipe, settings.Matching):
      rows += self._target_rows(model)
    return [{"metric": name, "value": float(value)} for name, value in rows]

  def _target_rows(self, model):
    """What the target's network says of the test images, or of the unlabelled ones."""
    split = self.split
    images = split.unlabeled if split.test is None else split.test
    found = self.predict(model, images)
    rows = []
    if images.labels is not None:
      rows += [("accuracy", metrics.accuracy(images.labels, found["label"])),
               ("accuracy_prototype", metrics.accuracy(images.labels, found["prototype"]))]
      if self.video:
        rows.append(("video_accuracy", metrics.video_accuracy(
            images.labels, found["probabilities"], data_lib.video_names(images.names))))
    counts = metrics.counts(found["label"], split.labeled.num_classes)
    rows += [("agreement", metrics.accuracy(found["label"], found["prototype"])),
             ("mean_entropy", metrics.mean_entropy(found["probabilities"])),
             ("largest_class_share", counts.max() / counts.sum())]
    rows += [(f"predicted_{name}", count)
             for name, count in zip(split.labeled.class_names, counts)]
    return rows

  def _source_rows(self, model):
    """What the source's network says of source images that this run didn't train it on."""
    if self.split.source_test is None or not self.source_steps:
      return []
    return [("source_accuracy", metrics.accuracy(
        self.split.source_test.labels, self._source_labels(model)))]

  def _source_labels(self, model):
    """Classes that the source's network gives to the source's test images."""
    features = self.embed_source(model, self.split.source_test)
    if isinstance(model, MatchingNet):  # its head takes no part
      support = self.split.source.take(order.evenly(len(self.split.source), 500))
      near = np.argmax(model.cosine(features, self.embed_source(model, support)), axis=1)
      return support.labels[near]
    return np.argmax(model.source_head(features), axis=1)

  def label_map(self, model):
    """The source's labels in those of the target.

    Args:
      model: the trained model.

    Returns:
      `(similarity [S, T], mapped [S])`: cosines of the source's prototypes, by the
      source's encoder, with the target's, and the nearest target class of each.
    """
    split = self.split
    cosine = semantic.PrototypeSimilarity("cosine", scale=1.0)
    features = self.embed_source(model, split.source)
    support, labels = self.support(model)
    means = [semantic.prototypes(f, y, n, normalize=True) for f, y, n in (
        (features, split.source.labels, split.source.num_classes),
        (support, labels, split.labeled.num_classes))]
    similarity = cosine(means).numpy()
    return similarity, semantic.map_labels(similarity)

  def predictions(self, model, data):
    """`predictions.csv`: image, label, its probability, the nearest prototype's class."""
    del data
    images = self.split.unlabeled if self.split.test is None else self.split.test
    found, names = self.predict(model, images), self.split.labeled.class_names
    return {"image": images.names,
            "label": [names[k] for k in found["label"]],
            "probability": [f"{p:.4f}" for p in found["probabilities"].max(axis=1)],
            "prototype": [names[k] for k in found["prototype"]]}

  def sample_images(self):
    """Twenty target images, evenly spread."""
    pixels = self.split.unlabeled.pixels
    return pixels[::max(len(pixels) // 20, 1)][:20]

  def signatures(self, model):
    """Image -> class probabilities, label, class of the nearest prototype."""
    support, labels = self.support(model)
    module = tf.Module()
    module.encoder, module.head = model.encoder, model.head
    module.support = tf.constant(support)
    module.labels = tf.constant(labels)
    height, width, channels = model.image_shape
    return export_lib.ServingModule(
        module, lambda x: model.classify(x, module.support, module.labels),
        (height, width), channels, (0.0, 1.0))

  def figures(self, model, data):
    """Results, predictions, embeddings before and after, the label map, curves."""
    split, names = self.split, self.split.labeled.class_names
    images = split.unlabeled if split.test is None else split.test
    found = self.predict(model, images)
    confidence = found["probabilities"].max(axis=1)
    rows = [[row["metric"], f"{row['value']:.4g}"] for row in self.evaluate(model, data)]
    sections = [report_lib.Table("Results", ["metric", "value"], rows, self._caption()),
                report.predictions_figure(images.pixels, found["label"], confidence,
                                          images.labels, names),
                report.counts_figure(found["label"], images.labels, names)]
    if images.labels is not None:
      sections.append(report.confusion_figure(found["label"], images.labels, names))
    sections.append(self._embedding_figure(model))
    similarity, mapped = self.label_map(model)
    sections.append(report.label_map_figure(similarity, split.source.class_names, names, mapped))
    if model.training_log:
      sections.append(report.curves_figure(model.training_log))
      sections.append(report.watchdogs_figure(model.training_log, len(names)))
    return [section for section in sections if section is not None]

  def _caption(self):
    paper = ("" if self.paper_accuracy is None else
             f" The paper reports an accuracy of {self.paper_accuracy}.")
    where = ("the test images" if self.split.test is not None else
             "the unlabelled images, which training has seen")
    return (f"Measured on {where}, at the last step. `accuracy` is the head's, "
            "`accuracy_prototype` that of the nearest prototype (the mean embedding of a class's "
            "labelled images); `agreement` is how often the two say the same. Without labels: "
            "`mean_entropy` of the mean prediction and `largest_class_share` show a collapse, "
            "`predicted_…` are the counts. `source_accuracy` is of the source's own network on "
            "source images that it hasn't seen." + paper)

  def _embedding_figure(self, model):
    """t-SNE of the three streams by the source's encoder and by the target's."""
    split = self.split
    unlabeled = split.unlabeled.take(order.evenly(len(split.unlabeled), 600))
    source = split.source.take(order.evenly(len(split.source), 400))
    streams = []
    for embed in (self._graph(model, "embed_source"), self._graph(model, "embed")):
      streams.append({
          "source": (self.embed_source(model, source), source.labels),
          "labeled": (_in_batches(embed, split.labeled.pixels), split.labeled.labels),
          "unlabeled": (_in_batches(embed, unlabeled.pixels), unlabeled.labels)})
    return report.embedding_figure(
        *streams, {"source": split.source.class_names, "target": split.labeled.class_names},
        seed=self.seed)


def _in_batches(function, pixels):
  """Applies a function of images batch by batch and joins what it returns, as arrays."""
  parts = [function(tf.constant(pixels[i:i + _BATCH])) for i in range(0, len(pixels), _BATCH)]
  return tf.nest.map_structure(lambda *x: np.concatenate([p.numpy() for p in x]), *parts)
