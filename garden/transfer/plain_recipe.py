"""The stable preset's step written as plainly as possible: the other side of the benchmarks.

Keras layers, one `tf.function`, Keras's Adam, the equations of `transfer_model`
in line. No switches, no stages, no checkpoints; it knows LeNet alone. A test
holds it to the same losses and weights as `TransferModel`.
"""

import tensorflow as tf

from garden.transfer import augment

RATE, ALPHA, GAMMA, SCALE, TEMPERATURE = 1e-3, 0.01, 0.1, 10.0, 2.0
WARM_UP, THRESHOLD, DECAY = 200.0, 0.9, 0.95


def plain_lenet(image_shape, channels, units):
  """A Functional LeNet: images -> `[pool2 flattened, fc3]`."""
  images = x = tf.keras.Input(image_shape)
  for count in channels:
    x = tf.keras.layers.Conv2D(count, 5, activation="relu")(x)
    x = tf.keras.layers.MaxPooling2D()(x)
  flat = tf.keras.layers.Flatten()(x)
  return tf.keras.Model(images, [flat, tf.keras.layers.Dense(units, activation="relu")(flat)])


def plain_discriminator(flat, units, hidden=500):
  """D: `[pool2, fc3]` -> one logit."""
  lower, upper = tf.keras.Input([flat]), tf.keras.Input([units])
  voice = tf.keras.layers.Dense(units)(tf.nn.relu(lower))
  x = tf.keras.layers.Dense(hidden, activation="relu")(tf.nn.relu(GAMMA * voice + upper))
  return tf.keras.Model([lower, upper], tf.keras.layers.Dense(1)(x)[:, 0])


def plain_source_step(encoder, head):
  """A step of cross-entropy on `(images, labels)`, as a `tf.function`."""
  optimizer = tf.keras.optimizers.Adam(RATE)
  variables = encoder.trainable_variables + head.trainable_variables

  @tf.function
  def step(images, labels):
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
          labels, head(encoder(images)[1])))
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss
  return step


def plain_adapt_step(source_encoder, encoder, head, discriminator, n_source, n_target, seed):
  """A step of the stable preset on a batch of the three streams, as a `tf.function`.

  Args:
    source_encoder: from `plain_lenet`.
    encoder: likewise, for the target.
    head: `[n, units]` -> logits.
    discriminator: from `plain_discriminator`.
    n_source: number of source classes.
    n_target: number of target classes.
    seed: seed of the views.

  Returns:
    `step(batch, number, total)` with the step's number in its stage and in the
    run, float scalar loss.
  """
  optimizer, d_optimizer = tf.keras.optimizers.Adam(RATE), tf.keras.optimizers.Adam(RATE)
  variables = encoder.trainable_variables + head.trainable_variables
  d_variables = discriminator.trainable_variables
  mean = tf.Variable(tf.fill([n_target], 1.0 / n_target), trainable=False)
  fold = tf.random.experimental.stateless_fold_in

  def directions(x):
    return tf.math.l2_normalize(x, axis=1)

  def means(features, labels, count):
    hot = tf.one_hot(labels, count)
    totals = tf.matmul(hot, directions(features), transpose_a=True)
    return totals / tf.maximum(tf.reduce_sum(hot, axis=0), 1.0)[:, tf.newaxis]

  def similarities(features, support):
    logits = SCALE * tf.matmul(directions(features), directions(support), transpose_b=True)
    return tf.where(tf.reduce_any(support != 0, axis=1), logits, -1e9)

  def ce(logits, labels):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

  def entropy(logits):
    log_p = tf.nn.log_softmax(logits)
    return -tf.reduce_mean(tf.reduce_sum(tf.exp(log_p) * log_p, axis=1))

  @tf.function
  def step(batch, number, total):
    (source, source_labels), (labeled, labels) = batch["source"], batch["target_labeled"]
    clean = batch["target_unlabeled"]
    key = fold(tf.constant([seed, 0]), tf.cast(total, tf.int32))
    twice, labels2 = tf.tile(labeled, [2, 1, 1, 1]), tf.tile(labels, [2])
    images = tf.concat([augment.random_affine(twice, fold(key, 0)),
                        augment.random_affine(clean, fold(key, 1))], axis=0)
    ramp, count = tf.minimum(1.0, number / WARM_UP), len(labels2)
    source_flat, source_features = source_encoder(source)
    source_means = means(source_features, source_labels, n_source)

    features = encoder(tf.concat([labeled, clean], axis=0))[1]
    near = similarities(features[len(labels):], means(features[:len(labels)], labels, n_target))
    votes = (tf.nn.softmax(near) + tf.nn.softmax(head(features[len(labels):]))) / 2
    mean.assign(DECAY * mean + (1 - DECAY) * tf.reduce_mean(votes, axis=0))
    votes = votes / mean
    votes = votes / tf.reduce_sum(votes, axis=1, keepdims=True)
    guess = tf.argmax(votes, axis=1)
    sure = tf.cast(tf.reduce_max(votes, axis=1) > THRESHOLD, tf.float32)

    with tf.GradientTape(persistent=True) as tape:
      flat, features = encoder(images)
      logits = head(features)
      support = means(features[:count], labels2, n_target)
      near = similarities(features[count:], support)
      told = discriminator([flat[count:], features[count:]])
      source_told = discriminator([source_flat, source_features])
      d_loss = tf.reduce_mean(tf.nn.softplus(-source_told)) + tf.reduce_mean(tf.nn.softplus(told))
      log_mean = tf.reduce_logsumexp(tf.nn.log_softmax(near), axis=0) - tf.math.log(
          float(near.shape[0]))
      loss = tf.reduce_mean(ce(logits[:count], labels2))
      loss += tf.reduce_mean(ce(similarities(features[:count], support), labels2))
      loss += ramp * (
          entropy(similarities(features[count:], source_means) / TEMPERATURE) + entropy(near)
          + tf.reduce_sum(tf.exp(log_mean) * log_mean)
          + ALPHA * tf.reduce_mean(tf.nn.softplus(-told))
          + tf.reduce_mean(sure * ce(near, guess))
          + tf.reduce_mean(sure * ce(logits[count:], guess)))
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    d_optimizer.apply_gradients(zip(tape.gradient(d_loss, d_variables), d_variables))
    return loss
  return step
