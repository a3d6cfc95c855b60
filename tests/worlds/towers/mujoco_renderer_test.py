"""MuJoCo's pictures against the ray-caster's. Skipped where there is no EGL."""

import os
import subprocess
import sys

os.environ.setdefault("LP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from garden.worlds.towers import mujoco_renderer  # noqa: E402
from garden.worlds.towers import renderer  # noqa: E402
from garden.worlds.towers import scene  # noqa: E402

_WITHOUT_EGL = """
import ctypes
load = ctypes.CDLL.__init__
def refuse(self, name, *args, **kwargs):
  if "EGL" in str(name):
    raise OSError("no libEGL here")
  return load(self, name, *args, **kwargs)
ctypes.CDLL.__init__ = refuse
import ctypes.util
ctypes.util.find_library = lambda name: None
from garden.worlds.towers import mujoco_renderer, physics, scene
print(physics.simulate(scene.sample(1, seed=0), times=(0.0, 0.1)).position.shape)
try:
  mujoco_renderer.MujocoRenderer(16)
except ValueError as error:
  print(error)
"""


@pytest.fixture(scope="module")
def draw():
  """A renderer of 128 pixels, or the reason why there is none."""
  try:
    made = mujoco_renderer.MujocoRenderer(128)
  except ValueError as error:
    pytest.skip(str(error))
  yield made
  made.close()


@pytest.fixture(scope="module")
def towers():
  """Twenty towers as they were built, and twenty of the same with blocks turned anyhow."""
  standing = scene.sample(20, seed=9)
  rng = np.random.default_rng(0)
  turn = rng.normal(size=standing.rotation.shape)
  turn = (turn / np.linalg.norm(turn, axis=-1, keepdims=True)).astype(np.float32)
  position = standing.position.copy()
  position[..., :2] += rng.uniform(-1.5, 1.5, position[..., :2].shape)
  position[..., 2] = rng.uniform(0.9, 1.5, position[..., 2].shape)
  fallen = standing.replace(position=position, rotation=turn)
  return scene.Towers(**{name: np.concatenate([value, fallen.arrays()[name]])
                         for name, value in standing.arrays().items()})


@pytest.fixture(scope="module")
def both(draw, towers):
  cast = {name: np.asarray(value) for name, value in
          renderer.render(towers.arrays(), 128).items()}
  return draw(towers), cast


def test_both_renderers_see_the_same_blocks(both, towers):
  drawn, cast = both
  overlap = []
  for n in range(len(towers)):
    for b in np.unique(cast["ids"][n])[1:]:
      one, other = drawn["ids"][n] == b, cast["ids"][n] == b
      overlap.append((one & other).sum() / (one | other).sum())
  assert np.mean(overlap[:len(overlap) // 2]) > 0.995
  assert np.mean(overlap[len(overlap) // 2:]) > 0.995
  assert min(overlap) > 0.9


def test_both_measure_the_same_depth(both):
  drawn, cast = both
  same = (drawn["ids"] == cast["ids"]) & (cast["depth"] < 40) & (drawn["depth"] < 40)
  assert np.quantile(np.abs(drawn["depth"] - cast["depth"])[same], 0.99) < 0.01
  sky = cast["depth"] == renderer.FAR
  assert np.mean(drawn["depth"][sky] == renderer.FAR) > 0.99


def test_colours_are_about_the_same(both):
  """The lamp isn't the sun, and shadows differ at their edges; most pixels agree."""
  drawn, cast = both
  assert drawn["image"].dtype == np.float32 and drawn["image"].max() <= 1
  error = np.abs(drawn["image"] - cast["image"]).max(axis=-1)
  blocks = (drawn["ids"] == cast["ids"]) & (cast["ids"] > 0)
  assert np.median(error[blocks]) < 0.02
  sky = (cast["depth"] == renderer.FAR) & (drawn["depth"] == renderer.FAR)
  assert np.quantile(error[sky], 0.95) < 0.005


def test_tiles_lie_where_the_ray_caster_has_them(draw):
  towers = scene.sample(3, seed=2)
  towers = towers.replace(
      camera_elevation=np.float32([1.2, 1.3, 1.4]), light_diffuse=np.float32([0, 0, 0]),
      floor_color=np.tile(np.float32([[[1, 1, 1], [0.3, 0.3, 0.3]]]), (3, 1, 1)))
  drawn, cast = draw(towers), renderer.render(towers.arrays(), 128)
  floor = (drawn["ids"] == 0) & (np.asarray(cast["ids"]) == 0)
  assert np.mean(np.abs(drawn["image"] - cast["image"])[floor]) < 0.02


def test_poses_replace_those_of_the_towers(draw, towers):
  some = towers.take(slice(0, 2))
  moved = some.position + np.float32([0.3, 0.2, 0])
  got = draw(some, poses=(moved, some.rotation), depth=False)
  assert set(got) == {"image", "ids"}
  np.testing.assert_array_equal(got["ids"], draw(some.replace(position=moved))["ids"])


def test_the_order_of_pictures_does_not_matter(draw, towers):
  order = np.array([5, 21, 1])
  look = mujoco_renderer.sample_appearance(3, seed=1)
  together = draw(towers.take(order), appearance=look)["image"]
  backwards = draw(towers.take(order[::-1]), appearance=_take(look, slice(None, None, -1)))["image"]
  np.testing.assert_array_equal(together, backwards[::-1])


def _take(look, index):
  return mujoco_renderer.Appearance(*(getattr(look, name)[index]
                                      for name in look.__dataclass_fields__))


def test_an_appearance_changes_the_look_and_no_block(draw, both, towers):
  some = towers.take(slice(0, 8))
  look = mujoco_renderer.sample_appearance(8, seed=4)
  drawn = draw(some, appearance=look)
  np.testing.assert_array_equal(drawn["ids"], both[0]["ids"][:8])
  assert (np.abs(drawn["image"] - both[0]["image"][:8]).mean(axis=(1, 2, 3)) > 0.01).all()


def test_looks_are_functions_of_seed_and_number():
  many = mujoco_renderer.sample_appearance(30, seed=3)
  few = mujoco_renderer.sample_appearance(4, seed=3, first=7)
  for name in many.__dataclass_fields__:
    np.testing.assert_array_equal(getattr(many, name)[7:11], getattr(few, name))
  assert set(np.unique(many.block_texture)) == set(range(len(mujoco_renderer.BLOCK_TEXTURES)))
  assert (mujoco_renderer.sample_appearance(4, seed=2).specular != few.specular).all()


def test_render_draws_oblong_pictures_and_closes(draw, towers):
  del draw  # skips without EGL
  some = towers.take(slice(0, 2))
  out = mujoco_renderer.render(some, (40, 64))
  cast = np.asarray(renderer.render(some.arrays(), (40, 64))["ids"])
  assert out["image"].shape == (2, 40, 64, 3) and np.mean(out["ids"] != cast) < 0.01


def test_a_closed_renderer_says_so(draw, towers):
  del draw
  one = mujoco_renderer.MujocoRenderer(16)
  one.close()
  one.close()
  with pytest.raises(ValueError, match="closed; make another"):
    one(towers)


def test_bad_arguments(draw, towers):
  for arguments, message in (
      ({"poses": (towers.position[:3], towers.rotation)}, "position is of shape"),
      ({"appearance": mujoco_renderer.plain_appearance(3)}, r"appearance is of shape \(3,\)")):
    with pytest.raises(ValueError, match=message):
      draw(towers, **arguments)
  with pytest.raises(ValueError, match="image_size is 0"):
    mujoco_renderer.MujocoRenderer(0)
  with pytest.raises(ValueError, match="n is 0; it must be a whole number of at least 1"):
    mujoco_renderer.sample_appearance(0, seed=0)


def test_without_egl_physics_works_and_the_renderer_says_what_to_install():
  environment = {name: value for name, value in os.environ.items()
                 if name not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
  done = subprocess.run([sys.executable, "-c", _WITHOUT_EGL], capture_output=True, text=True,
                        env=environment, timeout=120)
  assert done.returncode == 0, done.stderr
  lines = done.stdout.splitlines()
  assert lines == ["(1, 2, 4, 3)", "MuJoCo's renderer needs EGL: apt install libegl1 libgl1, or "
                   "use the ray-caster (renderer='tensorflow')"]
