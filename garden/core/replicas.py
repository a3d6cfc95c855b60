"""What the replicas of a step tell each other: sums, means, all their rows.

Inside of `strategy.run` each replica sees its own part of a batch, and Keras adds up their
gradients. That is the step of one device where a loss is a mean of independent examples, as many on
each replica. Where examples are coupled, or counted, the replicas have to talk:

    sum of those that count / number of them      the number is the mean over replicas (`mean`)
    a function of the batch's mean                `mean` of the replicas' means, then the function
    a function of the whole batch                 `gather`, then the function

All have gradients. On one device, and outside of `strategy.run`, they give back what they get.
"""

import tensorflow as tf


def count():
  """Number of replicas of this step, 1 outside of one."""
  context = _context()
  return 1 if context is None else context.num_replicas_in_sync


def number():
  """This replica's number among all of them, an int32 scalar; 0 on one device."""
  context = _context()
  return tf.constant(0) if context is None else tf.cast(context.replica_id_in_sync_group, tf.int32)


def total(values):
  """Adds up a structure of tensors over the replicas, alike on each.

  Example:
    images = total(tf.shape(batch)[0])
  """
  context = _context()
  return values if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def mean(values):
  """Averages a structure of tensors over the replicas, alike on each.

  Example:
    error = mean(tf.reduce_mean(errors))
  """
  context = _context()
  return values if context is None else context.all_reduce(tf.distribute.ReduceOp.MEAN, values)


def gather(values):
  """The rows of all replicas, in their order, alike on each.

  Args:
    values: `[n, ...]`; n may differ between replicas.

  Returns:
    `[N, ...]`.

  Example:
    worst = tf.reduce_max(gather(errors))
  """
  context = _context()
  # The identity is on this replica's device; what came in as an argument is on none, and refused.
  return values if context is None else context.all_gather(tf.identity(values), axis=0)


def _context():
  """The context of a step on several replicas, or None."""
  context = tf.distribute.get_replica_context()
  return context if context is not None and context.num_replicas_in_sync > 1 else None
