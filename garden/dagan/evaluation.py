"""What refined faces are worth, to a recogniser and by themselves. Functions of arrays.

The recogniser is trained on a person's frontal images, and beside them on nothing, on simulated
profiles, on refined ones, or on true ones, which is the upper bound; it is tested on other true
profiles. All simulated images have the same backgrounds whether they are refined or not.
"""

import numpy as np
import tensorflow as tf
from scipy import stats

from garden.dagan import metrics
from garden.dagan import recogniser

#: Between these angles rank 1 is told apart, beside that of all: degrees of yaw.
YAWS = ((60, 75), (75, 90))
_NOISE, _JITTER = 0.05, 0.15  # of the control with colours and noise, of images in [0, 1]


def jittered(images, seed):
  """A control: other colours, contrast and noise, without a model. `[N, s, s, 3]` uint8 twice."""
  rng = np.random.default_rng(seed)
  shape = (len(images), 1, 1, 3)
  gain, shift = rng.uniform(1 - _JITTER, 1 + _JITTER, shape), rng.uniform(-_JITTER, _JITTER, shape)
  noisy = images / 255.0 * gain + shift + rng.normal(0.0, _NOISE, images.shape)
  return np.round(np.clip(noisy, 0.0, 1.0) * 255.0).astype(np.uint8)


def others_residual(raw, refined, people):
  """A control: what the refiner did to another person's image, done to this one.

  Args:
    raw: `[N, s, s, 3]` uint8.
    refined: the same, refined.
    people: `[N]` int, who is on each, as many images of each person, one after another.
  """
  other = np.roll(np.arange(len(raw)), len(raw) // len(np.unique(people)))
  residual = refined[other].astype(np.int16) - raw[other]
  return np.clip(raw.astype(np.int16) + residual, 0, 255).astype(np.uint8)


def recognisers(frontal, added, judges):
  """Trains recognisers, as many of each kind as the judges have seeds.

  Args:
    frontal: `FaceSet` of each person's images that are always trained on.
    added: name -> images `[N, s, s, 3]` uint8 and identities `[N]` that are trained on beside them,
      or None for nothing.
    judges: `settings.Judges`.

  Yields:
    `(name, list of Recogniser)`.
  """
  count = int(frontal.identity.max()) + 1
  for name, more in added.items():
    images, people = frontal.image, frontal.identity
    if more is not None:
      images, people = np.concatenate([images, more[0]]), np.concatenate([people, more[1]])
    yield name, [recogniser.train(images, people, count, seed, judges.epochs, judges.examples)
                 for seed in range(judges.seeds)]


def recognition(frontal, added, probes, judges):
  """Whether probes are recognised; arguments as of `recognisers`, and a `FaceSet` of probes.

  Returns:
    Dict of name -> `[R, P]` bool, whether each probe was told right.
  """
  return {name: np.stack([recogniser.told(net, probes.image) == probes.identity for net in nets])
          for name, nets in recognisers(frontal, added, judges)}


def verification(net, faces, pairs):
  """How sure a recogniser is that pairs are of one person: cosines, `[P]`.

  Args:
    net: `Recogniser`.
    faces: `FaceSet` with all images of the pairs.
    pairs: `faces.Pairs`.
  """
  # Mirrored too: a recogniser needn't know that this is the same person.
  features = recogniser.features(net, faces.image) + recogniser.features(
      net, faces.image[:, :, ::-1])
  found = []
  for side, kind in zip((pairs.first, pairs.second), pairs.kinds):
    place = {(person, number): i for i, (person, number, k) in enumerate(
        zip(faces.identity, faces.number, faces.kind)) if k == kind}
    found.append(features[[place[person, number] for person, number in side]])
  return metrics.cosine(*found)


def nearest(net, probes, gallery):
  """Whether the nearest of a gallery is of each probe's person: `FaceSet`s -> `[P]` bool."""
  features = [recogniser.features(net, faces.image) for faces in (probes, gallery)]
  return metrics.rank_1(features[0], probes.identity, features[1], gallery.identity)


def verification_rows(method, scores, pairs):
  """Rows of a method: accuracy, area, equal error rate, TAR; scores `[R, P]`."""
  values = {
      "fp_accuracy": [metrics.verification_accuracy(x, pairs.same, pairs.fold).mean()
                      for x in scores],
      "fp_auc": [metrics.area(x, pairs.same) for x in scores],
      "fp_eer": [metrics.equal_error_rate(x, pairs.same) for x in scores],
      "fp_tar_at_far_0.1": [metrics.tar_at_far(x, pairs.same, 0.1) for x in scores],
      "fp_tar_at_far_0.01": [metrics.tar_at_far(x, pairs.same, 0.01) for x in scores]}
  return [{"method": method, "metric": name, "value": float(np.mean(each))}
          for name, each in values.items()]


def recognition_rows(right, yaw):
  """Rows of rank 1, by yaw and of all; `right` as of `recognition`, yaw `[P]` in degrees."""
  rows = []
  for method, found in right.items():
    rows.append({"method": method, "metric": "rank1", "value": float(found.mean())})
    for name, value in rank_1_by_yaw(found, yaw).items():
      rows.append({"method": method, "metric": "rank1", "value": value, "setting": {"yaw": name}})
  return rows


def rank_1_by_yaw(right, yaw):
  """Name of a group of yaws -> share of what was told right; `[R, P]` bool and `[P]` degrees."""
  groups = {f"{low}-{high}": (np.abs(yaw) >= low) & (np.abs(yaw) <= high) for low, high in YAWS}
  return {name: float(right[:, group].mean()) for name, group in groups.items() if group.any()}


def quality(extract, images, masks, people, true):
  """How near images are to true ones of the same people.

  Args:
    extract: a function, images uint8 -> features `[N, d]`.
    images: `[N, s, s, 3]` uint8.
    masks: `[N, s, s, 1]` uint8, 255 times the share that is the person.
    people: `[N]` int.
    true: `FaceSet` of true profiles of the same people.

  Returns:
    Dict: `fid`, `kid`, `fid_masked` (backgrounds grey on both sides), `identity_heldout` (share of
    images whose features are nearest, by cosine, to the mean of the true ones of the right person),
    `identity_cosine` (mean cosine to that mean).
  """
  features, real = extract(images), extract(true.image)
  known = np.unique(true.identity)
  centres = np.stack([real[true.identity == person].mean(axis=0) for person in known])
  own = centres[np.searchsorted(known, people)]
  return {"fid": metrics.frechet_distance(features, real),
          "kid": metrics.kernel_distance(features, real),
          "fid_masked": metrics.frechet_distance(extract(_grey(images, masks)),
                                                 extract(_grey(true.image, true.mask))),
          "identity_heldout": float(metrics.rank_1(features, people, centres, known).mean()),
          "identity_cosine": float(metrics.cosine(features, own).mean())}


def diversity(features, true, pairs=2000):
  """Mean distance of two images' features, in shares of that of two true ones: `[N, d]` twice."""
  def spread(x):
    rng = np.random.default_rng(0)
    first = rng.integers(len(x), size=pairs)
    second = (first + rng.integers(1, len(x), size=pairs)) % len(x)
    return np.linalg.norm(x[first] - x[second], axis=1).mean()
  return float(spread(features) / spread(true))


def likeness(images, truth):
  """Mean PSNR in decibels and SSIM of images to the truth, `[N, s, s, 3]` uint8 twice."""
  a, b = tf.constant(images), tf.constant(truth)
  return {"psnr": float(tf.reduce_mean(tf.image.psnr(a, b, 255))),
          "ssim": float(tf.reduce_mean(tf.image.ssim(a, b, 255, filter_size=7)))}


def _grey(images, masks):
  """Images with their backgrounds grey."""
  share = masks.astype(np.float32) / 255.0
  return np.round(images * share + 127.5 * (1.0 - share)).astype(np.uint8)


def along_training(album, log, extract, true):
  """FID of the album's images at each time, beside the convergence measure M.

  Args:
    album: `album.Album`.
    log: lines of the training log.
    extract: as in `quality`.
    true: `FaceSet` of true profiles.

  Returns:
    Dict of `step`, `fid`, `convergence` `[T]`, of the times that were kept, M the mean over the
    epoch before; and `correlation`, Spearman's of the two, NaN where there are fewer than
    three or one doesn't change.
  """
  kept, pictures = album.kept.numpy(), album.as_pixels()
  measure = {line["step"]: line["convergence"] for line in log if line.get("convergence")}
  known = [time for time, step in enumerate(kept) if step in measure]
  real = extract(true.image)
  found = {"step": kept[known],
           "fid": np.array([metrics.frechet_distance(extract(pictures[time]), real)
                            for time in known]),
           "convergence": np.array([measure[kept[time]] for time in known])}
  told = len(known) > 2 and np.ptp(found["fid"]) > 0 and np.ptp(found["convergence"]) > 0
  correlation = (float(stats.spearmanr(found["fid"], found["convergence"]).statistic) if told
                 else np.nan)
  return {**found, "correlation": correlation}
