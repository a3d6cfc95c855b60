"""Takes images of block towers apart.

    garden-deanimate --model_dir RUN IMAGE…

Images are files, or folders of them. Prints each recovered scene as JSON and writes its picture,
its future, and an MJCF file that MuJoCo's viewer opens.
"""

import json
import os
import re

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags  # noqa: E402

from garden.core import cli  # noqa: E402
from garden.core import predict as predict_lib  # noqa: E402


def _main(images):
  from garden.vda import deanimate
  from garden.vda import recovered as recovered_lib
  from garden.vda import refine

  model_dir, flag = cli.require_model_dir(), cli.FLAGS
  if not images:
    cli.usage_error("give image files or folders of them, as in garden-deanimate --model_dir RUN "
                    "tower.png")
  files = predict_lib.find_images(images)
  camera = None if flag.camera is None else deanimate.parse_camera(flag.camera)
  experiment, model = deanimate.load(model_dir, flag.best, flag.gin_bindings)
  refiner = refine.Refiner(experiment.refinement or refine.Refinement()) if flag.refine else None
  take_apart = deanimate.DeAnimator(model, camera, refiner, flag.settle)
  output, left_out = flag.output or os.path.join(model_dir, "deanimated"), {}
  for path, stem in zip(files, predict_lib.stems(files)):
    try:
      recovered = take_apart(deanimate.read(path, experiment.source_size[0]))
      summary = recovered_lib.write(recovered, output, stem, flag.seconds)
    except ValueError as error:
      # The images after this one are none the worse for it.
      left_out.setdefault(str(error), []).append(path)
      continue
    text = json.dumps({"image": path, **summary}, indent=1)
    # Lists of numbers on one line.
    print(re.sub(r"\[[^\[\]{}\"]+\]", lambda m: " ".join(m[0].split()), text), flush=True)
  if left_out:
    count = sum(len(paths) for paths in left_out.values())
    rest = f"left out {count} of {len(files)} images: " if len(files) > 1 else ""
    cli.usage_error(rest + "; ".join(cli.cause(*told) for told in left_out.items()))


def main():
  """Entry point of garden-deanimate."""
  cli.define_binding_flags()
  cli.define_best_flag()
  flags.DEFINE_string("output", None, "Folder of what is written; MODEL_DIR/deanimated when not "
                      "given.")
  flags.DEFINE_string("camera", None, "azimuth,elevation,distance,fovy,x,y,z of all images: "
                      "radians, metres, degrees of vertical field of view, and the point in the "
                      "middle of the picture; estimated from each image when not given.")
  flags.DEFINE_bool("refine", False, "Refine each state until its picture fits the image best.")
  flags.DEFINE_bool("settle", False, "Settle blocks that float or stick in each other, rather than "
                    "leave the image out.")
  flags.DEFINE_float("seconds", 4.0, "Length of the future, .1 to 60.", lower_bound=0.1,
                     upper_bound=60.0)
  cli.run(_main, __doc__, positional=True)


if __name__ == "__main__":
  main()
