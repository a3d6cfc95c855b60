"""Agreement between labellings: against scikit-learn and on planted answers."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from garden.subspace import affinity
from garden.subspace import agreement


def _consensus(families, n_clusters, **settings):
  joint = agreement.joint_comembership(families, **settings)
  return affinity.spectral_clustering(joint, n_clusters)


def _noisy(labels, share, seed):
  """A copy of the labels, renamed, with a share of them drawn anew."""
  rng = np.random.default_rng(seed)
  count = labels.max() + 1
  noisy = rng.permutation(count)[labels]
  wrong = rng.random(labels.size) < share
  noisy[wrong] = rng.integers(0, count, wrong.sum())
  return noisy


def test_agreement_matrix_is_scikit_learns_index():
  rng = np.random.default_rng(0)
  labelings = [rng.integers(0, k, 50) * 3 - 7 for k in (1, 2, 5, 9, 50)]
  labelings += [np.arange(50), labelings[2].copy()]
  ours = agreement.agreement_matrix(labelings)
  theirs = [[adjusted_rand_score(a, b) for b in labelings] for a in labelings]
  np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_mean_agreement_leaves_out_the_labelling_itself():
  scores = agreement.mean_agreement([[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]])
  np.testing.assert_allclose(scores, [0.25, 0.25, -0.5])
  np.testing.assert_array_equal(agreement.mean_agreement([[0, 1]]), [1.0])


def test_medoid_is_the_least_disturbed_and_the_first_among_equals():
  labels = np.repeat(np.arange(4), 25)
  shares = [0.6, 0.4, 0.05, 0.5, 0.7]
  assert agreement.medoid([_noisy(labels, s, i) for i, s in enumerate(shares)]) == 2
  assert agreement.medoid([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0]]) == 1


def test_comembership_counts_shared_groups():
  np.testing.assert_allclose(
      agreement.comembership([[0, 0, 1], [2, 2, 2], [0, 1, 1]]),
      [[1, 2 / 3, 1 / 3], [2 / 3, 1, 2 / 3], [1 / 3, 2 / 3, 1]], atol=1e-6)


def test_consensus_is_better_than_every_voter():
  labels = np.repeat(np.arange(4), 25)
  voters = [_noisy(labels, 0.3, seed) for seed in range(20)]
  found = _consensus([voters], 4, top_fraction=1.0)
  np.testing.assert_array_equal(found, affinity.relabel(labels))
  assert max(adjusted_rand_score(labels, v) for v in voters) < 1


def test_consensus_hears_only_the_best_fraction():
  labels = np.repeat(np.arange(3), 20)
  rng = np.random.default_rng(0)
  good = [_noisy(labels, 0.1, seed) for seed in range(5)]
  bad = [rng.integers(0, 3, 60) for _ in range(5)]
  found = _consensus([bad + good], 3, top_fraction=0.5)
  np.testing.assert_array_equal(found, labels)
  one = _consensus([bad + good], 3, top_fraction=1e-9)  # at least one votes
  best = (bad + good)[agreement.medoid(bad + good)]
  np.testing.assert_array_equal(one, affinity.relabel(best))


def test_top_takes_lists_and_arrays():
  labelings = [[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0]]
  assert agreement.top(labelings, 0.7) == labelings[1:]
  np.testing.assert_array_equal(agreement.top(np.array(labelings), 0.7), labelings[1:])


@pytest.mark.parametrize("labelings, settings, words", [
    ([], {}, "no labelling"), ([[0, 1], [0, 1, 1]], {}, "shapes"), ([[0]], {}, "shapes"),
    ([[[0, 1]]], {}, "shapes"), ([[0, 1, 1]], {"top_fraction": 0}, "top_fraction is 0"),
    ([[0, 1, 1]], {"top_fraction": 1.1}, "top_fraction is 1.1")])
def test_bad_labellings_are_named(labelings, settings, words):
  with pytest.raises(ValueError, match=words):
    _consensus([labelings], 2, **settings)


_A, _B, _C = [0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 0, 1]


def test_steadiness_is_the_mean_agreement_of_the_voters():
  scores = np.sort(agreement.mean_agreement([_A, _B, _C]))[::-1]
  assert agreement.steadiness([_A, _B, _C], 0.6) == pytest.approx(scores[:2].mean())
  assert agreement.steadiness([_A, _B, _C], 0.1) == pytest.approx(scores[0])
  assert agreement.steadiness([_A], 0.1) == 1
  with pytest.raises(ValueError, match="top_fraction is 0"):
    agreement.steadiness([_A], 0)


def test_a_set_that_failed_has_no_vote():
  found, scores, mean = agreement.steady([[_A, _C], [_A, _B]])
  assert found == [_A, _B] and scores[1] == mean == 1 and scores[0] < 0.5
  assert agreement.steady([[_A, _C], [_C, _A]])[0] == [_A, _C, _C, _A]  # equal ones stay


def test_kinds_of_features_vote_apart_whatever_their_size():
  few, many = [_A], [_C] * 9
  joint = agreement.joint_comembership([few, many], top_fraction=1.0)
  alone = [agreement.comembership(one) for one in (few, many)]
  np.testing.assert_allclose(joint, (alone[0] + alone[1]) / 2)
  joint = agreement.joint_comembership([few, many], [0.8, 0.2], 1.0)
  np.testing.assert_allclose(joint, 0.8 * alone[0] + 0.2 * alone[1])
  np.testing.assert_allclose(agreement.joint_comembership([many], top_fraction=1.0), alone[1])
  with pytest.raises(ValueError, match="zip"):
    agreement.joint_comembership([few, many], [1.0])


def test_the_steadier_kind_has_more_weight():
  shares = agreement.weights([0.5, 0.55])
  assert shares.sum() == pytest.approx(1) and shares[1] / shares[0] == pytest.approx(1.1**8)
  np.testing.assert_allclose(agreement.weights([0.5, 0.9], power=0.0), [0.5, 0.5])
  np.testing.assert_allclose(agreement.weights([0.5, -0.1]), [1, 0], atol=1e-9)


@pytest.mark.parametrize(
  "choose", [agreement.steady, agreement.joint_comembership, agreement.weights]
)
def test_a_choice_needs_something_to_choose_from(choose):
  with pytest.raises(ValueError, match="there is no .*give at least one"):
    choose([])
