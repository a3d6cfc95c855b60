"""Pictures of heads, from any side and in any light.

    I = albedo (ambient + diffuse max(0, n . l)) + gloss max(0, n . h)^16

with n the normal, l the way to the light and h half-way between it and the viewer. Projection is
orthographic: `SPAN` from the picture's top to its bottom, the head's middle at its middle.
"""

import dataclasses

import numpy as np

from garden.worlds import scenes
from garden.worlds.faces import heads as heads_lib
from garden.worlds.faces import mesh as mesh_lib
from garden.worlds.faces import paint
from garden.worlds.faces import rasterizer

SPAN = 2.6  # a head is about 2 high
_SAMPLES = 2  # a pixel and axis


@dataclasses.dataclass(frozen=True)
class Views(scenes.Scenes):
  """How N pictures are taken.

  Attributes:
    yaw: `[N]` float64, degrees; above 0 the face looks to the right of the image.
    pitch: `[N]` float64, degrees; above 0 it looks down.
    light: `[N, 3]` float64, unit vectors towards the light.
    light_color: `[N, 3]` float64, about 1.
    ambient: `[N]` float64, light from everywhere, in shares of all.
    gloss: `[N]` float64, of highlights.
    background: `[N, 2, 3]` float64, RGB in [0, 1] at the top and at the bottom.
  """
  yaw: np.ndarray
  pitch: np.ndarray
  light: np.ndarray
  light_color: np.ndarray
  ambient: np.ndarray
  gloss: np.ndarray
  background: np.ndarray

  def __len__(self):
    return len(self.yaw)


def views(yaw, seed, pitch=None, first=0):
  """Draws light and background at random for given sides.

  Args:
    yaw: `[N]`, degrees.
    seed: int, at least 0.
    pitch: `[N]`, degrees; drawn from ±6 where it is None.
    first: number of the first view, so that sets can be made in parts.

  Returns:
    `Views`; view i is a function of (seed, first + i), yaw and pitch alone.

  Example:
    images, masks = render(heads, views(np.full(len(heads), 90.0), seed=0), 64)
  """
  yaw = np.asarray(yaw, np.float64)
  scenes.check_draw(len(yaw), seed, first)
  drawn = [_draw(np.random.default_rng([seed, first + i])) for i in range(len(yaw))]
  made = {name: np.stack([view[name] for view in drawn]) for name in drawn[0]}
  if pitch is not None:
    made["pitch"] = np.asarray(pitch, np.float64)
  return Views(yaw=yaw, **made)


def _draw(rng):
  """One view as a dict of arrays."""
  side, up = np.radians([rng.uniform(-70.0, 70.0), rng.uniform(-15.0, 55.0)])
  light = np.array([np.sin(side) * np.cos(up), np.sin(up), np.cos(side) * np.cos(up)])
  top = rng.uniform(0.0, 1.0, 3)
  bottom = np.clip(top + rng.uniform(-0.25, 0.25, 3), 0.0, 1.0)
  return {"pitch": np.float64(rng.uniform(-6.0, 6.0)), "light": light,
          "light_color": rng.uniform(0.94, 1.06, 3), "ambient": np.float64(rng.uniform(0.35, 0.65)),
          "gloss": np.float64(rng.uniform(0.0, 0.12)), "background": np.stack([top, bottom])}


def render(heads, view, size, index=None):
  """Pictures of people.

  Args:
    heads: `heads.Heads`.
    view: `Views` of N pictures.
    size: side of the pictures in pixels, at least 8.
    index: `[N]` int, the person of each picture; person i of picture i where it is None.

  Returns:
    images: `[N, size, size, 3]` uint8.
    masks: `[N, size, size]` float32, the share of each pixel that is the person.

  Raises:
    ValueError: size is below 8, or there aren't as many people as views.

  Example:
    images, masks = render(sample(4, seed=0), views([0, 30, 60, 90], seed=0), 64)
  """
  if not isinstance(size, int | np.integer) or size < 8:
    raise ValueError(f"size is {size!r}; it must be a whole number of at least 8 pixels")
  index = np.arange(len(heads)) if index is None else np.asarray(index)
  if len(index) != len(view):
    raise ValueError(f"there are {len(view)} views of {len(index)} people; give each picture one")
  surfaces = {person: heads_lib.surface(heads, person) for person in np.unique(index)}
  drawn = [_picture(heads, person, surfaces[person], view.take(i), size)
           for i, person in enumerate(index)]
  return np.stack([image for image, _ in drawn]), np.stack([mask for _, mask in drawn])


def project(points, yaw, pitch, size):
  """Points of a head in a picture.

  Args:
    points: `[V, 3]`.
    yaw: degrees.
    pitch: degrees.
    size: side of the picture in pixels.

  Returns:
    `[V, 3]` float64: x to the right and y down in pixels, and depth in pixels, nearer is greater.
  """
  turned = points @ mesh_lib.rotation(yaw, pitch).T * (size / SPAN)
  return np.stack([0.5 * size + turned[:, 0], 0.5 * size - turned[:, 1], turned[:, 2]], axis=1)


def _picture(heads, person, surface, view, size):
  """One picture and its mask."""
  fine = _SAMPLES * size
  yaw, pitch, triangles = float(view.yaw[0]), float(view.pitch[0]), surface.mesh.triangles
  raster = rasterizer.rasterize(project(surface.mesh.vertices, yaw, pitch, fine), triangles,
                                (fine, fine), closed=True)
  seen = raster.mask
  told = raster.interpolate(triangles, np.concatenate(
      [surface.base, surface.is_head[:, np.newaxis], surface.mesh.normals], axis=1))[seen]
  color = paint.albedo(heads, person, told[:, :3], told[:, 3])
  normal = told[:, 4:] @ mesh_lib.rotation(yaw, pitch).T
  normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
  light, ambient = view.light[0], view.ambient[0]
  half = light + [0.0, 0.0, 1.0]
  shade = ambient + (1.0 - ambient) * 1.4 * np.maximum(normal @ light, 0.0)
  shine = view.gloss[0] * np.maximum(normal @ (half / np.linalg.norm(half)), 0.0) ** 16
  down = np.linspace(0.0, 1.0, fine)[:, np.newaxis, np.newaxis]
  top, bottom = view.background[0]
  image = np.broadcast_to(top + down * (bottom - top), (fine, fine, 3)).copy()
  image[seen] = color * shade[:, np.newaxis] * view.light_color[0] + shine[:, np.newaxis]
  blocks = (size, _SAMPLES, size, _SAMPLES)
  image = np.clip(image, 0.0, 1.0).reshape(*blocks, 3).mean(axis=(1, 3))
  mask = seen.reshape(blocks).mean(axis=(1, 3))
  return np.round(255.0 * image).astype(np.uint8), mask.astype(np.float32)
