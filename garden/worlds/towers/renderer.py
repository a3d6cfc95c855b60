"""Pictures of towers: a ray-caster for boxes on a checkered floor, in TensorFlow.

In the frame of a block with half-extents s a ray is o + t d. It enters and leaves the slab of
axis k at -o_k/d_k -+ s_k/|d_k|, and the block at the greatest entry and the least exit, if in
this order (the slab test). The face of the greatest entry has the normal n = -sign(d_k) e_k, and

    color = albedo * (ambient + diffuse * max(0, -n . l) * lit)

with l the direction of light; lit = 0 if a second ray, towards the light, meets another block.

With softness > 0 the picture is differentiable at edges too: whatever is 0 or 1 above becomes a
sigmoid of a distance over softness * one pixel's width at that depth. Such distances are those

- of ray and outline: max_k (|o . a_k| - sum_j s_j |a_k . e_j|) / |a_k| with a_k = e_k x d, which
  is exact near edges, since the outline of a box is made of edges along its axes;
- of entries, for the edge between two faces of a block, and for which block is in front:
  w_b = c_b prod_{j != b} (1 - c_j sigmoid((t_b - t_j) / tau)), c the cover, scaled to add up to
  1 - prod_b (1 - c_b);
- of shadow ray and outline; and of the ray above the horizon.

The floor's tiles are averaged over a pixel's footprint, as a mipmap would do, which is wider by
1 + softness. In soft pictures blocks are taken to be in front of the floor.
"""

import functools

import tensorflow as tf

from garden.worlds.towers import camera

FAR = 1e3  # m, the depth of the sky; the floor ends there
_LEAST_SOFTNESS = 1e-3  # pixels; sigmoids of greater slopes are steps in float32
_TINY = 1e-8  # below it a ray is parallel to a face
_LEAST_REACH = 1e-4  # tiles; float32 can't tell closer points on the floor apart
_LIFT = 1e-3  # m; what blocks light must be further away
_POSE = ("present", "position", "rotation", "size")
_LOOK = ("color", "light_direction", "light_diffuse", "light_ambient", "floor_color",
         "floor_scale", "sky_color")


class _Block:
  """One place for a block in each of N scenes, in its own frame, and the rays in this frame."""

  def __init__(self, present, size, origin, direction, light):
    """Keeps what rays need.

    Args:
      present: `[N, 1, 1]` bool.
      size: three of `[N, 1, 1]`, half-extents.
      origin: three of `[N, 1, 1]`, the camera.
      direction: three of `[N, h, w]`, of the rays.
      light: three of `[N, 1, 1]`, direction of the light, or None.
    """
    self.present, self.size, self.origin = present, size, origin
    self.direction, self.light = direction, light
    self.near, self.far = _slabs(size, origin, direction)
    self.enter, self.leave = _max(self.near), _min(self.far)
    self.hit = present & (self.enter < self.leave) & (self.leave > 0.0)

  def lambert(self):
    """max(0, -n . l) of each of the three faces that may be seen, `[N, h, w]` each."""
    return [tf.nn.relu(tf.where(along > 0.0, light, -light))
            for along, light in zip(self.direction, self.light)]

  def point(self, t):
    """Three of `[N, h, w]`, the point of each ray at `t`."""
    return [o + t * d for o, d in zip(self.origin, self.direction)]


def _max(values):
  return functools.reduce(tf.maximum, values)


def _min(values):
  return functools.reduce(tf.minimum, values)


def _slabs(size, origin, direction):
  """Where rays enter and leave the slabs of a box: two lists, an item an axis."""
  near, far = [], []
  for s, o, d in zip(size, origin, direction):
    inverse = 1.0 / tf.where(tf.abs(d) < _TINY, _TINY, d)
    middle, half = -o * inverse, s * tf.abs(inverse)
    near.append(middle - half)
    far.append(middle + half)
  return near, far


def _soft_slabs(size, origin, direction, tau):
  """Smooth `_slabs`: `(closest, near, far)`, the latter two from the closest point on.

  A ray along a slab, beside the box, would flip from meeting it nowhere to meeting it far away.
  Slopes 1/d are bounded where a face is seen at so flat an angle that it is narrower than tau:

      -o_k d / (d^2 + e^2) -+ s_k / sqrt(d^2 + e^2),   e = tau / (2 s_k)

  with o the point closest to the box's middle.
  """
  squared = sum(d ** 2 for d in direction)
  closest = -sum(o * d for o, d in zip(origin, direction)) / squared
  near, far = [], []
  for s, o, d in zip(size, origin, direction):
    inverse = 1.0 / (d ** 2 + (0.5 * tau(closest) / s) ** 2)
    middle, half = -(o + closest * d) * d * inverse, s * tf.sqrt(inverse)
    near.append(middle - half)
    far.append(middle + half)
  return closest, near, far


def _outside(size, origin, direction):
  """Metres between rays and the outline of a box, below 0 inside; any length of `direction`."""
  distances = []
  for i, j in ((1, 2), (2, 0), (0, 1)):
    off = tf.abs(origin[i] * direction[j] - origin[j] * direction[i])
    reach = size[i] * tf.abs(direction[j]) + size[j] * tf.abs(direction[i])
    norm = tf.math.rsqrt(direction[i] ** 2 + direction[j] ** 2 + _TINY)
    distances.append((off - reach) * norm)
  return _max(distances)


def _split(vector):
  """`[N, 3]` as three of `[N, 1, 1]`."""
  return [vector[:, k, None, None] for k in range(3)]


class _View:
  """The rays o + t (f + u r + v s) of a picture in the world.

  Attributes:
    origin: three of `[N, 1, 1]`.
    right: three of `[N, 1, 1]`, r.
    up: s.
    forward: f.
    u: `[N, 1, w]`.
    v: `[N, h, 1]`.
    pixel: `[N, 1, 1]`, width of a pixel at a depth of 1 m.
  """

  def __init__(self, origin, axes, slope, size, window):
    self.origin = _split(origin)
    self.right, self.up, self.forward = (_split(axis) for axis in tf.unstack(axes, axis=1))
    self.u, self.v = camera.offsets(slope, size, window)
    self.pixel = (2.0 / size[0]) * slope[:, None, None]
    if window is not None:
      self.pixel *= (window[:, 2] - window[:, 0])[:, None, None]

  def along(self, axis):
    """`[N, h, w]`, the directions' component on an axis of the world."""
    return self.forward[axis] + self.right[axis] * self.u + self.up[axis] * self.v

  def squared(self):
    """`[N, h, w]`, squared length of the directions."""
    return 1.0 + self.u ** 2 + self.v ** 2


def _aim(fields, size, lit, window=None):
  """The rays of a picture and the blocks in their way: `(view, blocks)`."""
  origin, axes, slope = camera.view(fields)
  view = _View(origin, axes, slope, size, window)
  matrix = camera.rotation_matrix(fields["rotation"])
  local_origin = tf.einsum("nbij,nbi->nbj", matrix, origin[:, None] - fields["position"])
  local_axes = tf.einsum("nbij,nai->nabj", matrix, axes)
  light = tf.einsum("nbij,ni->nbj", matrix, fields["light_direction"]) if lit else None
  if matrix.shape[1] is None:
    raise ValueError("position has an unknown number of blocks; give it the shape [N, B, 3] with "
                     "B known")
  blocks = []
  for b in range(matrix.shape[1]):
    right, up, forward = (_split(local_axes[:, k, b]) for k in range(3))
    direction = [forward[k] + right[k] * view.u + up[k] * view.v for k in range(3)]
    blocks.append(_Block(fields["present"][:, b, None, None], _split(fields["size"][:, b]),
                         _split(local_origin[:, b]), direction,
                         _split(light[:, b]) if lit else None))
  return view, blocks


def _floor(view):
  """Where rays meet the floor: `(seen [N, h, w] bool, depth t [N, h, w], slant dz)`."""
  height, slant = view.origin[2], view.along(2)
  # From below, the floor isn't seen.
  limit = -tf.maximum(height, _LIFT) / FAR
  return (slant < limit) & (height > 0.0), -height / tf.minimum(slant, limit), slant


def _nearest(blocks, floor_seen, floor_t):
  """`(ids [N, h, w] int32, depth t [N, h, w])` of what is seen; t is `FAR` for the sky."""
  best = tf.where(floor_seen, floor_t, FAR)
  ids = tf.zeros_like(best, tf.int32)
  for b, block in enumerate(blocks):
    closer = block.hit & (block.enter < best)
    best = tf.where(closer, block.enter, best)
    ids = tf.where(closer, b + 1, ids)
  return ids, best


def _tiles(fields, view, t, blur):
  """Share `[N, h, w]` of the first kind of tiles in each pixel's footprint on the floor."""
  tile = fields["floor_scale"][:, None, None]
  slant = view.origin[2] / t  # -dz
  same = []
  for axis in range(2):
    along = view.along(axis)
    x = (view.origin[axis] + t * along) / tile
    # How far a pixel reaches: the derivatives of the point on the floor by u and v.
    down = view.up[axis] + along * (view.up[2] / slant)
    reach = tf.maximum(tf.abs(view.right[axis]), tf.abs(down))
    # Over a period, two tiles, the mean is 0; over more it would only flicker about it.
    width = tf.clip_by_value(blur * view.pixel * t * reach / tile, _LEAST_REACH, 2.0)
    # Mean over the width of a wave that is 1 on even tiles and -1 on odd ones.
    low, high = 0.5 * x - 0.25 * width, 0.5 * x + 0.25 * width
    same.append(2.0 / width * (tf.abs(high - tf.floor(high) - 0.5)
                               - tf.abs(low - tf.floor(low) - 0.5)))
  return 0.5 + 0.5 * same[0] * same[1]


def _shadow(blocks, t, own):
  """Whether other blocks keep the light from the points at `t`: `[N, h, w]` bool.

  Args:
    blocks: the blocks.
    t: `[N, h, w]`.
    own: `[N, h, w]` int32, ids of what is seen. A box casts no shadow on its lit faces, so the
      block itself is left out, and faces aren't speckled by rounding.
  """
  dark = tf.zeros_like(t, tf.bool)
  for b, block in enumerate(blocks):
    near, far = _slabs(block.size, block.point(t), [-light for light in block.light])
    leave = _min(far)
    dark |= block.present & (_max(near) < leave) & (leave > _LIFT) & (own != b + 1)
  return dark


def _hard(fields, size, shadows, window):
  """`(image, ids, t, view)`."""
  view, blocks = _aim(fields, size, True, window)
  floor_seen, floor_t, _ = _floor(view)
  ids, t = _nearest(blocks, floor_seen, floor_t)
  facing = tf.nn.relu(-fields["light_direction"][:, 2, None, None]) + tf.zeros_like(t)
  for b, block in enumerate(blocks):
    faces = block.lambert()
    mine = tf.where(block.near[0] == block.enter, faces[0],
                    tf.where(block.near[1] == block.enter, faces[1], faces[2]))
    facing = tf.where(ids == b + 1, mine, facing)
  if shadows:
    facing = tf.where(_shadow(blocks, t, ids), 0.0, facing)
  light = fields["light_ambient"][:, None, None] + fields["light_diffuse"][:, None, None] * facing
  sky = t >= FAR
  tile = _tiles(fields, view, floor_t, 1.0)
  channels = []
  for c in range(fields["color"].shape[-1]):
    even, odd = (fields["floor_color"][:, kind, c, None, None] for kind in range(2))
    albedo = odd + tile * (even - odd)
    for b in range(len(blocks)):
      albedo = tf.where(ids == b + 1, fields["color"][:, b, c, None, None], albedo)
    channels.append(tf.where(sky, fields["sky_color"][:, c, None, None], albedo * light))
  return tf.clip_by_value(tf.stack(channels, axis=-1), 0.0, 1.0), ids, t, view


def _soft_shadow(blocks, t, own, tau):
  """Share `[N, h, w]` of the light that reaches the points at `t` on surface `own`."""
  lit = 1.0
  for b, block in enumerate(blocks):
    if b == own:
      continue
    point, towards = block.point(t), [-light for light in block.light]
    closest, _, far = _soft_slabs(block.size, point, towards, lambda _: tau)
    leave = closest + _min(far) - _LIFT
    inside = tf.minimum(-_outside(block.size, point, towards), leave)
    lit *= 1.0 - tf.where(block.present, tf.sigmoid(inside / tau), 0.0)
  return lit


def _soft(fields, size, softness, shadows, window):
  """`(image, ids, t, view)`."""
  view, blocks = _aim(fields, size, True, window)
  floor_seen, floor_t, slant = _floor(view)
  ids, hard_t = _nearest(blocks, floor_seen, floor_t)
  width = softness * view.pixel  # of an edge at a depth of 1 m
  ambient = fields["light_ambient"][:, None, None]
  diffuse = fields["light_diffuse"][:, None, None]

  def shade(facing, t, own, tau):
    return ambient + diffuse * facing * (_soft_shadow(blocks, t, own, tau) if shadows else 1.0)

  cover, entry, lights, taus = [], [], [], []
  for b, block in enumerate(blocks):
    closest, near, _ = _soft_slabs(block.size, block.origin, block.direction,
                                   lambda depth: width * tf.maximum(depth, _LIFT))
    tau = width * tf.maximum(closest, _LIFT)
    enter, radius = _max(near), tf.sqrt(sum(s ** 2 for s in block.size))
    weights = [tf.exp((n - enter) / tau) for n in near]
    facing = sum(w * f for w, f in zip(weights, block.lambert())) / sum(weights)
    # Beside the block the entry may be anywhere.
    t = closest + tf.clip_by_value(enter, -radius, radius)
    there = block.present & (closest > 0.0)
    outside = _outside(block.size, block.origin, block.direction)
    cover.append(tf.where(there, tf.sigmoid(-outside / tau), 0.0))
    entry.append(t)
    lights.append(shade(facing, t, b, tau))
    taus.append(tau)
  share = list(cover)
  for b in range(len(blocks)):
    for j in range(b + 1, len(blocks)):
      behind = tf.sigmoid((entry[b] - entry[j]) * (2.0 / (taus[b] + taus[j])))
      share[b] *= 1.0 - cover[j] * behind
      share[j] *= 1.0 - cover[b] * (1.0 - behind)
  free = functools.reduce(tf.multiply, [1.0 - c for c in cover])
  scale = (1.0 - free) / tf.maximum(sum(share), _TINY)

  tile = _tiles(fields, view, floor_t, 1.0 + softness)
  ground = tf.sigmoid(-slant / width) * tf.cast(view.origin[2] > 0.0, tf.float32)
  floor_tau = width * floor_t
  facing = tf.nn.relu(-fields["light_direction"][:, 2, None, None])
  floor_light = shade(facing, floor_t, None, floor_tau)
  channels = []
  for c in range(fields["color"].shape[-1]):
    even, odd = (fields["floor_color"][:, kind, c, None, None] for kind in range(2))
    sky = fields["sky_color"][:, c, None, None]
    behind = sky + ground * ((odd + tile * (even - odd)) * floor_light - sky)
    channel = free * behind
    for b in range(len(blocks)):
      channel += scale * share[b] * lights[b] * fields["color"][:, b, c, None, None]
    channels.append(channel)
  return tf.clip_by_value(tf.stack(channels, axis=-1), 0.0, 1.0), ids, hard_t, view


def render(scene, image_size, softness=0.0, supersampling=1, shadows=True, window=None):
  """Pictures of scenes, differentiable in poses, sizes, colours, light and camera.

  Args:
    scene: mapping as `Towers.arrays()` gives it, of arrays or tensors; N may be unknown.
    image_size: pixels, an int or (h, w).
    softness: width of the edges in pixels, a float or a scalar tensor; 0 draws hard edges, at
      which gradients miss what moving edges would change. 0.5 to 2 for fitting.
    supersampling: rays across each pixel; the picture is the mean of a finer one.
    shadows: whether blocks keep the light from floor and blocks. They are most of the work of
      soft pictures.
    window: optional `[N, 4]`, y0, x0, y1, x1 in shares of a square picture: draws this part alone.

  Returns:
    dict of
      image: `[N, h, w, 3]` float32 in [0, 1]; with K numbers a colour instead of three (blocks,
        floor and sky alike), K channels: what each paint gives to each pixel.
      ids: `[N, h, w]` int32 at the pixels' middles, b + 1 for the block in place b; 0 for floor
        and sky. Hard, and without a gradient.
      depth: `[N, h, w]` float32, metres along the rays of `ids`; `FAR` in the sky.

  Raises:
    ValueError: the scene lacks a field, or an argument is outside its range.

  Example:
    >>> render(scene.sample(8, seed=0).arrays(), 64)["image"].shape
    TensorShape([8, 64, 64, 3])
  """
  size = camera.checked_size(image_size)
  _check(softness, supersampling)
  fields = camera.tensors(scene, _POSE + _LOOK + camera.FIELDS)
  fine = (size[0] * supersampling, size[1] * supersampling)
  if not tf.is_tensor(softness) and softness == 0:
    image, ids, t, view = _hard(fields, fine, shadows, window)
  else:
    softness = tf.maximum(tf.cast(softness, tf.float32), _LEAST_SOFTNESS) * supersampling
    image, ids, t, view = _soft(fields, fine, softness, shadows, window)
  if supersampling > 1:
    image = tf.nn.avg_pool2d(image, supersampling, supersampling, "VALID")
    view, blocks = _aim(fields, size, False, window)
    ids, t = _nearest(blocks, *_floor(view)[:2])
  depth = tf.where(t >= FAR, FAR, t * tf.sqrt(view.squared()))
  return {"image": image, "ids": ids, "depth": tf.minimum(depth, FAR)}


def masks(scene, image_size):
  """Colour classes of what is seen.

  Args:
    scene: mapping with poses, `color_class` and camera of `Towers.arrays()`.
    image_size: pixels, an int or (h, w).

  Returns:
    `[N, h, w]` int32: `color_class` of the block seen, 0 for floor and sky.

  Raises:
    ValueError: the scene lacks a field, or a size is below 1.

  Example:
    >>> masks(scene.sample(8, seed=0).arrays(), 56).shape
    TensorShape([8, 56, 56])
  """
  size = camera.checked_size(image_size)
  fields = camera.tensors(scene, (*_POSE, "color_class", *camera.FIELDS))
  view, blocks = _aim(fields, size, lit=False)
  best = tf.where(*_floor(view)[:2], FAR)
  classes = tf.zeros_like(best, tf.int32)
  for b, block in enumerate(blocks):
    closer = block.hit & (block.enter < best)
    best = tf.where(closer, block.enter, best)
    classes = tf.where(closer, fields["color_class"][:, b, None, None], classes)
  return classes


def masks_at(scene, position, rotation, image_size):
  """Colour classes of what is seen at several times.

  Args:
    scene: mapping with `present`, `size`, `color_class` and camera of `Towers.arrays()`.
    position: `[N, T, B, 3]`, metres, as `physics.Motion` has it.
    rotation: `[N, T, B, 4]`, quaternions (w, x, y, z).
    image_size: pixels, an int or (h, w).

  Returns:
    `[N, h, w, T]` int32.

  Raises:
    ValueError: the scene lacks a field, or a size is below 1.

  Example:
    >>> masks_at(towers.arrays(), motion.position, motion.rotation, 56).shape
    TensorShape([8, 56, 56, 4])
  """
  height, width = camera.checked_size(image_size)
  fields = camera.tensors(scene, ("present", "size", "color_class", *camera.FIELDS))
  position, rotation = tf.cast(position, tf.float32), tf.cast(rotation, tf.float32)
  times, places = tf.shape(position)[1], position.shape[2]
  fields = {name: tf.repeat(value, times, axis=0) for name, value in fields.items()}
  fields["position"] = tf.reshape(position, [-1, places, 3])
  fields["rotation"] = tf.reshape(rotation, [-1, places, 4])
  seen = tf.reshape(masks(fields, (height, width)), [-1, times, height, width])
  return tf.transpose(seen, [0, 2, 3, 1])


def _check(softness, supersampling):
  """Raises a ValueError for what can't be drawn."""
  if not tf.is_tensor(softness) and not softness >= 0:
    raise ValueError(f"softness is {softness}; it must be at least 0 pixels: 0 draws hard edges")
  if not isinstance(supersampling, int) or supersampling < 1:
    raise ValueError(f"supersampling is {supersampling!r}; it must be a whole number of rays "
                     "across a pixel, at least 1")


@tf.keras.utils.register_keras_serializable(package="garden")
class TowerRenderer(tf.keras.layers.Layer):
  """`render` as a layer: a dict of scenes in, a dict of pictures out.

  Args:
    image_size: pixels, an int or (h, w).
    softness: width of the edges in pixels, at least 0.
    supersampling: rays across each pixel, at least 1.
    shadows: whether blocks cast shadows.
    **kwargs: of `tf.keras.layers.Layer`.

  Raises:
    ValueError: an argument is outside its range.

  Example:
    >>> from garden.worlds.towers import scene
    >>> towers = scene.sample(2, seed=0).arrays()
    >>> inputs = {name: tf.keras.Input(x.shape[1:], dtype=x.dtype) for name, x in towers.items()}
    >>> net = tf.keras.Model(inputs, TowerRenderer(64, softness=1.0)(inputs))
    >>> net(towers)["image"].shape
    TensorShape([2, 64, 64, 3])
  """

  def __init__(self, image_size, softness=0.0, supersampling=1, shadows=True, **kwargs):
    super().__init__(**kwargs)
    camera.checked_size(image_size)
    _check(softness, supersampling)
    self.image_size = image_size if isinstance(image_size, int) else tuple(image_size)
    self.softness, self.supersampling, self.shadows = softness, supersampling, shadows

  def call(self, scene):
    """`render` of the scene."""
    return render(scene, self.image_size, self.softness, self.supersampling, self.shadows)

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "image_size": self.image_size, "softness": self.softness,
            "supersampling": self.supersampling, "shadows": self.shadows}
