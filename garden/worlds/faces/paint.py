"""The colours of a head without light, at any point of it.

Each pixel is painted by where its point was before there were bumps, so that eyes and lips are
sharp at any size of picture.
"""

import numpy as np

from garden.worlds.faces import heads as heads_lib

_bell = heads_lib.bell


def albedo(heads, index, base, is_head):
  """Colours of points of a person.

  Args:
    heads: `heads.Heads`.
    index: which of them.
    base: `[P, 3]`, the points without bumps, see `heads.Surface`.
    is_head: `[P]`, 1 of the head, 0 of neck and shoulders.

  Returns:
    `[P, 3]` float64 in [0, 1].
  """
  m, skin = heads.measures(index), heads.skin[index]
  x, y, z = base.T
  azimuth = np.arctan2(x / m["width"], z / m["depth"])
  front = z > 0.2
  color = np.broadcast_to(skin, base.shape).copy()
  red = front * np.maximum(_bell(np.abs(x) - 0.42, 0.15) * _bell(y + 0.2, 0.13),
                           _bell(x, 0.1) * _bell(y - m["nose_y"], 0.08))
  color = color * (1.0 - red[:, np.newaxis] * [0.0, 0.13, 0.11])
  for spot_x, spot_y, dark in heads.freckles[index]:
    color *= 1.0 - (front * dark * _bell(x - spot_x, 0.016) * _bell(y - spot_y, 0.016))[:, None]
  color = _mouth(heads, index, m, x, y, front, color)
  color = _eyes(heads, index, m, x, y, front, color)
  hair = heads.hair[index]
  streaks = 1.0 + 0.13 * np.sin(70.0 * azimuth + 9.0 * y) * np.sin(31.0 * azimuth + 2.0)
  strands = np.clip(hair * streaks[:, np.newaxis], 0.0, 1.0)
  low = np.clip((m["mouth_y"] + 0.16 - y) / 0.1, 0.0, 1.0) * _edge(1.55 - np.abs(azimuth), 0.35)
  beard = 0.75 * heads.beard[index] * low * (1.0 - _lips(m, x, y)) * (y > -0.98 * m["height"])
  color = _over(color, strands, beard)
  share = heads_lib.hair_share(m, azimuth, base)
  # Ears stand out of short hair.
  off = np.hypot((np.abs(azimuth) - 1.7) / 0.19, (y - 0.05) / 0.21)
  if m["side_hair"] > -0.5:
    share = share * _edge(off - 1.0, 0.2)
  color = _over(color, strands, share)
  low = 0.75 + 0.25 * np.clip((y + 1.05) / 0.4, 0.0, 1.0)  # the chin's shade
  neck = np.where((y > heads_lib.NECKLINE)[:, np.newaxis], skin * low[:, np.newaxis],
                  heads.cloth[index])
  return np.where((is_head > 0.5)[:, np.newaxis], color, neck)


def _lips(m, x, y):
  """1 on the lips."""
  across = np.clip(1.0 - (x / (1.15 * m["mouth_width"])) ** 2, 0.0, 1.0)
  dip = 0.012 * _bell(x, 0.04)  # Cupid's bow
  up, down = (0.07 - dip) * across ** 0.7, 0.08 * across ** 0.5
  off = y - m["mouth_y"]
  return _edge(up - off, 0.012) * _edge(off + down, 0.012) * (across > 0)


def _mouth(heads, index, m, x, y, front, color):
  """Lips, the line between them, and nostrils."""
  color = _over(color, heads.lips[index], front * _lips(m, x, y))
  line = _bell(y - m["mouth_y"], 0.008) * (np.abs(x) < 1.1 * m["mouth_width"])
  holes = _bell(np.abs(x) - 0.5 * m["nose_width"], 0.02) * _bell(y - m["nose_y"] + 0.075, 0.014)
  return _over(color, heads.lips[index] * 0.3, front * np.maximum(0.85 * line, 0.8 * holes))


def _eyes(heads, index, m, x, y, front, color):
  """Eyes, their lids and brows."""
  across = (np.abs(x) - m["eye_x"]) / 0.125
  up = y - m["eye_y"]
  lid = 0.055 * np.clip(1.0 - across ** 2, 0.0, 1.0) ** 0.7
  low = 0.04 * np.clip(1.0 - across ** 2, 0.0, 1.0) ** 0.7
  inside = front * _edge(lid - up, 0.008) * _edge(up + low, 0.008) * (np.abs(across) < 1)
  away = np.hypot(np.abs(x) - m["eye_x"], up)
  eye = np.full(color.shape, 0.9) * [1.0, 0.98, 0.96]
  eye = _over(eye, heads.iris[index], _edge(0.05 - away, 0.008))
  eye = _over(eye, np.full(3, 0.03), _edge(0.022 - away, 0.006))
  color = _over(color, color * 0.75, front * _bell(across, 0.9) * _bell(up - 0.08, 0.035))
  color = _over(color, eye, inside)
  lash = front * _bell(up - lid, 0.011) * (np.abs(across) < 1.05)
  color = _over(color, heads.hair[index] * 0.3, 0.85 * lash)
  arch = up - 0.205 + 0.05 * across ** 2
  brow = front * _edge(0.026 - np.abs(arch), 0.012) * _edge(1.25 - np.abs(across), 0.15)
  return _over(color, 0.7 * heads.hair[index], 0.9 * brow)


def _over(color, other, share):
  """A colour laid over others."""
  return color + share[:, np.newaxis] * (other - color)


def _edge(distance, width):
  """1 well inside of a border, 0 well outside."""
  return np.clip(0.5 + distance / width, 0.0, 1.0)
