"""The published recipe of Deep Subspace Clustering, written as plainly as possible.

Ji, Zhang, Li, Salzmann, Reid: "Deep Subspace Clustering Networks", NIPS 2017,
arXiv 1709.02508, and the authors' scripts. This is the yardstick of
`tools/benchmark.py`: what one would write in TensorFlow 2 from the paper and the
scripts, with Keras layers, Keras's Adam, one `tf.function` a step, numpy, scipy
and scikit-learn as they come. Nothing else in the garden uses it; the
garden's own way is `dscnet`, `affinity` and `experiment`.

    Z = E(X),  Z_c = C Z,  X_hat = D(Z_c)
    L = w ||X - X_hat||_F^2 + l1 ||C||_F^2 + l2/2 ||Z - C Z||_F^2

The published pre-training has no stop rule (an endless loop, ended by eye); a
number of steps stands in for it.
"""

import numpy as np
import tensorflow as tf
from scipy.sparse import linalg
from sklearn import cluster
from sklearn import preprocessing

LEARNING_RATE = 1e-3


def plain_autoencoder(image_shape, kernels, channels):
  """Makes the published encoder and decoder from plain Keras layers.

  Args:
    image_shape: (h, w, c).
    kernels: odd kernel sizes, one a layer.
    channels: channels, one a layer.

  Returns:
    `(encoder, decoder)`, two built `tf.keras.Sequential`: `[n, h, w, c]` ->
    `[n, d]` and back.
  """
  layers = tf.keras.layers
  encoder = tf.keras.Sequential([layers.InputLayer(image_shape)])
  shapes = [image_shape]
  for kernel, filters in zip(kernels, channels):
    encoder.add(layers.Conv2D(filters, kernel, strides=2, padding="same",
                              activation="relu"))
    shapes.append(encoder.output_shape[1:])
  encoder.add(layers.Flatten())

  decoder = tf.keras.Sequential([
      layers.InputLayer(encoder.output_shape[1:]), layers.Reshape(shapes[-1])])
  for kernel, small, large in zip(kernels[::-1], shapes[::-1], shapes[-2::-1]):
    # 48x42 goes 42, 21, 11, 6: odd sizes need to be told on the way back.
    odd = [big - 2 * (little - 1) - 1 for big, little in zip(large[:2], small)]
    decoder.add(layers.Conv2DTranspose(
        large[2], kernel, strides=2, padding="same", output_padding=odd,
        activation="relu"))
  return encoder, decoder


def plain_pretrain_step(images, encoder, decoder):
  """One full-batch step on `1/2 sum (x - x_hat)^2`.

  Args:
    images: `[N, h, w, c]` float32.
    encoder: `[N, h, w, c]` -> `[N, d]`.
    decoder: `[N, d]` -> `[N, h, w, c]`.

  Returns:
    A `tf.function` without arguments that returns the loss before the step.
  """
  images = tf.constant(images, tf.float32)
  variables = encoder.trainable_variables + decoder.trainable_variables
  optimizer = tf.keras.optimizers.Adam(LEARNING_RATE)
  optimizer.build(variables)

  @tf.function
  def step():
    with tf.GradientTape() as tape:
      loss = 0.5 * tf.reduce_sum((decoder(encoder(images)) - images) ** 2)
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss

  return step


def plain_finetune_step(images, encoder, decoder, coefficients,
                        reconstruction_weight=0.5, norm_weight=1.0,
                        expression_weight=1.0):
  """One full-batch step on the whole loss, with a fresh Adam.

  Args:
    images: `[N, h, w, c]` float32.
    encoder: `[N, h, w, c]` -> `[N, d]`.
    decoder: `[N, d]` -> `[N, h, w, c]`.
    coefficients: variable `[N, N]`, C.
    reconstruction_weight: w.
    norm_weight: l1.
    expression_weight: l2.

  Returns:
    A `tf.function` without arguments that returns the loss before the step.

  Example:
    step = plain_finetune_step(images, encoder, decoder, c)
    losses = [float(step()) for _ in range(700)]
  """
  images = tf.constant(images, tf.float32)
  variables = (encoder.trainable_variables + decoder.trainable_variables
               + [coefficients])
  optimizer = tf.keras.optimizers.Adam(LEARNING_RATE)
  optimizer.build(variables)

  @tf.function
  def step():
    with tf.GradientTape() as tape:
      codes = encoder(images)
      expressed = tf.matmul(coefficients, codes)
      loss = (reconstruction_weight
              * tf.reduce_sum((decoder(expressed) - images) ** 2)
              + norm_weight * tf.reduce_sum(coefficients ** 2)
              + expression_weight * 0.5
              * tf.reduce_sum((expressed - codes) ** 2))
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss

  return step


def plain_threshold(c, alpha):
  """Keeps each column's largest entries until they hold `alpha` of its l1 norm.

  Args:
    c: `[N, N]`.
    alpha: in (0, 1); 1 keeps all.

  Returns:
    `[N, N]`, sparse.
  """
  if alpha >= 1:
    return c
  kept = np.zeros_like(c)
  order = np.argsort(-np.abs(c), axis=0)
  size = np.abs(np.take_along_axis(c, order, axis=0))
  for column in range(c.shape[1]):
    total, count, enough = 0.0, 0, alpha * np.sum(size[:, column])
    while total <= enough and count < len(c):
      total += size[count, column]
      count += 1
    rows = order[:count, column]
    kept[rows, column] = c[rows, column]
  return kept


def plain_clustering(c, n_clusters, dim, exponent, eye=False):
  """Labels from the thresholded C: low rank, cosines, spectral clustering.

  Args:
    c: `[N, N]`, thresholded.
    n_clusters: K.
    dim: dimensions of a subspace.
    exponent: power of the cosines.
    eye: set the diagonal to 1 (COIL20's script).

  Returns:
    `[N]` int64 labels.
  """
  c = 0.5 * (c + c.T)
  if eye:
    np.fill_diagonal(c, 1.0)
  rank = min(dim * n_clusters + 1, len(c) - 1)
  vectors, values, _ = linalg.svds(c, rank, v0=np.ones(len(c)))
  factor = preprocessing.normalize(vectors[:, ::-1] * np.sqrt(values[::-1]))
  cosines = factor @ factor.T
  affinity = np.abs((cosines * (cosines > 0)) ** exponent)
  affinity /= affinity.max()
  affinity = 0.5 * (affinity + affinity.T)
  spectral = cluster.SpectralClustering(
      n_clusters, eigen_solver="arpack", affinity="precomputed",
      assign_labels="discretize")
  # The scripts fit twice and use the second result.
  spectral.fit(affinity)
  return spectral.fit_predict(affinity).astype(np.int64)


def plain_pipeline(images, n_clusters, seed, kernels, channels, alpha, dim,
                   exponent, eye=False, initial=0.0, reconstruction_weight=0.5,
                   norm_weight=1.0, expression_weight=1.0, pretrain_steps=4000,
                   finetune_steps=700):
  """Pixels to labels by the published recipe.

  Args:
    images: `[N, h, w, c]` float32 in the published range (0..255 for faces).
    n_clusters: K.
    seed: of the first weights and of the spectral clustering.
    kernels: odd kernel sizes, one a layer.
    channels: channels, one a layer.
    alpha: of `plain_threshold`.
    dim: of `plain_clustering`.
    exponent: of `plain_clustering`.
    eye: of `plain_clustering`.
    initial: the constant that C starts from.
    reconstruction_weight: w.
    norm_weight: l1.
    expression_weight: l2.
    pretrain_steps: full-batch steps without C.
    finetune_steps: full-batch steps with C.

  Returns:
    `[N]` int64 labels.
  """
  tf.keras.utils.set_random_seed(seed)
  encoder, decoder = plain_autoencoder(images.shape[1:], kernels, channels)
  step = plain_pretrain_step(images, encoder, decoder)
  for _ in range(pretrain_steps):
    step()
  coefficients = tf.Variable(initial * tf.ones([len(images), len(images)]))
  step = plain_finetune_step(
      images, encoder, decoder, coefficients, reconstruction_weight,
      norm_weight, expression_weight)
  for _ in range(finetune_steps):
    step()
  sparse = plain_threshold(coefficients.numpy(), alpha)
  return plain_clustering(sparse, n_clusters, dim, exponent, eye)
