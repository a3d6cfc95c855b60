"""Turns photographs of faces to other sides.

    garden-simulate-profiles DIR --yaw 60 --yaw 90

Images in DIR and below it are turned by a 3-D head; landmarks are read from a `.txt` or `.pts`
beside an image, or found. Writes them with a contact sheet; what is there already stays, so the
same command goes on where it was stopped.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags  # noqa: E402

from garden.core import cli  # noqa: E402


def _main(arguments):
  from garden.datasets.face_folder import simulate
  from garden.worlds.faces import templates

  flag = cli.FLAGS
  if len(arguments) != 1:
    cli.usage_error("give one folder, as in garden-simulate-profiles photographs --yaw 60")
  folder, yaws = arguments[0], sorted(set(flag.yaw))
  names = simulate.find(folder)
  template = templates.read(flag.mesh, flag.mesh_points) if flag.mesh else None
  output = flag.output or f"{folder.rstrip(os.sep)}_profiles"
  turned, left_out = [], {}
  for number, name in enumerate(names, 1):
    try:
      faces = simulate.simulate(folder, name, output, yaws, flag.size, flag.fit, template)
    except ValueError as error:
      # The images after this one are none the worse for it.
      left_out.setdefault(str(error), []).append(name)
      continue
    turned.append(name)
    done = {0: "was there", 1: "turned"}.get(faces, f"turned the largest of {faces} faces")
    print(f"{number}/{len(names)} {name}: {done}", flush=True)
  if turned:
    print(f"contact sheet: {simulate.contact_sheet(folder, turned, output, yaws)}")
  if left_out:
    cli.usage_error(f"left out {sum(map(len, left_out.values()))} of {len(names)} images: "
                    + "; ".join(cli.cause(*told) for told in left_out.items()))


def main():
  """Entry point of garden-simulate-profiles."""
  flags.DEFINE_multi_float("yaw", [60.0], "Degrees, -90 to 90; above 0 the face looks to the right "
                           "of the image. Repeatable.", lower_bound=-90, upper_bound=90)
  flags.DEFINE_string("output", None, "Folder of what is made; DIR_profiles when not given.")
  flags.DEFINE_integer("size", 224, "Side of the pictures in pixels.", lower_bound=16,
                       upper_bound=1024)
  flags.DEFINE_enum("fit", "warp", ["warp", "rigid"], "Whether the head takes the face's shape.")
  flags.DEFINE_string("mesh", None, "A head to use instead of the built-in one: an OBJ file, a "
                      "folder of ICT-FaceKit, or the .h5 of a Basel Face Model.")
  flags.DEFINE_string("mesh_points", None, "A JSON file of an OBJ file's vertices by name; not "
                      "needed for 468 vertices in MediaPipe's order.")
  cli.run(_main, __doc__, positional=True)


if __name__ == "__main__":
  main()
