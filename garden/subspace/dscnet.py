"""Deep Subspace Clustering Networks.

Ji, Zhang, Li, Salzmann, Reid: "Deep Subspace Clustering Networks", NIPS 2017,
arXiv 1709.02508. An autoencoder with a self-expressive layer between encoder
and decoder:

    Z = E(X),  Z_c = C Z,  X_hat = D(Z_c)
    L = w ||X - X_hat||_F^2 + l1 ||C||_p + l2/2 ||Z - C Z||_F^2

Two stages. `pretrain`: X_hat = D(Z), mini-batches. `finetune`: all N images in
every step, Adam, a fixed number of steps. C is an N x N weight, so the model
belongs to the N images that it was made for.

Deviations from the published code, with reasons:
  - pre-training in mini-batches, ended by a rule on the reconstruction error
    (theirs is an endless full-batch loop, ended by eye);
  - pre-training may train several autoencoders at once, of which the one with
    the lowest reconstruction error goes on (small ReLU nets lose channels);
  - the codes may be given a size before C comes in (`code_norm`): pre-training
    leaves it open, and the published weights hold for that of the authors' nets;
  - `zero_diagonal` may be asked for with p = 2 too (the equation has it, the
    published L2 code hasn't);
  - with `solver="closed_form"`, C is set to the minimiser of its own two terms
    and no fine-tuning is needed (the decoder's pull on C is left out).
"""

import numpy as np
import tensorflow as tf

from garden.core.model import GardenModel
from garden.subspace import losses
from garden.subspace import networks
from garden.subspace import settings
from garden.subspace import solvers
from garden.subspace.self_expression import SelfExpression

SOLVERS = ("gradient", "closed_form")


class DSCNet(GardenModel):
  """The network for N given images.

  Args:
    encoder: layer, `[n, h, w, c]` -> `[n, d]`.
    decoder: layer, `[n, d]` -> `[n, h, w, c]`.
    images: `[N, h, w, c]` float32 in the pixel range that the weights are for.
    p: norm of C, 1 or 2.
    zero_diagonal: forbid a sample to express itself; None as published (p = 1
      only).
    initial: the constant that C starts from.
    reconstruction_weight: w above (0.5 for faces, 1.0 for COIL, as published).
    norm_weight: l1 above.
    expression_weight: l2 above.
    solver: "gradient" as published; "closed_form" sets C to the minimiser
      of `l1 ||C||^2 + l2/2 ||Z - C Z||^2` at the start of `finetune` (p = 2).
    scaling: of the codes before the closed form, see
      `settings.scale_features`.
    pretrain_optimizer: optimizer of the first stage.
    restarts: further (encoder, decoder) pairs, pre-trained on the same batches;
      `finetune` begins with the pair of lowest reconstruction error.
    code_norm: `||Z||_F / ||X||_F` at the start of `finetune`; None as it came.
    seed: seed of the run.
    **kwargs: of `tf.keras.Model`.

  Example:
    >>> faces = np.random.default_rng(0).uniform(size=[20, 16, 16, 1])
    >>> net = DSCNet(*networks.conv_autoencoder((16, 16, 1), (3,), (15,)), faces, p=2)
    >>> images = tf.keras.Input([16, 16, 1])
    >>> tf.keras.Model(images, net(images)).output_shape
    (None, 16, 16, 1)
  """

  def __init__(self, encoder, decoder, images, p=2, zero_diagonal=None,
               initial=1e-4, reconstruction_weight=0.5, norm_weight=1.0,
               expression_weight=1.0, solver="gradient", scaling="none",
               pretrain_optimizer=None, restarts=(), code_norm=None,
               seed=0, **kwargs):
    super().__init__(seed=seed, **kwargs)
    if solver not in SOLVERS:
      raise ValueError(f"solver is {solver!r}; it must be one of {SOLVERS}")
    if solver == "closed_form" and p != 2:
      raise ValueError(f"solver='closed_form' exists for p = 2 only, not {p}")
    if code_norm is not None and not code_norm > 0:
      raise ValueError(f"code_norm is {code_norm!r}; it must be positive, like "
                       "0.5, or None")
    # A constant on every replica, not a weight: checkpoints don't hold it.
    self.images = tf.constant(images, tf.float32)
    self.encoder = encoder
    self.decoder = decoder
    self.restarts = [list(pair) for pair in restarts]
    self.self_expression = SelfExpression(
        len(images), p, zero_diagonal, initial, name="self_expression")
    self.reconstruction_weight = reconstruction_weight
    self.norm_weight = norm_weight
    self.expression_weight = expression_weight
    self.solver = solver
    self.scaling = scaling
    self.code_norm = code_norm
    self.pretrain_optimizer = self.add_optimizer(
        pretrain_optimizer or tf.keras.optimizers.Adam(1e-3))
    self.add_trackers("loss", "reconstruction", "expression", "norm")
    self(self.images[:1])  # Built here, so that it can be saved before `fit`.
    for pair in self.restarts:
      _copy(self.images[:1], pair)

  def get_config(self):
    """Refused: a configuration doesn't hold N images."""
    raise NotImplementedError(
        "a DSCNet belongs to its N images, which a .keras file doesn't hold; save a model of its "
        "encoder and decoder, or its weights by save_weights('net.weights.h5')")

  def compile(self, optimizer, **kwargs):
    """Keras's `compile`; also builds both optimizers, so that saves hold them."""
    super().compile(optimizer=optimizer, **kwargs)
    self.pretrain_optimizer.build(self.pretrain_variables())
    self.optimizer.build(self.finetune_variables())

  def call(self, images):
    """The autoencoder without C: `[n, h, w, c]` -> `[n, h, w, c]`."""
    return self.decoder(self.encoder(images))

  def pairs(self):
    """Every (encoder, decoder), this network's own first."""
    return [[self.encoder, self.decoder], *self.restarts]

  def pretrain_variables(self):
    """The weights that `pretrain` trains: all autoencoders'."""
    return [v for pair in self.pairs() for part in pair
            for v in part.trainable_variables]

  def finetune_variables(self):
    """The weights that `finetune` trains: the network's own and C."""
    return [v for part in (self.encoder, self.decoder, self.self_expression)
            for v in part.trainable_variables]

  def begin_stage(self, name):
    """Readies the best autoencoder, and C where its closed form was asked for."""
    if name != "finetune":
      return
    if self.restarts:
      self.keep_best()
    if self.code_norm is not None:
      self.set_code_norm()
    if self.solver == "closed_form":
      self.solve_coefficients()

  def keep_best(self, batch_size=500):
    """Takes over the weights of the pair of lowest reconstruction error."""
    errors = [sum(float(losses.reconstruction(x, _copy(x, pair)))
                  for x in (self.images[i:i + batch_size]
                            for i in range(0, len(self.images), batch_size)))
              for pair in self.pairs()]
    for mine, best in zip(self.pairs()[0], self.pairs()[int(np.argmin(errors))]):
      mine.set_weights(best.get_weights())

  def set_code_norm(self):
    """Scales the codes to `||Z||_F = code_norm ||X||_F`; D(E(X)) stays."""
    size = np.linalg.norm(self.codes()) / np.linalg.norm(self.images.numpy())
    if size > 0:
      networks.scale_codes(self.encoder, self.decoder, self.code_norm / size)

  def solve_coefficients(self):
    """Sets C to the minimiser of its two terms for the codes as they are."""
    features = settings.scale_features(self.codes(), self.scaling)
    matrix = solvers.ridge(
        features, lam=2 * self.norm_weight / self.expression_weight,
        zero_diagonal=self.self_expression.zero_diagonal)
    self.self_expression.coefficients.assign(matrix.astype(np.float32))

  def codes(self, batch_size=500):
    """Codes of all images, `[N, d]` float32, on the host."""
    return np.concatenate([
        self.encoder(self.images[i:i + batch_size]).numpy()
        for i in range(0, len(self.images), batch_size)]).astype(np.float32)

  def coefficients(self):
    """C as it acts, `[N, N]` float32, on the host."""
    return self.self_expression.matrix().numpy()

  def train_step(self, batch):
    """One step of the stage in progress.

    Args:
      batch: `[b]` int, images of the mini-batch; in `finetune` the rows of C Z
        that this replica computes (all of them when there is one).
    """
    if self.stage_name == "pretrain":
      return self.pretrain_step(batch)
    return self.finetune_step(batch)

  def pretrain_step(self, indices):
    """`w sum (x - D(E(x)))^2` on some images, added over the autoencoders."""
    images = tf.gather(self.images, indices)
    with tf.GradientTape() as tape:
      errors = [losses.reconstruction(images, _copy(images, pair))
                for pair in self.pairs()]
      loss = self.reconstruction_weight * tf.add_n(errors)
    self.minimize(tape, loss, self.pretrain_variables(),
                  self.pretrain_optimizer, reduction="sum")
    # Per pixel, so that the value doesn't depend on the size of the batch.
    pixels = tf.cast(tf.size(images) * len(errors), tf.float32)
    return self.log_step(reconstruction=tf.add_n(errors) / pixels)

  def finetune_step(self, rows):
    """All three terms on all images; on several replicas, each on its rows."""
    shared = tf.distribute.get_strategy().num_replicas_in_sync > 1
    with tf.GradientTape() as tape:
      # C and its sums stay in single precision whatever the layers compute in.
      codes = tf.cast(self.encoder(self.images, training=True), tf.float32)
      if shared:
        matrix = self.self_expression.rows(rows)
        images, targets = tf.gather(self.images, rows), tf.gather(codes, rows)
      else:
        matrix = self.self_expression.matrix()
        images, targets = self.images, codes
      expressed = tf.matmul(matrix, codes)
      error = losses.reconstruction(
          images, self.decoder(expressed, training=True))
      norm = losses.coefficient_norm(matrix, self.self_expression.p)
      expression = losses.self_expression(targets, expressed)
      loss = (self.reconstruction_weight * error + self.norm_weight * norm
              + self.expression_weight * expression)
    self.minimize(tape, loss, self.finetune_variables(), self.optimizer,
                  reduction="sum")
    # Sums over replicas, so that the log doesn't depend on their number.
    parts = self.all_reduce_sum(
        {"loss": loss, "reconstruction": error, "expression": expression,
         "norm": norm})
    parts["reconstruction"] /= tf.cast(tf.size(self.images), tf.float32)
    return self.log_step(**parts)


def _copy(images, pair):
  """D(E(x)) of an (encoder, decoder)."""
  encoder, decoder = pair
  return decoder(encoder(images, training=True), training=True)
