"""The report of the towers' de-animation: what is measured of a run, and what is drawn of it."""

import numpy as np
import tensorflow as tf

from garden.core import curves
from garden.core import report
from garden.datasets import order
from garden.datasets.block_towers import arrays
from garden.datasets.block_towers import metrics as tower_metrics
from garden.vda import engines
from garden.vda import film
from garden.vda import metrics
from garden.vda import recovered
from garden.vda import report_figures as figures
from garden.vda import state as state_lib
from garden.vda import what_if
from garden.vda import what_if_figures

#: What is given beside the image.
_WAYS = {"given": "camera", "estimated": "nothing", "truth_boxes": "camera, boxes"}
_SHOWN = 6  # towers beside their reconstructions
_FILMS = 4  # towers of figure 9a
_ASKED = 50  # towers that what-if questions are counted on
_MARGIN = 0.15  # block widths, of answers: three times the error along an axis
_PUSH = 4.0  # s, as long as a tower's label looks ahead


def sections(experiment, model):
  """The report's sections.

  Args:
    experiment: the `Towers`.
    model: its trained model.

  Returns:
    List of `Text`, `Table` and `Figure` of `core.report`.
  """
  measured = [experiment.measure(model, towers) for towers in experiment.test_towers]
  names, towers, given = experiment.test_names, experiment.test_towers, [
      found["given"] for found in measured]
  ious = {name: iou for name, iou in zip(names, map(experiment.futures, given, towers))
          if iou is not None}
  made = [results_table(names, measured, towers)]
  if ious:
    made.append(futures_table(list(ious), list(ious.values())))
  for name, found, part in zip(names, given, towers):
    chosen = by_error(found)
    images = arrays.images_of(part, chosen)
    seen = experiment.de_animate(model, images, part.camera[chosen])  # with the pictures
    made.append(figures.reconstruction_figure(
        name, images, seen, part.fall[chosen], metrics.told_right(seen, part.fall[chosen])))
  made.append(future(experiment.test[0], given[0], towers[0], ious.get(names[0]),
                     experiment.physnet))
  made.append(figures.pose_figure(names[0], {
      label: metrics.pose_errors(measured[0][way], true_state(towers[0]), towers[0].camera[:, 0])
      for way, label in _WAYS.items()}))
  right = [metrics.told_right(found, part.fall) for found, part in zip(given, towers)]
  made.append(figures.margin_figure(names, right, [part.margin for part in towers]))
  made.append(figures.confidence_figure(
      names, right, [found["reconstruction_error"] for found in given]))
  made += questions(given[0], towers[0])
  made.append(curves.figure(model.training_log))
  return made


def _taken(found, index):
  """Some of arrays by name, at an index array."""
  return {name: value[index] for name, value in found.items()}


def true_state(towers):
  """The state (see `state`) at 0 s of `arrays.TowerSet`, without colours."""
  return {"present": towers.present, "position": towers.position[:, 0],
          "rotation": towers.rotation[:, 0],
          "size": np.full([*towers.present.shape, 3], 0.5, np.float32)}


def results_table(names, measured, towers):
  """Accuracy and errors of each way, by count of blocks.

  Args:
    names: of the streams.
    measured: for each stream what `Towers.measure` gave.
    towers: for each stream its `arrays.TowerSet`.

  Returns:
    A table.
  """
  rows = []
  for name, ways, part in zip(names, measured, towers):
    true = true_state(part)
    for way, label in _WAYS.items():
      found = ways[way]
      right, counted = metrics.told_right(found, part.fall), metrics.counted(found, true)
      errors = metrics.pose_errors(found, true, part.camera[:, 0])
      counts = sorted(set(part.count.tolist()))
      for blocks in (*counts, "all"):
        chosen = part.count == blocks if blocks != "all" else np.ones(len(right), bool)
        value = float(right[chosen].mean())
        medians = [_median(errors[key][chosen]) for key in (
            "position_error", "depth_error", "yaw_error")]
        rows.append([name, label, blocks, int(chosen.sum()), 100 * value,
                     100 * tower_metrics.binomial_error(value, int(chosen.sum())),
                     *[None if m is None else times * m for m, times in zip(
                         medians, (100, 100, 1))], 100 * float(counted[chosen].mean())])
  return report.Table(
      "Results", ["towers", "given", "blocks", "number", "stability %", "±", "across %", "depth %",
                  "yaw °", "counted %"], rows,
      "Of towers that training hasn't seen, at the last step: how often it is told right whether "
      "they fall, with its binomial standard error; the median errors of blocks relative to the "
      "lowest one, across the image and in depth in shares of a block's width, and of their turn, "
      "over towers whose blocks were counted right; and how often they were. A dash: none was. "
      "The camera is given beside the image, or it is estimated, or the boxes are given too.")


def _median(values):
  """The median of what is finite; None if nothing is."""
  values = values[np.isfinite(values)]
  return float(np.median(values)) if len(values) else None


def futures_table(names, ious):
  """Mask IoU over time: a table of the streams' `Towers.future_iou`."""
  return report.Table(
      "Futures", ["towers", "number", *(f"mask IoU at {time:g} s" for time in arrays.TIMES)],
      [[name, len(iou), *np.nanmean(iou, axis=0).tolist()] for name, iou in zip(names, ious)],
      "How well the blocks of the simulated future cover those of the true one in the picture: "
      "the mean over colours of intersection over union, from the one image at 0 s.")


def by_error(found):
  """Towers to show, `[k]` int: from the least reconstruction error to the greatest, by rank."""
  rank = np.argsort(found["reconstruction_error"], kind="stable")
  return rank[order.evenly(len(rank), _SHOWN)]


def future(stream, found, towers, iou=None, physnet=None):
  """The figure of what happens over time: the truth, and from the image alone.

  Args:
    stream: the `stream.Stream` of the towers.
    found: what `Towers.measure` gave of them, with the camera given.
    towers: `arrays.TowerSet`.
    iou: optional `[n, T]` of the first n towers, by which towers are chosen.
    physnet: optional folder of an exported PhysNet, whose masks are shown below.

  Returns:
    A figure; a text if no tower falls whose blocks were found.
  """
  from garden.worlds.towers import physics
  n = len(towers) if iou is None else len(iou)
  some = np.flatnonzero((towers.fall[:n] == 1) & found["present"][:n].any(axis=1))
  if not len(some):
    return report.Text("What happens", "No tower falls of which a block was found.")
  last = None if iou is None else iou[some, -1]
  if last is not None:
    some = some[np.argsort(-last, kind="stable")]
  chosen = some[order.evenly(len(some), _FILMS)]
  scenes = arrays.scenes_of(stream.config, stream.split, int(chosen.max()) + 1).take(chosen)
  part = towers.take(chosen)
  velocity = np.zeros([*part.position.shape[:-1], 6], np.float32)
  truth = film.frames(scenes, physics.Motion(
      np.array(arrays.TIMES), part.position, part.rotation, velocity, part.fall), image_size=112)
  ours = recovered.towers(_taken(found, chosen))
  told = film.frames(ours, physics.simulate(ours, arrays.TIMES), image_size=112)
  masks = None if physnet is None else figures.mask_films(_masks_of(
      physnet, arrays.images_of(part, np.arange(len(part)))))
  return figures.future_figure(truth, told, arrays.TIMES,
                               None if iou is None else iou[chosen, -1], masks)


def _masks_of(folder, images):
  """Masks `[n, s, s, T]` that an exported PhysNet tells of images."""
  try:
    served = tf.saved_model.load(folder).signatures["serving_default"]
  except OSError as error:
    raise ValueError(f"physnet is {folder!r}, which holds no SavedModel; give the folder that "
                     "garden-export wrote, as runs/towers/export/1") from error
  if "masks" not in served.structured_outputs:
    raise ValueError(f"physnet is {folder!r}, whose outputs are "
                     f"{', '.join(sorted(served.structured_outputs))}; it must tell masks, as "
                     "physnet/physnet.gin does")
  return served(images=tf.constant(images))["masks"]


def questions(found, towers):
  """What-if questions put to recovered states.

  Args:
    found: what `Towers.measure` gave, with the camera given.
    towers: `arrays.TowerSet`.

  Returns:
    List of sections: where one more block could be put; answers that make falling towers stand,
    counted; one of them as a film.
  """
  made, true = [], true_state(towers)
  known = metrics.counted(found, true)
  stands = np.flatnonzero(known & (found["margin"] > 0.0) & (towers.fall == 0)
                          & (towers.count == min(3, towers.count.max())))
  if len(stands):
    state = what_if.take(found, int(stands[0]))
    made.append(what_if_figures.heat_map_figure(
        [what_if.heat_map(state, resolution=41),
         what_if.heat_map(state, resolution=13, engine=engines.MuJoCoEngine())],
        ["the support test", "MuJoCo, 4 s each"]))
  falls = np.flatnonzero(known & (found["margin"] <= 0.0) & (towers.fall == 1))[:_ASKED]
  if not len(falls):
    return made
  state = what_if.take(found, falls)
  moved = what_if.stabilize_by_position(state, _MARGIN)
  pushed = what_if.stabilize_by_force(state, _MARGIN)
  real = {**{name: value[falls] for name, value in true.items()}, "color": state["color"]}
  made.append(answers_table(real, moved, pushed))
  good = np.flatnonzero(moved.stands & pushed.stands)
  if len(good):
    best = good[state["present"][good].sum(axis=1).argmax()]
    made.append(_answers_film(_taken(found, falls[[best]]), moved.state["position"][[best]],
                              pushed.forces[[best]]))
  return made


def answers_table(real, moved, pushed):
  """How often answers hold: for the recovered scene, and for the tower that was seen.

  Args:
    real: the true state of the towers that were asked about, at the same places.
    moved: `what_if.Moved` of the recovered states.
    pushed: `what_if.Pushed` of them.

  Returns:
    A table.
  """
  engine, n = engines.MuJoCoEngine(), len(moved.found)
  there = real["present"][..., None]
  shifted = state_lib.settled({**real, "position": real["position"] + np.where(
      there, moved.move, 0.0)})
  held = engine.future(real, (_PUSH,), np.where(there, pushed.forces, 0.0), _PUSH).fall == 0
  rows = [["blocks moved", n, 100 * moved.found.mean(), 100 * moved.stands.mean(),
           100 * ((engine.stability(shifted)["fall"] == 0) & moved.found).mean()],
          ["blocks pushed", n, 100 * pushed.found.mean(), 100 * pushed.stands.mean(),
           100 * (held & pushed.found).mean()]]
  return report.Table(
      "What would make it stand", ["answer", "falling towers", "found %",
                                   "recovered scene stands %", "true tower stands %"], rows,
      f"The least move and the least steady force that give the recovered scene a margin of "
      f"{_MARGIN:g} block widths, and whether it then stands for {_PUSH:g} s in MuJoCo: the scene "
      "that was recovered, and the true tower when the same is done to it. Towers that fall, "
      "and of which that was told.")


def _answers_film(found, position, forces):
  """A tower left alone, with its blocks moved, and held by forces."""
  from garden.worlds.towers import physics
  towers = recovered.towers(found)
  moved = towers.replace(position=position.astype(np.float32))
  films = [film.frames(each, physics.simulate(each, arrays.TIMES, push, _PUSH), image_size=112)[0]
           for each, push in ((towers, None), (moved, None), (towers, forces))]
  shift = np.linalg.norm((position - towers.position)[0], axis=-1)
  force = np.linalg.norm(forces[0], axis=-1)
  made = what_if_figures.film_figure(films, arrays.TIMES, ["left alone", "moved", "pushed"])
  return report.Figure("A tower that is made to stand", made.image, (
      "A recovered tower over time: left alone it falls; with blocks moved sideways, the furthest "
      f"by {shift.max():.2f} block widths, it stands; and so it does where it is, as long as "
      f"forces push its blocks, the strongest with {force.max() / 1000:.1f} kN (a block weighs "
      "9.8 kN)."))
