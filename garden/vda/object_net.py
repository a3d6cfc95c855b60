"""The paper's form of perception: a ResNet-18 on each object, joined with the whole image.

Wu et al. 2017: what is cut out around an object and the whole image, six channels together, to
the object's own state: where it is, to the camera's right and away from it, and how it is turned.

    object b -> (x_b, y_b, cos 4a_b, sin 4a_b),   x and y in metres from where the camera looks

Pairs of neighbours follow as differences, so that `perception.assemble`, its losses and all
that comes after are the same for both forms: (x_{b+1} - x_b, y_{b+1} - y_b, turns of both).

Deviations: the object isn't masked, its neighbours are seen in the crop; the camera's numbers
are given to the last layer, as to the pairs' net, since the same crop means other places.
"""

import tensorflow as tf

from garden.core import layers
from garden.core import resnet

_STATE = 4


@tf.keras.utils.register_keras_serializable(package="garden")
class ObjectNet(tf.keras.layers.Layer):
  """Objects' crops to the poses of pairs: `{"crops", "whole", "camera"}` -> `[n, 4]`.

  `crops` `[n, s, s, 3]` of the objects and `whole` `[n, s, s, 3]`, the image each is from, in
  [0, 1]; `camera` `[n, k]`. n may be 0.

  Args:
    depth: of the ResNet, 18 or 34.
    strides: of its stages.
    **kwargs: of `tf.keras.layers.Layer`.

  Example:
    states = ObjectNet()({"crops": crops, "whole": images, "camera": tf.zeros([8, 5])})
  """

  def __init__(self, depth=18, strides=(1, 2, 2, 2), **kwargs):
    super().__init__(**kwargs)
    self.depth, self.strides = int(depth), tuple(strides)
    policy = dict(dtype=self.dtype_policy)
    self.trunk = resnet.ResNetTrunk(self.depth, self.strides, **policy)
    self.pool = tf.keras.layers.GlobalAveragePooling2D(**policy)
    self.camera = tf.keras.layers.Dense(32, activation="relu", **policy)
    self.dense = tf.keras.layers.Dense(192, activation=tf.nn.leaky_relu, **policy)
    self.states = tf.keras.layers.Dense(_STATE, dtype="float32")

  def call(self, inputs, training=None):
    """The dict -> states of objects."""
    n = tf.shape(inputs["crops"])[0]
    crops, whole, numbers = (layers.not_empty(inputs[name])
                             for name in ("crops", "whole", "camera"))
    seen = self.pool(self.trunk(tf.concat([crops, whole], axis=-1), training=training)[-1])
    return self.states(self.dense(tf.concat([seen, self.camera(numbers)], axis=-1)))[:n]

  def get_config(self):
    """The arguments of the constructor."""
    return {**super().get_config(), "depth": self.depth, "strides": self.strides}


def pairs_of(states):
  """Poses of neighbours from states of objects: `[N, B, 4]` -> `[N, B - 1, 6]`."""
  return tf.concat([states[:, 1:, :2] - states[:, :-1, :2], states[:, :-1, 2:],
                    states[:, 1:, 2:]], axis=-1)
