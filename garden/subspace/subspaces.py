"""The subspace of each cluster, and images that were not clustered.

DSC has no out-of-sample rule: C belongs to its N images. A new image goes to
the cluster whose subspace its code is nearest to,

    argmin_k || z - U_k U_k^T z ||^2,

where U_k spans the leading directions of the codes of cluster k (through the
origin, since the subspaces of the model are linear).
"""

import numpy as np
import tensorflow as tf


def cluster_bases(codes, labels, dim):
  """Orthonormal bases of the clusters' subspaces.

  Args:
    codes: `[N, d]`.
    labels: `[N]` int, 0 .. K-1.
    dim: directions kept of each cluster; fewer where it has fewer members.

  Returns:
    `[K, d, dim]` float32; missing directions are zero columns.
  """
  codes = np.asarray(codes, np.float64)
  n_clusters = int(np.max(labels)) + 1
  bases = np.zeros((n_clusters, codes.shape[1], dim), np.float32)
  for k in range(n_clusters):
    members = codes[labels == k]
    if len(members) == 0:
      continue
    _, values, directions = np.linalg.svd(members, full_matrices=False)
    kept = min(dim, int(np.sum(values > 1e-8 * max(values[0], 1e-300))))
    bases[k, :, :kept] = directions[:kept].T
  return bases


def distances(codes, bases):
  """Squared distance of codes to each cluster's subspace, `[n, K]` float32.

  By Pythagoras, `||z||^2 - ||U^T z||^2`, so no `[n, K, d]` array is made. Codes
  are divided by their norm first: the angle decides, not the brightness.

  Args:
    codes: `[n, d]` float32 tensor.
    bases: `[K, d, dim]` float32.
  """
  codes = tf.math.l2_normalize(codes, axis=1, epsilon=1e-12)
  projections = tf.einsum("nd,kdr->nkr", codes, bases)
  norms = tf.reduce_sum(tf.square(codes), axis=1, keepdims=True)
  return tf.nn.relu(norms - tf.reduce_sum(tf.square(projections), axis=2))


class SubspaceClassifier(tf.Module):
  """Image -> cluster, for serving.

  Args:
    encode: function, `[n, h, w, c]` -> `[n, d]` codes.
    decode: function, `[n, d]` -> `[n, h, w, c]`.
    bases: `[K, d, dim]`, of `cluster_bases`.
    parts: trackables that `encode` and `decode` use.
  """

  def __init__(self, encode, decode, bases, parts):
    super().__init__()
    self._encode = encode
    self._decode = decode
    self.bases = tf.Variable(bases, trainable=False, name="bases")
    self.parts = list(parts)

  def __call__(self, images):
    """`[n, h, w, c]` -> cluster, code, distances and reconstruction error.

    Returns:
      A dict: `cluster` `[n]` int64, `code` `[n, d]`, `distance` `[n, K]` in
      [0, 1], `reconstruction_error` `[n]`, the mean squared error a pixel.
    """
    codes = tf.cast(self._encode(images), tf.float32)
    away = distances(codes, self.bases)
    error = tf.square(tf.cast(self._decode(codes), tf.float32) - images)
    return {
        "cluster": tf.argmin(away, axis=1, output_type=tf.int64),
        "code": codes, "distance": away,
        "reconstruction_error": tf.reduce_mean(error, axis=[1, 2, 3])}
