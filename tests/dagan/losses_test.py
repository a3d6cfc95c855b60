"""Tests of the losses by hand, and of the sign of each gradient."""

import numpy as np
import pytest
import tensorflow as tf

from garden.dagan import losses


def _gradient(function, *values):
  values = [tf.constant(value, tf.float32) for value in values]
  with tf.GradientTape() as tape:
    tape.watch(values)
    out = function(*values)
  return [None if g is None else g.numpy() for g in tape.gradient(out, values)]


def test_an_error_is_the_mean_of_absolute_differences():
  images = np.zeros((2, 2, 2, 3), np.float32)
  found = losses.reconstruction_error(images, images + np.array([0.5, -0.25])[:, None, None, None])
  np.testing.assert_allclose(found, [0.5, 0.25])


def test_the_discriminators_loss_is_the_difference_weighted_by_k():
  loss = losses.discriminator_loss(tf.constant([0.2, 0.4]), tf.constant([0.5, 0.7]), k=0.5)
  assert float(loss) == pytest.approx(0.3 - 0.5 * 0.6)


@pytest.mark.parametrize("k", [0.0, 0.3, 1.0])
def test_the_discriminator_lowers_real_and_raises_refined_errors(k):
  real, refined = _gradient(lambda a, b: losses.discriminator_loss(a, b, k), [0.2, 0.4], [0.5])
  np.testing.assert_allclose(real, [0.5, 0.5])
  np.testing.assert_allclose(refined, [-k])


def test_beyond_the_cap_a_refined_error_has_no_gradient():
  def loss(real, refined):
    return losses.discriminator_loss(real, refined, 0.5, cap=2.0 * tf.reduce_mean(real))
  real, refined = _gradient(loss, [0.2, 0.4], [0.5, 0.7])  # the cap is at .6
  np.testing.assert_allclose(refined, [-0.25, 0.0])
  np.testing.assert_allclose(real, [0.5, 0.5])  # none through the cap
  assert float(loss(tf.constant([0.2, 0.4]), tf.constant([0.5, 0.7]))) == pytest.approx(
      0.3 - 0.5 * 0.55)


@pytest.mark.parametrize("form, k, expected", [
    ("began", 0.0, 0.5), ("began", 0.4, 0.5), ("paper", 0.4, 0.2), ("paper", 0.0, 0.0)])
def test_the_generator_lowers_refined_errors(form, k, expected):
  gradient, = _gradient(lambda e: losses.generator_loss(e, k, form), [0.3, 0.5])
  np.testing.assert_allclose(gradient, [expected, expected])


def test_identity_is_the_mean_over_labelled_images():
  logits = tf.constant([[2.0, 0.0], [0.0, 1.0], [5.0, -5.0]])
  found = float(losses.identity_loss(logits, [0, 0, -1]))
  assert found == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(1))) / 2, rel=1e-5)
  assert float(losses.identity_loss(logits, [-1, -1, -1])) == 0.0


@pytest.mark.parametrize("form", losses.IDENTITY_FORMS)
def test_identity_raises_the_logit_of_the_label_alone(form):
  gradient, = _gradient(lambda z: losses.identity_loss(z, [1, -1], form),
                        [[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]])
  assert gradient[0, 1] < 0 < min(gradient[0, 0], gradient[0, 2])
  assert not gradient[1].any()


def test_the_right_person_must_win_by_the_margin():
  # Cosines of .5 each: 16 (.5 - .2) against 16 x .5.
  found = float(losses.identity_loss(tf.constant([[0.5, 0.5]]), [0], "margin"))
  assert found == pytest.approx(np.log1p(np.exp(16 * 0.2)), rel=1e-5)
  np.testing.assert_allclose(losses.margin_logits(tf.constant([[0.5, -1.0]]), [1]),
                             [[8.0, -19.2]], rtol=1e-6)


def test_one_vs_all_is_the_printed_cross_entropy():
  logits = tf.constant([[1.0, -2.0]])
  p = 1 / (1 + np.exp([-1.0, 2.0]))
  expected = -(np.log(p[0]) + np.log(1 - p[1])) / 2
  assert float(losses.identity_loss(logits, [0], "one_vs_all")) == pytest.approx(expected, rel=1e-5)


def test_pixels_count_where_the_mask_says():
  refined, simulated = tf.ones([1, 2, 2, 3]), tf.zeros([1, 2, 2, 3])
  mask = tf.constant([[1.0, 0.0], [0.5, 0.0]])[tf.newaxis, ..., tf.newaxis]
  refined *= tf.constant([[0.2, 9.0], [0.8, 9.0]])[tf.newaxis, ..., tf.newaxis]
  assert float(losses.pixel_loss(refined, simulated, mask)) == pytest.approx((0.2 + 0.4) / 1.5)
  assert float(losses.pixel_loss(refined, simulated)) == pytest.approx((0.2 + 0.8 + 18) / 4)
  assert float(losses.pixel_loss(refined, simulated, tf.zeros_like(mask))) == 0.0


def test_pixels_are_drawn_towards_the_simulated_ones():
  gradient, _ = _gradient(losses.pixel_loss, np.full((1, 1, 2, 1), 0.5),
                          [[[[0.2], [0.9]]]])
  assert gradient[0, 0, 0, 0] > 0 > gradient[0, 0, 1, 0]


def test_convergence_is_the_formula():
  assert float(losses.convergence(tf.constant(0.4), tf.constant(0.1), 0.5)) == pytest.approx(0.5)
  assert float(losses.convergence(tf.constant(0.4), tf.constant(0.3), 0.5)) == pytest.approx(0.5)


@pytest.mark.parametrize("k, real, refined, expected", [
    (0.0, 0.4, 0.1, 0.1), (0.5, 0.4, 0.3, 0.4), (0.0, 0.1, 0.9, 0.0), (1.0, 0.9, 0.0, 1.0)])
def test_k_moves_towards_balance_within_its_range(k, real, refined, expected):
  found = losses.next_k(tf.constant(k), tf.constant(real), tf.constant(refined), 0.5, 1.0)
  assert float(found) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("call, message", [
    (lambda: losses.generator_loss(tf.ones(1), 0.0, "hinge"), "form is 'hinge'"),
    (lambda: losses.identity_loss(tf.ones([1, 2]), [0], "arc"), "form is 'arc'")])
def test_unknown_forms_are_refused(call, message):
  with pytest.raises(ValueError, match=message):
    call()
