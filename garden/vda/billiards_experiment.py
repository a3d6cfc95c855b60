"""The glue between the billiards' de-animation, its supervised neighbour, and the binaries."""

import functools

import gin
import numpy as np
import tensorflow as tf

from garden.core import checks
from garden.core import curves
from garden.core import experiment as experiment_lib
from garden.core import export as export_lib
from garden.core import report as report_lib
from garden.datasets import order
from garden.datasets.billiards import arrays
from garden.datasets.billiards import stream as stream_lib
from garden.vda import billiards
from garden.vda import billiards_report as report
from garden.vda import billiards_settings as settings_lib
from garden.vda.billiards_baseline import BilliardsBaseline
from garden.worlds.billiards import renderer

BATCH = 50  # videos of a forward pass outside of training
_SHOWN = 3  # videos of a film strip


@gin.register(module="vda")
class BilliardsScene(experiment_lib.Experiment):
  """Videos of billiards: what is on the table, how fast, and where it will be.

  Args:
    train: the `stream.Stream` to train on.
    test: the `stream.Stream` that measures.
    model: `billiards_settings.BilliardsNetwork`, or `BilliardsBaselineNetwork` for the
      supervised neighbour.
    recipe: the `billiards_settings.BilliardsRecipe`.
    validation: a `stream.Stream` measured at the end of each epoch, or None.
    init_steps: batches of the supervised stage; the neighbour has no other.
    joint_steps: batches with the reconstruction of the seen frames.
    full_steps: batches with the reconstruction of future frames too.
    engine_seconds: how far ahead the engine alone is compared with MuJoCo.
    seed: seed of the order, of the views and of the first weights.

  Raises:
    ValueError: a setting is of another kind, there is no step, or the neighbour is to be
      trained in stages that it hasn't.
  """

  room = "vda"
  title = "Visual de-animation of billiards"

  def __init__(self, train: stream_lib.Stream, test: stream_lib.Stream,
               model: settings_lib.BilliardsNetwork | settings_lib.BilliardsBaselineNetwork,
               recipe: settings_lib.BilliardsRecipe, validation: stream_lib.Stream | None = None,
               init_steps=1000, joint_steps=0, full_steps=0, engine_seconds=2.0, seed=0):
    kinds = (settings_lib.BilliardsNetwork, settings_lib.BilliardsBaselineNetwork)
    if not isinstance(model, kinds):
      raise ValueError(f"model is {model!r}; it must be vda.BilliardsNetwork or "
                       "vda.BilliardsBaselineNetwork")
    self.steps = (init_steps, joint_steps, full_steps)
    for name, steps in zip(settings_lib.STAGES, self.steps):
      checks.check_count(f"{name}_steps", steps, 0)
    if not any(self.steps):
      raise ValueError("init_steps, joint_steps and full_steps are 0; at least one must be above")
    self.plain = isinstance(model, settings_lib.BilliardsBaselineNetwork)
    if self.plain and any(self.steps[1:]):
      raise ValueError(f"joint_steps is {joint_steps} and full_steps is {full_steps}, but the "
                       "supervised neighbour has neither stage; set both to 0")
    checks.check_positive("engine_seconds", engine_seconds)
    self.train, self.test, self.validation = train, test, validation
    self.model, self.recipe = model, recipe
    self.engine_seconds, self.seed = engine_seconds, seed
    self._graphs = {}

  @functools.cached_property
  def test_videos(self):
    """The videos that measure, read once."""
    return self.test.load()

  @property
  def future(self):
    """Frames of a test video behind the seen ones."""
    return self.test_videos.n_frames - self.model.seen

  def build_model(self):
    """The model, compiled and built."""
    tf.keras.utils.set_random_seed(self.seed)
    videos, seen = self.test_videos, self.model.seen
    if self.future < 1:
      raise ValueError(f"seen is {seen}, but videos have {videos.n_frames} frames; none is left "
                       "to foretell")
    common = dict(classes=videos.present.shape[1], seconds=videos.seconds, seed=self.seed)
    if self.plain:
      model = BilliardsBaseline(self.model, self.recipe, frames=videos.n_frames,
                                steps=self.steps[0], **common)
    else:
      model = billiards.Billiards(self.model, self.recipe, image_size=videos.image_size,
                                  steps=self.steps, **common)
    model.imagine(tf.zeros([1, seen, *[videos.image_size] * 2, 3]), 1)
    model.compile()
    # A checkpoint holds the optimizer's moments: they must be there before it is read.
    model.optimizer.build(model.trainable_variables)
    return model

  def datasets(self):
    """Stages `init`, `joint` and `full`, those with steps; the neighbour's `init` alone."""
    videos, recipe, seen, seed = self.train.load(), self.recipe, self.model.seen, self.seed
    size = min(recipe.batch_size, len(videos))
    clips = functools.partial(stream_lib.batches, videos, size, seed)
    states = functools.partial(stream_lib.states, videos, recipe.states_batch_size, seed,
                               collision_weight=recipe.collision_weight)
    if self.plain:
      # The states of whole videos: all that there is to learn from.
      make = {"init": lambda: _with_states(clips(seen=seen), states(videos.n_frames))}
    else:
      make = {"init": lambda: _with_states(clips(frames=seen),
                                           states(max(seen, recipe.horizon + 1))),
              "joint": lambda: _pictures(clips(frames=seen)),
              "full": lambda: _pictures(clips(frames=seen + recipe.future))}
    validation = None
    if self.validation is not None:
      validation = stream_lib.in_order(self.validation.load(), BATCH, seen=seen)
    return experiment_lib.Data(
        stages=[experiment_lib.Stage(name, steps, make[name]())
                for name, steps in zip(settings_lib.STAGES, self.steps) if steps],
        validation=validation)

  # What a trained model says.

  def measure(self, model, videos):
    """What rows and figures are made of, video by video.

    Args:
      model: the trained model.
      videos: `arrays.VideoSet`.

    Returns:
      Dict of arrays `[N, ...]`: the state of `model(frames)` and `future_position`,
      `future_velocity` `[N, F, K, 2]`.
    """
    seen, parts = self.model.seen, []
    if id(model) not in self._graphs:
      self._graphs[id(model)] = tf.function(
          lambda frames: model.imagine(frames, self.future), reduce_retracing=True)
    for clip in stream_lib.in_order(videos, BATCH, frames=seen):
      found = self._graphs[id(model)](clip["video"])
      parts.append({name: value.numpy() for name, value in found.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

  def errors(self, found, videos):
    """Distances between what was found and the truth, NaN where there is no ball.

    Args:
      found: what `measure` gave.
      videos: `arrays.VideoSet`.

    Returns:
      Dict of `position` `[N, T, K]`, metres, in all frames, and `velocity`
      `[N, T - S + 1, K]`, metres a second, from the last seen frame on.
    """
    seen, there = self.model.seen, videos.present[:, np.newaxis]
    position = np.concatenate([found["track"], found["future_position"]], axis=1)
    velocity = np.concatenate([found["velocity"][:, np.newaxis], found["future_velocity"]], axis=1)
    return {"position": _distance(position, videos.position, there),
            "velocity": _distance(velocity, videos.velocity[:, seen - 1:], there)}

  def evaluate(self, model, data):
    """Errors on seen and on future frames, balls found, and the engine on its own."""
    del data
    videos, seen = self.test_videos, self.model.seen
    found = self.measure(model, videos)
    errors = self.errors(found, videos)
    rows = [_row("position_error", errors["position"][:, :seen], frames="seen"),
            _row("position_error", errors["position"][:, seen:], frames="future"),
            _row("velocity_error", errors["velocity"][:, :1], frames="seen"),
            _row("velocity_error", errors["velocity"][:, 1:], frames="future"),
            _row("presence_accuracy", (found["present"] == videos.present).all(axis=1),
                 frames="seen")]
    if not self.plain:
      rows += [{**_row("position_error", error[:, -1], seconds=self.engine_seconds),
                "method": method}
               for method, error in self.engine_errors(model, videos).items()]
    return rows

  def engine_errors(self, model, videos):
    """The engine from true first states against MuJoCo, and straight lines beside it.

    Args:
      model: the trained `Billiards`.
      videos: `arrays.VideoSet`.

    Returns:
      Dict of `engine` and `constant_velocity`: position errors `[N, frames, K]`, metres, NaN
      where there is no ball.
    """
    # MuJoCo is needed to measure, not to serve.
    from garden.worlds.billiards import physics
    from garden.worlds.billiards import scene
    frames = round(self.engine_seconds / videos.seconds)
    start = {"present": videos.present, "position": videos.position[:, 0],
             "velocity": videos.velocity[:, 0], "radius": videos.radius}
    n, classes = videos.present.shape
    tables = scene.Tables(
        **start, color=np.zeros([n, classes, 3], np.float32),
        color_class=np.where(videos.present, np.arange(1, classes + 1), 0).astype(np.int32),
        cloth_color=np.zeros([n, 3], np.float32))
    times = videos.seconds * np.arange(1, frames + 1)
    truth = physics.simulate(tables, times).position
    told, _ = billiards.rollout(model.engine, start, frames)
    straight = start["position"][:, None] + (
        times[:, None, None].astype(np.float32) * start["velocity"][:, None])
    there = videos.present[:, np.newaxis]
    return {"engine": _distance(told.numpy(), truth, there),
            "constant_velocity": _distance(straight, truth, there)}

  def predictions(self, model, data):
    """`predictions.csv`: of each test video the balls and the mean errors."""
    del data
    videos, seen = self.test_videos, self.model.seen
    found = self.measure(model, videos)
    errors = self.errors(found, videos)
    columns = {"seen_position_error": errors["position"][:, :seen],
               "future_position_error": errors["position"][:, seen:],
               "future_velocity_error": errors["velocity"][:, 1:]}
    return {"video": list(range(len(videos))), "balls": videos.present.sum(axis=1).tolist(),
            "found": found["present"].sum(axis=1).tolist(),
            **{name: [f"{value:.4f}" for value in np.nanmean(error, axis=(1, 2))]
               for name, error in columns.items()}}

  def sample_images(self):
    """Film strips of the seen frames of a few test videos: `[n, s, S s, 3]` in [0, 1]."""
    videos = self.test_videos
    chosen = order.evenly(len(videos), 8)
    return _strips(arrays.videos_of(videos, chosen, self.model.seen))

  def signatures(self, model):
    """A film strip of the S seen frames, side by side -> state and predicted future.

    `serving_default` takes `[batch, s, S s, 3]` in [0, 1], the first frame at the left, so that
    one PNG holds what perception sees. Out come the state in the last frame (`present`,
    `position`, `velocity`, `color`, `cloth_color`), `future_position` and `future_velocity`
    `[batch, F, K, 2]`, and `film_strip` `[batch, s, F s, 3]`, what the future looks like.
    """
    seen, side, future = self.model.seen, self.test_videos.image_size, self.future
    graphics = renderer.TableRenderer(side)
    kept = ("present", "position", "velocity", "color", "cloth_color", "future_position",
            "future_velocity")

    def outputs(images):
      frames = tf.stack(tf.split(images, seen, axis=2), axis=1)
      found = model.imagine(frames, future)
      pictures = billiards.draw(graphics, found, found["future_position"])
      return {**{name: found[name] for name in kept},
              "film_strip": tf.concat(tf.unstack(pictures, axis=1), axis=2)}

    # The layers alone: a subclassed model would be asked for a config that it hasn't.
    module = tf.Module()
    module.layers = list(model.layers)
    return export_lib.ServingModule(module, outputs, (side, seen * side), 3, (0.0, 1.0))

  def figures(self, model, data):
    """A table, films of truth and prediction, errors over time, curves."""
    del data
    videos, seen = self.test_videos, self.model.seen
    found = self.measure(model, videos)
    errors = self.errors(found, videos)
    straight = videos.position[:, seen - 1, None] + (
        videos.seconds * np.arange(1, self.future + 1, dtype=np.float32)[:, None, None]
        * videos.velocity[:, seen - 1, None])
    still = np.concatenate([videos.position[:, :seen], straight], axis=1)
    there = videos.present[:, np.newaxis]
    beside = {
        "position": _distance(still, videos.position, there)[:, seen - 1:],
        "velocity": _distance(videos.velocity[:, seen - 1:seen], videos.velocity[:, seen - 1:],
                              there)}
    sections = [report_lib.Table(
        "Results", ["metric", "frames", "value"],
        [[row["metric"].replace("_", " "), " ".join(map(str, row["setting"].values()))
          + (f" s, {row['method'].replace('_', ' ')}" if "method" in row else ""), row["value"]]
         for row in self.evaluate(model, None)],
        "Videos that training hasn't seen, at the last step. Mean distances, in metres and metres "
        "a second, over all balls: positions in the seen frames, velocities in the last of them, "
        "both in the future frames. The last rows: from true states, so far ahead.")]
    shown = report.choose(errors["position"][:, seen:], _SHOWN)
    sections.append(report.film_figure(
        arrays.videos_of(videos, shown),
        {name: found[name][shown] for name in found}, seen, videos.seconds))
    sections.append(report.error_figure(
        {name: error if name == "velocity" else error[:, seen - 1:]
         for name, error in errors.items()}, beside, videos.seconds))
    if model.training_log:
      sections.append(curves.figure(model.training_log))
    return sections


def _with_states(clips, states):
  """Batches `{"clip", "states"}` of two functions of the first step."""
  return lambda first: tf.data.Dataset.zip({"clip": clips(first), "states": states(first)})


def _pictures(clips):
  """Batches `{"video"}`: nothing else reaches the stages that do without labels."""
  return lambda first: clips(first).map(lambda clip: {"video": clip["video"]})


def _strips(videos):
  """`[n, S, s, s, 3]` -> `[n, s, S s, 3]`, the first frame at the left."""
  return np.concatenate(list(np.moveaxis(videos, 1, 0)), axis=2)


def _distance(found, true, there):
  """Lengths `[N, T, K]` of errors `[N, T, K, 2]`, NaN where there is no ball."""
  return np.where(there, np.linalg.norm(found - true, axis=-1), np.nan)


def _row(metric, values, **setting):
  return {"metric": metric, "value": float(np.nanmean(values)), "setting": setting}
