"""Deep subspace clustering as a scikit-learn estimator.

Rows of X are images, flattened, or any other samples. An autoencoder learns
codes Z, each code is expressed by the others, `C Z ~ Z`, and the graph of C is
cut into groups (Ji et al. 2017, see `dscnet`). The defaults are the fast way:
mini-batch pre-training, then the closed form of C (`solvers.ridge`), and no
fine-tuning.

    from sklearn import datasets
    from garden.subspace.estimator import DeepSubspaceClustering

    images = datasets.load_digits().data                  # [1797, 64]
    model = DeepSubspaceClustering(
        n_clusters=10, image_shape=(8, 8), random_state=0)
    labels = model.fit_predict(images[:1000])             # [1000], 0 .. 9
    others = model.predict(images[1000:])                 # nearest subspace
    model.affinity_matrix_                                # [1000, 1000]

The defaults of lam, count, dim and exponent are a compromise seen to be good,
with labels, on four sets of images together (ORL, digits, COIL20, Extended Yale
B); each has better ones of its own, such as `lam=3, scaling="standardized",
count=8, dim=3, exponent=1` for ORL. Of small images, half of the time of
pre-training is threads waiting for each other: a program of its own gains by
`tf.config.threading.set_intra_op_parallelism_threads(1)` before its first op.
"""

import numbers
import random

import numpy as np
import tensorflow as tf
import threadpoolctl
from sklearn import base
from sklearn.utils import check_random_state
from sklearn.utils import validation

from garden.core.optimizers import FusedAdam
from garden.subspace import affinity as affinity_lib
from garden.subspace import memory
from garden.subspace import networks
from garden.subspace import settings
from garden.subspace import subspaces
from garden.subspace.dscnet import DSCNet

# Tracing a graph takes about as long as so many eager steps.
_EAGER_STEPS = 30
_STEPS_PER_EXECUTION = 100
# Up to here one BLAS thread takes a few seconds at most, and a second one gains
# little; on a busy machine waiting for it made the same work ten times longer.
_ONE_THREAD_SAMPLES = 2500


class DeepSubspaceClustering(base.ClusterMixin, base.BaseEstimator):
  """Clusters samples by the subspaces that their learned codes lie in.

  Images are scaled to [0, 1] by the extremes of the training set; flat samples
  are centred and divided by one standard deviation. Memory and time grow with
  N^2 and N^3: N x N matrices are made, and refused where they don't fit.

  Args:
    n_clusters: K.
    image_shape: (h, w) or (h, w, c) of the images whose flattened pixels are
      the rows of X, at least 4 x 4, for a convolutional autoencoder; None for
      samples that aren't images, and a dense one.
    solver: "closed_form" solves for C after pre-training (p = 2 only);
      "gradient" trains C and the autoencoder together, as published.
    p: norm of C, 1 or 2.
    zero_diagonal: forbid a sample to express itself; False is the published
      code's choice for p = 2.
    lam: "closed_form": weight of `||C||^2` against `||Z - C Z||^2`, > 0. None
      stands for 0.03 N/K: the Gram matrix of a cluster's codes of length 1 has
      eigenvalues that grow with its members, so the weight has to.
    scaling: "closed_form": scaling of the codes, "standardized", "unit" or
      "none", see `settings.scale_features`. With "gradient" codes stay as they
      are.
    norm_weight: "gradient": weight of the norm of C, beside 1/2 for the
      reconstruction. The default is 1 for pixels in 0 .. 255, as published.
    expression_weight: "gradient": weight of `1/2 ||Z - C Z||^2`. The default
      is that published for ORL.
    pretrain_steps: mini-batches that the autoencoder is trained on alone; 0
      leaves random weights.
    finetune_steps: steps on all samples and C; None for 700 with "gradient" and
      0 with "closed_form".
    batch_size: samples of a mini-batch.
    pretrain_learning_rate: Adam's at its peak; it falls to 0 along a cosine.
    finetune_learning_rate: Adam's.
    kernels: odd kernel sizes of the convolutions; None chooses layers from
      the size and the number of the images.
    channels: their channels.
    count: entries kept of each row of C; None keeps a share `alpha` instead.
    alpha: share of a row's l1 norm that is kept, in (0, 1].
    dim: dimensions of a cluster's subspace; the affinity's rank is dim K + 1.
    exponent: power that sharpens the affinity.
    eye: set the diagonal to 1 before the low-rank step (published for COIL20).
    random_state: seed of initial weights and mini-batches.
    verbose: 1 prints a line for each stage.

  Attributes:
    labels_: `[N]` int64, 0 .. K-1, numbered by first appearance.
    affinity_matrix_: `[N, N]` float64 in [0, 1], what the labels come from.
    coefficients_: `[N, N]` float32, C; row i are those of sample i.
    embedding_: `[N, d]` float32, the codes.
    subspaces_: `[K, d, r]` float32, orthonormal bases of the clusters in the
      space of scaled codes.
    n_features_in_: features of a row of X.
  """

  def __init__(self, n_clusters=8, *, image_shape=None, solver="closed_form",
               p=2, zero_diagonal=True, lam=None, scaling="unit",
               norm_weight=1.5e-5, expression_weight=0.2, pretrain_steps=2000,
               finetune_steps=None, batch_size=16, pretrain_learning_rate=1.5e-2,
               finetune_learning_rate=1e-3, kernels=None, channels=None,
               count=16, alpha=0.2, dim=12, exponent=4.0, eye=False,
               random_state=None, verbose=0):
    self.n_clusters = n_clusters
    self.image_shape = image_shape
    self.solver = solver
    self.p = p
    self.zero_diagonal = zero_diagonal
    self.lam = lam
    self.scaling = scaling
    self.norm_weight = norm_weight
    self.expression_weight = expression_weight
    self.pretrain_steps = pretrain_steps
    self.finetune_steps = finetune_steps
    self.batch_size = batch_size
    self.pretrain_learning_rate = pretrain_learning_rate
    self.finetune_learning_rate = finetune_learning_rate
    self.kernels = kernels
    self.channels = channels
    self.count = count
    self.alpha = alpha
    self.dim = dim
    self.exponent = exponent
    self.eye = eye
    self.random_state = random_state
    self.verbose = verbose

  def fit(self, X, y=None):  # noqa: N803
    """Clusters the rows of X.

    Args:
      X: `[N, features]`, any finite real numbers.
      y: ignored.

    Returns:
      self.

    Raises:
      ValueError: a parameter or X that can't be used; says what would do.
    """
    X = validation.validate_data(  # noqa: N806
        self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
    self._check_parameters(*X.shape)
    memory.check(len(X))
    rng = check_random_state(self.random_state)
    self._set_scale(X)
    inputs = self._inputs(X)
    self._n_fitted = len(X)
    model = self._build(inputs, rng)
    self._pretrain(model, len(X), rng)
    with threadpoolctl.threadpool_limits(
        1 if len(X) <= _ONE_THREAD_SAMPLES else None, user_api="blas"):
      self._solve(model)
    return self

  def predict(self, X):  # noqa: N803
    """The cluster of each row of X: that whose subspace its code is nearest to.

    For rows that weren't clustered. On the rows that were it mostly agrees with
    `labels_`, which come from the whole graph.

    Args:
      X: `[n, n_features_in_]`, in the units of the rows that were clustered.

    Returns:
      `[n]` int64.
    """
    validation.check_is_fitted(self)
    X = validation.validate_data(  # noqa: N806
        self, X, dtype=[np.float64, np.float32], reset=False)
    away = subspaces.distances(self._features(self._encode(X)), self.subspaces_)
    return np.argmin(away.numpy(), axis=1).astype(np.int64)

  def _check_parameters(self, n_samples, n_features):
    """Checks what no other function checks."""
    if (not isinstance(self.n_clusters, numbers.Integral)
        or not 1 <= self.n_clusters <= n_samples):
      raise ValueError(f"n_clusters={self.n_clusters} must be a whole number in "
                       f"1 .. n_samples={n_samples}")
    for name in ("pretrain_steps", "finetune_steps"):
      steps = getattr(self, name)
      if steps is not None and steps < 0:
        raise ValueError(f"{name}={steps} must be 0 or more")
    for name in ("lam", "batch_size", "dim"):
      value = getattr(self, name)
      if value is not None and not value > 0:
        raise ValueError(f"{name}={value} must be above 0")
    shape = self._image_shape()
    if shape is not None and np.prod(shape) != n_features:
      raise ValueError(
          f"image_shape={tuple(self.image_shape)} makes {np.prod(shape)} pixels, "
          f"but X has {n_features} features")

  def _image_shape(self):
    """(h, w, c), or None for flat samples."""
    if self.image_shape is None:
      return None
    shape = tuple(self.image_shape)
    if len(shape) not in (2, 3):
      raise ValueError(f"image_shape={shape} must be (h, w) or (h, w, c)")
    return shape if len(shape) == 3 else (*shape, 1)

  def _set_scale(self, X):  # noqa: N803
    """Keeps the offset and the scale that `_inputs` applies."""
    if self.image_shape is None:
      self._offset = X.mean(axis=0, dtype=np.float64)
      self._scale = float(np.sqrt(np.mean((X - self._offset) ** 2)))
    else:
      self._offset = float(X.min())
      self._scale = float(X.max()) - self._offset
    if (X == X[0]).all():
      raise ValueError("all samples are equal, so there is nothing to cluster")

  def _inputs(self, X):  # noqa: N803
    """Rows of X as the network sees them: `[n, h, w, c]` or `[n, features]`."""
    scaled = ((X - self._offset) / self._scale).astype(np.float32)
    shape = self._image_shape()
    return scaled if shape is None else scaled.reshape(-1, *shape)

  def _autoencoder(self, mean=0.0):
    """Makes `(encoder, decoder)`; `mean` is that of the inputs."""
    shape = self._image_shape()
    if shape is None:
      # A code wider than a few features lets tanh bend them apart.
      n_features = self.n_features_in_
      return networks.dense_autoencoder(
          n_features, (int(np.clip(2 * n_features, 64, 512)),
                       int(np.clip(n_features // 2, 16, 64))))
    kernels, channels = self.kernels, self.channels
    if kernels is None or channels is None:
      kernels, channels = networks.choose_layers(shape[:2], self._n_fitted)
    # The output's ReLU helps: with a linear one, units died at these rates.
    return networks.conv_autoencoder(shape, kernels, channels, "linear", "relu",
                                     output_bias=mean)

  def _build(self, inputs, rng):
    """Makes the compiled network, its weights drawn from `rng`."""
    warm_up = min(50, self.pretrain_steps // 2)
    schedule = tf.keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0, warmup_target=self.pretrain_learning_rate,
        warmup_steps=warm_up, decay_steps=max(self.pretrain_steps - warm_up, 1))
    closed = self.solver == "closed_form"
    lam = self.lam
    if lam is None:
      lam = 0.03 * len(inputs) / self.n_clusters
    # Keras's initializers take seeds from Python's generator, which is the
    # caller's.
    state = random.getstate()
    encoder, decoder = self._autoencoder(inputs.mean())
    model = DSCNet(
        encoder, decoder, inputs, p=self.p, zero_diagonal=self.zero_diagonal,
        norm_weight=lam if closed else self.norm_weight,
        expression_weight=2.0 if closed else self.expression_weight,
        solver=self.solver, scaling=self.scaling if closed else "none",
        pretrain_optimizer=FusedAdam(schedule))
    random.setstate(state)
    for variable in model.pretrain_variables():
      if len(variable.shape) > 1:  # biases are constant
        variable.assign(_glorot(variable.shape, rng))
    model.compile(FusedAdam(self.finetune_learning_rate),
                  steps_per_execution=_STEPS_PER_EXECUTION)
    return model

  def _pretrain(self, model, count, rng):
    """Trains the autoencoder on mini-batches."""
    steps = self.pretrain_steps
    if steps:
      order = _orders(count, min(self.batch_size, count), steps, rng)
      self._fit_stage(model, "pretrain", steps,
                      tf.data.Dataset.from_tensor_slices(order))

  def _finetune(self, model):
    """Solves for C, or trains it on all samples."""
    model.begin_stage("finetune")
    steps = self.finetune_steps
    if steps is None:
      steps = 0 if self.solver == "closed_form" else 700
    if steps:
      rows = np.arange(len(model.images))
      self._fit_stage(model, "finetune", steps,
                      tf.data.Dataset.from_tensors(rows).repeat())

  def _fit_stage(self, model, name, steps, batches):
    model.stage_name = name
    model.run_eagerly = steps <= _EAGER_STEPS
    model.make_train_function(force=True)
    model.fit(batches, steps_per_epoch=steps, verbose=2 if self.verbose else 0)

  def _solve(self, model):
    """From codes to coefficients, and from these to groups."""
    self._finetune(model)
    self.embedding_ = model.codes()
    self.coefficients_ = model.coefficients()
    if not (np.isfinite(self.embedding_).all()
            and np.isfinite(self.coefficients_).all()):
      raise ValueError(
          "training diverged: codes or coefficients aren't finite; lower "
          f"pretrain_learning_rate ({self.pretrain_learning_rate}) or "
          f"finetune_learning_rate ({self.finetune_learning_rate})")
    # Arrays alone are kept, so that the estimator pickles and copies.
    self._encoder_weights = model.encoder.get_weights()
    self._group()

  def _group(self):
    """From `coefficients_` to labels, affinity and subspaces."""
    if self.n_clusters == 1:
      self.affinity_matrix_ = affinity_lib.plain_affinity(self.coefficients_)
      self.labels_ = np.zeros(len(self.coefficients_), np.int64)
    else:
      recipe = settings.Affinity(
          alpha=self.alpha, dim=self.dim, exponent=self.exponent, eye=self.eye,
          count=self.count, by_row=True,
          # A free diagonal of the closed form would outweigh all the rest.
          zero_diagonal=self.solver == "closed_form")
      self.affinity_matrix_ = recipe.apply(self.coefficients_, self.n_clusters)
      self.labels_ = affinity_lib.spectral_clustering(
          self.affinity_matrix_, self.n_clusters)
    # A subspace as large as the space would be at distance 0 of everything.
    dim = min(self.dim, max(self.embedding_.shape[1] - 1, 1))
    self.subspaces_ = subspaces.cluster_bases(
        self._features(self.embedding_), self.labels_, dim)

  def _features(self, codes):
    """Codes scaled as those that were clustered, `[n, d]` float32."""
    scaling = self.scaling if self.solver == "closed_form" else "none"
    return settings.scale_features(
        codes, scaling, reference=self.embedding_).astype(np.float32)

  def _encode(self, X):  # noqa: N803
    """Codes of rows of X, by an encoder made anew from the kept weights."""
    inputs = self._inputs(X)
    state = random.getstate()
    encoder, _ = self._autoencoder()
    encoder(inputs[:1])  # Makes the weights.
    random.setstate(state)
    encoder.set_weights(self._encoder_weights)
    return np.concatenate([encoder(inputs[i:i + 500]).numpy()
                           for i in range(0, len(inputs), 500)])


def _glorot(shape, rng):
  """Glorot's uniform weights of a kernel `[..., inputs, outputs]`."""
  fans = np.prod(shape[:-2]) * (shape[-2] + shape[-1])
  limit = np.sqrt(6.0 / fans)
  return rng.uniform(-limit, limit, shape).astype(np.float32)


def _orders(count, batch_size, steps, rng):
  """`[steps, batch_size]` sample numbers that go through all again and again."""
  turns = -(-steps * batch_size // count)
  order = np.concatenate([rng.permutation(count) for _ in range(turns)])
  return order[:steps * batch_size].reshape(steps, batch_size)
