"""The recovered scene with its look: what the film of a state is drawn from."""

import numpy as np
import tensorflow as tf

from garden.vda import graphics
from garden.vda import state as state_lib


def towers(found):
  """Scenes of recovered states, under the light and in the paint that were found.

  Args:
    found: dict of arrays of `VDA.call`: a state with `color_class`, `camera`, `light`,
      `floor_color`, `sky_color`.

  Returns:
    `scene.Towers`. A reconstruction is linear in paint, and found paint may leave [0, 1] a
    little: it is clipped.

  Raises:
    ValueError: a number of the state isn't finite.

  Example:
    scenes = towers(experiment.de_animate(model, images))
    picture = film.frames(scenes, physics.simulate(scenes))
  """
  azimuth = tf.constant(found["camera"][:, 0])
  light = graphics.light_fields(tf.constant(found["light"]), azimuth)
  return state_lib.towers_of(found, found["camera"]).replace(
      color_class=np.where(found["present"], found["color_class"], 0).astype(np.int32),
      **{name: value.numpy() for name, value in light.items()},
      **{name: np.clip(found[name], 0.0, 1.0) for name in ("floor_color", "sky_color")})
