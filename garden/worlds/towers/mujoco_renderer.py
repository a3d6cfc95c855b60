"""The optional second renderer: MuJoCo's classic OpenGL one, with soft shadows and textures.

It sees the same scenes as `renderer` and gives the same dict. With an `Appearance` it makes
pictures of another look: textures, gloss, a lamp of another place and width. Light is a lamp 15 m
up against its direction, since shadows of MuJoCo's directional light have gaps.

It draws through MuJoCo's `MjrContext` in a context of `mujoco.egl`, not through
`mujoco.Renderer`: that takes the OpenGL which `MUJOCO_GL` named when MuJoCo was first imported,
and `MUJOCO_GL=egl` breaks that import, and physics with it, where libEGL is missing. If
`MUJOCO_GL` is set, it is heeded. No process may be forked once a picture was drawn: it would
hang; spawn it.
"""

import dataclasses
import os

import mujoco
import numpy as np

from garden.worlds.towers import renderer
from garden.worlds.towers import scene

_LAMP = 15.0  # m; nearer, the floor is dark towards the horizon, farther, shadows get coarse
_EXTENT = 5.0  # m, MuJoCo's unit for planes of the view
_NEAR, _FAR = 0.1, 50.0  # in extents
_NO_EGL = ("MuJoCo's renderer needs EGL: apt install libegl1 libgl1, or use the ray-caster "
           "(renderer='tensorflow')")
_FLOOR_PIXELS = 128
#: Looks of blocks and floor as attributes of MuJoCo's builtin textures; the first is plain.
#: They are near white, since a block's colour is multiplied with them.
_DARK = 'rgb1="1 1 1" rgb2=".6 .6 .6" markrgb=".25 .25 .25"'
BLOCK_TEXTURES = (
    "",
    f'builtin="flat" mark="random" random=".04" {_DARK}',
    f'builtin="flat" mark="random" random=".3" {_DARK}',
    f'builtin="checker" {_DARK}',
    f'builtin="checker" mark="random" random=".1" {_DARK}',
    f'builtin="gradient" {_DARK}',
    f'builtin="gradient" mark="random" random=".1" {_DARK}',
    f'builtin="flat" mark="edge" {_DARK}',
    f'builtin="flat" mark="cross" {_DARK}',
)
FLOOR_TEXTURES = (
    f'builtin="checker" {_DARK}',
    f'builtin="flat" mark="random" random=".05" {_DARK}',
    f'builtin="flat" mark="random" random=".4" {_DARK}',
    f'builtin="checker" mark="random" random=".1" {_DARK}',
    f'builtin="gradient" {_DARK}',
    f'builtin="flat" mark="edge" {_DARK}',
)

_MJCF = """
<mujoco>
  <statistic extent="{extent}" center="0 0 1.5"/>
  <visual>
    <global offwidth="{width}" offheight="{height}"/>
    <quality shadowsize="2048" offsamples="4"/>
    <map znear="{near}" zfar="{far}" shadowscale=".85"/>
    <headlight specular="0 0 0"/>
  </visual>
  <asset>
    <texture name="sky" type="skybox" builtin="flat" width="8" height="8"/>
    {textures}
  </asset>
  <worldbody>
    <camera/>
    <light directional="false" cutoff="80" exponent="0" pos="0 0 15" dir="0 0 -1"/>
    <geom type="plane" size="0 0 1" material="floor0"/>
    {blocks}
  </worldbody>
</mujoco>
"""


@dataclasses.dataclass(frozen=True)
class Appearance:
  """How N scenes look beyond their colours; None of it changes what `ids` show.

  Attributes:
    block_texture: `[N, 6]` int, place in `BLOCK_TEXTURES`, of each place for a block.
    floor_texture: `[N]` int, place in `FLOOR_TEXTURES`; 0 has the scene's two colours, others
      are tinted with the first of them.
    floor_repeat: `[N]` float, how often the floor's pattern is repeated where the plain floor
      has it once, above 0.
    specular: `[N]` float in [0, 1], of blocks.
    shininess: `[N]` float in [0, 1], of blocks.
    lamp_distance: `[N]` metres from the origin against the light's direction, above 0.
    lamp_exponent: `[N]`, how quickly the lamp fades from its axis; 0 is even.
    headlight: `[N]`, light from the camera, added to the ambient one.
  """

  block_texture: np.ndarray
  floor_texture: np.ndarray
  floor_repeat: np.ndarray
  specular: np.ndarray
  shininess: np.ndarray
  lamp_distance: np.ndarray
  lamp_exponent: np.ndarray
  headlight: np.ndarray

  def __len__(self):
    return len(self.floor_texture)


def plain_appearance(n):
  """The `Appearance` of n scenes as the ray-caster sees them."""
  zero = np.zeros(n, np.float32)
  return Appearance(
      np.zeros((n, scene.MAX_BLOCKS), np.int32), np.zeros(n, np.int32), zero + 1, zero, zero,
      zero + _LAMP, zero, zero)


def sample_appearance(n, seed, first=0):
  """Draws looks `first` .. `first + n - 1` of a seed: textures, gloss and lamps.

  Args:
    n: number of looks, at least 1.
    seed: int, at least 0.
    first: number of the first one, at least 0.

  Returns:
    `Appearance` of n scenes. Look i is a function of (seed, i) alone.

  Raises:
    ValueError: a number is outside its range.

  Example:
    >>> len(sample_appearance(4, seed=0))
    4
  """
  for name, value, least in (("n", n, 1), ("seed", seed, 0), ("first", first, 0)):
    if not isinstance(value, int | np.integer) or value < least:
      raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}")
  drawn = []
  for index in range(first, first + n):
    rng = np.random.default_rng([seed, index])
    drawn.append((
        rng.integers(len(BLOCK_TEXTURES), size=scene.MAX_BLOCKS),
        rng.integers(len(FLOOR_TEXTURES)), rng.uniform(0.5, 2.0), rng.uniform(0.0, 0.6),
        rng.uniform(0.1, 0.9), rng.uniform(9.0, 20.0), rng.uniform(0.0, 4.0),
        rng.uniform(0.0, 0.25)))
  fields = [np.stack(column) for column in zip(*drawn)]
  return Appearance(*(field.astype(np.int32 if field.dtype.kind == "i" else np.float32)
                      for field in fields))


def _gl_context(width, height):
  """A current OpenGL context, or ValueError."""
  try:
    if os.environ.get("MUJOCO_GL"):
      context = mujoco.GLContext(width, height)
    else:
      from mujoco import egl
      context = egl.GLContext(width, height)
    context.make_current()
  # PyOpenGL fails with an AttributeError where the library isn't found, drivers with errors of
  # their own, all of which are RuntimeErrors or come from PyOpenGL.
  except (ImportError, AttributeError, OSError, RuntimeError, TypeError) as error:
    raise ValueError(_NO_EGL) from error
  except Exception as error:  # noqa: BLE001
    if type(error).__module__.startswith("OpenGL"):
      raise ValueError(_NO_EGL) from error
    raise
  return context


class MujocoRenderer:
  """Draws scenes; keeps the context of OpenGL until `close`. Also a context manager.

  Args:
    image_size: pixels, an int or (h, w).

  Raises:
    ValueError: a size is below 1, or EGL is missing.

  Example:
    >>> with MujocoRenderer(128) as draw:
    ...   images = draw(scene.sample(4, seed=0))["image"]
  """

  def __init__(self, image_size):
    self._height, self._width = renderer.camera.checked_size(image_size)
    textures = [_texture(f"block{k}", "cube", look, 64) for k, look in enumerate(BLOCK_TEXTURES)]
    textures += [_texture(f"floor{k}", "2d", look, _FLOOR_PIXELS)
                 for k, look in enumerate(FLOOR_TEXTURES)]
    # Hidden in group 5 until a scene has them.
    blocks = ['<geom type="box" size=".5 .5 .5" group="5" material="block0"/>'] * scene.MAX_BLOCKS
    self._model = mujoco.MjModel.from_xml_string(_MJCF.format(
        extent=_EXTENT, near=_NEAR, far=_FAR, width=self._width, height=self._height,
        textures="\n".join(textures), blocks="\n".join(blocks)))
    self._gl = _gl_context(self._width, self._height)
    self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_50)
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
    self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
    self._data = mujoco.MjData(self._model)
    mujoco.mj_forward(self._model, self._data)
    self._scene = mujoco.MjvScene(self._model, maxgeom=scene.MAX_BLOCKS + 2)
    # White haze at the horizon; the ray-caster has none.
    self._scene.flags[mujoco.mjtRndFlag.mjRND_HAZE] = 0
    self._option = mujoco.MjvOption()
    self._camera = mujoco.MjvCamera()
    self._camera.type, self._camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
    self._rect = mujoco.MjrRect(0, 0, self._width, self._height)

  def __call__(self, towers, poses=None, appearance=None, depth=True):
    """Draws towers; see `render`."""
    if self._context is None:
      raise ValueError("this renderer is closed; make another one")
    scene.check(towers)
    position, rotation = poses or (towers.position, towers.rotation)
    position, rotation = np.asarray(position), np.asarray(rotation)
    appearance = appearance or plain_appearance(len(towers))
    for name, value, shape in (("position", position.shape, towers.position.shape),
                               ("rotation", rotation.shape, towers.rotation.shape),
                               ("appearance", (len(appearance),), (len(towers),))):
      if value != shape:
        raise ValueError(f"{name} is of shape {value}; the towers need {shape}")
    matrix = scene.rotation_matrix(rotation)
    self._gl.make_current()
    shape = (len(towers), self._height, self._width)
    out = {"image": np.empty((*shape, 3), np.float32), "ids": np.empty(shape, np.int32)}
    if depth:
      out["depth"] = np.empty(shape, np.float32)
    for n in range(len(towers)):
      self._place(towers, n, position[n], matrix[n], appearance)
      out["image"][n] = self._read(np.empty((*shape[1:], 3), np.uint8)) / 255.0
      out["ids"][n], far = self._segments()
      if depth:
        out["depth"][n] = self._along_rays(far, towers.camera_fovy[n])
    return out

  def close(self):
    """Frees the context of OpenGL; a second call does nothing."""
    if self._context is not None:
      self._gl.make_current()
      self._context.free()
      self._gl.free()
      self._context = self._gl = None

  def __enter__(self):
    return self

  def __exit__(self, *error):
    self.close()

  def _place(self, towers, n, position, matrix, appearance):
    """Moves camera, lamp, blocks and colours to those of a scene."""
    model, data = self._model, self._data
    count = position.shape[0]
    model.geom_group[1:] = 5
    model.geom_group[1:1 + count] = np.where(towers.present[n], 0, 5)
    model.geom_size[1:1 + count] = towers.size[n]
    model.geom_rgba[1:1 + count, :3] = towers.color[n]
    model.geom_rgba[1:1 + count, 3] = 1.0
    data.geom_xpos[1:1 + count] = position
    data.geom_xmat[1:1 + count] = matrix.reshape(count, 9)
    model.geom_matid[1:1 + count] = appearance.block_texture[n, :count]
    model.mat_specular[:len(BLOCK_TEXTURES)] = appearance.specular[n]
    model.mat_shininess[:len(BLOCK_TEXTURES)] = appearance.shininess[n]
    self._place_floor(towers, n, appearance)
    # MuJoCo's cameras look along their -z.
    azimuth, elevation = towers.camera_azimuth[n], towers.camera_elevation[n]
    sin, cos, sin_e, cos_e = (np.sin(azimuth), np.cos(azimuth), np.sin(elevation),
                              np.cos(elevation))
    axes = np.array([[-sin, cos, 0], [-sin_e * cos, -sin_e * sin, cos_e],
                     [cos_e * cos, cos_e * sin, sin_e]])
    data.cam_xpos[0] = towers.camera_target[n] + towers.camera_distance[n] * axes[2]
    data.cam_xmat[0] = axes.T.ravel()
    model.cam_fovy[0] = towers.camera_fovy[n]
    data.light_xpos[0] = -towers.light_direction[n] * appearance.lamp_distance[n]
    data.light_xdir[0] = towers.light_direction[n]
    model.light_diffuse[0] = towers.light_diffuse[n]
    model.light_specular[0] = 1.0
    model.light_exponent[0] = appearance.lamp_exponent[n]
    model.vis.headlight.ambient[:] = towers.light_ambient[n]
    model.vis.headlight.diffuse[:] = appearance.headlight[n]
    # The floor follows the camera that the scene knows before the update: without this line, that
    # of the picture drawn before, and pictures would depend on their order.
    mujoco.mjv_updateCamera(model, data, self._camera, self._scene)
    mujoco.mjv_updateScene(model, data, self._option, None, self._camera,
                           mujoco.mjtCatBit.mjCAT_ALL, self._scene)

  def _place_floor(self, towers, n, appearance):
    """Colours of sky and floor."""
    model = self._model
    look = len(BLOCK_TEXTURES) + appearance.floor_texture[n]
    plain = appearance.floor_texture[n] == 0
    model.geom_matid[0] = look
    model.geom_rgba[0, :3] = 1.0 if plain else towers.floor_color[n, 0]
    model.geom_rgba[0, 3] = 1.0
    # MuJoCo repeats a pattern each two metres; it is two tiles wide.
    self._context.mat_texrepeat[2 * look:2 * look + 2] = model.mat_texrepeat[look] = (
        appearance.floor_repeat[n] / towers.floor_scale[n])
    self._paint("sky", np.broadcast_to(towers.sky_color[n], (6 * 8 * 8, 3)))
    if plain:
      # Rows of a texture run against y, so the tile at the origin is the second one.
      half = np.arange(_FLOOR_PIXELS) // (_FLOOR_PIXELS // 2)
      self._paint("floor0", towers.floor_color[n][(half[:, None] + half + 1) % 2])

  def _paint(self, name, colors):
    """Gives a texture other pixels, `[..., 3]` in [0, 1]."""
    texture = self._model.texture(name).id
    start = self._model.tex_adr[texture]
    values = np.round(255.0 * np.clip(colors, 0.0, 1.0)).astype(np.uint8).ravel()
    self._model.tex_data[start:start + values.size] = values
    mujoco.mjr_uploadTexture(self._model, self._context, texture)

  def _read(self, rgb, depth=None):
    """Draws into `rgb`, and into `depth` if given; row 0 is the top."""
    mujoco.mjr_render(self._rect, self._scene, self._context)
    mujoco.mjr_readPixels(rgb, depth, self._rect, self._context)
    return rgb[::-1]

  def _segments(self):
    """`(ids [h, w], depth buffer [h, w])` of the placed scene."""
    flags = self._scene.flags
    depth = np.empty((self._height, self._width), np.float32)
    flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
    rgb = self._read(np.empty((self._height, self._width, 3), np.uint8), depth)
    flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 0
    # Colours number what was drawn from 1 on; geom 0 is the floor, geom b + 1 block b.
    table = np.zeros(self._scene.ngeom + 2, np.int32)
    for geom in self._scene.geoms[:self._scene.ngeom]:
      if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
        table[geom.segid + 1] = geom.objid
    return table[rgb.astype(np.int32) @ np.array([1, 256, 65536])], depth[::-1]

  def _along_rays(self, buffer, fovy):
    """Metres along the rays of a depth buffer that is 1 near and 0 far."""
    near, far = _NEAR * _EXTENT, _FAR * _EXTENT
    depth = near * far / (near + buffer.astype(np.float64) * (far - near))
    scale = 2.0 / self._height * np.tan(np.radians(fovy) / 2)
    u = scale * (np.arange(self._width) + 0.5 - self._width / 2)
    v = scale * (np.arange(self._height) + 0.5 - self._height / 2)[:, None]
    return np.where(buffer > 0.0, depth * np.sqrt(1 + u ** 2 + v ** 2), renderer.FAR)


def _texture(name, kind, look, pixels):
  """MJCF of a texture and the material made of it; a material alone without a look."""
  if not look:
    return f'<material name="{name}"/>'
  rows = f'height="{pixels}"' if kind == "2d" else ""
  uniform = 'texuniform="true"' if kind == "2d" else ""
  return (f'<texture name="{name}" type="{kind}" width="{pixels}" {rows} {look}/>'
          f'<material name="{name}" texture="{name}" {uniform} specular="0"/>')


def render(towers, image_size, poses=None, appearance=None, depth=True):
  """Pictures of towers by MuJoCo.

  Args:
    towers: `Towers`.
    image_size: pixels, an int or (h, w).
    poses: optional `(position [N, B, 3], rotation [N, B, 4])` instead of the towers' own.
    appearance: optional `Appearance` of N scenes; plain if None, as the ray-caster's.
    depth: whether to give the depth, too.

  Returns:
    dict of arrays like those of `renderer.render`: image `[N, h, w, 3]` float32 in [0, 1], ids
    `[N, h, w]` int32, and depth `[N, h, w]` float32 in metres along the rays.

  Raises:
    ValueError: EGL is missing, a shape doesn't fit, or a scene can't be drawn.

  Example:
    >>> render(scene.sample(2, seed=0), 128)["image"].shape
    (2, 128, 128, 3)
  """
  with MujocoRenderer(image_size) as draw:
    return draw(towers, poses, appearance, depth)
