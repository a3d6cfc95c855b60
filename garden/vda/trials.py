"""What refinement is worth: from where perception ends, and from a coarse start.

A coarse start is the truth with noise (5 % of a block across, 15 % in depth, .15 rad), put where
its boxes are seen: what a poor net would say. Light comes from the model in both.
"""

import numpy as np
import tensorflow as tf

from garden.vda import engines
from garden.vda import metrics
from garden.vda import perception
from garden.vda import refine

COARSE = (0.05, 0.15, 0.15)  # across and in depth in block widths, yaw in radians
_BATCH = 10  # a batch is drawn once for each unknown
_POSE = ("present", "position", "rotation", "size")


def refined(refinement, found, images, camera):
  """States after refinement, with the margin of the support test.

  Args:
    refinement: `refine.Refinement`.
    found: dict of arrays: a state with `boxes` and `light` `[n, 4]`.
    images: `[n, s, s, 3]` float32 in [0, 1].
    camera: `[n, 7]`.

  Returns:
    Dict of arrays: the state, `margin`, `error_before`, `reconstruction_error` `[n]`.

  Example:
    better = refined(refine.Refinement(), found, images, towers.camera)
  """
  refiner, exact = refine.Refiner(refinement), engines.SupportEngine(softness=0.0)
  parts, n = [], len(images)
  for start in range(0, n, _BATCH):
    index = np.minimum(np.arange(start, start + _BATCH), n - 1)  # batches of one size
    state = {name: tf.constant(found[name][index]) for name in (*_POSE, "boxes")}
    better = refiner(state, camera[index], found["light"][index], images[index])
    better["margin"] = exact(better)["margin"]
    parts.append({name: value.numpy() for name, value in better.items()})
  return {name: np.concatenate([part[name] for part in parts])[:n] for name in parts[0]}


def coarse(true, boxes, camera, seed=0):
  """The truth with the noise of `COARSE`.

  Args:
    true: a state of arrays.
    boxes: `[n, B, 4]` of its blocks.
    camera: `[n, 7]`.
    seed: of the noise.

  Returns:
    A state of arrays, with `boxes` and `margin`.
  """
  state = {name: tf.constant(true[name]) for name in _POSE}
  camera = tf.constant(camera)
  x = refine.pack(state, camera, tf.zeros([len(boxes), 4]))
  sigma = refine.numbers((*COARSE, 0.0, 0.0, 0.0, 0.0), boxes.shape[1])
  x += sigma * tf.random.stateless_normal(tf.shape(x), [seed, 0])
  moved, _ = refine.unpack(x, {
      "present": state["present"], "size": state["size"], "camera": camera,
      "base": state["position"][:, 0], "height": state["position"][..., 2]})
  moved = perception.place_base(moved, tf.constant(boxes), camera)
  margin = engines.SupportEngine(softness=0.0)(moved)["margin"]
  return {**{name: value.numpy() for name, value in moved.items()}, "boxes": boxes,
          "margin": margin.numpy()}


def gain(better, found, fall):
  """What refinement adds to the accuracy on the same towers: after minus before."""
  return metrics.paired_test(metrics.told_right(better, fall), metrics.told_right(found, fall))[0]
