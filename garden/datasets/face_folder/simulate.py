"""Photographs in a folder turned to other sides, with what was done kept for the next time."""

import os

import matplotlib.figure
import numpy as np
import PIL.Image

from garden.datasets.face_folder import photographs
from garden.worlds.faces import portrait as portrait_lib

SHEET = "contact_sheet.png"
_SHOWN = 12  # photographs on the sheet


def find(folder):
  """The photographs in a folder and those below it, relative to it, sorted.

  Raises:
    ValueError: there is no such folder, or it holds no image.
  """
  if not os.path.isdir(folder):
    raise ValueError(f"there is no folder {folder!r}")
  found = sorted(os.path.relpath(os.path.join(where, name), folder)
                 for where, _, names in os.walk(folder) for name in names
                 if name.lower().endswith(photographs.EXTENSIONS))
  if not found:
    raise ValueError(f"{folder} holds no image; {', '.join(photographs.EXTENSIONS)} are read")
  return found


def name_of(photograph, yaw):
  """The file of a photograph turned by degrees: `anna/01_yaw+60.png`."""
  return f"{os.path.splitext(photograph)[0]}_yaw{yaw:+g}.png"


def simulate(folder, name, output, yaws, size, fit="warp", template=None, detector=None):
  """Turns one photograph; files that are there stay.

  Args:
    folder: of the photographs.
    name: of the photograph in it.
    output: folder of what is made.
    yaws: degrees, -90 to 90; above 0 the face looks to the right of the image.
    size: side of the pictures in pixels.
    fit: "warp" or "rigid", see `portrait.fit`.
    template: see `portrait.fit`; the built-in head when None.
    detector: see `photographs.read`.

  Returns:
    How many faces the photograph has; 0 if there was nothing to do.

  Raises:
    ValueError: it can't be turned; nothing was written then.
  """
  missing = [yaw for yaw in yaws if not os.path.exists(os.path.join(output, name_of(name, yaw)))]
  if not missing:
    return 0
  photograph = photographs.read(os.path.join(folder, name), detector)
  portrait = portrait_lib.fit(photograph.image, photograph.points, template, fit)
  pictures = {yaw: portrait.render(yaw, size=size)[0] for yaw in missing}
  for yaw, picture in pictures.items():
    path = os.path.join(output, name_of(name, yaw))
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    partial = f"{path}.partial"
    PIL.Image.fromarray(picture).save(partial, "PNG")
    os.replace(partial, path)
  return photograph.faces


def contact_sheet(folder, names, output, yaws):
  """Draws photographs beside what was made of them, at most twelve, evenly chosen.

  Args:
    folder: of the photographs.
    names: of those that were turned.
    output: folder of what was made, and of the sheet.
    yaws: degrees.

  Returns:
    The path of the sheet.
  """
  chosen = [names[i] for i in np.unique(
      np.linspace(0, len(names) - 1, min(_SHOWN, len(names))).round().astype(int))]
  yaws = sorted(yaws)
  figure = matplotlib.figure.Figure(figsize=(1.5 * (len(yaws) + 1), 1.6 * len(chosen) + 0.3),
                                    layout="constrained", dpi=120)
  figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
  axes = figure.subplots(len(chosen), len(yaws) + 1, squeeze=False)
  for line, name in zip(axes, chosen):
    paths = [os.path.join(folder, name), *(os.path.join(output, name_of(name, y)) for y in yaws)]
    for ax, path in zip(line, paths):
      with PIL.Image.open(path) as image:
        ax.imshow(np.asarray(image.convert("RGB")))
      ax.axis("off")
    line[0].set_title(name, fontsize=7)
  for ax, yaw in zip(axes[0][1:], yaws):
    ax.set_title(f"{yaw:+g}°", fontsize=7)
  path = os.path.join(output, SHEET)
  figure.savefig(f"{path}.partial", format="png")
  os.replace(f"{path}.partial", path)
  return path
